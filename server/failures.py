"""What stopped an app from starting, as data: the deployer's problems, or an exception trimmed to the app's frames.

The command line prints it, and the reloader's page shows it. Nothing in it holds a secret that could be recognised.
"""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

from ..config.problems import ConfigError, Problem
from ..protocol.secret_texts import redact_text

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_ROOMS = frozenset({"apps", "config", "middleware", "protocol", "scripts", "server"})


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of the app on the way to an exception."""

    file: str
    line: int
    function: str
    source: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an app does not run.

    ``problems`` are the deployer's; otherwise ``title`` is the exception's own line, ``frames`` lead to it, oldest
    first, ``notes`` say what was being built, and ``cause`` is the exception before it.
    """

    title: str
    problems: tuple[Problem, ...] = ()
    frames: tuple[Frame, ...] = ()
    notes: tuple[str, ...] = ()
    cause: Failure | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The files whose change may mend it."""
        own = [problem.file for problem in self.problems if problem.file] + [frame.file for frame in self.frames]
        return (*dict.fromkeys(own), *(self.cause.files if self.cause else ()))

    @property
    def is_configuration(self) -> bool:
        """Whether the deployer's text is to blame rather than code."""
        return bool(self.problems)


def failure_of(error: BaseException) -> Failure:
    """Describe an exception. Frames of ours, of the import system and of PasteDeploy are left out."""
    if isinstance(error, ConfigError):
        count = len(error.problems)
        title = "The configuration has a problem" if count == 1 else f"The configuration has {count} problems"
        origin = error.__cause__
        # Where an import called sys.exit only its frames can tell; every other problem says all there is to say.
        cause = failure_of(origin) if isinstance(origin, SystemExit) else None
        return Failure(title=title, problems=error.problems, cause=cause)
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    notes = tuple(redact_text(str(note)) for note in getattr(error, "__notes__", ()))
    frames = tuple(_app_frames(error.__traceback__))
    if isinstance(error, SyntaxError) and error.filename and not _is_hidden(error.filename):
        frames += (Frame(error.filename, error.lineno or 1, "", (error.text or "").strip()),)
    if not frames and not notes and earlier is None and not isinstance(error, ImportError):
        # No app took part. Whoever reports this needs our frames.
        frames = tuple(_frames(error.__traceback__))
        notes = ("this looks like a mistake in wheatpaste itself: please report it",)
    return Failure(
        title=redact_text(_title(error)),
        frames=frames,
        notes=notes,
        cause=failure_of(earlier) if earlier is not None else None,
    )


def ending_of(code: int) -> Failure:
    """Describe a process that ended by itself; ``code`` is negative for a signal."""
    how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return Failure(title=f"The app's process {how}", notes=("its output, in the terminal, may say why",))


def _title(error: BaseException) -> str:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an app's exception may fail to say what it is
        text = ""
    return f"{name}: {text}" if text else name


def _app_frames(trace: TracebackType | None) -> Iterator[Frame]:
    return (frame for frame in _frames(trace) if not _is_hidden(frame.file))


def _frames(trace: TracebackType | None) -> Iterator[Frame]:
    while trace is not None:
        code = trace.tb_frame.f_code
        source = linecache.getline(code.co_filename, trace.tb_lineno).strip()
        yield Frame(code.co_filename, trace.tb_lineno, code.co_name, redact_text(source))
        trace = trace.tb_next


def _is_hidden(file: str) -> bool:
    if file.startswith(("<frozen ", "<string>")):
        return True
    if file.startswith(_PACKAGE + os.sep):
        # A checkout is the package itself, and also holds examples and tests: those are apps.
        first = file[len(_PACKAGE) + 1 :].split(os.sep)[0]
        return first in _ROOMS or first.endswith(".py")
    slashed = file.replace(os.sep, "/")
    return "/importlib/" in slashed or "/paste/deploy/" in slashed
