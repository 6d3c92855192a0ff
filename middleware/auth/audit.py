"""Who logged in, who failed, and who changed what: one line of JSON for each, which no client can forge.

Where lines go stands in ``[auth:main] audit``: ``json:PATH`` appends to a file that many processes share, ``log:``
hands them to the logger ``wheatpaste.middleware.auth.audit``, ``none`` counts alone. Lines hold no secrets. Whatever
happens to the file, no request fails for it.
"""

from __future__ import annotations

import json
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ...protocol.redact import redact_value
from ...protocol.secret_texts import redact_text
from ...protocol.trace import KEY as TRACE

if TYPE_CHECKING:
    from .account import Account
    from .visit import Visit

log = logging.getLogger("wheatpaste.middleware.auth.audit")

EVENTS = frozenset(
    {
        "login.ok",
        "login.fail",
        "login.throttled",
        "mfa.ok",
        "mfa.fail",
        "mfa.add",
        "mfa.remove",
        "logout",
        "session.revoke",
        "password.change",
        "password.forgot",
        "password.reset",
        "token.create",
        "token.use",
        "token.revoke",
        "user.create",
        "user.change",
        "user.disable",
        "user.enable",
        "user.delete",
        "group.change",
        "role.grant",
        "role.revoke",
        "mail.send",
        "mail.fail",
        "identity.link",
        "identity.unlink",
        "authz.deny",
        "config.change",
    }
)
"""Every event there is; filters for log files and alarms may count on these words."""

LOST = "audit.lost"
"""The count of lines that could not be written."""

_WARNINGS = frozenset({"login.fail", "login.throttled", "mfa.fail", "authz.deny", "mail.fail"})
_IDS = frozenset({"session", "token", "request", "code"})
"""Fields whose names sound like secrets, and that hold ids of such."""

_LONGEST_TEXT = 200
_LONGEST_LINE = 4000  # one write of less than a page is never torn, wherever files come from
_MOST_ITEMS = 50

Record = Mapping[str, Any]


class Sink(Protocol):
    """Where events go. Called with the record of one, plain data that was cleaned; may raise ``OSError``."""

    def __call__(self, record: Record) -> None:
        """Keep the record."""


Listener = Callable[[str, "Visit | None", "Account | None", Record], object]


def destination_complaint(text: str) -> str | None:
    """What is wrong with the value of ``audit``, or None."""
    if text in ("log:", "none") or (text.startswith("json:") and text != "json:"):
        return None
    return "must be log:, json:PATH or none"


class Audit:
    """Writes events and counts them. Nothing is opened before the first one.

    ``destination`` is the text of ``[auth:main] audit``, or a sink. Raises ``ValueError`` for any other text.
    """

    def __init__(self, destination: str | Sink = "log:", clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()
        self._has_complained = False
        self._sink: Sink | None = _sink_of(destination) if isinstance(destination, str) else destination
        self.listeners: list[Listener] = []
        """Who is told each event besides, as it was given to :meth:`note`. They raise nothing."""

    def note(self, event: str, visit: Visit | None = None, account: Account | None = None, **fields: Any) -> None:
        """Write that something happened.

        ``account`` is whom it happened to; without it the user of ``visit`` is named. ``fields`` are plain values: a
        ``reason``, a ``name`` that was tried, the id of a ``token``. Raises ``ValueError`` for an unknown event, and
        nothing else.
        """
        if event not in EVENTS:
            raise ValueError(f"{event!r} is no event of the audit log")
        self._count(event)
        if self._sink is not None:
            self._write(self._sink, self._record(event, visit, account, fields))
        for each in self.listeners:
            each(event, visit, account, fields)

    def _write(self, sink: Sink, record: Record) -> None:
        try:
            sink(record)
        except OSError as error:
            self._count(LOST)
            if not self._has_complained:
                # Once, until it goes again: a full disk should not be filled further by what is said about it.
                self._has_complained = True
                log.error("events are not written any more: %s", error)
        else:
            self._has_complained = False

    def counts(self) -> dict[str, int]:
        """How often each event happened in this process, and how many lines were lost (``audit.lost``)."""
        with self._lock:
            return dict(sorted(self._counts.items()))

    def close(self) -> None:
        """Close the file; the next event opens it again."""
        close = getattr(self._sink, "close", None)
        if close is not None:
            close()

    def _count(self, word: str) -> None:
        with self._lock:
            self._counts[word] = self._counts.get(word, 0) + 1

    def _record(
        self, event: str, visit: Visit | None, account: Account | None, fields: Mapping[str, Any]
    ) -> dict[str, Any]:
        # Time, event and address come first, where no client writes: programs find them by their place.
        record: dict[str, Any] = {
            "time": datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "event": event,
            "address": "" if visit is None else visit.address,
        }
        identity = None if visit is None else visit.identity
        who = account if account is not None else identity
        if who is not None:
            record["user"], record["name"] = who.id, who.name
        if identity is not None:
            record["method"] = identity.method
            record["session"] = identity.session
            record["actor"] = identity.actor
            if identity.id != record["user"]:
                record["by"] = identity.id
        if visit is not None:
            trace = visit.environ.get(TRACE)
            record["request"] = None if trace is None else trace.request_id
            record["agent"] = visit.header("User-Agent") or None
        record |= fields
        return {key: _clean(key, value) for key, value in record.items() if value is not None}


def line_of(record: Record) -> str:
    """The record as one line of JSON in ASCII, without its newline; too long a line loses its last fields."""
    line = _json(record)
    while len(line) > _LONGEST_LINE:
        record = dict([item for item in record.items() if item[0] != "cut"][:-1]) | {"cut": True}
        line = _json(record)
    return line


def _json(record: Record) -> str:
    # Escaped to ASCII there is neither a newline nor a quote that somebody's name could bring along.
    return json.dumps(record, ensure_ascii=True, separators=(",", ":"))


def _clean(key: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        shown = (
            redact_text(value[: 4 * _LONGEST_TEXT]) if key in _IDS else redact_value(key, value[: 4 * _LONGEST_TEXT])
        )
        return shown if len(shown) <= _LONGEST_TEXT else shown[: _LONGEST_TEXT - 1] + "…"
    if isinstance(value, Iterable) and not isinstance(value, bytes | bytearray | Mapping):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
        return [
            _clean(key, each if isinstance(each, str | int) else f"<{type(each).__name__}>")
            for each in items[:_MOST_ITEMS]
        ]
    return f"<{type(value).__name__}>"


def _sink_of(text: str) -> Sink | None:
    complaint = destination_complaint(text)
    if complaint is not None:
        raise ValueError(f"audit {complaint}")
    if text == "none":
        return None
    if text == "log:":
        return _to_log
    return JsonLines(Path(text.removeprefix("json:")).expanduser())


def _to_log(record: Record) -> None:
    level = logging.WARNING if record["event"] in _WARNINGS else logging.INFO
    log.log(level, "%s", line_of(record))


class JsonLines:
    """A file to which any number of processes append, one line with one write.

    It is made with mode 0600. When another file stands at its path, or none, as after a rotation, that is opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._file: int | None = None
        self._is_torn = False

    def __call__(self, record: Record) -> None:
        """Append the record. Raises ``OSError``."""
        line = line_of(record) + "\n"
        with self._lock:
            file = self._open()
            data = (("\n" if self._is_torn else "") + line).encode("ascii")
            written = os.write(file, data)
            # A disk that ran full in the middle of a line: the next one must not continue it.
            self._is_torn = 0 < written < len(data)
            if written < len(data):
                raise OSError(f"{self.path}: only {written} of {len(data)} bytes could be written")

    def close(self) -> None:
        """Close the file; the next record opens it again."""
        with self._lock:
            self._close()

    def _open(self) -> int:
        if self._file is not None and not self._is_there(self._file):
            self._close()
        if self._file is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
            file = os.open(self.path, flags, 0o600)
            # A pipe without a reader would hold up every login.
            if not stat.S_ISREG(os.fstat(file).st_mode) and not stat.S_ISCHR(os.fstat(file).st_mode):
                os.close(file)
                raise OSError(f"{self.path} is no file")
            self._file = file
        return self._file

    def _is_there(self, file: int) -> bool:
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(file))
        except FileNotFoundError:
            return False

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
