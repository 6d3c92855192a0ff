"""A record as Markdown: for issue trackers and coding assistants.

Whatever strangers wrote stands in code, where Markdown means nothing: in spans and fences that are longer than any run
of backticks inside. So no text can mention people, link, embed pictures or add HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ....protocol.printable import one_line, printable
from ..record import ErrorRecord, Frame
from .curl import curl_command
from .outline import Branch, branches, carets, moment, phase_of, stretches, unseen, where

_MOST_VALUE = 200
_MOST_FRAMES = 12
_LANGUAGES = {
    "python": "python",
    "syntax": "python",
    "mako": "mako",
    "jinja2": "jinja",
    "chameleon": "html",
    "django": "html",
}
_TICKS = re.compile(r"`+")


def as_markdown(record: ErrorRecord) -> str:
    """The record with the project's own frames, the request, how to repeat it, and the versions."""
    blocks = [f"# {span(record.headline)}", _facts(record)]
    for branch in branches(record):
        blocks += _branch(branch)
    if record.omitted_exceptions:
        blocks.append(f"{record.omitted_exceptions} more exceptions are not shown.")
    blocks += _request(record)
    if record.versions:
        blocks += ["## Versions", _list(record.versions)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def span(text: str) -> str:
    """Text as code within a line (CommonMark 6.1)."""
    text = one_line(text, 1000) or " "
    ticks = "`" * (max(map(len, _TICKS.findall(text)), default=0) + 1)
    # One blank at either end is taken away again; without it a backtick of the text would join the fence.
    padded = f" {text} " if text[0] in "` " or text[-1] in "` " else text
    return f"{ticks}{padded}{ticks}"


def fenced(text: str, language: str = "text") -> str:
    """Text as a block of code (CommonMark 4.5)."""
    text = printable(text).rstrip("\n")
    ticks = "`" * max(3, max(map(len, _TICKS.findall(text)), default=0) + 1)
    return f"{ticks}{language}\n{text}\n{ticks}"


def _facts(record: ErrorRecord) -> str:
    facts = [f"Error {span(record.id)}, group {span(record.group)}", moment(record.time)]
    request = record.request
    if request is not None and (request.method or request.url):
        facts.append(span(f"{request.method} {request.url or request.script_name + request.path_info}".strip()))
    place = where(record)
    if place:
        facts.append(f"At {span(place)}")
    phase = phase_of(record.phase, sent=record.sent)
    if phase:
        facts.append(phase[0].upper() + phase[1:])
    return "\n".join(f"- {fact}" for fact in facts if fact)


def _branch(branch: Branch) -> Iterator[str]:
    raised = branch.raised
    if branch.title:
        yield f"## {branch.title[0].upper()}{branch.title[1:]} {span(raised.headline)}"
    else:
        yield "## Traceback"
    if "\n" in raised.message:
        yield fenced(f"{raised.type}: {raised.message}")
    for note in raised.notes:
        yield fenced(note) if "\n" in note else f"Note: {span(note)}"
    if raised.suggestions:
        yield "\n".join(f"- Hint: {span(suggestion)}" for suggestion in raised.suggestions)
    if raised.attributes:
        yield fenced("\n".join(_row(each.name, each.text) for each in raised.attributes))
    yield from _frames(branch)
    if raised.omitted_members:
        yield f"{raised.omitted_members} more members are not shown."


def _frames(branch: Branch) -> Iterator[str]:
    """Own frames, the most recent one last; what lies between is named."""
    raised = branch.raised
    shown = stretches(raised)
    left_out = max(0, len(shown) - _MOST_FRAMES)
    if left_out:
        # The first call matters less than the last ones.
        yield f"… {left_out} earlier steps are not shown"
    for stretch in shown[left_out:]:
        if stretch.label:
            yield f"… {span(stretch.label)}"
        else:
            yield from _frame(stretch.frames[0], stretch.focus and branch.in_full)
        if stretch.repeated:
            yield f"… {stretch.repeated}"
    if unseen(raised):
        yield f"… {unseen(raised)} frames were left out"


def _frame(frame: Frame, focus: bool) -> Iterator[str]:
    place = span(f"{frame.file or frame.path}:{frame.line}")
    title = f"{place} in {span(frame.function)}" if frame.function else place
    yield f"**{title}**" if focus else title
    if frame.lines:
        yield fenced("\n".join(_source(frame, focus)), _LANGUAGES.get(frame.language, "text"))
    for info in frame.info:
        yield f"Info: {span(info)}"
    supplement = frame.supplement
    if supplement is not None:
        rows = [
            ("expression", supplement.expression),
            ("info", supplement.info),
            *(("warning", each) for each in supplement.warnings),
        ]
        yield _list([row for row in rows if row[1]])
    values = {each.name: each.text for each in (*frame.variables, *frame.expressions)}
    if focus and values:
        yield fenced("\n".join(_row(name, text) for name, text in values.items()), "python")


def _source(frame: Frame, focus: bool) -> Iterator[str]:
    last = max(frame.line, frame.span.end_line) if frame.span is not None else frame.line
    for line in frame.lines:
        failed = frame.line <= line.number <= last
        if not (failed or focus):
            continue
        text = one_line(line.text.expandtabs(4), 300)
        yield f"{'>' if failed else ' '} {line.number:>5} {text}".rstrip()
        marked = carets(frame, line.number, line.text)
        if marked is not None and failed:
            before, until = (len(one_line(line.text[:column].expandtabs(4))) for column in marked)
            if before < 300:
                yield f"{' ' * (8 + before)}{'^' * (min(until, 300) - before)}"


def _request(record: ErrorRecord) -> Iterator[str]:
    request = record.request
    if request is None:
        return
    yield "## Request"
    facts = [
        ("request id", request.request_id),
        ("user", request.user),
        *(("mount", f"{step.host}{step.prefix} {step.origin}".strip()) for step in request.mounts),
        *(("note", note) for note in request.notes),
    ]
    yield _list([fact for fact in facts if fact[1]])
    pairs = [
        *(("query", name, text) for name, text in request.query),
        *(("header", name, text) for name, text in request.headers),
        *(("form", name, text) for name, text in request.form),
    ]
    if pairs:
        yield fenced("\n".join(f"{kind} {_row(name, text)}" for kind, name, text in pairs))
    command = curl_command(record)
    if command:
        yield fenced(command, "sh")


def _row(name: str, text: str) -> str:
    return f"{one_line(name, 100)} = {one_line(text, _MOST_VALUE)}"


def _list(pairs: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- {span(name)}: {span(text)}" for name, text in pairs)
