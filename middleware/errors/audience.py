"""Who is shown the details of an error: a browser at this machine, which asks for it by one of its own names.

Reads ``wheatpaste.peer``, ``REMOTE_ADDR``, ``SERVER_PROTOCOL``, ``HTTP_HOST``, ``HTTP_VIA`` and its kind,
``HTTP_SEC_FETCH_SITE`` (``_MODE``) and the notes of the request's record.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...protocol.hosts import parse_host, read_host
from ...protocol.peers import Networks, is_direct, peer_of, read_address
from ...protocol.wsgi import Environ

_LOOPBACK = Networks(("127.0.0.0/8", "::1"))


def loaded_by_another_site(environ: Environ) -> str | None:
    """Why the answer is not for the developer's own eyes, as a sentence, or None: a page of another site loads it.

    Whether that page may read it is for the headers of the app and of filters around it to say (CORS), and many that
    are being developed let everybody. A link that is followed is something else, and so is another port of this
    machine, where the developer's other server may be.
    """
    if environ.get("HTTP_SEC_FETCH_SITE") != "cross-site" or environ.get("HTTP_SEC_FETCH_MODE") == "navigate":
        return None
    return "a page of another site has asked for it"


def host_complaint(pattern: str) -> str | None:
    """What is wrong with a name under which details may be asked for, or None."""
    return "is no host such as dev.example.com, *.example.com or *, without a port" if _host(pattern) is None else None


def _host(pattern: str) -> str | None:
    """A pattern of hosts in the form in which hosts are compared, or None for what can fit none."""
    if pattern == "*":
        return pattern
    below = "*." if pattern.startswith("*.") else ""
    try:
        host, port = parse_host(pattern.removeprefix(below))
    except ValueError:
        return None
    return below + host if port is None else None


class Audience:
    """The peers and hosts for which details are shown, besides this machine and its own names.

    ``peers`` are networks of the other end of the socket (``*``: everybody, and through any proxy); ``hosts`` are
    names as in ``Host``, ``*.example.com`` for all below one, ``*`` for all. A page of somebody else's that makes a
    browser here ask for its own name at 127.0.0.1 (DNS rebinding) is what the hosts are for.
    """

    def __init__(self, peers: Iterable[str] = (), hosts: Iterable[str] = ()) -> None:
        words = tuple(peers)
        self._everybody = "*" in words
        self._peers = Networks(words)
        self._hosts = frozenset(filter(None, map(_host, hosts)))

    def refusal(self, environ: Environ) -> str | None:
        """Why this request is shown no details, as a sentence for the log that says what would change it, or None."""
        peer = peer_of(environ)
        if not self._everybody:
            if not (_LOOPBACK.holds(peer) or self._peers.holds(peer)):
                return f"the client {peer or 'has no address and'} is not of this machine: allow_peers may name it"
            if not is_direct(environ):
                return "the request came through a proxy: allow_peers = * shows details to everybody behind it"
            if environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
                # nginx, unless told otherwise, passes on neither the client nor the host that was asked for. But until
                # its version 1.29.7 it speaks what no browser has spoken for twenty years.
                return "the request is one of HTTP/1.0, as a proxy sends it: allow_peers = * shows details behind it"
        host = read_host(environ.get("HTTP_HOST") or environ.get("SERVER_NAME") or "")
        if host is None or not self._names(host.host):
            return f"the request is for the host {environ.get('HTTP_HOST', '')!r}: allow_hosts may name it"
        return None

    def _names(self, host: str) -> bool:
        if host == "localhost" or host.endswith(".localhost"):
            return True
        address = read_address(host.strip("[]"))
        if address is not None and address.is_loopback:
            return True
        return any(
            pattern in ("*", host) or (pattern.startswith("*.") and host.endswith(pattern[1:]))
            for pattern in self._hosts
        )
