"""Records as mail (RFC 5322): text and simple HTML, nothing to fetch, and no header that a stranger could write.

Mails about one group refer to the same message id, so that readers keep them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from typing import Any

from ....protocol.printable import one_line, printable
from ..record import ErrorRecord, Frame, Raised
from ..tally import Tally
from .envelope import Envelope
from .outline import Stretch, branches, carets, moment, phase_of, stretches, where
from .templates import template
from .text import as_text

_MOST_SUBJECT = 150
_MOST_VALUE = 300
_CONTEXT = 4


def as_mail(record: ErrorRecord, envelope: Envelope, *, now: float | None = None) -> EmailMessage:
    """One failure as a mail; ``now`` is the time that its ``Date`` says, in seconds since 1970."""
    place = where(record)
    said = f"{record.headline} at {place}" if place else record.headline
    message = _begun(envelope, said, record.time if now is None else now)
    message["X-Error-ID"] = _header(record.id)
    message["X-Error-Group"] = _header(record.group)
    message["References"] = _thread(record.group, envelope)
    message.set_content(as_text(record, details=True), charset="utf-8")
    message.add_alternative(_page(record, str(message["Subject"])), subtype="html", charset="utf-8")
    return message


def as_digest(tallies: Sequence[Tally], envelope: Envelope, *, now: float, others: int = 0) -> EmailMessage:
    """What was counted and not mailed one by one; ``others`` are failures of groups too many to be told apart."""
    rows = sorted(tallies, key=lambda tally: (-tally.count, tally.group))
    total = sum(tally.count for tally in rows) + others
    is_one = len(rows) == 1 and not others
    kinds = "many kinds" if others else "one kind" if is_one else f"{len(rows)} kinds"
    headline = f"{total} more error{'s' * (total != 1)} of {kinds}"
    message = _begun(envelope, f"{total} more: {rows[0].line}" if is_one else headline, now)
    if is_one:
        message["X-Error-Group"] = _header(rows[0].group)
        message["References"] = _thread(rows[0].group, envelope)
    period = _period(rows)
    rest = f"And {others} of other kinds." if others else ""
    lines = [headline, *([f"  {period}"] if period else []), ""]
    for row in rows:
        lines += [f"{row.count:>6} x {one_line(row.group)}  {one_line(row.line, 500)}"]
        lines += [f"{' ' * 9}last at {moment(row.last)}: {', '.join(map(one_line, row.ids))}"]
    message.set_content("\n".join([*lines, *([rest] if rest else [])]) + "\n", charset="utf-8")
    page = template("digest.html").render(
        subject=str(message["Subject"]),
        headline=headline,
        period=period,
        rows=[
            {
                "count": row.count,
                "group": one_line(row.group),
                "last": moment(row.last),
                "line": one_line(row.line, 500),
                "ids": ", ".join(map(one_line, row.ids)),
            }
            for row in rows
        ],
        others=rest,
    )
    message.add_alternative(page, subtype="html", charset="utf-8")
    return message


def _begun(envelope: Envelope, subject: str, now: float) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = envelope.sender
    message["To"] = ", ".join(envelope.recipients)
    message["Subject"] = _header(f"{envelope.subject_prefix} {subject}".strip())
    message["Date"] = formatdate(now)
    message["Message-ID"] = make_msgid(domain=_domain(envelope.sender))
    # RFC 3834: nobody's holiday reply comes back. The other one is for the servers that do not read it.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    return message


def _header(text: str) -> str:
    """Text as the value of a header, which it cannot end."""
    # An encoded word (RFC 2047) would be decoded when the header is made, and may hold line breaks.
    return one_line(text, _MOST_SUBJECT).replace("=?", "= ?")


def _domain(sender: str) -> str:
    domain = sender.rpartition("@")[2].strip("<> ")
    return domain if domain.isascii() and domain.replace("-", "").replace(".", "").isalnum() else "localhost"


def _thread(group: str, envelope: Envelope) -> str:
    letters = "".join(letter for letter in group if letter.isascii() and (letter.isalnum() or letter == "-"))
    return f"<{letters or 'error'}.group@{_domain(envelope.sender)}>"


def _period(rows: Sequence[Tally]) -> str:
    if not rows:
        return ""
    return f"{moment(min(row.first for row in rows))} to {moment(max(row.last for row in rows))}"


# --- the HTML part ----------------------------------------------------------------------------------------------------


def _page(record: ErrorRecord, subject: str) -> str:
    request = record.request
    return template("mail.html").render(
        subject=subject,
        headline=one_line(record.headline, 1000),
        where=one_line(where(record), 400),
        id=one_line(record.id),
        group=one_line(record.group),
        moment=moment(record.time),
        phase=phase_of(record.phase, sent=record.sent),
        asked="" if request is None else one_line(f"{request.method} {request.url}".strip(), 2000),
        parts=list(_parts(record)),
        tables=list(_tables(record)),
    )


def _parts(record: ErrorRecord) -> Iterator[dict[str, Any]]:
    for branch in branches(record):
        raised = branch.raised
        title = f"{branch.title[0].upper()}{branch.title[1:]} {raised.headline}" if branch.title else ""
        yield {
            "title": one_line(title, 1000),
            "notes": list(_notes(raised)),
            "steps": [_step(stretch) for stretch in stretches(raised)],
        }


def _notes(raised: Raised) -> Iterator[str]:
    if "\n" in raised.message:
        yield printable(raised.message[:4000])
    yield from (printable(note[:4000]) for note in (*raised.notes, *raised.suggestions))


def _step(stretch: Stretch) -> dict[str, Any]:
    step: dict[str, Any] = {"label": one_line(stretch.label), "focus": stretch.focus, "repeated": stretch.repeated}
    if not stretch.label:
        frame = stretch.frames[0]
        step["place"] = one_line(f"{frame.file or frame.path}:{frame.line}", 400)
        step["function"] = one_line(frame.function, 200)
        step["lines"] = list(_lines(frame, _CONTEXT if stretch.focus else 0))
        values = {each.name: each.text for each in (*frame.expressions, *frame.variables)} if stretch.focus else {}
        step["variables"] = [(one_line(name, 100), one_line(text, _MOST_VALUE)) for name, text in values.items()]
    return step


def _lines(frame: Frame, context: int) -> Iterator[dict[str, Any]]:
    last = max(frame.line, frame.span.end_line) if frame.span is not None else frame.line
    for line in frame.lines:
        if frame.line - context <= line.number <= last + context:
            text = line.text[:_MOST_VALUE]
            first, end = carets(frame, line.number, text) or (len(text), len(text))
            before, marked, after = (printable(part) for part in (text[:first], text[first:end], text[end:]))
            failed = frame.line <= line.number <= last
            yield {"number": line.number, "failed": failed, "before": before, "marked": marked, "after": after}


def _tables(record: ErrorRecord) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    request = record.request
    if request is not None:
        facts = (
            ("client", request.client or request.peer),
            ("user", request.user),
            ("request id", request.request_id),
            *(("mount", f"{step.host}{step.prefix} {step.origin}".strip()) for step in request.mounts),
            *(("note", note) for note in request.notes),
        )
        yield from _table("Request", facts)
        yield from _table("Query", request.query)
        yield from _table("Headers", request.headers)
        yield from _table("Form", request.form)
    yield from _table("Where", (("host", record.host), ("process", str(record.pid or "")), ("thread", record.thread)))
    yield from _table("Versions", record.versions)


def _table(title: str, pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    rows = [(one_line(name, 100), one_line(text, _MOST_VALUE)) for name, text in pairs if text]
    if rows:
        yield title, rows
