"""``serve TARGET start|stop|restart|status``: what runs in the background."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack

from ..server import daemon
from ..server.pid_file import PidFile, PidFileError
from .launch import Launch
from .service import PID_FILE, Service, take_files
from .target import Target
from .terminal import Terminal


def start(service: Service, target: Target, *, restart: bool) -> int:
    """Start in the background, and say how it went when that is known."""
    options, terminal = service.options, service.terminal
    if restart:
        # What runs goes on running unless the new configuration is fit to be served.
        launch = Launch(target, service.wishes)
        launch.load()
        launch.check()
        outcome = daemon.stop(PidFile(options.pid_file or PID_FILE))
        if outcome.code > 1:
            terminal.error(outcome.message)
            return outcome.code
        if outcome.code == 0 and not options.quiet:
            terminal.line(outcome.message)
    with ExitStack() as stack:
        code = take_files(service, stack, background=True)
        if code:
            return code
        started = daemon.detach()
        if isinstance(started, daemon.Started):
            stack.pop_all()  # the pid file is the daemon's now
            sys.stderr.write(started.message)
            return started.code
        return _run_in_background(service, target, started)


def _run_in_background(service: Service, target: Target, background: daemon.Background) -> int:
    terminal = service.terminal = Terminal(color=False)
    terminal.keep()
    code = 1
    try:
        if service.pid_file is not None:
            service.pid_file.write()
        service.redirect()
        service.in_child.append(background.abandon)
        service.started = lambda: background.finish(0, terminal.take())
        code = service.serve(target)
    except PidFileError as error:
        terminal.error(error.what)
    finally:
        background.finish(code or 1, terminal.take())
    return code


def control(action: str, options: argparse.Namespace, terminal: Terminal) -> int:
    """Stop what runs in the background, or say whether it runs. Returns the exit code."""
    pid_file = PidFile(options.pid_file or PID_FILE)
    try:
        outcome = daemon.stop(pid_file) if action == "stop" else daemon.status(pid_file)
    except PidFileError as error:
        terminal.error(error.what)
        return 1
    if not options.quiet or outcome.code:
        terminal.line(outcome.message)
    return outcome.code
