"""OWASP ASVS 5.0, chapter V16, probed from outside: what is written down, and what happens when nothing works."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest
from auth_probed_site import PASSWORD, Probed

pytestmark = pytest.mark.slow

EVIL = 'bob\r\n{"event":"login.ok","name":"root"}\x1b[31m\u2028'


def test_probes_47_48_16_2_5_each_thing_is_one_line_without_secrets(site: Probed) -> None:
    before = len(site.events())
    browser = site.browser()
    browser.login("bob", "a wrong password of mine")
    browser.login("bob")
    browser.get("/admin/x")
    secret = browser.cookie()
    assert secret is not None
    browser.fill(browser.get("/-/auth/logout"), "/logout")
    events = site.events()[before:]
    assert [each["event"] for each in events] == ["login.fail", "login.ok", "authz.deny", "logout"]
    assert all(each["time"].endswith("Z") and each["address"] == "127.0.0.1" for each in events)
    everything = json.dumps(site.events()) + (site.server.log() if site.server is not None else "")
    for hidden in (PASSWORD, "a wrong password of mine", secret):
        assert hidden not in everything


def test_probe_47_16_4_1_a_name_cannot_write_lines(site: Probed) -> None:
    before = len((site.folder / "audit.log").read_text(encoding="ascii").splitlines())
    site.browser().login(EVIL, "x")
    credentials = base64.b64encode(f"{EVIL}:x".encode()).decode()
    site.program(Authorization=f"Basic {credentials}").get("/x")
    lines = (site.folder / "audit.log").read_text(encoding="ascii").splitlines()[before:]
    assert lines
    for line in lines:
        assert json.loads(line)["event"] in ("login.fail", "login.throttled")
        assert "\x1b" not in line


def test_probe_49_16_5_3_without_the_store_nothing_is_served(tmp_path: Path) -> None:
    site = Probed(tmp_path)
    site.command("init", "--no-admin")
    site.add("bob")
    site.start()
    try:
        browser = site.browser()
        browser.login("bob")
        assert browser.get("/x").code == 200
        for each in tmp_path.glob("auth.db*"):
            each.unlink()
        (tmp_path / "auth.db").write_bytes(b"nothing that a database would write" * 500)
        # A process looks twice a second whether the file is still the one that it has open.
        until = time.monotonic() + 5
        while browser.get("/x").code == 200 and time.monotonic() < until:
            time.sleep(0.1)
        for path in ("/x", "/admin/x", "/-/auth/login"):
            reply = browser.get(path)
            assert reply.code in (503, 200 if path.endswith("login") else 503), path
            assert "auth.db" not in reply.text
            assert "sqlite" not in reply.text.lower()
        assert browser.get("/x").header("Retry-After")
    finally:
        site.end()
