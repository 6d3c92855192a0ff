"""Providers that are closed after the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hostile_provider import HostileProvider
from oidc_site import OidcSite

from wheatpaste.testing import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(1_800_000_000.0)


@pytest.fixture
def make_provider(clock: Clock) -> Iterator[Callable[[], HostileProvider]]:
    """Make providers: ``make_provider()``."""
    made: list[HostileProvider] = []

    def make() -> HostileProvider:
        made.append(HostileProvider(clock.time))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def provider(make_provider: Callable[[], HostileProvider]) -> HostileProvider:
    return make_provider()


@pytest.fixture
def make_site(clock: Clock, provider: HostileProvider) -> Callable[..., OidcSite]:
    """Make a site whose provider ``corp`` is the fixture's: ``make_site(provision="link")``."""

    def make(**options: Any) -> OidcSite:
        return OidcSite(clock, **{"providers": {"corp": provider}, **options})

    return make


@pytest.fixture
def site(make_site: Callable[..., OidcSite]) -> OidcSite:
    return make_site()
