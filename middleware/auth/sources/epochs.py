"""Epochs of accounts whose source has none: a new hash is a new epoch, so that a new password ends sessions."""

from __future__ import annotations

import hashlib


def epoch_of(encoded: str) -> int:
    """A number that another hash has another of; it tells nothing of the hash."""
    return int.from_bytes(hashlib.sha256(encoded.encode("utf-8", "surrogateescape")).digest()[:6], "big")
