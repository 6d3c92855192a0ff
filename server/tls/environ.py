"""What an app may know of its TLS connection, in the words of Apache's mod_ssl.

Environ keys: ``HTTPS``, ``SSL_PROTOCOL``, ``SSL_CIPHER``, ``SSL_CIPHER_USEKEYSIZE``, ``SSL_TLS_SNI``,
``SSL_SESSION_RESUMED``, ``SSL_CLIENT_VERIFY``; and for a client that showed a certificate ``SSL_CLIENT_CERT``,
``SSL_CLIENT_M_VERSION``, ``SSL_CLIENT_M_SERIAL``, ``SSL_CLIENT_V_START``, ``SSL_CLIENT_V_END``, ``SSL_CLIENT_S_DN``
and ``SSL_CLIENT_I_DN`` with their parts (``SSL_CLIENT_S_DN_CN``, a second one ``SSL_CLIENT_S_DN_OU_1``),
``SSL_CLIENT_SAN_DNS_0``, ``SSL_CLIENT_SAN_Email_0``, ``SSL_CLIENT_SAN_URI_0``, ``wheatpaste.client_fingerprint``.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterable
from typing import Any

from ...protocol.wsgi import Environ

# The names of RFC 4514 and OpenSSL's short ones, by the long ones that the standard library gives.
_SHORT = {
    "commonName": "CN",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
    "streetAddress": "street",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "title": "title",
    "givenName": "GN",
    "initials": "initials",
    "surname": "SN",
    "userId": "UID",
    "domainComponent": "DC",
}
# mod_ssl's names for the parts of a DN; other attributes have none.
_PART = {
    "commonName": "CN",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "title": "T",
    "givenName": "G",
    "initials": "I",
    "surname": "S",
    "userId": "UID",
    "domainComponent": "DC",
    "emailAddress": "Email",
}
_SAN = {"DNS": "DNS", "email": "Email", "URI": "URI"}

_Name = tuple[tuple[tuple[str, str], ...], ...]


def tls_environ(sock: ssl.SSLSocket) -> Environ:
    """The environ keys of all requests on a connection whose handshake is done. Call it once for each connection.

    Text that is not ASCII is UTF-8 with each byte as a character, as PEP 3333 wants it.
    """
    cipher = sock.cipher()
    found: Environ = {
        "HTTPS": "on",
        "SSL_PROTOCOL": sock.version() or "",
        "SSL_CIPHER": cipher[0] if cipher else "",
        "SSL_CIPHER_USEKEYSIZE": str(cipher[2]) if cipher else "",
        "SSL_SESSION_RESUMED": "Resumed" if sock.session_reused else "Initial",
        "SSL_CLIENT_VERIFY": "NONE",
    }
    name = getattr(sock, "server_name", None)
    if name is not None:
        found["SSL_TLS_SNI"] = name
    if sock.context.verify_mode != ssl.CERT_NONE:
        der = sock.getpeercert(binary_form=True)
        if der:
            found.update(_of_client(der, sock.getpeercert() or {}))
    return found


def _of_client(der: bytes, told: Any) -> Environ:
    subject: _Name = told.get("subject", ())
    issuer: _Name = told.get("issuer", ())
    found: Environ = {
        # A client without a verified certificate does not come so far.
        "SSL_CLIENT_VERIFY": "SUCCESS",
        "SSL_CLIENT_CERT": ssl.DER_cert_to_PEM_cert(der),
        "SSL_CLIENT_M_VERSION": str(told.get("version", "")),
        "SSL_CLIENT_M_SERIAL": told.get("serialNumber", ""),
        "SSL_CLIENT_V_START": told.get("notBefore", ""),
        "SSL_CLIENT_V_END": told.get("notAfter", ""),
        "SSL_CLIENT_S_DN": _native(_distinguished(subject)),
        "SSL_CLIENT_I_DN": _native(_distinguished(issuer)),
        "wheatpaste.client_fingerprint": hashlib.sha256(der).hexdigest(),
    }
    for prefix, name in (("SSL_CLIENT_S_DN_", subject), ("SSL_CLIENT_I_DN_", issuer)):
        seen: dict[str, int] = {}
        for long, value in _attributes(name):
            if long in _PART:
                number = seen[long] = seen.get(long, -1) + 1
                suffix = f"_{number}" if number else ""
                found[f"{prefix}{_PART[long]}{suffix}"] = _native(value)
    counts: dict[str, int] = {}
    for kind, value in told.get("subjectAltName", ()):
        if kind in _SAN:
            number = counts[kind] = counts.get(kind, -1) + 1
            found[f"SSL_CLIENT_SAN_{_SAN[kind]}_{number}"] = _native(value)
    return found


def _attributes(name: _Name) -> Iterable[tuple[str, str]]:
    return (attribute for group in name for attribute in group)


def _distinguished(name: _Name) -> str:
    """A distinguished name as RFC 4514 writes it: the most specific part first."""
    return ",".join(
        "+".join(f"{_SHORT.get(long, long)}={_escape(value)}" for long, value in reversed(group))
        for group in reversed(name)
    )


def _escape(value: str) -> str:
    text = "".join(
        f"\\{letter}"
        if letter in ',+"\\<>;'
        else letter
        if letter >= " " and letter != "\x7f"
        else f"\\{ord(letter):02X}"
        for letter in value
    )
    if text.startswith((" ", "#")):
        text = "\\" + text
    if text.endswith(" ") and len(text) > 1 and not text.endswith("\\ "):
        text = text[:-1] + "\\ "
    return text


def _native(text: str) -> str:
    return text.encode("utf-8", "replace").decode("latin-1")
