"""Secrets in running text: messages, log lines, URLs, reprs, JSON. Known by their shape, or by the name before them."""

from __future__ import annotations

import re
from binascii import a2b_base64
from functools import cached_property

from .secret_names import is_plain, redacted, secrecy


class _Rare:
    """A pattern that most programs never need: it is compiled when the first text looks like it."""

    def __init__(self, text: str, flags: int = 0) -> None:
        self._text = text
        self._flags = flags

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self._text, self._flags)


_PEM = _Rare(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----((?:(?!-----END)[\w+/=:,.\s\\\"'#()-])*+)"
    r"(?:-----END [A-Z0-9 ]*-----)?"
)
_PEM_LINE = re.compile(r"[A-Za-z0-9+/=]{16}")
# The password reaches to the last @, because people forget to escape the one within it; ``host:port/`` is no password.
# Bounded, or a hostile text would make the search quadratic.
_URL_PASSWORD = _Rare(r"(://[^\s/?#:@\[\"'<>]{0,256}:)(?!\d{1,5}[/?#])([^\s\"'<>]{1,512})(?=@)")
_NETLOC = _Rare(r"(\bnetloc[\"']?\s*[=:]\s*[\"']?[^\s:@\"']{0,256}:)([^\s\"']{1,512})(?=@)")  # a URL's parts
_URL_TOKEN = _Rare(r"(://)([^\s/?#:@\"'<>]{16,256})(?=@)")
_BASIC = _Rare(r"\b(basic\s+)([A-Za-z0-9+/_-]{4,}={0,2})", re.IGNORECASE)
_BEARER = _Rare(r"\b(bearer\s+)((?=\S*[0-9._~+/=-]|\S{20})[A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)
_TOKENS = _Rare(
    r"(?<![\w-])eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){1,3}"  # JWS and JWE, RFC 7515 and 7516
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[opsur]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,}|\bglpat-[\w-]{20,}|\bx(?:ox[abeprs]|app)-[\w-]{10,}"
    r"|\b[rs]k_(?:live|test)_\w{16,}|\bwhsec_\w{16,}|\bsk-[\w-]{20,}|\bAIza[\w-]{35}|\bya29\.[\w-]{20,}|\bGOCSPX-[\w-]{20,}"
    r"|\bnpm_\w{36}|\bpypi-[\w-]{50,}|\bhf_[A-Za-z]{30,}|\bdop_v1_[0-9a-f]{60,}|\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"
    r"|\bwpt_[0-9A-Za-z]{12}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}"
    r"|\bSG\.[\w-]{16,32}\.[\w-]{16,64}|\bAGE-SECRET-KEY-1\w{50,}|\b[0-9]{8,10}:AA[\w-]{33}|\bgAAAAA[\w-]{60,}={0,2}"
    r"|\$(?:2[abxy]|argon2id?|argon2d|scrypt|pbkdf2[\w-]*|[156]|apr1|y)\$[^\s\"'\\]{20,}|\bpbkdf2_sha[0-9]+\$[0-9]+\$[^\s\"'\\]{20,}"
    r"|(?<=hooks\.slack\.com/services/)[\w/]{20,}|(?<=/api/webhooks/)[0-9]{15,}/[\w-]{30,}"
)
_SHORTEST_TOKEN = 14
# One of these is in every text that the pattern could match; looking for them is far cheaper.
_TOKEN_SIGNS: tuple[str, ...] = (
    "eyJ",
    "AKIA",
    "ASIA",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xox",
    "xapp-",
)
_TOKEN_SIGNS += ("k_live_", "k_test_", "whsec_", "sk-", "AIza", "ya29.", "GOCSPX-", "npm_", "pypi-", "hf_", "dop_v1_")
_TOKEN_SIGNS += ("wpt_", "shp", "SG.", "AGE-", ":AA", "gAAAAA", "$", "hooks.slack", "/api/webhooks/")
# Headers whose whole value is secret: it ends with the line, not with the first blank or semicolon.
_HEADER_LINE = _Rare(
    r"\b((?:set-)?cookie[ \t]*+:[ \t]*+(?=[^\r\n]{0,300}=)|(?:proxy-)?authorization[ \t]*+:[ \t]*+)"
    r"(?!\[redacted)([^\r\n\"'\\]+)",
    re.IGNORECASE,
)
# Names are looked for everywhere, also within the values of other names; a value is read only behind a secret name.
_ASSIGNED = re.compile(r"(?<![\w.-])([\w.-]++)(?>[\\\"'\])]{0,6}\s*(?:=>|:=|=|:|%3D)\s*)", re.IGNORECASE)
_ARGUMENT = re.compile(r"(?<!\S)(--[\w-]++)[ \t]++(?!-)")
_ELEMENT = re.compile(r"<([\w.:-]++)[^<>]*>")
_FOLLOWED = re.compile(r"(?<![\w.-])([\w.-]++)\s++(?:is\s++)?[\"'(]?")
_VALUE = re.compile(
    r"[bru]{0,2}\"(?P<double>(?:\\++.|[^\"\\])*+)|[bru]{0,2}'(?P<single>(?:\\++.|[^'\\])*+)"
    r"|\\+[\"'](?P<nested>(?:(?!\\+[\"']).)*+)|[\[({](?P<group>(?!redacted:)[^\])}]*+)|(?P<bare>[^\s,;&\"'<>(){}\[\]\\]++)",
    re.IGNORECASE | re.DOTALL,
)
_CONTENT = re.compile(r"(?P<content>[^<>]++)")
_LONG = re.compile(r"(?P<long>(?=[A-Za-z+/_=.~-]*[0-9])[A-Za-z0-9+/_=.~-]{16,})")


# Some part of every secret name; a text without any of them needs no closer look.
_NAME_SIGNS: tuple[str, ...] = (
    "pass",
    "pw",
    "secret",
    "token",
    "cred",
    "cookie",
    "auth",
    "sig",
    "key",
    "bearer",
    "jwt",
)
_NAME_SIGNS += ("csrf", "xsrf", "saml", "sess", "otp", "identity", "pin", "salt", "sid", "sso")


def redact_text(text: str, found: list[str] | None = None) -> str:
    """Hide what looks like a secret in running text: messages, log lines, URLs, reprs, source, JSON.

    Whatever is hidden is appended to ``found``, for those who look for it elsewhere.
    """
    if len(text) < _SHORTEST:
        return text
    text = _in_text(_by_shape(text, _Hiding(found)), found)
    if "%" in text and _ESCAPE.search(text):
        text = _ESCAPED_WORD.sub(lambda match: _escaped(match[0], found), text)
    return text


_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_ESCAPED_WORD = re.compile(r"(?<![^\s\"'<>&])[^\s\"'<>&]++")


def _escaped(word: str, found: list[str] | None) -> str:
    """A percent-encoded word, such as a parameter; what it hides shows only when it is decoded."""
    if not _ESCAPE.search(word):
        return word
    from urllib.parse import quote, unquote

    hidden: list[str] = []
    plain = unquote(unquote(word))  # a URL may be the parameter of another one
    shown = _in_text(_by_shape(plain, _Hiding(hidden)), hidden)
    if shown == plain:
        return word
    if found is not None:
        found += hidden
    return quote(shown, safe=" []:,=/?&;@+()", errors="replace")


_SHORTEST = 5  # ``pin=1`` and the like hold nothing that would be hidden


class _Hiding:
    """Replaces matches by what is shown instead, and remembers what they were."""

    def __init__(self, found: list[str] | None) -> None:
        self._found = found

    def hide(self, value: str) -> str:
        if self._found is not None:
            self._found.append(value)
        return redacted(value)

    def all(self, match: re.Match[str]) -> str:
        return self.hide(match[0])

    def second(self, match: re.Match[str]) -> str:
        if _PLACEHOLDER.fullmatch(match[2]):
            return match[0]
        return match[1] + self.hide(match[2])

    def basic(self, match: re.Match[str]) -> str:
        # "Basic authentication" is English; credentials are base64 of ``user:password`` (RFC 7617).
        try:
            decoded = a2b_base64(match[2].rstrip("=") + "===")
        except ValueError:
            return match[0]
        user, colon, password = decoded.partition(b":")
        if not colon:
            return match[0]
        if self._found is not None and password:
            self._found.append(password.decode("utf-8", "replace"))
        return self.second(match)

    def key(self, match: re.Match[str]) -> str:
        if not _PEM_LINE.search(match[1]):
            return match[0]  # code and prose about keys
        if self._found is not None:
            # Its lines one by one: who quotes a key rarely quotes its line breaks.
            self._found += [
                line for line in re.split(r"\\[rn]|\s+", match[0]) if len(line) > 20 and "-----" not in line
            ]
        return "[redacted: private key]"


# Behind "the token:" and its like these are English.
_ENGLISH = frozenset(
    """a an and any are as at be but by can each enough every expired for from has have he how if in into invalid is it
    its missing must no not of on one only open or our required she so some than that the their then there they this to
    too unknown use was we what whatever when where which who whoever why will with you your""".split()  # noqa: SIM905
)
# What stands where a value will be: in templates, format strings, and where somebody else has hidden it.
_PLACEHOLDER = re.compile(r"(?:\{\}|%s|%r|%\(\w+\)[sr]|\$\{\w+\}|\*{3,}|\.{3,}|…)(?=[\s\"'&,;)\]}]|\Z)")


def _by_shape(text: str, hiding: _Hiding) -> str:
    if "-----BEGIN" in text:
        text = _PEM.pattern.sub(hiding.key, text)
    if "://" in text:
        text = _URL_TOKEN.pattern.sub(hiding.second, _URL_PASSWORD.pattern.sub(hiding.second, text))
    low = text.lower()
    if "netloc" in low:
        text = _NETLOC.pattern.sub(hiding.second, text)
    if "cookie" in low or "authorization" in low:
        text = _HEADER_LINE.pattern.sub(hiding.second, text)
    if "basic" in low:
        text = _BASIC.pattern.sub(hiding.basic, text)
    if "bearer" in low:
        text = _BEARER.pattern.sub(hiding.second, text)
    if len(text) >= _SHORTEST_TOKEN and _holds(text, _TOKEN_SIGNS):
        text = _TOKENS.pattern.sub(hiding.all, text)
    return text


def has_name_sign(text: str) -> bool:
    """Whether a secret name may stand somewhere in a text; far cheaper than finding it."""
    return _holds(text.lower(), _NAME_SIGNS)


def _holds(text: str, signs: tuple[str, ...]) -> bool:
    for sign in signs:  # noqa: SIM110  # twice as fast as any(), and most texts come through here
        if sign in text:
            return True
    return False


def _in_text(text: str, found: list[str] | None) -> str:
    if not has_name_sign(text):
        return text
    low = text.lower()
    if "=" in low or ":" in low or "%3d" in low:
        text = _hide_named(text, _ASSIGNED, _VALUE, found)
    if "--" in low:
        text = _hide_named(text, _ARGUMENT, _VALUE, found)
    if "<" in low:
        text = _hide_named(text, _ELEMENT, _CONTENT, found)
    return _hide_named(text, _FOLLOWED, _LONG, found)


_PASSWORD = re.compile(r"pass|pwd|secret")


def _hide_named(text: str, names: re.Pattern[str], values: re.Pattern[str], hidden: list[str] | None) -> str:
    shown: list[str] = []
    done = 0
    for name in names.finditer(text):
        if name.start() < done or not (strength := secrecy(name[1][-200:])):
            continue
        found = values.match(text, name.end())
        if found is None or (kind := found.lastgroup) is None:
            continue
        value = found[kind]
        if is_plain(value) or value.startswith("[redacted:") or _PLACEHOLDER.match(text, found.start()):
            continue
        if kind == "bare" and value in _ENGLISH:
            continue
        # The weaker names are also ordinary English: beside those only what looks like a key is hidden.
        if strength == 1 and not _LONG.fullmatch(value):
            continue
        if hidden is not None and (not value.isalpha() or _PASSWORD.search(name[1].lower())):
            hidden.append(value)  # a word beside "token" is found everywhere: nobody could read what is left
        shown += (text[done : found.start(kind)], redacted(value))
        done = found.end(kind)
    return "".join((*shown, text[done:])) if shown else text
