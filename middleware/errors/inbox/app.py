"""``egg:wheatpaste#errors_inbox``: the pages of kept errors, as an app to be mounted.

Where in the stack: anywhere; without a file of its own it shows what the errors filter around it keeps. Reads
``wheatpaste.errors`` and ``wheatpaste.allowed``; writes no environ keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....config.factories import make_app_factory
from ....config.mounts import KeyProblem
from ....config.options import component, each, option
from ....protocol.peers import network_complaint
from ....protocol.wsgi import Body, Environ, StartResponse
from ..audience import Audience, host_complaint
from .keeper import Inbox, file_complaint
from .pages import InboxPages

if TYPE_CHECKING:
    from ....config.surroundings import Surroundings

_FILTER = "wheatpaste.errors"
_ALLOWED = "wheatpaste.allowed"
_NO_FILTER = (
    "404 Not Found",
    "No errors filter that keeps errors stands around this app. Put one there, or name the file of its inbox here:"
    " inbox = /path/to/errors.sqlite\n",
)


def _rule_complaint(rule: str) -> str | None:
    from ...auth.permissions.language import rule_complaint  # many sites name no rule

    return rule_complaint(rule)


@component
class ErrorsInbox:
    """Show the errors that were kept: a list of groups, each error, and the same for tools.

    To clients of this machine alone, unless ``allow`` names a rule or ``allow_peers`` and ``allow_hosts`` name others.
    """

    inbox: Path | None = option(
        default=None,
        doc="The SQLite file in which the errors filter keeps them; without it, what the filter around this app keeps.",
        check=file_complaint,
        sample="/var/lib/shop/errors.sqlite",
    )
    allow: str | None = option(
        default=None,
        doc="A rule of the authentication filter further out, which says who may see them, wherever they are.",
        check=_rule_complaint,
        sample="role operator",
    )
    allow_peers: tuple[str, ...] = option(
        default=(),
        doc="Networks whose clients may see them, besides this machine, where no rule is named; * for everybody.",
        check=each(network_complaint),
        sample="192.168.1.0/24",
    )
    allow_hosts: tuple[str, ...] = option(
        default=(),
        doc="Names under which they may be asked for, besides localhost and its addresses.",
        check=each(host_complaint),
        sample="dev.example.com",
    )
    _audience: Audience = field(init=False, repr=False, default=Audience())
    _own: Any = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_audience", Audience(self.allow_peers, self.allow_hosts))
        if self.inbox is not None:
            from .file import FileInbox

            file = FileInbox(self.inbox)
            object.__setattr__(self, "_own", (file, self._pages(file)))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Answer below the mount."""
        if self._own is not None:
            pages: InboxPages = self._own[1]
            return pages(environ, start_response)
        inbox: Inbox | None = getattr(environ.get(_FILTER), "inbox", None)
        if inbox is not None:
            return self._pages(inbox)(environ, start_response)
        refusal = self._refusal(environ)
        status, text = _NO_FILTER if refusal is None else ("403 Forbidden", "The errors are not shown here.\n")
        body = text.encode()
        start_response(
            status,
            [
                ("Content-Type", "text/plain; charset=utf-8"),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
            ],
        )
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def problems(self, stack: Surroundings) -> Iterator[KeyProblem]:
        """What a check says of the section where it stands."""
        from ..rules import no_place  # for a check alone

        if self.inbox is not None:
            yield from no_place("inbox", self.inbox)
        elif not any("errors" in each.names for each in stack.outside):
            yield KeyProblem(
                None,
                "has nothing to show: no errors filter stands around this app",
                "put one there, or name the file of its inbox: inbox = %(here)s/errors.sqlite",
                "warning",
            )

    def close(self) -> None:
        """Let go of the file."""
        if self._own is not None:
            self._own[0].close()

    def _pages(self, inbox: Inbox) -> InboxPages:
        return InboxPages(inbox, self._refusal)

    def _refusal(self, environ: Environ) -> str | None:
        if self.allow is None:
            return self._audience.refusal(environ)
        allowed = environ.get(_ALLOWED)
        if allowed is None:
            return f"the rule {self.allow} cannot be asked, because no authentication filter stands around this app"
        return None if allowed(self.allow) else f"the rule {self.allow} does not allow it"


app_factory = make_app_factory(ErrorsInbox)
