"""A served site seen from outside: forged identities, and what its logs hold (ASVS 4.1.3, 16.2, 16.3)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running_server import RunningServer

from wheatpaste.middleware.auth.key_file import make_key_file

pytestmark = pytest.mark.slow

SITE = """
[server:main]
use = egg:wheatpaste#main

[pipeline:main]
pipeline = auth app

[filter:auth]
use = egg:wheatpaste#auth

[app:app]
use = egg:wheatpaste#echo

[auth:main]
secret = %(here)s/auth.key
methods = session basic
audit = json:%(here)s/audit.log
{further}

[auth:main:store]
url = sqlite:///%(here)s/auth.db

[auth:main:users]
source = authkit
authkit = %(here)s/users.txt

[auth:main:password]
argon2 = t=1,m=8,p=1

[auth:main:rules]
/admin/* = role admin
/open/*  = everyone
/*       = authenticated
"""
FORGED = [
    "Remote-User: ada",
    "Remote_User: ada",
    "REMOTE-USER: ada",
    "X-Remote-User: ada",
    "X-Forwarded-User: ada",
    "X-Auth-Request-User: ada",
    "X-authentik-username: ada",
    "Tailscale-User-Login: ada",
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Proto: https",
    "Forwarded: for=127.0.0.1;host=evil.example",
    "X-Original-URL: /open/",
    "X-Rewrite-URL: /open/",
    "X-Forwarded-Uri: /open/",
    "Client-Cert: :AAAA:",
    "X-SSL-Client-Verify: SUCCESS",
]


@pytest.fixture
def site(
    running_server: Callable[..., RunningServer], write_ini: Callable[..., Path], tmp_path: Path
) -> Callable[..., RunningServer]:
    make_key_file(tmp_path / "auth.key")
    (tmp_path / "users.txt").write_text("ada:Engine-1843-analytical:staff admin\nbob:Builder-and-can-he-fix\n")

    def start(further: str = "") -> RunningServer:
        return running_server(write_ini(SITE.format(further=further)))

    return start


def ask(server: RunningServer, target: str, *headers: str) -> tuple[int, str]:
    lines = (f"GET {target} HTTP/1.1", "Host: wiki.example.org", "Connection: close", *headers)
    reply = server.raw(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")).decode("latin-1")
    return int(reply.split(" ", 2)[1]), reply


def basic(name: str, password: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "audit.log").read_text().splitlines()]


def test_a_client_cannot_say_who_it_is(site: Callable[..., RunningServer]) -> None:
    server = site()
    for header in FORGED:
        assert ask(server, "/wiki", header)[0] == 401, header
        status, reply = ask(server, "/open/x", header)
        assert status == 200
        assert "REMOTE_USER" not in reply
    assert ask(server, "/wiki", *FORGED)[0] == 401
    assert ask(server, "/admin/", basic("bob", "Builder-and-can-he-fix"), *FORGED)[0] == 403
    assert "ada" not in ask(server, "/open/x", *FORGED)[1]


def test_each_login_failure_and_denial_is_one_event_and_no_more(
    site: Callable[..., RunningServer], tmp_path: Path
) -> None:
    server = site()
    assert ask(server, "/wiki", basic("bob", "Builder-and-can-he-fix"), "User-Agent: probe/1")[0] == 200
    assert ask(server, "/wiki", basic("bob", "wrong-password-of-bob"))[0] == 401
    assert ask(server, "/wiki", basic("nobody", "wrong-password-of-nobody"))[0] == 401
    assert ask(server, "/admin/", basic("bob", "Builder-and-can-he-fix"))[0] == 403
    assert ask(server, "/open/x")[0] == 200
    found = events(tmp_path)
    assert [each["event"] for each in found] == ["login.ok", "login.fail", "login.fail", "authz.deny"]
    assert {each["address"] for each in found} == {"127.0.0.1"}
    assert found[0]["agent"] == "probe/1"
    assert [each.get("name") for each in found] == ["bob", "bob", "nobody", "bob"]
    assert "admin" in found[3]["reason"]


def test_no_log_holds_what_is_secret_and_no_client_writes_a_line_of_its_own(
    site: Callable[..., RunningServer], tmp_path: Path
) -> None:
    server = site()
    forged = '{"time":"2023-11-14T22:13:20.250Z","event":"login.ok","address":"198.51.100.66"}'
    names = ("bob", "x\n" + forged, "x\r\n" + forged, '","event":"login.ok', "\u2028" + forged, "x" * 250)
    for number, name in enumerate(names):
        status, _ = ask(server, "/wiki", basic(name, f"Secret-password-{number}"), f"User-Agent: {forged}")
        assert status == 401
    assert ask(server, "/wiki", basic("ada", "Engine-1843-analytical"), f"User-Agent: {forged}")[0] == 200
    assert (
        ask(server, "/wiki", "Authorization: Bearer wp_abcdefghijkl_0123456789abcdef0123456789abcdef_000000")[0] == 401
    )
    found = events(tmp_path)
    assert [each["event"] for each in found].count("login.ok") == 1
    assert {each["address"] for each in found} == {"127.0.0.1"}
    logs = (tmp_path / "audit.log").read_text() + server.log()
    for secret in ("Secret-password", "Engine-1843", "0123456789abcdef0123456789abcdef"):
        assert secret not in logs
