"""Sites with pages, and visitors who look at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from auth_pages import AuthSite, Visitor


@pytest.fixture
def make_site() -> Iterator[Callable[..., AuthSite]]:
    """Make a site: ``make_site(site=…, mfa=…)``."""
    made: list[AuthSite] = []

    def make(**how: Any) -> AuthSite:
        made.append(AuthSite(**how))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def site(make_site: Callable[..., AuthSite]) -> AuthSite:
    """A site over TLS, with Bob."""
    made = make_site(site={"public_url": "https://wiki.example.org", "login": ("password", "passkey")})
    made.add("bob", display="Bob", email="bob@example.org")
    return made


@pytest.fixture
def visitor(site: AuthSite) -> Visitor:
    """A browser without scripts."""
    return Visitor(site.app, scheme="https")
