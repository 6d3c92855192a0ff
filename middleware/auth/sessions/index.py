"""Which sessions a user has, and which ones a provider vouched for: lists beside the sessions themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from ...storage.space import Space
from ...storage.store import Store

_Entries = dict[str, list[Any]]


class Entry(NamedTuple):
    """A session in a list: its id, the key that it is kept under, when it began, and when it ends at the latest."""

    id: str
    key: str
    created: float
    until: float


class Index:
    """Lists of sessions by whom they belong to. What has ended drops out with the next change.

    ``seconds`` is the longest that a session may last.
    """

    def __init__(self, store: Store, clock: Callable[[], float], seconds: float) -> None:
        self._lists = Space(store, "auth.session.lists")
        self._clock = clock
        self._seconds = seconds

    def entries(self, owner: str) -> list[Entry]:
        """The sessions of an owner, those that may have ended among them."""
        return _entries(self._lists.get(owner) or {})

    def add(self, owner: str, entry: Entry) -> list[Entry]:
        """Add a session; returns all of the owner's, the oldest first."""

        def change(found: _Entries | None) -> _Entries:
            return {**self._living(found), entry.id: list(entry[1:])}

        return _entries(self._lists.change(owner, change, self._seconds))

    def remove(self, owner: str, ids: Collection[str]) -> None:
        """Remove sessions from an owner's list: to be called when they have ended, or nobody could end them."""

        def change(found: _Entries | None) -> _Entries | None:
            return {key: value for key, value in self._living(found).items() if key not in ids} or None

        if ids:
            self._lists.change(owner, change, self._seconds)

    def _living(self, found: _Entries | None) -> _Entries:
        now = self._clock()
        return {key: value for key, value in (found or {}).items() if value[2] > now}


def account_list(account_id: str) -> str:
    """The owner that an account is."""
    return f"account {account_id}"


def provider_lists(issuer: str, sid: str, subject: str) -> list[str]:
    """The owners that a provider's session and its user are."""
    named = [("sid", sid), ("subject", subject)]
    return [
        "provider " + hashlib.sha256(f"{len(issuer)} {issuer} {kind} {value}".encode()).hexdigest()
        for kind, value in named
        if value
    ]


def _entries(found: _Entries) -> list[Entry]:
    return sorted((Entry(key, *value) for key, value in found.items()), key=lambda each: (each.created, each.id))
