"""What every store can do, whatever it is made of: values under names, lifetimes, and counts.

A name is a ``space`` (whose it is: ``sessions``, ``nonces``) and a ``key`` in it. Values are bytes; :class:`Space` is
the view of one space whose values are JSON. Each call is one atomic step, between threads and between the processes
that share the store. Lifetimes are in seconds from now; what has outlived its own is absent from then on.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class StoreError(Exception):
    """The store cannot do what it was asked. Whoever decides by it who may do what has to refuse."""


class StoreDamaged(StoreError):
    """What the store is kept in is not, or no longer, what a store wrote. It is left as it is."""


class Conflict(Exception):
    """A statement contradicts what is there: a name that is taken, or a row that is to belong to one that is gone."""


class Tally(NamedTuple):
    """A count, and the time (seconds since 1970) at which it begins anew, None for never."""

    number: int
    until: float | None


class Store(Protocol):
    """Values under names. Every method raises ``StoreError`` when the store cannot be used.

    A value and a count of the same name have nothing to do with each other, but :meth:`delete` takes both.
    """

    def get(self, space: str, key: str) -> bytes | None:
        """The value, or None."""

    def put(self, space: str, key: str, value: bytes, seconds: float | None = None) -> None:
        """Set a value, whatever was there. It lives for ``seconds``, without that for ever."""

    def add(self, space: str, key: str, value: bytes, seconds: float | None = None) -> bool:
        """Set a value if there is none; whether that was so. For what may happen once: a nonce, a used code."""

    def swap(
        self, space: str, key: str, before: bytes | None, after: bytes | None, seconds: float | None = None
    ) -> bool:
        """Replace the value ``before`` by ``after`` if it still is that (None: absent); whether it was.

        Without ``seconds`` the lifetime stays what it is, so that no change makes a value immortal.
        """

    def take(self, space: str, key: str) -> bytes | None:
        """Remove a value and return it: of several who ask, one gets it."""

    def expire(self, space: str, key: str, seconds: float | None) -> bool:
        """Let a value live for ``seconds`` from now (None: for ever); whether there is one."""

    def delete(self, space: str, key: str) -> bool:
        """Remove the value and the count of this name; whether there was one."""

    def count(self, space: str, key: str, step: int = 1, seconds: float | None = None) -> Tally:
        """Add ``step`` to a count and return what it is then; 0 only reads.

        The first step after none decides when it begins anew: ``seconds`` later, without that never.
        """

    def keys(self, space: str, prefix: str = "", limit: int = 1000) -> list[str]:
        """The keys of the values in a space, in order, ``limit`` at most."""

    def clear(self, space: str) -> int:
        """Remove all values and counts of a space; how many there were."""

    def sweep(self) -> int:
        """Remove what has expired, which every store also does by and by; how many there were."""

    def close(self) -> None:
        """Let go of files and connections. The next call opens them again."""
