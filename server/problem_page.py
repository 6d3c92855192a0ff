"""The page that the reloader shows in place of an app that does not start, until the next save.

Browsers get a page that comes back by itself, everybody else text. Everything in it is escaped, secrets are hidden.
Writes no environ keys.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ..config.problems import Problem
from ..protocol.hosts import read_host
from ..protocol.negotiate import CONTENT_TYPES, wanted_form
from ..protocol.peers import is_direct, peer_of, read_address
from ..protocol.redact import redact_value
from ..protocol.secret_texts import redact_text
from ..protocol.wsgi import Body, Environ, StartResponse
from .failures import Failure, Frame

_AROUND = 3
_DELIMITER = re.compile(r"[=:]")


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
        if not _may_see(environ):
            return _closed(environ, start_response)
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


def _may_see(environ: Environ) -> bool:
    """Whether somebody near asks, by a name that no page of a stranger can have.

    The page quotes source. A server that reloads may listen publicly, stand behind a proxy, or be asked by a browser
    whose page has aimed its own host name at this machine (DNS rebinding).
    """
    if not is_direct(environ):
        return False
    address = read_address(peer_of(environ))
    if address is not None and not (address.is_private or address.is_loopback or address.is_link_local):
        return False
    header: str = environ.get("HTTP_HOST", "")
    host = read_host(header)
    if host is None:
        return not header
    name = host.host
    return "." not in name or name.endswith(_OWN_NAMES) or read_address(name.strip("[]")) is not None


# Names that nobody can register: RFC 6761, RFC 6762 and RFC 8375.
_OWN_NAMES = (".localhost", ".local", ".test", ".internal", ".home.arpa")


def _closed(environ: Environ, start_response: StartResponse) -> Body:
    body = b"The application does not start. The terminal of its server says why.\n"
    headers = [("Content-Type", CONTENT_TYPES["text"]), ("Content-Length", str(len(body)))]
    start_response("503 Service Unavailable", [*headers, ("Cache-Control", "no-store"), ("Retry-After", "1")])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


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
    if not is_ini:
        return tuple(_Line(number, redact_text(text), number == line) for number, text in enumerate(chosen, first + 1))
    key = next((_key(text) for text in reversed(found[:first]) if _key(text)), "")
    lines = []
    for number, text in enumerate(chosen, first + 1):
        key = _key(text) or key
        lines.append(_Line(number, _hidden(text, key), number == line))
    return tuple(lines)


def _key(line: str) -> str:
    """The key that a line of an INI begins with; empty for a line that continues, and for headers and comments."""
    if line[:1].isspace() or line[:1] in ("#", ";"):
        return ""
    if line[:1] == "[":
        return line
    return _DELIMITER.split(line, maxsplit=1)[0].strip()


def _hidden(text: str, key: str) -> str:
    """A line as it may be shown; ``key`` is the one that its value belongs to."""
    value = text.strip()
    if not value or text[:1] in ("#", ";", "["):
        return redact_text(text)
    if text[:1].isspace():
        return text[: len(text) - len(text.lstrip())] + str(redact_value(key, value))
    found = _DELIMITER.search(text)
    if found is None:
        return redact_text(text)
    return f"{text[: found.end()]} {redact_value(key, text[found.end() :].strip())}"


def _short(place: str) -> str:
    folder = os.getcwd() + os.sep
    return place[len(folder) :] if place.startswith(folder) else place


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text)
