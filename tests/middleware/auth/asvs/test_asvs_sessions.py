"""OWASP ASVS 5.0, chapters V2, V7 and V8, probed from outside: steps, sessions, roles."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest
from auth_probed_site import OTHER, PASSWORD, Probed, Probing

pytestmark = pytest.mark.slow

USERS = ("bob", "kim", "lee", "max", "ned", "pat")
LINES = {"session": "idle = 30m\nabsolute = 4h\nremember = 0"}


def signed_in(site: Probed, name: str = "bob") -> Probing:
    browser = site.browser()
    assert browser.login(name).location == "/x"
    return browser


@pytest.mark.parametrize("path", ["/-/auth/second", "/-/auth/enrol", "/-/auth/reset/" + "A" * 43, "/-/auth/invite/x"])
def test_probe_1_2_3_1_no_step_comes_before_the_one_before_it(path: str, site: Probed) -> None:
    browser = site.browser()
    assert browser.get(path).code in (303, 400, 403, 404)
    reply = browser.send(path, {"code": "123456", "new": OTHER, "again": OTHER})
    assert reply.code in (303, 400, 403, 404)
    assert browser.cookie() is None
    assert browser.get("/x").code == 303


def test_probe_34_7_2_2_tokens_are_long_and_each_is_another(site: Probed) -> None:
    found = {signed_in(site).cookie() for _ in range(5)}
    assert len(found) == 5
    assert all(each is not None and len(each) >= 43 for each in found)


def test_probe_34_7_2_4_a_planted_token_is_not_taken_over(site: Probed) -> None:
    mine = signed_in(site, "kim")
    planted = mine.cookie()
    assert planted is not None
    victim = site.browser()
    page = victim.get("/-/auth/login", Cookie=f"__Host-wheatpaste.session={planted}")
    form = victim.get("/-/auth/login").form("/login")
    target = form.pop("action")
    cookies = "; ".join(f"{each.name}={each.value}" for each in victim.jar)
    victim.send(
        target,
        {**form, "username": "bob", "password": PASSWORD},
        Cookie=f"__Host-wheatpaste.session={planted}; {cookies}",
    )
    assert page.code in (200, 303)
    assert victim.cookie() not in (None, planted)
    assert "REMOTE_USER" not in mine.get("/x").text or mine.get("/x").code == 303


def test_probe_35_7_3_1_a_session_ends_when_it_is_not_used(site: Probed) -> None:
    browser = signed_in(site)
    site.move(29 * 60)
    assert browser.get("/x").code == 200
    site.move(31 * 60)
    assert browser.get("/x").code == 303


def test_probe_35_7_3_2_a_session_ends_however_it_is_used(site: Probed) -> None:
    browser = signed_in(site)
    codes = []
    for _ in range(12):
        site.move(20 * 60)
        codes.append(browser.get("/x").code)
    assert codes == [200] * 11 + [303]


def test_probe_36_7_4_1_a_copied_cookie_is_dead_after_the_logout(site: Probed) -> None:
    browser = signed_in(site)
    copy = browser.cookie()
    assert copy is not None
    assert browser.fill(browser.get("/-/auth/logout"), "/logout").code == 303
    assert site.browser().bring(copy).code == 303


def test_probe_37_7_4_2_who_is_disabled_is_out_at_the_next_request(site: Probed) -> None:
    browser = signed_in(site, "lee")
    printed = site.command("token", "create", "lee", "ci", "--scope", "page:read")
    token = next(word for word in printed.split() if word.startswith("wpt_"))
    program = site.program(Authorization=f"Bearer {token}")
    assert (browser.get("/x").code, program.get("/scoped/x").code) == (200, 200)
    site.command("user", "disable", "lee")
    assert (browser.get("/x").code, program.get("/scoped/x").code) == (303, 401)
    basic = base64.b64encode(f"lee:{PASSWORD}".encode()).decode()
    assert site.program(Authorization=f"Basic {basic}").get("/x").code == 401


def test_probe_38_7_4_3_a_new_password_ends_the_other_sessions(site: Probed) -> None:
    one, other = signed_in(site, "max"), signed_in(site, "max")
    page = one.get("/-/auth/password")
    fields = {name for name in page.form("/password") if name not in ("action", "token", "next")}
    values = {name: PASSWORD if "current" in name or name == "password" else OTHER for name in fields}
    reply = one.fill(page, "/password", **values)
    assert reply.code in (200, 303), reply.words
    assert one.get("/x").code == 200
    assert other.get("/x").code == 303
    assert site.browser().login("max").code != 303
    assert site.browser().login("max", OTHER).location == "/x"


def test_probe_39_7_5_2_sessions_are_listed_and_ended_by_user_and_admin(site: Probed) -> None:
    one, other = signed_in(site, "ned"), signed_in(site, "ned")
    page = one.get("/-/auth/account/devices")
    assert page.words.count("This device") == 1
    forms = [form for form in page.forms() if "device" in form["action"] and "id" in form]
    assert forms, [form["action"] for form in page.forms()]
    form = forms[0]
    assert one.send(form.pop("action"), form).code in (200, 303)
    assert (one.get("/x").code, other.get("/x").code) == (200, 303)
    assert "127.0.0.1" in site.command("session", "list", "ned")
    site.command("session", "revoke", "ned")
    assert one.get("/x").code == 303


def test_probe_42_8_3_2_a_role_that_is_taken_away_is_away_at_the_next_request(site: Probed) -> None:
    browser = signed_in(site, "pat")
    assert browser.get("/admin/x").code == 403
    site.command("role", "grant", "admin", "user:pat")
    assert browser.get("/admin/x").code == 200
    site.command("role", "revoke", "admin", "user:pat")
    assert browser.get("/admin/x").code == 403


def test_several_of_a_browser_s_requests_at_once_are_one_session(site: Probed) -> None:
    browser = signed_in(site)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: browser.get("/x").code, range(40))) == {200}
