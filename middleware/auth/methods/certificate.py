"""Method ``certificate``: a client shows a certificate, to our server or to a proxy in front.

Whoever ends TLS has verified that an accepted authority has issued it; here it becomes a user: by its fingerprint, or
by a name in it. A proxy hands it on in a header (RFC 9440, nginx, Traefik), which is believed of ``trusted_proxies`` at
the socket's other end alone, and taken out of the environ otherwise (``strip``). Reads ``SSL_CLIENT_VERIFY`` and
``SSL_CLIENT_CERT``, or the header.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from ....config.mounts import KeyProblem
from ....config.options import OptionError, component, each, option
from ....config.problems import ConfigError, Problem
from ....config.reader import Family, Reader
from ....protocol.peers import Networks
from ....protocol.wsgi import Environ
from ..account import Account
from ..identity import Identity
from ..method import Failed
from ..names import composed
from .client_certificate import Shown, read_certificate, read_header, read_pem
from .guests import Guests, Known, Whose, amr_complaint
from .header_names import HeaderNames, environ_key, header_complaint, kept_by

if TYPE_CHECKING:
    from ....config.surroundings import Surroundings
    from ..visit import Visit

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_NAME = r"((?:[^,+\"\\<>;=]|\\[^0-9A-Fa-f]|\\[0-9A-Fa-f]{2})+)"
_ESCAPED = re.compile(r"\\(?:([0-9A-Fa-f]{2})|(.))")
_HEADERS = {"rfc9440": "Client-Cert", "nginx": "X-SSL-Client-Cert", "traefik": "X-Forwarded-Tls-Client-Cert"}
_CHAIN, _VERIFIED = "Client-Cert-Chain", "X-SSL-Client-Verify"
_FORGEABLE = frozenset(environ_key(name) for name in (*_HEADERS.values(), _CHAIN, _VERIFIED))


def _subject_complaint(pattern: str | None) -> str | None:
    if pattern is None or pattern.count("{name}") == 1:
        return None
    return "must hold {name} once, as CN={name},O=Mill"


@component
class CertificateOptions:
    """Users by the certificate that their client shows."""

    source: Literal["server", "rfc9440", "nginx", "traefik"] = option(
        default="server",
        doc="Who has asked for the certificate: our server, or a proxy that hands it on in its way.",
    )
    header: str | None = option(
        default=None,
        doc="The header with the certificate, where the proxy uses another than is usual.",
        check=header_complaint,
    )
    user: Literal["listed", "email", "uri", "cn", "uid", "subject"] = option(
        default="listed",
        doc="What names the user: a fingerprint that is listed here, or a part of the certificate. Any authority that"
        " the server accepts can then name any user.",
    )
    subject: str | None = option(
        default=None,
        doc="The whole subject of certificates that count, with {name} for the user's name.",
        check=_subject_complaint,
        sample="CN={name},OU=Staff,O=Mill",
    )
    accounts: Whose = option(
        default="required",
        doc="Whether the name is one of our own users: never, where there is such a user, or it has to be.",
    )
    amr: tuple[str, ...] = option(
        default=("swk",),
        doc="What a certificate shows, in the words of RFC 8176: swk, hwk for smart cards, mfa.",
        check=each(amr_complaint),
    )
    underscores_dropped: bool = option(
        default=False,
        doc="The proxy drops header names with an underscore, as nginx does; needed where the server does not.",
    )
    fingerprints: Mapping[str, str] = field(default=MappingProxyType({}))

    def __post_init__(self) -> None:
        if (self.user == "subject") != (self.subject is not None):
            missing = "subject" if self.subject is None else "user"
            raise OptionError("CertificateOptions", missing, "must be said together with the other: user = subject")
        if self.user == "listed" and not self.fingerprints:
            raise OptionError("CertificateOptions", "user", "is listed, and no fingerprint is: SHA-256 = user")
        if self.source == "server" and self.header is not None:
            raise OptionError("CertificateOptions", "header", "has no meaning where our server asks for certificates")

    def problems(self, stack: Surroundings) -> Iterator[KeyProblem]:
        """What a check says: a server that keeps underscores, or that asks nobody for a certificate."""
        if self.source != "server":
            if not self.underscores_dropped and kept_by(stack.server):
                yield KeyProblem(
                    "source",
                    "the server keeps header names with an underscore, by which clients could show certificates",
                    "let it drop them, or say that the proxy does with `underscores_dropped = true`",
                )
        elif stack.server and "tls_client" not in stack.server:
            yield KeyProblem(
                "source",
                "the server asks nobody for a certificate",
                "set tls_client and tls_client_ca in its section",
                severity="warning",
            )


def _fingerprint_complaint(key: str) -> str | None:
    return None if _FINGERPRINT.fullmatch(key.lower()) else "must be a SHA-256 of 64 hexadecimal digits, without colons"


def _user(text: str, folder: str | None) -> str:
    if composed(text.strip()) is None:
        raise ValueError("must be the name of a user")
    return text.strip()


CERTIFICATE_READER = Reader(
    component=CertificateOptions,
    family=Family(
        name="fingerprints",
        takes=lambda key: len(key) > 24 and "_" not in key,
        parse=_user,
        key="SHA-256 of a certificate",
        kind="user",
        doc="Whose the certificate with this fingerprint is: openssl x509 -fingerprint -sha256, without the colons.",
        sample=("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "ada"),
        complaint=_fingerprint_complaint,
    ),
)
"""How ``[auth:main:certificate]`` is read."""


class CertificateMethod:
    """Method ``certificate``. ``complete`` adds to a user who is none of ours what is known of it here.

    Raises ``OptionError`` where a proxy is to be believed and ``trusted_proxies`` names none, or everybody;
    ``ConfigError`` where ``cryptography`` is not installed.
    """

    name = "certificate"

    def __init__(
        self,
        options: CertificateOptions,
        trusted_proxies: Collection[str],
        directory: Known,
        complete: Callable[[Account], Account] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if options.source != "server" and (not trusted_proxies or "*" in trusted_proxies):
            what = "must name the proxy whose certificates are believed, not *"
            raise OptionError("Site", "trusted_proxies", what, part="")
        _require_cryptography()
        self._options = options
        self._networks = Networks(trusted_proxies)
        self._guests = Guests(self.name, options.accounts, directory, complete, options.amr)
        self._clock = clock
        self._names = HeaderNames(options.underscores_dropped)
        self._header = options.header or _HEADERS.get(options.source, "")
        self._fingerprints = {key.lower(): user for key, user in options.fingerprints.items()}
        self._pattern = None if options.subject is None else _pattern(options.subject)
        of_source = {"rfc9440": (_CHAIN,), "nginx": (_VERIFIED,)}.get(options.source, ())
        self._own = frozenset(environ_key(name) for name in (self._header, *of_source) if name)

    def strip(self, visit: Visit) -> None:
        """Take certificates out of the environ, all but those that a trusted proxy of this kind has handed on."""
        found = (_FORGEABLE | self._own).intersection(visit.environ)
        if found and self._networks.holds_peer(visit.environ):
            found -= self._own
        for key in found:
            del visit.environ[key]

    def identify(self, visit: Visit) -> Identity | Failed | None:
        """Whose the certificate is; None where there is none."""
        der = self._shown(visit.environ)
        if der is None or isinstance(der, Failed):
            return der
        shown = read_certificate(der)
        if shown is None:
            return Failed("no certificate")
        if not shown.since <= self._clock() <= shown.until:
            return Failed("certificate not valid now")
        name = self._named(shown)
        if name is None:
            return Failed("certificate of nobody")
        return self._guests.identity(Account(f"{self.name}:{name}", name, self.name))

    def challenges(self, visit: Visit) -> Sequence[str]:
        """None: TLS asks."""
        return ()

    def _shown(self, environ: Environ) -> bytes | Failed | None:
        """The certificate, in DER."""
        if self._options.source == "server":
            pem = environ.get("SSL_CLIENT_CERT")
            if not pem or environ.get("SSL_CLIENT_VERIFY") != "SUCCESS":
                return None
            return read_pem(pem.encode("latin-1", "replace")) or Failed("no certificate")
        value: str = environ.get(environ_key(self._header), "")
        if not value or not self._networks.holds_peer(environ):
            return None
        if not self._names.are_safe(environ):
            return Failed("the server keeps header names with an underscore")
        if self._options.source == "nginx" and environ.get(environ_key(_VERIFIED)) != "SUCCESS":
            # nginx hands on what it has not verified, too, where certificates are optional.
            return Failed("certificate not verified")
        return read_header(self._options.source, value) or Failed("no certificate")

    def _named(self, shown: Shown) -> str | None:
        """The name of the user, if the certificate gives exactly one."""
        listed = self._fingerprints.get(shown.fingerprint)
        if listed is not None:
            return listed
        if self._pattern is not None:
            found = self._pattern.fullmatch(shown.subject)
            return None if found is None else composed(_unescaped(found[1]))
        values = {"email": shown.emails, "uri": shown.uris, "cn": shown.names, "uid": shown.uids}
        given = values.get(self._options.user, ())
        return composed(given[0]) if len(given) == 1 else None


def _pattern(subject: str) -> re.Pattern[str]:
    before, _, after = subject.partition("{name}")
    return re.compile(re.escape(before) + _NAME + re.escape(after))


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)


def _require_cryptography() -> None:
    try:
        import cryptography.x509  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            Problem(
                what="certificates are read with cryptography, which is not installed",
                fix="run: pip install 'wheatpaste[auth]'",
                code="missing-extra",
            )
        ) from error
