"""Short answers that middleware gives by itself: refusals, "nothing here", redirects.

Who asks decides how it looks: a browser (``text/html`` named in ``Accept``) gets a page, a client of APIs a problem
document (RFC 9457), everybody else, curl among them, one line of plain text. Writes no environ keys.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ..protocol.negotiate import CONTENT_TYPES, wanted_form
from ..protocol.wsgi import Body, Environ, StartResponse

if TYPE_CHECKING:
    from jinja2 import Template

# The page needs nothing but its own style; whatever else found its way into it must not run.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"


class Row(NamedTuple):
    """One line of the list below an answer: a name, what is said about it, and whether it is pointed out."""

    name: str
    remark: str = ""
    marked: bool = False


def answer(
    environ: Environ,
    start_response: StartResponse,
    status: str,
    text: str,
    *,
    rows: Iterable[Row] = (),
    rows_title: str = "",
) -> Body:
    """Answer with ``status`` and one sentence, in the form that the client asked for.

    ``rows`` and their title are for people who debug; they are escaped wherever they go.
    """
    form = wanted_form(environ, ("text", "html", "json"))
    shown = list(rows)
    headers = [("X-Content-Type-Options", "nosniff"), ("Vary", "Accept")]
    if form == "html":
        page = _page().render(status=status, text=text, rows=shown, rows_title=rows_title)
        body, kind = page.encode("utf-8", "replace"), CONTENT_TYPES["html"]
        headers.append(("Content-Security-Policy", _POLICY))
    elif form == "text":
        body, kind = _plain(status, text, shown, rows_title), CONTENT_TYPES["text"]
    else:
        body, kind = _problem(status, text, shown), "application/problem+json"
    headers[:0] = [("Content-Type", kind), ("Content-Length", str(len(body)))]
    start_response(status, headers)
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]


def redirect(start_response: StartResponse, location: str) -> Body:
    """Answer 308 (RFC 9110 section 15.4.9) with a ``Location`` that ``protocol.paths`` has made."""
    start_response("308 Permanent Redirect", [("Location", location), ("Content-Length", "0")])
    return []


def _plain(status: str, text: str, rows: list[Row], rows_title: str) -> bytes:
    lines = [f"{status}: {text}"]
    if rows:
        lines += ["", rows_title]
        lines += [f"{'>' if row.marked else ' '} {row.name}  {row.remark}".rstrip() for row in rows]
    # A terminal obeys control characters; whoever debugs there must not.
    safe = ("".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line) for line in lines)
    return ("\n".join(safe) + "\n").encode("utf-8", "replace")


def _problem(status: str, text: str, rows: list[Row]) -> bytes:
    import json  # rare enough not to be paid for by each start

    code, _, title = status.partition(" ")
    document: dict[str, Any] = {"title": title, "status": int(code), "detail": text}
    if rows:
        document["mounts"] = [{"mount": row.name, "remark": row.remark, "closest": row.marked} for row in rows]
    return json.dumps(document).encode("ascii")


@lru_cache(maxsize=1)
def _page() -> Template:
    from importlib.resources import files

    from jinja2 import Environment, StrictUndefined  # costly, and most processes never show a page

    source = files(__package__).joinpath("templates", "answer.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source)
