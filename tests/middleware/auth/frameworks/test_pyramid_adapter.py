"""Permissions in real Pyramid apps: the policy, ACLs, the option and the predicate of views."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from auth_known_people import KnownPeople

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports pkg_resources, which says that it is deprecated
    import pyramid.path  # noqa: F401

from pyramid.authorization import Allow, Deny, Everyone
from pyramid.config import Configurator
from pyramid.response import Response
from pyramid.security import forget, remember
from pyramid.view import forbidden_view_config

from wheatpaste.middleware.auth.permissions import Fresh, HasRole, HasScope, Mfa
from wheatpaste.testing import Client


class Page:
    __acl__ = [(Allow, "role:editor", "edit"), (Allow, "group:staff", "read"), (Deny, Everyone, "edit")]

    def __init__(self, request: Any) -> None:
        pass


def text(words: str) -> Any:
    return lambda *args: Response(words, content_type="text/plain")


def app_with(**route: Any) -> Any:
    """An app with one view; the options are its own, but for ``factory``."""
    config = Configurator()
    config.include("wheatpaste.middleware.auth.pyramid")
    config.add_route("page", "/", factory=route.pop("factory", None))
    config.add_view(route.pop("view", text("in")), route_name="page", **route)
    return config.make_wsgi_app()


def statuses(app: Any) -> list[int]:
    site = KnownPeople(app)
    return [site.ask(who).status for who in (None, "bob", "ada")]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"require": "role editor"}, [401, 403, 200]),
        ({"require": HasRole("editor") & Mfa()}, [401, 403, 200]),
        ({"permission": "page:edit"}, [403, 403, 200]),
        ({"permission": HasRole("editor")}, [403, 403, 200]),
        ({"permission": "edit", "factory": Page}, [403, 403, 200]),
        ({"permission": "read", "factory": Page}, [403, 200, 403]),
        ({}, [200, 200, 200]),
    ],
)
def test_a_view_is_for_those_who_may(options: dict[str, Any], expected: list[int]) -> None:
    assert statuses(app_with(**options)) == expected


def test_a_predicate_looks_for_another_view() -> None:
    config = Configurator()
    config.include("wheatpaste.middleware.auth.pyramid")
    config.add_route("page", "/")
    config.add_view(text("edit"), route_name="page", allowed="role editor")
    config.add_view(text("read"), route_name="page")
    config.add_route("hidden", "/hidden", allowed=HasRole("editor"))
    config.add_view(text("hidden"), route_name="hidden")
    site = KnownPeople(config.make_wsgi_app())
    assert [site.ask(who).text for who in ("ada", "bob", None)] == ["edit", "read", "read"]
    assert [site.ask(who, "/hidden").status for who in ("ada", "bob", None)] == [200, 404, 404]


def test_the_request_knows_who_asks() -> None:
    def view(request: Any) -> Any:
        who = request.identity
        told = (request.authenticated_userid, who and who.id, bool(request.has_permission("page:edit")))
        return Response(repr(told), content_type="text/plain")

    site = KnownPeople(app_with(view=view))
    assert [site.ask(who).text for who in (None, "ada")] == ["(None, None, False)", "('ada', 'local:ada', True)"]


def test_a_view_signs_in_and_out() -> None:
    called: list[Any] = []

    def view(request: Any) -> Any:
        request.environ["wheatpaste.login"] = lambda name, **how: called.append((name, how))
        request.environ["wheatpaste.logout"] = lambda: called.append("out")
        assert remember(request, "ada", remember=True) == forget(request) == []
        return Response("ok")

    KnownPeople(app_with(view=view)).ask()
    assert called == [("ada", {"remember": True}), "out"]


def test_a_program_is_told_what_to_show() -> None:
    def challenge(permission: Any, who: str) -> str:
        return KnownPeople(app_with(require=permission)).ask(who).headers["WWW-Authenticate"] or ""

    assert 'acr_values="mfa"' in challenge(Mfa(), "eve")
    assert 'scope="api:write"' in challenge(HasScope("api:write"), "ci")
    page = KnownPeople(app_with(require=Fresh("5m"))).ask("bob", Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="document")
    assert (page.headers["Location"] or "").startswith("/-/auth/confirm?")


def test_the_app_s_own_view_of_a_refusal_is_used() -> None:
    config = Configurator()
    config.include("wheatpaste.middleware.auth.pyramid")
    config.add_route("page", "/")
    config.add_view(text("in"), route_name="page", require="role editor")
    config.add_forbidden_view(lambda request: Response("our page", status=403))
    assert KnownPeople(config.make_wsgi_app()).ask("bob").text == "our page"
    assert forbidden_view_config is not None


@pytest.mark.parametrize("options", [{"require": "role editor"}, {"permission": "page:edit"}])
def test_without_the_filter_nobody_gets_in(options: dict[str, Any]) -> None:
    assert Client(app_with(**options)).get("/", environ={"REMOTE_USER": "ada"}).status == 403


def test_a_refusal_is_noted_with_the_view() -> None:
    def edit_page(request: Any) -> Any:
        return Response("in")

    site = KnownPeople(app_with(view=edit_page, require="role editor"))
    site.ask("bob")
    assert [each.rpartition(".")[2] for each in site.denials()] == ["edit_page: needs role editor"]
