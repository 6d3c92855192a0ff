"""The page for everybody: that it is not their fault, and an id to quote. It tells nothing of what failed, or why.

A site may have a page of its own: a Jinja template, in which everything is escaped, with the variables ``error_id``,
``time`` (``2026-11-26 02:43:20 UTC``), ``message``, ``status`` (``500 Internal Server Error``), ``path`` and
``method``. It may include and extend what stands in its folder.
"""

from __future__ import annotations

import hashlib
import logging
from base64 import b64encode
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from ....protocol.wsgi import Environ, Headers
from ..answer import STATUS
from ..record import ErrorRecord
from .outline import moment
from .templates import static, template

logger = logging.getLogger(__name__)

MESSAGE = "It is not your fault. Trying again in a moment may help."


def plain_page(
    record: ErrorRecord, environ: Environ, *, message: str | None = None, template: Path | None = None
) -> str:
    """The page; ``message`` is plain text, and ``template`` the site's own page.

    If that cannot be rendered, it is logged, and the answer is ours: the client has had one failure already.
    """
    path = str(environ.get("SCRIPT_NAME", "")) + str(environ.get("PATH_INFO", ""))
    values = {
        "error_id": record.id,
        "time": moment(record.time),
        "message": MESSAGE if message is None else message,
        "status": STATUS,
        "path": path.encode("latin-1", "replace").decode("utf-8", "replace"),
        "method": str(environ.get("REQUEST_METHOD", "")),
    }
    if template is not None:
        try:
            return _own(template.parent).get_template(template.name).render(values)
        except Exception:
            logger.exception("the page %s for errors cannot be rendered", template)
    return _ours(values)


def plain_headers(page: str) -> Headers:
    """The headers of such a page. Ours may load nothing; what a page of the site's own may, the site knows."""
    headers = [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")]
    if f"<style>{_style()}</style>" in page:
        headers.append(("Content-Security-Policy", _policy()))
    return headers


def template_complaint(path: Path | None) -> str | None:
    """What is wrong with a page of the site's own, found without rendering it, as a phrase that follows its name."""
    if path is None:
        return None
    try:
        _own(path.parent).get_template(path.name)
    except (OSError, UnicodeDecodeError) as error:
        return f"cannot be read: {error}"
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        return f"{'line ' + str(line) + ': ' if line else ''}{error.message or 'cannot be found'}"
    return None


def _ours(values: dict[str, str]) -> str:
    return template("plain.html").render(values, style=_style())


@lru_cache(maxsize=8)
def _own(folder: Path) -> Environment:
    return Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)


@lru_cache(maxsize=1)
def _style() -> str:
    return static("colours.css") + static("plain.css")


@lru_cache(maxsize=1)
def _policy() -> str:
    digest = b64encode(hashlib.sha256(_style().encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
