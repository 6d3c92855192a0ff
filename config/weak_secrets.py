"""Secrets that are none: those that samples and starter files come with, and those too short to withstand guessing."""

from __future__ import annotations

import re

SHORTEST = 16
"""Characters of a signing secret below which it can be guessed; what a key generator makes is longer."""

# Names that hold the thing itself. (``auth_plugin = password`` or ``session.key = site`` are hidden when shown, but say
# how to sign in, or where.)
_SECRET = re.compile(r"secret|passw|passphrase|pwd|token|(?:api|private|validate|encrypt|signing|access)key")
_SIGNING = re.compile(r"secret")
_LETTERS = re.compile(r"[^a-z0-9]")

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
_REPEATED = re.compile(r"(.)\1*")
_COUNTED = ("0123456789", "1234567890", "abcdefghijklmnopqrstuvwxyz")


def weakness(key: str, text: str, *, declared: bool = False) -> str | None:
    """Why the value of ``key`` is no secret, in words that do not tell it, or None.

    ``declared``: the option is known to be a secret, whatever it is called. Truth values, numbers of few digits and
    empty texts are not judged: keys such as ``secret = false`` switch something.
    """
    words = _LETTERS.sub("", key.lower())
    if not declared:
        if _SECRET.search(words) is None:
            return None
        # Imported here: most files have no such key, and its patterns take longer to compile than a file to check.
        from ..protocol.redact import is_secret_name

        if not is_secret_name(key):
            return None
    value = text.strip()
    if not value or value.lower() in ("true", "false", "yes", "no", "on", "off", "none", "null"):
        return None
    plain = _LETTERS.sub("", value.lower())
    if plain in _SAMPLES or plain.startswith(("djangoinsecure", "changeme", "replaceme", "replacewith")):
        return "is one that samples and starter files use"
    if _REPEATED.fullmatch(value) or any(len(plain) > 2 and plain in run for run in _COUNTED):
        return "can be guessed at once"
    if (declared or _SIGNING.search(words) is not None) and "passw" not in words and len(value) < SHORTEST:
        return f"has {len(value)} characters, and can be guessed"
    return None
