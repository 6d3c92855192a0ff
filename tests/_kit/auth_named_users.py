"""Two users of our own whom somebody else may name: ada, and eve, who is disabled."""

from __future__ import annotations

from wheatpaste.middleware.auth.account import Account

_ADA = Account("local:1", "Ada", "local", groups=frozenset({"ours"}), roles=frozenset({"admin"}))
_EVE = Account("local:2", "eve", "local", disabled=True)


class NamedUsers:
    """Finds them by their names and by their mail addresses."""

    def find(self, name: str) -> Account | None:
        return {"ada": _ADA, "eve": _EVE}.get(name.casefold().removesuffix("@example.org"))
