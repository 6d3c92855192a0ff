"""``wheatpaste auth FILE audit …``: the log of who signed in, who failed, and who changed what."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .auth_rows import say
from .terminal import Terminal, one_line

if TYPE_CHECKING:
    from .auth import Words
    from .auth_site import AuthSite

_FIRST = ("time", "event", "address")
_LOOK_EVERY = 0.5
_WORD = re.compile(r"[\w.:@/+~-]+")


def arguments(parser: Words) -> None:
    """Declare the words."""
    command = parser.commands()
    tail = command("tail", "Print the last events.", _tail)
    tail.add_argument("-n", "--number", metavar="NUMBER", type=int, default=20, help="so many at most (default: 20)")
    tail.add_argument("--event", metavar="EVENT", help="only these: login.fail, or login. for all that begin so")
    tail.add_argument("--user", metavar="USER", help="only those that name this user")
    tail.add_argument("-f", "--follow", action="store_true", help="go on, with each event as it happens")
    verify = command("verify", "Check that every line is a whole record, and that they stand in their order.", _verify)
    verify.add_argument("--slack", metavar="SECONDS", type=float, default=5.0, help="by how much processes may differ")


def _path(site: AuthSite) -> str:
    from ..middleware.auth.site import Site

    settings: Site = site.option("", Site)
    if not settings.audit.startswith("json:"):
        raise ValueError(f"events go to {settings.audit}, which cannot be read from here; write audit = json:PATH")
    return settings.audit.removeprefix("json:")


def _lines(path: str) -> Iterator[tuple[int, str]]:
    try:
        with open(path, encoding="utf-8", errors="replace", newline="\n") as file:
            yield from enumerate(file, 1)
    except FileNotFoundError:
        raise LookupError(f"{path} does not exist: nothing has happened yet") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror})") from None


def _record(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and all(isinstance(found.get(key), str) for key in _FIRST[:2]) else None


def _tail(site: AuthSite, options: argparse.Namespace) -> None:
    path = _path(site)
    last: deque[dict[str, Any]] = deque(maxlen=max(1, options.number))
    for _, line in _lines(path):
        record = _record(line)
        if record is not None and _is_meant(record, options):
            last.append(record)
    for record in last:
        _print(record, options)
    if options.follow:
        _follow(path, options)


def _follow(path: str, options: argparse.Namespace) -> None:
    with open(path, encoding="utf-8", errors="replace", newline="\n") as file:
        file.seek(0, 2)
        part = ""
        while True:
            part += file.readline()
            if not part.endswith("\n"):
                time.sleep(_LOOK_EVERY)
                continue
            record = _record(part)
            part = ""
            if record is not None and _is_meant(record, options):
                _print(record, options)


def _is_meant(record: dict[str, Any], options: argparse.Namespace) -> bool:
    event, user = options.event, options.user
    if (
        event is not None
        and record["event"] != event
        and not (event.endswith(".") and record["event"].startswith(event))
    ):
        return False
    return user is None or user in (record.get("name"), record.get("user"))


def _print(record: dict[str, Any], options: argparse.Namespace) -> None:
    terminal = Terminal(sys.stdout)
    if options.json:
        terminal.line(json.dumps(record))
        return
    rest = " ".join(f"{one_line(key)}={_shown(value)}" for key, value in record.items() if key not in _FIRST)
    time, event, address = (_shown(record.get(key) or "-") for key in _FIRST)
    terminal.line(f"{time}  {terminal.paint(event, 'bold')}  {address}  {terminal.paint(rest, 'dim')}")


def _shown(value: Any) -> str:
    """A value of a record: quoted, unless it is a word, since whoever tries to sign in may give any name."""
    if isinstance(value, str) and _WORD.fullmatch(value):
        return value
    return one_line(json.dumps(value, ensure_ascii=False))


def _verify(site: AuthSite, options: argparse.Namespace) -> int:
    from datetime import datetime

    from ..middleware.auth.audit import EVENTS

    path = _path(site)
    found: list[dict[str, Any]] = []
    latest = 0.0
    count = 0
    for number, line in _lines(path):
        count += 1
        record = _record(line)
        if record is None or not line.endswith("\n"):
            found.append({"line": number, "what": "is no whole record"})
            continue
        if record["event"] not in EVENTS:
            found.append({"line": number, "what": f"has an unknown event, {record['event']}"})
        try:
            at = datetime.fromisoformat(record["time"]).timestamp()
        except ValueError:
            found.append({"line": number, "what": "has no time"})
            continue
        if at < latest - options.slack:
            found.append({"line": number, "what": "is older than a line before it"})
        latest = max(latest, at)
    if not options.json:
        for each in found:
            Terminal().line(f"{path}:{each['line']}: {one_line(each['what'])}")
    say(f"{count} events, {len(found)} of them wrong", options, events=count, wrong=found)
    return 1 if found else 0
