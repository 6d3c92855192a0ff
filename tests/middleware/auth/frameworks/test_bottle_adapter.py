"""Permissions in real Bottle apps."""

from __future__ import annotations

from typing import Any

import bottle
import pytest
from auth_known_people import KnownPeople

from wheatpaste.middleware.auth.bottle import AuthPlugin, allowed, check
from wheatpaste.middleware.auth.permissions import HasRole, HasScope, Mfa
from wheatpaste.testing import Client


@pytest.fixture
def app() -> Any:
    app = bottle.Bottle()
    app.install(AuthPlugin())

    @app.get("/edit/<name>", require="role editor")
    def edit(name: str) -> str:
        return f"edit {name}"

    @app.get("/strict", require=HasRole("editor") & Mfa())
    def strict() -> str:
        return "ok"

    @app.get("/scoped", require=HasScope("api:write"))
    def scoped() -> str:
        return "ok"

    @app.get("/open")
    def open_to_all() -> str:
        return "editor" if allowed("role editor") else "reader"

    @app.get("/checks")
    def checks() -> str:
        check("role editor")
        return "ok"

    return app


def statuses(app: Any, path: str) -> list[int]:
    site = KnownPeople(app)
    return [site.ask(who, path).status for who in (None, "bob", "ada")]


@pytest.mark.parametrize("path", ["/edit/x", "/strict", "/checks"])
def test_a_route_is_for_those_who_may(app: Any, path: str) -> None:
    assert statuses(app, path) == [401, 403, 200]


def test_other_routes_are_for_everybody_and_may_ask(app: Any) -> None:
    site = KnownPeople(app)
    assert [site.ask(who, "/open").text for who in (None, "bob", "ada")] == ["reader", "reader", "editor"]


def test_a_plugin_may_ask_of_all_routes(app: Any) -> None:
    strict = bottle.Bottle()
    strict.install(AuthPlugin("authenticated"))
    strict.get("/", callback=lambda: "in")
    strict.get("/open", callback=lambda: "in", require="everyone")
    assert statuses(strict, "/") == [401, 200, 200]
    assert statuses(strict, "/open") == [200, 200, 200]


def test_a_program_is_told_what_to_show(app: Any) -> None:
    site = KnownPeople(app)
    assert 'acr_values="mfa"' in (site.ask("eve", "/strict").headers["WWW-Authenticate"] or "")
    assert 'scope="api:write"' in (site.ask("ci", "/scoped").headers["WWW-Authenticate"] or "")


def test_without_the_filter_nobody_gets_in(app: Any) -> None:
    assert Client(app).get("/edit/x", environ={"REMOTE_USER": "ada"}).status == 403


def test_a_path_that_bottle_reads_otherwise_does_not_get_past_a_rule() -> None:
    """It leaves out bytes that are not UTF-8."""
    app = bottle.Bottle()
    app.get("/admin", callback=lambda: "secret")
    client = KnownPeople(app, rules={"/admin/*": "role admin", "/*": "everyone"}).client
    assert Client(app).get("/adm%FFin").text == "secret", "if this changes, so may the rule"
    assert client.get("/adm%FFin").status == 400
    assert client.get("/admin").status == 401


def test_a_refusal_is_noted_with_the_route(app: Any) -> None:
    site = KnownPeople(app)
    site.ask("bob", "/edit/x")
    assert site.denials() == ["/edit/<name>: needs role editor"]
