"""What can be seen from outside of a served site's sessions and tokens: ASVS 5.0, chapters 3 and 7."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from auth_command import auth
from running_server import RunningServer, poll

pytestmark = pytest.mark.slow

PASSWORD = "gelbe Ampel nachts"
COOKIE = "__Host-wheatpaste.session"
SITE = """
    [app:main]
    use = egg:wheatpaste#echo
    filter-with = auth

    [filter:auth]
    use = egg:wheatpaste#auth

    [auth:main]
    secret_file = %(here)s/auth.key
    public_url = https://wiki.example.org
    methods = session bearer basic
    audit = json:%(here)s/audit.log

    [auth:main:store]
    url = sqlite:///%(here)s/auth.db

    [auth:main:password]
    argon2 = t=1,m=8,p=1

    [auth:main:session]
    idle = {idle}

    [auth:main:rules]
    /admin/* = role editor
    /* = authenticated

    [server:main]
    use = egg:wheatpaste#http
    workers = 2
"""


class Agent:
    """A browser behind a proxy that speaks TLS: it keeps cookies as they are told, and says what it was told."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cookies: dict[str, str] = {}
        self.told: list[str] = []
        self.seen = ""

    def copy(self) -> Agent:
        made = Agent(self.url)
        made.cookies = dict(self.cookies)
        return made

    def send(self, method: str, path: str, **how: Any) -> httpx.Response:
        headers = {
            "Host": "wiki.example.org",
            "Sec-Fetch-Site": "same-origin",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
            "Accept": "text/html",
            **how.pop("headers", {}),
        }
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = httpx.request(method, self.url + path, headers=headers, timeout=30, **how)
        self.seen += answer.text + answer.headers.get("location", "")
        for cookie in answer.headers.get_list("set-cookie"):
            self.told.append(cookie)
            pair, *attributes = cookie.split("; ")
            name, _, value = pair.partition("=")
            if "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    def get(self, path: str, **how: Any) -> httpx.Response:
        return self.send("GET", path, **how)

    def fill(self, page: httpx.Response, path: str, **fields: str) -> httpx.Response:
        """Send the first form of a page, with what is hidden in it."""
        form = page.text.partition("<form")[2].partition("</form>")[0]
        hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form))
        return self.send("POST", path, data={**hidden, **fields})

    def login(self, name: str = "bob", **fields: str) -> httpx.Response:
        page = self.get("/-/auth/login")
        return self.fill(page, "/-/auth/login", username=name, password=PASSWORD, **fields)

    @property
    def is_in(self) -> bool:
        return self.get("/").status_code == 200


class Served:
    """A site with users, made by the command line, and served by two processes."""

    def __init__(self, ini: Path, start: Callable[..., RunningServer]) -> None:
        self.ini = ini
        self.run("init", "--no-admin")
        for name in ("bob", "eve"):
            self.run("user", "add", name, given=PASSWORD)
        self.url = f"http://127.0.0.1:{start(ini).port}"

    def run(self, *words: str, given: str = "") -> str:
        return auth(self.ini, *words, given=given)

    def agent(self) -> Agent:
        return Agent(self.url)


@pytest.fixture
def serve(write_ini: Callable[..., Path], running_server: Callable[..., RunningServer]) -> Callable[..., Served]:
    return lambda idle="1h": Served(write_ini(SITE.format(idle=idle)), running_server)


def test_cookies_are_for_the_site_alone_and_secrets_are_in_nothing_else(serve: Callable[..., Served]) -> None:
    """ASVS 3.3.1 to 3.3.5, 14.2.1, 14.3.2."""
    agent = serve().agent()
    assert agent.login(remember="1").status_code == 303
    assert agent.is_in
    page = agent.get("/-/auth/account")
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert len(agent.told) >= 2
    for cookie in agent.told:
        name, *attributes = cookie.split("; ")
        assert name.startswith("__Host-")
        assert len(name) <= 4096
        assert {"Secure", "HttpOnly", "Path=/"} <= set(attributes)
        assert {"SameSite=Lax", "SameSite=Strict"} & set(attributes)
        assert not [each for each in attributes if each.startswith("Domain")]
    for secret in (agent.cookies[COOKIE], PASSWORD):
        assert secret not in agent.seen


def test_a_login_has_a_session_of_its_own_that_ends_with_the_logout(serve: Callable[..., Served]) -> None:
    """ASVS 7.2.2 to 7.2.4, 7.4.1, 3.5.3."""
    site = serve()
    agent, planted = site.agent(), site.agent()
    planted.login("eve")
    agent.cookies[COOKIE] = planted.cookies[COOKIE]
    agent.login()
    tokens = {agent.cookies[COOKIE], planted.cookies[COOKIE]}
    assert len(tokens) == 2
    assert all(len(bytes.fromhex(token)) >= 48 for token in tokens)
    assert not planted.is_in
    agent.cookies[COOKIE] = "0" * 128
    assert not agent.is_in
    agent.login()
    assert agent.cookies[COOKIE] != "0" * 128
    copy = agent.copy()
    assert copy.is_in
    page = agent.get("/-/auth/logout")
    assert copy.is_in
    agent.fill(page, "/-/auth/logout")
    assert COOKIE not in agent.cookies
    assert not copy.is_in


def test_who_is_disabled_or_deleted_is_out_at_the_next_request(serve: Callable[..., Served]) -> None:
    """ASVS 7.4.2, 8.3.2."""
    site = serve()
    agent = site.agent()
    agent.login()
    token = site.run("token", "create", "bob", "CI", "--scope", "pages:read").split()[-1]
    bearer = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    assert agent.get("/admin/x").status_code == 403
    site.run("role", "grant", "editor", "bob")
    assert agent.get("/admin/x").status_code == 200
    site.run("role", "revoke", "editor", "bob")
    assert agent.get("/admin/x").status_code == 403
    basic = site.agent()
    assert basic.get("/", headers=bearer).status_code == 200
    assert httpx.get(site.url, auth=("bob", token)).status_code == 200
    site.run("user", "disable", "bob")
    assert not agent.is_in
    refused = basic.get("/", headers=bearer)
    assert refused.status_code == 401
    assert 'error="invalid_token"' in ",".join(refused.headers.get_list("www-authenticate"))
    assert httpx.get(site.url, auth=("bob", token)).status_code == 401
    site.run("user", "enable", "bob")
    assert not agent.is_in
    other = site.agent()
    other.login("eve")
    assert other.is_in
    site.run("user", "delete", "eve", "--yes")
    assert not other.is_in
    log = (site.ini.parent / "audit.log").read_text()
    for secret in (token, token.split("_")[2], agent.cookies.get(COOKIE, "-"), PASSWORD):
        assert secret not in log or secret == "-"


def test_sessions_are_listed_and_ended_by_their_user_and_by_the_admin(serve: Callable[..., Served]) -> None:
    """ASVS 7.4.3, 7.4.5, 7.5.2."""
    site = serve()
    one, two, three = (site.agent() for _ in range(3))
    for agent in (one, two, three):
        agent.login()
    rows = json.loads(site.run("session", "list", "bob", "--json"))
    assert len(rows) == 3
    site.run("session", "revoke", "bob", rows[0]["id"])
    assert sum(agent.is_in for agent in (one, two, three)) == 2
    left = [agent for agent in (one, two, three) if agent.is_in]
    page = left[0].get("/-/auth/account/password")
    new = "ein ganz anderer Satz"
    left[0].fill(page, "/-/auth/account/password", current=PASSWORD, new=new, again=new)
    assert left[0].is_in
    assert not left[1].is_in
    site.run("session", "revoke", "bob")
    assert not left[0].is_in


def test_a_form_survives_the_end_of_its_session(serve: Callable[..., Served]) -> None:
    """ASVS 7.3.1, and what its user does not lose by it."""
    site = serve("5s")
    agent = site.agent()
    agent.login()
    assert agent.is_in

    poll(lambda: not json.loads(site.run("session", "list", "bob", "--json")), 60, lambda: "the session goes on")
    sent = agent.send("POST", "/pages/new", data={"title": "Plan of the day"})
    assert (sent.status_code, sent.headers["location"].split("?")[0]) == (303, "/-/auth/login")
    copy = agent.copy()
    copy.login("eve")
    assert "/pages/new" not in copy.get("/-/auth/resume").text
    agent.login()
    page = agent.get("/-/auth/resume")
    assert "/pages/new" in page.text
    done = agent.fill(page, "/-/auth/resume")
    assert done.status_code == 200
    assert "Plan" in done.text
    assert "/pages/new" in done.text
    assert agent.fill(page, "/-/auth/resume").status_code in (303, 404)
