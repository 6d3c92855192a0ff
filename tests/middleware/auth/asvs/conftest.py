"""Sites to be probed, one for a module: each module says with which lines in its INI."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from auth_probed_site import Probed


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probed]:
    """The module's site, with its users, served over TLS. ``LINES`` and ``USERS`` of the module say how."""
    lines = getattr(request.module, "LINES", {})
    site = Probed(tmp_path_factory.mktemp("probed"), **lines)
    site.command("init", "--no-admin")
    for name in getattr(request.module, "USERS", ("bob",)):
        site.add(name)
    yield site.start()
    site.end()
