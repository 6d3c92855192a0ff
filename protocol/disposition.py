"""``Content-Disposition`` with a file name (RFC 6266, RFC 8187)."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import quote

_ATTRIBUTE_SAFE = "!#$&+-.^_`|~"  # attr-char of RFC 8187 beyond letters and digits
# Browsers decode %41 in the plain form or do not, and read \" as they like: such names get the extended form as well.
_PLAIN = re.compile(r"[A-Za-z0-9 !#$&'()+,\-.=@\[\]^_`{}~;]+")


def content_disposition(filename: str | None, kind: Literal["attachment", "inline"] = "attachment") -> str:
    """The header's value; the name may be any text, and only its last path segment is used.

    A name beyond plain ASCII is written twice: as ``filename*`` in UTF-8, and for old clients with ``_`` in the gaps.
    """
    name = re.split(r"[/\\]", filename or "")[-1].encode("utf-8", "replace").decode("utf-8")
    name = re.sub(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "_", name).strip()
    if not name or name in (".", ".."):
        return kind
    if _PLAIN.fullmatch(name):
        return f'{kind}; filename="{name}"'
    plain = re.sub(rf"(?!{_PLAIN.pattern}).", "_", name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe=_ATTRIBUTE_SAFE)}"
