"""An authority with a method that believes a header: what the filter does can be seen without real logins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from believing import Believing, Events

from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.storage.memory import MemoryStore


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def make_authority(events: Events) -> Callable[..., Authority]:
    """Make an authority: ``make_authority(methods=…, site=…)``."""

    def make(**services: Any) -> Authority:
        given: dict[str, Any] = {
            "site": Site(),
            "store": MemoryStore(),
            "vault": None,
            "audit": events,
            "methods": (Believing(),),
        }
        return Authority(**{**given, **services})

    return make
