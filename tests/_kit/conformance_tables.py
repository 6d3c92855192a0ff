"""Reads the tables of ``tests/server/conformance``: inputs in a short notation, and what must come of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wheatpaste.server.settings import Limits

LIMITS = Limits(request_line=64 * 1024, head=256 * 1024, fields=100)
"""Those that the sizes in the tables are made for."""

ROOM = Path(__file__).parents[1] / "server" / "conformance"

_SHORT_FIELDS = {"CL": b"Content-Length", "TE": b"Transfer-Encoding", "Conn": b"Connection"}
_NOTATION = re.compile(
    r"""(?P<escape>\\x[0-9a-f]{2}|\\[rnt\\])
    |   <(?P<count>\d+)\ x\ (?P<repeated>\\x[0-9a-f]{2}|.)>
    |   <fields\ (?P<fields>\d+)>
    |   (?P<host>\{H\})
    |   1\.(?P<version>[01])\|
    |   (?P<line>~)
    |   (?:(?<=[~|}])(?P<short>CL|TE|Conn)(?=\ ?:))
    |   (?P<plain>.)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}


def _unescaped(text: str) -> bytes:
    if not text.startswith("\\"):
        return text.encode("ascii")
    return bytes.fromhex(text[2:]) if text[1] == "x" else _ESCAPES[text[1]]


def expanded(text: str) -> bytes:
    """The bytes that the notation of ``requests.toml`` stands for."""

    def meaning(found: re.Match[str]) -> bytes:
        if found["escape"]:
            return _unescaped(found["escape"])
        if found["count"]:
            return int(found["count"]) * _unescaped(found["repeated"])
        if found["fields"]:
            return b"".join(b"X-%d: 1\r\n" % number for number in range(int(found["fields"])))
        if found["host"]:
            return b"Host: x\r\n"
        if found["version"]:
            return b"HTTP/1.%s\r\n" % found["version"].encode()
        if found["line"]:
            return b"\r\n"
        return _SHORT_FIELDS[found["short"]] if found["short"] else found["plain"].encode("ascii")

    return b"".join(map(meaning, _NOTATION.finditer(text)))


@dataclass(frozen=True)
class Required:
    """What may come: each alternative is statuses, interim ones too, and kept, closed, cut or (kept or closed) None."""

    alternatives: tuple[tuple[tuple[int, ...], str | None], ...]
    may_continue: bool = False
    """A reply 100 may come and counts for nothing."""

    @classmethod
    def read(cls, text: str) -> Required:
        alternatives = []
        for alternative in text.replace("[100] ", "").split(" or "):
            words = alternative.split()
            end = words.pop() if words[-1] in ("kept", "closed", "cut") else None
            alternatives.append((tuple(map(int, words)), end))
        return cls(tuple(alternatives), "[100]" in text)

    @property
    def replies(self) -> int:
        """How many final replies there may be at most."""
        return max(sum(status >= 200 for status in statuses) for statuses, _ in self.alternatives)

    def met(self, statuses: tuple[int, ...], end: str) -> bool:
        if self.may_continue:
            statuses = tuple(status for status in statuses if status != 100)
        return any(
            statuses == wanted and (end == of or (of is None and end in ("kept", "closed")))
            for wanted, of in self.alternatives
        )


@dataclass(frozen=True)
class Input:
    """One line of ``requests.toml``. ``parts`` are bytes, or ``FIN`` or ``100`` between them."""

    id: str
    says: str
    cases: tuple[int, ...]
    parts: tuple[bytes | str, ...]
    required: Required
    calls: list[str] | None
    bodies: list[str] | None
    sees: dict[str, Any]
    lacks: list[str]
    methods: list[str]

    @property
    def size(self) -> int:
        return sum(len(part) for part in self.parts if isinstance(part, bytes))

    def __str__(self) -> str:
        return f"{self.id} {self.says}"


@dataclass(frozen=True)
class Answer:
    """One line of ``replies.toml``."""

    answer: str
    says: str
    cases: tuple[int, ...]
    required: Required
    method: str = "GET"
    version: str = "1.1"
    wish: str | None = None
    body: bytes | None = None
    framing: str | None = None
    has: dict[str, str] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    closes: int = 1

    @property
    def request(self) -> bytes:
        wish = f"Connection: {self.wish}\r\n" if self.wish else ""
        return f"{self.method} /g/{self.answer} HTTP/{self.version}\r\nHost: x\r\n{wish}\r\n".encode()

    def __str__(self) -> str:
        return self.says


def _cases(row: dict[str, Any]) -> tuple[int, ...]:
    named = row["case"]
    return tuple(named) if isinstance(named, list) else (named,)


def _table(name: str) -> Iterator[dict[str, Any]]:
    for rows in tomllib.loads((ROOM / name).read_text(encoding="utf-8")).values():
        yield from rows


def inputs() -> list[Input]:
    return [
        Input(
            row["id"],
            row["says"],
            _cases(row),
            tuple(
                part[1:-1] if part in ("<FIN>", "<100>") else expanded(part)
                for part in re.split("(<FIN>|<100>)", row["bytes"])
                if part
            ),
            Required.read(row["answers"]),
            row.get("calls"),
            row.get("bodies"),
            row.get("sees", {}),
            row.get("lacks", []),
            row.get("methods", []),
        )
        for row in _table("requests.toml")
    ]


def answers() -> list[Answer]:
    found = []
    for row in _table("replies.toml"):
        method, _, version = row.get("request", "GET 1.1").partition(" ")
        found.append(
            Answer(
                row["answer"],
                row["says"],
                _cases(row),
                Required.read(row["answers"]),
                method,
                version or "1.1",
                row.get("wish"),
                row["body"].encode("latin-1") if "body" in row else None,
                row.get("framing"),
                row.get("has", {}),
                tuple(row.get("lacks", ())),
                row.get("closes", 1),
            )
        )
    return found


def readings() -> list[dict[str, Any]]:
    return list(_table("readings.toml"))
