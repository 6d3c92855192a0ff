"""A site with worker processes whose users are in PostgreSQL and whose sessions are in Redis."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from running_server import RunningServer, poll
from stored_servers import SECRET, PostgresServer, RedisServer

pytestmark = pytest.mark.slow

PASSWORD = "four plain words here"
SITE = """
    [server:main]
    use = egg:wheatpaste#main
    workers = 2

    [app:main]
    use = egg:wheatpaste#echo
    filter-with = auth

    [filter:auth]
    use = egg:wheatpaste#auth

    [auth:main]
    secret = %(here)s/auth.key
    default = authenticated

    [auth:main:store]
    url = {url}
    sessions = {sessions}

    [auth:main:password]
    argon2 = t=1,m=8,p=1
    """


class Site:
    """A site that is served, and its command line."""

    def __init__(self, path: Path, serve: Callable[..., RunningServer]) -> None:
        self.path = path
        self.command("init", "--no-admin")
        self.command("user", "add", "bob", stdin=PASSWORD)
        self.server = serve(path)

    def command(self, *words: str, stdin: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "wheatpaste", "auth", str(self.path), *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert SECRET not in done.stdout + done.stderr
        return done.stdout

    def signed_in(self) -> requests.Session:
        session = requests.Session()
        page = session.get(f"{self.server.url}/", headers={"Accept": "text/html", "Sec-Fetch-Mode": "navigate"})
        form = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        form |= {"username": "bob", "password": PASSWORD}
        headers = {"Origin": self.server.url}
        done = session.post(page.url, data=form, headers=headers, allow_redirects=False)
        assert done.status_code == 303, done.text
        return session

    def statuses(self, session: requests.Session, count: int = 12) -> set[int]:
        """What several requests are answered with, each over a connection of its own, so that all workers have some."""
        cookies = requests.utils.dict_from_cookiejar(session.cookies)
        return {
            requests.get(f"{self.server.url}/", cookies=cookies, allow_redirects=False, timeout=20).status_code
            for _ in range(count)
        }


@pytest.fixture
def site(
    write_ini: Callable[..., Path],
    running_server: Callable[..., RunningServer],
    postgres_server: PostgresServer,
    redis_server: RedisServer,
) -> Site:
    text = SITE.format(url=postgres_server.url(), sessions=redis_server.url())
    return Site(write_ini(text), running_server)


def test_all_workers_know_a_session_and_the_command_line_ends_it(site: Site):
    session = site.signed_in()
    assert site.statuses(session) == {200}
    (listed,) = json.loads(site.command("session", "list", "bob", "--json"))
    assert listed["address"] == "127.0.0.1"
    site.command("session", "revoke", "bob")
    assert site.statuses(session) == {401}
    session = site.signed_in()
    site.command("user", "disable", "bob")
    assert site.statuses(session) == {401}


def test_a_store_that_is_down_lets_nobody_in_and_keeps_nobody_out_afterwards(
    site: Site, postgres_server: PostgresServer, redis_server: RedisServer
):
    session = site.signed_in()
    postgres_server.stop()
    try:
        assert site.statuses(session, 4) == {503}
        assert site.statuses(requests.Session(), 2) == {401}
        answer = requests.get(f"{site.server.url}/", cookies=session.cookies.get_dict(), timeout=20)
        assert SECRET not in answer.text
        assert str(postgres_server.port) not in answer.text
    finally:
        postgres_server.start()
    poll(lambda: site.statuses(session) == {200}, 20, lambda: site.server.log())
    redis_server.stop()
    try:
        assert site.statuses(session, 4) == {503}
    finally:
        redis_server.start()
    assert site.statuses(session) == {401}  # this Redis keeps nothing on the disk
    assert site.statuses(site.signed_in()) == {200}
    assert SECRET not in site.server.log()
