"""Forwarding headers at the server: believed of trusted proxies, removed of everybody else.

Directly below the server, before any middleware. Writes ``REMOTE_ADDR``, ``REMOTE_HOST``, ``REMOTE_PORT``,
``HTTP_HOST``, ``SERVER_NAME``, ``SERVER_PORT``, ``wsgi.url_scheme`` and ``SCRIPT_NAME``, as far as headers that are
believed say so; before the first, ``wheatpaste.peer``. The headers that were believed stay, cut down to what our own
proxies wrote. For its options the results are Waitress's; where that takes over malformed values, this refuses.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from ..protocol.forwarding import (
    Node,
    ours,
    outermost,
    read_forwarded,
    read_loose_node,
    read_node,
    split_list,
    unquote,
)
from ..protocol.hosts import HostPort, read_host
from ..protocol.peers import Networks, keep_peer, peer_of, remove_forwarding, reports
from ..protocol.wsgi import Environ
from .complaints import PROXY_HEADERS
from .settings import Forwarding

log = logging.getLogger("wheatpaste.server.forwarded")

_REMEMBERED_PEERS = 1024
_REMEMBERED_READINGS = 1024
_LONGEST_REMEMBERED = 512
_DEFAULT_PORTS = {"http": "80", "https": "443"}
# What trusted proxies say to filters that ask for it: who the user is, and what a request is about that only asks
# whether another may pass. Nothing here is believed by the server.
_FOR_FILTERS = frozenset(
    f"HTTP_X_FORWARDED_{word}"
    for word in ("URI", "METHOD", "USER", "EMAIL", "GROUPS", "PREFERRED_USERNAME", "TLS_CLIENT_CERT")
)
_PORT = re.compile(r"0*(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])")
_PREFIX = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+;=:@-]|%[0-9A-Fa-f]{2})+)*/?")
_BAD_SEGMENT = re.compile(rb"\.{0,2}|.*[/\\\x00-\x1f\x7f].*", re.DOTALL)


class _Malformed(Exception):
    """A header that a trusted proxy cannot have meant. The text is for the log."""

    def __init__(self, header: str, reason: str) -> None:
        self.header, self.reason = header, reason
        super().__init__(header, reason)


class _Told(NamedTuple):
    """What trusted proxies say, as far as they do; and the headers as they may stay in the environ. Never changed."""

    kept: dict[str, str]
    client: Node | None = None
    host: HostPort | None = None
    scheme: str = ""
    port: str = ""
    prefix: str = ""


def make_forwarding(
    trusted: Networks,
    *,
    count: int = 1,
    headers: Collection[str],
    clear_untrusted: bool = True,
    log_untrusted: bool = False,
) -> Forwarding:
    """Make what handles the forwarding headers of each request.

    ``trusted`` are the peers that are believed. ``count`` proxies stand one behind the other; if addresses in a list
    are in the networks of ``trusted``, so many more do. ``headers`` are the names that count, of :data:`PROXY_HEADERS`;
    others have no effect, and are removed unless ``clear_untrusted`` is false. They are logged, with ``log_untrusted``
    as warnings, otherwise for debugging. The result complains about malformed headers of trusted peers.
    Raises ``ValueError`` for headers that cannot be believed, or not together.
    """
    names = frozenset(name.lower() for name in headers)
    if unknown := names.difference(PROXY_HEADERS):
        raise ValueError(f"{', '.join(sorted(unknown))} cannot be believed")
    if "forwarded" in names and len(names) > 1:
        raise ValueError("either forwarded or the x-forwarded headers can be believed: they may contradict each other")
    counted = frozenset(_key(name) for name in names)
    kept = counted | _FOR_FILTERS
    read = _reader(trusted, count, counted)
    believed: dict[str, bool] = {}
    level = logging.WARNING if log_untrusted else logging.DEBUG

    def forward(environ: Environ) -> str | None:
        peer = peer_of(environ)
        trust = believed.get(peer)
        if trust is None:
            if len(believed) >= _REMEMBERED_PEERS:
                believed.clear()
            trust = believed[peer] = trusted.holds(peer)
        found = reports(environ)
        if not found:
            return None
        keep_peer(environ)
        told = None
        if trust:
            try:
                told = read(environ)
            except _Malformed as error:
                log.warning(
                    "%s of %s malformed: %s: %.200r",
                    error.header,
                    _shown(peer),
                    error.reason,
                    environ.get(_key(error.header)),
                )
                return f'Header "{error.header}" malformed.'
        idle = [key for key in found if not trust or key not in kept]
        if idle:
            if clear_untrusted:
                remove_forwarding(environ, kept if trust else ())
            if log.isEnabledFor(level):
                why = "such headers are not believed" if trust else "it is no trusted proxy"
                log.log(level, "%s of %s without effect: %s", ", ".join(map(_name, idle)), _shown(peer), why)
        if told is not None:
            _apply(environ, told)
        return None

    return forward


def _reader(trusted: Networks, count: int, counted: frozenset[str]) -> Callable[[Environ], _Told]:
    """What reads the headers that count. Clients come again, so what was read lately is remembered."""
    keys = sorted(counted - {"HTTP_X_FORWARDED_BY"})

    def read(*values: str) -> _Told:
        said = {key: value.strip() for key, value in zip(keys, values, strict=True) if value.strip()}
        if "HTTP_FORWARDED" in counted:
            return _read_forwarded(said, trusted, count)
        return _read_x_forwarded(said, trusted, count)

    read_again = lru_cache(_REMEMBERED_READINGS)(read)

    def told_by(environ: Environ) -> _Told:
        values = [environ.get(key, "") for key in keys]
        return read_again(*values) if sum(map(len, values)) <= _LONGEST_REMEMBERED else read(*values)

    return told_by


def _key(name: str) -> str:
    return f"HTTP_{name.upper().replace('-', '_')}"


def _name(key: str) -> str:
    return "-".join(word.capitalize() for word in key.removeprefix("HTTP_").split("_"))


def _shown(peer: str) -> str:
    return peer or "a UNIX socket"


def _apply(environ: Environ, told: _Told) -> None:
    environ.update(told.kept)
    scheme, port, host = told.scheme, told.port, told.host
    if scheme:
        environ["wsgi.url_scheme"] = scheme
        port = port or _DEFAULT_PORTS[scheme]
    if host is not None:
        environ["SERVER_NAME"] = host.host
        if host.port is not None:
            port = str(host.port)
            environ["HTTP_HOST"] = str(host)
        elif port and port != _DEFAULT_PORTS.get(environ["wsgi.url_scheme"]):
            environ["HTTP_HOST"] = f"{host.host}:{port}"
        else:
            environ["HTTP_HOST"] = host.host
    if port:
        environ["SERVER_PORT"] = port
    if told.client is not None:
        environ["REMOTE_ADDR"] = environ["REMOTE_HOST"] = told.client.name
        if told.client.port:
            environ["REMOTE_PORT"] = told.client.port
        else:
            environ.pop("REMOTE_PORT", None)  # it was the proxy's
    if told.prefix:
        environ["SCRIPT_NAME"] = told.prefix + environ.get("SCRIPT_NAME", "")


def _read_x_forwarded(said: Mapping[str, str], trusted: Networks, count: int) -> _Told:
    kept: dict[str, str] = {}

    def items_of(name: str) -> list[str]:
        value = said.get(_key(name))
        return split_list(value) if value else []

    def cut(name: str, items: list[str]) -> None:
        kept[_key(name)] = ", ".join(items[-hops:])

    hops, client = count, None
    clients = items_of("x-forwarded-for")
    if clients:
        chain = [read_loose_node(item) for item in ours(clients, read_loose_node, trusted, count)]
        if None in chain:
            raise _Malformed("X-Forwarded-For", "it holds something that is no address")
        hops, client = max(count, len(chain)), chain[0]
        cut("x-forwarded-for", clients)
    host = None
    hosts = items_of("x-forwarded-host")
    if hosts:
        host = _host("X-Forwarded-Host", outermost(hosts, hops))
        cut("x-forwarded-host", hosts)
    schemes = items_of("x-forwarded-proto")
    ports = items_of("x-forwarded-port")
    prefixes = items_of("x-forwarded-prefix")
    if prefixes:
        cut("x-forwarded-prefix", prefixes)
    return _Told(
        kept,
        client,
        host,
        _scheme("X-Forwarded-Proto", _only(schemes, hops, "X-Forwarded-Proto")) if schemes else "",
        _port(_only(ports, hops, "X-Forwarded-Port")) if ports else "",
        "".join(map(_prefix, prefixes[-hops:])),
    )


def _read_forwarded(said: Mapping[str, str], trusted: Networks, count: int) -> _Told:
    value = said.get("HTTP_FORWARDED")
    if not value:
        return _Told({})
    try:
        elements = read_forwarded(value)
    except ValueError as error:
        raise _Malformed("Forwarded", str(error)) from error

    def node_of(element: dict[str, str]) -> Node | None:
        return read_node(element["for"]) if "for" in element else None

    client, host, scheme = None, None, ""
    believed = ours(elements, node_of, trusted, count)
    # A proxy may say a part of it, or change the host for the next: the outermost that says a thing knows it best.
    for element in reversed(believed):
        if "for" in element:
            client = node_of(element)
            if client is None:
                raise _Malformed("Forwarded", "for= names nobody")
        if "host" in element:
            host = _host("Forwarded", element["host"])
        if "proto" in element:
            scheme = _scheme("Forwarded", element["proto"])
    return _Told({"HTTP_FORWARDED": _tail(value, len(believed))}, client, host, scheme)


def _tail(value: str, elements: int) -> str:
    """The last elements of a Forwarded header as they were written; commas inside of quotes end none."""
    ends = [found.start() for found in re.finditer(r'"(?:[^"\\]|\\.)*"|,', value) if found[0] == ","]
    return value[ends[-elements] + 1 :].strip() if elements <= len(ends) else value


def _only(items: list[str], hops: int, header: str) -> str:
    """What the outermost proxy wrote, where each of ours wrote at most one: of more, nobody knows whose they are."""
    if len(items) > hops:
        raise _Malformed(header, f"it holds {len(items)} values of {hops} proxies")
    return items[0]


def _text(header: str, item: str) -> str:
    text = unquote(item) if '"' in item else item
    if text is None:
        raise _Malformed(header, "its quotes do not match")
    return text


def _host(header: str, item: str) -> HostPort:
    host = read_host(_text(header, item))
    if host is None:
        raise _Malformed(header, "it holds something that is no host")
    return host


def _scheme(header: str, item: str) -> str:
    scheme = _text(header, item).lower()
    if scheme not in _DEFAULT_PORTS:
        raise _Malformed(header, "it is neither http nor https")
    return scheme


def _port(item: str) -> str:
    text = _text("X-Forwarded-Port", item)
    if not _PORT.fullmatch(text):
        raise _Malformed("X-Forwarded-Port", "it is no port")
    return text.lstrip("0")


def _prefix(item: str) -> str:
    """A path that a proxy took off, as ``SCRIPT_NAME`` has it: bytes as characters, no slash at the end."""
    text = _text("X-Forwarded-Prefix", item)
    if not _PREFIX.fullmatch(text):
        raise _Malformed("X-Forwarded-Prefix", "it is no plain path")
    segments = [unquote_to_bytes(segment) for segment in text.rstrip("/").split("/")[1:]]
    if any(_BAD_SEGMENT.fullmatch(segment) for segment in segments):
        raise _Malformed("X-Forwarded-Prefix", "it is no plain path")
    return "".join(f"/{segment.decode('latin-1')}" for segment in segments)
