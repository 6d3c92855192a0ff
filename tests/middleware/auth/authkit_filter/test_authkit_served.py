"""A configuration of AuthKit, checked and served by the command line, with several processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from html import unescape
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from running_server import RunningServer

pytestmark = pytest.mark.slow

KIT = Path(__file__).resolve().parents[3] / "_kit"
SITE = """
[server:main]
use = egg:wheatpaste#main
workers = 2

[pipeline:main]
pipeline = login wiki

[app:wiki]
paste.app_factory = auth_authkit_app:app_factory
authkit.setup.method = form, cookie
authkit.form.authenticate.user.type = authkit.users.UsersFromFile
authkit.form.authenticate.user.data = %(here)s/users.txt
authkit.form.authenticate.user.encrypt = authkit.users:md5
authkit.form.authenticate.user.encrypt.secret = some secret string
authkit.cookie.secret = c51f0be93a7d42e8916b0f3ad5e7c284
authkit.cookie.signoutpath = /signout

[filter:login]
use = egg:wheatpaste#authkit
app_section = wiki
store = sqlite:///%(here)s/auth.db
audit = json:%(here)s/audit.log
argon2 = t=1,m=8,p=1
"""
OWN = {"Sec-Fetch-Site": "same-origin"}


def environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(KIT)}


def ask(server: RunningServer, method: str, path: str, cookies: dict[str, str], form: dict[str, str] | None = None):  # type: ignore[no-untyped-def]
    headers = {"Accept": "text/html", **OWN}
    if cookies:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    reply = server.request(method, path, headers, None if form is None else urlencode(form))
    for line in reply.headers.get_all("Set-Cookie") or ():
        for name, morsel in SimpleCookie(line).items():
            cookies[name] = morsel.value
    return reply


def test_processes_share_logins_and_their_end(
    running_server: Callable[..., RunningServer], write_ini: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "users.txt").write_text("ada:9406649867375c79247713a7fb81edf0:staff admin\n")
    path = write_ini(SITE)
    checked = subprocess.run(
        [sys.executable, "-m", "wheatpaste", "check", str(path)],
        capture_output=True,
        text=True,
        env=environ(),
        timeout=60,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    server = running_server(path, env=environ())
    cookies: dict[str, str] = {}
    asked = ask(server, "GET", "/private", cookies)
    assert asked.status == 303
    target = urlsplit(asked.headers["Location"])
    form = ask(server, "GET", f"{target.path}?{target.query}", cookies)
    action = re.search(r'action="([^"]*)"', form.text)
    assert action is not None
    fields = {"username": "ada", "password": "password1"}
    wrong = ask(server, "POST", unescape(action[1]), cookies, {**fields, "password": "password2"})
    assert wrong.status == 401
    assert ask(server, "POST", unescape(action[1]), cookies, fields).status == 303
    seen = {ask(server, "GET", "/private", cookies).text for _ in range(20)}
    assert len(seen) == 1
    assert "REMOTE_USER=ada AUTH_TYPE=cookie REMOTE_USER_TOKENS=admin" in seen.pop()
    taken = dict(cookies)
    assert ask(server, "POST", "/signout", cookies).status == 200
    assert {ask(server, "GET", "/private", dict(taken)).status for _ in range(20)} == {303}
    events = [line.split('"event":"')[1].split('"')[0] for line in (tmp_path / "audit.log").read_text().splitlines()]
    assert events == ["login.fail", "login.ok", "logout"]
    log = (tmp_path / "audit.log").read_text()
    assert "password1" not in log
    assert "password2" not in log


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("form, cookie", "form, openid"), "openid is gone"),
        (("c51f0be93a7d42e8916b0f3ad5e7c284", "secret"), "has 6 characters"),
        (("authkit.users:md5", "lambda p: p"), "must have the form module:object"),
        (("signoutpath = /signout", "singoutpath = /signout"), "did you mean 'cookie.signoutpath'"),
        (("app_section = wiki", "app_section = wkii"), "there is no section [app:wkii]"),
    ],
)
def test_a_check_says_with_file_and_line_what_is_wrong(
    change: tuple[str, str], expected: str, write_ini: Callable[..., Path]
) -> None:
    path = write_ini(SITE.replace(*change))
    command = [sys.executable, "-m", "wheatpaste", "check", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environ(), timeout=60)
    assert done.returncode == 1
    line = next(line for line in (done.stdout + done.stderr).splitlines() if expected in line)
    assert re.match(r"\S*site\.ini:\d+: \[", line)


def test_serving_an_open_site_is_refused_where_others_reach_it(write_ini: Callable[..., Path]) -> None:
    path = write_ini(SITE.replace("[filter:login]", "authkit.setup.enable = false\n\n[filter:login]"))
    command = [sys.executable, "-m", "wheatpaste", "check", str(path)]

    def check(**further: str) -> str:
        known = {**environ(), **further}
        done = subprocess.run(command, capture_output=True, text=True, env=known, timeout=60)
        return "" if done.returncode == 0 else done.stdout + done.stderr

    assert "lets everybody in without a login" in check()
    assert check(WHEATPASTE_INSECURE_DEV="1") == ""
    path.write_text(path.read_text().replace("workers = 2", "workers = 2\nhost = 0.0.0.0"))
    assert "lets everybody in who reaches" in check(WHEATPASTE_INSECURE_DEV="1")
