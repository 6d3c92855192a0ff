"""Permissions in real Flask apps: views, blueprints, classes, templates, Flask-Login."""

from __future__ import annotations

from typing import Any

import flask
import flask_login
import pytest
from auth_known_people import KnownPeople
from flask.views import MethodView

from wheatpaste.middleware.auth.checks import check
from wheatpaste.middleware.auth.flask import Auth, current_identity
from wheatpaste.middleware.auth.permissions import Fresh, HasRole, HasScope, Mfa


def statuses(app: Any, path: str, **how: Any) -> list[int]:
    """The statuses for nobody, for bob and for ada the editor."""
    site = KnownPeople(app)
    return [site.ask(who, path, **how).status for who in (None, "bob", "ada")]


@pytest.fixture
def app() -> flask.Flask:
    app = flask.Flask("shop")
    auth = Auth(app)

    @app.get("/edit/<name>")
    @auth.require("role editor")
    def edit(name: str) -> str:
        return f"edit {name} as {current_identity.name}"

    @app.get("/who")
    def who() -> str:
        return current_identity.name if current_identity else "nobody"

    @app.get("/asks")
    def asks() -> list[bool]:
        return [auth.allowed(HasRole("editor")), auth.allowed("user bob")]

    @app.get("/plain-check")
    def plain_check() -> str:
        check(flask.request.environ, "role editor")
        return "ok"

    @app.get("/page")
    def page() -> str:
        return flask.render_template_string(
            "{% if allowed('role editor') %}edit{% else %}read{% endif %} {{ identity.name or 'nobody' }}"
        )

    @app.get("/strict")
    @auth.require(Mfa() & Fresh("5m"))
    def strict() -> str:
        return "ok"

    @app.get("/scoped")
    @auth.require(HasScope("api:write"))
    def scoped() -> str:
        return "ok"

    @auth.require("role editor")
    class Pages(MethodView):
        def get(self) -> str:
            return "got"

        def post(self) -> str:
            return "posted"

    app.add_url_rule("/pages", view_func=Pages.as_view("pages"))

    admin = flask.Blueprint("admin", "admin", url_prefix="/admin")
    admin.before_request(auth.require(HasRole("admin")))
    admin.get("/")(lambda: "admin")
    app.register_blueprint(admin)
    return app


@pytest.mark.parametrize("path", ["/edit/x", "/pages", "/admin/", "/plain-check"])
def test_views_classes_and_blueprints_are_for_those_who_may(app: Any, path: str) -> None:
    assert statuses(app, path) == [401, 403, 200]


def test_each_method_of_a_class_is(app: Any) -> None:
    assert statuses(app, "/pages", method="POST") == [401, 403, 200]
    assert statuses(app, "/pages", method="HEAD") == [401, 403, 200]


def test_the_app_knows_who_asks(app: Any) -> None:
    site = KnownPeople(app)
    assert site.ask("ada", "/edit/x").text == "edit x as ada"
    assert [site.ask(who, "/who").text for who in (None, "bob")] == ["nobody", "bob"]
    assert [site.ask(who, "/asks").json() for who in ("ada", "bob")] == [[True, False], [False, True]]
    assert [site.ask(who, "/page").text for who in (None, "ada")] == ["read nobody", "edit ada"]


def test_a_browser_goes_to_the_login_and_a_program_gets_challenges(app: Any) -> None:
    site = KnownPeople(app)
    answer = site.ask(None, "/edit/x", Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="document")
    assert (answer.status, answer.headers["Location"]) == (303, "/-/auth/login?next=%2Fedit%2Fx")
    assert site.ask("eve", "/strict").headers["WWW-Authenticate"] == (
        'Bearer error="insufficient_user_authentication", acr_values="mfa"'
    )
    assert 'error="insufficient_scope", scope="api:write"' in (
        site.ask("ci", "/scoped").headers["WWW-Authenticate"] or ""
    )


def test_pages_of_the_app_for_its_errors_are_used(app: Any) -> None:
    app.register_error_handler(403, lambda error: ("our page", 403))
    assert KnownPeople(app).ask("bob", "/edit/x").text == "our page"


def test_a_refusal_is_noted_with_the_endpoint(app: Any) -> None:
    site = KnownPeople(app)
    site.ask("bob", "/edit/x")
    assert site.denials() == ["edit: needs role editor"]


def test_without_the_filter_nobody_gets_in(app: Any) -> None:
    client = app.test_client()
    assert client.get("/edit/x", environ_overrides={"REMOTE_USER": "ada"}).status_code == 403
    assert client.get("/who").text == "nobody"


@pytest.mark.parametrize("late", [False, True])
def test_flask_login_finds_its_user_by_who_is_signed_in(late: bool) -> None:
    app = flask.Flask("shop")
    app.secret_key = "not needed"
    manager = flask_login.LoginManager()
    auth = Auth()
    if not late:
        manager.init_app(app)
    auth.init_app(app)
    if late:
        auth.bridge(manager)
        manager.init_app(app)

    class User(flask_login.UserMixin):  # type: ignore[misc]
        def __init__(self, name: str) -> None:
            self.id = name

    @manager.user_loader
    def load(name: str) -> Any:
        return User(name) if name != "eve" else None

    @app.get("/")
    @flask_login.login_required
    def page() -> str:
        return f"hello {flask_login.current_user.id}"

    site = KnownPeople(app)
    assert site.ask("bob").text == "hello bob"
    assert [site.ask(who).status for who in (None, "eve")] == [401, 403]
