"""A ``Wire`` over TLS: bytes as they are, in records of the test's choice."""

from __future__ import annotations

from raw_http import Address, Wire
from tls_peers import anybody


def tls_wire(address: Address, patience: float = 5.0) -> Wire:
    """A connection whose handshake is done."""
    wire = Wire(address, patience)
    try:
        wire.socket = anybody().wrap_socket(wire.socket)
    except BaseException:
        wire.close()
        raise
    return wire
