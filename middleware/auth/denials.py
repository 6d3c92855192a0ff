"""The two ways in which code says that a request may not go on: nobody is known, or whoever it is may not.

Both are exceptions and WSGI apps. Raised by an app, the Auth filter turns them into a login, a second factor or a page;
without one, ``egg:wheatpaste#httpexceptions`` answers 401 and 403.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...protocol.wsgi import Body, Environ, Headers, StartResponse
from ..answers import answer
from .allowed import KEY, Allowed, Asked
from .answers import problem
from .permissions.decision import FRESH, SECOND_FACTOR, Decision

if TYPE_CHECKING:
    from .identity import Identity
    from .permissions.permission import Permission

_REFUSED = Decision(False)


class Denied(Exception):
    """A request that may not go on. ``decision`` says what would help, ``headers`` go with the answer."""

    status = "403 Forbidden"

    def __init__(self, detail: str, *, decision: Decision = _REFUSED, headers: Headers | None = None) -> None:
        self.detail = detail
        self.decision = decision
        self.headers: Headers = headers or []
        super().__init__(detail)

    def __str__(self) -> str:
        return f"{self.detail} ({self.decision.reason})" if self.decision.reason else self.detail

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Answer with the status, in the form that the client asked for."""
        if self.headers:
            return problem(self.status, self.detail, self.headers).send(environ, start_response)
        asked = environ.get(KEY)
        if isinstance(asked, Allowed) and self.status[:3] == "403":
            return asked.refuse(self.detail).send(environ, start_response)
        return answer(environ, start_response, self.status, self.detail)


class NotAuthenticated(Denied):
    """It is not known who asks, or not surely enough: 401."""

    status = "401 Unauthorized"

    def __init__(
        self, detail: str = "Show who you are.", *, decision: Decision = _REFUSED, headers: Headers | None = None
    ) -> None:
        super().__init__(detail, decision=decision, headers=headers)


class NotAuthorized(Denied):
    """It is known who asks, or does not matter, and they may not: 403."""

    def __init__(
        self, detail: str = "This is not for you.", *, decision: Decision = _REFUSED, headers: Headers | None = None
    ) -> None:
        super().__init__(detail, decision=decision, headers=headers)


def denial(decision: Decision, identity: Identity | None) -> Denied:
    """What to raise where a decision does not allow a request, by what would help whoever makes it.

    Who shows too little is told what to show in the words of RFC 9470, a token that lacks a scope in those of RFC 6750.
    """
    if not decision.remedies:
        return NotAuthorized(decision=decision)
    if identity is None:
        return NotAuthenticated(decision=decision)
    if decision.scopes and identity.scopes is not None:
        names = " ".join(decision.scopes)
        challenge = f'Bearer error="insufficient_scope", scope="{names}"'
        return NotAuthorized(f"The token needs: {names}.", decision=decision, headers=[("WWW-Authenticate", challenge)])
    wanted = []
    if SECOND_FACTOR in decision.remedies:
        wanted.append('acr_values="mfa"')
    if FRESH in decision.remedies:
        wanted.append(f"max_age={int(decision.max_age or 0)}")
    if wanted:
        challenge = ", ".join(['Bearer error="insufficient_user_authentication"', *wanted])
        return NotAuthenticated(
            "Show once more who you are.", decision=decision, headers=[("WWW-Authenticate", challenge)]
        )
    return NotAuthorized(decision=decision)


def refusal_of(environ: Environ, permission: Permission, where: str) -> Denied | None:
    """What to raise, or to answer with, where the request does not have a permission. It is noted as refused there."""
    asked = Asked(environ)
    decision = asked.decide(permission)
    if decision.allowed:
        return None
    asked.note_denial(decision, where)
    return denial(decision, asked.identity)
