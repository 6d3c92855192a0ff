"""What the options of the filter come to: a desk with its reporters, pages, and who may see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answer import STATUS, Answer
from .catch import Catcher
from .collect.settings import Collecting
from .desk import Desk
from .render.text import as_text

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
    return Catcher(options.app, Desk(collecting=collecting), _text)


def _text(record: ErrorRecord, environ: Environ) -> Answer:
    headers = [("Content-Type", "text/plain; charset=utf-8")]
    return Answer(status=STATUS, headers=headers, body=as_text(record).encode("utf-8", "replace"))
