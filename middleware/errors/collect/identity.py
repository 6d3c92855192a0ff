"""What names an error: the occurrence by chance, the group by what its failures have in common."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable

from ..record import Raised

# Read aloud, copied from a screenshot, typed into a shell: no letters that look like digits, no vowels, so no words.
_SYMBOLS = "23456789BCDFGHJKMNPQRSTVWXYZ"
_GROUP = re.compile(rf"E-[{_SYMBOLS}]{{5}}")
_OCCURRENCE = re.compile(rf"[{_SYMBOLS}]{{4}}-[{_SYMBOLS}]{{4}}")


def new_id() -> str:
    """The id of one occurrence, such as ``K7QX-M3PZ``; nobody can guess it."""
    letters = "".join(secrets.choice(_SYMBOLS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def is_id(text: str) -> bool:
    """Whether this has the form of an occurrence's id or of a group's."""
    return bool(_OCCURRENCE.fullmatch(text) or _GROUP.fullmatch(text))


def fingerprint(exceptions: Iterable[Raised]) -> str:
    """The group, such as ``E-7K3QX``: by the types of all exceptions and the functions that they came through.

    Lines and messages do not count: they change with each edit and each request. Of the frames the project's own
    count, or all where there are none.
    """
    marks: list[str] = []
    for raised in exceptions:
        marks.append(f"{raised.relation} {raised.type}")
        frames = [frame for frame in raised.frames if frame.own] or raised.frames
        marks += dict.fromkeys(f"{frame.module}:{frame.function}" for frame in frames)  # recursion counts once
    digest = int.from_bytes(hashlib.sha256("\n".join(marks).encode("utf-8", "replace")).digest(), "big")
    letters = []
    for _ in range(5):
        digest, place = divmod(digest, len(_SYMBOLS))
        letters.append(_SYMBOLS[place])
    return "E-" + "".join(letters)
