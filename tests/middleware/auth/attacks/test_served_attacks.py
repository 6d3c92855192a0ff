"""Attacks over the wire, on a site that two processes serve."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import time
from collections.abc import Iterator

import pytest
from auth_probed_site import Probed

pytestmark = pytest.mark.slow

NAME = "__Host-wheatpaste.session"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probed]:
    made = Probed(tmp_path_factory.mktemp("site"), server="workers = 2\n")
    made.command("init")
    made.add("bob")
    yield made.start()
    made.end()


def exchange(site: Probed, sent: bytes) -> bytes:
    """What comes back for bytes on one connection, until it is closed."""
    with (
        socket.create_connection(("127.0.0.1", site.port), timeout=10) as raw,
        site.authority.client().wrap_socket(raw, server_hostname="localhost") as connection,
    ):
        connection.sendall(sent)
        received = b""
        try:
            while piece := connection.recv(65536):
                received += piece
        except (ssl.SSLError, ConnectionError):
            pass
        return received


def request(site: Probed, path: str = "/x", *lines: str, method: str = "GET", close: bool = True) -> bytes:
    head = [
        f"{method} {path} HTTP/1.1",
        f"Host: localhost:{site.port}",
        *lines,
        *(["Connection: close"] if close else []),
    ]
    return "\r\n".join([*head, "", ""]).encode("latin-1")


def session(site: Probed) -> str:
    browser = site.browser()
    browser.login("bob")
    value = browser.cookie()
    assert value is not None
    return value


def test_each_request_of_a_connection_is_judged_by_itself(site: Probed) -> None:
    known = f"Cookie: {NAME}={session(site)}"
    sent = (
        request(site, "/x", known, close=False)
        + request(site, "/x", close=False)
        + request(site, "/x", known, close=False)
    )
    replies = exchange(site, sent + request(site, "/admin/x"))
    assert re.findall(rb"HTTP/1\.1 (\d{3}) ", replies) == [b"200", b"401", b"200", b"401"]


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "DEBUG", "OPTIONS", "PROPFIND"])
def test_no_method_repeats_a_cookie_to_who_is_not_let_in(site: Probed, method: str) -> None:
    value = session(site)
    reply = exchange(site, request(site, "/admin/x", f"Cookie: {NAME}={value}", method=method))
    assert value.encode() not in reply
    assert reply.split()[1][:1] in (b"4", b"5")
    assert reply.split()[1] != b"500"


@pytest.mark.parametrize(
    "lines",
    [
        ("REMOTE_USER: bob", "Remote-User: bob", "X_Remote_User: bob", "X-Forwarded-User: bob"),
        ("wheatpaste.identity: bob", "wheatpaste.visit: bob"),
        ("Cookie: " + "; ".join(f"{NAME}={index:0>64}" for index in range(400)),),
        ("Cookie: " + f"{NAME}=; " * 2000,),
        ("Cookie: " + f"{NAME}=" + "a" * 30000,),
        ("Cookie: " + f"{NAME}=" + "\xff" * 100,),
        ("Authorization: Basic " + "A" * 30000,),
        ("Authorization: Basic Ym9iOngA", "Authorization: Bearer x"),
        ("Authorization: Bearer", "Upgrade: websocket", "Connection: Upgrade"),
        ("Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
        ("Host: admin.example.org",),
    ],
    ids=["names", "keys", "400", "2000", "4k", "bytes", "long", "two", "upgrade", "h2c", "host"],
)  # fmt: skip
def test_nothing_forged_is_an_error_or_a_way_in(site: Probed, lines: tuple[str, ...]) -> None:
    status = int(exchange(site, request(site, "/x", *lines)).split()[1])
    assert 400 <= status < 500
    assert site.program().get("/x").code == 401


def test_a_session_ends_in_all_processes_at_once(site: Probed) -> None:
    browser = site.browser()
    browser.login("bob")
    value = browser.cookie()
    assert value is not None
    assert [site.browser().bring(value).code for _ in range(6)] == [200] * 6
    browser.fill(browser.get("/-/auth/logout"), "/logout")
    assert [site.browser().bring(value).code for _ in range(6)] == [303] * 6


def test_who_is_signed_in_stays_so_while_the_server_takes_its_files_in_anew(site: Probed) -> None:
    browser = site.browser()
    browser.login("bob")
    assert browser.get("/x").code == 200
    assert site.server is not None
    text = site.ini.read_text(encoding="utf-8")
    site.ini.write_text(text.replace("/open/* = everyone", "/open/* = everyone\n/new = everyone"), encoding="utf-8")
    os.kill(site.server.pid, signal.SIGHUP)
    until, in_a_row = time.monotonic() + 20, 0
    while in_a_row < 12 and time.monotonic() < until:  # for a while some processes know the new rule, and others do not
        in_a_row = in_a_row + 1 if site.program().get("/new").code == 200 else 0
        assert browser.get("/x").code == 200
        assert site.program().get("/x").code == 401
    assert in_a_row == 12
    assert [browser.get("/x").code for _ in range(6)] == [200] * 6
    assert [site.program().get("/x").code for _ in range(6)] == [401] * 6
