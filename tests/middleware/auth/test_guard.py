"""The filter around an app, whatever the methods are."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from believing import Believing
from hostile import FAILING, WELL, Hostile, Planned

from wheatpaste.middleware.auth.auth import FORGEABLE, Guard
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.storage.store import StoreError
from wheatpaste.protocol.answer import Answer
from wheatpaste.testing import Client

BROWSER = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
TEXT = [("Content-Type", "text/plain")]

Make = Callable[..., Authority]


def refusing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """An app that says hello to whom it knows."""
    user = environ.get("REMOTE_USER")
    if user is None:
        start_response("401 Unauthorized", TEXT)
        return [b"who?"]
    start_response("200 OK", TEXT)
    return [f"hello {user} by {environ['AUTH_TYPE']}".encode("latin-1")]


def raising(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    from webob.exc import HTTPUnauthorized

    raise HTTPUnauthorized


def lazy(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    start_response("401 Unauthorized", TEXT)
    yield b"who?"


def hesitating(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    yield b""
    start_response("401 Unauthorized", TEXT)
    yield b"who?"


def writing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("401 Unauthorized", TEXT)(b"who")
    return [b"?"]


def second_thought(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    import sys

    start_response("200 OK", TEXT)
    try:
        raise ValueError
    except ValueError:
        start_response("401 Unauthorized", TEXT, sys.exc_info())
    return [b"who?"]


WAYS_TO_REFUSE = {
    "at once": refusing,
    "by an exception": raising,
    "with the first piece": lazy,
    "after an empty piece": hesitating,
    "by writing": writing,
    "in place of another status": second_thought,
}
by_way = pytest.mark.parametrize("app", WAYS_TO_REFUSE.values(), ids=WAYS_TO_REFUSE)


@by_way
def test_a_browser_is_sent_to_the_login_and_back(app: Any, make_authority: Make) -> None:
    answer = Client(Guard(app, make_authority())).get("/wiki/page?edit=1", headers=BROWSER)
    assert answer.status == 303
    assert answer.headers["Location"] == "/-/auth/login?next=%2Fwiki%2Fpage%3Fedit%3D1"
    assert (answer.body, answer.headers["Cache-Control"]) == (b"", "no-store")


@by_way
def test_a_program_gets_the_status_and_every_challenge(app: Any, make_authority: Make) -> None:
    methods = (Believing("session"), Believing("bearer"), Believing("basic"))
    answer = Client(Guard(app, make_authority(methods=methods))).get("/")
    assert answer.status == 401
    assert answer.headers.get_all("WWW-Authenticate") == ["Test", "Test"]
    assert answer.json()["login"] == "/-/auth/login"


def test_a_401_has_a_challenge_even_where_no_method_has_one(make_authority: Make) -> None:
    answer = Client(Guard(refusing, make_authority())).get("/")
    assert answer.headers["WWW-Authenticate"] == 'Cookie realm="wheatpaste"'


def test_who_is_known_goes_on(make_authority: Make) -> None:
    answer = Client(Guard(refusing, make_authority())).get("/", headers={"X-Test-User": "bob"})
    assert answer.text == "hello bob by session"


def test_wrong_credentials_are_none(make_authority: Make) -> None:
    client = Client(Guard(refusing, make_authority()))
    assert client.get("/", headers={"X-Test-User": "bob?"}).status == 401
    broken = client.get("/", headers={"X-Test-User": "bob!"})
    assert (broken.status, "WWW-Authenticate" in broken.headers) == (400, False)


def test_an_app_that_refuses_a_user_is_final(make_authority: Make) -> None:
    client = Client(Guard(raising, make_authority()))
    assert client.get("/", headers={"X-Test-User": "bob", **BROWSER}).status == 403


def test_a_challenge_of_the_app_stays_its_own(make_authority: Make) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("401 Unauthorized", [*TEXT, ("WWW-Authenticate", 'Basic realm="mine"')])
        return [b"mine"]

    assert Client(Guard(app, make_authority())).get("/", headers=BROWSER).text == "mine"
    taken = Client(Guard(app, make_authority(site=Site(intercept_prechallenged=True))))
    assert taken.get("/", headers=BROWSER).status == 303


@pytest.mark.parametrize(
    ("challenge", "place"),
    [
        ('Bearer error="insufficient_user_authentication", max_age=600', "/-/auth/confirm?next=%2Fpay"),
        ('Bearer error="insufficient_user_authentication", acr_values="mfa"', "/-/auth/second?next=%2Fpay"),
    ],
)
def test_an_app_may_ask_for_more(challenge: str, place: str, make_authority: Make) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("401 Unauthorized", [*TEXT, ("WWW-Authenticate", challenge)])
        return [b""]

    client = Client(Guard(app, make_authority()))
    assert client.get("/pay", headers={"X-Test-User": "bob", **BROWSER}).headers["Location"] == place
    told = client.get("/pay", headers={"X-Test-User": "bob"})
    assert (told.status, "insufficient_user_authentication" in told.headers["WWW-Authenticate"]) == (401, True)


@pytest.mark.parametrize("key", FORGEABLE)
def test_what_was_said_before_is_not_believed(key: str, make_authority: Make) -> None:
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        start_response("200 OK", TEXT)
        return [b""]

    Client(Guard(app, make_authority())).get("/", environ={key: "forged"})
    assert seen.get(key) != "forged"


def test_the_server_s_user_counts_where_that_is_said(make_authority: Make) -> None:
    client = Client(Guard(refusing, make_authority(site=Site(accept_server_user=True))))
    assert client.get("/", environ={"REMOTE_USER": "kim"}).text == "hello kim by server"


def test_identity_is_plain_data(make_authority: Make) -> None:
    import json

    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        start_response("200 OK", TEXT)
        return [b""]

    Client(Guard(app, make_authority())).get("/", headers={"X-Test-User": "bob"})
    assert json.loads(json.dumps(seen["wheatpaste.identity"]))["name"] == "bob"
    assert [seen["wheatpaste.allowed"](rule) for rule in ("everyone", "user bob", "nobody")] == [True, True, False]
    assert (seen["wheatpaste.login_url"], seen["wheatpaste.logout_url"]) == ("/-/auth/login", "/-/auth/logout")


def test_nobody_gets_in_while_the_store_is_down(make_authority: Make) -> None:
    class Down:
        name = "session"

        def identify(self, visit: Any) -> None:
            raise StoreError("the disk is gone")

        def challenges(self, visit: Any) -> list[str]:
            return []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise AssertionError("the app was asked")

    answer = Client(Guard(app, make_authority(methods=(Down(),)))).get("/")
    assert (answer.status, "disk" in answer.text) == (503, False)


def test_pages_stand_below_the_mount_and_below_the_filter_s_own(make_authority: Make) -> None:
    authority = make_authority()
    authority.add_routes(
        {
            "login": lambda visit: Answer(status="200 OK", headers=TEXT, body=b"log in"),
            "static/*": lambda visit: Answer(status="200 OK", headers=TEXT, body=b"file"),
        }
    )
    client = Client(Guard(refusing, authority))
    assert client.get("/-/auth/login").text == "log in"
    assert client.get("/-/auth/static/a/b.css").text == "file"
    assert client.get("/-/auth/nowhere").status == 404
    assert client.get("/-/auth").status == 404
    assert client.get("/-/authentic").status == 401


def test_cookies_of_ours_make_a_reply_private(make_authority: Make) -> None:
    class Giving:
        name = "session"

        def identify(self, visit: Any) -> None:
            visit.set_cookie("c", "value")

        def challenges(self, visit: Any) -> list[str]:
            return []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [*TEXT, ("Cache-Control", "public, max-age=600")])
        return [b""]

    answer = Client(Guard(app, make_authority(methods=(Giving(),)))).get("/")
    assert answer.headers["Set-Cookie"] == "c=value; Path=/; HttpOnly; SameSite=Lax"
    assert answer.headers.get_all("Cache-Control") == ["private"]


def test_a_header_of_the_app_ends_the_session_and_never_leaves(make_authority: Make) -> None:
    class Sessions:
        ended = 0

        def end(self, visit: Any) -> None:
            self.ended += 1

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [*TEXT, ("X-Auth-Action", "logout")])
        return [b"bye"]

    sessions = Sessions()
    answer = Client(Guard(app, make_authority(sessions=sessions))).get("/", headers={"X-Test-User": "bob"})
    assert (answer.text, sessions.ended, "X-Auth-Action" in answer.headers) == ("bye", 1, False)


@pytest.mark.parametrize("answer", [*WELL.values(), *FAILING.values()], ids=[*WELL, *FAILING])
def test_every_body_is_closed_once(answer: Any, make_authority: Make) -> None:
    app = Hostile(answer)
    with contextlib.suppress(Planned, AssertionError):  # what the app does, and what the client says of it
        Client(Guard(app, make_authority())).get("/").close()
    for body in app.bodies:
        assert getattr(body, "closed", 1) == 1


def test_the_body_of_a_refusal_is_closed_before_the_answer_leaves(make_authority: Make) -> None:
    class Body:
        closed = 0

        def __iter__(self) -> Iterator[bytes]:
            raise AssertionError("it was read")

        def close(self) -> None:
            self.closed += 1

    body = Body()

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("401 Unauthorized", TEXT)
        return body

    assert Client(Guard(app, make_authority())).get("/").status == 401
    assert body.closed == 1


def test_what_is_wrong_with_a_token_is_told_with_every_status(make_authority: Make) -> None:
    client = Client(Guard(refusing, make_authority(methods=(Believing("bearer"),))))
    answer = client.get("/", headers={"X-Test-User": "bob!"})
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (400, "Test")
