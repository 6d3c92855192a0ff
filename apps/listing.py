"""The page that lists a folder, and the same as JSON.

Names are whatever somebody once uploaded: in HTML they are escaped by the template, in links they are percent-encoded
and begin with ``./``, so that ``javascript:…`` and ``//host`` are names and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import parse_qs

from ..protocol.paths import uri_path
from .files import Entry
from .pages import render

SortKey = Literal["name", "size", "time"]
_COLUMNS: tuple[tuple[SortKey, str], ...] = (("name", "Name"), ("size", "Size"), ("time", "Modified (UTC)"))


def order_of(query: str) -> tuple[SortKey, bool]:
    """The column to sort by and whether downwards, from ``sort=size&order=desc``; anything else is by name."""
    if not query:
        return "name", False
    fields = parse_qs(query, max_num_fields=None, errors="replace")
    wanted = fields.get("sort", ["name"])[0]
    for key, _ in _COLUMNS:
        if key == wanted:
            return key, fields.get("order", ["asc"])[0] == "desc"
    return "name", False


def arrange(entries: Iterable[Entry], key: SortKey, downwards: bool) -> list[Entry]:
    """Sort a listing that is in order of names; folders stay in front."""
    rows = list(entries)
    if key == "size":
        rows.sort(key=lambda entry: entry.size, reverse=downwards)
    elif key == "time":
        rows.sort(key=lambda entry: entry.modified, reverse=downwards)
    elif downwards:
        rows.reverse()
    rows.sort(key=lambda entry: not entry.is_folder)
    return rows


def as_json(entries: Sequence[Entry]) -> bytes:
    """``{"entries": [{"name", "type", "size", "modified"}]}``; sizes in bytes, times in ISO 8601 (UTC)."""
    rows = []
    for entry in entries:
        row: dict[str, Any] = {"name": entry.name, "type": "folder" if entry.is_folder else "file"}
        if not entry.is_folder:
            row["size"] = entry.size
        row["modified"] = _time(entry).isoformat().replace("+00:00", "Z")
        rows.append(row)
    return json.dumps({"entries": rows}, ensure_ascii=False, indent=1).encode("utf-8")


def as_html(entries: Sequence[Entry], segments: Sequence[str], key: SortKey, downwards: bool, *, top: str) -> bytes:
    """The page. ``segments`` leads to the folder from the app's mount, which is called ``top``."""
    names = (top, *segments)
    steps = [
        {"name": name, "href": "../" * (len(segments) - depth) if depth < len(segments) else ""}
        for depth, name in enumerate(names)
    ]
    columns = [
        {
            "key": column,
            "title": title,
            "sorted": ("descending" if downwards else "ascending") if column == key else "",
            "href": f"?sort={column}&order={'desc' if column == key and not downwards else 'asc'}",
        }
        for column, title in _COLUMNS
    ]
    rows = [
        {
            "name": f"{entry.name}/" if entry.is_folder else entry.name,
            "href": _href(entry),
            "is_folder": entry.is_folder,
            "size": "" if entry.is_folder else _size(entry.size),
            "datetime": _time(entry).isoformat(),
            "time": _time(entry).strftime("%Y-%m-%d %H:%M"),
        }
        for entry in entries
    ]
    return render(
        "listing.html",
        title=f"{names[-1]} – files",
        steps=steps,
        columns=columns,
        rows=rows,
        parent=bool(segments),
        count=_count(entries),
    )


def _href(entry: Entry) -> str:
    path = uri_path(entry.name.encode("utf-8").decode("latin-1"))
    return f"./{path}/" if entry.is_folder else f"./{path}"


def _time(entry: Entry) -> datetime:
    # A file system can hold times that no calendar has.
    seconds = min(max(entry.modified, 0), 253402300799)
    return datetime.fromtimestamp(int(seconds), UTC)


def _size(size: float) -> str:
    """A size as people read it, with the units that INIs have: powers of 1024."""
    if size < 1024:
        return f"{size} B"
    for unit in ("KB", "MB", "GB"):
        size /= 1024
        if size < 1024:
            return f"{size:.1f} {unit}" if size < 10 else f"{size:.0f} {unit}"
    return f"{size / 1024:.1f} TB"


def _count(entries: Sequence[Entry]) -> str:
    folders = sum(entry.is_folder for entry in entries)
    files = len(entries) - folders
    parts = [
        f"{number} {word if number == 1 else word + 's'}"
        for number, word in ((folders, "folder"), (files, "file"))
        if number
    ]
    return ", ".join(parts)
