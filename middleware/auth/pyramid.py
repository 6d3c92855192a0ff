"""Permissions for Pyramid, behind the Auth filter: ``config.include("wheatpaste.middleware.auth.pyramid")``.

It sets a security policy (``request.identity``, ``request.authenticated_userid``, ``request.has_permission``,
``remember`` and ``forget``), and adds to views the option ``require="role editor"``, which refuses, and the predicate
``allowed="role editor"``, which looks for another view::

    @view_config(route_name="page", require=HasRole("editor") & Mfa())
    def edit(request): ...

``permission="edit"`` asks the context's ACL where there is one (``__acl__``; principals are the user's name and id,
``group:NAME`` and ``role:NAME``), and otherwise for the permission of that name. Permissions may be given instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyramid.authorization import ACLHelper
from pyramid.authorization import Authenticated as AUTHENTICATED
from pyramid.authorization import Everyone as EVERYONE
from pyramid.httpexceptions import HTTPForbidden, HTTPUnauthorized
from pyramid.location import lineage
from pyramid.security import Allowed, Denied
from pyramid.viewderivers import INGRESS

from .allowed import Asked, permission_of
from .checks import allowed
from .denials import Denied as Refused
from .denials import NotAuthenticated, refusal_of
from .permissions.own import HasPermission
from .permissions.permission import Permission

if TYPE_CHECKING:
    from .identity import Identity


def includeme(config: Any) -> None:
    """Set the policy, and add the option and the predicate."""
    config.set_security_policy(SecurityPolicy())
    config.add_view_deriver(require_view, "wheatpaste_require", under=INGRESS, over="secured_view")
    config.add_view_predicate("allowed", AllowedPredicate)
    config.add_route_predicate("allowed", AllowedPredicate)


class SecurityPolicy:
    """Who asks and who may, as the Auth filter says."""

    def __init__(self) -> None:
        self._acl = ACLHelper()

    def identity(self, request: Any) -> Identity | None:
        """Who makes the request."""
        return Asked(request.environ).identity

    def authenticated_userid(self, request: Any) -> str | None:
        """The name of who makes the request."""
        identity = self.identity(request)
        return None if identity is None else identity.name

    def permits(self, request: Any, context: Any, permission: Any) -> Any:
        """Whether the request has a permission on the context."""
        if isinstance(permission, Permission):
            return self._of(request, permission)
        if any(getattr(each, "__acl__", None) is not None for each in lineage(context)):
            return self._acl.permits(context, self.principals(request), permission)
        return self._of(request, HasPermission(permission))

    def principals(self, request: Any) -> list[str]:
        """What an ACL may name of who makes the request."""
        who = self.identity(request)
        if who is None:
            return [EVERYONE]
        named = [*(f"group:{each}" for each in sorted(who.groups)), *(f"role:{each}" for each in sorted(who.roles))]
        return [EVERYONE, AUTHENTICATED, who.id, who.name, *named]

    def remember(self, request: Any, userid: str, **kw: Any) -> list[tuple[str, str]]:
        """Sign a user in, whom the app has checked. The filter sets the cookie: there is no header to add."""
        request.environ["wheatpaste.login"](userid, **kw)
        return []

    def forget(self, request: Any, **kw: Any) -> list[tuple[str, str]]:
        """End the session of the request."""
        request.environ["wheatpaste.logout"]()
        return []

    def _of(self, request: Any, permission: Permission) -> Any:
        decision = Asked(request.environ).decide(permission)
        return Allowed(str(permission)) if decision.allowed else Denied(decision.reason or str(permission))


def require_view(view: Any, info: Any) -> Any:
    """Put the option ``require`` of a view before it."""
    rule = info.options.get("require")
    if rule is None:
        return view
    permission = permission_of(rule)

    def guarded(context: Any, request: Any) -> Any:
        refused = refusal_of(request.environ, permission, getattr(info.original_view, "__qualname__", "view"))
        if refused is not None:
            raise exception_of(refused) from refused
        return view(context, request)

    return guarded


require_view.options = ("require",)  # type: ignore[attr-defined]  # how Pyramid learns of it


class AllowedPredicate:
    """Fits where the request has a permission."""

    def __init__(self, rule: Permission | str, info: Any) -> None:
        self._permission = permission_of(rule)

    def text(self) -> str:
        """How it is called in listings."""
        return f"allowed = {self._permission}"

    phash = text

    def __call__(self, context: Any, request: Any) -> bool:
        """Whether it has."""
        return allowed(request.environ, self._permission)


def exception_of(refused: Refused) -> Any:
    """The exception of ``pyramid.httpexceptions`` that says the same."""
    kind = HTTPUnauthorized if isinstance(refused, NotAuthenticated) else HTTPForbidden
    return kind(refused.detail, headers=refused.headers)
