"""AuthKit's permissions and the functions that ask for them, for programs that were written with AuthKit.

``from authkit.permissions import HasAuthKitRole`` and ``from authkit.authorize import authorize`` become imports from
here. What was documented holds, rather than what happened: letters in upper and lower case do not matter, addresses may
be networks, a role that there is not is a role that nobody has. They are permissions like all others: ``&``, ``|`` and
``~`` join them, and they can stand wherever one is asked for.

A permission of a program's own that overrides ``check(app, environ, start_response)`` is called as it always was by
:func:`middleware` and :func:`authorize`; elsewhere it is asked by means of an app that only notes that it was called.
Reads ``wheatpaste.allowed`` and ``authkit.users``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import time
from functools import wraps
from typing import Any, TypeVar

from ...protocol.wsgi import Body, Environ, StartResponse, WSGIApp
from .allowed import Asked
from .denials import Denied, NotAuthenticated, NotAuthorized, refusal_of
from .foreign_checks import PermissionSetupError, adapted, probed
from .names import folded, spelled
from .permissions import circumstances, permission
from .permissions.context import Context
from .permissions.decision import ALLOWED, LOGIN, Decision
from .permissions.words import phrase

__all__ = [
    "And",
    "BetweenTimes",
    "Exists",
    "FromIP",
    "HasAuthKitGroup",
    "HasAuthKitRole",
    "NonConformingPermissionError",
    "NotAuthenticatedError",
    "NotAuthorizedError",
    "Permission",
    "PermissionError",
    "PermissionSetupError",
    "RemoteUser",
    "RequestPermission",
    "UserIn",
    "ValidAuthKitUser",
    "authorize",
    "authorize_request",
    "authorized",
    "middleware",
]

log = logging.getLogger(__name__)

C = TypeVar("C", bound=Callable[..., Any])
ErrorOf = BaseException | type[BaseException] | None


class PermissionError(Denied):
    """A permission that a request does not have."""


class NotAuthenticatedError(PermissionError, NotAuthenticated):
    """Nobody is signed in: 401."""

    status = "401 Unauthorized"


class NotAuthorizedError(PermissionError, NotAuthorized):
    """Whoever it is may not: 403."""

    status = "403 Forbidden"


class NonConformingPermissionError(Exception):
    """A permission that asks for a login although somebody is signed in, who would be sent round in circles."""


class Permission(permission.Permission):
    """The permission that everybody has, and the base of those that look at a response."""

    # Programs set attributes in their own constructors and do not call this one.
    __setattr__ = object.__setattr__  # type: ignore[assignment]

    def __new__(cls, *args: Any, **named: Any) -> Permission:
        """Note what it is made of, by which it is compared."""
        made = super().__new__(cls)
        made._keep(told=(args, named), _denials={})
        return made

    def __init__(self) -> None:
        """Take nothing: what it is made of was noted."""

    def check(self, app: WSGIApp, environ: Environ, start_response: StartResponse) -> Body:
        """Call the app, or raise :class:`PermissionError`."""
        return app(environ, start_response)

    def decide(self, ctx: Context) -> Decision:
        """What :meth:`check` says of the request."""
        return probed(self, ctx) if type(self).check is not Permission.check else ALLOWED

    @property
    def runs_code(self) -> bool:  # type: ignore[override]
        """Whether it is one of the program's own."""
        return type(self).decide is Permission.decide

    def __hash__(self) -> int:
        return hash(type(self))

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other)

    def __repr__(self) -> str:
        args, named = self.told
        return f"{type(self).__name__}({', '.join([*map(repr, args), *(f'{key}={named[key]!r}' for key in named)])})"

    def __str__(self) -> str:
        return repr(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (type(self), *self.told)


def _made(kind: Callable[..., Permission], args: tuple[Any, ...], named: dict[str, Any]) -> Permission:
    return kind(*args, **named)


class RequestPermission(Permission):
    """The base of permissions that look at the request alone."""


class _Shipped(RequestPermission):
    """A permission of AuthKit's own: it decides, and ``check`` is made of that."""

    error: ErrorOf = None

    def check(self, app: WSGIApp, environ: Environ, start_response: StartResponse) -> Body:
        """Call the app, or raise."""
        authorize_request(environ, self)
        return app(environ, start_response)


class RemoteUser(_Shipped):
    """Somebody is signed in."""

    def __init__(self, accept_empty: bool = False) -> None:
        self.accept_empty = accept_empty

    def decide(self, ctx: Context) -> Decision:
        """Whether somebody is, whose name is not empty unless that is accepted."""
        if ctx.identity is None:
            return self.denied(LOGIN)
        return ALLOWED if ctx.identity.name or self.accept_empty else self.denied()

    def __str__(self) -> str:
        return "authenticated"


class ValidAuthKitUser(_Shipped):
    """Somebody is signed in whom a source of users knows."""

    def decide(self, ctx: Context) -> Decision:
        """Whether it is so."""
        who = ctx.identity
        return ALLOWED if who is not None and who.account is not None else self.denied_to(ctx)


class UserIn(_Shipped):
    """One of these users."""

    def __init__(self, users: str | Iterable[str]) -> None:
        self.users = _words(users, "users")
        self._folded = frozenset(map(spelled, self.users))

    def decide(self, ctx: Context) -> Decision:
        """Whether one of them asks."""
        who = ctx.identity
        return ALLOWED if who is not None and spelled(who.name) in self._folded else self.denied_to(ctx)

    def __str__(self) -> str:
        return phrase("user", self.users)


class HasAuthKitRole(_Shipped):
    """Somebody with one of these roles, or with ``all`` of them. ``error`` is raised instead where that is not so."""

    def __init__(self, roles: str | Iterable[str], all: bool = False, error: ErrorOf = None) -> None:
        self.roles = _words(roles, "roles")
        self.all = all
        self.error = error
        self._folded = frozenset(map(folded, self.roles))

    def decide(self, ctx: Context) -> Decision:
        """Whether the user has them."""
        who = ctx.identity
        if who is None:
            return self.denied(LOGIN)
        found = self._folded & {folded(each) for each in who.roles}
        if found == self._folded if self.all else found:
            return ALLOWED
        _warn_of_unknown(ctx.environ, self.roles)
        return self.denied()

    def __str__(self) -> str:
        return " and ".join(phrase("role", [each]) for each in self.roles) if self.all else phrase("role", self.roles)


class HasAuthKitGroup(_Shipped):
    """Somebody in one of these groups; None among them stands for somebody in no group."""

    def __init__(self, groups: str | Iterable[str | None] | None, error: ErrorOf = None) -> None:
        given = [groups] if groups is None or isinstance(groups, str) else list(groups)
        self.groups = _words([each for each in given if each is not None], "groups", may_be_empty=None in given)
        self.error = error
        self._folded = frozenset(map(folded, self.groups))
        self._or_none = None in given

    def decide(self, ctx: Context) -> Decision:
        """Whether the user is in one of them."""
        who = ctx.identity
        if who is None:
            return self.denied(LOGIN)
        groups = {folded(each) for each in who.groups}
        return ALLOWED if self._folded & groups or (self._or_none and not groups) else self.denied()


class FromIP(_Shipped):
    """A client with one of these addresses, or in one of these networks; ``key`` is where its address stands."""

    asks_who = False

    def __init__(self, hosts: str | Iterable[str], key: str = "REMOTE_ADDR") -> None:
        self.hosts = _words(hosts, "hosts")
        self.key = key
        self._network = circumstances.FromIP(*self.hosts)

    def decide(self, ctx: Context) -> Decision:
        """Whether it is one of them; where the environ has no address it is none."""
        address = ctx.environ.get(self.key)
        holds = isinstance(address, str) and self._network.holds(address)
        return ALLOWED if holds else self.denied()

    def __str__(self) -> str:
        return phrase("from", self.hosts) if self.key == "REMOTE_ADDR" else repr(self)


class BetweenTimes(_Shipped):
    """A time of day, from ``start`` to before ``end``, by the server's clock or that of the time zone ``tz``."""

    asks_who = False

    def __init__(self, start: time, end: time, tz: str | None = None) -> None:
        self.start, self.end, self.tz = start, end, tz
        self._between = circumstances.Between(start, end, tz)

    def decide(self, ctx: Context) -> Decision:
        """Whether it is that time."""
        return ALLOWED if self._between.decide(ctx).allowed else self.denied()

    def __str__(self) -> str:
        return str(self._between)


class Exists(_Shipped):
    """A request whose environ has a key."""

    asks_who = False

    def __init__(self, key: str, error: ErrorOf = None) -> None:
        self.key = key
        self.error = error

    def decide(self, ctx: Context) -> Decision:
        """Whether it has."""
        return ALLOWED if self.key in ctx.environ else self.denied()

    def __str__(self) -> str:
        return phrase("environ", [self.key])


class And(permission.And):
    """All of two or more permissions."""

    __slots__ = ()

    def __init__(self, *permissions: Any) -> None:
        if len(permissions) < 2:
            raise PermissionSetupError("And takes at least two permissions")
        super().__init__(*map(adapted, permissions))

    def check(self, app: WSGIApp, environ: Environ, start_response: StartResponse) -> Body:
        """Call the app, or raise what the first permission raises that does not hold."""
        authorize_request(environ, self)
        return app(environ, start_response)


# Asking ---------------------------------------------------------------------------------------------------------------


def authorize_request(environ: Environ, permission: Any) -> None:
    """Raise ``NotAuthenticatedError``, ``NotAuthorizedError`` or the permission's own error where it does not hold."""
    wanted = adapted(permission)
    refused = refusal_of(environ, wanted, "authkit")
    if refused is None:
        return
    raise _own_error(environ, wanted) or _of_authkit(refused)


def authorized(environ: Environ, permission: Any) -> bool:
    """Whether the request has the permission."""
    return Asked(environ).decide(adapted(permission)).allowed


def authorize(permission: Any) -> Callable[[C], C]:
    """Decorate a method ``f(self, environ, start_response)``, or a function without ``self``."""
    adapted(permission)

    def decorate(function: C) -> C:
        @wraps(function)
        def guarded(*args: Any) -> Any:
            *before, environ, start_response = args

            def app(environ: Environ, start_response: StartResponse) -> Body:
                body: Body = function(*before, environ, start_response)
                return body

            return _checked(app, permission, environ, start_response)

        return guarded  # type: ignore[return-value]  # it is called alike

    return decorate


def middleware(app: WSGIApp, permission: Any) -> WSGIApp:
    """The app, for those who have the permission."""
    adapted(permission)

    def guarded(environ: Environ, start_response: StartResponse) -> Body:
        return _checked(app, permission, environ, start_response)

    return guarded


def _checked(app: WSGIApp, permission: Any, environ: Environ, start_response: StartResponse) -> Body:
    """Let a program's own ``check`` call the app; ask others first."""
    check = getattr(permission, "check", None)
    if check is None or not adapted(permission).runs_code or isinstance(permission, And):
        authorize_request(environ, permission)
        return app(environ, start_response)
    called = []

    def inner(environ: Environ, start_response: StartResponse) -> Body:
        called.append(True)
        return app(environ, start_response)

    try:
        body: Body = check(inner, environ, start_response)
    except NotAuthenticated as error:
        if not called and Asked(environ).identity is not None:
            raise NonConformingPermissionError(f"{permission!r} asks for a login of who is signed in") from error
        raise
    return body


def _own_error(environ: Environ, wanted: permission.Permission) -> BaseException | None:
    """What the first permission wants to be raised that does not hold, a new one each time it is a class."""
    if isinstance(wanted, permission.And):
        failing = (each for each in wanted.told if not Asked(environ).decide(each).allowed)
        first = next(failing, None)
        return None if first is None else _own_error(environ, first)
    error: Any = getattr(wanted, "error", None)
    made: BaseException | None = error() if isinstance(error, type) else error
    return made


def _of_authkit(refused: Denied) -> PermissionError:
    kind = NotAuthenticatedError if isinstance(refused, NotAuthenticated) else NotAuthorizedError
    return kind(refused.detail, decision=refused.decision, headers=refused.headers)


def _words(given: str | Iterable[str], what: str, *, may_be_empty: bool = False) -> tuple[str, ...]:
    words = (given,) if isinstance(given, str) else tuple(given)
    if not all(isinstance(each, str) and each.strip() for each in words) or not (words or may_be_empty):
        raise PermissionSetupError(f"{what} must be a name, or a list of names, not {given!r}")
    return words


_warned: set[str] = set()


def _warn_of_unknown(environ: Environ, roles: Iterable[str]) -> None:
    """Say once of a role that nobody can have it: it was probably misspelt."""
    exists: Callable[[str], bool] | None = getattr(environ.get("authkit.users"), "role_exists", None)
    if exists is None:
        return
    for role in roles:
        if role not in _warned and not exists(role):
            _warned.add(role)
            log.warning("there is no role %r, so that nobody has it", role)
