"""The methods that a site has chosen, each made of the site's services when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...config.options import OptionError
from .accounts.options import RoleOptions
from .method import Method
from .site import Site

if TYPE_CHECKING:
    from .setup import Assembly

_SECTIONS = {
    "tkt": ("tkt", "with the secret of the tickets"),
    "header": ("header", "with the headers of the proxy"),
    "certificate": ("certificate", "that says whose certificates are whose"),
    "jwt": ("jwt:NAME", "of an issuer"),
}
"""The methods that mean nothing without a section of their own, and what is in it."""


def sections_lacking(name: str, site: Site, parts: Mapping[str, Any]) -> str | None:
    """A phrase that names the sections without which methods of a site mean nothing; None if they are there."""
    present = {part.partition(":")[0] for part in parts}
    words = [word for word in site.methods if word in _SECTIONS and word not in present]
    if not words:
        return None
    sections = [f"[auth:{name}:{_SECTIONS[word][0]}] {_SECTIONS[word][1]}" for word in words]
    return f"names {' and '.join(words)}, and there is no section {', nor '.join(sections)}"


def _session(of: Assembly) -> Method:
    return of.sessions


def _bearer(of: Assembly) -> Method:
    from .methods.bearer import Bearer, BearerOptions

    return Bearer(of.tokens, of.directory, of.options("bearer", BearerOptions), of.audit)


def _basic(of: Assembly) -> Method:
    from .methods.basic import Basic, BasicOptions

    bearer: Any = of.method("bearer") if "bearer" in of.site.methods else None
    return Basic(
        of.passwords,
        of.site.realm,
        of.audit,
        of.options("basic", BasicOptions),
        token=None if bearer is None else bearer.identify_password,
        clock=of.clock,
    )


def _digest(of: Assembly) -> Method:
    from .methods.digest import Digest

    secrets, options = of.verifying_digest()
    return Digest(
        of.directory, secrets, of.throttle, of.site.realm, of.store, of.vault, of.audit, options, clock=of.clock
    )


def _header(of: Assembly) -> Method:
    from .methods.header import header_method

    return header_method(
        of.parts["header"], of.site.trusted_proxies, of.directory, of.groups, of.users.complete, of.clock
    )


def _certificate(of: Assembly) -> Method:
    from .methods.certificate import CertificateMethod

    return CertificateMethod(
        of.parts["certificate"], of.site.trusted_proxies, of.directory, of.users.complete, of.clock
    )


def _jwt(of: Assembly) -> Method:
    from .methods.jwt import Jwt, JwtIssuer

    issuers = [
        JwtIssuer(name.partition(":")[2], options, of.clock)
        for name, options in of.parts.items()
        if name.startswith("jwt:")
    ]
    roles: RoleOptions = of.options("roles", RoleOptions)
    return Jwt(issuers, of.groups, roles.roles)


def _tkt(of: Assembly) -> Method:
    from .methods.tkt import Tkt, TktOptions

    options: TktOptions = of.parts["tkt"]
    if options.exchange and "session" not in of.site.methods:
        what = "must name session, too: tickets are exchanged for one (or say exchange = false, in their section)"
        raise OptionError("Site", "methods", what, part="")
    return Tkt(options, of.store, of.directory, of.clock)


MAKERS: Mapping[str, Callable[[Assembly], Method]] = {
    "session": _session,
    "bearer": _bearer,
    "basic": _basic,
    "digest": _digest,
    "header": _header,
    "certificate": _certificate,
    "jwt": _jwt,
    "tkt": _tkt,
}
"""By the words of ``[auth:NAME] methods``."""
