"""How code of an app asks for a permission: ``check``, ``allowed``, and ``require`` around functions.

::

    from wheatpaste.middleware.auth.checks import allowed, check, require
    from wheatpaste.middleware.auth.permissions import HasRole, Mfa

    @require(HasRole("editor") & Mfa())
    def edit(environ, start_response): ...

    def page(environ, start_response):
        check(environ, "role reader")                 # raises NotAuthenticated or NotAuthorized
        may_edit = allowed(environ, HasRole("editor"))

A permission may be given as the text of a rule. Who asks is known from the Auth filter in front; without one nobody may
anything. Reads ``wheatpaste.allowed``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper, wraps
from typing import Any, TypeVar

from ...protocol.wsgi import Body, Environ, StartResponse, WSGIApp
from .allowed import Asked, permission_of
from .denials import refusal_of
from .permissions.permission import Permission

C = TypeVar("C", bound=Callable[..., Any])


def allowed(environ: Environ, permission: Permission | str) -> bool:
    """Whether the request has a permission."""
    return Asked(environ).decide(permission_of(permission)).allowed


def check(environ: Environ, permission: Permission | str) -> None:
    """Raise ``NotAuthenticated`` or ``NotAuthorized`` where the request does not have a permission."""
    refused = refusal_of(environ, permission_of(permission), "the app")
    if refused is not None:
        raise refused


class Guarded:
    """A WSGI app that only who has a permission gets to see."""

    def __init__(self, app: WSGIApp, permission: Permission | str) -> None:
        self.app = app
        self.permission = permission_of(permission)
        update_wrapper(self, app, updated=())

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Call the app, or answer in its place."""
        return (refusal_of(environ, self.permission, _named(self.app)) or self.app)(environ, start_response)

    def __repr__(self) -> str:
        return f"Guarded({self.app!r}, {self.permission!r})"


class Require:
    """``@require(permission)`` around functions and methods that are WSGI apps."""

    def __call__(self, permission: Permission | str) -> Callable[[C], C]:
        """Decorate ``f(environ, start_response)`` or ``f(self, environ, start_response)``: others get 401 or 403."""
        wanted = permission_of(permission)

        def decorate(function: C) -> C:
            @wraps(function)
            def guarded(*args: Any, **named: Any) -> Any:
                environ, start_response = _of_wsgi(args, named)
                refused = refusal_of(environ, wanted, _named(function))
                if refused is not None:
                    return refused(environ, start_response)
                return function(*args, **named)

            return guarded  # type: ignore[return-value]  # it is called alike

        return decorate

    def middleware(self, app: WSGIApp, permission: Permission | str) -> WSGIApp:
        """The app, for those who have the permission."""
        return Guarded(app, permission)

    def webob(self, permission: Permission | str) -> Callable[[C], C]:
        """Decorate ``f(request)`` or ``f(self, request)`` of WebOb: raises the exception of ``webob.exc`` that fits."""
        from .webob import require as require_webob

        return require_webob(permission)


require = Require()


def _of_wsgi(args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Environ, StartResponse]:
    """Environ and ``start_response``, which stand last, behind a ``self``."""
    if "start_response" in named:
        environ = named["environ"] if "environ" in named else args[-1]
        return environ, named["start_response"]
    environ, start_response = args[-2:]
    return environ, start_response


def _named(app: Any) -> str:
    return getattr(app, "__qualname__", None) or type(app).__qualname__
