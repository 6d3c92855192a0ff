"""A record as plain text: for terminals, curl, logs and mails."""

from __future__ import annotations

from ..record import ErrorRecord


def as_text(record: ErrorRecord) -> str:
    """The whole record as text."""
    lines = [f"Error {record.id} ({record.group})", ""]
    for raised in record.exceptions:
        lines += [f'  File "{frame.path}", line {frame.line}, in {frame.function}' for frame in raised.frames]
        lines.append(raised.headline)
    return "\n".join(lines) + "\n"
