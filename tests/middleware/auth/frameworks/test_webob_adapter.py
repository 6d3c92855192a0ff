"""Permissions in apps that are written with WebOb."""

from __future__ import annotations

from typing import Any

import pytest
from auth_known_people import KnownPeople
from webob import Request, Response
from webob.dec import wsgify
from webob.exc import HTTPForbidden, HTTPUnauthorized

from wheatpaste.middleware.auth import webob as ours
from wheatpaste.middleware.auth.checks import require
from wheatpaste.middleware.auth.permissions import HasScope, Mfa


@require.webob("role editor")
def edit(request: Request) -> Response:
    return Response("edit")


class Site:
    @require.webob("role editor")
    def edit(self, request: Request) -> Response:
        return Response("edit")

    def app(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self.edit(Request(environ))(environ, start_response)


@wsgify  # type: ignore[untyped-decorator]
def asking(request: Request) -> str:
    ours.check(request, "authenticated")
    return "editor" if ours.allowed(request, "role editor") else "reader"


@pytest.mark.parametrize("app", [wsgify(edit), Site().app], ids=["a function", "a method"])
def test_a_function_is_for_those_who_may(app: Any) -> None:
    site = KnownPeople(app)
    assert [site.ask(who).status for who in (None, "bob", "ada")] == [401, 403, 200]


def test_a_function_asks() -> None:
    site = KnownPeople(asking)
    assert [site.ask(who).status for who in (None, "bob")] == [401, 200]
    assert [site.ask(who).text for who in ("bob", "ada")] == ["reader", "editor"]


@pytest.mark.parametrize(
    ("permission", "who", "kind", "names"),
    [
        (Mfa(), "eve", HTTPUnauthorized, 'acr_values="mfa"'),
        (HasScope("api:write"), "ci", HTTPForbidden, 'scope="api:write"'),
    ],
)
def test_the_exceptions_are_those_of_webob(permission: Any, who: str, kind: Any, names: str) -> None:
    caught: list[Any] = []

    @wsgify  # type: ignore[untyped-decorator]
    def app(request: Request) -> str:
        with pytest.raises(kind) as raised:
            ours.check(request, permission)
        caught.append(raised.value)
        return ""

    KnownPeople(app).ask(who)
    assert names in caught[0].headers["WWW-Authenticate"]


def test_a_function_without_a_request_is_an_error() -> None:
    with pytest.raises(TypeError, match="take a request of WebOb"):
        ours.require("everyone")(lambda number: number)(5)
