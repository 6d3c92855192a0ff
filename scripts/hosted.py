"""``wheatpaste:application``, for servers that import an app: what the variable ``WHEATPASTE_CONFIG`` names.

``WHEATPASTE_CONFIG=site.ini gunicorn wheatpaste:application`` checks and builds the app of the file when the server
imports it: once in each process, or once before the fork where the server preloads. Files written by
``wheatpaste generate wsgi`` call :func:`host` with the path in them.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..config.problems import ConfigError, Problem
from ..protocol.wsgi import WSGIApp
from ..server.foreign.adapted import adapted
from .target import find_target
from .terminal import Terminal

if TYPE_CHECKING:
    from ..config.composition import Composition

VARIABLE = "WHEATPASTE_CONFIG"

CANNOT_START = 3
"""The exit code when the app cannot be built. Of this one gunicorn knows that another worker would fare no better."""

_building = threading.Lock()


def host(config: str, *, folder: str | None = None) -> WSGIApp:
    """Check and build what ``config`` names, for a server that imports apps.

    ``config`` is what ``wheatpaste serve`` takes: ``site.ini``, ``site.ini#name``, a URI or ``module:app``. ``folder``
    is where Python finds the app's modules where the file has no ``python_path``; the working directory unless given.
    The logging sections of a file count. What was built is closed when the process ends. What is wrong goes to the
    standard error; then ``SystemExit`` is raised, with exit code 3.
    """
    terminal = Terminal()
    try:
        return _host(config, folder, terminal)
    except Exception as error:  # noqa: BLE001 - whatever a file or an app raises is shown without our frames
        from ..server.failures import failure_of

        terminal.failure(failure_of(error))
        raise SystemExit(CANNOT_START) from None


def _host(config: str, folder: str | None, terminal: Terminal) -> WSGIApp:
    if folder is not None and folder not in sys.path:
        sys.path.insert(0, folder)
    if not config:
        raise ConfigError(
            Problem(what=f"the environment variable {VARIABLE} is not set", fix="set it to site.ini#name")
        )
    target = find_target(config)
    if target.path is not None:
        _check(target.path, target.name, terminal)
    if target.is_python:
        app: WSGIApp = target.load_object()
        return adapted(app)
    composition = target.compose()
    _set_up_logging(composition)
    if folder is None or composition.settings.python_path is not None:
        composition.extend_sys_path()
    app = adapted(composition.build())
    _at_exit(composition.close)
    return app


def _at_exit(close: Callable[[], object]) -> None:
    """Have it called at the end of this process. Such a server says in no other way that it has served."""
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and processes.parent_process() is not None:
        from multiprocessing.util import Finalize  # a worker of granian ends as these do, without atexit

        Finalize(None, close, exitpriority=0)
    else:
        atexit.register(close)


def problems_of_app(path: str, name: str | None) -> list[Problem]:
    """What is wrong with the app of a file that a server of others serves: the servers of the file are no matter."""
    from ..config.check import check_file

    return [
        problem
        for problem in check_file(path, app_name=name, serving=True)
        if problem.code != "unused-section" and not (problem.section or "").startswith("server")
    ]


def _check(path: str, name: str | None, terminal: Terminal) -> None:
    """Raise all errors at once; print the warnings."""
    from .logs import leave_out

    told = problems_of_app(path, name)
    if any(problem.severity == "error" for problem in told):
        raise ConfigError(told)
    leave_out(told)
    terminal.problems(told)


def _set_up_logging(composition: Composition) -> None:
    file = composition.file
    if file is not None and "loggers" in file.sections:  # otherwise it is the server's business
        from .logs import set_up_logging

        set_up_logging(composition, {})


def __getattr__(name: str) -> Any:
    """``application`` is built when a server asks for it (PEP 562), and kept."""
    if name != "application":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with _building:
        if name not in globals():
            globals()[name] = host(os.environ.get(VARIABLE, ""))
        return globals()[name]
