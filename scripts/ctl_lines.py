"""What ``wheatpaste ctl`` prints for the answers of a service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .terminal import printable

Paint = Callable[..., str]
Answer = dict[str, Any]

_COLORS = {"ready": "green", "serving": "green", "hung": "red", "busy": "yellow"}


def lines_of(command: str, result: Answer, paint: Paint) -> Iterator[str]:
    """The lines for the answer to a command."""
    match command:
        case "status":
            yield from _status(result, paint)
        case "workers":
            yield from _processes(result, paint)
        case "stacks":
            yield from _stacks(result, paint)
        case "reload":
            yield f"reloaded: this is generation {result['generation']}"
        case "drain":
            yield "draining"


def duration(seconds: float) -> str:
    """``3.2 s``, ``5 min``, ``2 h 10 min``, ``3 d 4 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def size(count: int | None) -> str:
    """``61 MiB``, or ``?`` for what is not known."""
    if count is None:
        return "?"
    return f"{count / 1024**2:.0f} MiB"


def _status(result: Answer, paint: Paint) -> Iterator[str]:
    totals = result["totals"]
    kind = "parent" if result["parent"] else "process"
    yield (
        f"{_state(result['state'], paint)} for {duration(result['uptime'])}, {kind} {result['pid']}, "
        f"generation {result['generation']}"
    )
    for place in result["listening"]:
        yield f"  {paint(printable(place), 'cyan')}"
    busy = totals["busy"] + totals["hung"]
    parts = [f"{busy} of {totals['threads']} threads busy"]
    if totals["hung"]:
        parts.append(paint(f"{totals['hung']} hung", "red"))
    parts += [f"{totals['waiting']} waiting"]
    parts += [f"{totals[key]} {key if totals[key] != 1 else key[:-1]}" for key in ("connections", "requests")]
    yield f"  {', '.join(parts)}"
    yield from _processes(result, paint)
    for process in result["processes"]:
        yield from _requests(process, paint)


def _processes(result: Answer, paint: Paint) -> Iterator[str]:
    for each in result["processes"]:
        parts = [
            f"pid {each['pid']:<7}",
            f"{_state(each['state'], paint)}",
            f"generation {each['generation']}",
            f"up {duration(each['age'])}",
            size(each["memory"]),
        ]
        if each["leaving"]:
            parts.append(paint(f"is replaced: {printable(each['leaving'])}", "yellow"))
        if each["engine"] is None and each["state"] == "ready":
            parts.append(paint(f"silent for {duration(each['silent'])}", "red"))
        yield f"  {'  '.join(parts)}"
    missing = result["wanted"] - sum(each["state"] == "ready" for each in result["processes"])
    if missing > 0:
        yield paint(f"  {missing} of {result['wanted']} workers missing", "yellow")


def _requests(process: Answer, paint: Paint) -> Iterator[str]:
    threads = (process["engine"] or {}).get("threads", ())
    running = [thread for thread in threads if thread["age"] is not None]
    for thread in sorted(running, key=lambda each: -each["age"]):
        request = printable(f"{thread['method']} {thread['path']}")
        yield f"    {duration(thread['age']):>8}  {_state(thread['state'], paint)}  {request}"


def _stacks(result: Answer, paint: Paint) -> Iterator[str]:
    for process in result["processes"]:
        for thread in process["threads"] or ():
            yield paint(f"pid {process['pid']}, {printable(thread['name'])}", "bold")
            yield from (printable(line) for line in thread["stack"])
            yield ""


def _state(word: str, paint: Paint) -> str:
    color = _COLORS.get(word)
    return paint(word, color) if color else word
