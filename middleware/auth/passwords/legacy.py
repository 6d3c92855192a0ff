"""The hashes that other programs wrote: recognized, verified, and refused with the reason where they protect nothing.

All of them are verified only until their user logs in; what can be written is then replaced by argon2id. Text that is
no hash is never compared as if it were the password: where a file's format says that it holds plain passwords, its
source writes ``{PLAIN}`` in front.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from hmac import compare_digest
from typing import NamedTuple

from .unix_crypt import DEFAULT_ROUNDS, LEAST_ROUNDS, md5_crypt, sha_crypt

PLAIN = "{PLAIN}"
AUTHKIT = "{AUTHKIT-MD5}"
"""Before ``digest:secret``: MD5 of the password and one secret of the site, as AuthKit's ``authkit.users:md5``."""

BCRYPT_BYTES = 72
"""What is longer than this bcrypt does not see."""

_MOST_ROUNDS = 1_000_000
_HIGHEST_COST = 16

Verify = Callable[[bytes, "re.Match[str]"], bool]


class _Format(NamedTuple):
    pattern: re.Pattern[str]
    verify: Verify


def complaint_about(encoded: str) -> str | None:
    """Why no password can be verified against this text, as a phrase that completes "the hash …"; None if one can."""
    if _format_of(encoded) is not None:
        return _excess(encoded)
    if _DES.fullmatch(encoded):
        return "is of DES crypt, which every guesser computes by the billion: give this user a new password"
    if encoded.startswith("$2x$"):
        return "was made by a bcrypt that confuses passwords: give this user a new password"
    if not encoded or encoded[0] in "!*":
        return "is that of a locked account"
    return "is of no kind that is known here"


def may_be_plain(encoded: str) -> bool:
    """Whether the text can be a password as it stands: none that looks like a hash, which would then open by itself."""
    return bool(encoded) and encoded[0] not in "$!*{_" and _DES.fullmatch(encoded) is None


def verify(encoded: str, password: bytes) -> bool:
    """Whether this is the password. False for all that :func:`complaint_about` is about."""
    found = _format_of(encoded)
    return found is not None and _excess(encoded) is None and found[0](password, found[1])


def bcrypt_hash(password: bytes, cost: int) -> str:
    """A hash as Apache 2.4 reads it (``$2y$``). Raises ``ValueError`` for what bcrypt would cut off or misread."""
    if len(password) > BCRYPT_BYTES or b"\0" in password:
        raise ValueError("bcrypt takes no password of more than 72 bytes and none with a NUL")
    import bcrypt

    return "$2y$" + bcrypt.hashpw(password, bcrypt.gensalt(cost)).decode("ascii")[4:]


def bcrypt_cost(encoded: str) -> int | None:
    """The cost of a bcrypt hash; None for every other text."""
    found = _BCRYPT.fullmatch(encoded)
    return int(found[1]) if found else None


def _format_of(encoded: str) -> tuple[Verify, re.Match[str]] | None:
    for each in _FORMATS:
        found = each.pattern.fullmatch(encoded)
        if found is not None:
            return each.verify, found
    return None


def _excess(encoded: str) -> str | None:
    """A hash may ask for any amount of work, and whoever may write one could have us do it."""
    cost = bcrypt_cost(encoded)
    if cost is not None and not 4 <= cost <= _HIGHEST_COST:
        return f"has the bcrypt cost {cost}, and only 4 to {_HIGHEST_COST} are computed here"
    found = _SHA_CRYPT.fullmatch(encoded)
    if found and int(found["rounds"] or DEFAULT_ROUNDS) > _MOST_ROUNDS:
        return f"asks for more than {_MOST_ROUNDS} rounds"
    return None


def _is_plain(password: bytes, found: re.Match[str]) -> bool:
    return compare_digest(password, found[1].encode("utf-8", "surrogateescape"))


def _is_sha(password: bytes, found: re.Match[str]) -> bool:
    return compare_digest(hashlib.sha1(password, usedforsecurity=False).digest(), _decoded(found[1]))


def _is_salted_sha(password: bytes, found: re.Match[str]) -> bool:
    digest, salt = (whole := _decoded(found[1]))[:20], whole[20:]
    return len(digest) == 20 and compare_digest(hashlib.sha1(password + salt, usedforsecurity=False).digest(), digest)


def _is_authkit(password: bytes, found: re.Match[str]) -> bool:
    made = hashlib.md5(password + found[2].encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
    return compare_digest(made, found[1].lower())


def _is_md5_crypt(password: bytes, found: re.Match[str]) -> bool:
    # Programs in C saw the password end at a NUL, and so accept what merely begins as it does.
    if b"\0" in password:
        return False
    made = md5_crypt(password, found["salt"].encode(), found["magic"].encode())
    return compare_digest(made, found["digest"])


def _is_sha_crypt(password: bytes, found: re.Match[str]) -> bool:
    if b"\0" in password:
        return False
    rounds = max(LEAST_ROUNDS, int(found["rounds"] or DEFAULT_ROUNDS))
    made = sha_crypt(password, found["salt"].encode(), rounds, is_512=found["kind"] == "6")
    return compare_digest(made, found["digest"])


def _is_bcrypt(password: bytes, found: re.Match[str]) -> bool:
    # A password that was cut off when the hash was made is refused: the 73rd byte counts, or it is no password.
    if len(password) > BCRYPT_BYTES or b"\0" in password:
        return False
    import bcrypt

    try:
        return bcrypt.checkpw(password, f"$2b${found[1]}${found[2]}".encode("ascii"))
    except ValueError:  # a salt that no encoder writes
        return False


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


_CRYPT_TEXT = r"[./0-9A-Za-z]"
_DES = re.compile(rf"{_CRYPT_TEXT}{{13}}|_{_CRYPT_TEXT}{{19}}")
_BCRYPT = re.compile(rf"\$2[aby]\$([0-9]{{2}})\$({_CRYPT_TEXT}{{53}})")
_SHA_CRYPT = re.compile(
    rf"\$(?P<kind>[56])\$(?:rounds=(?P<rounds>[0-9]{{1,9}})\$)?(?P<salt>[^$:\n]{{0,16}})"
    rf"\$(?P<digest>(?:{_CRYPT_TEXT}{{43}}){{1,2}})"
)
_FORMATS = (
    _Format(_BCRYPT, _is_bcrypt),
    _Format(
        re.compile(rf"(?P<magic>\$(?:apr1|1)\$)(?P<salt>[^$:\n]{{0,8}})\$(?P<digest>{_CRYPT_TEXT}{{22}})"),
        _is_md5_crypt,
    ),
    _Format(_SHA_CRYPT, _is_sha_crypt),
    _Format(re.compile(r"\{SHA\}([+/0-9A-Za-z]{27}=)"), _is_sha),
    _Format(re.compile(r"\{SSHA\}([+/0-9A-Za-z]{28,120}={0,2})"), _is_salted_sha),
    _Format(re.compile(re.escape(AUTHKIT) + r"([0-9A-Fa-f]{32}):(.*)", re.DOTALL), _is_authkit),
    _Format(re.compile(re.escape(PLAIN) + "(.+)", re.DOTALL), _is_plain),
)
