"""Which peers are trusted: the one meaning of ``trusted_proxies``, and what the others may not say.

A trust decision asks who holds the other end of the socket, never what a header says. Whoever rewrites ``REMOTE_ADDR``
therefore keeps the peer first: ``keep_peer`` writes ``wheatpaste.peer``. Reads that, ``wheatpaste.proxied_by`` and
``REMOTE_ADDR``; removes ``HTTP_FORWARDED``, ``HTTP_X_REAL_IP`` and all of ``HTTP_X_FORWARDED_*`` where it is asked to.

The one exception is the PROXY protocol, which a server demands of the peers that a deployer named: the peer is then
whom the header names, so that proxies behind a balancer can be told apart. But it is no client of this machine,
whatever the header says: whoever guards something by "only from here" means those who can reach the socket itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from .trace import KEY as TRACE
from .trace import Trace
from .wsgi import Environ

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

PEER = "wheatpaste.peer"

PROXIED_BY = "wheatpaste.proxied_by"
"""The environ key with the other end of the socket (``''`` for a UNIX socket), where a PROXY header named the peer."""

UNKNOWN_PEER = "unknown"
"""The peer that nobody can vouch for: no network holds it, not even ``unix``; only ``*`` does."""


def peer_of(environ: Environ) -> str:
    """The address at the other end of the socket, ``''`` where the server knows none."""
    peer: str | None = environ.get(PEER)
    return peer if peer is not None else environ.get("REMOTE_ADDR") or ""


def proxied_peer(address: str) -> str:
    """The peer, by the address that a PROXY header gives (``''`` for none): never one of this machine."""
    read = read_address(address)
    return UNKNOWN_PEER if read is None or read.is_loopback or read.is_unspecified else address


def keep_peer(environ: Environ) -> None:
    """Write ``wheatpaste.peer``, unless somebody below did; to be called before ``REMOTE_ADDR`` is rewritten."""
    environ.setdefault(PEER, environ.get("REMOTE_ADDR") or "")


FORWARDING_REMOVED = "forwarding headers that do not count were removed"
"""The note in the request's record: there was a proxy, or somebody who claims to be one."""


def remove_forwarding(environ: Environ, keep: Collection[str] = ()) -> list[str]:
    """Remove every header by which proxies report the original request (RFC 7239 and its forerunners), with a note.

    ``keep`` are environ keys that stay. Returns the keys that went.
    """
    found = [key for key in reports(environ) if key not in keep]
    for key in found:
        del environ[key]
    if found:
        Trace.of(environ).note(FORWARDING_REMOVED)
    return found


def is_direct(environ: Environ) -> bool:
    """Whether nothing says that the request came through a proxy: no header (RFC 9110 section 7.6.3 has them say
    ``Via``), none removed, no address rewritten, no PROXY protocol.

    A proxy that says nothing, or whose headers the server removed without a word, cannot be told from a client.
    """
    if (
        PROXIED_BY in environ
        or "HTTP_VIA" in environ
        or reports(environ)
        or peer_of(environ) != (environ.get("REMOTE_ADDR") or "")
    ):
        return False
    trace: Trace | None = environ.get(TRACE)
    return trace is None or FORWARDING_REMOVED not in trace.notes


def reports(environ: Environ) -> list[str]:
    """The environ keys of headers by which proxies report the original request."""
    # A search in each key is the quickest sieve; few go through.
    found = [key for key in environ if "FORWARDED" in key or key == "HTTP_X_REAL_IP"]
    return [key for key in found if key.startswith("HTTP_X_FORWARDED_") or key in ("HTTP_FORWARDED", "HTTP_X_REAL_IP")]


def network_complaint(word: str) -> str | None:
    """What is wrong with one word of ``trusted_proxies``, or None."""
    if word in ("*", "unix"):
        return None
    from ipaddress import ip_network

    try:
        ip_network(word, strict=False)
    except ValueError:
        return "is no network such as 10.0.0.0/8, no address, and neither * nor unix"
    return None


class Networks:
    """A set of networks and addresses; ``*`` holds every peer and ``unix`` the peers that have no IP address."""

    __slots__ = ("_everyone", "_networks", "_unix")

    def __init__(self, words: Iterable[str]) -> None:
        self._networks: list[IPv4Network | IPv6Network] = []
        self._everyone = self._unix = False
        for word in words:
            if word == "*":
                self._everyone = True
            elif word == "unix":
                self._unix = True
            else:
                from ipaddress import ip_network  # costs milliseconds, and many sites have no proxy to name

                self._networks.append(ip_network(word, strict=False))

    def __bool__(self) -> bool:
        return bool(self._networks) or self._everyone or self._unix

    def holds_peer(self, environ: Environ) -> bool:
        """Whether the other end of the socket is among them."""
        return self.holds(peer_of(environ)) if self else False

    def holds(self, peer: str) -> bool:
        """Whether a peer is among them: its address, or ``''`` where it has none."""
        if self._everyone:
            return True
        if peer == UNKNOWN_PEER:
            return False
        address = read_address(peer)
        return self._unix if address is None else self._holds(address)

    def names(self, address: str) -> bool:
        """Whether an address from a header is in a network that was written out; ``*`` speaks of peers alone."""
        read = read_address(address) if self._networks else None
        return read is not None and self._holds(read)

    def _holds(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._networks)


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """The IP address that the text is, an IPv4 address inside an IPv6 one taken out (RFC 4291), or None."""
    from ipaddress import IPv6Address, ip_address

    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
