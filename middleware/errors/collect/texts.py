"""Text that may stand in a record: of bounded length, valid in UTF-8, and without a character that acts."""

from __future__ import annotations

import re

MORE = "…"

# Everything that a terminal, a log viewer or a right-to-left renderer would obey. Tab and line feed stay in texts.
_ACTS = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_IN_TEXT = re.compile(f"[{_ACTS}]")
_IN_LINE = re.compile(rf"[{_ACTS}\t\n]")


def clean_text(text: str, most: int | None = None) -> str:
    """The text with acting characters, and halves of surrogate pairs, written as escapes; cut to ``most`` characters.

    Line feeds and tabs stay; a carriage return before a line feed goes.
    """
    if most is not None:
        text = cut(text, most)
    if text.isascii() and text.isprintable():
        return text
    return _IN_TEXT.sub(_escape, text.replace("\r\n", "\n"))


def clean_line(text: str, most: int | None = None) -> str:
    """The same as one line: no line break of any kind is left."""
    if most is not None:
        text = cut(text, most)
    return text if text.isascii() and text.isprintable() else _IN_LINE.sub(_escape, text)


def cut(text: str, most: int) -> str:
    """At most this many characters, and what is left out as a number."""
    if len(text) <= most:
        return text
    return f"{text[:most]}{MORE} ({len(text) - most:,} more characters)"


_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
