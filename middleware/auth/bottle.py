"""Permissions for Bottle, behind the Auth filter.

::

    from wheatpaste.middleware.auth.bottle import AuthPlugin, allowed

    app.install(AuthPlugin())

    @app.get("/edit", require="role editor")
    def edit(): ...

``AuthPlugin("authenticated")`` asks that for each route that says nothing of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from bottle import HTTPError, request

from .allowed import permission_of
from .checks import allowed as allowed_by
from .denials import Denied, refusal_of
from .permissions.permission import Everyone, Permission


class AuthPlugin:
    """Asks for the permission that a route names as ``require``, or else for ``default``."""

    name = "wheatpaste-auth"
    api = 2

    def __init__(self, default: Permission | str | None = None) -> None:
        self._default = Everyone() if default is None else permission_of(default)

    def apply(self, callback: Callable[..., Any], route: Any) -> Callable[..., Any]:
        """The callback of a route, for those who have the permission."""
        rule = route.config.get("require")
        permission = self._default if rule is None else permission_of(rule)
        if permission == Everyone():
            return callback

        @wraps(callback)
        def guarded(*args: Any, **named: Any) -> Any:
            check(permission)
            return callback(*args, **named)

        return guarded


def allowed(permission: Permission | str) -> bool:
    """Whether the request has a permission."""
    return allowed_by(request.environ, permission)


def check(permission: Permission | str) -> None:
    """Raise ``HTTPError`` with 401 or 403 where the request does not have a permission."""
    route = request.environ.get("bottle.route")
    refused = refusal_of(request.environ, permission_of(permission), getattr(route, "rule", "the app"))
    if refused is not None:
        raise exception_of(refused) from refused


def exception_of(refused: Denied) -> Any:
    """The exception of Bottle that says the same."""
    return HTTPError(int(refused.status[:3]), refused.detail, **dict(refused.headers))
