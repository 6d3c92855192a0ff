"""The app that other servers ask, as a file configures it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wheatpaste import loadapp
from wheatpaste.config.problems import ConfigError
from wheatpaste.middleware.auth.key_file import make_key_file
from wheatpaste.testing import Client

SITE = """
[app:main]
use = egg:wheatpaste#verify
asks = {asks}

[auth:main]
secret = %(here)s/auth.key
{trusted}
methods = session header

[auth:main:store]
url = memory:

[auth:main:header]
preset = authelia

[auth:main:rules]
/public/* = everyone
/*        = authenticated
"""


@pytest.fixture
def site(write_ini: Callable[..., Path], tmp_path: Path) -> Callable[..., Client]:
    make_key_file(tmp_path / "auth.key")

    def make(asks: str = "nginx", trusted: str = "trusted_proxies = 127.0.0.1") -> Client:
        return Client(
            loadapp(f"config:{write_ini(SITE.format(asks=asks, trusted=trusted))}"),
            environ={"SERVER_SOFTWARE": "waitress"},
        )

    return make


@pytest.mark.parametrize("asks", ["nginx", "traefik", "caddy"])
def test_it_answers_at_any_path_about_another(asks: str, site: Callable[..., Client]) -> None:
    client = site(asks)

    def ask(target: str, **further: str) -> int:
        told = (
            {"X-Original-URL": f"http://a.example{target}", "X-Original-Method": "GET"}
            if asks == "nginx"
            else {"X-Forwarded-Uri": target, "X-Forwarded-Method": "GET", "X-Forwarded-Host": "a.example"}
        )
        return client.get("/whatever", headers={**told, **further}).status

    assert ask("/public/x") == 200
    assert ask("/wiki") == 401
    assert ask("/wiki", **{"Remote-User": "ada"}) == 200
    client.app.close()


def test_it_has_the_pages_below_the_mount(site: Callable[..., Client]) -> None:
    client = site()
    assert client.get("/-/auth/nowhere").status == 404
    client.app.close()


def test_it_does_not_start_where_nobody_may_ask(site: Callable[..., Client]) -> None:
    with pytest.raises(ConfigError, match="trusted_proxies"):
        site(trusted="")
