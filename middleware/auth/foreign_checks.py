"""Permissions that have nothing but AuthKit's ``check(app, environ, start_response)``, among those that decide.

Such a check calls the app or raises. It is called with an app that only notes that it was, so that nothing happens
before it is known whether the request is allowed.
"""

from __future__ import annotations

from typing import Any

from webob.exc import HTTPForbidden, HTTPUnauthorized

from ...protocol.bodies import close_body
from ...protocol.wsgi import Body, Environ, ExcInfo, Headers, StartResponse, Write
from .denials import NotAuthenticated, NotAuthorized
from .permissions import permission
from .permissions.context import Context
from .permissions.decision import ALLOWED, LOGIN, Decision


class PermissionSetupError(Exception):
    """A permission that is made, or used, in a way that cannot be."""


class Adapted(permission.Permission):
    """A permission that has nothing but AuthKit's ``check``."""

    __slots__ = ()

    runs_code = True

    def __init__(self, theirs: Any) -> None:
        super().__init__(theirs)

    def decide(self, ctx: Context) -> Decision:
        """What ``check`` says of the request."""
        return probed(self.told[0], ctx)

    def __str__(self) -> str:
        return repr(self.told[0])


def adapted(wanted: Any) -> permission.Permission:
    """The permission, whoever made it. Raises ``PermissionSetupError`` for what is none."""
    if isinstance(wanted, permission.Permission):
        return wanted
    if callable(getattr(wanted, "check", None)):
        return Adapted(wanted)
    raise PermissionSetupError(f"{wanted!r} is no permission: it has no check(app, environ, start_response)")


def probed(theirs: Any, ctx: Context) -> Decision:
    """What a ``check`` says of a request, by whether it calls an app that stands for the real one.

    Raises ``PermissionSetupError`` for one that wants to see the response.
    """
    probe = _Probe()
    refusal = Decision(False, reasons=(repr(theirs),))
    try:
        close_body(theirs.check(probe.app, ctx.environ.copy(), probe.start_response))
    except (NotAuthenticated, HTTPUnauthorized):
        return refusal._replace(remedies=frozenset({LOGIN})) if ctx.identity is None else refusal
    except (NotAuthorized, HTTPForbidden):
        return refusal
    return ALLOWED if probe.was_called else refusal


class _Probe:
    """An app that notes that it was called."""

    def __init__(self) -> None:
        self.was_called = False

    def start_response(self, status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Write:
        """Take what nobody gets to see."""
        return lambda data: None

    def app(self, environ: Environ, start_response: StartResponse) -> Body:
        """Note the call."""
        if start_response != self.start_response:
            raise PermissionSetupError("this permission looks at responses: use middleware or authorize for it")
        self.was_called = True
        start_response("200 OK", [("Content-Type", "text/plain")])
        return []
