"""What a page for developers shows of a request whose user is signed in: everything but what would sign others in."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import pytest
from auth_pages import PASSWORD, Reply, Visitor

from wheatpaste.middleware.auth.auth import Guard
from wheatpaste.middleware.errors.catch_errors import CatchErrors

FACES = ("text/html", "text/plain", "application/json", "text/markdown", "application/problem+json")


def failing(environ: dict[str, Any], start_response: Any) -> Any:
    user = environ.get("REMOTE_USER")
    if user is None:
        start_response("401 Unauthorized", [("Content-Type", "text/plain")])
        return [b""]
    visit, identity = environ["wheatpaste.visit"], environ["wheatpaste.identity"]
    session, authority, headers = visit.session, visit.authority, visit.headers
    vault, functions = authority.vault, (environ["wheatpaste.login"], environ["wheatpaste.csrf_token"])
    raise RuntimeError(f"out of ink for {user}: {len((identity, session, headers, vault, functions))}")


def faces(visitor: Visitor, path: str, **more: Any) -> list[Reply]:
    """The error as each kind of client is shown it, and the pages on which it is kept."""
    shown = [visitor.get(path, HTTP_ACCEPT=face, **more) for face in FACES]
    assert {reply.code for reply in shown} == {500}
    return [*shown, visitor.get("/.errors/")]


def debugged(authority: Any, app: Any = failing) -> CatchErrors:
    return CatchErrors(Guard(app, authority), debug=True, allow_peers=("*",), allow_hosts=("*",))


def assert_hidden(replies: list[Reply], *secrets: str) -> None:
    for reply in replies:
        for secret in secrets:
            for written in {secret, quote(secret), base64.b64encode(secret.encode()).decode()}:
                assert written not in reply.text, (
                    secret,
                    reply.header("Content-Type"),
                    reply.text.index(written),
                    reply.text[max(0, reply.text.index(written) - 200) :][:300],
                )


def test_it_shows_no_session(assemble: Any, capsys: Any, caplog: Any) -> None:
    authority = assemble()
    site = debugged(authority)
    visitor = Visitor(site)
    visitor.login()
    cookies = list(visitor.cookies.values())
    assert len(cookies) >= 2
    replies = faces(visitor, "/orders")
    assert any("out of ink" in reply.text for reply in replies)
    assert_hidden(replies, *cookies, authority.site.secret)
    assert not any(cookie in caplog.text for cookie in cookies)
    site.close()


@pytest.mark.parametrize("kind", ["basic", "bearer", "token"])
def test_it_shows_no_credential(kind: str, assemble: Any, caplog: Any) -> None:
    authority = assemble(site={"methods": ("session", "bearer", "basic")})
    token, _ = authority.tokens.create(authority.users.find("bob"), "ci", ["read"], None)
    secret = PASSWORD if kind == "basic" else token
    pair = base64.b64encode(f"bob:{secret}".encode()).decode()
    header = f"Bearer {token}" if kind == "bearer" else f"Basic {pair}"
    site = debugged(authority)
    assert_hidden(faces(Visitor(site), "/orders", HTTP_AUTHORIZATION=header), secret, pair)
    assert secret not in caplog.text
    site.close()


def test_it_shows_nothing_where_our_own_code_fails(assemble: Any, monkeypatch: Any, caplog: Any) -> None:
    authority = assemble(site={"methods": ("session", "basic")})
    visitor = Visitor(debugged(authority))
    page = visitor.get("/-/auth/login")

    def broken(*given: Any, **named: Any) -> None:
        raise RuntimeError("the directory has a bug")

    monkeypatch.setattr(authority.directory, "find", broken)
    monkeypatch.setattr(authority.directory, "get", broken)
    replies = [visitor.fill(page, "/login", username="bob", password=PASSWORD)]
    assert replies[0].code == 500
    pair = base64.b64encode(f"bob:{PASSWORD}".encode()).decode()
    replies += faces(visitor, "/orders", HTTP_AUTHORIZATION=f"Basic {pair}")
    assert_hidden(replies, PASSWORD, pair, page.form("/login")["token"], *visitor.cookies.values())
    assert PASSWORD not in caplog.text


def test_it_shows_nothing_where_the_sessions_fail(assemble: Any, monkeypatch: Any) -> None:
    authority = assemble()
    visitor = Visitor(debugged(authority))
    visitor.login()

    def broken(*given: Any, **named: Any) -> None:
        raise RuntimeError("the directory has a bug")

    monkeypatch.setattr(authority.directory, "get", broken)
    assert_hidden(faces(visitor, "/orders"), *visitor.cookies.values())
