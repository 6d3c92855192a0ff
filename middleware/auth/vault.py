"""What only this site can read or make: derived keys, and sealed data.

From each key of the site (``key_file.py``) come keys for purposes, by HKDF-SHA256 (RFC 5869): who learns one of them
learns nothing of the others. Data is sealed with AES-256-GCM under a key of its own, so that no number of messages
wears a key out, and together with its purpose and what it is bound to: a value that is moved to another row, another
table or another use stays shut.
"""

from __future__ import annotations

import hmac
import importlib.util
import logging
import os
import secrets
import sys
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...config.problems import ConfigError, Problem
from ...config.values import FileText
from .key_file import Key, holds_keys, keys_of_text, new_key, path_in, read_key_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

log = logging.getLogger(__name__)

_EVERY = 1.0
_VERSION = b"\x01"
_ID = 4
_SALT = 16
_NONCE = 12
_TAG = 16
_HEAD = len(_VERSION) + _ID + _SALT + _NONCE
OVERHEAD = _HEAD + _TAG
"""Bytes by which sealed data is longer."""


def can_seal() -> bool:
    """Whether the package for sealing is installed. It is not imported for that."""
    if "cryptography" in sys.modules:
        return sys.modules["cryptography"] is not None
    return importlib.util.find_spec("cryptography") is not None


def demand_sealing() -> None:
    """Raise ``ConfigError`` where the package for sealing is not installed."""
    if not can_seal():
        problem = Problem(
            what="what is kept encrypted needs the package cryptography, which is not installed",
            fix="run: pip install 'wheatpaste[auth]'",
            code="missing-package",
        )
        raise ConfigError(problem)


class Vault:
    """The keys of a site in use; the first of ``keys`` seals and signs, all of them open.

    ``file`` is where they were read from. It is looked at once a second, and when something turns up that was made with
    a key unknown here: who adds or retires a key need not start the site anew.
    """

    __redact__ = True  # pages of errors show nothing of it

    def __init__(
        self,
        keys: Sequence[Key],
        file: str | os.PathLike[str] | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not keys:
            raise ValueError("a vault needs a key")
        self._monotonic = monotonic
        self._due = float("inf") if file is None else monotonic() + _EVERY
        self._file = None if file is None else os.fspath(file)
        self._seen: object = self._stamp()
        self._derived: dict[tuple[str, str], bytes] = {}
        self._signing: dict[str, tuple[Key, bytes]] = {}
        self._keys = tuple(keys)

    def __repr__(self) -> str:
        return f"Vault({', '.join(key.id for key in self._keys)})"

    @classmethod
    def read(cls, secret: str | os.PathLike[str], *, monotonic: Callable[[], float] = time.monotonic) -> Vault:
        """The vault of a key file (a path, or its text with the file that it is from), or of a secret that a deployer
        has chosen.

        Raises ``ConfigError`` for a file that cannot be read or that others can read, and for a weak secret.
        """
        path: str | os.PathLike[str] | None
        if not isinstance(secret, str):
            path = secret
        elif isinstance(secret, FileText) and holds_keys(secret):
            path = secret.file
        else:
            path = path_in(secret)
        if path is None:
            return cls(keys_of_text(str(secret)))
        return cls(read_key_file(path), path, monotonic=monotonic)

    @classmethod
    def temporary(cls) -> Vault:
        """A vault whose key nobody has, and that is gone with the process: for tests, and for trying out."""
        return cls([new_key()])

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys, the newest first."""
        return self._keys

    def key(self, purpose: str) -> bytes:
        """32 bytes for one purpose, from the newest key: to sign with."""
        if self._monotonic() > self._due:
            self.refresh()
        first = self._keys[0]
        known = self._signing.get(purpose)
        if known is None or known[0] is not first:
            known = self._signing[purpose] = first, self._derive(first, f"key {purpose}")
        return known[1]

    def every_key(self, purpose: str) -> tuple[bytes, ...]:
        """The same from each key, the newest first: to check what may have been signed before a rotation."""
        if self._monotonic() > self._due:
            self.refresh()
        return tuple(self._derive(key, f"key {purpose}") for key in self._keys)

    def refresh(self) -> bool:
        """Read the key file again if it is another than it was; whether there are other keys now."""
        # A glance at the file costs a few microseconds, and reading it is done once for each change.
        self._due = self._monotonic() + _EVERY if self._file is not None else float("inf")
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            return False
        self._seen = stamp
        try:
            keys = read_key_file(self._file or "")
        except ConfigError as error:
            log.error("the keys that were read before go on to count: %s", error)
            return False
        before, self._keys = self._keys, keys
        return before != keys

    def seal(self, purpose: str, data: bytes, bound: str = "") -> bytes:
        """Data that only :meth:`open` with the same purpose and the same ``bound`` can read.

        ``bound`` is where it is kept, as ``table/column/row``. Raises ``ConfigError`` where ``cryptography`` is not
        installed.
        """
        if self._monotonic() > self._due:
            self.refresh()
        key = self._keys[0]
        salt, nonce = secrets.token_bytes(_SALT), secrets.token_bytes(_NONCE)
        head = _VERSION + bytes.fromhex(key.id) + salt + nonce
        return head + self._cipher(key, purpose, salt).encrypt(nonce, data, _context(head, bound))

    def open(self, purpose: str, sealed: bytes, bound: str = "") -> bytes | None:
        """What was sealed; None for everything that is not sealed by this site for this purpose and place."""
        if len(sealed) < OVERHEAD or sealed[:1] != _VERSION:
            return None
        if self._monotonic() > self._due:
            self.refresh()
        key = self._find(sealed[1 : 1 + _ID].hex())
        if key is None:
            return None
        head, salt, nonce = sealed[:_HEAD], sealed[1 + _ID : _HEAD - _NONCE], sealed[_HEAD - _NONCE : _HEAD]
        cipher = self._cipher(key, purpose, salt)
        from cryptography.exceptions import InvalidTag

        try:
            return cipher.decrypt(nonce, sealed[_HEAD:], _context(head, bound))
        except InvalidTag:
            return None

    def seal_text(self, purpose: str, data: str, bound: str = "") -> str:
        """The same for text, as text (base64url): for columns and cookies."""
        return urlsafe_b64encode(self.seal(purpose, data.encode(), bound)).decode("ascii").rstrip("=")

    def open_text(self, purpose: str, sealed: str, bound: str = "") -> str | None:
        """The text that was sealed, or None."""
        raw = unpacked(sealed)
        data = None if raw is None else self.open(purpose, raw, bound)
        return None if data is None else data.decode()

    def is_current(self, sealed: bytes) -> bool:
        """Whether data was sealed with the newest key."""
        return sealed[1 : 1 + _ID].hex() == self._keys[0].id

    def resealed(self, purpose: str, sealed: bytes, bound: str = "") -> bytes | None:
        """The same data sealed with the newest key, or None where it cannot be opened."""
        data = self.open(purpose, sealed, bound)
        return None if data is None else self.seal(purpose, data, bound)

    def _find(self, key_id: str) -> Key | None:
        for _ in range(2):
            for key in self._keys:
                if key.id == key_id:
                    return key
            if not self.refresh():
                break
        return None

    def _stamp(self) -> object:
        if self._file is None:
            return None
        try:
            status = os.stat(self._file)
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _derive(self, key: Key, label: str) -> bytes:
        known = self._derived.get((key.id, label))
        if known is None:
            # HKDF-SHA256 without salt and with one block of output (RFC 5869 sections 2.2 and 2.3).
            extracted = hmac.digest(b"\0" * 32, key.secret, "sha256")
            known = hmac.digest(extracted, b"wheatpaste " + label.encode() + b"\x01", "sha256")
            self._derived[key.id, label] = known
        return known

    def _cipher(self, key: Key, purpose: str, salt: bytes) -> AESGCM:
        demand_sealing()
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(hmac.digest(self._derive(key, f"seal {purpose}"), salt, "sha256"))


def _context(head: bytes, bound: str) -> bytes:
    # The purpose is in the key, and the head has one length: no two places give the same bytes.
    return head + bound.encode("utf-8", "surrogatepass")


def unpacked(text: str) -> bytes | None:
    """The bytes of a base64url text without padding, if it is the one text for them."""
    if not text.isascii():
        return None
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    # The decoder skips foreign characters and loose bits: without this, one value would have many texts.
    return data if urlsafe_b64encode(data).decode("ascii").rstrip("=") == text else None
