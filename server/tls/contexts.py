"""TLS for accepted connections: contexts by name, renewed while the server runs.

:func:`make_tls` turns certificates into :class:`TLSContexts`, which wraps accepted sockets (:mod:`.encrypted_socket`
says how they behave then). Each connection gets the certificates that count when it comes: after
:meth:`TLSContexts.reload` new connections get the new ones and running ones go on. The handshake is driven by
:mod:`.handshake`; :mod:`.environ` makes what apps learn.
"""

from __future__ import annotations

import logging
import os
import re
import ssl
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from socket import socket
from typing import Any, Literal, NamedTuple

from .certificates import Certificate, TLSSetupError, load, read_certificates, read_file, utc_now, warnings_about
from .encrypted_socket import TLSSocket
from .x509 import Facts

log = logging.getLogger("wheatpaste.server.tls")

ClientCertificates = Literal["none", "optional", "required"]
MinimumVersion = Literal["1.2", "1.3"]

# Forward secrecy and authenticated encryption alone: all of them are strong, so the client's order counts (it knows
# whether it has AES in hardware). The suites of TLS 1.3 are others, which OpenSSL always offers.
DEFAULT_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

# Whoever gets the key of a session ticket later can read the TLS 1.2 connections that were resumed with it, so keys do
# not live as long as the process. Each context makes its own.
_TICKET_KEYS_LIVE = timedelta(hours=12).total_seconds()

_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_VERIFY = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


def make_tls(
    certificates: Sequence[Certificate],
    *,
    client: ClientCertificates = "none",
    client_ca: Path | None = None,
    client_crl: Path | None = None,
    minimum: MinimumVersion = "1.2",
    ciphers: str | None = None,
    protocols: Sequence[str] = ("http/1.1",),
    look_every: float = 5,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = utc_now,
) -> TLSContexts:
    """Set up TLS. The first certificate is for clients that ask for no name, or for one that no certificate has.

    ``client`` says whether clients show certificates issued by ``client_ca``; those in ``client_crl`` are revoked.
    ``ciphers`` are OpenSSL's words for the suites of TLS 1.2. ``protocols`` are offered by ALPN (RFC 7301).
    ``look_every`` is the pause in seconds between two looks at the files. Raises ``TLSSetupError``.
    """
    if not certificates:
        raise TLSSetupError("certificate", "no certificate is named", "name a PEM file with a certificate and its key")
    if client != "none" and client_ca is None:
        raise TLSSetupError("client_ca", "is missing", "name the PEM file of the authority that issues to the clients")
    if client == "none" and (client_ca is not None or client_crl is not None):
        raise TLSSetupError("client", "is none, so no client is asked", "write optional or required")
    _pass_over_hostile_names()
    rules = _Rules(tuple(certificates), client, client_ca, client_crl, minimum, ciphers, tuple(protocols))
    return TLSContexts(rules, look_every, clock, now)


class TLSContexts:
    """The certificates of a server and the rules for its connections; :func:`make_tls` makes it.

    Any thread may call any method.
    """

    def __init__(
        self, rules: _Rules, look_every: float, clock: Callable[[], float], now: Callable[[], datetime]
    ) -> None:
        self._rules, self._look_every, self._clock, self._now = rules, look_every, clock, now
        self._lock = threading.RLock()  # SIGHUP may arrive in the thread that is reloading
        self._looked = clock()
        self._current = self._build()
        self._seen: _Stamp = self._current.stamp
        self._refused: _Stamp | None = None

    @property
    def context(self) -> ssl.SSLContext:
        """The context of the first certificate, which chooses among the others by the name that a client asks for.

        Also one that was fetched before a reload gives new connections the certificates that count now; but the keys
        of session tickets are renewed only for those who fetch it for each connection, or call :meth:`wrap_socket`.
        """
        return self._current.context

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is suspicious about the certificates in use: sentences for the deployer."""
        return self._current.warnings

    @property
    def expires(self) -> datetime:
        """When the first of the certificates in use ends to be valid."""
        return self._current.expires

    @property
    def names(self) -> tuple[str, ...]:
        """The host names in the certificates in use."""
        return tuple(self._current.by_name)

    def wrap_socket(
        self, sock: socket, server_side: bool = True, do_handshake_on_connect: bool = False
    ) -> ssl.SSLSocket:
        """The TLS side of an accepted, non-blocking socket, which is detached. Nothing is read or sent yet.

        Files that have changed are read before: a server that was idle for weeks greets with what counts now.
        """
        if self.changed():
            self.reload()
        return self._current.context.wrap_socket(
            sock, server_side=server_side, do_handshake_on_connect=do_handshake_on_connect
        )

    def changed(self) -> bool:
        """Whether :meth:`reload` should be called: files are different, or the keys of session tickets are old.

        Cheap: files are looked at every few seconds, however often this is called. Files that are being replaced count
        when they have been quiet for as long; what was refused once does not count again.
        """
        if self._clock() - self._looked < self._look_every:
            return False
        with self._lock:
            self._looked = self._clock()
            before, self._seen = self._seen, self._rules.stamp()
            if self._seen not in (self._current.stamp, self._refused):
                return self._seen == before or self._is_quiet(self._seen)
            return self._seen == self._current.stamp and self._looked - self._current.made >= _TICKET_KEYS_LIVE

    def reload(self) -> bool:
        """Read all files anew, for connections that come from now on.

        False, and a line in the log: something is wrong with the files, and everything stays as it is.
        """
        with self._lock:
            stamp = self._rules.stamp()
            try:
                made = self._build()
            except TLSSetupError as error:
                self._refused = stamp
                log.error("the TLS certificates stay as they were: %s", error)
                return False
            before, self._current, self._refused = self._current, made, None
        if made.certificates != before.certificates:
            log.info("new connections get the renewed TLS certificates, valid until %s", f"{made.expires:%Y-%m-%d}")
            for warning in made.warnings:
                log.warning("%s", warning)
        return True

    def _is_quiet(self, stamp: _Stamp) -> bool:
        newest = max((changed for *_, changed in filter(None, stamp)), default=0)
        return self._now().timestamp() - newest / 1e9 >= self._look_every

    def _build(self) -> _Generation:
        return self._rules.build(self._choose, self._now(), self._clock())

    def _choose(self, sock: Any, name: str | None, context: ssl.SSLContext) -> None:
        # For each ClientHello, with a name or without. What it raised would be printed to stderr, so it raises nothing.
        current = self._current
        chosen = current.context
        if name is not None:
            name = name.lower().removesuffix(".")
            if len(name) <= 253 and _NAME.fullmatch(name):
                sock.server_name = name
                chosen = current.for_name(name)
        if chosen is not context:
            sock.context = chosen


_Stamp = tuple[tuple[int, int, int, int, int] | None, ...]
_Choose = Callable[[Any, "str | None", ssl.SSLContext], None]


class _Generation(NamedTuple):
    """All that one reading of the files made."""

    context: ssl.SSLContext
    certificates: tuple[Facts, ...]
    by_name: dict[str, ssl.SSLContext]
    warnings: tuple[str, ...]
    stamp: _Stamp
    made: float

    @property
    def expires(self) -> datetime:
        return min(facts.not_after for facts in self.certificates)

    def for_name(self, name: str) -> ssl.SSLContext:
        """A star stands for one label, the first (RFC 9525, 6.3); the name itself goes before it."""
        found = self.by_name.get(name)
        if found is None:
            found = self.by_name.get("*." + name.partition(".")[2], self.context)
        return found


@dataclass(frozen=True, slots=True)
class _Rules:
    """What the deployer wrote: everything that a new reading of the files starts from."""

    certificates: tuple[Certificate, ...]
    client: ClientCertificates
    client_ca: Path | None
    client_crl: Path | None
    minimum: MinimumVersion
    ciphers: str | None
    protocols: tuple[str, ...]

    def stamp(self) -> _Stamp:
        """Differs when a file differs; cheap."""
        files = [file for certificate in self.certificates for file in certificate.files]
        files += [file for file in (self.client_ca, self.client_crl) if file is not None]
        return tuple(map(_stamp, files))

    def build(self, choose: _Choose, now: datetime, made: float) -> _Generation:
        """Read everything. Raises ``TLSSetupError``."""
        stamp = self.stamp()  # before reading: what is replaced meanwhile will be seen
        warnings: list[str] = []
        contexts: list[ssl.SSLContext] = []
        by_name: dict[str, ssl.SSLContext] = {}
        own: list[Facts] = []
        for certificate in self.certificates:
            context = self._context(choose)
            facts = load(context, certificate)
            warnings += warnings_about(certificate, facts, now)
            contexts.append(context)
            own.append(facts[0])
            twice = [name for name in facts[0].names if by_name.setdefault(name, context) is not context]
            if twice:
                warnings.append(f"{certificate.chain} is not used for {', '.join(twice)}: an earlier one has that name")
        if self.client_ca is not None:
            for each in read_certificates(self.client_ca, "client_ca"):
                if each.not_after <= now:
                    warnings.append(f"{self.client_ca}: {each.subject!r} expired: its clients are refused; renew it")
        return _Generation(contexts[0], tuple(own), by_name, tuple(warnings), stamp, made)

    def _context(self, choose: _Choose) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sslsocket_class = TLSSocket
        context.minimum_version = _VERSIONS[self.minimum]
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        self._set_ciphers(context)
        context.set_alpn_protocols(list(self.protocols))
        context.sni_callback = choose
        self._set_client(context)
        return context

    def _set_ciphers(self, context: ssl.SSLContext) -> None:
        wanted = DEFAULT_CIPHERS if self.ciphers is None else self.ciphers
        try:
            # Level 2: keys and hashes of 112 bits of security at least, RSA of 2048 (OpenSSL's own default since 3.2).
            context.set_ciphers(wanted if "@SECLEVEL" in wanted else f"{wanted}:@SECLEVEL=2")
        except ssl.SSLError as error:
            raise TLSSetupError(
                "ciphers", f"{wanted!r} names no cipher that OpenSSL has", f"remove it, or write {DEFAULT_CIPHERS}"
            ) from error
        weak = sorted(
            str(each["name"])
            for each in context.get_ciphers()
            if each["strength_bits"] < 128 or each["auth"] == "auth-null" or "RC4" in each["name"]
        )
        if weak:
            raise TLSSetupError(
                "ciphers",
                f"allows {', '.join(weak[:3])}, which can be broken",
                f"remove it, or write {DEFAULT_CIPHERS}",
            )
        if self.ciphers is None:
            context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE

    def _set_client(self, context: ssl.SSLContext) -> None:
        context.verify_mode = _VERIFY[self.client]
        if self.client_ca is None:
            return
        read_certificates(self.client_ca, "client_ca")
        try:
            context.load_verify_locations(self.client_ca)
        except (ssl.SSLError, OSError) as error:
            raise TLSSetupError("client_ca", f"{self.client_ca} cannot be used ({error})") from error
        if self.client_crl is None:
            return
        if b"-----BEGIN X509 CRL-----" not in read_file(self.client_crl, "client_crl"):
            raise TLSSetupError(
                "client_crl",
                f"{self.client_crl} holds no list of revoked certificates in PEM format",
                f"convert it with: openssl crl -inform DER -in {self.client_crl} -out {self.client_crl.stem}.pem",
            )
        try:
            context.load_verify_locations(self.client_crl)
        except (ssl.SSLError, OSError) as error:
            raise TLSSetupError("client_crl", f"{self.client_crl} cannot be used ({error})") from error
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def _stamp(file: Path) -> tuple[int, int, int, int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    # Also when it was renamed or got other permissions: what could not be read may be readable now.
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _pass_over_hostile_names() -> None:
    """Keep clients from writing to stderr.

    Before a name that is not ASCII reaches our callback, the interpreter gives up on it, refuses the handshake and
    prints a traceback by ``sys.unraisablehook``; nothing else can be told of it. Everything else goes on to the hook
    that was there.
    """
    before = sys.unraisablehook
    if getattr(before, "passes_over_hostile_names", False):
        return

    def hook(unraisable: sys.UnraisableHookArgs, /) -> None:
        if isinstance(unraisable.exc_value, UnicodeDecodeError) and isinstance(unraisable.object, bytes):
            return
        before(unraisable)

    hook.passes_over_hostile_names = True  # type: ignore[attr-defined]
    sys.unraisablehook = hook
