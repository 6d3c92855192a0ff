"""Recovery codes: ten codes on paper for the day when the phone is gone, each good for one login."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from base64 import b32encode
from collections.abc import Callable

from ...storage.tables import Tables

NUMBER = 10
LETTERS = 10
"""Base32 letters of a code: 50 bits."""

_CODE = re.compile(r"[A-Z2-7]{10}")
_SALT = 16
# What is read as another letter where fonts and handwriting are poor; base32 has none of these digits.
_MISREAD = str.maketrans({"0": "O", "1": "I", "8": "B"})


def new_codes() -> list[str]:
    """Ten new codes, written in two groups: ``ABCDE-FGHIJ``."""
    codes: list[str] = []
    while len(codes) < NUMBER:
        letters = b32encode(secrets.token_bytes(7)).decode("ascii")[:LETTERS]
        code = f"{letters[:5]}-{letters[5:]}"
        if code not in codes:
            codes.append(code)
    return codes


def cleaned(text: str) -> str | None:
    """The ten letters of what somebody has typed, in any case and grouping; None for anything else."""
    letters = re.sub(r"[\s-]", "", text).upper().translate(_MISREAD) if len(text) <= 40 else ""
    return letters if _CODE.fullmatch(letters) else None


class RecoveryCodes:
    """The codes of accounts, as scrypt hashes (RFC 7914) with a salt for each set.

    ``cost`` is scrypt's N; with r = 8 a hash takes about 1 KiB × N of memory. Codes have 50 random bits: they need no
    more to be safe from who has the tables.
    """

    def __init__(self, tables: Tables, clock: Callable[[], float] = time.time, *, cost: int = 2**14) -> None:
        self._tables = tables
        self._clock = clock
        self._cost = cost

    def renew(self, account_id: str) -> list[str]:
        """Ten new codes, which are told now and never again; those before do not count any more."""
        codes = new_codes()
        salt = secrets.token_hex(_SALT)
        now = self._clock()
        rows = [(account_id, salt, self._digest(salt, code.replace("-", "")), now) for code in codes]
        with self._tables.writing() as connection:
            connection.execute("DELETE FROM auth_recovery WHERE account = ?", (account_id,))
            for row in rows:
                connection.execute(
                    "INSERT INTO auth_recovery (account, salt, digest, created) VALUES (?, ?, ?, ?)", row
                )
        return codes

    def use(self, account_id: str, code: str) -> bool:
        """Whether this is one of the account's codes; then it is gone."""
        letters = cleaned(code)
        if letters is None:
            return False
        salts = self._tables.query("SELECT DISTINCT salt FROM auth_recovery WHERE account = ?", (account_id,))
        return any(
            self._tables.query(
                "DELETE FROM auth_recovery WHERE account = ? AND digest = ? RETURNING 1",
                (account_id, self._digest(salt, letters)),
            )
            for (salt,) in salts
        )

    def left(self, account_id: str) -> int:
        """How many codes are left."""
        rows = self._tables.query("SELECT count(*) FROM auth_recovery WHERE account = ?", (account_id,))
        return int(rows[0][0])

    def remove(self, account_id: str) -> None:
        """Forget the account's codes."""
        self._tables.query("DELETE FROM auth_recovery WHERE account = ?", (account_id,))

    def _digest(self, salt: str, letters: str) -> str:
        made = hashlib.scrypt(
            letters.encode("ascii"), salt=bytes.fromhex(salt), n=self._cost, r=8, p=1, maxmem=2**28, dklen=32
        )
        return made.hex()
