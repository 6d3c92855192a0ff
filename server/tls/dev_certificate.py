"""A certificate for development: https on this machine that browsers accept once its authority is trusted.

An authority of its own is made with each certificate, signs that one certificate, and its private key is thrown away
before anything is written. So whoever reads all of these files can impersonate ``localhost`` to their owner and nothing
else: there is no key with which a certificate for another site could be signed. Should a copy of that key turn up after
all, the authority itself is limited to the same names (RFC 5280, 4.2.1.10). The price is that an authority has to be
trusted anew when the certificate is renewed, about once a year, or needs a further name.

The files lie in ``$XDG_STATE_HOME/wheatpaste/tls`` (``~/.local/state/wheatpaste/tls``), for their owner alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import secrets
import shlex
import ssl
import stat
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .certificates import Certificate, TLSSetupError, utc_now
from .x509 import Facts, read_pem

if TYPE_CHECKING:
    from cryptography import x509

ALWAYS = ("localhost", "*.localhost", "127.0.0.1", "::1")
"""The names that every development certificate has."""

_AUTHORITY, _LEAF = "authority.pem", "localhost.pem"
_VALID = timedelta(days=396)  # with the day before now 397: browsers accept 398 at most
_RENEW_BEFORE = timedelta(days=7)
_MANY_NAMES = 50


def dev_certificate(
    names: Iterable[str] = (), *, folder: Path | None = None, now: Callable[[], datetime] = utc_now
) -> Certificate:
    """The development certificate of this user, made when there is none with all the names for a week to come.

    It is for :data:`ALWAYS` and for ``names``: host names and addresses that are listened on; ``*``, ``0.0.0.0`` and
    ``::`` stand for no name and are passed over. ``ca`` of the result is the file of the authority to trust. ``folder``
    is the folder of the files. Raises ``TLSSetupError``.
    """
    wanted = (*ALWAYS, *_meant(names))
    place = folder if folder is not None else _state_folder()
    with _open_folder(place) as descriptor:
        found = _read(place, descriptor, now())
        if found is not None and set(wanted) <= set(found):
            return Certificate(place / _LEAF, ca=place / _AUTHORITY)
        # The names of before stay: two projects with names of their own would otherwise replace each other's for ever.
        made = _make(tuple(dict.fromkeys((*wanted, *(found or ()))))[:_MANY_NAMES], now())
        _write(descriptor, _LEAF, made.leaf, 0o600)
        _write(descriptor, _AUTHORITY, made.authority, 0o600)
    return Certificate(place / _LEAF, ca=place / _AUTHORITY, is_new=True)


def how_to_trust(ca: Path, *, briefly: bool = False) -> list[str]:
    """Lines for a terminal: where the authority's file is, and how browsers and tools learn to trust it."""
    file, debian = shlex.quote(str(ca)), "/usr/local/share/ca-certificates/wheatpaste.crt"
    if briefly:
        return [
            f"The certificate is for development, of the authority in {ca}",
            "Browsers warn until that is imported among their authorities; curl takes --cacert, Python SSL_CERT_FILE.",
        ]
    return [
        f"The certificate is for development, of an authority made for it: {ca}",
        "Browsers warn until that is trusted. Its key was thrown away: nothing else can ever be signed with it.",
        f"  curl            curl --cacert {file} https://localhost:…",
        f"  Python          SSL_CERT_FILE={file} (requests: REQUESTS_CA_BUNDLE)",
        f"  Debian, Ubuntu  sudo cp {file} {debian} && sudo update-ca-certificates",
        f"  Fedora          sudo trust anchor {file}",
        f"  Chrome, Linux   certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n wheatpaste -i {file}",
        f"  macOS           security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db {file}",
        "  Firefox         Settings, Privacy & Security, View Certificates, Authorities, Import",
    ]


class _Made(NamedTuple):
    leaf: bytes
    authority: bytes


def _meant(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        name = name.strip().strip("[]").rstrip(".").lower()
        if not name or name == "*":
            continue
        address = _address(name)
        if address is not None:
            if not address.is_unspecified:
                yield str(address)
            continue
        try:
            yield name.encode("idna").decode("ascii").lower()
        except UnicodeError as error:
            raise TLSSetupError("certificate", f"{name!r} is no host name", "listen on a name or an address") from error


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return None


def _state_folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):  # relative ones are to be ignored, says the XDG specification
        home = os.path.expanduser("~")
        if not os.path.isabs(home):
            raise TLSSetupError(
                "state", "this user has no home folder to keep the certificate in", "set XDG_STATE_HOME"
            )
        state = os.path.join(home, ".local", "state")
    return Path(state) / "wheatpaste" / "tls"


@contextlib.contextmanager
def _open_folder(place: Path) -> Iterator[int]:
    """Make the folder if need be, see that it is nobody else's, and keep other processes out of it meanwhile."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            place.mkdir(mode=0o700)
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise TLSSetupError(
            "state",
            f"the folder {place} for the development certificate cannot be used ({error.strerror or error})",
            "set XDG_STATE_HOME to a folder of your own",
        ) from error
    try:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid():
            raise TLSSetupError(
                "state",
                f"the folder {place} belongs to another user, who could read or replace the key",
                "set XDG_STATE_HOME to a folder of your own",
            )
        if stat.S_IMODE(found.st_mode) != 0o700:
            os.fchmod(descriptor, 0o700)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    except OSError as error:
        raise TLSSetupError("state", f"{place} cannot be used ({error.strerror or error})") from error
    finally:
        os.close(descriptor)


def _read(place: Path, folder: int, now: datetime) -> tuple[str, ...] | None:
    """The names of the certificate in the folder; None if it is missing, not ours alone, damaged, or nearly over."""
    leaf_text, authority_text = _content(folder, _LEAF), _content(folder, _AUTHORITY)
    if leaf_text is None or authority_text is None:
        return None
    try:
        (leaf,), (authority,) = read_pem(leaf_text), read_pem(authority_text)
    except ValueError:
        return None
    if not _is_usable(leaf, now) or not _is_usable(authority, now) or leaf.issuer_der != authority.subject_der:
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(place / _LEAF, password="")
    except (ssl.SSLError, OSError):
        return None
    return leaf.names + leaf.addresses


def _is_usable(facts: Facts, now: datetime) -> bool:
    return facts.not_before <= now and facts.not_after - now >= _RENEW_BEFORE


def _content(folder: int, name: str) -> bytes | None:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            return None
        return file.read(64 * 1024)


def _write(folder: int, name: str, data: bytes, mode: int) -> None:
    temporary = f".{name}.{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode, dir_fd=folder)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def _make(names: tuple[str, ...], now: datetime) -> _Made:
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
    except ImportError as error:
        raise TLSSetupError(
            "certificate",
            "a development certificate is made with `cryptography`, which is not installed",
            "run: pip install 'wheatpaste[tls]'",
        ) from error

    start, end = now.astimezone(UTC) - timedelta(days=1), now.astimezone(UTC) + _VALID
    # A number, because trust stores tell authorities apart by their names.
    authority_name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "wheatpaste development"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"wheatpaste development {now:%Y-%m-%d} {secrets.token_hex(4)}"),
        ]
    )
    leaf_name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "wheatpaste development"),
            x509.NameAttribute(NameOID.COMMON_NAME, names[0]),
        ]
    )
    authority_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_id = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())

    def builder(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
        )

    def usage(*, signs_certificates: bool) -> x509.KeyUsage:
        return x509.KeyUsage(
            digital_signature=not signs_certificates,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=signs_certificates,
            crl_sign=signs_certificates,
            encipher_only=False,
            decipher_only=False,
        )

    server_only = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    authority = (
        builder(authority_name, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(signs_certificates=True), critical=True)
        .add_extension(server_only, critical=False)
        .add_extension(x509.NameConstraints(permitted_subtrees=_subtrees(names), excluded_subtrees=None), critical=True)
        .add_extension(authority_id, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    leaf = (
        builder(leaf_name, leaf_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs_certificates=False), critical=True)
        .add_extension(server_only, critical=False)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(leaf_key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_id), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    key_text = leaf_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return _Made(
        leaf=key_text + leaf.public_bytes(serialization.Encoding.PEM),
        authority=authority.public_bytes(serialization.Encoding.PEM),
    )


def _general(name: str) -> x509.GeneralName:
    from cryptography import x509

    address = _address(name)
    return x509.DNSName(name) if address is None else x509.IPAddress(address)


def _subtrees(names: tuple[str, ...]) -> list[x509.GeneralName]:
    """What the authority may sign for: each name (a DNS constraint includes what is below it) and each address."""
    from cryptography import x509

    found: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_network("127.0.0.0/8"))]
    for name in dict.fromkeys(name.removeprefix("*.") for name in names):
        address = _address(name)
        if address is None:
            found.append(x509.DNSName(name))
        elif not (address.version == 4 and address.is_loopback):
            found.append(x509.IPAddress(ipaddress.ip_network(address)))
    return found
