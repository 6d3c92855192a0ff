"""What the cookie of a session holds: the key it is kept under, its secret, and the proof that we made both.

The proof lets what others have made up be refused without a look into the store. And it tells who guesses from who
has, or had, a secret of a session: only the latter can end one by using it after its time.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import NamedTuple

from ..vault import Vault

_KEY = 16
_SECRET = 32
_PROOF = 16
LENGTH = (_KEY + _SECRET + _PROOF) * 2
"""Characters of a token."""


class Token(NamedTuple):
    """The key of a session, and a secret of it."""

    key: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"Token({self.key.hex()})"

    @property
    def name(self) -> str:
        """The key as the store knows it."""
        return self.key.hex()

    @property
    def digest(self) -> str:
        """What is kept of the secret."""
        return hashlib.sha256(self.secret).hexdigest()

    def text(self, vault: Vault) -> str:
        """The token as it travels."""
        raw = self.key + self.secret
        return (raw + _proof(vault.key("session"), raw)).hex()

    def renewed(self) -> Token:
        """The same session with a secret that has nothing to do with this one."""
        return Token(self.key, secrets.token_bytes(_SECRET))

    def successors(self, vault: Vault, salt: str) -> list[Token]:
        """The token that follows this one, first by the newest key.

        It follows from three things that are nowhere together but here: the secret before, which the browser has, the
        salt in the store, and our key. So it can be told again to whom an answer did not reach.
        """
        message = self.key + self.secret + bytes.fromhex(salt)
        return [Token(self.key, hmac.digest(key, message, "sha256")) for key in vault.every_key("session successor")]


def new_token() -> Token:
    """A token that nobody can guess."""
    return Token(secrets.token_bytes(_KEY), secrets.token_bytes(_SECRET))


def new_salt() -> str:
    """What a successor depends on, besides its token and our key."""
    return secrets.token_hex(16)


def read_token(text: str, vault: Vault) -> Token | None:
    """The token that a text is, if we made it."""
    if len(text) != LENGTH:
        return None
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        return None
    told, proof = raw[:-_PROOF], raw[-_PROOF:]
    # One token has one text: the digits are not to be taken in capitals as well.
    if text != raw.hex():
        return None
    if not hmac.compare_digest(proof, _proof(vault.key("session"), told)) and not _is_of_another_key(
        told, proof, vault
    ):
        return None
    return Token(told[:_KEY], told[_KEY:])


def _is_of_another_key(told: bytes, proof: bytes, vault: Vault) -> bool:
    """Whether a proof was made before a rotation of the keys, or with a key that we have not read yet."""
    for _ in range(2):
        for key in vault.every_key("session"):
            if hmac.compare_digest(proof, _proof(key, told)):
                return True
        if not vault.refresh():
            break
    return False


def _proof(key: bytes, told: bytes) -> bytes:
    # RFC 7693 with a key is a signature, and takes a fifth of the time of HMAC: each request pays for it.
    return hashlib.blake2b(told, key=key, digest_size=_PROOF).digest()
