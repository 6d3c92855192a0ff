"""The PROXY protocol, versions 1 and 2: who the client of a TCP proxy is, said before the first byte of the client.

Pure functions of bytes. The grammar is read strictly (haproxy's proxy-protocol.txt, 2.2 and 2.3): whoever must send the
header and sends anything else is no proxy of ours, and the connection is closed. Writes ``REMOTE_ADDR``,
``REMOTE_HOST``, ``REMOTE_PORT``, ``SERVER_PORT``, ``wsgi.url_scheme``, ``wheatpaste.peer``, ``wheatpaste.proxied_by``
and, for TLS that the proxy took off, ``HTTPS`` and keys of ``SSL_*`` as in ``tls_environ``.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from ..protocol.hosts import read_host
from ..protocol.peers import PEER, PROXIED_BY, Networks, proxied_peer
from ..protocol.wsgi import Environ

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

LONGEST_V1 = 107
"""Bytes of the longest line of version 1, its end included (2.1)."""
LONGEST_V2 = 4096
"""Bytes of the longest block of version 2 that is accepted: room for a client's certificate."""

_V1 = b"PROXY "
_V2 = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_HEAD = 16
_LINE = re.compile(rb"PROXY (TCP[46]) ([0-9A-Fa-f:.]{2,39}) ([0-9A-Fa-f:.]{2,39}) ([0-9]{1,5}) ([0-9]{1,5})")
_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?")

_LOCAL, _PROXY = 0x20, 0x21  # version 2, and the command
_AUTHORITY, _CRC32C, _SSL = 0x02, 0x03, 0x20
_SSL_VERSION, _SSL_CN, _SSL_CIPHER = 0x21, 0x22, 0x23
_CLIENT_SSL, _CLIENT_CERTIFICATE = 0x01, 0x02 | 0x04  # on this connection, or in its session


class ProxyProtocolError(ValueError):
    """What came is no PROXY header. The text is for the log, not for the client."""


class ProxyTLS(NamedTuple):
    """The TLS between client and proxy. ``verified``: the client showed a certificate, and the proxy accepted it."""

    verified: bool
    showed_certificate: bool
    version: str = ""
    cipher: str = ""
    common_name: str = ""


class ProxyHeader(NamedTuple):
    """What a PROXY header says; the request begins at byte ``consumed``.

    ``source`` and ``destination`` are (address, port), None where they are not known. ``local`` is a connection of the
    proxy itself, such as a health check. ``authority`` is the host name that the client asked TLS for.
    """

    consumed: int
    source: tuple[str, int] | None = None
    destination: tuple[str, int] | None = None
    local: bool = False
    tls: ProxyTLS | None = None
    authority: str | None = None


def read_proxy_header(data: bytes) -> ProxyHeader | None:
    """Read the header at the beginning of what has come; None while it may go on.

    Raises ``ProxyProtocolError`` as soon as the bytes can be no header any more.
    """
    if data.startswith(_V1):
        return _read_v1(data)
    if data.startswith(_V2):
        return _read_v2(data)
    if _V1.startswith(data) or _V2.startswith(data):
        return None
    raise ProxyProtocolError("it begins with something else")


def proxied_environ(header: ProxyHeader, proxy: str) -> Environ:
    """What a header changes in the environ of each request on its connection.

    ``proxy`` is the address at the other end of the socket, ``''`` for a UNIX socket. The client is ``REMOTE_ADDR``,
    and the peer in decisions about trust too, unless it claims to be this machine: see ``protocol.peers``. A client
    that the proxy does not know has no address, so that it cannot be taken for the proxy.
    """
    client, port = header.source or ("", "")
    found: Environ = {PROXIED_BY: proxy, PEER: proxied_peer(client)}
    if not header.local:
        found["REMOTE_ADDR"] = found["REMOTE_HOST"] = client
        found["REMOTE_PORT"] = str(port)
    if header.destination is not None:
        found["SERVER_PORT"] = str(header.destination[1])
    if header.tls is not None:
        found["wsgi.url_scheme"] = "https"
        found["HTTPS"] = "on"
        found["SSL_PROTOCOL"] = header.tls.version
        found["SSL_CIPHER"] = header.tls.cipher
        found["SSL_CLIENT_VERIFY"] = (
            "SUCCESS" if header.tls.verified else "FAILED:unknown" if header.tls.showed_certificate else "NONE"
        )
        if header.tls.verified:
            found["SSL_CLIENT_S_DN_CN"] = header.tls.common_name
        if header.authority is not None:
            found["SSL_TLS_SNI"] = header.authority
    return found


def required_from(words: Iterable[str]) -> Callable[[str], bool]:
    """Which peers must begin with a header: the words are those of :class:`Networks`."""
    return Networks(words).holds


def _read_v1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\n", 0, LONGEST_V1)
    if end < 0:
        if len(data) >= LONGEST_V1:
            raise ProxyProtocolError("its line is too long")
        return None
    line = data[: end - 1]
    if data[end - 1] != 0x0D:
        raise ProxyProtocolError("its line does not end with CR LF")
    if _UNKNOWN.fullmatch(line):
        return ProxyHeader(end + 1)
    found = _LINE.fullmatch(line)
    if found is None:
        raise ProxyProtocolError("its line is malformed")
    family = 4 if found[1] == b"TCP4" else 6
    source, destination = (_address_of_text(found[index].decode("ascii"), family) for index in (2, 3))
    source_port, destination_port = (_port_of_text(found[index]) for index in (4, 5))
    return ProxyHeader(end + 1, (source, source_port), (destination, destination_port))


def _address_of_text(text: str, family: int) -> str:
    from ipaddress import IPv4Address, IPv6Address  # costs milliseconds, and many sites have no proxy

    try:
        return _written(IPv4Address(text) if family == 4 else IPv6Address(text))
    except ValueError as error:
        raise ProxyProtocolError(f"it holds no IPv{family} address where one must be") from error


def _written(address: IPv4Address | IPv6Address) -> str:
    """An address as sockets write it, those of IPv4 inside IPv6 (RFC 4291) as what they are."""
    return str(getattr(address, "ipv4_mapped", None) or address)


def _port_of_text(text: bytes) -> int:
    if (text[:1] == b"0" and text != b"0") or int(text) > 65535:
        raise ProxyProtocolError("it holds a port that is none")
    return int(text)


def _read_v2(data: bytes) -> ProxyHeader | None:
    if len(data) < _V2_HEAD:
        # The command may be here already; but then a moment later the rest of these 16 bytes is.
        return None
    command, family = data[12], data[13]
    consumed = _V2_HEAD + int.from_bytes(data[14:16], "big")
    if command not in (_LOCAL, _PROXY):
        raise ProxyProtocolError(f"it has no version and command that exist ({command:#04x})")
    if consumed > LONGEST_V2:
        raise ProxyProtocolError(f"it is longer than {LONGEST_V2} bytes")
    if len(data) < consumed:
        return None
    if command == _LOCAL:  # what follows means nothing (2.2)
        return ProxyHeader(consumed, local=True)
    body = memoryview(data)[_V2_HEAD:consumed]
    source, destination, used = _addresses(family, body)
    tls = authority = None
    seen = set()
    for kind, at, value in _vectors(body[used:]):
        if kind not in (_AUTHORITY, _CRC32C, _SSL):
            continue  # others may be of use to others
        if kind in seen:
            raise ProxyProtocolError(f"it holds two values of type {kind:#04x}")
        seen.add(kind)
        if kind == _AUTHORITY:
            authority = _authority(bytes(value))
        elif kind == _SSL:
            tls = _tls(value)
        else:
            _check_sum(data[:consumed], _V2_HEAD + used + at, value)
    return ProxyHeader(consumed, source, destination, tls=tls, authority=authority)


def _addresses(family: int, body: memoryview) -> tuple[tuple[str, int] | None, tuple[str, int] | None, int]:
    """Source, destination and how many bytes they took."""
    from ipaddress import IPv4Address, IPv6Address

    # A stream of IPv4, IPv6 or UNIX; or unspecified, which a proxy also says of what it does not know.
    size = {0x11: 12, 0x21: 36, 0x31: 216, 0x00: 0}.get(family)
    if size is None:
        raise ProxyProtocolError(f"it has a family that carries no streams ({family:#04x})")
    if len(body) < size:
        raise ProxyProtocolError("it is too short for its addresses")
    if family == 0x11:
        one, two, one_port, two_port = struct.unpack_from("!4s4sHH", body)
        return (_written(IPv4Address(one)), one_port), (_written(IPv4Address(two)), two_port), size
    if family == 0x21:
        one, two, one_port, two_port = struct.unpack_from("!16s16sHH", body)
        return (_written(IPv6Address(one)), one_port), (_written(IPv6Address(two)), two_port), size
    return None, None, size


def _vectors(body: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """The vectors that fill a block (2.2.1): type, offset of the value, value. Raises ``ProxyProtocolError``."""
    at = 0
    while at < len(body):
        if len(body) - at < 3:
            raise ProxyProtocolError("one of its values is cut off")
        end = at + 3 + int.from_bytes(body[at + 1 : at + 3], "big")
        if end > len(body):
            raise ProxyProtocolError("one of its values is cut off")
        yield body[at], at + 3, body[at + 3 : end]
        at = end


def _tls(value: memoryview) -> ProxyTLS | None:
    if len(value) < 5:
        raise ProxyProtocolError("what it says of TLS is too short")
    client, verify = struct.unpack_from("!BI", value)
    texts: dict[int, str] = {}
    for kind, _, text in _vectors(value[5:]):
        if kind in (_SSL_VERSION, _SSL_CN, _SSL_CIPHER):
            # As WSGI has text: the bytes of UTF-8, each as a character. A name with controls in it is none.
            native = bytes(text).decode("latin-1")
            if kind in texts or not re.fullmatch(r"[^\x00-\x1f\x7f]*", native):
                raise ProxyProtocolError("what it says of TLS is malformed")
            texts[kind] = native
    if not client & _CLIENT_SSL:
        return None
    showed = bool(client & _CLIENT_CERTIFICATE)
    return ProxyTLS(
        # Where no certificate was shown, proxies also say zero: nothing went wrong.
        verified=showed and verify == 0,
        showed_certificate=showed,
        version=texts.get(_SSL_VERSION, ""),
        cipher=texts.get(_SSL_CIPHER, ""),
        common_name=texts.get(_SSL_CN, ""),
    )


def _authority(value: bytes) -> str:
    try:
        host = read_host(value.decode("ascii"))
    except UnicodeDecodeError:
        host = None
    if host is None or host.port is not None:
        raise ProxyProtocolError("it holds a host name that is none")
    return host.host


def _check_sum(block: bytes, at: int, value: memoryview) -> None:
    """Compare the CRC-32C (RFC 3720 appendix B.4) of a block, in which the sum itself counts as zeros."""
    if len(value) != 4:
        raise ProxyProtocolError("its checksum has another length than 4")
    blanked = block[:at] + bytes(4) + block[at + 4 :]
    if crc32c(blanked) != int.from_bytes(value, "big"):
        raise ProxyProtocolError("its checksum is wrong")


def crc32c(data: bytes) -> int:
    """The Castagnoli checksum."""
    table = _crc_table()
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


@cache
def _crc_table() -> tuple[int, ...]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
        table.append(number)
    return tuple(table)
