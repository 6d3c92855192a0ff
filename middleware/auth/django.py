"""Permissions for Django, behind the Auth filter.

::

    from wheatpaste.middleware.auth.django import RequireMixin, require

    @require("role editor")
    def edit(request): ...

    class Pages(RequireMixin, ListView):
        required = HasRole("editor") & Mfa()

With ``wheatpaste.middleware.auth.django.AuthMiddleware`` in ``MIDDLEWARE`` a request has ``identity``, and what
``check`` raises becomes an answer. Who may not gets 401 from here, and 403 from Django's own page for it. Django's
``RemoteUserMiddleware`` makes Django's user of the filter's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.utils.deprecation import MiddlewareMixin

from .allowed import Asked, permission_of
from .checks import allowed as allowed_by
from .denials import Denied, NotAuthorized, refusal_of
from .permissions.permission import Permission

if TYPE_CHECKING:
    from .identity import Identity

C = TypeVar("C", bound=Callable[..., Any])


def allowed(request: Any, permission: Permission | str) -> bool:
    """Whether the request has a permission."""
    return allowed_by(request.META, permission)


def check(request: Any, permission: Permission | str) -> None:
    """Raise where the request does not have a permission. Needs :class:`AuthMiddleware`, which answers."""
    refused = refusal_of(request.META, permission_of(permission), "the app")
    if refused is not None:
        raise refused


def identity_of(request: Any) -> Identity | None:
    """Who makes the request."""
    return Asked(request.META).identity


def require(permission: Permission | str) -> Callable[[C], C]:
    """Decorate a view ``f(request, …)``, plain or ``async``; with Django's ``method_decorator`` a method of a class."""
    wanted = permission_of(permission)

    def decorate(view: C) -> C:
        place = getattr(view, "__qualname__", "view")

        @wraps(view)
        def guarded(request: Any, *args: Any, **named: Any) -> Any:
            answer = _refused(request, wanted, place)
            return view(request, *args, **named) if answer is None else answer

        @wraps(view)
        async def guarded_async(request: Any, *args: Any, **named: Any) -> Any:
            answer = _refused(request, wanted, place)
            return await view(request, *args, **named) if answer is None else answer

        return guarded_async if iscoroutinefunction(view) else guarded  # type: ignore[return-value]  # called alike

    return decorate


class RequireMixin:
    """Stands first among the bases of a view's class; ``required`` is the permission or the text of a rule."""

    required: Permission | str

    def dispatch(self, request: Any, *args: Any, **named: Any) -> Any:
        """Call the method of the view, or answer in its place."""
        answer = _refused(request, permission_of(self.required), type(self).__qualname__)
        return super().dispatch(request, *args, **named) if answer is None else answer  # type: ignore[misc]  # the view's


class AuthMiddleware(MiddlewareMixin):  # type: ignore[misc]  # its types are not followed
    """Puts ``identity`` on requests, and answers for what :func:`check` raises."""

    def process_request(self, request: Any) -> None:
        """Say who makes the request."""
        request.identity = identity_of(request)

    def process_exception(self, request: Any, exception: BaseException) -> Any:
        """Answer what a view has raised, if it is about permissions."""
        return response_of(exception) if isinstance(exception, Denied) else None


def response_of(refused: Denied) -> Any:
    """The response that says the same."""
    answer = HttpResponse(refused.detail, status=int(refused.status[:3]), content_type="text/plain; charset=utf-8")
    for name, value in refused.headers:
        answer[name] = value
    return answer


def _refused(request: Any, permission: Permission, where: str) -> Any:
    refused = refusal_of(request.META, permission, where)
    if refused is None:
        return None
    if isinstance(refused, NotAuthorized) and not refused.headers:
        raise PermissionDenied(refused.detail) from refused
    return response_of(refused)
