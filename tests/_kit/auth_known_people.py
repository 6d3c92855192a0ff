"""An app behind the Auth filter, where people are known by a word: ``X-Who: ada``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auth_people import NOW, person

from wheatpaste.middleware.auth.audit import Audit
from wheatpaste.middleware.auth.auth import Guard
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.identity import Identity
from wheatpaste.middleware.auth.rules import rules_of
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.middleware.storage.memory import MemoryStore
from wheatpaste.testing import Client, Response

PEOPLE = {
    "ada": person("ada", roles=["editor", "admin"], permissions=["page:*"], amr=("pwd", "otp", "mfa")),
    "bob": person("bob", groups=["staff"], auth_time=NOW - 3600),
    "eve": person("eve", roles=["editor"], method="basic"),
    "ci": person("ci", roles=["editor"], method="bearer", scopes=["api:read"]),
}


class KnownByWord:
    """The method by which they are known."""

    name = "session"

    def identify(self, visit: Visit) -> Identity | None:
        return PEOPLE.get(visit.header("X-Who"))

    def challenges(self, visit: Visit) -> Sequence[str]:
        return ["Test"]


class KnownPeople:
    """An app behind the filter; ``events`` are what its audit log has."""

    def __init__(self, app: Any, *, rules: dict[str, Any] | None = None, **site: Any) -> None:
        self.events: list[dict[str, Any]] = []
        self.authority = Authority(
            site=Site(**site),
            store=MemoryStore(),
            vault=Vault.temporary(),
            audit=Audit(lambda record: self.events.append(dict(record)), lambda: NOW),
            methods=(KnownByWord(),),
            rules=None if rules is None else rules_of(rules),
            clock=lambda: NOW,
        )
        self.client = Client(Guard(app, self.authority))

    def ask(self, who: str | None = None, path: str = "/", *, method: str = "GET", **headers: str) -> Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if who is not None:
            sent["X-Who"] = who
        return self.client.request(method, path, headers=sent)

    def denials(self) -> list[str]:
        return [each["reason"] for each in self.events if each["event"] == "authz.deny"]
