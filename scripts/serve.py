"""``wheatpaste serve TARGET``: check, open the sockets, build the app, serve it until it is stopped.

Also in the background, with the words and exit codes of ``paster serve``, and with a reloader.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from .launch import SERVER_TYPES, Wishes
from .plain_words import UNTOLD
from .service import LOG_FILE, PID_FILE, Service, take_files
from .target import find_target
from .terminal import Terminal

if TYPE_CHECKING:
    import argparse

    from ..server.reload_child import ReloadChild

# Options of the server whose words this command has declared itself; its --server-name means a section.
_ANYWAY = frozenset({"host", "port", "listen", "threads", "user", "group", "server_name"})
_ACTIONS = ("start", "stop", "restart", "status")

_EPILOG = """\
TARGET is an INI file (site.ini, site.ini#name), a URI (config:, egg:, call:), or an app of Python
(package.module:app, ./app.py, package:make_app() with the parentheses to call it).

start, stop, restart and status control a server in the background through its pid file.
key=value sets a variable for the INI file. Without [server:main] it serves on 127.0.0.1:8080.
Every option of the server can be given, such as --max-body 16MB: wheatpaste describe main lists them.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = "%(prog)s TARGET [start|stop|restart|status] [key=value …] [options]"
    parser.epilog = _EPILOG
    parser.add_argument("target", metavar="TARGET", help="what to serve")
    parser.add_argument("words", metavar="WORD", nargs="*", help=UNTOLD)
    add = parser.add_argument_group("what").add_argument
    add("-n", "--app-name", metavar="NAME", help="the app of the file to serve (main)")
    add("--server-name", metavar="NAME", help="the [server:NAME] to use, or a URI (main)")
    add("-s", "--server", metavar="TYPE", help=f"another server: {', '.join(SERVER_TYPES)}, or a URI")
    add = parser.add_argument_group("where, over what the file says").add_argument
    add("--listen", metavar="HOST:PORT", action="append", default=[], help="also [::1]:PORT, *:PORT, unix:PATH; repeat")
    add("--host", help="the host alone")
    add("--port", type=int, help="the port alone; 0 takes a free one")
    add("--threads", type=int, metavar="N", help="how many requests at the same time")
    if getattr(parser, "has_options", True):  # there are fifty of the server's
        from .server_options import add_server_options, server_options

        parser.set_defaults(server_options=server_options)
        add_server_options(parser.add_argument_group("the server, over what the file says"), _ANYWAY)
    add = parser.add_argument_group("development").add_argument
    add("--reload", action="store_true", help="start the app anew when a file of it changes")
    add("--reload-interval", type=float, default=1.0, metavar="SECONDS", help="how often to look at the files (1)")
    add("-b", "--browser", action="store_true", help="open the start page in a browser")
    add = parser.add_argument_group("as a service").add_argument
    add("--daemon", action="store_true", help="run in the background")
    add("--pid-file", metavar="FILE", help=f"where the pid is kept ({PID_FILE} in the background)")
    add("--log-file", metavar="FILE", help=f"where output goes ({LOG_FILE} in the background)")
    add("--user", metavar="NAME", help="the user to become when the sockets are open")
    add("--group", metavar="NAME", help="the group to become")
    add("--status", action="store_true", help=UNTOLD)
    add("--stop-daemon", action="store_true", help=UNTOLD)
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
    wishes = Wishes(
        app_name=options.app_name,
        server_name=options.server_name,
        server_type=options.server,
        host=options.host,
        port=options.port,
        listen=tuple(options.listen),
        threads=options.threads,
        server_options=options.server_options(options) if hasattr(options, "server_options") else {},
        variables=variables,
    )
    if action in ("stop", "status"):
        from .background import control

        return control(action, options, terminal)
    child = _reload_child()
    if child is not None:
        return Service(options, wishes, terminal).live(child)
    target = find_target(options.target)
    if options.reload:
        from .supervise import supervise

        return supervise(options, target, wishes, terminal)
    service = Service(options, wishes, terminal)
    if action in ("start", "restart") or options.daemon:
        from .background import start

        return start(service, target, restart=action == "restart")
    if "WHEATPASTE_UPGRADE" in os.environ:
        from ..server.processes.upgrade import Inheritance

        service.inheritance = Inheritance.from_environment()
        if service.inheritance is not None:
            service.in_child.append(service.inheritance.abandon)
    with ExitStack() as stack:
        code = take_files(service, stack, background=False)
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
