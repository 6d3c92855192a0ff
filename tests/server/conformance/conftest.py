"""The server that the tables are held against."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from conformance_app import ConformanceApp
from conformance_tables import LIMITS
from engine_in_thread import EngineInThread, engines

from wheatpaste.server.settings import Settings


@pytest.fixture(scope="module", params=["auto", "selectors"])
def server_under_test(request: pytest.FixtureRequest) -> Iterator[EngineInThread]:
    """The engine with a ``ConformanceApp``, once with each way to poll."""
    server = EngineInThread(ConformanceApp(), Settings(limits=LIMITS, poller=request.param))
    yield server
    server.stop()


@pytest.fixture
def start() -> Iterator[Callable[..., EngineInThread]]:
    """Starts servers of the test's own: ``start(threads=2, limits={"head": 500}, deadlines={"head": 0.3})``."""
    with engines(ConformanceApp) as make:
        yield make
