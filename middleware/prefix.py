"""Tell an app under which prefix, host, scheme and port the world sees it.

Where in the stack: outermost, around everything that builds links. Behind a proxy that strips ``/wiki`` before it
passes a request on, ``prefix = /wiki`` puts it back as ``SCRIPT_NAME``; behind one that does not strip, it moves from
``PATH_INFO`` to ``SCRIPT_NAME``. Headers by which proxies report the original request count only when one of
``trusted_proxies`` sent them; nobody else's reach the app. A trusted proxy must itself set or remove all five of them:
one that it passes on unseen was written by the client.

Writes ``SCRIPT_NAME``, ``PATH_INFO``, ``HTTP_HOST``, ``SERVER_NAME``, ``SERVER_PORT``, ``wsgi.url_scheme``,
``REMOTE_ADDR`` and, before the last, ``wheatpaste.peer``; removes the forwarding headers that it used or that nobody
may use. It writes into the environ that it was given: layers outside, such as a log, expect to read the client there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

from ..config.factories import make_filter_factory
from ..config.mounts import KeyProblem
from ..config.options import component, each, option
from ..config.records import field
from ..protocol.forwarding import ours, outermost, read_loose_node, split_list
from ..protocol.hosts import HostPort, read_host
from ..protocol.peers import Networks, keep_peer, network_complaint, remove_forwarding
from ..protocol.wsgi import Body, Environ, StartResponse, WSGIApp

_PREFIX = re.compile(r"(?:/[^/?#\\\x00-\x20\x7f]+)*/?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def _prefix_complaint(prefix: str) -> str | None:
    if prefix and prefix[0] != "/":
        return f"must begin with a slash: /{prefix}"
    if not _PREFIX.fullmatch(prefix) or any(segment in (".", "..") for segment in prefix.split("/")):
        return "must be a plain path such as /wiki"
    return None


def _port_complaint(port: str) -> str | None:
    if port in ("keep", "default") or (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        return None
    return "must be a port between 1 and 65535, default or keep"


@component
class Prefix:
    """Serve an app under a prefix, and as the host, scheme and port that the outside world sees."""

    moves_paths: ClassVar[bool] = True  # `explain` asks it where a request goes

    app: WSGIApp = field(kw_only=False)
    prefix: str | None = option(
        default=None,
        doc="Path below which the world sees the app: becomes SCRIPT_NAME, and is taken off the path if it is there.",
        check=_prefix_complaint,
        sample="/wiki",
    )
    missing: Literal["pass", "404"] = option(
        default="pass",
        doc="What happens to a path without the prefix: pass serves it (a proxy has stripped it), 404 refuses it.",
    )
    translate_forwarded_server: bool = option(
        default=True,
        doc="Whether X-Forwarded-Server, -Host, -For, -Scheme and -Proto count, from trusted proxies; others' go away.",
    )
    trusted_proxies: tuple[str, ...] = option(
        default=(),
        doc="Networks and addresses of proxies whose forwarding headers count; unix for local sockets, * for anybody.",
        check=each(network_complaint),
        inherits=True,
        sample="127.0.0.1 10.0.0.0/8",
    )
    force_port: str = option(
        default="keep",
        doc="The port that links carry: a number, default (or empty) for the scheme's own, keep for no change.",
        check=_port_complaint,
        parse=lambda text: text.strip() or "default",
    )
    scheme: Literal["http", "https"] | None = option(
        default=None, doc="The scheme that the world uses, whatever the server and the headers say."
    )
    _script_name: str = field(init=False, repr=False, default="")
    _trusted: Networks = field(init=False, repr=False, default=Networks(()))

    def __post_init__(self) -> None:
        # As servers give it: the bytes of the path, each as the character of the same number.
        script_name = (self.prefix or "").rstrip("/").encode("utf-8").decode("latin-1")
        object.__setattr__(self, "_script_name", script_name)
        object.__setattr__(self, "_trusted", Networks(self.trusted_proxies))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Correct the environ and call the app."""
        if self.prefix is not None and not self._move_prefix(environ):
            from webob.exc import HTTPNotFound

            answer: Body = HTTPNotFound()(environ, start_response)
            return answer
        if self.translate_forwarded_server:
            if self._trusted.holds_peer(environ):
                self._believe(environ)
            else:
                remove_forwarding(environ)
        # After the headers, so that a fixed scheme wins; before the port, which may be that scheme's own.
        if self.scheme is not None:
            environ["wsgi.url_scheme"] = self.scheme
        if self.force_port != "keep":
            self._force_port(environ)
        return self.app(environ, start_response)

    def _move_prefix(self, environ: Environ) -> bool:
        """Set ``SCRIPT_NAME``; False when the path lacks the prefix and must have it."""
        path: str = environ.get("PATH_INFO", "")
        prefix = self._script_name
        if path == prefix or path.startswith(f"{prefix}/"):
            path = path[len(prefix) :]
        elif self.missing == "404":
            return False
        environ["PATH_INFO"] = path or "/"
        environ["SCRIPT_NAME"] = prefix
        return True

    def _believe(self, environ: Environ) -> None:
        keep_peer(environ)
        client, hops = self._client(split_list(environ.pop("HTTP_X_FORWARDED_FOR", "")))
        if client:
            environ["REMOTE_ADDR"] = client
            for key in ("REMOTE_HOST", "REMOTE_PORT"):  # they speak of the proxy
                environ.pop(key, None)
        server = _host(environ.pop("HTTP_X_FORWARDED_SERVER", ""), hops)
        if server is not None:
            environ["SERVER_NAME"], environ["HTTP_HOST"] = server.host, str(server)
        host = _host(environ.pop("HTTP_X_FORWARDED_HOST", ""), hops)
        if host is not None:
            environ["HTTP_HOST"] = str(host)
        told = [environ.pop(f"HTTP_X_FORWARDED_{name}", "") for name in ("SCHEME", "PROTO")]
        schemes = {_item(header, hops).lower() for header in told if header}
        # Two answers: a proxy wrote only one of them, and nobody knows which.
        if len(schemes) == 1 and schemes <= _DEFAULT_PORTS.keys():
            environ["wsgi.url_scheme"] = schemes.pop()

    def _client(self, items: list[str]) -> tuple[str, int]:
        """The address of the client ('' for unknown), and how many proxies of ours the request came through."""
        believed = ours(items, read_loose_node, self._trusted)
        for item in believed:
            node = read_loose_node(item)
            if node is not None and node.is_address:
                return node.name, len(believed)
        return "", len(believed)

    def _force_port(self, environ: Environ) -> None:
        scheme = environ["wsgi.url_scheme"]
        port = _DEFAULT_PORTS.get(scheme, "443") if self.force_port == "default" else self.force_port
        environ["SERVER_PORT"] = port
        host = read_host(environ.get("HTTP_HOST") or environ.get("SERVER_NAME", ""))
        if host is not None:  # a host that is none stays for whoever refuses it
            environ["HTTP_HOST"] = host.host if self.force_port == "default" else f"{host.host}:{port}"


def _item(header: str, hops: int) -> str:
    return outermost(header.split(","), hops).strip()


def _host(header: str, hops: int) -> HostPort | None:
    return read_host(_item(header, hops))


def _advice(values: Mapping[str, Any]) -> Iterable[KeyProblem]:
    if values.get("translate_forwarded_server", True) and not values.get("trusted_proxies"):
        yield KeyProblem(
            "trusted_proxies",
            "is not set, so X-Forwarded-* headers are removed and have no effect, whoever sends them",
            "name your proxies, `trusted_proxies = 127.0.0.1 10.0.0.0/8` (* for anybody), "
            "or write `translate_forwarded_server = false`",
        )


filter_factory = make_filter_factory(Prefix)
# Without a `prefix` the old filter cleared SCRIPT_NAME: kept. Its trust in everybody is not, and the advice says so.
paste_filter_factory = make_filter_factory(Prefix, defaults={"prefix": "/"}, unknown="warning", advice=_advice)
