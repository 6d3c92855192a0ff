"""``egg:wheatpaste#errors``: the filter that catches errors, with every option that it has.

Where in the stack: outside everything whose failures are to be caught, inside request logs. What the options come to
is put together in ``setup``; what happens to a request is in ``catch``, which also names the environ keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...config.factories import make_filter_factory
from ...config.options import at_least, between, component, each, option
from ...config.values import Imported, Seconds, Size
from ...protocol.peers import network_complaint
from ...protocol.wsgi import Body, Environ, StartResponse, WSGIApp
from ..delivery.mail_addresses import address_complaint, server_complaint
from .audience import host_complaint
from .inbox.keeper import inbox_complaint
from .render.editor import editor_complaint, path_complaint
from .report.addresses import webhook_complaint
from .setup import Setup

if TYPE_CHECKING:
    from ...config.mounts import KeyProblem
    from ...config.surroundings import Surroundings


def _path_complaint(path: str) -> str | None:
    if not re.fullmatch(r"(?:/[A-Za-z0-9._~-]+)+", path) or {".", ".."} & set(path.split("/")):
        return "must be a plain path such as /.errors, without a slash at its end"
    return None


def _template_complaint(path: Path | None) -> str | None:
    if path is None:
        return None
    if not path.is_file():
        return f"there is no file {path}"
    from .render.plain_page import template_complaint  # Jinja is only for who has a page

    return template_complaint(path)


@component
class CatchErrors:
    """Catch what an app raises: show it to developers, tell users an id to quote, and report it."""

    app: WSGIApp = field(kw_only=False)

    # Who sees what
    debug: bool = option(
        default=False,
        doc="Show the details of errors to those who may see them: browsers at this machine, unless allow_peers and "
        "allow_hosts name others.",
        inherits=True,
    )
    allow_peers: tuple[str, ...] = option(
        default=(),
        doc="Networks whose clients may see details, besides this machine; unix for UNIX sockets, * for everybody, "
        "also through proxies.",
        check=each(network_complaint),
        sample="192.168.1.0/24",
    )
    allow_hosts: tuple[str, ...] = option(
        default=(),
        doc="Names under which details may be asked for, besides localhost and its addresses: dev.example.com, "
        "*.example.com, or * for any.",
        check=each(host_complaint),
        sample="dev.example.com",
    )
    path: str = option(
        default="/.errors",
        doc="Where the kept errors are shown, while debug or the console is on.",
        check=_path_complaint,
    )
    template: Path | None = option(
        default=None,
        doc="A Jinja template of your own for the page that users see, without details.",
        check=_template_complaint,
    )
    error_message: str | None = option(
        default=None, doc="The sentence on that page, as plain text.", inherits=True, sample="We have been told."
    )
    xmlhttp_key: str | None = option(
        default=None,
        doc="A parameter of the query by which scripts ask for a fragment to put into their page, not a page of HTML.",
        inherits=True,
        sample="_",
    )

    # What is collected
    project: tuple[Path, ...] = option(
        default=(), doc="Folders of your own code, which is shown first; empty takes the working directory."
    )
    own: tuple[str, ...] = option(default=(), doc="Modules that are your own wherever they are: shop, shop.views.")
    foreign: tuple[str, ...] = option(default=(), doc="Modules that are not your own, wherever they are.")
    variables: bool = option(default=True, doc="Collect the variables of each frame; secrets are always taken out.")
    context: int = option(default=7, doc="Lines of source before and after the one that failed.", check=between(0, 100))

    # The page for developers
    editor: str | None = option(
        default=None,
        doc="Editor that file names open: vscode, pycharm, sublime and others, or a URL with {file}, {line}, {column}.",
        check=editor_complaint,
        sample="vscode",
    )
    editor_paths: tuple[str, ...] = option(
        default=(),
        doc="Folders that the editor knows under another name, as here=there, for containers.",
        check=each(path_complaint),
        sample="/app=/code/shop",
    )
    console: bool = option(
        default=False,
        doc="Open a prompt in each frame to the browser that has used the link printed at the terminal.",
    )
    console_anywhere: bool = option(
        default=False, doc="Allow the console on a server that other machines can reach, too; it runs any code."
    )
    replay: bool = option(default=True, doc="Keep failed requests in debug mode, to run them again after a change.")

    # What is kept
    inbox: Literal["memory", "none"] | Path = option(
        default="memory",
        doc="Where errors are kept: memory, none, or the path of a SQLite file that all processes share.",
        check=inbox_complaint,
        sample="/var/lib/shop/errors.sqlite",
    )
    inbox_size: int = option(default=200, doc="How many errors are kept, the oldest go first.", check=at_least(1))

    # Who is told
    error_log: Path | None = option(
        default=None, doc="A file for reports, one JSON object per line, readable to its owner alone."
    )
    error_log_size: Size = option(default=10_000_000, doc="Size at which that file is rotated.", check=at_least(1000))
    error_log_files: int = option(default=5, doc="How many rotated files are kept.", check=at_least(0))
    error_email: tuple[str, ...] = option(
        default=(),
        doc="Addresses that get mail: the first failure of a kind at once, then digests with counts.",
        inherits=True,
        check=each(address_complaint),
        sample="admin@example.com",
    )
    from_address: str = option(default="errors@localhost", doc="The sender of that mail.", check=address_complaint)
    smtp_server: str = option(
        default="localhost",
        doc="The mail server, as host or host:port.",
        inherits=True,
        check=server_complaint,
    )
    smtp_username: str | None = option(default=None, doc="Its user, if it wants one.", inherits=True)
    smtp_password: str | None = option(default=None, doc="Its password.", inherits=True, secret=True)
    smtp_use_tls: bool = option(
        default=False, doc="Speak TLS to it (STARTTLS, or from the start on port 465).", inherits=True
    )
    error_subject_prefix: str = option(default="", doc="What subjects begin with.")
    mail_interval: Seconds = option(
        default=3600, doc="How long mails about the same kind of error are held back for a digest.", check=at_least(0)
    )
    webhook: str | None = option(
        default=None,
        doc="URL that each report is posted to as JSON; such URLs often hold a token.",
        check=webhook_complaint,
        secret=True,
    )
    sentry: bool = option(default=False, doc="Report through the Sentry SDK that the program has set up.")
    reporters: tuple[Imported, ...] = option(
        default=(),
        doc="Objects with report(record), or functions that make one, as module:name.",
        sample="shop.alerts:Pager",
    )
    show_exceptions_in_wsgi_errors: bool = option(
        default=False, doc="Write whole reports to the server's error stream, too.", inherits=True
    )
    slow_after: Seconds | None = option(
        default=None,
        doc="Report a request that takes longer while it runs: its stack, variables and request.",
        check=at_least(0.1),
        sample="10s",
    )
    _setup: Any = field(init=False, repr=False, default=None)
    _call: Any = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        setup = Setup(self)
        object.__setattr__(self, "_setup", setup)
        object.__setattr__(self, "_call", setup.call)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Call the app, and answer in its place when it fails."""
        body: Body = self._call(environ, start_response)
        return body

    def problems(self, stack: Surroundings) -> Iterator[KeyProblem]:
        """What a check says of the section where it stands."""
        from .rules import rules  # for a check alone

        return rules(self, stack)

    def close(self) -> None:
        """Send the reports that wait, and let go of what is kept."""
        self._setup.close()


filter_factory = make_filter_factory(CatchErrors)
