"""Secrets that are none: those that samples and starter files come with, and those too short to withstand guessing."""

from __future__ import annotations

import re
from functools import lru_cache

SHORTEST = 16
"""Characters of a signing secret below which it can be guessed; what a key generator makes is longer."""

# Patterns that only a finding needs are compiled by the first one; what each key of a file is held against is none.
# Names that hold the thing itself. (``auth_plugin = password`` or ``session.key = site`` are hidden when shown, but say
# how to sign in, or where.)
_SECRET = (
    *("secret", "passw", "passphrase", "pwd", "token"),
    *("apikey", "privatekey", "validatekey", "encryptkey", "signingkey", "accesskey"),
)
# Names that end so speak about one.
_ABOUT = (
    r"(?:age|algorithm|count|directory|domain|env|expires?|factory|file|format|header|id|length|lifetime|limit|max|method"
    r"|mode|module|name|path|policy|provider|required|rotation|scheme|size|store|timeout|ttl|type|ur[il]|enabled)s?$"
)
_HOLDING = (
    r"pass|pwd|secret|token|cred|cookie|auth|sign?|key|bearer|jwt|csrf|xsrf|saml|sess|sid|sso|otp|pin|salt|identity"
)
_URL_PASSWORD = r"(?<=://)[^/\s@]{1,256}@"
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")

_SAMPLES = frozenset(
    """
    secret mysecret somesecret supersecret topsecret verysecret notsosecret notsecret asecret thesecret secretkey
    secretstring asecretstring mysecretkey somesecretkey supersecretkey yoursecret yoursecretkey yoursecrethere
    secretkeyhere putyoursecrethere seekrit seekrits itsaseekreet seekreet sekrit sekret realseekrit sosecret sosekrit
    changeme changethis changemeplease pleasechangeme pleasechange changemenow tobechanged replaceme replacethis
    fixme todo tbd example sample default dummy fake placeholder insecure unsafe
    password passwd pass passw0rd p4ssw0rd passwort mypassword yourpassword yourpasswordhere passwordhere letmein
    admin administrator root toor guest test testing testtest foo bar foobar foobarbaz hello abc abc123 qwerty
    servicepassword adminpassword adminpass nova glance swift keystone
    """.split()  # noqa: SIM905
)
_URL = r"[a-z][a-z0-9+.-]*:(?://|$)"
_PATH = r"/(?:[\w.~+-]+/)+[\w.~+-]+"
_REPEATED = r"(.)\1*"
_COUNTED = ("0123456789", "1234567890", "abcdefghijklmnopqrstuvwxyz")


@lru_cache(maxsize=1024)
def _reading(key: str) -> tuple[str, bool]:
    """The letters of a key, and whether it names a secret. A large file has few keys, each a thousand times."""
    words = _letters(key)
    return words, any(word in words for word in _SECRET) and re.search(_ABOUT, words) is None


@lru_cache(maxsize=1024)
def names_secret(key: str) -> bool:
    """Whether the value of ``key`` is likely to be a secret. Asked for every key of a file."""
    return _reading(key)[1]


def weakness(key: str, text: str, *, declared: bool = False) -> str | None:
    """Why the value of ``key`` is no secret, in words that do not tell it, or None.

    ``declared``: the option is known to be a secret, whatever it is called. Truth values, numbers of few digits and
    empty texts are not judged: keys such as ``secret = false`` switch something.
    """
    words, speaks = _reading(key)
    if not (declared or speaks):
        return None
    value = text.strip()
    if not value or value.lower() in ("true", "false", "yes", "no", "on", "off", "none", "null"):
        return None
    if not speaks and re.match(_URL, value):
        return None  # an option for a place, which is secret for the password that may stand in it
    if declared and re.fullmatch(_PATH, value):
        return None  # where an option takes a file for the secret, too, it says itself what is wrong with others
    plain = _letters(value)
    if plain in _SAMPLES or plain.startswith(("djangoinsecure", "changeme", "replaceme", "replacewith")):
        return "is one that samples and starter files use"
    if re.fullmatch(_REPEATED, value) or any(len(plain) > 2 and plain in run for run in _COUNTED):
        return "can be guessed at once"
    if (declared or "secret" in words) and "passw" not in words and len(value) < SHORTEST:
        return f"has {len(value)} characters, and can be guessed"
    return None


def _letters(text: str) -> str:
    return "".join(filter(_LETTERS.__contains__, text.lower()))


def may_hold_secret(key: str) -> bool:
    """Whether a value of this name is better not quoted, not even in part. Rather too often than too seldom."""
    return re.search(_HOLDING, key.lower()) is not None


def without_passwords(text: str) -> str:
    """The text with ``…@`` where URLs have a user and a password."""
    return re.sub(_URL_PASSWORD, "…@", text) if "://" in text else text
