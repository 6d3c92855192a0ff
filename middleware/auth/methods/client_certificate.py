"""What a certificate says of its owner, and how proxies write one into a header. Nothing is verified here."""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

_LONGEST = 16 * 1024
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*", re.ASCII)
_FIELD = re.compile(r":([A-Za-z0-9+/=]+):")  # a byte sequence (RFC 8941 section 3.3.5)


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


def read_header(source: str, value: str) -> bytes | None:
    """The certificate in a proxy's header, in DER; None for what is none. Never raises."""
    if len(value) > _LONGEST:
        return None
    if source == "rfc9440":
        found = _FIELD.fullmatch(value.strip())
        return None if found is None else _decoded(found[1].encode())
    raw = unquote_to_bytes(value.encode("latin-1", "replace"))
    if source == "nginx":
        return read_pem(raw)
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


def read_pem(pem: bytes) -> bytes | None:
    """The certificate in PEM, in DER; None for what is none."""
    found = _PEM.fullmatch(pem.strip())
    return None if found is None else _decoded(found[1])


def _decoded(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True) or None
    except binascii.Error:
        return None
