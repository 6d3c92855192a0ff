"""Logins of more than one step."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from believing import Events

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.logins import COOKIE, SECONDS, Pending
from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.middleware.storage.memory import MemoryStore

BOB = Account(id="local:1", name="bob", source="local")
BOTH = BOB._replace(has_second_factor=True)


class Sessions:
    """Sessions that only remember who got one."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, tuple[str, ...]]] = []

    def begin(self, visit: Visit, account: Account, amr: tuple[str, ...], **how: Any) -> None:
        self.begun.append((account.name, amr))


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authority(make_authority: Callable[..., Authority], clock: Clock) -> Authority:
    return make_authority(sessions=Sessions(), store=MemoryStore(clock), clock=clock)


@pytest.fixture
def visit(authority: Authority) -> Callable[..., Visit]:
    """A request of a browser: ``visit(cookie)``."""

    def of(cookie: str = "", **environ: Any) -> Visit:
        base = {"REQUEST_METHOD": "POST", "PATH_INFO": "/-/auth/login", "wsgi.url_scheme": "http"}
        return Visit(authority, {**base, "HTTP_COOKIE": cookie, **environ})

    return of


def cookie_of(visit: Visit) -> str:
    """What the browser sends back."""
    return next(value.split(";")[0] for name, value in visit.headers if name == "Set-Cookie" and COOKIE in value)


def test_one_factor_is_enough_for_who_has_no_second(authority: Authority, visit: Any) -> None:
    answer = authority.logins.first_factor(visit(), BOB, ("pwd",), target="/wiki")
    assert (answer.status, dict(answer.headers)["Location"]) == ("303 See Other", "/wiki")
    assert authority.sessions.begun == [("bob", ("pwd",))]


def test_with_a_second_factor_one_is_no_session(authority: Authority, visit: Any) -> None:
    first = visit()
    answer = authority.logins.first_factor(first, BOTH, ("pwd",), target="/wiki")
    assert dict(answer.headers)["Location"] == "/-/auth/second"
    assert authority.sessions.begun == []
    pending = authority.logins.peek(visit(cookie_of(first)), "second")
    assert pending is not None
    assert (pending.account, pending.amr, pending.next) == ("local:1", ("pwd",), "/wiki")


def test_a_passkey_that_has_verified_its_user_is_both(authority: Authority, visit: Any) -> None:
    authority.logins.first_factor(visit(), BOTH, ("hwk", "user", "mfa"), target="/")
    assert authority.sessions.begun == [("bob", ("hwk", "user", "mfa"))]


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", ""])
def test_it_leads_to_this_site_alone(target: str, authority: Authority, visit: Any) -> None:
    assert dict(authority.logins.first_factor(visit(), BOB, ("pwd",), target=target).headers)["Location"] == "/"


def test_who_has_to_change_the_password_is_sent_there_first(authority: Authority, visit: Any) -> None:
    answer = authority.logins.first_factor(visit(), BOB._replace(must_change_password=True), ("pwd",), target="/wiki")
    assert dict(answer.headers)["Location"] == "/-/auth/password?next=%2Fwiki"


def test_a_login_waits_for_its_own_step_alone(authority: Authority, visit: Any) -> None:
    first = visit()
    authority.logins.begin(first, Pending("oidc:corp", "/"))
    again = visit(cookie_of(first))
    assert authority.logins.take(again, "second") is None
    assert authority.logins.take(again, "oidc:corp") is not None


def test_a_step_is_done_once(authority: Authority, visit: Any) -> None:
    first = visit()
    authority.logins.begin(first, Pending("second", "/"))
    cookie = cookie_of(first)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: authority.logins.take(visit(cookie), "second"), range(64)))
    assert sum(each is not None for each in taken) == 1


def test_another_browser_s_login_is_not_to_be_had(authority: Authority, visit: Any) -> None:
    authority.logins.begin(visit(), Pending("second", "/", "local:1"))
    assert authority.logins.peek(visit(f"{COOKIE}={'A' * 43}"), "second") is None
    assert authority.logins.peek(visit(), "second") is None


def test_a_login_ends_after_ten_minutes(authority: Authority, visit: Any, clock: Clock) -> None:
    first = visit()
    authority.logins.begin(first, Pending("second", "/"))
    clock.now += SECONDS - 1
    assert authority.logins.peek(visit(cookie_of(first)), "second") is not None
    clock.now += 2
    assert authority.logins.peek(visit(cookie_of(first)), "second") is None


def test_a_cookie_that_another_host_has_put_beside_ours_does_no_harm(authority: Authority, visit: Any) -> None:
    first = visit()
    authority.logins.begin(first, Pending("second", "/"))
    tossed = f"{COOKIE}={'B' * 43}; {cookie_of(first)}"
    assert authority.logins.take(visit(tossed), "second") is not None


def test_the_cookie_is_hardened_where_there_is_tls(authority: Authority, visit: Any) -> None:
    secure = visit(**{"wsgi.url_scheme": "https"})
    authority.logins.begin(secure, Pending("second", "/"))
    (header,) = [value for name, value in secure.headers if name == "Set-Cookie" and "Max-Age=600" in value]
    assert header.startswith("__Host-wheatpaste.login=")
    assert header.endswith("; Path=/; HttpOnly; SameSite=Lax; Max-Age=600; Secure")


def test_the_store_does_not_hold_what_the_cookie_says(authority: Authority, visit: Any) -> None:
    first = visit()
    authority.logins.begin(first, Pending("second", "/"))
    secret = cookie_of(first).split("=", 1)[1]
    assert secret not in authority.store.keys("auth.logins")


def test_a_login_is_audited(authority: Authority, visit: Any, events: Events) -> None:
    authority.logins.complete(visit(), BOB, Pending("second", "/", amr=("pwd", "otp")), ("otp", "mfa"))
    assert events.noted == [("login.ok", {"amr": "pwd otp mfa"})]
