"""The requests that failed, by the ids of their errors: the last twenty, for an hour at most.

They lie on a shelf, because under ``serve --reload`` it is another process that is to run them again. Cookies and
passwords are in them. What protects those: the shelf is memory that has no name in any folder, of processes of this
user; nothing of a request goes into a page, a log or an answer; and without debug nothing is kept at all.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ....protocol.shelf import Shelf
from .heard import CameRequest
from .watched import WatchedFile

MOST_REQUESTS = 20
MOST_BYTES = 4 * 2**20
"""What all of them may take, as they lie on the shelf."""

LONGEST_SECONDS = 3600.0

# Tells processes apart, also where the system gives a number to one after the other.
PROCESS = secrets.token_hex(8)

Place = tuple[str, str, str]
"""Working directory, port and mount: the site that a request was sent to."""


def place_of(environ: Mapping[str, Any]) -> Place:
    """The site that a request is sent to."""
    return (os.getcwd(), str(environ.get("SERVER_PORT", "")), str(environ.get("SCRIPT_NAME", "")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One failed request; without ``request`` it is not kept, for the reason ``why``.

    ``process`` is the one in which it ran last, ``files`` are those of its error as they were then, ``group`` names
    that error.
    """

    id: str
    group: str
    place: Place
    time: float
    process: str
    files: tuple[WatchedFile, ...] = ()
    request: CameRequest | None = None
    why: str = ""


class KeptRequests:
    """The requests on a shelf. Threads and processes may share it."""

    def __init__(self, shelf: Shelf, *, clock: Callable[[], float] = time.time) -> None:
        self._shelf = shelf
        self._clock = clock

    def keep(self, kept: Kept) -> None:
        """Keep one; the oldest go for it, and all that are too old."""

        def change(data: bytes) -> bytes:
            return _packed([*(each for each in self._fresh(data) if each["id"] != kept.id), _to_data(kept)])

        self._shelf.change(change)

    def find(self, id: str, place: Place | None = None) -> Kept | None:
        """The request of this error, of this site alone if it is said."""
        found = next((each for each in self._fresh(self._shelf.read()) if each["id"] == id), None)
        if found is None or (place is not None and tuple(found["place"]) != place):
            return None
        return _from_data(found)

    def renew(self, kept: Kept, *, process: str, files: Iterable[WatchedFile]) -> None:
        """It has run once more, in this process, with the files as they are now."""

        def change(data: bytes) -> bytes:
            known = self._fresh(data)
            now = _to_data(replace(kept, process=process, files=tuple(files)))
            return _packed([now if each["id"] == kept.id else each for each in known])

        self._shelf.change(change)

    def clear(self) -> None:
        """Let all of them go."""
        self._shelf.change(lambda data: b"")

    def _fresh(self, data: bytes) -> list[dict[str, Any]]:
        if not data:
            return []
        try:
            known = json.loads(data)
        except ValueError:  # the process that wrote it was ended at that
            return []
        now = self._clock()
        # A clock that was set back makes nothing young again for longer than that.
        return [each for each in known if abs(now - each["time"]) <= LONGEST_SECONDS]


def _packed(known: list[dict[str, Any]]) -> bytes:
    texts: list[str] = []
    room = MOST_BYTES
    for each in reversed(known[-MOST_REQUESTS:]):
        text = json.dumps(each)
        room -= len(text) + 2
        if room < 0:
            break
        texts.append(text)
    return f"[{', '.join(reversed(texts))}]".encode("ascii")


def _to_data(kept: Kept) -> dict[str, Any]:
    request = kept.request
    return {
        "id": kept.id,
        "group": kept.group,
        "place": kept.place,
        "time": kept.time,
        "process": kept.process,
        "files": kept.files,
        "environ": None if request is None else dict(request.environ),
        "body": "" if request is None else b64encode(request.body).decode("ascii"),
        "why": kept.why,
    }


def _from_data(data: dict[str, Any]) -> Kept:
    sent = data["environ"]
    cwd, port, mount = data["place"]
    return Kept(
        id=data["id"],
        group=data["group"],
        place=(cwd, port, mount),
        time=data["time"],
        process=data["process"],
        files=tuple(WatchedFile(path, name, stamp and (*stamp,)) for path, name, stamp in data["files"]),
        request=None if sent is None else CameRequest(environ=sent, body=b64decode(data["body"])),
        why=data["why"],
    )
