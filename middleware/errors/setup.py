"""What the options of the filter come to: a desk with its reporters, pages, and who may see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answer import Answer, Render
from .audience import Audience
from .catch import Catcher
from .collect.settings import Collecting
from .desk import Desk
from .report.choice import reporting_of

if TYPE_CHECKING:
    from ...protocol.wsgi import Environ
    from .catch_errors import CatchErrors
    from .record import ErrorRecord


def catcher_of(options: CatchErrors) -> Catcher:
    """The catcher that these options ask for."""
    collecting = Collecting(
        project=tuple(str(folder) for folder in options.project),
        own=options.own,
        foreign=options.foreign,
        variables=options.variables,
        context=options.context,
    )
    reporting = reporting_of(options)
    desk = Desk(collecting=collecting, reporters=reporting.reporters, witnesses=reporting.witnesses)
    return Catcher(options.app, desk, _pages(options))


def _pages(options: CatchErrors) -> Render:
    audience = Audience(options.allow_peers, options.allow_hosts)

    def render(record: ErrorRecord, environ: Environ) -> Answer:
        from .render.negotiated import details, public

        if options.debug and audience.refusal(environ) is None:
            return details(record, environ, xmlhttp_key=options.xmlhttp_key)
        return public(
            record,
            environ,
            message=options.error_message,
            template=options.template,
            xmlhttp_key=options.xmlhttp_key,
        )

    return render
