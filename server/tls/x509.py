"""What an X.509 certificate says of itself: its names, its issuer, how long it is valid.

A small reader of DER for the deployer's own files, so that serving TLS needs no more than Python: `cryptography` is
wanted only by who has certificates made (`tls = dev`). The standard library decodes certificates of connected peers and
of authorities, and no others. What is read here chooses a certificate by its name and warns; nothing is verified, which
OpenSSL does when it loads the file.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)-----END CERTIFICATE-----")

_SEQUENCE, _BOOLEAN = 0x30, 0x01
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_COMMON_NAME, _ORGANISATION = bytes.fromhex("550403"), bytes.fromhex("55040a")
_BASIC_CONSTRAINTS, _SUBJECT_ALT_NAME = bytes.fromhex("551d13"), bytes.fromhex("551d11")


@dataclass(frozen=True, slots=True)
class Facts:
    """What one certificate says. ``names`` are its DNS names in lower case, some of them perhaps ``*.example.com``."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    is_ca: bool
    subject_der: bytes
    issuer_der: bytes

    @property
    def is_self_issued(self) -> bool:
        """Whether it names itself as its issuer."""
        return self.subject_der == self.issuer_der


def read_pem(data: bytes) -> list[Facts]:
    """What the certificates in a PEM file say, in their order; empty if there are none. Raises ``ValueError``."""
    found = []
    for match in _PEM.finditer(data):
        try:
            der = base64.b64decode(b"".join(match[1].split()), validate=True)
        except binascii.Error as error:
            raise ValueError("is damaged: its text is no base64") from error
        found.append(read_der(der))
    return found


def read_der(data: bytes) -> Facts:
    """What one certificate says. Raises ``ValueError`` for anything that is no certificate (RFC 5280, 4.1)."""
    try:
        return _read_certificate(data)
    except (IndexError, ValueError, UnicodeDecodeError) as error:
        raise ValueError("is damaged: it holds no certificate") from error


class _Item(NamedTuple):
    tag: int
    whole: bytes
    content: bytes


def _items(data: bytes) -> Iterator[_Item]:
    at = 0
    while at < len(data):
        start, tag, length = at, data[at], data[at + 1]
        at += 2
        if length & 0x80:
            octets = length & 0x7F
            length = int.from_bytes(data[at : at + octets], "big")
            at += octets
        if at + length > len(data):
            raise ValueError("truncated")
        yield _Item(tag, data[start : at + length], data[at : at + length])
        at += length


def _first(data: bytes) -> _Item:
    for item in _items(data):
        return item
    raise ValueError("empty")


def _read_certificate(data: bytes) -> Facts:
    certificate = _first(data)
    body = _first(certificate.content)
    if certificate.tag != _SEQUENCE or body.tag != _SEQUENCE:
        raise ValueError("no certificate")
    fields = list(_items(body.content))
    if fields[0].tag == 0xA0:  # version; absent in version 1
        del fields[0]
    _serial, _algorithm, issuer, validity, subject = fields[:5]
    not_before, not_after = (_time(item) for item in _items(validity.content))
    names: list[str] = []
    addresses: list[str] = []
    is_ca = False
    for oid, value in _extensions(fields[5:]):
        if oid == _SUBJECT_ALT_NAME:
            for name in _items(_first(value).content):
                if name.tag == 0x82:
                    names.append(name.content.decode("ascii").lower())
                elif name.tag == 0x87:
                    addresses.append(str(ipaddress.ip_address(name.content)))
        elif oid == _BASIC_CONSTRAINTS:
            flags = [item for item in _items(_first(value).content) if item.tag == _BOOLEAN]
            is_ca = bool(flags) and flags[0].content != b"\0"
    return Facts(
        subject=_shown(subject.content),
        issuer=_shown(issuer.content),
        names=tuple(names),
        addresses=tuple(addresses),
        not_before=not_before,
        not_after=not_after,
        is_ca=is_ca,
        subject_der=subject.whole,
        issuer_der=issuer.whole,
    )


def _extensions(fields: list[_Item]) -> Iterator[tuple[bytes, bytes]]:
    for field in fields:
        if field.tag != 0xA3:
            continue
        for extension in _items(_first(field.content).content):
            parts = list(_items(extension.content))
            yield parts[0].content, parts[-1].content


def _time(item: _Item) -> datetime:
    text = item.content.decode("ascii")
    if item.tag == _UTC_TIME:  # two digits of a year: 50 and above are of the last century (RFC 5280, 4.1.2.5.1)
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    elif item.tag != _GENERALIZED_TIME:
        raise ValueError("no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _shown(name: bytes) -> str:
    """The common name, or else the organisation, of a distinguished name."""
    found: dict[bytes, str] = {}
    for group in _items(name):
        for attribute in _items(group.content):
            oid, value = list(_items(attribute.content))[:2]
            encoding = "utf-16-be" if value.tag == 0x1E else "utf-8"
            text = value.content.decode(encoding, "replace")
            found.setdefault(oid.content, "".join(letter if letter.isprintable() else "?" for letter in text))
    return found.get(_COMMON_NAME) or found.get(_ORGANISATION) or "without a name"
