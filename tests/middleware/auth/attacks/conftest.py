"""A whole site, put together from its sections as ``egg:wheatpaste#auth`` does it, to be attacked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from auth_assembled import assembling
from auth_pages import Clock

from wheatpaste.middleware.auth.authority import Authority


@pytest.fixture
def moved() -> Clock:
    return Clock()


@pytest.fixture
def assemble(moved: Clock, tmp_path: Path) -> Iterator[Callable[..., Authority]]:
    """Put a site together, with bob in it: ``assemble(site={"methods": …}, rules=RuleOptions(…))``."""
    with assembling(tmp_path, moved) as found:
        yield found
