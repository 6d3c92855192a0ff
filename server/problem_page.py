"""The page that the reloader shows in place of an app that does not start, until the next save.

Browsers get a page that comes back by itself, everybody else text. Everything in it is escaped, secrets are hidden.
Writes no environ keys.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ..config.problems import Problem
from ..protocol.negotiate import CONTENT_TYPES, wanted_form
from ..protocol.redact import redact_text, redact_value
from ..protocol.wsgi import Body, Environ, StartResponse
from .failures import Failure, Frame

_AROUND = 3


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str
    is_marked: bool


@dataclass(frozen=True, slots=True)
class _Spot:
    """A place in a file with the lines around it."""

    place: str
    text: str
    lines: tuple[_Line, ...]
    is_warning: bool = False


class ProblemPage:
    """Answers every request with 503 and why the app does not run."""

    def __init__(self, failure: Failure) -> None:
        self._failure = failure
        # The page asks for itself until another answer than this one comes.
        self._mark = secrets.token_hex(8)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Answer with the page, in the form that the client asks for."""
        form = wanted_form(environ, ("text", "html"))
        nonce = secrets.token_urlsafe(16)
        text = self.page(nonce) if form == "html" else self.text()
        body = text.encode("utf-8", "replace")
        headers = [
            ("Content-Type", CONTENT_TYPES[form]),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Retry-After", "1"),
            ("Vary", "Accept"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Wheatpaste-Problems", self._mark),
        ]
        if form == "html":
            policy = f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'"
            headers.append(("Content-Security-Policy", f"{policy}; base-uri 'none'; frame-ancestors 'self'"))
        start_response("503 Service Unavailable", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def text(self) -> str:
        """The page for a terminal."""
        lines: list[str] = [self._failure.title]
        failure: Failure | None = self._failure
        while failure is not None:
            lines += [redact_text(str(problem)) for problem in failure.problems]
            lines += [f"{frame.file}:{frame.line}: {redact_text(frame.source)}" for frame in failure.frames]
            lines += failure.notes
            failure = failure.cause
            if failure is not None:
                lines += ["", f"after: {failure.title}"]
        lines += ["", "The next save starts the app again."]
        return "".join(f"{_printable(line)}\n" for line in lines)

    def page(self, nonce: str) -> str:
        """The page for a browser."""
        from jinja2 import Environment, StrictUndefined  # costly, and only a broken app needs it

        templates = files(__package__).joinpath("templates")
        environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        template = environment.from_string(templates.joinpath("problems.html").read_text(encoding="utf-8"))
        chain: list[dict[str, Any]] = []
        failure: Failure | None = self._failure
        while failure is not None:
            chain.append(
                {
                    "title": failure.title,
                    "notes": failure.notes,
                    "spots": [_problem_spot(problem) for problem in failure.problems]
                    or [_frame_spot(frame) for frame in reversed(failure.frames)],
                    "is_configuration": failure.is_configuration,
                }
            )
            failure = failure.cause
        return template.render(
            chain=chain,
            nonce=nonce,
            mark=self._mark,
            style=templates.joinpath("problems.css").read_text(encoding="utf-8"),
            script=templates.joinpath("problems.js").read_text(encoding="utf-8"),
        )


def _problem_spot(problem: Problem) -> _Spot:
    lines = _excerpt(problem.file, problem.line) if problem.file and problem.line else ()
    return _Spot(_short(problem.place), redact_text(problem.message), lines, problem.severity == "warning")


def _frame_spot(frame: Frame) -> _Spot:
    inside = f"in {frame.function}" if frame.function and frame.function != "<module>" else ""
    return _Spot(f"{_short(frame.file)}:{frame.line}", inside, _excerpt(frame.file, frame.line))


def _excerpt(path: str, line: int) -> tuple[_Line, ...]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found = file.read(4_000_000).splitlines()
    except OSError:
        return ()
    first = max(0, line - 1 - _AROUND)
    chosen = found[first : line + _AROUND]
    is_ini = not path.endswith(".py")
    return tuple(_Line(number, _hidden(text, is_ini), number == line) for number, text in enumerate(chosen, first + 1))


def _hidden(text: str, is_ini: bool) -> str:
    if is_ini and "=" in text and not text[:1].isspace():
        key, _, value = text.partition("=")
        return f"{key}= {redact_value(key.strip(), value.strip())}"
    return redact_text(text)


def _short(place: str) -> str:
    folder = os.getcwd() + os.sep
    return place[len(folder) :] if place.startswith(folder) else place


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text)
