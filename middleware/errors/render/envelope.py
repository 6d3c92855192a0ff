"""Who sends mails, to whom, and what their subjects begin with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Addresses without names, and a prefix of subjects."""

    sender: str
    recipients: tuple[str, ...]
    subject_prefix: str = ""
