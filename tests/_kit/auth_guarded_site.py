"""A small site with a login, put together by hand: what the tests of passwords, sources and methods ask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.audit import Audit
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.directory import Directory
from wheatpaste.middleware.auth.passwords.checker import Passwords
from wheatpaste.middleware.auth.passwords.hasher import Hasher
from wheatpaste.middleware.auth.passwords.throttle import Throttle
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.middleware.storage.memory import MemoryStore
from wheatpaste.testing import Clock

CHEAP = "t=1,m=8,p=1"
"""Costs of argon2 for tests that are about something else."""


@dataclass
class KeptUsers:
    """A source that keeps its users in a dict, as the site's own database would: name → hash."""

    hashes: dict[str, str | None] = field(default_factory=dict)
    known: dict[str, dict[str, Any]] = field(default_factory=dict)
    name: str = "local"
    keeps_hashes: bool = True

    def find(self, name: str) -> Account | None:
        name = name.casefold()
        if name not in self.hashes:
            return None
        return Account(f"{self.name}:{name}", name, self.name, **self.known.get(name, {}))

    def get(self, account_id: str) -> Account | None:
        return self.find(account_id.partition(":")[2])

    def password_hash(self, account: Account) -> str | None:
        return self.hashes[account.name]

    def verify(self, account: Account, password: str) -> bool | None:
        return None

    def keep_hash(self, account: Account, encoded: str) -> bool:
        if self.keeps_hashes:
            self.hashes[account.name] = encoded
        return self.keeps_hashes

    def set_password(self, account_id: str, encoded: str, *, must_change: bool = False) -> None:
        name = account_id.partition(":")[2]
        self.hashes[name] = encoded
        known = self.known.setdefault(name, {})
        known |= {"epoch": known.get("epoch", 0) + 1, "must_change_password": must_change}


class GuardedSite:
    """The services of a site, in memory. ``events`` are the records of its audit log."""

    def __init__(
        self, *sources: Any, clock: Clock | None = None, throttle: dict[str, Any] | None = None, **site: Any
    ) -> None:
        self.clock = clock or Clock()
        self.events: list[dict[str, Any]] = []
        self.store = MemoryStore(self.clock.time)
        self.vault = Vault.temporary()
        self.audit = Audit(lambda record: self.events.append(dict(record)), self.clock.time)
        self.hasher = Hasher(CHEAP)
        self.directory = Directory(sources)
        self.throttle = Throttle(self.store, self.vault, self.clock.time, **(throttle or {}))
        self.passwords = Passwords(self.directory, self.hasher, self.throttle, self.audit)
        self.authority = Authority(
            site=Site(**site),
            store=self.store,
            vault=self.vault,
            audit=self.audit,
            directory=self.directory,
            passwords=self.passwords,
            clock=self.clock.time,
        )

    def visit(self, headers: Iterable[tuple[str, str]] = (), **environ: Any) -> Visit:
        """A request, from 192.0.2.7 unless it is said."""
        came = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "REMOTE_ADDR": "192.0.2.7",
            "SERVER_NAME": "site.example",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers},
            **environ,
        }
        return Visit(self.authority, came)

    def cookies_of(self, visit: Visit) -> str:
        """What a browser sends back of the cookies that a visit was given."""
        return "; ".join(value.partition(";")[0] for name, value in visit.headers if name == "Set-Cookie")

    def reasons(self) -> list[tuple[str, str | None]]:
        """The events with their reasons."""
        return [(event["event"], event.get("reason")) for event in self.events]
