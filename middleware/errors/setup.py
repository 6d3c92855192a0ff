"""What the options of the filter come to: a desk with its reporters, pages, and who may see them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import FrameType
from typing import TYPE_CHECKING

from ...config.options import OptionError
from ...protocol.answer import Answer
from ...protocol.paths import script_name, uri_path
from ...protocol.trace import DETAILS_SHOWN, Trace
from ...protocol.wsgi import Environ, WSGIApp
from .answer import STATUS
from .audience import Audience, loaded_by_another_site
from .catch import Catcher
from .collect.settings import Collecting
from .desk import Desk
from .inbox.keeper import inbox_of
from .report.choice import reporting_of

if TYPE_CHECKING:
    from .catch_errors import CatchErrors
    from .console.console import Console
    from .record import ErrorRecord
    from .render.editor import Editor
    from .render.links import Links
    from .replay.replay import Replay

logger = logging.getLogger(__name__)


class Setup:
    """The parts of one filter, put together. Nothing is opened or started for it. Raises ``OptionError``."""

    def __init__(self, options: CatchErrors) -> None:
        self._options = options
        self._audience = Audience(options.allow_peers, options.allow_hosts)
        self._inbox = inbox_of(options.inbox, options.inbox_size)
        self._console = _console(options, self._audience)
        self._replay = _replay(options, self._audience)
        self._editor = _editor(options)
        self._has_said_why = False
        reporting = reporting_of(options)
        self._desk = Desk(
            collecting=_collecting(options),
            keeper=self._inbox,
            reporters=reporting.reporters,
            witnesses=(*reporting.witnesses, *(() if self._replay is None else (self._replay.witness,))),
            on_frames=None if self._console is None else self._keep_frames,
        )
        self._closing: list[Callable[[], object]] = [self._desk.close]
        catcher = Catcher(self._inside(options.app), self._desk, self._render, checks=options.debug)
        self._call = self._outside(catcher)

    @property
    def call(self) -> WSGIApp:
        """What answers requests."""
        return self._call

    def close(self) -> None:
        """Send what waits, and let go of what is kept."""
        for close in self._closing:
            close()

    def _inside(self, app: WSGIApp) -> WSGIApp:
        if self._options.slow_after is not None:
            from .slow import SlowRequests

            watch = SlowRequests(app, self._options.slow_after, self._desk.report_slow)
            self._closing.insert(0, watch.close)
            app = watch
        if self._console is not None:
            from .console.contexts import PreservedContexts

            self._closing.append(self._console.close)
            app = PreservedContexts(app)
        return app

    def _outside(self, catcher: Catcher) -> WSGIApp:
        if not (self._options.debug or self._console):
            return catcher.__call__  # every request calls it, and a method costs Python less to call than an object
        from .site import ErrorSite

        pages = None
        if self._inbox is not None:
            from .inbox.pages import InboxPages

            pages = InboxPages(self._inbox, self._audience.refusal, links=self._links_in_the_inbox)
        app: WSGIApp = catcher
        replay = None
        if self._replay is not None:
            self._closing.append(self._replay.close)
            app, replay = self._replay.around(catcher), self._replay.endpoint(catcher)
        return ErrorSite(
            app, self._options.path, self._audience.refusal, inbox=pages, console=self._console, replay=replay
        )

    def _render(self, record: ErrorRecord, environ: Environ) -> Answer:
        from .render.negotiated import details, public

        options = self._options
        if self._replay is not None and self._replay.is_running(environ):
            return Answer(status=STATUS, headers=[], body=b"")  # the outcome is told, and no page
        if options.debug:
            refusal = self._audience.refusal(environ) or loaded_by_another_site(environ)
            if refusal is None:
                Trace.of(environ).note(DETAILS_SHOWN)
                return details(record, environ, links=self._links(environ), xmlhttp_key=options.xmlhttp_key)
            if not self._has_said_why:
                # Once: whoever wonders finds it, and strangers cannot fill the log with it.
                self._has_said_why = True
                logger.warning("the details of error %s are not shown: %s", record.id, refusal)
        return public(
            record,
            environ,
            message=options.error_message,
            template=options.template,
            xmlhttp_key=options.xmlhttp_key,
        )

    def _links(self, environ: Environ) -> Links:
        from .render.links import Links

        console = self._console
        if console is not None and console.refusal(environ) is None:
            console.announce(environ)
            address = console.address(environ)
        else:
            address = None
        mount = uri_path(script_name(environ) + self._options.path)
        listening = self._replay is not None and self._replay.is_listening(environ)
        return Links(
            errors=mount if self._inbox is not None else None,
            editor=self._editor,
            console=address,
            replay=f"{mount}/replay" if listening else None,
        )

    def _links_in_the_inbox(self, errors: str, record: ErrorRecord) -> Links:
        from .render.links import Links

        # Its prompts work as long as the frames are kept; who asks too late is told so.
        known = self._replay is not None and self._replay.knows(record.id)
        return Links(
            errors=errors,
            editor=self._editor,
            console=f"{errors}/console" if self._console else None,
            replay=f"{errors}/replay" if known else None,
        )

    def _keep_frames(self, record: ErrorRecord, frames: Mapping[str, FrameType], environ: Environ) -> None:
        if self._console is not None:
            self._console.keep(record.id, frames, environ)


def _collecting(options: CatchErrors) -> Collecting:
    return Collecting(
        project=tuple(str(folder) for folder in options.project),
        own=options.own,
        foreign=options.foreign,
        variables=options.variables,
        context=options.context,
    )


def _console(options: CatchErrors, audience: Audience) -> Console | None:
    if not options.console:
        return None
    from .console.conditions import switched_off
    from .console.console import Console

    reason = switched_off()
    if reason is not None:
        logger.warning("there is no console: %s", reason)
        return None
    return Console(audience, path=f"{options.path}/console", anywhere=options.console_anywhere)


def _replay(options: CatchErrors, audience: Audience) -> Replay | None:
    if not (options.debug and options.replay):
        return None
    from .replay.replay import Replay

    return Replay(audience.refusal)


def _editor(options: CatchErrors) -> Editor | None:
    if options.editor is None:
        return None
    from .render.editor import editor_of

    try:
        return editor_of(options.editor, options.editor_paths)
    except ValueError as error:
        raise OptionError(type(options).__name__, "editor", str(error)) from error
