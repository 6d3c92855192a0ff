"""Sessions as AuthKit's cookie was: for one address, and for a time that its browser knows as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from ....protocol.peers import read_address
from ..account import Account
from ..identity import Identity
from ..method import Failed
from ..sessions.sessions import Sessions
from .wishes import Cookie

if TYPE_CHECKING:
    from ..visit import Visit

_CLAIM = "network"
_PREFIX = {4: 32, 6: 64}
"""Of IPv6 the network: devices change the rest every day by themselves (RFC 8981)."""


class CookieSessions(Sessions):
    """The method ``session`` as the keys of ``cookie`` wish for it.

    With ``cookie.params.expires`` browsers keep the cookie as long as the session lasts, and not until they are closed.
    With ``cookie.includeip`` a cookie that comes from another network than the one where its session began counts for
    nothing; the address is the one that the server has found out, from proxies that it trusts and no others.
    """

    def __init__(self, cookie: Cookie, *services: Any) -> None:
        super().__init__(*services)
        self._cookie = cookie

    def identify(self, visit: Visit) -> Identity | Failed | None:
        """Who the session's user is, where it comes from where it began."""
        found = super().identify(visit)
        if (
            self._cookie.includeip
            and isinstance(found, Identity)
            and found.claims.get(_CLAIM) != network_of(visit.address)
        ):
            return Failed("session from another address")
        return found

    def begin(
        self, visit: Visit, account: Account, amr: Sequence[str], *, data: Mapping[str, Any] | None = None, **how: Any
    ) -> str:
        """Begin a session, see :meth:`Sessions.begin`."""
        known = dict(data or {})
        if self._cookie.includeip:
            known["claims"] = {**known.get("claims", {}), _CLAIM: network_of(visit.address)}
        if self._cookie.seconds is not None:
            how["remember"] = True
        return super().begin(visit, account, amr, data=known, **how)


def network_of(address: str) -> str:
    """The network that an address stands for, as text; ``''`` where there is none."""
    read = read_address(address)
    return "" if read is None else str(ip_network((read, _PREFIX[read.version]), strict=False))
