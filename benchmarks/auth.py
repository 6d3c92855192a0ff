"""What knowing who asks costs: ``python benchmarks/auth.py [--json] [--rounds N]``.

Requests that show who makes them pass through the filter to an app that answers two bytes; what counts is the processor
time on top of the bare app. The session is in a SQLite file, as everything that belongs to its user. repoze.who reads
a signed ticket and looks its user up in an htpasswd file; Flask-Login reads a signed session and asks a function for
the user, in an app of Flask, compared with the same app without it. Then a site is served, and a client asks it for a
page that needs no login, one request after the other, while others send it wrong passwords without end: each of those
costs an argon2 hash with the default memory.
"""

from __future__ import annotations

import base64
import gc
import http.client
import io
import logging
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import process_time
from typing import Any

from dispatch import ENVIRON, HEADERS, start_response
from findings import Aim, Findings, arguments, progress, table

from wheatpaste.middleware.auth.accounts.options import StoreOptions
from wheatpaste.middleware.auth.auth_filter import Auth
from wheatpaste.middleware.auth.key_file import make_key_file
from wheatpaste.middleware.auth.rules import RuleOptions
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.auth.visit import Visit

App = Callable[[dict[str, Any], Any], Any]
REPEATS = 2_000
PASSWORD = "correct horse battery staple"
CAP = 30.0


def leaf(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", HEADERS)
    return [b"ok"]


def fresh(**more: str) -> dict[str, Any]:
    environ = dict(ENVIRON, PATH_INFO="/page", HTTP_HOST="localhost:8080", **more)
    environ["wsgi.input"], environ["wsgi.errors"] = io.BytesIO(), io.StringIO()
    return environ


class Case:
    """An app with and without what is measured, and the environ that it is asked with."""

    def __init__(self, title: str, app: App, bare: App, **environ: str) -> None:
        self.title, self.app, self.bare, self.environ = title, app, bare, environ
        self.on_top: list[float] = []

    def once(self, app: App) -> float:
        gc.collect()
        began = process_time()
        for _ in range(REPEATS):
            body = app(fresh(**self.environ), start_response)
            for _piece in body:
                pass
            close = getattr(body, "close", None)
            if close is not None:
                close()
        return (process_time() - began) / REPEATS * 1e6


# Ours -----------------------------------------------------------------------------------------------------------------


def site(folder: Path, methods: Sequence[str], url: str, sessions: str | None = None, rules: Any = None) -> Auth:
    key = folder / "auth.key"
    if not key.exists():
        make_key_file(key)
    parts: dict[str, Any] = {
        "": Site(secret=str(key), methods=tuple(methods), audit="none", allow_insecure=True),
        "store": StoreOptions(url=url, sessions=sessions),
    }
    if rules is not None:
        parts["rules"] = RuleOptions(rules=rules)
    return Auth(leaf, parts=parts)


def user_of(auth: Auth) -> Any:
    authority = auth.authority
    account = authority.users.find("ada") or authority.users.create("ada")
    if authority.users.password_hash(account) is None:
        authority.users.set_password(account.id, authority.passwords.hasher.hash(PASSWORD))
    return authority.users.get(account.id)


def cookie_of(auth: Auth) -> str:
    """The cookie of a new session."""
    visit = Visit(auth.authority, fresh())
    auth.authority.sessions.begin(visit, user_of(auth), ("pwd",))
    return next(value.partition(";")[0] for name, value in visit.headers if name == "Set-Cookie")


def our_cases(folder: Path, redis: str | None) -> list[Case]:
    file = f"sqlite:///{folder / 'auth.db'}"
    sqlite = site(folder, ["session"], file)
    memory = site(folder, ["session"], "memory:")
    basic = site(folder, ["session", "basic"], file)
    bearer = site(folder, ["session", "bearer"], file)
    rules = {f"/area{number}/*": f"role role{number} or user ada" for number in range(9)} | {"/*": "everyone"}
    ruled = site(folder, ["session"], file, rules=rules)
    user = user_of(sqlite)
    token, _ = bearer.authority.tokens.create(user, "bench", ["read"], None)
    credentials = base64.b64encode(f"ada:{PASSWORD}".encode()).decode()
    cases = [
        Case("wheatpaste, a session in SQLite", sqlite, leaf, HTTP_COOKIE=cookie_of(sqlite)),
        Case("wheatpaste, a session in memory", memory, leaf, HTTP_COOKIE=cookie_of(memory)),
        Case("wheatpaste, nobody", sqlite, leaf),
        Case("wheatpaste, ten path rules, nobody", ruled, leaf),
        Case("wheatpaste, Basic, remembered", basic, leaf, HTTP_AUTHORIZATION=f"Basic {credentials}"),
        Case("wheatpaste, an API token", bearer, leaf, HTTP_AUTHORIZATION=f"Bearer {token}"),
    ]
    if redis is not None:
        remote = site(folder, ["session"], file, redis)
        cases.append(Case("wheatpaste, a session in Redis", remote, leaf, HTTP_COOKIE=cookie_of(remote)))
    return cases


# Peers ----------------------------------------------------------------------------------------------------------------


def repoze(folder: Path) -> Case:
    from repoze.who.middleware import PluggableAuthenticationMiddleware
    from repoze.who.plugins.auth_tkt import AuthTktCookiePlugin
    from repoze.who.plugins.htpasswd import HTPasswdPlugin, plain_check

    (folder / "htpasswd").write_text("ada:secret\n")
    users = HTPasswdPlugin(str(folder / "htpasswd"), plain_check)
    tickets = AuthTktCookiePlugin("a secret of a benchmark, long enough", userid_checker=lambda name: name == "ada")
    from repoze.who.classifiers import default_challenge_decider, default_request_classifier

    app = PluggableAuthenticationMiddleware(
        leaf,
        [("tkt", tickets)],
        [("tkt", tickets), ("htpasswd", users)],
        [],
        [],
        default_request_classifier,
        default_challenge_decider,
    )
    headers = tickets.remember(fresh(), {"repoze.who.userid": "ada"})
    cookie = next(value.partition(";")[0] for name, value in headers if name == "Set-Cookie")
    return Case("repoze.who, a ticket", app, leaf, HTTP_COOKIE=cookie)


def flask_login() -> Case:
    from flask import Flask
    from flask_login import LoginManager, UserMixin, current_user, login_user

    def make(*, with_login: bool) -> Any:
        app = Flask("bench")
        app.secret_key = "a secret of a benchmark"

        @app.get("/page")
        def page() -> str:
            return "ok" if not with_login or current_user.is_authenticated else "no"

        return app

    class User(UserMixin):
        id = "ada"

    app = make(with_login=True)
    manager = LoginManager(app)
    manager.user_loader(lambda name: User() if name == "ada" else None)

    @app.get("/login")
    def login() -> str:
        login_user(User())
        return "in"

    answer = app.test_client().get("/login", headers={"User-Agent": ENVIRON["HTTP_USER_AGENT"]})
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    return Case("Flask-Login, a signed session", app, make(with_login=False), HTTP_COOKIE=cookie)


# While logins keep argon2 busy ----------------------------------------------------------------------------------------

SITE = """\
[server:main]
use = egg:wheatpaste#main
host = 127.0.0.1
port = {port}
[pipeline:main]
pipeline = auth page
[filter:auth]
use = egg:wheatpaste#auth
[auth:main]
secret = {folder}/auth.key
methods = session basic
audit = none
[auth:main:store]
url = sqlite:///{folder}/served.db
[auth:main:password]
throttle = 100000/1m
address_throttle = 100000/1m
[app:page]
use = egg:wheatpaste#echo
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def ask(connection: http.client.HTTPConnection, headers: dict[str, str]) -> float:
    began = time.perf_counter()
    connection.request("GET", "/", headers=headers)
    connection.getresponse().read()
    return (time.perf_counter() - began) * 1e3


def measure_waiting(folder: Path, seconds: float) -> tuple[float, float, float]:
    """p99 in milliseconds of requests without a login: idle, and while wrong passwords come; and those per second."""
    port = free_port()
    config = folder / "site.ini"
    config.write_text(SITE.format(port=port, folder=folder))
    command = [sys.executable, "-m", "wheatpaste", "serve", str(config)]
    with ExitStack() as stack:
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
        stack.callback(server.wait)
        stack.callback(server.terminate)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for _ in range(200):
            try:
                ask(connection, {})
                break
            except OSError:
                connection.close()
                time.sleep(0.05)
        idle = _p99(connection, seconds)
        ends, logins = time.perf_counter() + seconds + 1, []

        def guess() -> None:
            wrong = base64.b64encode(b"ada:wrong password").decode()
            own = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            while time.perf_counter() < ends:
                ask(own, {"Authorization": f"Basic {wrong}"})
                logins.append(1)
            own.close()

        guessing = [threading.Thread(target=guess) for _ in range(4)]
        began = time.perf_counter()
        for thread in guessing:
            thread.start()
        time.sleep(0.5)
        busy = _p99(connection, seconds)
        for thread in guessing:
            thread.join()
        connection.close()
        return idle, busy, len(logins) / (time.perf_counter() - began)


def _p99(connection: http.client.HTTPConnection, seconds: float) -> float:
    taken = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        taken.append(ask(connection, {}))
        time.sleep(0.002)
    return statistics.quantiles(taken, n=100)[98]


# Telling --------------------------------------------------------------------------------------------------------------


def start_redis(stack: ExitStack, folder: Path) -> str | None:
    program = shutil.which("redis-server")
    if program is None:
        return None
    port = free_port()
    running = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    stack.callback(running.wait)
    stack.callback(running.terminate)
    for _ in range(100):
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return f"redis://127.0.0.1:{port}/0"
        time.sleep(0.05)
    return None


def findings(rounds: int) -> Findings:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cases = [*our_cases(folder, start_redis(stack, folder)), repoze(folder), flask_login()]
        for number in range(rounds):
            progress(f"requests: round {number + 1} of {rounds}")
            for case in cases:
                bare = case.once(case.bare)
                case.on_top.append(case.once(case.app) - bare)
        waits = [measure_waiting(folder, 4.0 if rounds > 3 else 1.0) for _ in range(min(rounds, 5))]
    cost = {case.title: statistics.median(case.on_top) for case in cases}
    idle, busy, logins = (statistics.median(each) for each in zip(*waits, strict=True))
    slower = statistics.median(each[1] / each[0] for each in waits)
    ours = cost["wheatpaste, a session in SQLite"]
    theirs = {name: cost[name] for name in ("repoze.who, a ticket", "Flask-Login, a signed session")}
    text = "\n\n".join(
        [
            "On top of a request, µs of processor time:",
            table(["who, and what the request has", "µs"], [[name, f"{value:.1f}"] for name, value in cost.items()]),
            f"Requests without a login waited {idle:.2f} ms (p99) when nothing else was going on, and {busy:.2f} ms"
            f" while {logins:.0f} wrong passwords per second were hashed: {slower:.1f} times as long.",
        ]
    )
    peers = ", ".join(f"{name} {value:.1f} µs" for name, value in theirs.items())
    return Findings(
        text=text,
        rows=[("a request with a session (SQLite)", f"{ours:.1f} µs", peers)],
        aims=[
            Aim(f"a session in SQLite costs at most {CAP:.0f} µs", f"{ours:.1f} µs", ours <= CAP),
            Aim(
                "while passwords are hashed, p99 of other requests is within twice its idle value",
                f"{slower:.1f}",
                slower <= 2,
            ),
        ],
        figures={"on_top": cost, "p99": {"idle": idle, "busy": busy}, "logins": logins},
    )


def main() -> None:
    options = arguments(__doc__, 21).parse_args()
    logging.disable()
    warnings.simplefilter("ignore")
    findings(options.rounds).print(as_json=options.json)


if __name__ == "__main__":
    main()
