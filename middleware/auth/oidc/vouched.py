"""What a session remembers of the provider that vouched for its user."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .profile import Profile
from .provider import Granted

if TYPE_CHECKING:
    from ..vault import Vault

MEMBER = "oidc"
"""The member of the session's data, and the claim that is in each identity."""

_PURPOSE = "oidc tokens"
_MOST_SHOWN, _MOST_IN_A_COOKIE = 8000, 1000
_LONGEST_HINT = 8192


class Vouched(NamedTuple):
    """Who vouched, for whom, with which tokens, and when it is to be asked again (seconds since 1970)."""

    provider: str
    issuer: str
    subject: str
    granted: Granted
    due: float

    def kept(self, vault: Vault) -> dict[str, Any]:
        """Plain data for a session, in which the tokens are sealed: they open doors elsewhere."""
        granted = self.granted
        if len(granted.id_token) > _LONGEST_HINT:
            granted = granted._replace(id_token="")
        return {
            "provider": self.provider,
            "issuer": self.issuer,
            "subject": self.subject,
            "due": self.due,
            "tokens": vault.seal_text(_PURPOSE, json.dumps(list(granted)), self._place),
        }

    @classmethod
    def read(cls, kept: object, vault: Vault) -> Vouched | None:
        """What :meth:`kept` has made, or None."""
        if not isinstance(kept, Mapping):
            return None
        found = cls(kept["provider"], kept["issuer"], kept["subject"], Granted("", 0.0), kept["due"])
        text = vault.open_text(_PURPOSE, kept["tokens"], found._place)
        return None if text is None else found._replace(granted=Granted(*json.loads(text)))

    @property
    def _place(self) -> str:
        return f"session/{MEMBER}/{self.issuer} {self.subject}"


def shown_claims(provider: str, profile: Profile, *, in_cookie: bool = False) -> dict[str, Any]:
    """What each identity of the session tells of it: no token, and not more groups than a request can carry along.

    ``in_cookie`` is whether a cookie has to hold the session.
    """
    claims: dict[str, Any] = {MEMBER: provider, "iss": profile.issuer, "sub": profile.subject}
    if profile.acr:
        claims["acr"] = profile.acr
    groups = sorted(profile.groups or ())
    if groups and sum(map(len, groups)) + 4 * len(groups) <= (_MOST_IN_A_COOKIE if in_cookie else _MOST_SHOWN):
        claims["groups"] = groups
    return claims
