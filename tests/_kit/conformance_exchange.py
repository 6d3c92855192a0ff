"""Sends an input in pieces and says what came of it: the replies, and what became of the connection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance_app import PROBE
from conformance_tables import Required
from raw_http import Address, BadReply, Reply, Wire

Parts = Sequence[bytes | str]


@dataclass(frozen=True)
class Observation:
    """``end``: kept or closed, where the replies said so and it was true; cut in a reply; otherwise what was wrong."""

    replies: tuple[Reply, ...]
    end: str

    @property
    def statuses(self) -> tuple[int, ...]:
        return tuple(reply.status for reply in self.replies)

    @property
    def final(self) -> list[Reply]:
        return [reply for reply in self.replies if not reply.interim]

    def __str__(self) -> str:
        return f"{' '.join(map(str, self.statuses))} {self.end}".strip()


def observe(
    address: Address, parts: Parts, required: Required, methods: Sequence[str] = (), patience: float = 20
) -> Observation:
    """Send ``parts`` on a fresh connection and read what comes."""
    with Wire(address, patience) as wire:
        early: list[Reply] = []
        try:
            _send(wire, parts, early)
            end = _read(wire, required, methods, early)
        except TimeoutError:
            end = "silent"
        except BadReply as complaint:
            end = f"malformed: {complaint}"
        return Observation(tuple(early), end)


def _send(wire: Wire, parts: Parts, replies: list[Reply]) -> None:
    for number, part in enumerate(parts):
        if part == "FIN":
            wire.wait_until_taken()
            wire.finish()
        elif part == "100":
            while not replies and (reply := wire.read_reply()):
                replies.append(reply)
            if not replies or replies[-1].status != 100:
                return
        elif isinstance(part, bytes):
            if number:
                wire.wait_until_taken()
            if not wire.send(part):
                return


def _read(wire: Wire, required: Required, methods: Sequence[str], replies: list[Reply]) -> str:
    """Read on until the connection ends, or all that may come has come and a probe tells that it is kept."""
    finals = sum(not reply.interim for reply in replies)
    while True:
        reply = wire.read_reply(methods[finals] if finals < len(methods) else "GET")
        if reply is None:
            return wire.ended or "closed"
        replies.append(reply)
        if reply.interim:
            continue
        finals += 1
        if not reply.complete:
            return "cut"
        if not reply.stays:
            try:
                rest = wire.read_rest()
            except TimeoutError:
                return "said to be closed, but open"
            return f"followed by {rest[:80]!r}" if rest else str(wire.ended)
        if finals >= required.replies:
            return _probe(wire)


def _probe(wire: Wire) -> str:
    wire.send(b"GET /-/probe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    reply = wire.read_reply()
    if reply is None:
        return "said to be kept, but closed"
    if reply.status == 200 and reply.body == PROBE and not wire.read_rest():
        return "kept"
    return f"kept, but the next reply is {reply.status} {reply.body[:60]!r}"


def alive(address: Address) -> bool:
    """Does the server answer an ordinary request on a new connection?"""
    with Wire(address) as wire:
        return _probe(wire) == "kept"


def by_bytes(parts: Parts) -> Iterator[bytes | str]:
    """One byte at a time; of what is very long, only its beginning and its end."""
    for part in parts:
        if isinstance(part, str):
            yield part
        elif len(part) <= 2000:
            yield from (part[at : at + 1] for at in range(len(part)))
        else:
            yield from (part[at : at + 1] for at in range(150))
            middle = part[150:-150]
            yield from (middle[at : at + 4093] for at in range(0, len(middle), 4093))
            yield from (part[at : at + 1] for at in range(len(part) - 150, len(part)))


def before_lines(parts: Parts) -> Iterator[bytes | str]:
    """Cut before each CRLF."""
    for part in parts:
        if isinstance(part, str):
            yield part
            continue
        first, *others = part.split(b"\r\n")
        if first:
            yield first
        yield from (b"\r\n" + other for other in others)


def cut_at(parts: Parts, offset: int) -> list[bytes | str]:
    """In two, after so many bytes."""
    pieces: list[bytes | str] = []
    for part in parts:
        if isinstance(part, bytes):
            if 0 < offset < len(part):
                pieces += [part[:offset], part[offset:]]
            else:
                pieces.append(part)
            offset -= len(part)
        else:
            pieces.append(part)
    return pieces
