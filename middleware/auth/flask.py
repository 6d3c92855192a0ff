"""Permissions for Flask, behind the Auth filter.

::

    from wheatpaste.middleware.auth.flask import Auth, current_identity

    auth = Auth(app)

    @app.get("/edit")
    @auth.require("role editor")
    def edit(): ...

    admin.before_request(auth.require(HasRole("admin") & Mfa()))   # a blueprint

    @auth.require("role editor")
    class Pages(MethodView): ...

In templates there are ``identity`` and ``allowed("role editor")``. Whoever may not gets Flask's own 401 or 403, for
which the app may have pages. Flask-Login's ``current_user`` is whom its ``user_loader`` finds under the user's name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from flask import Flask, request
from flask.views import View
from werkzeug.exceptions import Forbidden, HTTPException, Unauthorized
from werkzeug.local import LocalProxy

from .allowed import Asked, permission_of
from .checks import allowed as allowed_by
from .denials import Denied, NotAuthenticated, refusal_of
from .permissions.permission import Permission

if TYPE_CHECKING:
    from .identity import Identity

_NAME = "wheatpaste-auth"


def _identity() -> Identity | None:
    return Asked(request.environ).identity


current_identity: Any = LocalProxy(_identity)
"""Who makes the request (``Identity``); false where nobody is known."""


class Auth:
    """Permissions in a Flask app. ``user_id`` makes of an identity what Flask-Login's ``user_loader`` is given."""

    def __init__(
        self, app: Flask | None = None, *, user_id: Callable[[Identity], str] = lambda identity: identity.name
    ) -> None:
        self._user_id = user_id
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Add the names for templates, the answer to errors of :func:`check`, and the bridge to Flask-Login."""
        app.extensions[_NAME] = self
        app.context_processor(lambda: {"identity": current_identity, "allowed": self.allowed})
        app.register_error_handler(Denied, _answered)
        manager = getattr(app, "login_manager", None)
        if manager is not None:
            self.bridge(manager)

    def bridge(self, login_manager: Any) -> None:
        """Let Flask-Login find its user by who is signed in here, for a manager that the app gets later."""

        @login_manager.request_loader  # type: ignore[untyped-decorator]  # of whichever version is there
        def load(request: Any) -> Any:
            identity = Asked(request.environ).identity
            find = login_manager._user_callback
            return None if identity is None or find is None else find(self._user_id(identity))

    def allowed(self, permission: Permission | str) -> bool:
        """Whether the request has a permission."""
        return allowed_by(request.environ, permission)

    def check(self, permission: Permission | str) -> None:
        """Raise ``Unauthorized`` or ``Forbidden`` of werkzeug where the request does not have a permission."""
        refused = refusal_of(request.environ, permission_of(permission), str(request.endpoint))
        if refused is not None:
            raise exception_of(refused) from refused

    def require(self, permission: Permission | str) -> Requirement:
        """What stands before a view, a class of views, or in ``before_request`` of a blueprint or an app."""
        return Requirement(self, permission_of(permission))


class Requirement:
    """A permission that is asked for: called with a view it decorates it, called with nothing it checks the request."""

    def __init__(self, auth: Auth, permission: Permission) -> None:
        self._auth = auth
        self.permission = permission

    def __call__(self, view: Any = None) -> Any:
        """Decorate a view function or a class of views; without one, check the request and return None."""
        if view is None:
            self._auth.check(self.permission)
            return None
        if isinstance(view, type) and issubclass(view, View):
            # Decorators of a class are applied in their order, so that the last is asked first.
            kind: Any = view
            kind.decorators = [*kind.decorators, self._around]
            return kind
        return self._around(view)

    def _around(self, view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def guarded(*args: Any, **named: Any) -> Any:
            self._auth.check(self.permission)
            return view(*args, **named)

        return guarded


def exception_of(refused: Denied) -> HTTPException:
    """The exception of werkzeug that says the same."""
    return _Unauthorized(refused) if isinstance(refused, NotAuthenticated) else _Forbidden(refused)


class _WithHeaders(HTTPException):  # type: ignore[misc]  # its types are not followed
    def __init__(self, refused: Denied) -> None:
        super().__init__(refused.detail)
        self._further = refused.headers

    def get_headers(self, *args: Any, **named: Any) -> list[tuple[str, str]]:
        return [*super().get_headers(*args, **named), *self._further]


class _Unauthorized(_WithHeaders, Unauthorized):  # type: ignore[misc]  # its types are not followed
    pass


class _Forbidden(_WithHeaders, Forbidden):  # type: ignore[misc]  # its types are not followed
    pass


def _answered(refused: Denied) -> Any:
    """What ``check`` of ``checks.py`` raised within a view."""
    return exception_of(refused).get_response()
