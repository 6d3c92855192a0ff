"""Engines for the tests of its parts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest
from engine_in_thread import EngineInThread, engines
from paced_app import PacedApp


@pytest.fixture
def restless() -> Iterator[None]:
    """The interpreter goes from thread to thread as often as it can, so that races are lost soon."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def start() -> Iterator[Callable[..., EngineInThread]]:
    """Starts engines of the test's own: ``start(threads=2, limits={"head": 500}, deadlines={"head": 0.3})``."""
    with engines(PacedApp) as make:
        yield make
