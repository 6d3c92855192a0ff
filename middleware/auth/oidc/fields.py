"""What a browser or a provider brings to our addresses: a few short fields, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from ..visit import Visit

_MOST_BYTES = 128 * 1024
_MOST_FIELDS = 50
_FORM = "application/x-www-form-urlencoded"


def query_fields(visit: Visit) -> dict[str, str]:
    """The fields of the address; of one that comes twice, nobody could say which one counts, so it is left out."""
    return _fields(visit.environ.get("QUERY_STRING", "")[:_MOST_BYTES])


def form_fields(visit: Visit) -> dict[str, str]:
    """The fields of the form; none where it is no form, or a large one."""
    environ = visit.environ
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != _FORM:
        return {}
    length = environ.get("CONTENT_LENGTH", "")
    if not (length.isascii() and length.isdigit()) or len(length) > 9 or int(length) > _MOST_BYTES:
        return {}
    raw: bytes = environ["wsgi.input"].read(int(length))
    return _fields(raw.decode("latin-1"))


def _fields(text: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, encoding="utf-8")
    except ValueError:
        return {}
    names = [name for name, _ in pairs]
    return {name: value for name, value in pairs if names.count(name) == 1}
