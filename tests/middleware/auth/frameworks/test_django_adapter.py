"""Permissions in a real Django site, and Django's own user by ``RemoteUserMiddleware``."""

from __future__ import annotations

import asyncio
import sys
import types
from collections.abc import Iterator
from typing import Any

import django
import pytest
from auth_known_people import KnownPeople
from django.conf import settings

from wheatpaste.middleware.auth.permissions import HasRole, HasScope, Mfa
from wheatpaste.testing import Client

if not settings.configured:
    settings.configure(
        SECRET_KEY="only for tests",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="auth_django_urls",
        USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.auth.middleware.RemoteUserMiddleware",
            "wheatpaste.middleware.auth.django.AuthMiddleware",
        ],
        AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.RemoteUserBackend"],
    )
    django.setup()


@pytest.fixture(scope="module")
def app() -> Iterator[Any]:
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application
    from django.db import connections
    from django.http import HttpResponse
    from django.urls import path
    from django.utils.decorators import method_decorator
    from django.views import View

    from wheatpaste.middleware.auth.django import RequireMixin, allowed, check, identity_of, require

    call_command("migrate", verbosity=0)

    @require("role editor")
    def edit(request: Any, name: str) -> Any:
        return HttpResponse(f"edit {name}")

    @require(Mfa())
    def strict(request: Any) -> Any:
        return HttpResponse("ok")

    @require(HasScope("api:write"))
    def scoped(request: Any) -> Any:
        return HttpResponse("ok")

    @require("role editor")
    async def later(request: Any) -> Any:
        await asyncio.sleep(0)
        return HttpResponse("later")

    def checks(request: Any) -> Any:
        check(request, HasRole("editor"))
        return HttpResponse("ok")

    def who(request: Any) -> Any:
        known = request.identity
        assert known == identity_of(request)
        return HttpResponse(f"{known and known.name} {allowed(request, 'role editor')}")

    def remote(request: Any) -> Any:
        return HttpResponse(f"{request.user.username or 'nobody'} {request.user.is_authenticated}")

    class Pages(RequireMixin, View):
        required = "role editor"

        def get(self, request: Any) -> Any:
            return HttpResponse("pages")

        def post(self, request: Any) -> Any:
            return HttpResponse("posted")

    class Decorated(View):
        @method_decorator(require("role editor"))
        def get(self, request: Any) -> Any:
            return HttpResponse("decorated")

    urls = types.ModuleType("auth_django_urls")
    urls.urlpatterns = [  # type: ignore[attr-defined]
        path("edit/<name>", edit),
        path("strict", strict),
        path("scoped", scoped),
        path("later", later),
        path("checks", checks),
        path("who", who),
        path("remote", remote),
        path("pages", Pages.as_view()),
        path("decorated", Decorated.as_view()),
    ]
    sys.modules["auth_django_urls"] = urls
    yield get_wsgi_application()
    connections.close_all()
    del sys.modules["auth_django_urls"]


@pytest.mark.parametrize("path", ["/edit/x", "/later", "/checks", "/pages", "/decorated"])
def test_views_are_for_those_who_may(app: Any, path: str) -> None:
    site = KnownPeople(app)
    assert [site.ask(who, path).status for who in (None, "bob", "ada")] == [401, 403, 200]


def test_each_method_of_a_class_with_the_mixin_is(app: Any) -> None:
    site = KnownPeople(app)
    assert [site.ask(who, "/pages", method="POST").status for who in (None, "bob")] == [401, 403]


def test_the_request_knows_who_asks(app: Any) -> None:
    site = KnownPeople(app)
    assert [site.ask(who, "/who").text for who in (None, "bob", "ada")] == ["None False", "bob False", "ada True"]


def test_django_s_own_user_is_the_filter_s(app: Any) -> None:
    site = KnownPeople(app)
    assert [site.ask(who, "/remote").text for who in (None, "bob")] == ["nobody False", "bob True"]


def test_a_program_is_told_what_to_show(app: Any) -> None:
    site = KnownPeople(app)
    assert 'acr_values="mfa"' in (site.ask("eve", "/strict").headers["WWW-Authenticate"] or "")
    assert 'scope="api:write"' in (site.ask("ci", "/scoped").headers["WWW-Authenticate"] or "")


def test_a_browser_goes_to_the_login(app: Any) -> None:
    answer = KnownPeople(app).ask(None, "/edit/x", Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="document")
    assert answer.headers["Location"] == "/-/auth/login?next=%2Fedit%2Fx"


@pytest.mark.parametrize("path", ["/edit/x", "/pages", "/checks"])
def test_without_the_filter_nobody_gets_in(app: Any, path: str) -> None:
    assert Client(app).get(path, environ={"REMOTE_USER": "ada"}).status == 403
