"""Status lines and header lines of apps, checked once and remembered as bytes (RFC 9110 section 5, PEP 3333).

An app that repeats itself, as all of them do, pays for the check the first time only.
"""

from __future__ import annotations

import re
from typing import TypeAlias

_STATUS = re.compile(r"([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

PLAIN, LENGTH, DATE, SERVER, CONNECTION, HOP_BY_HOP = range(6)
_KINDS = {
    "content-length": LENGTH,
    "date": DATE,
    "server": SERVER,
    "connection": CONNECTION,
    **dict.fromkeys(
        (
            "keep-alive",
            "proxy-authenticate",
            "proxy-authorization",
            "proxy-connection",
            "te",
            "trailer",
            "trailers",
            "transfer-encoding",
            "upgrade",
        ),
        HOP_BY_HOP,
    ),
}
# They hold what is somebody's own, and are never the same twice anyway.
_NEVER_REMEMBERED = frozenset(("set-cookie", "www-authenticate", "authentication-info", "location"))
_REMEMBERED = 2048
_LONGEST_REMEMBERED = 256


class Status:
    """A status that may be sent: its number, and its line for each version."""

    __slots__ = ("code", "has_body", "line_1_0", "line_1_1")

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        self.line_1_1 = f"HTTP/1.1 {text}\r\n".encode("latin-1")
        self.line_1_0 = f"HTTP/1.0 {text}\r\n".encode("latin-1")
        self.has_body = code not in (204, 205, 304)
        """Whether replies to requests other than HEAD have a body (RFC 9110 section 6.4.1)."""


Line: TypeAlias = tuple[bytes, int, int]
"""A header line that may be sent, its kind, and the length that Content-Length says."""

_statuses: dict[str, Status] = {}
_lines: dict[tuple[str, str], Line] = {}
known_lines = _lines.get
known_statuses = _statuses.get


def status_of(text: str) -> Status:
    """Check a status. Raises ``ValueError`` or ``TypeError``, as the app's mistake."""
    if type(text) is not str:
        raise TypeError(f"the status must be a str, got {type(text).__name__}")
    match = _STATUS.fullmatch(text)
    if match is None:
        raise ValueError(f"the status must be three digits, a blank and a phrase in latin-1, got {text!r}")
    code = int(match[1])
    if code < 200:
        raise ValueError(f"{code} is not a final status")
    # The blank belongs to the status line even where there is no phrase (RFC 9112 section 4).
    shown = text if " " in text else f"{text} "
    status = Status(code, shown)
    if len(_statuses) < _REMEMBERED:
        _statuses[text] = status
    return status


def line_of(header: object) -> Line:
    """Check one header. Raises ``ValueError`` or ``TypeError``, as the app's mistake."""
    if not isinstance(header, tuple | list) or len(header) != 2:
        raise TypeError(f"a header must be a tuple of name and value, got {type(header).__name__}")
    name, value = header
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError(f"the name and value of a header must be str, got {name!r}: {type(value).__name__}")
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} is no name of a header")
    if _VALUE.fullmatch(value) is None:
        raise ValueError(f"the value of the header {name} has characters that a header cannot have")
    lowered = name.lower()
    kind = _KINDS.get(lowered, PLAIN)
    number = 0
    if kind == LENGTH:
        if not (value.isascii() and value.isdigit()) or len(value) > 18:
            raise ValueError(f"Content-Length must be a number of bytes, got {value!r}")
        number = int(value)
    line: Line = (f"{name}: {value}\r\n".encode("latin-1"), kind, number)
    if len(line[0]) <= _LONGEST_REMEMBERED and lowered not in _NEVER_REMEMBERED:
        if len(_lines) >= _REMEMBERED:
            _lines.clear()
        _lines[name, value] = line
    return line
