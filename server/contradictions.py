"""Options of the server that cannot stand together, each with the way out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .listeners import parse_address

if TYPE_CHECKING:
    from .http_server import HTTPServer

Contradiction = tuple[str, str]
"""The option that is blamed, and a phrase that completes "option: …"."""


def contradictions(server: HTTPServer) -> Iterator[Contradiction]:
    """What is wrong with the options together. Nothing is opened or read."""
    yield from _addresses(server)
    yield from _proxies(server)
    yield from _tls(server)
    yield from _limits(server)


def _addresses(server: HTTPServer) -> Iterator[Contradiction]:
    if server.listen and server.unix_socket:
        yield "unix_socket", "cannot stand beside listen; write unix:/path in listen instead"
    for name, said in (("host", server.host != "127.0.0.1"), ("port", server.port is not None)):
        for other in ("listen", "unix_socket"):
            if said and getattr(server, other):
                yield name, f"cannot stand beside {other}; remove one of them"
    if server.unix_socket_owner and not (server.unix_socket or any(text.startswith("unix:") for text in server.listen)):
        yield "unix_socket_owner", "means nothing without a UNIX socket; add `unix_socket = PATH`, or remove it"
    if not (server.ipv4 or server.ipv6):
        yield "ipv6", "one of ipv4 and ipv6 must be true"
    if not server.host.strip():
        yield "host", "must not be empty; write * for every interface"
    for word in server.host.split():
        try:
            own = parse_address(word, -1).port
        except ValueError as error:
            yield "host", str(error)
            continue
        if server.port is not None and own not in (-1, server.port):
            yield "port", f"differs from the port in host = {server.host}; remove one of them"


def _tls(server: HTTPServer) -> Iterator[Contradiction]:
    certificate, keys = server.tls_certificate, server.tls_key
    if server.tls and certificate:
        yield "tls", f"cannot stand beside tls_certificate; remove `tls = {server.tls}` to use your own"
    if server.tls_context is not None:
        for name in ("tls", "tls_certificate", "tls_key", "tls_client_ca"):
            if getattr(server, name):
                yield name, "cannot stand beside tls_context, which says everything about TLS; remove one of them"
    if not certificate:
        for name in ("tls_key", "tls_password"):
            if getattr(server, name):
                yield name, "means nothing without tls_certificate; add `tls_certificate = FILE`"
    if keys and len(keys) != len(certificate):
        yield (
            "tls_key",
            f"names {len(keys)} files for {len(certificate)} certificates; give one for each, in their order",
        )
    if server.tls_client != "none" and server.tls_client_ca is None:
        yield "tls_client", "needs to know whose certificates count; add `tls_client_ca = FILE`"
    if server.tls_client == "none":
        for name in ("tls_client_ca", "tls_client_crl"):
            if getattr(server, name):
                yield name, "means nothing while no client is asked; add `tls_client = required`, or optional"
    if not server.speaks_tls:
        if server.tls_client != "none":
            yield "tls_client", "means nothing without TLS; add `tls_certificate = FILE`"
        if server.tls_ciphers:
            yield "tls_ciphers", "means nothing without TLS; add `tls_certificate = FILE`"
    elif server.url_scheme == "http":
        yield "url_scheme", "cannot be http where TLS is spoken; remove it"


def _proxies(server: HTTPServer) -> Iterator[Contradiction]:
    if not server.trusted_proxies:
        for name in ("trusted_proxy_count", "trusted_proxy_headers"):
            if getattr(server, name):
                yield name, "means nothing without trusted_proxies; add `trusted_proxies = ADDRESS`"
    headers = {name.lower() for name in server.trusted_proxy_headers}
    if "forwarded" in headers and len(headers) > 1:
        yield "trusted_proxy_headers", "believe either forwarded or the x-forwarded ones, not both"


def _limits(server: HTTPServer) -> Iterator[Contradiction]:
    if server.max_request_line > server.max_request_head:
        yield (
            "max_request_line",
            f"is more than max_request_head ({server.max_request_head}), which holds it; raise that or lower this",
        )
    if server.connections_per_address is not None and server.connections_per_address > server.connections:
        yield "connections_per_address", f"is more than connections ({server.connections}); lower it or raise that"
    if server.group and not server.user:
        yield "group", "means nothing without user; add `user = NAME`"
    if server.max_requests_jitter and server.max_requests is None:
        yield "max_requests_jitter", "means nothing without max_requests; add `max_requests = NUMBER`"
