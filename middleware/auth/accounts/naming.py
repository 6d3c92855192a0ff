"""Which texts may name a user, a group, a role, and where mail goes.

Looser rules hold for what somebody types at a login (``../names.py``): that only has to find somebody. What is kept
here stands in logs, on pages and in headers, and one name must not pass for another (Unicode Technical Standard 39).
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 128

_ASCII_MARKS = frozenset("._-@+~' ")
_WORD_MARKS = frozenset("._-+~@")
# Scripts that people mix, besides any one script by itself.
_EAST = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO"})
# Small letters whose small or capital form looks like one of Latin.
_LIKE_LATIN = str.maketrans(
    "авсԁеһнікӏмоԛрѕтԝхуј" + "αβεζηικμνορτυχγ",
    "abcdehhiklmoqpstwxyj" + "abezhikmvoptuxy",
)
_SMALL = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_EMAIL = re.compile(r"[^\s@<>\"(),:;\\\[\]\x00-\x1f\x7f-\x9f]{1,64}@(?!-)[^\W_](?:[\w.-]{0,251}\w)?")
_DOTS = re.compile(r"\.\.|^\.|\.@|@\.")


def name_complaint(name: str) -> str | None:
    """What is wrong with a user's name, as a phrase that completes "the name …"; None if nothing is."""
    if name != name.strip() or "  " in name:
        return "must not begin or end with a blank, nor have two in a row"
    return _complaint(name, _ASCII_MARKS)


def word_complaint(word: str) -> str | None:
    """What is wrong with the name of a group or role, which stands in rules and lists: the same, without blanks."""
    return _complaint(word, _WORD_MARKS)


def email_complaint(address: str) -> str | None:
    """What is wrong with a mail address, as far as it can be seen; an empty one is none, and right."""
    if address and (len(address) > 254 or not _EMAIL.fullmatch(address) or _DOTS.search(address)):
        return "must be a mail address such as bob@example.org"
    return None


def mailbox(address: str) -> str:
    """What two spellings of one mail address have in common: there is no difference of ASCII's case."""
    return address.translate(_SMALL)


def line_complaint(text: str) -> str | None:
    """What is wrong with a text that people are shown in one line, such as a full name."""
    if len(text) > 2 * LONGEST:
        return f"must not be longer than {2 * LONGEST} characters"
    # Format characters join letters in some scripts; those that turn the direction of a whole line do not.
    if any(unicodedata.category(each)[0] == "C" and each not in "\u200c\u200d" for each in text):
        return "must not hold control characters"
    return None


def look(folded: str) -> str:
    """What a folded name looks like to somebody who expects Latin letters."""
    return folded if folded.isascii() else folded.translate(_LIKE_LATIN)


def _complaint(text: str, marks: frozenset[str]) -> str | None:
    if not text:
        return "must not be empty"
    if len(text) > LONGEST:
        return f"must not be longer than {LONGEST} characters"
    if not text[0].isalnum():
        return "must begin with a letter or digit"
    if text.isascii():
        return next((_refused(each, marks) for each in text if not (each.isalnum() or each in marks)), None)
    if unicodedata.normalize("NFKC", text) != unicodedata.normalize("NFC", text):
        return "must not hold letters that are variants of others, such as ﬁ or ａ"
    scripts = set()
    for each in text:
        kind = unicodedata.category(each)
        if each.isascii():
            if not (each.isalnum() or each in marks):
                return _refused(each, marks)
            if each.isalpha():
                scripts.add("LATIN")
        elif kind[0] == "L":
            scripts.add(unicodedata.name(each, "UNKNOWN LETTER").split()[0])
        elif kind not in ("Mn", "Mc"):
            return _refused(each, marks)
    if len(scripts) > 1 and not scripts - {"LATIN"} <= _EAST:
        return f"must not mix letters of {' and '.join(sorted(each.capitalize() for each in scripts))}"
    return None


def _refused(character: str, marks: frozenset[str]) -> str:
    allowed = " ".join(sorted(marks - {" "}))
    return (
        f"must not hold {ascii(character)}: letters, digits and {allowed}{' and blanks' if ' ' in marks else ''} may be"
    )
