r"""Text of strangers on terminals, in logs and in mails: nothing in it is obeyed.

Control characters become what Python would write for them (``\x1b``), also those that turn the direction of writing
or end a line for some readers and not for others (U+2028), and lone surrogates, which no encoding takes.
"""

from __future__ import annotations

import re

# C0 and C1 without tab and line feed; marks of direction; separators; interlinear and tag characters; surrogates.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_NAMED = {"\r": "\\r", "\n": "\\n", "\t": "\\t"}


def printable(text: str) -> str:
    """The text with its line breaks and tabs, and everything else that a terminal would obey written out."""
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    return _UNSAFE.sub(_written, text)


def one_line(text: str, most: int = 0) -> str:
    """The text in one line, line breaks and tabs written out, too; cut to ``most`` characters if that is given."""
    if most and len(text) > most:
        text = text[:most]  # before the work, which a text of megabytes would make long
        return _cut(_flat(text) + "\u2026", most)
    return _cut(_flat(text), most) if most else _flat(text)


def _flat(text: str) -> str:
    return re.sub(r"[\r\n\t]", _written, printable(text))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "\u2026"


def _written(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
