"""From the options about TLS to what turns accepted connections into TLS ones.

Certificates are read when the server is prepared, so that a mistake in them stops the start and a server that gives up
its privileges can have read them before; and again whenever their files change.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
import weakref
from typing import TYPE_CHECKING, NamedTuple

from ..config.options import OptionError
from .certificates import Certificate, TLSSetupError
from .tls import TLSContexts, make_tls, own_context

if TYPE_CHECKING:
    from .http_server import HTTPServer
    from .tls_handshake import Wraps

_LOOK_EVERY = 5.0


class PreparedTLS(NamedTuple):
    """What wraps connections, and lines for whoever starts the server."""

    wraps: Wraps
    notes: tuple[str, ...] = ()


def prepare_tls(server: HTTPServer) -> PreparedTLS:
    """Read or make the certificates. Raises ``OptionError`` that names the option at fault."""
    if server.tls_context is not None:
        context = server.tls_context
        if not isinstance(context, ssl.SSLContext):
            kind = f"{type(context).__module__}.{type(context).__qualname__}"
            raise OptionError(type(server).__name__, "tls_context", f"must be an ssl.SSLContext, not a {kind}")
        return PreparedTLS(own_context(context))
    try:
        certificates, notes = _certificates(server)
        contexts = make_tls(
            certificates,
            client=server.tls_client,
            client_ca=server.tls_client_ca,
            client_crl=server.tls_client_crl,
            minimum=server.tls_minimum,
            ciphers=server.tls_ciphers,
            look_every=_LOOK_EVERY,
        )
    except TLSSetupError as error:
        what = f"{error.what}; {error.fix}" if error.fix else error.what
        raise OptionError(type(server).__name__, _option_of(server, error), what) from error
    return PreparedTLS(RenewedTLS(contexts), (*notes, *contexts.warnings))


class RenewedTLS:
    """The certificates of a server, read anew while it serves.

    From the first connection on a thread looks at the files, in each process that has one: who renews certificates
    need not tell the server.
    """

    def __init__(self, contexts: TLSContexts, every: float = _LOOK_EVERY) -> None:
        self.contexts = contexts
        self._every = every
        self._watched_by: int | None = None

    def wrap_socket(
        self, sock: socket.socket, server_side: bool = True, do_handshake_on_connect: bool = False
    ) -> ssl.SSLSocket:
        """The TLS side of an accepted connection, with the certificates that count now."""
        if self._watched_by != os.getpid():
            self._watched_by = os.getpid()
            watch = threading.Thread(
                target=_watch, args=(weakref.ref(self), self._every), daemon=True, name="wheatpaste-certificates"
            )
            watch.start()
        return self.contexts.wrap_socket(sock, server_side, do_handshake_on_connect)


def _watch(watched: weakref.ref[RenewedTLS], every: float) -> None:
    pause = threading.Event()
    while _look(watched()):
        pause.wait(every)


def _look(renewed: RenewedTLS | None) -> bool:
    """Read the files if they have changed. False when the server that they were for is gone."""
    if renewed is None:
        return False
    if renewed.contexts.changed():
        renewed.contexts.reload()
    return True


def _certificates(server: HTTPServer) -> tuple[list[Certificate], tuple[str, ...]]:
    if server.tls == "dev":
        from .dev_certificate import dev_certificate, how_to_trust

        made = dev_certificate(address.host for address in server.addresses() if address.host)
        return [made], () if made.ca is None else tuple(how_to_trust(made.ca, briefly=not made.is_new))
    keys = server.tls_key or (None,) * len(server.tls_certificate)
    return [
        Certificate(chain, key, server.tls_password) for chain, key in zip(server.tls_certificate, keys, strict=True)
    ], ()


def _option_of(server: HTTPServer, error: TLSSetupError) -> str:
    if error.about == "state" or (server.tls == "dev" and error.about in ("certificate", "key", "password")):
        return "tls"
    if error.about == "key" and not server.tls_key:
        return "tls_certificate"
    return f"tls_{error.about}"
