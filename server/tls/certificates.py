"""Certificates with their keys: files that a deployer names, read with errors that a deployer can act on.

OpenSSL says ``[SSL] PEM lib (_ssl.c:4149)`` for most of what can be wrong with such files. Here each mistake names the
file, what is wrong with it and what to do.
"""

from __future__ import annotations

import functools
import os
import re
import ssl
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, NoReturn

from .x509 import Facts, read_pem

About = Literal["certificate", "key", "password", "client", "client_ca", "client_crl", "minimum", "ciphers", "state"]

_KEY_BLOCK = re.compile(rb"-----BEGIN (?:(?:RSA|EC|DSA|ENCRYPTED|ED25519) )?PRIVATE KEY-----")
_LARGEST = 1024 * 1024


class TLSSetupError(ValueError):
    """TLS that cannot be set up: ``what`` is wrong, the way out in ``fix``, and which setting it is ``about``."""

    def __init__(self, about: About, what: str, fix: str = "") -> None:
        self.about, self.what, self.fix = about, what, fix
        super().__init__(f"{what}; {fix}" if fix else what)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server's certificate: a PEM file with the certificate and its chain, and its private key.

    Without ``key`` the chain's file holds the key, too. ``ca`` is the file that clients have to be told to trust, where
    it is known (:mod:`.dev_certificate`); ``is_new`` that nobody can have been told yet.
    """

    chain: Path
    key: Path | None = None
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None
    is_new: bool = field(default=False, compare=False)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read."""
        return (self.chain,) if self.key is None or self.key == self.chain else (self.chain, self.key)


def load(context: ssl.SSLContext, certificate: Certificate) -> tuple[Facts, ...]:
    """Give the certificate and its key to a context; return what it and its chain say, the server's own first.

    Raises ``TLSSetupError``.
    """
    facts = _read_chain(certificate)
    key_file = certificate.key or certificate.chain
    key_about: About = "certificate" if certificate.key is None else "key"
    key_data = read_file(key_file, key_about)
    if not _KEY_BLOCK.search(key_data):
        if certificate.key is None:
            fix = "append the key to it, or name the key's own file"
        else:
            fix = "it must hold -----BEGIN PRIVATE KEY-----, or name another file"
        raise TLSSetupError(key_about, f"{key_file} holds no private key in PEM format", fix)

    def password() -> str:
        # Without this function OpenSSL asks for the password on the terminal, and the server waits.
        if certificate.password is None:
            raise TLSSetupError(
                "password", f"the key in {key_file} is encrypted", "give its password, best in a file of its own"
            )
        return certificate.password

    try:
        context.load_cert_chain(certificate.chain, key_file, password)
    except ssl.SSLError as error:
        _explain(error, certificate, key_file, key_data, facts)
    except OSError as error:
        raise TLSSetupError(key_about, f"{key_file} cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        if isinstance(error, TLSSetupError):
            raise
        raise TLSSetupError("password", f"the password of the key in {key_file} is unusable ({error})") from error
    return tuple(facts)


def read_file(path: Path, about: About) -> bytes:
    """The content of a file that the setting ``about`` names. Raises ``TLSSetupError``."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise TLSSetupError(about, f"{path} is no file", "name a file in PEM format")
            data = file.read(_LARGEST + 1)
    except FileNotFoundError as error:
        raise TLSSetupError(about, f"{path} does not exist", "correct the path, or create the file") from error
    except IsADirectoryError as error:
        raise TLSSetupError(about, f"{path} is a folder", "name a file in PEM format") from error
    except PermissionError as error:
        raise TLSSetupError(
            about,
            f"{path} may not be read by this user",
            "let the group of the user that serves read it (chgrp, chmod 640)",
        ) from error
    except OSError as error:
        raise TLSSetupError(about, f"{path} cannot be read ({error.strerror or error})") from error
    if len(data) > _LARGEST:
        raise TLSSetupError(about, f"{path} is larger than any certificate", "name a file in PEM format")
    return data


def read_certificates(path: Path, about: About) -> list[Facts]:
    """What the certificates in a PEM file say; there is at least one. Raises ``TLSSetupError``."""
    data = read_file(path, about)
    try:
        facts = read_pem(data)
    except ValueError as error:
        raise TLSSetupError(about, f"{path} {error}", "get the file anew from whoever issued it") from error
    if facts:
        return facts
    if data[:1] == b"\x30":  # DER, or PKCS#12, which begins alike
        raise TLSSetupError(
            about,
            f"{path} is not in PEM format",
            f"convert it with: openssl x509 -inform DER -in {path} -out {path.stem}.pem"
            f" (or, for .p12 and .pfx: openssl pkcs12 -in {path} -out {path.stem}.pem -noenc)",
        )
    raise TLSSetupError(about, f"{path} holds no certificate", "it must hold -----BEGIN CERTIFICATE-----")


def warnings_about(certificate: Certificate, facts: Sequence[Facts], now: datetime) -> Iterator[str]:
    """Sentences about a certificate that can be served but will be refused by clients, or soon will be."""
    path, own = certificate.chain, facts[0]
    if own.not_after <= now:
        yield f"{path} expired on {own.not_after:%Y-%m-%d}: clients refuse it; renew it"
    elif own.not_after - now < timedelta(days=7) and own.not_after - own.not_before > timedelta(days=14):
        yield f"{path} expires on {own.not_after:%Y-%m-%d}; renew it"
    if own.not_before > now:
        yield f"{path} is not valid before {own.not_before:%Y-%m-%d %H:%M} UTC: clients refuse it; is the clock right?"
    if not own.names and not own.addresses:
        yield f"{path} names no host (subjectAltName): clients refuse it; have it issued for the site's names"
    for lower, upper in zip(facts, facts[1:], strict=False):
        if lower.issuer_der != upper.subject_der:
            yield (
                f"{path} holds a chain that does not join: {lower.subject!r} was issued by {lower.issuer!r},"
                f" but {upper.subject!r} follows; put each certificate before that of its issuer"
            )
            break
    else:
        if (
            len(facts) == 1
            and not own.is_self_issued
            and certificate.ca is None
            and own.issuer not in _system_issuers()
        ):
            yield (
                f"{path} holds no chain: clients that do not know {own.issuer!r} refuse it;"
                " append the certificate of that issuer (often called fullchain.pem)"
            )
    key = certificate.key or certificate.chain
    if _others_can_read(key):
        yield f"{key} holds the private key and everybody on this machine can read it; chmod 640, or 600"


@functools.cache
def _system_issuers() -> frozenset[str]:
    # As Facts writes them. Many systems name no file of them, and then every chain has to be in the file.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    found = set()
    for each in context.get_ca_certs():
        values = {str(pair[0]): str(pair[1]) for group in each.get("subject", ()) for pair in group}
        found.add(values.get("commonName") or values.get("organizationName") or "")
    return frozenset(found)


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def _read_chain(certificate: Certificate) -> list[Facts]:
    return read_certificates(certificate.chain, "certificate")


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a FIFO would wait for somebody who writes


def _others_can_read(path: Path) -> bool:
    try:
        return bool(os.stat(path).st_mode & stat.S_IROTH)
    except OSError:
        return False


def _explain(
    error: ssl.SSLError, certificate: Certificate, key_file: Path, key_data: bytes, facts: Sequence[Facts]
) -> NoReturn:
    chain, reason = certificate.chain, error.reason or ""
    if reason == "KEY_VALUES_MISMATCH":
        what = f"the key in {key_file} is not the key of the certificate in {chain}"
        if len(facts) > 1 and facts[0].is_ca and not facts[-1].is_ca:
            raise TLSSetupError(
                "certificate",
                f"{chain} begins with the certificate of an issuer, {facts[0].subject!r}",
                "put the server's own certificate first, then that of its issuer",
            ) from error
        fix = f"the certificate is for {facts[0].subject!r}: name its key, or renew both together"
        raise TLSSetupError("key" if certificate.key else "certificate", what, fix) from error
    if reason in ("EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"):
        whose = "an issuer in its chain" if reason.startswith("CA_KEY") else "its key"
        what = (
            f"{chain} is signed with a hash that can be forged"
            if reason == "CA_MD_TOO_WEAK"
            else f"{chain} cannot be used: {whose} is too short"
        )
        raise TLSSetupError("certificate", what, "have it issued for a key of P-256, or RSA of 2048 bits") from error
    if certificate.password is not None and _is_encrypted(key_data):
        raise TLSSetupError(
            "password", f"the password does not open the key in {key_file}", "correct it; blanks and line ends count"
        ) from error
    detail = f" (OpenSSL: {reason.replace('_', ' ').lower()})" if reason else ""
    raise TLSSetupError(
        "key" if certificate.key else "certificate",
        f"{key_file} holds a private key that cannot be read{detail}",
        f"it may be damaged; try: openssl pkey -in {key_file} -noout",
    ) from error


def _is_encrypted(key_data: bytes) -> bool:
    return b"BEGIN ENCRYPTED PRIVATE KEY" in key_data or b"Proc-Type: 4,ENCRYPTED" in key_data
