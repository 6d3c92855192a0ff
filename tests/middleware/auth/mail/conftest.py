"""Sites that send mails to a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from auth_mail import MailingSite, mailing


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Callable[..., MailingSite]]:
    """Make a site: ``make_site(mail=…, refuse=…)``."""
    with mailing(tmp_path) as make:
        yield make


@pytest.fixture
def site(make_site: Callable[..., MailingSite]) -> MailingSite:
    """A site with Bob, whose address is confirmed."""
    made = make_site()
    made.add("bob")
    return made
