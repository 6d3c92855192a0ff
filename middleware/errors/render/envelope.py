"""Who sends mails, to whom, and what their subjects begin with."""

from __future__ import annotations

import re
from dataclasses import dataclass

# An address as an INI holds it: no names, no comments, nothing that could end a header or name a second recipient.
_ADDRESS = re.compile(
    r"[^\s@,;:<>()\[\]\"\\\x00-\x1f\x7f]+(?:@(?:[^\s@,;:<>()\"\\\x00-\x1f\x7f\[\]]+|\[[0-9A-Za-z.:]+\]))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Addresses without names, and a prefix of subjects."""

    sender: str
    recipients: tuple[str, ...]
    subject_prefix: str = ""


def address_complaint(address: str) -> str | None:
    """What is wrong with a mail address, or None; one without a host is a user of the mail server's."""
    if _ADDRESS.fullmatch(address):
        return None
    return f"{address!r} is no mail address such as admin@example.com"
