"""One process that serves: in the foreground, in the background, or as the reloader's child."""

from __future__ import annotations

import gc
import os
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from ..config.options import OptionError
from ..config.problems import ConfigError, Problem
from ..server.http_server import HTTPServer
from .launch import Launch, Listening, Wishes, public_note
from .target import Target, find_target
from .terminal import Terminal

if TYPE_CHECKING:
    import argparse

    from ..server.failures import Failure
    from ..server.pid_file import PidFile
    from ..server.privileges import Account
    from ..server.processes.upgrade import Inheritance
    from ..server.reload_child import ReloadChild

PID_FILE = "wheatpaste.pid"
LOG_FILE = "wheatpaste.log"
_RELOAD_GRACE = 2.0


class Service:
    """One process that serves, with what the command line says about it."""

    def __init__(self, options: argparse.Namespace, wishes: Wishes, terminal: Terminal) -> None:
        self.options = options
        self.wishes = wishes
        self.terminal = terminal
        self.child: ReloadChild | None = None
        self.pid_file: PidFile | None = None
        self.log: tuple[int, str] | None = None
        self.started: Callable[[], object] | None = None
        self.in_child: list[Callable[[], object]] = []
        """What a worker process does with what it has of its parent's."""
        self.inheritance: Inheritance | None = None
        """What the program before this one has left to it."""
        self._reopen: Callable[[], object] | None = None

    @property
    def verbosity(self) -> int:
        """How much more than usual to say, or less."""
        return int(self.options.verbose) - int(self.options.quiet)

    def command(self) -> list[str]:
        """What starts the same service once more, in the foreground."""
        words = sys.argv[1:]
        if self.pid_file is not None and self.options.words[:1] in (["start"], ["restart"]):
            words.remove(self.options.words[0])
        words = [word for word in words if word != "--daemon"]
        words += [] if self.pid_file is None else [f"--pid-file={self.pid_file.path}"]
        words += [] if self.log is None else [f"--log-file={self.log[1]}"]
        return [sys.executable, "-m", __package__.split(".")[0], *words]

    def redirect(self) -> None:
        """Send output to the log file, if there is one."""
        if self.log is not None:
            from ..server.daemon import redirect_output

            self._reopen = redirect_output(*self.log)

    def reopen_output(self) -> None:
        """Open the log file anew, if output goes to one."""
        if self._reopen is not None:
            self._reopen()

    def serve(self, target: Target) -> int:
        """Load, bind, build, serve. Returns the exit code."""
        try:
            return self._serve(target, ())
        except KeyboardInterrupt:
            return 130
        except Exception as error:  # noqa: BLE001 - whatever a file or an app raises is shown without our frames
            from ..server.failures import failure_of

            self.terminal.failure(failure_of(error))
            return 2 if isinstance(error, ConfigError) else 1

    def live(self, child: ReloadChild) -> int:
        """Serve as the reloader's child; what does not start is shown as a page on the inherited sockets."""
        from ..server.failures import failure_of

        started_as = os.getpid()
        self.child = child
        child.start()
        failure = child.last_failure
        if failure is None:
            try:
                target = find_target(self.options.target)
                if target.path:
                    child.reading(target.path)
                return self._serve(target, child.sockets)
            except KeyboardInterrupt:
                return 0  # the parent decides
            except SystemExit as stop:
                # A server of others may end so, or the worker that it forked: neither is a mistake.
                if stop.code in (None, 0) or os.getpid() != started_as:
                    raise
                failure = failure_of(stop)
            except Exception as error:  # noqa: BLE001 - shown as a page instead
                failure = failure_of(error)
        return self._serve_page(failure, child)

    def _serve_page(self, failure: Failure, child: ReloadChild) -> int:
        from ..server.problem_page import ProblemPage

        gc.enable()
        # Before it is shown: whoever reads it may mend the file at once, and the stamps must be of the broken one.
        child.failed(failure)
        self.terminal.failure(failure)
        self.terminal.line(self.terminal.paint("waiting for a change", "dim"))
        sockets = child.sockets or self._own_sockets()
        if sockets:
            HTTPServer(drain_timeout=_RELOAD_GRACE).serve(ProblemPage(failure), sockets=sockets)
            return 0
        import signal

        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
        return 0

    def _own_sockets(self) -> list[socket.socket]:
        """Sockets where a server of others would listen, as far as that is known."""
        from ..server.listeners import open_listeners

        try:
            launch = Launch(find_target(self.options.target), self.wishes)
            launch.load()
            return open_listeners(launch.listening().addresses)
        except (ConfigError, OSError):
            return []

    def _serve(self, target: Target, inherited: Sequence[socket.socket]) -> int:
        launch = Launch(target, self.wishes, self.child.reading if self.child else None)
        launch.load()
        launch.check()
        from .logs import leave_out, set_up_logging

        leave_out(launch.warnings)
        listening = launch.listening()
        if self.verbosity >= 0:
            self.terminal.problems(launch.warnings)
        if isinstance(listening.component, HTTPServer) and self.child is None:
            from .processes import serve_site

            return serve_site(self, launch, listening, listening.component)
        sockets = list(inherited) or listening.bind()
        component = listening.component
        prepared = listening.prepare()
        account = self.account(listening)
        set_up_logging(launch.composition, self.wishes.variables, self.verbosity)
        if account is not None:
            from ..server import failures  # noqa: F401 - the other user may not be able to read them
            from ..server.foreign import waitress_engine  # noqa: F401
            from ..server.privileges import drop_privileges

            drop_privileges(account)
        app = launch.build()
        app = self.with_request_lines(app)
        if component is None:
            self._serve_foreign(launch, listening, app)
            return 0
        if self.child is not None:
            self.child.built()
            if isinstance(component, HTTPServer) and component.has_parent:
                prepared = (*prepared, "one process while files are watched; workers start without --reload")
            component = component.hurried(_RELOAD_GRACE)
        from ..server.listeners import close_listeners, remove_socket_files, socket_files

        files = socket_files(sockets)
        try:
            notes = (*public_note(sockets), *prepared)
            component.serve(
                app,
                sockets=sockets,
                started=lambda urls: self.tell_start(launch, urls, notes),
                ended=launch.close,
            )
        except OptionError as error:
            raise listening.refuse(error) from error
        finally:
            if not inherited:
                close_listeners(sockets)
                remove_socket_files(files)
        return 0

    def _serve_foreign(self, launch: Launch, listening: Listening, app: Any) -> None:
        node = listening.node
        if node is None:
            raise ConfigError(Problem(what="there is no server"))
        serve = node.create()
        urls = [f"http://{address}/" for address in listening.addresses if address.port]
        self.tell_start(launch, urls, (f"through {node.reference}",))
        try:
            serve(app)
        except OSError as error:
            place = node.where
            raise ConfigError(
                Problem(
                    what=f"cannot serve ({error.strerror or error})",
                    fix="correct its host and port",
                    file=place.file,
                    line=place.line,
                    section=node.section,
                )
            ) from error
        finally:
            launch.close()  # in a worker that such a server has forked, too: it leaves by SystemExit

    def account(self, listening: Listening) -> Account | None:
        """The user and group to become, if any: the command line's, or the server's. Raises ``ConfigError``."""
        told = self.options.user or self.options.group
        source = self.options if told else listening.component
        user, group = getattr(source, "user", None), getattr(source, "group", None)
        if not user and not group:
            return None
        from ..server.privileges import AccountError, find_account

        try:
            return find_account(user, group)
        except AccountError as error:
            if told:
                raise ConfigError(Problem(what=error.what, key=f"--{error.option}")) from error
            raise listening.refuse(OptionError("", error.option, error.what)) from error

    def with_request_lines(self, app: Any) -> Any:
        """The app, with a line printed for each request where somebody may be looking."""
        if self.options.quiet or not (self.terminal.stream.isatty() or self.options.verbose):
            return app
        from .request_lines import RequestLines

        return RequestLines(app, self.terminal)

    def tell_start(self, launch: Launch, urls: Sequence[str], notes: Sequence[str]) -> None:
        """Print what is served where, and let whoever waits for it know."""
        if self.verbosity >= 0:
            from .start_lines import mounts_of, print_start

            mounts = mounts_of(launch.composition) if launch.composition is not None else []
            print_start(self.terminal, launch.target.path or launch.target.text, urls, mounts, notes)
        if self.child is not None:
            self.child.ready()
        elif self.options.browser and urls:
            open_browser(urls[0])
        if self.started is not None:
            self.started()
        if self.inheritance is not None:
            if self.pid_file is not None:
                self.pid_file.write()
            self.inheritance.serves()


def open_browser(url: str) -> None:
    """Open a URL in the user's browser, without waiting for it."""
    import webbrowser

    if url.startswith(("http://", "https://")):
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def take_files(service: Service, stack: ExitStack, *, background: bool) -> int:
    """Open the log file and take the pid file; returns an exit code when that fails, or 0."""
    options, terminal = service.options, service.terminal
    if not background and not options.log_file and not options.pid_file:
        return 0
    from ..server.daemon import open_log

    log_path = options.log_file or (LOG_FILE if background else None)
    pid_path = options.pid_file or (PID_FILE if background else None)
    descriptor = None
    if log_path is not None:
        try:
            descriptor = open_log(log_path)
        except OSError as error:
            terminal.error(
                f"the log file {log_path} cannot be written ({error.strerror}); name another with --log-file"
            )
            return 1
    if pid_path is not None:
        from ..server.pid_file import PidFile, PidFileError

        service.pid_file = PidFile(pid_path)
        heir = service.inheritance
        try:
            if heir is not None and heir.belongings.pid_file is not None:
                service.pid_file.adopt(heir.belongings.pid_file)
            else:
                service.pid_file.acquire()
        except PidFileError as error:
            terminal.error(error.what)
            return 1
        stack.callback(service.pid_file.release)
        service.in_child.append(service.pid_file.abandon)
    if descriptor is not None and log_path is not None:
        service.log = (descriptor, os.path.abspath(log_path))
        if not background:
            service.redirect()
    return 0
