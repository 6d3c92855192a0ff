"""A record as plain text: for terminals, curl, logs and mails.

In the order of Python's own tracebacks, so that what failed stands last, and in its form, so that terminals and editors
open the files. Whatever strangers wrote can neither steer the terminal nor begin a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from unicodedata import east_asian_width

from ....protocol.printable import one_line, printable
from ..record import ErrorRecord, Frame, Raised, Request, Shown
from .outline import Branch, branches, carets, moment, phase_of, stretches, unseen, where

_CONTEXT = 3
_MOST_MESSAGE = 40  # lines
_DEEPEST = 6

_STYLES = {"title": "1;31", "failed": "31", "strong": "1", "dim": "2", "name": "36"}


def as_text(record: ErrorRecord, *, colour: bool = False, width: int = 100, details: bool = False) -> str:
    """The whole record as text that ends with a line break.

    ``colour`` adds the escape sequences of terminals; values and lines of source are cut to ``width``, messages never.
    With ``details`` the headers, parameters, configuration and versions follow.
    """
    ink = _Ink(colour, max(width, 40))
    lines = [*_head(record, ink), ""]
    for branch in branches(record):
        inner = list(_branch(branch, ink))
        margin = "  | " * min(branch.depth, _DEEPEST)
        lines += [(margin + line).rstrip() for line in inner]
    if record.omitted_exceptions:
        lines += ["", f"{record.omitted_exceptions} more exceptions are not shown."]
    if details:
        lines += _details(record, ink)
    return "\n".join(line.rstrip() for line in lines) + "\n"


class _Ink:
    """How things look: with or without colour, and how wide."""

    def __init__(self, colour: bool, width: int) -> None:
        self._colour = colour
        self.width = width

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._colour and text else text

    def row(self, name: str, text: str, margin: str = "    ") -> str:
        """A name and its value in one line."""
        name = one_line(name, 60)
        room = max(20, self.width - len(margin) - len(name) - 3)
        return f"{margin}{self('name', name)} = {one_line(text, room)}"


def _head(record: ErrorRecord, ink: _Ink) -> Iterator[str]:
    yield ink("title", one_line(record.headline, 400)) if record.exceptions else ink("title", "Error")
    place = where(record)
    if place:
        yield f"  at {ink('strong', one_line(place, 400))}"
    yield "  " + ", ".join(filter(None, (one_line(record.id), f"group {one_line(record.group)}", moment(record.time))))
    request = record.request
    if request is not None and (request.method or request.url):
        yield f"  {one_line(_asked(request), 2000)}"
    phase = phase_of(record.phase, sent=record.sent)
    if phase:
        yield f"  {phase}"


def _asked(request: Request) -> str:
    return f"{request.method} {request.url or request.script_name + request.path_info}".strip()


# --- one exception ----------------------------------------------------------------------------------------------------


def _branch(branch: Branch, ink: _Ink) -> Iterator[str]:
    raised = branch.raised
    if branch.title:
        yield ""
        yield f"{branch.title} {ink('title', one_line(raised.headline, 400))}"
    if raised.frames:
        yield "Traceback (most recent call last):"
    for stretch in stretches(raised):
        if stretch.label:
            yield ink("dim", f"  ... {one_line(stretch.label)}")
        else:
            yield from _frame(stretch.frames[0], stretch.focus and branch.in_full, ink)
        if stretch.repeated:
            yield ink("dim", f"  ... {stretch.repeated}")
    if unseen(raised):
        yield ink("dim", f"  ... {unseen(raised)} frames were left out")
    yield from _message(raised, ink)
    if raised.omitted_members:
        yield f"  {raised.omitted_members} more members are not shown."


def _message(raised: Raised, ink: _Ink) -> Iterator[str]:
    lines = printable(f"{raised.type}: {raised.message}" if raised.message else raised.type).split("\n")
    yield ink("title", lines[0])
    # Indented, or a message could pretend to be the next line of a log.
    yield from _indented(lines[1:_MOST_MESSAGE])
    if len(lines) > _MOST_MESSAGE:
        yield f"    ... {len(lines) - _MOST_MESSAGE} more lines"
    for note in raised.notes:
        first, *rest = printable(note).split("\n")
        yield f"  note: {first}"
        yield from _indented(rest[: _MOST_MESSAGE - 1])
    for suggestion in raised.suggestions:
        yield f"  hint: {one_line(suggestion, 1000)}"
    for attribute in raised.attributes:
        yield ink.row(f".{attribute.name}", attribute.text, "  ")


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)


# --- one frame --------------------------------------------------------------------------------------------------------


def _frame(frame: Frame, focus: bool, ink: _Ink) -> Iterator[str]:
    path = frame.path if frame.own or not frame.file else frame.file
    name = f", in {one_line(frame.function, 200)}" if frame.function else ""
    language = "" if frame.language in ("python", "syntax") else f" ({one_line(frame.language, 40)})"
    place = f'File "{one_line(path, 400)}", line {frame.line}{name}{language}'
    yield f"  {ink('strong', place) if focus else place}"
    yield from _source(frame, _CONTEXT if focus else 0, ink)
    for info in frame.info:
        yield f"    info: {one_line(info, 1000)}"
    yield from _supplement(frame)
    if focus:
        yield from _values(frame, ink)


def _source(frame: Frame, context: int, ink: _Ink) -> Iterator[str]:
    last = max(frame.line, frame.span.end_line) if frame.span is not None else frame.line
    for line in frame.lines:
        if not frame.line - context <= line.number <= last + context:
            continue
        failed = frame.line <= line.number <= last
        marked = carets(frame, line.number, line.text)
        text, marks = _drawn(line.text, marked, ink.width)
        if not context:  # on its own a line needs no place among others
            indented = len(text) - len(text.lstrip())
            text, marks = text[indented:], marks[indented:]
        number = f"{line.number:>6}"
        if context:
            yield f"  {ink('failed', '>' + number) if failed else ink('dim', ' ' + number)} | {text}"
        else:
            yield f"    {text}"
        if marks:
            yield f"{' ' * (12 if context else 4)}{ink('failed', marks)}"


def _drawn(text: str, marked: tuple[int, int] | None, width: int) -> tuple[str, str]:
    """A line of source as it is shown, and the line of carets below it."""

    def shown(part: str) -> str:
        return printable(part.expandtabs(4).replace("\n", " "))

    # What stands before the failing part is written out as well, so the columns are those of what is seen.
    drawn = shown(text)
    marks = ""
    if marked is not None:
        before, until = _columns(shown(text[: marked[0]])), _columns(shown(text[: marked[1]]))
        if before < width:
            marks = " " * before + "^" * (min(until, width) - before)
    return (drawn if len(drawn) <= width else drawn[: width - 1] + "\u2026"), marks


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes: Chinese and the like takes two each."""
    return len(text) + (0 if text.isascii() else sum(east_asian_width(letter) in "WF" for letter in text))


def _supplement(frame: Frame) -> Iterator[str]:
    supplement = frame.supplement
    if supplement is None:
        return
    place = ", ".join(
        f"{name} {value}"
        for name, value in (("line", supplement.line), ("column", supplement.column))
        if value is not None
    )
    rows = [
        ("object", supplement.object),
        ("source", f"{supplement.source_url} {place}".strip()),
        ("expression", supplement.expression),
        *(("warning", warning) for warning in supplement.warnings),
        ("info", supplement.info),
        *((title, text) for importance, title, text in supplement.extra if importance != "extra"),
    ]
    for name, text in rows:
        if text:
            yield f"    {one_line(name, 60)}: {one_line(text, 1000)}"


def _values(frame: Frame, ink: _Ink) -> Iterator[str]:
    seen: set[str] = set()
    for shown in _once((*frame.expressions, *frame.variables), seen):
        yield ink.row(shown.name, shown.text, " " * 8)
    if frame.omitted_variables:
        yield f"        and {frame.omitted_variables} more"


def _once(values: Iterable[Shown], seen: set[str]) -> Iterator[Shown]:
    for each in values:
        if each.name not in seen:
            seen.add(each.name)
            yield each


# --- what stands around it --------------------------------------------------------------------------------------------


def _details(record: ErrorRecord, ink: _Ink) -> Iterator[str]:
    request = record.request
    if request is not None:
        facts = [
            ("client", request.client or request.peer),
            ("user", request.user),
            ("request id", request.request_id),
            ("after", "" if request.elapsed is None else f"{request.elapsed:.3f} s"),
            *(("mount", f"{step.host}{step.prefix}  {step.origin}".strip()) for step in request.mounts),
            *(("note", note) for note in request.notes),
        ]
        yield from _section("Request", [pair for pair in facts if pair[1]], ink)
        yield from _section("Query", request.query, ink)
        yield from _section("Headers", request.headers, ink)
        yield from _section("Cookies", request.cookies, ink)
        yield from _section("Form", request.form, ink)
    yield from _section("Configuration", record.config, ink)
    yield from _section("Around the app", [(str(place), each) for place, each in enumerate(record.filters, 1)], ink)
    facts = [("host", record.host), ("process", str(record.pid or "")), ("thread", record.thread)]
    yield from _section("Where", [pair for pair in facts if pair[1]], ink)
    yield from _section("Versions", record.versions, ink)


def _section(title: str, pairs: Iterable[tuple[str, str]], ink: _Ink) -> Iterator[str]:
    rows = [ink.row(name, text, "  ") for name, text in pairs]
    if rows:
        yield ""
        yield ink("strong", title)
        yield from rows
