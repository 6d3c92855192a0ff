"""``wheatpaste serve TARGET``: check, open the sockets, build the app, serve it until it is stopped.

Also in the background, with the words and exit codes of ``paster serve``, and with a reloader.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..config.options import OptionError
from ..config.problems import ConfigError, Problem
from ..server.failures import Failure, failure_of
from .launch import SERVER_TYPES, Launch, Listening, Wishes, public_note
from .target import Target, find_target
from .terminal import Terminal

if TYPE_CHECKING:
    from ..server.daemon import Background
    from ..server.pid_file import PidFile
    from ..server.reload_child import ReloadChild

_ACTIONS = ("start", "stop", "restart", "status")
_PID_FILE = "wheatpaste.pid"
_LOG_FILE = "wheatpaste.log"
_RELOAD_GRACE = 2.0

_EPILOG = """\
TARGET is an INI file (site.ini, site.ini#name), a URI (config:, egg:, call:), or an app of Python
(package.module:app, ./app.py, package:make_app() with the parentheses to call it).

start, stop, restart and status control a server in the background through its pid file.
key=value sets a variable for the INI file. Without [server:main] it serves on 127.0.0.1:8080.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = "%(prog)s TARGET [start|stop|restart|status] [key=value …] [options]"
    parser.epilog = _EPILOG
    parser.add_argument("target", metavar="TARGET", help="what to serve")
    parser.add_argument("words", metavar="WORD", nargs="*", help=argparse.SUPPRESS)
    add = parser.add_argument_group("what").add_argument
    add("-n", "--app-name", metavar="NAME", help="the app of the file to serve (main)")
    add("--server-name", metavar="NAME", help="the [server:NAME] to use, or a URI (main)")
    add("-s", "--server", metavar="TYPE", help=f"another server: {', '.join(SERVER_TYPES)}, or a URI")
    add = parser.add_argument_group("where, over what the file says").add_argument
    add("--listen", metavar="HOST:PORT", action="append", default=[], help="also [::1]:PORT, *:PORT, unix:PATH; repeat")
    add("--host", help="the host alone")
    add("--port", type=int, help="the port alone; 0 takes a free one")
    add("--threads", type=int, metavar="N", help="how many requests at the same time")
    add = parser.add_argument_group("development").add_argument
    add("--reload", action="store_true", help="start the app anew when a file of it changes")
    add("--reload-interval", type=float, default=1.0, metavar="SECONDS", help="how often to look at the files (1)")
    add("-b", "--browser", action="store_true", help="open the start page in a browser")
    add = parser.add_argument_group("as a service").add_argument
    add("--daemon", action="store_true", help="run in the background")
    add("--pid-file", metavar="FILE", help=f"where the pid is kept ({_PID_FILE} in the background)")
    add("--log-file", metavar="FILE", help=f"where output goes ({_LOG_FILE} in the background)")
    add("--user", metavar="NAME", help="the user to become when the sockets are open")
    add("--group", metavar="NAME", help="the group to become")
    add("--status", action="store_true", help=argparse.SUPPRESS)
    add("--stop-daemon", action="store_true", help=argparse.SUPPRESS)
    add = parser.add_argument_group("output").add_argument
    add("-v", "--verbose", action="count", default=0, help="log more; print requests also to files")
    add("-q", "--quiet", action="count", default=0, help="print errors only")


def run(options: argparse.Namespace) -> int:
    """Serve, or control what serves. Returns the exit code."""
    terminal = Terminal()
    action, variables, complaint = _read_words(options)
    if complaint:
        terminal.error(complaint)
        return 2
    options.app_name = options.app_name or None
    wishes = Wishes(
        app_name=options.app_name,
        server_name=options.server_name,
        server_type=options.server,
        host=options.host,
        port=options.port,
        listen=tuple(options.listen),
        threads=options.threads,
        variables=variables,
    )
    if action in ("stop", "status"):
        return _control(action, options, terminal)
    child = _reload_child()
    if child is not None:
        return _Service(options, wishes, terminal).live(child)
    target = find_target(options.target)
    if options.reload:
        return _supervise(options, target, wishes, terminal)
    service = _Service(options, wishes, terminal)
    if action in ("start", "restart") or options.daemon:
        return _start(service, target, restart=action == "restart")
    with ExitStack() as stack:
        code = _take_files(service, stack, background=False)
        return code if code else service.serve(target)


def _read_words(options: argparse.Namespace) -> tuple[str | None, dict[str, str], str]:
    """The action, the variables, and what is wrong with the combination."""
    words = list(options.words)
    action = words.pop(0) if words and words[0] in _ACTIONS else None
    if options.status or options.stop_daemon:
        action = "status" if options.status else "stop"
    variables: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            from ..config.problems import nearest

            near = nearest(word, _ACTIONS)
            hint = f"did you mean {near}?" if near else f"write key=value, or one of {', '.join(_ACTIONS)}"
            return action, variables, f"{word!r} is no variable; {hint}"
        variables[key] = value
    if options.server and options.server_name:
        return action, variables, "--server and --server-name exclude each other: give one of them"
    if options.listen and (options.host or options.port is not None):
        return action, variables, "--listen already says host and port: give one or the other"
    if options.reload and (options.daemon or action in ("start", "restart")):
        return action, variables, "--reload does not run in the background: leave out one of them"
    return action, variables, ""


def _reload_child() -> ReloadChild | None:
    if "WHEATPASTE_RELOAD" not in os.environ:
        return None
    from ..server.reload_child import ReloadChild

    return ReloadChild.from_environment()


class _Service:
    """One process that serves, with what the command line says about it."""

    def __init__(self, options: argparse.Namespace, wishes: Wishes, terminal: Terminal) -> None:
        self.options = options
        self.wishes = wishes
        self.terminal = terminal
        self.background: Background | None = None
        self.child: ReloadChild | None = None
        self.pid_file: PidFile | None = None

    @property
    def verbosity(self) -> int:
        return int(self.options.verbose) - int(self.options.quiet)

    def serve(self, target: Target) -> int:
        """Load, bind, build, serve. Returns the exit code."""
        try:
            self._serve(target, ())
        except KeyboardInterrupt:
            return 130
        except Exception as error:  # noqa: BLE001 - whatever a file or an app raises is shown without our frames
            self.terminal.failure(failure_of(error))
            return 2 if isinstance(error, ConfigError) else 1
        return 0

    def live(self, child: ReloadChild) -> int:
        """Serve as the reloader's child; what does not start is shown as a page on the inherited sockets."""
        self.child = child
        child.start()
        failure = child.last_failure
        launch = None
        if failure is None:
            try:
                target = find_target(self.options.target)
                if target.path:
                    child.reading(target.path)
                self._serve(target, child.sockets)
                return 0
            except KeyboardInterrupt:
                return 0  # the parent decides
            except (Exception, SystemExit) as error:  # noqa: BLE001 - shown as a page instead
                failure = failure_of(error)
        self.terminal.failure(failure)
        del launch
        return self._serve_page(failure, child)

    def _serve_page(self, failure: Failure, child: ReloadChild) -> int:
        from ..server.problem_page import ProblemPage
        from ..server.waitress_server import WaitressServer

        self.terminal.line(self.terminal.paint("waiting for a change", "dim"))
        child.failed(failure)
        server = WaitressServer(graceful_timeout=0)
        if child.sockets:
            server.serve(ProblemPage(failure), sockets=child.sockets)
        else:
            import signal

            signal.signal(signal.SIGTERM, signal.default_int_handler)
            try:
                threading.Event().wait()
            except KeyboardInterrupt:
                return 0
        return 0

    def _serve(self, target: Target, inherited: Sequence[socket.socket]) -> None:
        launch = Launch(target, self.wishes, self.child.reading if self.child else None)
        launch.load()
        launch.raise_errors()
        listening = launch.listening()
        if self.verbosity >= 0:
            self.terminal.problems(launch.warnings)
        sockets = list(inherited) or listening.bind()
        account = self._account()
        from .logs import set_up_logging

        set_up_logging(launch.composition, self.wishes.variables, self.verbosity)
        if account is not None:
            from ..server.privileges import drop_privileges

            drop_privileges(account)
        app = launch.build()
        app = self._with_request_lines(app)
        component = listening.component
        if component is None:
            self._serve_foreign(launch, listening, app)
            return
        if self.child is not None:
            component = replace(component, graceful_timeout=min(_RELOAD_GRACE, component.graceful_timeout))
        from ..server.listeners import close_listeners, remove_socket_files, socket_files

        files = socket_files(sockets)
        try:
            component.serve(
                app, sockets=sockets, started=lambda urls: self._started(launch, urls, public_note(sockets))
            )
        except OptionError as error:
            raise listening.refuse(error) from error
        finally:
            if not inherited:
                close_listeners(sockets)
                remove_socket_files(files)

    def _serve_foreign(self, launch: Launch, listening: Listening, app: Any) -> None:
        node = listening.node
        if node is None:
            raise ConfigError(Problem(what="there is no server"))
        serve = node.create()
        urls = [f"http://{address}/" for address in listening.addresses]
        self._started(launch, urls, (f"through {node.reference}",))
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
        except SystemExit as stop:
            # Some servers end the process themselves, with a code that belongs to them.
            if stop.code not in (None, 0):
                raise

    def _account(self) -> Any:
        if not self.options.user and not self.options.group:
            return None
        from ..server.privileges import find_account

        try:
            return find_account(self.options.user, self.options.group)
        except ValueError as error:
            raise ConfigError(Problem(what=str(error), key="--user" if self.options.user else "--group")) from error

    def _with_request_lines(self, app: Any) -> Any:
        if self.options.quiet or not (self.terminal.stream.isatty() or self.options.verbose):
            return app
        from .request_lines import RequestLines

        return RequestLines(app, self.terminal)

    def _started(self, launch: Launch, urls: Sequence[str], notes: Sequence[str]) -> None:
        if self.verbosity >= 0:
            from .start_lines import mounts_of, print_start

            mounts = mounts_of(launch.composition) if launch.composition is not None else []
            print_start(self.terminal, launch.target.path or launch.target.text, urls, mounts, notes)
        if self.child is not None:
            self.child.ready()
        elif self.options.browser and urls:
            open_browser(urls[0])
        if self.background is not None:
            self.background.ready()


def open_browser(url: str) -> None:
    """Open a URL in the user's browser, without waiting for it."""
    import webbrowser

    if url.startswith(("http://", "https://")):
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def _supervise(options: argparse.Namespace, target: Target, wishes: Wishes, terminal: Terminal) -> int:
    from ..server.reloader import Reloader

    sockets = _Sockets(target, wishes)
    command = [sys.executable, "-m", __package__.split(".")[0], "serve", *_own_words()]

    def ready() -> None:
        if options.browser and sockets.urls:
            open_browser(sockets.urls[0])

    service = _Service(options, wishes, terminal)
    with ExitStack() as stack:
        code = _take_files(service, stack, background=False)
        if code:
            return code
        reloader = Reloader(
            command,
            listen=sockets.listen,
            say=lambda text: terminal.line(terminal.paint(text, "dim")) if not options.quiet else None,
            ready=ready,
            interval=options.reload_interval,
        )
        stack.callback(sockets.close)
        return reloader.run()


def _own_words() -> list[str]:
    """What this process was told, for the child to be told the same."""
    words = sys.argv[1:]
    return words[1:] if words[:1] == ["serve"] else words


class _Sockets:
    """The sockets that the configuration asks for; the last ones stay while it is broken."""

    def __init__(self, target: Target, wishes: Wishes) -> None:
        self._target = target
        self._wishes = wishes
        self._asked: object = None
        self._files: tuple[str, ...] = ()
        self._open: list[socket.socket] = []
        self.urls: tuple[str, ...] = ()

    def listen(self, current: list[socket.socket]) -> list[socket.socket]:
        """The sockets for the next child: the same, or new ones where the configuration names other addresses."""
        from ..server.listeners import close_listeners, socket_files
        from ..server.waitress_server import WaitressServer

        launch = Launch(self._target, self._wishes)
        try:
            launch.load()
            listening = launch.listening()
        except ConfigError:
            if self._asked is not None:
                return current
            # The first child must be able to show what is wrong, at the address that most likely is meant.
            fallback = Launch(Target(text=self._target.text, module="none"), self._wishes)
            listening = fallback.listening()
        if listening.component is None:
            asked: object = "foreign"
        else:
            asked = (listening.addresses, listening.component.unix_socket_perms)
        if asked == self._asked:
            return current
        if self._asked is not None:
            close_listeners(current)
        self._open = listening.bind()
        self._asked = asked
        self._files = socket_files(self._open)
        component = listening.component or WaitressServer()
        self.urls = component.urls(self._open)
        return self._open

    def close(self) -> None:
        """Close them, and remove the files of UNIX sockets."""
        from ..server.listeners import close_listeners, remove_socket_files

        close_listeners(self._open)
        remove_socket_files(self._files)


def _take_files(service: _Service, stack: ExitStack, *, background: bool) -> int:
    """Open the log file and take the pid file; returns an exit code when that fails, or 0."""
    from ..server.daemon import open_log, redirect_output

    options, terminal = service.options, service.terminal
    log_path = options.log_file or (_LOG_FILE if background else None)
    pid_path = options.pid_file or (_PID_FILE if background else None)
    descriptor = None
    if log_path is not None:
        try:
            descriptor = open_log(log_path)
        except OSError as error:
            terminal.error(f"the log file {log_path} cannot be written ({error.strerror})")
            return 1
    if pid_path is not None:
        from ..server.pid_file import PidFile, PidFileError

        service.pid_file = PidFile(pid_path)
        try:
            service.pid_file.acquire()
        except PidFileError as error:
            terminal.error(error.what)
            return 1
        stack.callback(service.pid_file.release)
    if descriptor is not None and log_path is not None and not background:
        redirect_output(descriptor, os.path.abspath(log_path))
    return 0


def _start(service: _Service, target: Target, *, restart: bool) -> int:
    """Start in the background, and say how it went when that is known."""
    return 1


def _control(action: str, options: argparse.Namespace, terminal: Terminal) -> int:
    from ..server import daemon
    from ..server.pid_file import PidFile, PidFileError

    pid_file = PidFile(options.pid_file or _PID_FILE)
    try:
        outcome = daemon.stop(pid_file) if action == "stop" else daemon.status(pid_file)
    except PidFileError as error:
        terminal.error(error.what)
        return 1
    if not options.quiet or outcome.code:
        terminal.line(outcome.message)
    return outcome.code
