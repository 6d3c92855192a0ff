"""Permissions for WebOb: ``@require(permission)`` on ``f(request)``, and the matching exceptions of ``webob.exc``."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from webob.exc import HTTPException, HTTPForbidden, HTTPUnauthorized
from webob.request import BaseRequest

from .allowed import Asked, permission_of
from .denials import Denied, NotAuthenticated, refusal_of
from .permissions.permission import Permission

C = TypeVar("C", bound=Callable[..., Any])


def require(permission: Permission | str) -> Callable[[C], C]:
    """Decorate ``f(request)`` or ``f(self, request)``: it is called only for who has the permission."""
    wanted = permission_of(permission)

    def decorate(function: C) -> C:
        @wraps(function)
        def guarded(*args: Any, **named: Any) -> Any:
            check(_request(args, named), wanted)
            return function(*args, **named)

        return guarded  # type: ignore[return-value]  # it is called alike

    return decorate


def check(request: BaseRequest, permission: Permission | str) -> None:
    """Raise ``HTTPUnauthorized`` or ``HTTPForbidden`` where the request does not have a permission."""
    refused = refusal_of(request.environ, permission_of(permission), "the app")
    if refused is not None:
        raise exception_of(refused) from refused


def allowed(request: BaseRequest, permission: Permission | str) -> bool:
    """Whether the request has a permission."""
    return Asked(request.environ).decide(permission_of(permission)).allowed


def exception_of(refused: Denied) -> HTTPException:
    """The exception of ``webob.exc`` that says the same."""
    kind = HTTPUnauthorized if isinstance(refused, NotAuthenticated) else HTTPForbidden
    made: HTTPException = kind(detail=refused.detail, headers=list(refused.headers))
    return made


def _request(args: tuple[Any, ...], named: dict[str, Any]) -> BaseRequest:
    for each in (*args[:2], *named.values()):
        if isinstance(each, BaseRequest):
            return each
    raise TypeError("require is for functions that take a request of WebOb first, or second behind self")
