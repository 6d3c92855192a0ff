"""After a rotation of keys: what tables keep sealed is sealed anew, so that an old key can be retired."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from .vault import Vault, unpacked

if TYPE_CHECKING:
    from ..storage.tables import Tables


class SealedColumn(NamedTuple):
    """A column of sealed text (base64url), and how its values were sealed.

    ``key`` are the columns that name a row; ``bound`` makes of their values what the value is bound to, by default
    ``table/column/key``.
    """

    table: str
    column: str
    key: tuple[str, ...]
    purpose: str
    bound: Callable[..., str] | None = None

    def bound_to(self, *key: Any) -> str:
        """What the value of a row is bound to."""
        if self.bound is not None:
            return self.bound(*key)
        return "/".join((self.table, self.column, *map(str, key)))


class Resealed(NamedTuple):
    """What came of it: values sealed anew, values of the newest key already, values that no key of ours opens."""

    renewed: int
    current: int
    shut: int


def reseal(tables: Tables, vault: Vault, column: SealedColumn) -> Resealed:
    """Seal all values of a column with the newest key. May be broken off and begun again, and run beside the site."""
    names = ", ".join(column.key)
    rows = tables.query(f"SELECT {column.column}, {names} FROM {column.table} WHERE {column.column} IS NOT NULL")
    renewed = current = shut = 0
    for text, *key in rows:
        sealed = unpacked(text)
        if sealed is not None and vault.is_current(sealed):
            current += 1
            continue
        anew = None if sealed is None else vault.resealed(column.purpose, sealed, column.bound_to(*key))
        if anew is None:
            shut += 1
            continue
        written = urlsafe_b64encode(anew).decode("ascii").rstrip("=")
        where = " AND ".join(f"{name} = ?" for name in (*column.key, column.column))
        with tables.writing() as connection:
            # Only if it still is what was read: the site may have replaced it meanwhile.
            done = connection.execute(
                f"UPDATE {column.table} SET {column.column} = ? WHERE {where}", (written, *key, text)
            )
            renewed += done.rowcount
    return Resealed(renewed, current, shut)
