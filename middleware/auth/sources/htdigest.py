"""Users of an ``htdigest`` file, as Apache reads it: ``name:realm:hash`` on each line.

The hash is that of ``name:realm:password``: 32 characters of MD5, or 64 of SHA-256 (RFC 7616). Whoever reads the file
can log in as everybody in it, so its rights matter.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from hmac import compare_digest
from typing import NamedTuple

from ..account import Account
from ..names import composed
from ..passwords.hasher import prepared
from .epochs import epoch_of
from .watched_file import Mistake, WatchedFile

_ALGORITHMS = {32: "MD5", 64: "SHA-256"}
_HASH = re.compile(r"[0-9A-Fa-f]{32}(?:[0-9A-Fa-f]{32})?")


class _Content(NamedTuple):
    users: Mapping[str, Account]
    secrets: Mapping[tuple[str, str], str]  # by name and algorithm


class HtdigestFile:
    """Source ``htdigest``: those lines of a file that are for one realm.

    A name may have a line for each algorithm. Names are exact: a hash is of one spelling.
    """

    name = "htdigest"
    keeps_hashes = False

    def __init__(self, path: str | os.PathLike[str], realm: str) -> None:
        self.realm = realm
        self._file: WatchedFile[_Content] = WatchedFile(path, self._content)

    @property
    def path(self) -> str:
        """The file."""
        return self._file.path

    def find(self, name: str) -> Account | None:
        """The account that logs in under this name."""
        return self._file.content().users.get(name)

    def get(self, account_id: str) -> Account | None:
        """The account with this id: ``htdigest:NAME``."""
        account = self.find(account_id.removeprefix("htdigest:"))
        return account if account is not None and account.id == account_id else None

    def all(self) -> list[Account]:
        """All accounts, in the order of the file."""
        return list(self._file.content().users.values())

    def password_hash(self, account: Account) -> str | None:
        """None: what the file has is verified here."""
        return None

    def verify(self, account: Account, password: str) -> bool | None:
        """Whether the password is right."""
        secret = prepared(password)
        if secret is None:
            return False
        verdict = False
        for algorithm in _ALGORITHMS.values():
            kept_secret = self.ha1(account, self.realm, algorithm)
            if kept_secret is not None:
                verdict |= compare_digest(ha1_of(account.name, self.realm, secret, algorithm), kept_secret)
        return verdict

    def keep_hash(self, account: Account, encoded: str) -> bool:
        """False: the file has a format of its own."""
        return False

    def ha1(self, account: Account, realm: str, algorithm: str) -> str | None:
        """The hash of ``name:realm:password`` in lower case, for Digest."""
        if realm != self.realm or account.source != self.name:
            return None
        return self._file.content().secrets.get((account.name, algorithm))

    def named_by(self, userhash: str, realm: str, algorithm: str) -> str | None:
        """The name whose ``userhash`` (RFC 7616 section 3.4.4) this is."""
        if realm != self.realm:
            return None
        for name in self._file.content().users:
            if compare_digest(userhash_of(name, realm, algorithm), userhash):
                return name
        return None

    def mistakes(self) -> list[Mistake]:
        """What is wrong with lines of the file. Raises ``StoreError`` where it cannot be read."""
        return self._file.mistakes()

    def _content(self, text: str) -> tuple[_Content, list[Mistake]]:
        secrets: dict[tuple[str, str], str] = {}
        mistakes: list[Mistake] = []
        for number, line in enumerate(text.split("\n"), 1):
            line = line.rstrip("\r")
            if not line.strip() or line.startswith("#"):
                continue
            # A realm may hold colons, names and hashes do not.
            given, _, rest = line.partition(":")
            realm, _, digest = rest.rpartition(":")
            name = composed(given)
            if name is None or not _HASH.fullmatch(digest.strip()):
                mistakes.append((number, "is no line of an htdigest file, which has the form name:realm:hash"))
                continue
            if realm != self.realm:
                continue
            key = (name, _ALGORITHMS[len(digest.strip())])
            if key in secrets:
                mistakes.append((number, f"the user {name!r} is there already, and that line counts"))
                continue
            secrets[key] = digest.strip().lower()
        users = {
            name: Account(
                f"htdigest:{name}",
                name,
                self.name,
                epoch=epoch_of(":".join(secrets.get((name, algorithm), "") for algorithm in _ALGORITHMS.values())),
            )
            for name, _ in secrets
        }
        return _Content(users, secrets), mistakes


def ha1_of(name: str, realm: str, password: bytes, algorithm: str) -> str:
    """The hash of name, realm and password (RFC 7616 section 3.4.2) for ``MD5`` or ``SHA-256``."""
    return digest_hash(algorithm, f"{name}:{realm}:".encode() + password)


def userhash_of(name: str, realm: str, algorithm: str) -> str:
    """The hash under which a client may hide the name (RFC 7616 section 3.4.4)."""
    return digest_hash(algorithm, f"{name}:{realm}".encode())


def digest_hash(algorithm: str, data: bytes) -> str:
    """The hash function of an algorithm of Digest, in lower-case hexadecimal."""
    function = "sha256" if algorithm == "SHA-256" else "md5"
    return hashlib.new(function, data, usedforsecurity=False).hexdigest()
