"""A whole site, put together from its sections as ``egg:wheatpaste#auth`` does it, to be attacked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from auth_pages import CHEAP, PASSWORD, Clock

from wheatpaste.middleware.auth.accounts.options import StoreOptions
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.passwords.options import PasswordOptions
from wheatpaste.middleware.auth.setup import authority_of
from wheatpaste.middleware.auth.site import Site

SECRET = "7f3a9c51e2d84b06a5c1908e6fd2b743bb1e6c0d94f7a258"


@pytest.fixture
def moved() -> Clock:
    return Clock()


@pytest.fixture
def assemble(moved: Clock, tmp_path: Path) -> Iterator[Callable[..., Authority]]:
    """Put a site together, with bob in it: ``assemble(site={"methods": …}, rules=RuleOptions(…))``."""
    made = []

    def of(site: dict[str, Any] | None = None, **parts: Any) -> Authority:
        given = {
            "": Site(**{"secret": SECRET, "audit": "none", "allow_insecure": True, **(site or {})}),
            "password": PasswordOptions(argon2=CHEAP),
            "store": StoreOptions(url=f"sqlite:///{tmp_path / 'auth.db'}"),
            **{name.replace("__", ":"): part for name, part in parts.items()},
        }
        authority = authority_of(given, moved)
        made.append(authority)
        if authority.users.find("bob") is None:
            account = authority.users.create("bob")
            authority.users.set_password(account.id, authority.passwords.hasher.hash(PASSWORD))
        return authority

    yield of
    for each in made:
        each.close()
