"""Time-based one-time passwords (RFC 6238): six digits that an app on a phone shows for thirty seconds."""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import b32decode, b32encode
from collections.abc import Iterable
from urllib.parse import quote, urlencode

PERIOD = 30
DIGITS = 6
SEED_BYTES = 20
"""The length of new seeds: that of SHA-1's digest, as RFC 4226 recommends."""

_FEWEST, _MOST = 10, 64
"""Seeds that are taken over from elsewhere have 80 bits at least: what the first apps used."""

_CODE = re.compile(r"\d{6}", re.ASCII)


def new_seed() -> bytes:
    """A new seed: 160 random bits."""
    return secrets.token_bytes(SEED_BYTES)


def read_seed(text: str) -> bytes:
    """The seed in a base32 text, in groups and any case as people copy it.

    Raises ``ValueError`` with a phrase for what is no seed, or has fewer than 80 bits.
    """
    letters = re.sub(r"[\s=-]", "", text).upper()
    try:
        seed = b32decode(letters + "=" * (-len(letters) % 8))
    except ValueError:
        raise ValueError("a seed is written with the letters A to Z and the digits 2 to 7") from None
    if not _FEWEST <= len(seed) <= _MOST:
        raise ValueError(f"a seed has from {_FEWEST * 8} to {_MOST * 8} bits")
    return seed


def seed_text(seed: bytes) -> str:
    """The seed as people type it: base32, without padding."""
    return b32encode(seed).decode("ascii").rstrip("=")


def step_at(time: float) -> int:
    """The number of the thirty seconds in which a time (seconds since 1970) lies."""
    return int(time // PERIOD)


def code_at(seed: bytes, step: int) -> str:
    """The code of a step (RFC 4226 section 5.3)."""
    digest = hmac.digest(seed, step.to_bytes(8, "big"), "sha1")
    start = digest[-1] & 0x0F
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def cleaned(text: str) -> str | None:
    """The six digits of what somebody has typed, with blanks as apps show them; None for anything else."""
    digits = text.replace(" ", "").replace("\u00a0", "").replace("-", "") if len(text) <= 20 else ""
    return digits if _CODE.fullmatch(digits) else None


def matching_step(seed: bytes, code: str, steps: Iterable[int]) -> int | None:
    """The one of ``steps`` whose code this is. All are looked at, whichever it is."""
    found = None
    for step in steps:
        if hmac.compare_digest(code_at(seed, step).encode(), code.encode()):
            found = step
    return found


def uri(seed: bytes, issuer: str, name: str) -> str:
    """The address that a QR code holds (the ``otpauth`` scheme, as apps read it)."""
    # A colon parts the two in the label, so neither may hold one.
    label = f"{quote(issuer.replace(':', ' '))}:{quote(name.replace(':', ' '))}"
    fields = {"secret": seed_text(seed), "issuer": issuer.replace(":", " "), "algorithm": "SHA1"}
    query = urlencode({**fields, "digits": str(DIGITS), "period": str(PERIOD)}, quote_via=quote)
    return f"otpauth://totp/{label}?{query}"


def qr_svg(text: str) -> str:
    """A QR code as an SVG element, dark modules in ``currentColor``. Raises ``ImportError`` without ``segno``."""
    import segno

    drawn: str = segno.make(text, error="m", micro=False).svg_inline(
        scale=1, border=4, omitsize=True, svgclass="qr", lineclass=None, dark="#000", light="#fff"
    )
    return drawn
