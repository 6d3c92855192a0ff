"""Secrets in the source of programs: literals are hidden, code stays readable.

In ``password = form["password"]`` there is no secret, in ``password = "hunter2"`` there is one. Running text is read
by ``redact``; here only what stands in quotes, in comments, and in numbers beside secret names can be hidden. The
text may be a window cut out of a file. No line is added or lost.
"""

from __future__ import annotations

import re

from .secret_names import is_plain, redacted, secrecy
from .secret_texts import has_name_sign, redact_text

_PART = re.compile(
    r"(?P<comment>\#[^\n]*+)"
    r"|(?P<prefix>(?<![\w\"'])[rbufRBUF]{1,2})?(?P<literal>\"\"\"(?:\\.|(?!\"\"\").)*+(?:\"\"\"|\Z)|'''(?:\\.|(?!''').)*+(?:'''|\Z)"
    r"|\"(?:\\.|[^\"\\\n])*+\"|'(?:\\.|[^'\\\n])*+')",
    re.DOTALL,
)
# What leads from a name to its value: password = (, "password": , password: str = , ["password"] == …
_LEADS = re.compile(
    r"(?P<name>[\w.-]++)(?P<quote>[\"']?)[\])]?\s*+(?P<annotation>:[ \t]*+[\w.\[\]|\"' ]++(?==))?"
    r"(?P<sign>===?|!=|:=|=>|\+=|=|:)\s*+(?P<open>[(\[{\s\\]*+)(?:[rbufRBUF]{1,2})?\Z"
)
# The argument before: os.environ.get("DB_PASSWORD", "…"), setattr(self, "token", "…"), or just ("password", "…").
_ARGUMENT = re.compile(
    r"(?P<call>\w?)\(\s*+(?:[\w.]++\s*+,\s*+)?[rbuRBU]?[\"'](?P<name>[\w.-]++)[\"']\s*+,\s*+(?:\w++\s*+=\s*+)?[rbufRBUF]{0,2}\Z"
)
_GOES_ON = re.compile(r"[\s\\]*+(?:\+[\s\\]*+)?(?:[rbufRBUF]{1,2})?")
_GOES_ON_IN_LIST = re.compile(r"[\s\\]*+[,+]?[\s\\]*+(?:[rbufRBUF]{1,2})?")
_NUMBER = re.compile(r"(?<![\w.-])([\w.-]++)[\"'\])]{0,2}\s*+(?:==|!=|:=|=|:)\s*+([0-9][0-9_]{4,})\b(?!\.)")
_BLOCK_LINE = re.compile(r"(?m)^([ \t\"'#]*+)([A-Za-z0-9+/]{60,80}={0,2})(?=(?:\\n|[\"' \t])*+$)")
_BLOCK = re.compile(r"[A-Za-z0-9+/]{60}")  # lines of a key, whose beginning may be outside of the window
_HOLE = re.compile(r"\{[^{}]*+\}")
_WORDS = re.compile(r"[A-Za-z_ .-]*+")
_LONG = re.compile(r"(?=[A-Za-z+/_=.~-]*[0-9])[A-Za-z0-9+/_=.~-]{16,}")
_NAMES_ONE = re.compile(r"(?i:cookie|header)\Z")
_CONSTANT = re.compile(r"[A-Z]+(?:_[A-Z]+)+|[A-Z][A-Za-z]*(?:-[A-Z][A-Za-z]*)+")  # HTTP_COOKIE, X-Api-Key
_FIXED = re.compile(r"(?=[^\s\d]*\d)\S{6,}")  # in an f-string: what is no word
_BEFORE = 120


def redact_source(text: str, found: list[str] | None = None) -> str:
    """Hide the secrets in source, in as many lines as before. What was hidden is appended to ``found``."""
    if _BLOCK.search(text):
        text = _BLOCK_LINE.sub(lambda line: line[1] + _hide(line[2], found), text)
    shown: list[str] = []
    done = 0
    named = 0  # where the literal ended that was hidden last
    goes_on = _GOES_ON
    for part in _PART.finditer(text):
        shown.append(_numbers(text[done : part.start()], found))
        done = part.end()
        if part["comment"] is not None:
            shown.append(_keep_lines(part[0], redact_text(part[0], found)))
            continue
        literal = part["literal"]
        size = 3 if literal[:3] in ('"""', "'''") else 1
        content = (
            literal[size:-size] if len(literal) >= 2 * size and literal.endswith(literal[:size]) else literal[size:]
        )
        prefix = part["prefix"] or ""
        start = part.start("literal")
        if named and goes_on.fullmatch(text, named, start):
            is_value = True
        else:
            leads = _leads(text[max(0, start - _BEFORE) : start], content)
            is_value = leads is not None
            goes_on = _GOES_ON_IN_LIST if leads else _GOES_ON
        if is_value and not _says_nothing(content, prefix):
            hidden = _hide(content, found)
            named = done
        else:
            hidden = _text(content, prefix, found)
            named = done if is_value else 0
        shown.append(prefix + literal[:size] + _keep_lines(content, hidden) + literal[size + len(content) :])
    shown.append(_numbers(text[done:], found))
    return "".join(shown)


def _leads(before: str, content: str) -> str | None:
    """Whether a secret name stands before a literal; the brackets between them, or None."""
    if not has_name_sign(before):
        return None
    match = _LEADS.search(before)
    # A colon behind a bare name is that of a block or of an annotation.
    if match and (match["sign"] != ":" or match["quote"]):
        # What looks like an annotation may be a name of its own: "if x: password = …".
        strength = max(map(_strength, (match["name"], (match["annotation"] or "").strip(" :"))))
        if strength == 2 or (strength == 1 and _LONG.fullmatch(content)):
            return match["open"].strip() if match["sign"] != ":" else ""
    match = _ARGUMENT.search(before)
    # Lists of names are common ("password", "email"), and so are messages; neither is a secret.
    if match and _strength(match["name"]) == 2 and content.count(" ") < 2:
        return "" if match["call"] or not _WORDS.fullmatch(content) else None
    return None


def _strength(name: str) -> int:
    # A program calls its cookies and headers by their names: cookie = "wheatpaste".
    return min(secrecy(name), 1) if _NAMES_ONE.search(name) else secrecy(name)


def _says_nothing(content: str, prefix: str) -> bool:
    """Whether a literal beside a secret name is no secret: a name itself, a pattern, a text around expressions."""
    if "f" in prefix.lower():
        return not _FIXED.search(_HOLE.sub(" ", content))
    if "r" in prefix.lower() and ("[" in content or "(?" in content):
        return True
    return is_plain(content) or (_CONSTANT.fullmatch(content) is not None and secrecy(content) > 0)


def _text(content: str, prefix: str, found: list[str] | None) -> str:
    if "f" not in prefix.lower():
        return redact_text(content, found)
    # The expressions in an f-string are code.
    content = content.replace("{{", "\x01").replace("}}", "\x02")
    holes = _HOLE.findall(content)
    pieces = redact_text(_HOLE.sub("{}", content), found).split("{}")
    if len(pieces) == len(holes) + 1:
        content = pieces[0] + "".join(hole + piece for hole, piece in zip(holes, pieces[1:], strict=True))
    else:
        content = "{…}".join(pieces)
    return content.replace("\x01", "{{").replace("\x02", "}}")


def _numbers(code: str, found: list[str] | None) -> str:
    return _NUMBER.sub(lambda match: _number(match, found), code) if has_name_sign(code) else code


def _number(match: re.Match[str], found: list[str] | None) -> str:
    if not secrecy(match[1]):
        return match[0]
    start = match.start(2) - match.start()
    return match[0][:start] + _hide(match[2], found)


def _hide(value: str, found: list[str] | None) -> str:
    if found is not None:
        found.append(value)
    return redacted(value)


def _keep_lines(before: str, after: str) -> str:
    return after + "\n" * (before.count("\n") - after.count("\n"))
