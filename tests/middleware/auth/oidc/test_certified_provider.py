"""With the certified provider of npm, over real sockets: it decides what OpenID Connect is, and we follow."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import oidc_provider
import pytest
import requests
from auth_command import auth
from oidc_provider import SECRET, Person, fields_of
from oidc_site import MOUNT, OidcSite
from running_server import RunningServer, free_port, poll
from threaded_wsgi import ThreadedServer

from wheatpaste.middleware.auth.oidc.options import OidcOptions

pytestmark = pytest.mark.slow

START = f"{MOUNT}/oidc/corp/start"
USERS = {"alice": ["wiki-admins", "others"], "bob": ["others"]}
GROUPS = {"admin": ("corp/wiki-admins",), "staff": ("corp/*",)}


class MovedClock:
    """The time of the provider's process, moved on by what a test says."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def time(self) -> float:
        return time.time() + self.ahead


class Both:
    """The site and its provider, and how to have the provider again with other keys."""

    def __init__(self, **more: Any) -> None:
        self.clock = MovedClock()
        self._more = more
        self._port = free_port()
        self._served = ThreadedServer()
        self._served.set_app(lambda e, s: self.site.app(e, s))
        self.url = f"http://127.0.0.1:{self._served.server_port}"
        options = OidcOptions(
            issuer=f"http://127.0.0.1:{self._port}",
            client_id="wiki",
            client_secret=SECRET,
            provision="create",
            groups_claim="groups",
            scopes=("openid", "profile", "email", "groups"),
        )
        self.site = OidcSite(self.clock, sections={"corp": options}, groups=GROUPS)  # type: ignore[arg-type]
        self._thread = threading.Thread(target=self._served.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.provider = self.start_provider()

    def start_provider(self) -> RunningServer:
        self.provider = oidc_provider.start(self._port, self.url, USERS, **self._more)
        return self.provider

    def close(self) -> None:
        self.provider.kill()
        self._served.shutdown()
        self._served.server_close()
        self._thread.join(5)

    def set_groups(self, user: str, groups: list[str]) -> None:
        requests.post(f"{self.provider.url}/test/users", json={user: groups}, timeout=10)


@pytest.fixture
def make_both() -> Iterator[Callable[..., Both]]:
    made: list[Both] = []

    def make(**more: Any) -> Both:
        made.append(Both(**more))
        return made[-1]

    yield make
    for each in made:
        each.close()


def log_in(both: Both, name: str) -> Person:
    person = Person(name)
    page = person.get(f"{both.url}{START}?next=/page")
    assert page.url == f"{both.url}/page", (page.url, page.text, both.provider.log())
    return person


def page_of(both: Both, person: Person) -> str:
    return person.get(f"{both.url}/page").text


@pytest.mark.parametrize("push", [False, True], ids=["it asks by address", "it pushes its request beforehand"])
def test_two_people_log_in(make_both: Callable[..., Both], push: bool) -> None:
    both = make_both(push=push)
    alice, bob = log_in(both, "alice"), log_in(both, "bob")
    assert page_of(both, alice) == "alice admin,staff"
    assert page_of(both, bob) == "bob staff"
    account = both.site.users.find("alice")
    assert account is not None
    assert (account.display, account.email) == ("alice of the provider", "alice@example.org")
    assert not account.email_verified, "the provider's word on that is not trusted"


def test_a_session_is_refreshed_and_ends_when_the_grant_does(make_both: Callable[..., Both]) -> None:
    both = make_both()
    alice = log_in(both, "alice")
    both.set_groups("alice", ["others"])
    assert page_of(both, alice) == "alice admin,staff"
    for _ in range(3):
        both.clock.ahead += 301
        # Its tokens are of the real time: with ours in front they would be of too long ago, but for their long life.
        assert page_of(both, alice) == "alice staff", both.provider.log()
    account = both.site.users.find("alice")
    assert account is not None
    (session,) = both.site.sessions.of(account.id)
    both.provider.kill()
    both.start_provider()  # it keeps nothing, so that no grant of before holds
    both.clock.ahead += 301
    assert page_of(both, alice) == "- "
    assert both.site.sessions.of(account.id) == []
    assert session.id in {each.get("session") for each in both.site.events if each["event"] == "session.revoke"}


def test_a_logout_at_the_provider_ends_the_session_here(make_both: Callable[..., Both]) -> None:
    both = make_both()
    alice, bob = log_in(both, "alice"), log_in(both, "bob")
    alice.confirm_logout(alice.get(f"{both.provider.url}/session/end"))
    poll(lambda: page_of(both, alice) == "- ", 20, lambda: f"no logout came: {both.provider.log()}")
    assert page_of(both, bob) == "bob staff"
    assert "backchannel.error" not in both.provider.log()
    assert "logout at the provider" in both.site.reasons()


def test_new_keys_are_taken_up(make_both: Callable[..., Both]) -> None:
    both = make_both()
    log_in(both, "alice")
    both.provider.kill()
    both.start_provider()
    both.clock.ahead += 61  # keys are asked for once a minute at most
    assert page_of(both, log_in(both, "bob")) == "bob staff"


SITE = """
    [pipeline:main]
    pipeline = auth app

    [filter:auth]
    use = egg:wheatpaste#auth
    auth = main

    [auth:main]
    secret = %(here)s/auth.key
    public_url = http://127.0.0.1:{port}
    login = password oidc:corp

    [auth:main:store]
    url = sqlite:///%(here)s/auth.db

    [auth:main:oidc:corp]
    issuer = http://127.0.0.1:{provider}
    client_id = wiki
    client_secret = {secret}
    scopes = openid profile email groups
    groups_claim = groups
    provision = create
    title = Corp

    [auth:main:groups]
    admin = corp/wiki-admins

    [auth:main:rules]
    /admin = group admin
    /* = authenticated

    [app:app]
    use = call:whoami:make

    [server:main]
    use = egg:wheatpaste#main
    host = 127.0.0.1
    port = {port}
"""

APP = """
def make(global_conf):
    def app(environ, start_response):
        identity = environ["wheatpaste.identity"]
        body = (identity["name"] + " " + ",".join(identity["groups"])).encode()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    return app
"""


def test_a_site_of_an_ini_from_login_to_logout(
    write_ini: Callable[..., Path], running_server: Callable[..., RunningServer], tmp_path: Path
) -> None:
    port, provider_port = free_port(), free_port()
    ini = write_ini(SITE.format(port=port, provider=provider_port, secret=SECRET))
    (tmp_path / "whoami.py").write_text(APP)
    auth(ini, "init", "--no-admin")
    provider = oidc_provider.start(provider_port, f"http://127.0.0.1:{port}", USERS)
    try:
        site = running_server(ini.name, "--listen", f"127.0.0.1:{port}", env={"PYTHONPATH": str(tmp_path)})
        alice, bob = Person("alice"), Person("bob")
        browser = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}
        page = alice.http.get(f"{site.url}/admin?x=1", headers=browser, timeout=20)
        assert page.url.startswith(f"{site.url}{MOUNT}/login"), page.url
        link = re.search(r'href="([^"]*/oidc/corp/start[^"]*)"', page.text)
        assert link is not None, page.text
        page = alice.get(site.url + unescape(link[1]))
        assert (page.url, page.text) == (f"{site.url}/admin?x=1", "alice admin")
        bob.get(f"{site.url}{START}?next=/page")
        assert bob.get(f"{site.url}/page").text == "bob "
        assert bob.get(f"{site.url}/admin").status_code == 403

        page = alice.get(f"{site.url}{MOUNT}/logout")
        fields = fields_of(page.text)
        page = alice.http.post(page.url, data=fields, timeout=20)
        onward = re.search(rf'href="({re.escape(provider.url)}/session/end[^"]*)"', page.text)
        assert onward is not None, page.text
        assert alice.get(f"{site.url}/page").status_code == 401
        page = alice.confirm_logout(alice.get(unescape(onward[1])))
        assert page.url.startswith(f"{site.url}{MOUNT}/oidc/corp/logout?state="), page.url
        assert page.status_code == 200
        asked = alice.http.get(f"{site.url}{START}", timeout=20)
        assert 'name="login"' in asked.text, "the session at the provider has ended, too"
        assert bob.get(f"{site.url}/page").text == "bob "
    finally:
        provider.kill()
