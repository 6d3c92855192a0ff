"""Whole sites, put together from their sections as ``egg:wheatpaste#auth`` does it, with a user in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from auth_pages import CHEAP, PASSWORD, Clock

from wheatpaste.middleware.auth.accounts.options import StoreOptions
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.passwords.options import PasswordOptions
from wheatpaste.middleware.auth.setup import authority_of
from wheatpaste.middleware.auth.site import Site

SECRET = "7f3a9c51e2d84b06a5c1908e6fd2b743bb1e6c0d94f7a258"


@contextmanager
def assembling(folder: Path, clock: Clock) -> Iterator[Callable[..., Authority]]:
    """What puts sites together, with bob in them: ``assemble(site={"methods": …}, rules=RuleOptions(…))``.

    The tables are in one file of ``folder``. All sites are closed at the end.
    """
    made: list[Authority] = []

    def assemble(site: dict[str, Any] | None = None, **parts: Any) -> Authority:
        given = {
            "": Site(**{"secret": SECRET, "audit": "none", "allow_insecure": True, **(site or {})}),
            "password": PasswordOptions(argon2=CHEAP),
            "store": StoreOptions(url=f"sqlite:///{folder / 'auth.db'}"),
            **{name.replace("__", ":"): part for name, part in parts.items()},
        }
        authority = authority_of(given, clock)
        made.append(authority)
        if authority.users.find("bob") is None:
            account = authority.users.create("bob")
            authority.users.set_password(account.id, authority.passwords.hasher.hash(PASSWORD))
        return authority

    try:
        yield assemble
    finally:
        for each in made:
            each.close()
