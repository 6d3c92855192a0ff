"""Who makes a request, and how that is known."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from .account import NOBODY, Account

MFA = "mfa"
"""The method of authentication (RFC 8176) that says: more than one factor."""

BY_APP = "app"
"""The one that says: the app has signed its user in, by whatever it has asked for."""


class Identity(NamedTuple):
    """Who makes a request.

    ``method`` is the method that found it (``session``, ``basic``, ``bearer``, …) and ``amr`` what was shown
    when it was established (RFC 8176: ``pwd``, ``otp``, ``hwk``, ``mfa``), at ``auth_time`` (seconds since 1970).
    ``scopes`` are what a token was given for; None where nothing limits it. ``session`` names the session in lists and
    logs, and is not its secret. ``actor`` is who acts in the name of this user. ``account`` is None where no source of
    ours keeps the user: a proxy or another issuer vouches for it.
    """

    id: str
    name: str
    method: str
    display: str = ""
    email: str = ""
    groups: frozenset[str] = NOBODY
    roles: frozenset[str] = NOBODY
    permissions: frozenset[str] = NOBODY
    scopes: frozenset[str] | None = None
    amr: tuple[str, ...] = ()
    auth_time: float | None = None
    session: str | None = None
    actor: str | None = None
    claims: Mapping[str, Any] = MappingProxyType({})
    account: Account | None = None

    @property
    def has_shown_two_factors(self) -> bool:
        """Whether more than one factor was shown."""
        return MFA in self.amr

    def as_dict(self) -> dict[str, Any]:
        """Plain data for ``environ['wheatpaste.identity']``.

        ``email_verified`` is whether the site knows that the address is the user's.
        """
        account = self.account
        return {
            "id": self.id,
            "name": self.name,
            "display": self.display or self.name,
            "email": self.email,
            "email_verified": account is not None and account.email_verified and account.email == self.email != "",
            "groups": sorted(self.groups) if self.groups else [],
            "roles": sorted(self.roles) if self.roles else [],
            "permissions": sorted(self.permissions) if self.permissions else [],
            "scopes": None if self.scopes is None else sorted(self.scopes),
            "method": self.method,
            "amr": list(self.amr),
            "auth_time": self.auth_time,
            "session": self.session,
            "actor": self.actor,
            "claims": dict(self.claims),
        }

    @classmethod
    def of(cls, account: Account, method: str, **known: Any) -> Identity:
        """The identity of an account's user; ``known`` are further fields."""
        return cls(
            id=account.id,
            name=account.name,
            method=method,
            display=account.display,
            email=account.email,
            groups=account.groups,
            roles=account.roles,
            permissions=account.permissions,
            account=account,
            **known,
        )
