"""An inbox in a SQLite file, which all processes of a site share, and the command line reads."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...storage.database import Database
from ...storage.schema import Schema
from ...storage.store import StoreError
from ..record import ErrorRecord
from .groups import HOURS_KEPT, KEPT_OF_A_GROUP, Group, Occurrence, State, hour_of, named, occurrence_of
from .keeper import MOST_BYTES
from .packing import pack, unpack

if TYPE_CHECKING:
    from sqlite3 import Connection

logger = logging.getLogger(__name__)

SCHEMA = Schema(
    "inbox",
    (
        (
            "CREATE TABLE inbox_groups (id TEXT PRIMARY KEY, headline TEXT NOT NULL, type TEXT NOT NULL,"
            " place TEXT NOT NULL, first REAL NOT NULL, last REAL NOT NULL, count INTEGER NOT NULL,"
            " state TEXT NOT NULL, changed REAL, resolved REAL)",
            "CREATE INDEX inbox_groups_last ON inbox_groups (last)",
            "CREATE TABLE inbox_errors (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
            " group_id TEXT NOT NULL REFERENCES inbox_groups ON DELETE CASCADE, time REAL NOT NULL,"
            " headline TEXT NOT NULL, type TEXT NOT NULL, place TEXT NOT NULL, method TEXT NOT NULL, url TEXT NOT NULL,"
            " phase TEXT NOT NULL, sent INTEGER NOT NULL, size INTEGER NOT NULL, record BLOB NOT NULL)",
            "CREATE INDEX inbox_errors_group ON inbox_errors (group_id, number)",
            "CREATE TABLE inbox_hours (group_id TEXT NOT NULL REFERENCES inbox_groups ON DELETE CASCADE,"
            " hour INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (group_id, hour))",
            "CREATE TABLE inbox_secret (secret BLOB NOT NULL)",
        ),
    ),
)

_GROUP = (
    "SELECT g.id, g.headline, g.type, g.place, g.first, g.last, g.count, g.state, g.changed, g.resolved,"
    " (SELECT e.id FROM inbox_errors e WHERE e.group_id = g.id ORDER BY e.number DESC LIMIT 1),"
    " (SELECT count(*) FROM inbox_errors e WHERE e.group_id = g.id) FROM inbox_groups g"
)
_GROUP_OF = "SELECT coalesce((SELECT group_id FROM inbox_errors WHERE id = ?), ?)"
_PATIENCE = 2.0
_MOST_WAITING = 50


class FileInbox:
    """The last errors of all processes that name this file; see :class:`Inbox`.

    While the file cannot be written, errors wait in memory, and are written when it can be again: that is said in the
    log once. They do not wait for ever: the last fifty are held.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        size: int = 200,
        *,
        most_bytes: int = MOST_BYTES,
        patience: float = _PATIENCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = Database(path, SCHEMA, patience=patience, durable=False)
        self._size = size
        self._most_bytes = most_bytes
        self._clock = clock
        self._waiting: deque[tuple[Occurrence, bytes]] = deque(maxlen=_MOST_WAITING)
        self._lock = threading.Lock()
        self._failing = False
        self._secret: bytes | None = None

    @property
    def path(self) -> str:
        """The file."""
        return self._database.path

    @property
    def place(self) -> str:
        """Where the errors are kept, and until when."""
        return f"The last {self._size} errors of all processes, in {self.path}."

    def add(self, record: ErrorRecord, /) -> None:
        """Keep a record; the oldest ones go for it, and what was resolved is open again."""
        self._waiting.append((occurrence_of(record), pack(record)))
        try:
            self._write()
            _ = self.secret  # made while the file can be written, so that the pages can be shown when it cannot
        except StoreError as error:
            if not self._failing:
                self._failing = True
                logger.error("errors are held in memory, because the inbox cannot be written: %s", error)
        else:
            if self._failing:
                self._failing = False
                logger.warning("the inbox %s can be written again", self.path)

    def _write(self) -> None:
        """Write what waits: usually what has just come, at times also what could not be written before."""
        with self._lock:
            waiting = list(self._waiting)
            if not waiting:
                return  # another thread has taken it along
            try:
                with self._database.writing() as connection:
                    for occurrence, packed in waiting:
                        self._insert(connection, occurrence, packed)
                    self._make_room(connection, {occurrence.group for occurrence, _ in waiting})
            except StoreError:
                raise
            except BaseException:
                self._done(waiting)  # or what cannot be written would be in the way of all others for ever
                raise
            self._done(waiting)

    def _done(self, written: list[tuple[Occurrence, bytes]]) -> None:
        for each in written:
            if self._waiting and self._waiting[0] is each:  # where there was no more room, the first ones went
                self._waiting.popleft()

    def _insert(self, connection: Connection, occurrence: Occurrence, packed: bytes) -> None:
        at = occurrence.time
        connection.execute("DELETE FROM inbox_errors WHERE id = ?", (occurrence.id,))  # the same record twice
        connection.execute(
            "INSERT INTO inbox_groups VALUES (?, ?, ?, ?, ?, ?, 1, 'open', NULL, NULL)"
            " ON CONFLICT (id) DO UPDATE SET headline = excluded.headline, type = excluded.type,"
            " place = excluded.place, last = max(last, excluded.last), count = count + 1,"
            " changed = CASE WHEN state = 'resolved' THEN excluded.last ELSE changed END,"
            " state = CASE WHEN state = 'resolved' THEN 'open' ELSE state END",
            (occurrence.group, occurrence.headline, occurrence.type, occurrence.place, at, at),
        )
        connection.execute(
            "INSERT INTO inbox_errors VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                occurrence.id,
                occurrence.group,
                at,
                occurrence.headline,
                occurrence.type,
                occurrence.place,
                occurrence.method,
                occurrence.url,
                occurrence.phase,
                occurrence.sent,
                len(packed),
                packed,
            ),
        )
        connection.execute(
            "INSERT INTO inbox_hours VALUES (?, ?, 1) ON CONFLICT (group_id, hour) DO UPDATE SET count = count + 1",
            (occurrence.group, hour_of(at)),
        )

    def _make_room(self, connection: Connection, groups: set[str]) -> None:
        for group in groups:
            connection.execute(
                "DELETE FROM inbox_errors WHERE number IN (SELECT number FROM inbox_errors WHERE group_id = ?"
                " ORDER BY number DESC LIMIT -1 OFFSET ?)",
                (group, KEPT_OF_A_GROUP),
            )
            connection.execute(
                "DELETE FROM inbox_hours WHERE group_id = ? AND hour <= (SELECT max(hour) FROM inbox_hours"
                " WHERE group_id = ?) - ?",
                (group, group, HOURS_KEPT),
            )
        connection.execute(
            "DELETE FROM inbox_errors WHERE number IN"
            " (SELECT number FROM inbox_errors ORDER BY number DESC LIMIT -1 OFFSET ?)",
            (self._size,),
        )
        (held,) = connection.execute("SELECT coalesce(sum(size), 0) FROM inbox_errors").fetchone()
        if held > self._most_bytes:
            sizes = connection.execute("SELECT number, size FROM inbox_errors ORDER BY number").fetchall()
            for number, size in sizes[:-1]:
                if held <= self._most_bytes:
                    break
                connection.execute("DELETE FROM inbox_errors WHERE number = ?", (number,))
                held -= size
        connection.execute(
            "DELETE FROM inbox_groups WHERE id IN (SELECT id FROM inbox_groups ORDER BY last DESC LIMIT -1 OFFSET ?)",
            (5 * self._size,),
        )

    def groups(self) -> list[Group]:
        """All groups, the one that failed last first."""
        self._catch_up()
        with self._database.reading() as connection:
            rows = connection.execute(f"{_GROUP} ORDER BY g.last DESC, g.id").fetchall()
            hours = connection.execute("SELECT group_id, hour, count FROM inbox_hours ORDER BY hour").fetchall()
        by_group: dict[str, list[tuple[int, int]]] = {}
        for group, hour, count in hours:
            by_group.setdefault(group, []).append((hour, count))
        return [_group(row, by_group.get(row[0], [])) for row in rows]

    def group(self, name: str) -> Group | None:
        """The group of this id, or the one that the occurrence of this id belongs to."""
        self._catch_up()
        with self._database.reading() as connection:
            (group,) = connection.execute(_GROUP_OF, (named(name),) * 2).fetchone()
            row = connection.execute(f"{_GROUP} WHERE g.id = ?", (group,)).fetchone()
            hours = connection.execute(
                "SELECT hour, count FROM inbox_hours WHERE group_id = ? ORDER BY hour", (group,)
            ).fetchall()
        return None if row is None else _group(row, hours)

    def occurrences(self, group: str) -> list[Occurrence]:
        """The occurrences of a group whose records are kept, the last one first."""
        self._catch_up()
        rows = self._database.query(
            "SELECT id, group_id, time, headline, type, place, method, url, phase, sent FROM inbox_errors"
            " WHERE group_id = ? ORDER BY number DESC",
            (named(group),),
        )
        names = ("id", "group", "time", "headline", "type", "place", "method", "url", "phase")
        return [Occurrence(**dict(zip(names, row[:-1], strict=True)), sent=bool(row[-1])) for row in rows]

    def find(self, name: str) -> ErrorRecord | None:
        """The record of an occurrence, or the last one kept of a group."""
        name = named(name)
        for occurrence, packed in reversed(list(self._waiting)):
            if name in (occurrence.id, occurrence.group):
                return unpack(packed)
        return self._one("WHERE id = ? OR group_id = ? ORDER BY number DESC LIMIT 1", name, name)

    def latest(self) -> ErrorRecord | None:
        """The last record."""
        waiting = list(self._waiting)
        return unpack(waiting[-1][1]) if waiting else self._one("ORDER BY number DESC LIMIT 1")

    def mark(self, name: str, state: State) -> bool:
        """Put a group into a state; whether there is one."""
        self._catch_up()
        now = self._clock()
        with self._database.writing() as connection:
            (group,) = connection.execute(_GROUP_OF, (named(name),) * 2).fetchone()
            connection.execute(
                "UPDATE inbox_groups SET changed = ?, state = ? WHERE id = ? AND state != ?", (now, state, group, state)
            )
            done = connection.execute(
                "UPDATE inbox_groups SET resolved = CASE WHEN state = 'resolved' THEN changed END WHERE id = ?",
                (group,),
            )
        return done.rowcount == 1

    def clear(self, name: str | None = None) -> int:
        """Forget one group, or all of them; how many there were."""
        self._catch_up()  # or what waits would be there again
        with self._database.writing() as connection:
            if name is None:
                return connection.execute("DELETE FROM inbox_groups").rowcount
            (group,) = connection.execute(_GROUP_OF, (named(name),) * 2).fetchone()
            return connection.execute("DELETE FROM inbox_groups WHERE id = ?", (group,)).rowcount

    @property
    def secret(self) -> bytes:
        """32 bytes that every process with this file knows."""
        if self._secret is None:
            rows = self._database.query("SELECT secret FROM inbox_secret") or [self._new_secret()]
            self._secret = bytes(rows[0][0])
        return self._secret

    def _new_secret(self) -> Any:
        with self._database.writing() as connection:
            made = "INSERT INTO inbox_secret SELECT ? WHERE NOT EXISTS (SELECT 1 FROM inbox_secret)"
            connection.execute(made, (secrets.token_bytes(32),))
            return connection.execute("SELECT secret FROM inbox_secret").fetchone()

    def close(self) -> None:
        """Write what waits, if that is possible now, and close the file."""
        self._catch_up()
        if self._waiting:
            logger.error("%d errors could not be written to the inbox %s", len(self._waiting), self.path)
        self._database.close()

    def _catch_up(self) -> None:
        if self._waiting:
            try:
                self._write()
            except StoreError:
                return  # that was said when the first one had to wait

    def _one(self, condition: str, *parameters: str) -> ErrorRecord | None:
        rows = self._database.query(f"SELECT record FROM inbox_errors {condition}", parameters)
        return unpack(rows[0][0]) if rows else None


def _group(row: Any, hours: list[tuple[int, int]]) -> Group:
    return Group(
        id=row[0],
        headline=row[1],
        type=row[2],
        place=row[3],
        first=row[4],
        last=row[5],
        count=row[6],
        state=row[7],
        changed=row[8],
        resolved=row[9],
        latest=row[10],
        kept=row[11],
        hours=tuple((int(hour), int(count)) for hour, count in hours),
    )
