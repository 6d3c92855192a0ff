"""Sessions that count at the address where they began, for ``cookie.includeip``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from ....protocol.peers import read_address
from ..account import Account
from ..identity import Identity
from ..method import Failed
from ..sessions.sessions import Sessions

if TYPE_CHECKING:
    from ..visit import Visit

_CLAIM = "network"
_PREFIX = {4: 32, 6: 64}
"""Of IPv6 the network: devices change the rest every day by themselves (RFC 8981)."""


class AddressedSessions(Sessions):
    """The method ``session``; a cookie that comes from another network counts for nothing.

    The address is the one that the server has found out, from proxies that it trusts and no others.
    """

    def identify(self, visit: Visit) -> Identity | Failed | None:
        """Who the session's user is, where it comes from where it began."""
        found = super().identify(visit)
        if isinstance(found, Identity) and found.claims.get(_CLAIM) != network_of(visit.address):
            return Failed("session from another address")
        return found

    def begin(
        self, visit: Visit, account: Account, amr: Sequence[str], *, data: Mapping[str, Any] | None = None, **how: Any
    ) -> str:
        """Begin a session for this address, see :meth:`Sessions.begin`."""
        known = dict(data or {})
        known["claims"] = {**known.get("claims", {}), _CLAIM: network_of(visit.address)}
        return super().begin(visit, account, amr, data=known, **how)


def network_of(address: str) -> str:
    """The network that an address stands for, as text; ``''`` where there is none."""
    read = read_address(address)
    return "" if read is None else str(ip_network((read, _PREFIX[read.version]), strict=False))
