"""Which names and types stand for secrets, and what is shown in place of such values.

When in doubt a value is hidden; the ordinary settings that stand beside secrets (``session.timeout``, ``cookie_name``,
``password_file``) stay readable, or nobody would look at the output.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from functools import lru_cache
from typing import Any

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")
# Hidden wherever they stand in a name, written with or without separators; ``text`` finds short values beside these.
_STRONG = re.compile(
    r"passw|passphrase|passcode|secret|token|credential|cookie|authorization|signature|apikey|privatekey|accesskey"
    r"|bearer|jwt|csrf|xsrf|saml|sessid|sessionid"
)
_STRONG_WORDS = frozenset({"pw", "pwd", "pass", "creds", "otp", "totp"})
# Common words that hide a value only as a word of their own: ``key`` and not ``keyboard``, ``auth`` and not ``author``.
_WEAK_WORDS = frozenset({"auth", "oauth", "cred", "identity", "key", "keys", "pin", "salt", "session", "sessions"})
_WEAK_WORDS |= {"sid", "sig", "sso"}
_WEAK_ENDS = ("key", "keys", "pass", "pwd", "auth", "session")
_NOT_WEAK = frozenset({"bypass", "compass", "donkey", "hotkey", "hotkeys", "jockey", "monkey", "turkey", "trespass"})
# A name that ends so speaks *about* a secret. (Not ``id``: a session id is one; not ``header``: it holds one.)
_ABOUT = re.compile(
    r"age|algorithms?|backend|bits|class|count|dir|directory|domain|enabled|env|error|exception|expires?|factory|field"
    r"|file|filename|format|func|function|httponly|iterations|length|lifetime|limit|max|method|min|mode|module|name|path"
    r"|policy|provider|realm|regex|required|rotation|samesite|scheme|secure|size|store|timeout|ttl|type|ur[il]|usage"
)


def secrecy(name: str) -> int:
    """How much a name says of its value.

    0: nothing to hide; 1: hide the value of this name; 2: hide it in running text too, however short it is.
    """
    return _secrecy(name[:200])


@lru_cache(maxsize=2048)
def _secrecy(name: str) -> int:
    if name in ("PWD", "OLDPWD"):  # the shell's directories
        return 0
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or _ABOUT.fullmatch(words[-1]) or "public" in words:
        return 0
    if _STRONG.search("".join(words)) or not _STRONG_WORDS.isdisjoint(words):
        return 2
    if any(word in _WEAK_WORDS or (word.endswith(_WEAK_ENDS) and word not in _NOT_WEAK) for word in words):
        return 1
    return 0


def is_secret_name(name: str) -> bool:
    """Whether the value of an option, header, cookie, parameter or variable of this name is to be hidden.

    Reads words in any style: ``SECRET_KEY``, ``secretKey``, ``x-secret-key``, ``beaker.session.secret``.
    """
    return _secrecy(name[:200]) > 0


_PLAIN = frozenset({"", "true", "false", "yes", "no", "on", "off", "none", "null", "str", "bytes", "int", "bool"})
_SMALL_NUMBER = re.compile(r"[+-]?[0-9]{1,4}")


def is_plain(value: object) -> bool:
    """Whether a value cannot be a secret whatever its name: nothing, truth values, numbers of up to four digits."""
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, (int, float)):
        return abs(value) < 10_000
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        text = value.strip()
        return text.lower() in _PLAIN or _SMALL_NUMBER.fullmatch(text) is not None
    return isinstance(value, (Mapping, list, tuple, Set)) and not value


def redacted(value: object) -> str:
    """What is shown instead of a secret: its type and size, such as ``[redacted: str, 24 chars]``.

    Asks nothing of the value that its class could answer in its own way.
    """
    kind = type(value)
    name = _CLASS_NAME(kind)
    for sized, unit in _SIZED:
        if issubclass(kind, sized):
            return f"[redacted: {name}, {sized.__len__(value)} {unit}]"
    return f"[redacted: {name}]"


_SIZED: tuple[tuple[Any, str], ...] = ((str, "chars"), (bytes, "bytes"), (bytearray, "bytes"))
_SIZED += tuple((kind, "items") for kind in (dict, list, tuple, set, frozenset))
_CLASS_NAME = type.__dict__["__name__"].__get__  # a metaclass may say anything


def is_secret_type(value: object) -> bool:
    """Whether its class says that a value is secret: ``SecretStr`` and its like, and any with ``__redact__``."""
    # Looked up on the class: an instance may answer to every name that it is asked for.
    for kind in type.__dict__["__mro__"].__get__(type(value)):
        found = type.__dict__["__dict__"].__get__(kind)
        if "__redact__" in found or "get_secret_value" in found or _CLASS_NAME(kind) in _SECRET_TYPES:
            return True
    return False


_SECRET_TYPES = frozenset({"Secret", "SecretStr", "SecretBytes", "SecretString", "SecretValue"})
