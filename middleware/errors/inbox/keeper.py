"""What every inbox can do, and which one an option means."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from ....config.problems import nearest
from ..record import ErrorRecord
from .groups import Group, Occurrence, State

MOST_BYTES = 32 * 2**20
"""What all records of an inbox may take, packed."""


class Inbox(Protocol):
    """The last errors, in groups. Safe to use from threads; raises ``StoreError`` where a file cannot be used.

    ``secret`` is known to all processes that share the inbox, and to nobody else. ``place`` says in a sentence where
    the errors are, and how long.
    """

    def add(self, record: ErrorRecord, /) -> None:
        """Keep a record; the oldest ones go for it, and what was resolved is open again."""

    def groups(self) -> list[Group]:
        """All groups, the one that failed last first."""

    def group(self, name: str) -> Group | None:
        """The group of this id, or the one that the occurrence of this id belongs to."""

    def occurrences(self, group: str) -> list[Occurrence]:
        """The occurrences of a group whose records are kept, the last one first."""

    def find(self, name: str) -> ErrorRecord | None:
        """The record of an occurrence, or the last one kept of a group."""

    def latest(self) -> ErrorRecord | None:
        """The last record."""

    def mark(self, name: str, state: State) -> bool:
        """Put a group (named by itself, or by one of its occurrences) into a state; whether there is one."""

    def clear(self, name: str | None = None) -> int:
        """Forget one group, or all of them; how many there were."""

    @property
    def place(self) -> str:
        """A sentence for people: where the errors are kept, and until when."""

    @property
    def secret(self) -> bytes:
        """32 bytes for signing what pages send back."""

    def close(self) -> None:
        """Let go of what is kept in memory, or of the file."""


def inbox_complaint(where: Literal["memory", "none"] | Path) -> str | None:
    """What is wrong with where an inbox is to be, or None: a word that was misspelt would become a file."""
    if isinstance(where, Path) and not where.suffix and (meant := nearest(where.name, ("memory", "none"))) is not None:
        return f"would be a file of the name {where.name!r}; did you mean {meant}?"
    return None


def file_complaint(where: Path | None) -> str | None:
    """What is wrong with the file of an inbox that others keep, or None: the words of the filter are no files here."""
    if where is not None and where.name in ("memory", "none"):
        return "must be the file of an inbox; without this option the app shows what the errors filter around it keeps"
    return None


def inbox_of(
    where: Literal["memory", "none"] | Path, size: int = 200, *, clock: Callable[[], float] = time.time
) -> Inbox | None:
    """The inbox that the option says; a file is opened when the first error comes, or the first question."""
    if where == "none":
        return None
    if where == "memory":
        from .memory import MemoryInbox

        return MemoryInbox(size, clock=clock)
    from .file import FileInbox

    return FileInbox(where, size, clock=clock)
