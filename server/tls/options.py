"""From the options about TLS to what turns accepted connections into TLS ones.

Certificates are read when the server is prepared, so that a mistake in them stops the start and a server that gives up
its privileges can have read them before. The engine reads them again when their files change.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, NamedTuple

from ...config.options import OptionError
from .certificates import Certificate, TLSSetupError
from .contexts import TLSContexts, make_tls
from .encrypted_socket import own_context

if TYPE_CHECKING:
    from ..http_server import HTTPServer
    from .handshake import Wraps


class PreparedTLS(NamedTuple):
    """What wraps connections, and lines for whoever starts the server."""

    wraps: Wraps
    notes: tuple[str, ...] = ()

    def renew(self) -> None:
        """Read certificates anew for connections that come from now on; what is wrong with them is logged."""
        if isinstance(self.wraps, TLSContexts):
            self.wraps.reload()


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
        )
    except TLSSetupError as error:
        what = f"{error.what}; {error.fix}" if error.fix else error.what
        raise OptionError(type(server).__name__, _option_of(server, error), what) from error
    return PreparedTLS(contexts, (*notes, *contexts.warnings))


def _certificates(server: HTTPServer) -> tuple[list[Certificate], tuple[str, ...]]:
    if server.tls == "dev":
        from .dev_certificate import dev_certificate, how_to_trust

        names = [address.host for address in server.addresses() if address.host]
        made = dev_certificate([*names, server.server_name] if server.server_name else names)
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
