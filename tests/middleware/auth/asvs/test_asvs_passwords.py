"""OWASP ASVS 5.0, chapter V6, probed from outside: passwords, guesses, links."""

from __future__ import annotations

import base64
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from auth_probed_site import OTHER, PASSWORD, Probed, Probing

pytestmark = pytest.mark.slow

USERS = ("bob", "kim", "lee", "max", "ned", "pat", "disabled")
LINES = {"password": "throttle = 5/15m\naddress_throttle = 5000/1m"}
LONG = "Ünïcode spaces  and ‘quotes’ are fine " * 2 + "the 73rd byte counts: "
TEMPTING = ("password1234", "1234567890", "qwertyuiop", "Password123!", "letmein12345")


def change(browser: Probing, new: str, current: str = PASSWORD) -> str:
    """Change the password; what the page says, ``''`` where it was changed."""
    page = browser.get("/-/auth/password")
    form = page.form("/password")
    values = {
        name: current if "current" in name or name == "password" else new
        for name in form
        if name not in ("action", "token", "next", "username")
    }
    reply = browser.fill(page, "/password", **values)
    return "" if reply.code == 303 or "changed" in reply.words.lower() else reply.words


def signed_in(site: Probed, name: str, password: str = PASSWORD) -> Probing:
    browser = site.browser()
    assert browser.login(name, password).location == "/x"
    return browser


def link_of(site: Probed, name: str) -> str:
    """The path of a link by which the user sets a password."""
    found = re.search(r"/-/auth/\S+", site.command("invite", name))
    assert found is not None
    return found[0]


def set_by_link(browser: Probing, path: str, new: str) -> str:
    page = browser.get(path)
    if page.code != 200:
        return page.status
    form = next(form for form in page.forms() if "/-/auth/" in form["action"])
    fields = [name for name in form if name not in ("action", "token", "next", "username")]
    target = form.pop("action")
    return browser.send(target, {**form, **dict.fromkeys(fields, new)}).status


def test_probe_2_2_4_1_a_stream_of_guesses_is_slowed_down(site: Probed) -> None:
    attacker = site.browser()
    began = time.monotonic()
    for number in range(40):
        attacker.login("kim", f"guess number {number}")
    events = [each for each in site.events() if each["event"] == "login.throttled"]
    assert len(events) >= 30
    assert time.monotonic() - began < 60
    # The guess that would have been right comes too soon.
    assert attacker.login("kim").code != 303


@pytest.mark.parametrize("password", ["short", "ninechars", ""])
def test_probe_15_6_2_1_a_short_password_is_refused(password: str, site: Probed) -> None:
    assert change(signed_in(site, "bob"), password)


def test_probes_15_16_19_6_2_any_long_password_is_taken_as_it_is(site: Probed) -> None:
    browser = signed_in(site, "lee")
    assert change(browser, LONG + "x", "not the current one")
    assert change(browser, LONG + "x") == ""
    for wrong in (LONG + "y", LONG, (LONG + "x").lower(), (LONG + "x").strip() + " ", " " + LONG + "x"):
        assert site.browser().login("lee", wrong).code != 303, wrong
    # By then guesses cost a wait, but not for the browser that its user is known to use.
    assert browser.get("/x").code == 200


@pytest.mark.parametrize("password", TEMPTING)
def test_probe_17_6_2_4_a_common_password_is_refused(password: str, site: Probed) -> None:
    assert change(signed_in(site, "bob"), password)


def test_probe_18_6_2_6_the_fields_help_password_managers(site: Probed) -> None:
    page = site.browser().get("/-/auth/login").text
    field = re.search(r"<input[^>]*name=\"password\"[^>]*>", page)
    assert field is not None
    assert 'type="password"' in field[0]
    assert 'autocomplete="current-password"' in field[0]
    assert "onpaste" not in page
    new = signed_in(site, "bob").get("/-/auth/password").text
    assert 'autocomplete="new-password"' in new
    assert 'autocomplete="current-password"' in new


def test_probe_20_6_3_1_many_names_from_one_address_are_slowed_down(tmp_path: Path) -> None:
    site = Probed(tmp_path, password="address_throttle = 10/1m")
    site.command("init", "--no-admin")
    site.add("bob")
    site.start()
    try:
        attacker = site.browser()
        for number in range(25):
            attacker.login(f"user{number}", "guess")
        assert sum(each["event"] == "login.throttled" for each in site.events()) >= 10
        assert attacker.login("bob").code != 303
    finally:
        site.end()


def test_probe_21_6_3_2_a_fresh_site_lets_nobody_in(tmp_path: Path) -> None:
    site = Probed(tmp_path)
    site.command("init")
    site.start()
    try:
        for name in ("admin", "root", "demo", "guest", "test"):
            for password in ("admin", "password", "wheatpaste", "changeme", name, ""):
                assert site.browser().login(name, password).code != 303
    finally:
        site.end()


def test_probe_23_6_3_8_nobody_learns_who_exists(site: Probed) -> None:
    site.command("user", "disable", "disabled")
    shown = {}
    for name in ("max", "nobody-at-all", "disabled"):
        browser = site.browser()
        reply = browser.login(name, "not this one, surely")
        text = re.sub(r'value="[^"]{40,}"', "", reply.text).replace(name, "NAME")
        headers = sorted(
            (key, value) for key, value in reply.headers if key not in ("Date", "Set-Cookie", "Content-Length")
        )
        shown[name] = (reply.status, text, headers)
    assert shown["max"] == shown["nobody-at-all"] == shown["disabled"]


def test_probe_23_by_basic_neither(site: Probed) -> None:
    answers = set()
    for name in ("max", "nobody-at-all", "disabled"):
        credentials = base64.b64encode(f"{name}:wrong".encode()).decode()
        reply = site.program(Authorization=f"Basic {credentials}").get("/x")
        answers.add((reply.status, reply.text, reply.header("WWW-Authenticate")))
    assert len(answers) == 1


def test_probe_24_6_4_1_an_invitation_is_good_once(site: Probed) -> None:
    path = link_of(site, "ned")
    assert site.browser().get(path).code == 200, "a look at it uses nothing up"
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda number: set_by_link(site.browser(), path, f"{OTHER} {number}"), range(6)))
    taken = [number for number in range(6) if site.browser().login("ned", f"{OTHER} {number}").code == 303]
    assert len(taken) == 1, answers
    assert set_by_link(site.browser(), path, PASSWORD)[:3] in ("400", "403", "404", "410")


def test_probe_24_a_new_link_makes_the_old_one_void(site: Probed) -> None:
    first, second = link_of(site, "pat"), link_of(site, "pat")
    assert set_by_link(site.browser(), first, OTHER)[:3] in ("400", "403", "404", "410")
    assert set_by_link(site.browser(), second, OTHER)[:1] in ("2", "3")


def test_probe_26_6_4_6_an_admin_s_reset_tells_no_password(site: Probed) -> None:
    printed = site.command("invite", "max")
    assert PASSWORD not in printed
    assert site.browser().login("max").location == "/x", "the old one holds until the user chooses another"


def test_probe_28_6_5_4_links_cannot_be_guessed(site: Probed) -> None:
    token = link_of(site, "max").rpartition("/")[2]
    assert len(token) >= 43
    assert site.browser().get(f"/-/auth/invite/{'A' * 43}").code in (400, 403, 404, 410)
    database = b"".join(each.read_bytes() for each in site.folder.glob("auth.db*"))
    assert token.encode() not in database


@pytest.mark.parametrize(
    "password",
    [
        pytest.param("x" * 1024 * 1024, id="1 MiB"),
        pytest.param("nul\0inside", id="NUL"),
        pytest.param("\ud7ff" * 400, id="wide"),
    ],
)
def test_strange_passwords_are_only_wrong(password: str, site: Probed) -> None:
    reply = site.browser().login("max", password)
    assert 400 <= reply.code < 500 or (reply.code == 200 and site.browser().get("/x").code == 303)
    credentials = base64.b64encode(f"max:{password}".encode()[:4000]).decode()
    assert site.program(Authorization=f"Basic {credentials}").get("/x").code in (401, 431)
