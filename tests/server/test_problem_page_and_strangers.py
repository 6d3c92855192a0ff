"""The problem page quotes source: not to strangers, and never a secret."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wheatpaste.config.problems import ConfigError, Problem
from wheatpaste.server.failures import failure_of
from wheatpaste.server.problem_page import ProblemPage
from wheatpaste.testing import Client

BROWSER = {"Accept": "text/html"}
INI = """[app:main]
password =
    PLANTED1

    PLANTED2
db_password: PLANTED3=x
# the key below is wrong
use = egg:site-of-ours
"""


@pytest.fixture
def page(tmp_path: Path) -> ProblemPage:
    path = tmp_path / "site.ini"
    path.write_text(INI)
    places = [Problem(what="is wrong", file=str(path), line=line, key="use") for line in (3, 5, 6, 8)]
    return ProblemPage(failure_of(ConfigError(places)))


@pytest.mark.parametrize(
    ("peer", "headers", "shown"),
    [
        pytest.param("127.0.0.1", {"Host": "localhost:6543"}, True, id="the developer"),
        pytest.param("::1", {"Host": "[::1]:6543"}, True, id="the developer by IPv6"),
        pytest.param("192.168.1.7", {"Host": "192.168.1.2:6543"}, True, id="a phone beside them"),
        pytest.param("172.17.0.1", {"Host": "web:6543"}, True, id="the host of a container"),
        pytest.param("127.0.0.1", {"Host": "shop.localhost"}, True, id="a name that is always local"),
        pytest.param("8.8.8.8", {"Host": "localhost"}, False, id="somebody far away"),
        pytest.param("127.0.0.1", {"Host": "evil.example"}, False, id="a page that rebound its name"),
        pytest.param("127.0.0.1", {"Host": "localhost.evil.example"}, False, id="a name that only begins so"),
        pytest.param("127.0.0.1", {"Host": "127.0.0.1.evil.example"}, False, id="a name that begins as an address"),
        pytest.param("127.0.0.1", {"Host": "a b"}, False, id="no host at all"),
        pytest.param("127.0.0.1", {"Host": "localhost", "X-Forwarded-For": "8.8.8.8"}, False, id="through a proxy"),
    ],
)
def test_it_is_shown_to_whoever_is_near(
    client: Callable[..., Client], page: ProblemPage, peer: str, headers: dict[str, str], shown: bool
) -> None:
    answer = client(page).get("/", headers={**BROWSER, **headers}, environ={"REMOTE_ADDR": peer})
    assert answer.status == 503
    assert ("site-of-ours" in answer.text) is shown


def test_no_line_of_a_secret_is_shown(client: Callable[..., Client], page: ProblemPage) -> None:
    text = client(page).get("/", headers=BROWSER).text
    assert "site-of-ours" in text
    assert "PLANTED" not in text
