"""The hashes of ``crypt(3)`` that are still met: MD5-crypt (``$1$``, ``$apr1$``) and SHA-crypt (``$5$``, ``$6$``).

Written here because Python has no such module any more (PEP 594). Both are only verified, never made for new passwords:
they are quick on the processors of who guesses, and slow on ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
DEFAULT_ROUNDS = 5000
LEAST_ROUNDS = 1000

# Which bytes of the digest make each group of four characters, most significant first.
_MD5_ORDER = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5), (11,))


def _rotating(size: int, step: int) -> tuple[tuple[int, ...], ...]:
    """The order of SHA-crypt: three bytes a third of the digest apart, turned by one place from group to group."""
    third = size // 3
    groups = []
    for number in range(third):
        trio = (number, number + third, number + 2 * third)
        turn = step * number % 3
        groups.append(trio[turn:] + trio[:turn])
    return tuple(groups)


_SHA256_ORDER = (*_rotating(30, 2), (31, 30))
_SHA512_ORDER = (*_rotating(63, 1), (63,))


def md5_crypt(password: bytes, salt: bytes, magic: bytes) -> str:
    """The 22 characters behind the salt. ``magic`` is ``$1$`` or ``$apr1$``; of the salt 8 bytes count."""
    salt = salt[:8]
    inner = hashlib.md5(password + salt + password, usedforsecurity=False).digest()
    mixed = password + magic + salt + _filled(inner, len(password))
    length = len(password)
    while length:
        mixed += b"\0" if length & 1 else password[:1]
        length >>= 1
    digest = hashlib.md5(mixed, usedforsecurity=False).digest()
    for turn in range(1000):
        digest = hashlib.md5(_turn(turn, digest, password, salt), usedforsecurity=False).digest()
    return _encoded(digest, _MD5_ORDER)


def sha_crypt(password: bytes, salt: bytes, rounds: int, *, is_512: bool) -> str:
    """What stands behind the salt of ``$5$`` or ``$6$``, as glibc makes it; of the salt 16 bytes count."""
    new: Callable[[bytes], Any] = hashlib.sha512 if is_512 else hashlib.sha256
    salt = salt[:16]
    inner = new(password + salt + password).digest()
    mixed = password + salt + _filled(inner, len(password))
    length = len(password)
    while length:
        mixed += inner if length & 1 else password
        length >>= 1
    digest: bytes = new(mixed).digest()
    long_password = _filled(new(password * len(password)).digest(), len(password))
    long_salt = _filled(new(salt * (16 + digest[0])).digest(), len(salt))
    for turn in range(rounds):
        digest = new(_turn(turn, digest, long_password, long_salt)).digest()
    return _encoded(digest, _SHA512_ORDER if is_512 else _SHA256_ORDER)


def _turn(turn: int, digest: bytes, password: bytes, salt: bytes) -> bytes:
    """What both schemes hash in one of their rounds."""
    return b"".join(
        (
            password if turn & 1 else digest,
            salt if turn % 3 else b"",
            password if turn % 7 else b"",
            digest if turn & 1 else password,
        )
    )


def _filled(digest: bytes, length: int) -> bytes:
    """The digest over and over, to this length."""
    return (digest * (length // len(digest) + 1))[:length]


def _encoded(digest: bytes, order: tuple[tuple[int, ...], ...]) -> str:
    text = []
    for group in order:
        value = 0
        for place in group:
            value = value << 8 | digest[place]
        for _ in range((8 * len(group) + 5) // 6):
            text.append(_ALPHABET[value & 63])
            value >>= 6
    return "".join(text)
