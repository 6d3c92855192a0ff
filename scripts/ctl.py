"""``wheatpaste ctl FILE status|workers|stacks|reload|drain``: ask a service that runs, and tell it what to do."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from ..server.processes.control_client import ControlError, ask
from .terminal import Terminal, printable

_COMMANDS = ("status", "workers", "stacks", "reload", "drain")
_EPILOG = """\
FILE is what `wheatpaste serve` was given. Its server's control_socket says where the service listens for commands;
--socket says it directly, for instance for a service of another user.

status   what the service, its processes and their threads are doing (the default)
workers  the processes; with a number, +N or -N: how many there should be
stacks   where each thread is, as Python sees it
reload   take up the configuration and the code anew; prints what is wrong with them, if anything is
drain    finish the running requests and end
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = "%(prog)s FILE [status|workers [N]|stacks|reload|drain] [options]"
    parser.epilog = _EPILOG
    parser.add_argument("words", metavar="FILE COMMAND", nargs="*", help="the INI file, and what is to be done")
    parser.add_argument("--socket", metavar="PATH", help="the control socket, instead of FILE")
    parser.add_argument("--server-name", metavar="NAME", help="the [server:NAME] of the file (main)")
    parser.add_argument("--json", action="store_true", help="print the answer as it is")
    parser.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS", help="how long to wait (120)")


def run(options: argparse.Namespace) -> int:
    """Ask and print. Returns 0, 1 when the service refused or does not run, 2 for a mistake in the words."""
    terminal = Terminal()
    words: list[str] = list(options.words)
    file = None if options.socket else (words.pop(0) if words else None)
    if file is None and not options.socket:
        terminal.error("name the INI file of the service, or its --socket")
        return 2
    request, complaint = _read(words)
    if complaint:
        terminal.error(complaint)
        return 2
    path = options.socket or _place(str(file), options.server_name)
    if path is None:
        terminal.error(f"{file} has no control socket: set control_socket in its server, or name it with --socket")
        return 1
    try:
        answer = ask(path, request, options.timeout)
    except ControlError as error:
        terminal.error(str(error))
        return 1
    if options.json:
        json.dump(answer.get("result", answer), sys.stdout, indent=2)
        print()
        return 0 if answer.get("ok") else 1
    if not answer.get("ok"):
        for line in str(answer.get("error")).splitlines():
            terminal.line(printable(line))
        return 1
    from .ctl_lines import lines_of

    for line in lines_of(request["command"], answer["result"], Terminal(sys.stdout).paint):
        print(line)
    return 0


def _read(words: list[str]) -> tuple[dict[str, Any], str]:
    """The request that the words mean, and what is wrong with them."""
    command = words.pop(0) if words else "status"
    request: dict[str, Any] = {"command": command}
    if command not in _COMMANDS:
        from ..config.problems import did_you_mean

        return request, f"no such command: {command}; {did_you_mean(command, _COMMANDS)}"
    if command == "workers" and words:
        number = words.pop(0)
        digits = number.lstrip("+-")
        if not (digits.isascii() and digits.isdecimal()) or len(number) - len(digits) > 1:
            return request, f"{number!r} is no number of workers: write N, +N or -N"
        request["change" if number != digits else "number"] = int(number)
    if words:
        return request, f"{command} takes no {words[0]!r}"
    return request, ""


def _place(file: str, server_name: str | None) -> str | None:
    """The control socket that the file's server has. Raises ``ConfigError`` for a file that cannot be read."""
    from ..config.problems import ConfigError
    from ..server.http_server import HTTPServer
    from ..server.processes.control import usual_path
    from .launch import Launch, Wishes
    from .processes import control_place, site_name
    from .target import find_target

    target = find_target(file)
    launch = Launch(target, Wishes(server_name=server_name))
    launch.load()
    site = site_name(target.path, target.text)
    try:
        component = launch.listening().component
    except ConfigError:
        # What runs has read the file before it was broken; it may be about to be asked what is wrong.
        usual = usual_path(site)
        if usual is None or not os.path.exists(usual):
            raise
        return usual
    return control_place(component, site) if isinstance(component, HTTPServer) else None
