"""A site served over TLS from an INI, whose users the command line has made, and whoever probes it."""

from __future__ import annotations

import http.cookiejar
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import moved_clock
import pyotp
from auth_pages import Reply
from running_server import RunningServer
from tls_peers import Authority

PASSWORD = "seven hungry paper boats"
OTHER = "nine quiet brick walls"

INI = """\
[server:main]
use = egg:wheatpaste#main
host = 127.0.0.1
port = 0
tls_certificate = {folder}/localhost.pem
{server}

[pipeline:main]
pipeline = auth page

[filter:auth]
use = egg:wheatpaste#auth

[auth:main]
secret = %(here)s/auth.key
public_url = https://localhost
title = Probed
methods = {methods}
audit = json:%(here)s/audit.log
{main}

[auth:main:store]
url = sqlite:///%(here)s/auth.db

[auth:main:password]
argon2 = t=1,m=64,p=1
{password}

[auth:main:session]
{session}

[auth:main:rules]
/open/* = everyone
/admin/* = role admin
/pay/* = authenticated and mfa
/scoped/* = scope page:read
/* = authenticated

{more}

[app:page]
use = egg:wheatpaste#echo
"""

NAVIGATES = {
    "Accept": "text/html",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "same-origin",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
}


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *given: Any) -> None:
        return None


class Probed:
    """The site. ``server``, ``main``, ``password``, ``session`` and ``more`` are lines for its INI."""

    def __init__(self, folder: Path, *, methods: str = "session basic bearer", **lines: str) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        self.authority.issue("localhost", "127.0.0.1")
        given = {**dict.fromkeys(("server", "main", "password", "session", "more"), ""), **lines}
        self.ini = folder / "site.ini"
        self.ini.write_text(INI.format(folder=folder, methods=methods, **given), encoding="utf-8")
        self.server: RunningServer | None = None
        self.ahead = 0.0
        """By how many seconds the server's clock is ahead of ours."""
        self._clock = folder / "clock"
        self.move(0)

    def move(self, seconds: float) -> None:
        """Let time pass for the server."""
        self.ahead += seconds
        written = self._clock.with_suffix(".new")
        written.write_text(str(self.ahead), encoding="ascii")
        written.replace(self._clock)

    def code(self, seed: str) -> str:
        """What an app with this seed shows now."""
        return pyotp.TOTP(seed).at(int(time.time() + self.ahead))

    def command(self, *words: str, stdin: str = "", check: bool = True) -> str:
        """Run ``wheatpaste auth site.ini …``; what it prints."""
        argv = [sys.executable, "-m", "wheatpaste", "auth", str(self.ini), *words]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, cwd=self.folder, check=False)
        if check and done.returncode:
            raise AssertionError(done.stdout + done.stderr)
        return done.stdout

    def add(self, name: str, password: str = PASSWORD) -> None:
        self.command("user", "add", name, stdin=password + "\n")

    def start(self) -> Probed:
        argv = [sys.executable, moved_clock.__file__, str(self._clock), "serve", str(self.ini)]
        self.server = RunningServer(argv, cwd=self.folder).wait_until_ready(30)
        return self

    def end(self) -> None:
        if self.server is not None:
            self.server.kill()
            self.server = None

    @property
    def port(self) -> int:
        assert self.server is not None
        assert self.server.port is not None
        return self.server.port

    def browser(self, **headers: str) -> Probing:
        """A browser that has never been here."""
        return Probing(self, {**NAVIGATES, **headers})

    def program(self, **headers: str) -> Probing:
        """A program: it is told challenges."""
        return Probing(self, {"User-Agent": "probe/1", "Accept": "*/*", **headers})

    def events(self) -> list[dict[str, Any]]:
        """The lines of the audit log."""
        log = self.folder / "audit.log"
        return [json.loads(line) for line in log.read_text(encoding="ascii").splitlines()] if log.exists() else []


class Probing:
    """Sends requests, keeps cookies as browsers do, and does not follow redirects."""

    def __init__(self, site: Probed, headers: Mapping[str, str]) -> None:
        self.site = site
        self.headers = dict(headers)
        self.jar = http.cookiejar.CookieJar()
        context = site.authority.client()
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context), urllib.request.HTTPCookieProcessor(self.jar), _Stay
        )
        self._opener.addheaders = []
        self.cookies_set: list[str] = []

    def send(self, path: str, data: Mapping[str, str] | bytes | None = None, method: str = "", **headers: str) -> Reply:
        body = urlencode(data).encode() if isinstance(data, Mapping) else data
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if body is not None and "Sec-Fetch-Mode" in sent:
            sent.setdefault("Origin", f"https://localhost:{self.site.port}")
        request = urllib.request.Request(
            f"https://localhost:{self.site.port}{path}", body, sent, method=method or ("POST" if body else "GET")
        )
        try:
            answer = self._opener.open(request, timeout=20)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read().decode("utf-8", "replace")
            got = list(answer.headers.items())
            self.cookies_set += [value for name, value in got if name.lower() == "set-cookie"]
            return Reply(f"{answer.status} {answer.reason}", got, text)

    def get(self, path: str, **headers: str) -> Reply:
        return self.send(path, **headers)

    def fill(self, page: Reply, action: str, **values: str) -> Reply:
        form = page.form(action)
        target = form.pop("action")
        return self.send(target, {**form, **values})

    def login(self, name: str, password: str = PASSWORD, target: str = "/x", **more: str) -> Reply:
        page = self.get(f"/-/auth/login?{urlencode({'next': target})}")
        return self.fill(page, "/login", username=name, password=password, **more)

    def cookie(self, name: str = "__Host-wheatpaste.session") -> str | None:
        return next((each.value for each in self.jar if each.name == name), None)

    def bring(self, value: str, name: str = "__Host-wheatpaste.session") -> Reply:
        """Ask for a page with a cookie of our choice, and no other."""
        self.jar.clear()
        return self.get("/x", Cookie=f"{name}={value}")


class Secrets(NamedTuple):
    """What a user has added."""

    totp: str
    codes: list[str]


def add_totp(browser: Probing) -> Secrets:
    """Add an app with codes on the account pages."""
    page = browser.get("/-/auth/account/totp")
    found = re.search(r"\b([A-Z2-7]{4}(?: [A-Z2-7]{4}){3,12})\b", page.words)
    assert found is not None, page.words
    seed = found[1].replace(" ", "")
    reply = browser.fill(page, "/totp", code=browser.site.code(seed))
    return Secrets(seed, re.findall(r"\b[A-Z2-7]{5}-[A-Z2-7]{5}\b", reply.words))
