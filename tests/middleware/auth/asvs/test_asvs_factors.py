"""OWASP ASVS 5.0, V6.5 and V6.6, probed from outside: codes, recovery codes, one policy for all ways in."""

from __future__ import annotations

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from auth_pages import Reply
from auth_probed_site import OTHER, PASSWORD, Probed, Probing, add_totp
from soft_authenticator import SoftAuthenticator, raw

pytestmark = pytest.mark.slow

USERS = ("bob", "kim", "lee", "max", "ned", "pat", "ray")
LINES = {
    "main": "login = password passkey",
    "password": "address_throttle = 5000/1m",
    "more": "[auth:main:mfa]\nfresh = 300",
}


def signed_in(site: Probed, name: str) -> Probing:
    browser = site.browser()
    assert browser.login(name).location == "/x"
    return browser


def second(browser: Probing, code: str) -> Reply:
    page = browser.get("/-/auth/second")
    form = next(form for form in page.forms() if "code" in form)
    target = form.pop("action")
    return browser.send(target, {**form, "code": code})


def test_probe_27_6_5_1_a_code_works_once_also_at_the_same_time(site: Probed) -> None:
    added = add_totp(signed_in(site, "bob"))
    site.move(30)
    code = site.code(added.totp)
    browsers = [site.browser() for _ in range(6)]
    for browser in browsers:
        assert browser.login("bob").location == "/-/auth/second"
        assert browser.get("/x").code == 303, "one factor is no session"
    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda browser: second(browser, code), browsers))
    assert [reply.location for reply in replies].count("/x") == 1
    assert [browser.get("/x").code for browser in browsers].count(200) == 1


def test_probe_27_a_recovery_code_works_once_also_at_the_same_time(site: Probed) -> None:
    added = add_totp(signed_in(site, "kim"))
    assert len(added.codes) == 10
    assert all(re.fullmatch(r"[A-Z2-7]{5}-[A-Z2-7]{5}", code) for code in added.codes), "probe 28: 50 bits each"
    browsers = [site.browser() for _ in range(6)]
    for browser in browsers:
        browser.login("kim")
    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda browser: second(browser, added.codes[0]), browsers))
    assert [reply.location for reply in replies].count("/x") == 1
    again = site.browser()
    again.login("kim")
    assert second(again, added.codes[0]).location != "/x"
    other = site.browser()
    other.login("kim")
    assert second(other, added.codes[1].lower().replace("-", "")).location == "/x"


def test_probe_29_6_6_3_codes_cannot_be_tried_out(site: Probed) -> None:
    added = add_totp(signed_in(site, "lee"))
    right = 0
    for _ in range(4):
        browser = site.browser()
        browser.login("lee")
        for number in range(6):
            page = browser.get("/-/auth/second")
            if not any("code" in form for form in page.forms()):
                break
            second(browser, f"{number:06d}")
            right += 1
    assert right <= 24
    browser = site.browser()
    browser.login("lee")
    page = browser.get("/-/auth/second")
    blocked = not any("code" in form for form in page.forms()) or second(browser, added.codes[0]).location != "/x"
    assert blocked, "after ten wrong ones in an hour not even the right one counts"


def test_probe_22_6_3_4_no_way_in_passes_by_the_second_factor(site: Probed) -> None:
    browser = signed_in(site, "max")
    assert browser.get("/pay/x").code == 303
    add_totp(browser)
    credentials = base64.b64encode(f"max:{PASSWORD}".encode()).decode()
    assert site.program(Authorization=f"Basic {credentials}").get("/x").code == 401
    fresh = site.browser()
    assert fresh.login("max").location == "/-/auth/second"
    assert fresh.get("/x").code == fresh.get("/-/auth/account").code == 303


def test_probe_25_6_4_3_a_new_password_does_not_skip_it(site: Probed) -> None:
    add_totp(signed_in(site, "ned"))
    found = re.search(r"/-/auth/\S+", site.command("invite", "ned"))
    assert found is not None
    browser = site.browser()
    page = browser.get(found[0])
    form = next(form for form in page.forms() if "/-/auth/" in form["action"])
    fields = [name for name in form if name not in ("action", "token", "next", "username")]
    target = form.pop("action")
    browser.send(target, {**form, **dict.fromkeys(fields, OTHER)})
    assert browser.get("/x").code == 303
    again = site.browser()
    assert again.login("ned", OTHER).location == "/-/auth/second"


def test_probe_40_7_5_1_7_5_3_important_changes_want_a_fresh_login(site: Probed) -> None:
    browser = signed_in(site, "pat")
    password, totp, tokens = (browser.get(f"/-/auth/account/{name}") for name in ("password", "totp", "tokens"))
    security = browser.get("/-/auth/account/security")
    seed = re.search(r"\b([A-Z2-7]{4}(?: [A-Z2-7]{4}){7})\b", totp.words)
    assert seed is not None
    changes = {
        "password": (password, "/password", {"current": PASSWORD, "new": OTHER, "again": OTHER}),
        "totp": (totp, "/totp", {}),
        "passkeys": (security, "/passkeys", {"credential": "{}"}),
        "tokens": (tokens, "/tokens", {"name": "script", "scopes": "page:read"}),
    }
    # Whoever finds this browser later finds these pages open, and all but the passkey in them right.
    site.move(301)
    before = len(site.events())
    for page, action, values in changes.values():
        code = {"code": site.code(seed[1].replace(" ", ""))} if action == "/totp" else {}
        sent = browser.fill(page, action, **values, **code)
        assert sent.location.startswith("/-/auth/confirm?next=%2F-%2Fauth%2Faccount%2F"), action
    assert browser.get("/-/auth/account/security").location.startswith("/-/auth/confirm?")
    assert browser.get("/x").code == 200, "the session itself goes on"
    assert site.events()[before:] == []
    asked = browser.get("/-/auth/confirm?next=/-/auth/account/tokens")
    assert browser.fill(asked, "/confirm", password=OTHER).code == 403
    assert browser.get("/-/auth/account/tokens").code == 303
    stale = browser.cookie()
    assert browser.fill(asked, "/confirm", password=PASSWORD).location == "/-/auth/account/tokens"
    assert browser.cookie() != stale
    site.move(299)
    made = browser.fill(browser.get("/-/auth/account/tokens"), "/tokens", name="script", scopes="page:read")
    assert re.search(r"\bwpt_\w+", made.words)


def asked(browser: Probing, page: Reply, purpose: str) -> dict[str, Any]:
    """What the script of a page is told to ask the browser for."""
    fields = {"token": page.forms()[0]["token"], "purpose": purpose}
    reply = browser.send("/-/auth/passkey/options", fields, Sec_Fetch_Mode="cors")
    assert reply.code == 200, reply.text
    found: dict[str, Any] = json.loads(reply.text)
    return found


def test_probe_30_6_7_2_each_question_to_a_passkey_is_another_and_is_answered_once(site: Probed) -> None:
    device = SoftAuthenticator("https://localhost", "localhost")
    owner = signed_in(site, "ray")
    page = owner.get("/-/auth/account/security")
    owner.fill(page, "/passkeys", credential=device.create(asked(owner, page, "create")), label="Key")
    browser = site.browser()
    page = browser.get("/-/auth/login?next=/x")
    questions = [asked(browser, page, "login") for _ in range(5)]
    challenges = {each["challenge"] for each in questions}
    assert len(challenges) == 5
    assert all(len(raw(each)) >= 16 for each in challenges)
    answer = device.get(questions[-1])
    assert browser.fill(page, "/login/passkey", credential=answer).location == "/x"
    assert browser.get("/x").code == 200
    # Somebody who has seen the answer: in the same browser, and in their own.
    browser.jar.clear("localhost.local", "/", "__Host-wheatpaste.session")
    for thief in (browser, site.browser()):
        page = thief.get("/-/auth/login?next=/x")
        refused = thief.fill(page, "/login/passkey", credential=answer)
        assert refused.code == 403
        assert thief.cookie() is None
    # And a question that has waited for too long.
    page = browser.get("/-/auth/login?next=/x")
    question = asked(browser, page, "login")
    site.move(301)
    assert browser.fill(page, "/login/passkey", credential=device.get(question)).code == 403
