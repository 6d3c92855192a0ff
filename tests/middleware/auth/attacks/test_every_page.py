"""Every page that a site has, whoever adds one: who is signed in is not made to do anything, whatever is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from auth_pages import CHEAP, PASSWORD, Clock, Visitor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wheatpaste.middleware.auth.accounts.options import StoreOptions
from wheatpaste.middleware.auth.auth import Guard
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.mail.options import MailOptions
from wheatpaste.middleware.auth.passwords.options import PasswordOptions
from wheatpaste.middleware.auth.sessions.options import SessionOptions
from wheatpaste.middleware.auth.setup import authority_of
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.auth.sources.options import UserOptions
from wheatpaste.protocol.csrf import forgery

SECRET = "7f3a9c51e2d84b06a5c1908e6fd2b743bb1e6c0d94f7a258"
TEMPLATES = files("wheatpaste.middleware.auth.pages") / "templates"
NAMES = sorted(
    {
        name
        for each in TEMPLATES.iterdir()
        if each.name.endswith(".html")
        for name in re.findall(r'name="([a-z_]+)"', each.read_text(encoding="utf-8"))
    }
    | {"username", "password", "code", "new", "again", "current", "credential", "id", "label", "seed", "next"}
    - {"token"}
)


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(environ.get("REMOTE_USER")).encode()]


@pytest.fixture(scope="module", params=["store", "cookie"])
def authority(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    site = Site(
        secret=SECRET,
        audit="none",
        methods=("session", "bearer"),
        public_url="https://wiki.example.org",
        login=("passkey", "password"),
    )
    nowhere = MailOptions(smtp_server="127.0.0.1:1", from_address="wiki@example.org", smtp_use_tls=False)
    url = f"sqlite:///{tmp_path_factory.mktemp('site') / 'auth.db'}"
    parts = {
        "": site,
        "store": StoreOptions(url=url),
        "password": PasswordOptions(argon2=CHEAP),
        "session": SessionOptions(mode=request.param),
        "users": UserOptions(editable=("display", "email")),
        "mail": nowhere,
    }
    made = authority_of(parts, Clock())
    yield made
    made.close()


def set_up(authority: Authority) -> Visitor:
    """A browser in which bob is signed in, with the password that we know and nothing else."""
    authority.clock.move(3 * 86400)  # type: ignore[attr-defined]  # what slows guesses down is over
    account = authority.users.find("bob") or authority.users.create("bob")
    authority.users.set_password(account.id, authority.passwords.hasher.hash(PASSWORD))
    authority.links.forget(account.id)
    visitor = Visitor(Guard(app, authority), scheme="https")
    visitor.login()
    assert visitor.get("/").text == "bob"
    return visitor


def paths(authority: Authority) -> list[str]:
    invite = authority.links.create("invite", authority.users.find("bob").id)
    found = sorted(path for path in authority.routes if not path.endswith("/*"))
    email = authority.links.create("email", authority.users.find("bob").id, address="b@example.org", voids="none")
    return [*found, "static/x", f"invite/{invite}", "reset/x", f"email/{email}"]


def standing(authority: Authority) -> tuple[Any, ...]:
    account = authority.directory.get(authority.users.find("bob").id)
    assert account is not None
    return (
        account,
        authority.users.password_hash(account),
        authority.factors.of(account.id),
        authority.tokens.of(account.id),
        [info.id for info in authority.sessions.of(account.id)],
    )


@pytest.mark.parametrize(
    "origin",
    [
        {"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_ORIGIN": "https://evil.example"},
        {"HTTP_SEC_FETCH_SITE": "same-site", "HTTP_ORIGIN": "https://shop.example.org"},
        {"HTTP_SEC_FETCH_SITE": None, "HTTP_ORIGIN": "https://evil.example"},
        {"HTTP_SEC_FETCH_SITE": None, "HTTP_ORIGIN": "http://wiki.example.org"},
        {"HTTP_SEC_FETCH_SITE": None, "HTTP_ORIGIN": "null"},
        {"HTTP_SEC_FETCH_SITE": None, "HTTP_ORIGIN": None},
        {"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_ORIGIN": None},
    ],
    ids=["cross-site", "same-site", "by origin", "in clear", "null", "says nothing", "ours, but without the token"],
)
def test_it_takes_no_form_that_it_has_not_handed_out(authority: Authority, origin: dict[str, Any]) -> None:
    visitor = set_up(authority)
    sent = {**dict.fromkeys(NAMES, "1"), "password": PASSWORD, "current": PASSWORD, "new": "x" * 20, "again": "x" * 20}
    addresses = paths(authority)
    before = standing(authority)
    token = visitor.get("/-/auth/logout").form("/logout")["token"]
    seen = {"REQUEST_METHOD": "POST", "HTTP_HOST": "wiki.example.org", "wsgi.url_scheme": "https"}
    seen |= {key: value for key, value in origin.items() if value is not None}
    for path in addresses:
        is_foreign = forgery(seen) is not None
        fields = {**sent, "token": token} if is_foreign else sent
        reply = visitor.post(f"/-/auth/{path}", fields, **origin)
        assert reply.code in (400, 401, 403, 404, 405, 415), (path, reply.status)
    assert standing(authority) == before
    assert visitor.get("/").text == "bob"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "PATCH", "PROPFIND", "get"])
def test_no_other_method_does_anything(authority: Authority, method: str) -> None:
    visitor = set_up(authority)
    addresses = paths(authority)
    before = standing(authority)
    for path in addresses:
        reply = visitor.send(method, f"/-/auth/{path}", HTTP_X_HTTP_METHOD_OVERRIDE="POST")
        assert reply.code < 500, (path, reply)
        if method == "HEAD":
            assert reply.text == ""
        else:
            assert reply.code in (404, 405), (path, reply.status)
        assert not any(cookie in reply.text for cookie in visitor.cookies.values())
    assert standing(authority) == before
    assert visitor.get("/").text == "bob"


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_form_is_an_error_of_ours(authority: Authority, data: st.DataObject) -> None:
    visitor = set_up(authority)
    token = visitor.get("/-/auth/logout").form("/logout")["token"]
    values = st.one_of(
        st.text(max_size=40),
        st.sampled_from(
            ["1", "\0", "é", "𝟙𝟚𝟛", "{}", "[]", "null", '{"id": 1}', "-1", "9" * 400, "//evil", "²³", "NaN"]
        ),
    )
    path = data.draw(st.sampled_from(paths(authority)))
    fields = data.draw(st.dictionaries(st.sampled_from(NAMES), values, max_size=12))
    reply = visitor.post(f"/-/auth/{path}", {**fields, "token": token})
    assert reply.code < 500, (path, fields, reply)
