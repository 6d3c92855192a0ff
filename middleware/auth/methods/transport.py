"""Whether secrets may travel on the way that a request came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....protocol.peers import is_direct, read_address
from ..method import Failed

if TYPE_CHECKING:
    from ..visit import Visit


def exposure(visit: Visit) -> Failed | None:
    """Why a password or token that came with a request does not count: everybody on the way could read it.

    Over TLS all is well, and so it is between programs of one machine, unless one of them is a proxy that passes on
    what came from elsewhere; ``allow_insecure`` says that it is anyway.
    """
    if visit.is_secure or visit.authority.site.allow_insecure:
        return None
    if _is_local(visit.address) and _is_local(visit.peer) and is_direct(visit.environ):
        return None
    return Failed(
        "plain http", "invalid_request", "Passwords and tokens are taken over https alone; this one was exposed.", 403
    )


def _is_local(address: str) -> bool:
    """Whether an address is of this machine; a UNIX socket has none."""
    if not address:
        return True
    read = read_address(address)
    return read is not None and read.is_loopback
