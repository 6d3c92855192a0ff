"""Whether two requests may come from the same browser: enough to tell an answer again, too little to trust."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ....protocol.peers import read_address

if TYPE_CHECKING:
    from ..visit import Visit


def client_of(visit: Visit) -> str:
    """A word for the browser's name and the network that it is in (24 bits of an IPv4 address, 56 of an IPv6 one)."""
    address = read_address(visit.address)
    network = b"" if address is None else address.packed[: 3 if address.version == 4 else 7]
    agent = visit.header("User-Agent").encode("utf-8", "surrogatepass")
    return hashlib.sha256(network + b"\0" + agent).hexdigest()[:16]
