"""Method ``certificate``: a client shows a certificate, to our server or to a proxy in front.

Whoever ends TLS has verified that an accepted authority has issued it; here it becomes a user: by its fingerprint, or
by a name in it. A proxy hands it on in a header (RFC 9440, nginx, Traefik), which is believed of ``trusted_proxies`` at
the socket's other end alone, and taken out of the environ otherwise (``strip``). Reads ``SSL_CLIENT_VERIFY`` and
``SSL_CLIENT_CERT``, or the header.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import unquote_to_bytes

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
from .header_names import HeaderNames, environ_key, kept_by

if TYPE_CHECKING:
    from ....config.surroundings import Surroundings
    from ..visit import Visit

_LONGEST = 16 * 1024
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*", re.ASCII)
_FIELD = re.compile(r":([A-Za-z0-9+/=]+):")  # a byte sequence (RFC 8941 section 3.3.5)
_NAME = r"((?:[^,+\"\\<>;=]|\\[^0-9A-Fa-f]|\\[0-9A-Fa-f]{2})+)"
_ESCAPED = re.compile(r"\\(?:([0-9A-Fa-f]{2})|(.))")
_HEADERS = {"rfc9440": "Client-Cert", "nginx": "X-SSL-Client-Cert", "traefik": "X-Forwarded-Tls-Client-Cert"}
_VERIFIED = "X-SSL-Client-Verify"


class Shown(NamedTuple):
    """What a certificate says; ``subject`` as RFC 4514 writes it, times in seconds since 1970."""

    fingerprint: str
    subject: str
    since: float
    until: float
    names: tuple[str, ...] = ()
    uids: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()


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
        check=lambda name: None if re.fullmatch(r"[A-Za-z0-9-]+", name) else "must be the name of a header",
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
    accounts: Literal["none", "known", "required"] = option(
        default="required",
        doc="Whether the name is one of our own users: never, where there is such a user, or it has to be.",
    )
    amr: tuple[str, ...] = option(
        default=("swk",),
        doc="What a certificate shows, in the words of RFC 8176: swk, hwk for smart cards, mfa.",
        check=each(lambda word: None if re.fullmatch(r"[a-z]{2,10}", word) else "must be a word such as hwk"),
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
        trusted_proxies: Collection[str] = (),
        directory: Any = None,
        complete: Callable[[Account], Account] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if options.source != "server" and (not trusted_proxies or "*" in trusted_proxies):
            raise OptionError("Site", "trusted_proxies", "must name the proxy whose certificates are believed, not *")
        _require_cryptography()
        self._options = options
        self._networks = Networks(trusted_proxies)
        self._directory = directory
        self._complete = complete
        self._clock = clock
        self._names = HeaderNames(options.underscores_dropped)
        self._header = options.header or _HEADERS.get(options.source, "")
        self._fingerprints = {key.lower(): user for key, user in options.fingerprints.items()}
        self._pattern = None if options.subject is None else _pattern(options.subject)
        self._keys = frozenset(
            environ_key(name) for name in (*_HEADERS.values(), "Client-Cert-Chain", _VERIFIED, self._header) if name
        )

    def strip(self, visit: Visit) -> None:
        """Take certificates out of the environ that no trusted proxy has handed on."""
        found = self._keys.intersection(visit.environ)
        if found and not (self._header and self._networks.holds_peer(visit.environ)):
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
        account = None
        if self._options.accounts != "none" and self._directory is not None:
            account = self._directory.find(name)
        if account is None:
            if self._options.accounts == "required":
                return Failed("unknown user")
            theirs = Account(f"{self.name}:{name}", name, self.name)
            theirs = theirs if self._complete is None else self._complete(theirs)
            return Identity.of(theirs, self.name, amr=self._options.amr)._replace(account=None)
        if account.disabled:
            return Failed("disabled user")
        return Identity.of(account, self.name, amr=self._options.amr)

    def challenges(self, visit: Visit) -> Sequence[str]:
        """None: TLS asks."""
        return ()

    def _shown(self, environ: Environ) -> bytes | Failed | None:
        """The certificate, in DER."""
        if self._options.source == "server":
            pem = environ.get("SSL_CLIENT_CERT")
            if not pem or environ.get("SSL_CLIENT_VERIFY") != "SUCCESS":
                return None
            return _der(pem.encode("latin-1", "replace")) or Failed("no certificate")
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


def read_header(source: str, value: str) -> bytes | None:
    """The certificate in a proxy's header, in DER; None for what is none. Never raises."""
    if len(value) > _LONGEST:
        return None
    if source == "rfc9440":
        found = _FIELD.fullmatch(value.strip())
        return None if found is None else _decoded(found[1].encode())
    raw = unquote_to_bytes(value.encode("latin-1", "replace"))
    if source == "nginx":
        return _der(raw)
    # Traefik sends the base64 of the client's own certificate first, without the lines around it.
    return _decoded(raw.partition(b",")[0])


@lru_cache(maxsize=256)
def read_certificate(der: bytes) -> Shown | None:
    """What a certificate says; None for what is none."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import NameOID

    try:
        found = x509.load_der_x509_certificate(der)
        subject = found.subject

        def said(oid: Any) -> tuple[str, ...]:
            return tuple(str(part.value) for part in subject.get_attributes_for_oid(oid))

        try:
            others = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            emails = tuple(others.get_values_for_type(x509.RFC822Name))
            uris = tuple(others.get_values_for_type(x509.UniformResourceIdentifier))
        except x509.ExtensionNotFound:
            emails = uris = ()
        return Shown(
            found.fingerprint(SHA256()).hex(),
            subject.rfc4514_string(),
            found.not_valid_before_utc.timestamp(),
            found.not_valid_after_utc.timestamp(),
            said(NameOID.COMMON_NAME),
            said(NameOID.USER_ID),
            emails,
            uris,
        )
    except Exception:  # noqa: BLE001  the parser raises errors of many kinds for what a client has made up
        return None


def _der(pem: bytes) -> bytes | None:
    found = _PEM.fullmatch(pem.strip())
    return None if found is None else _decoded(found[1])


def _decoded(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True) or None
    except binascii.Error:
        return None


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
