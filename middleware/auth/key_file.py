"""The keys of a site: what they are made of, and the file that holds them.

The file is text, one key to a line, the newest first: its id, the day it was made, and the key. The newest seals, all
of them open. The id is computed from the key, so that a line that was cut or mixed up is noticed before anything is
sealed with it.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ...config.problems import ConfigError, Problem
from ...config.records import field, record
from ...config.weak_secrets import weakness

SHORTEST_SECRET = 32
"""Characters of a secret that a deployer wrote in place of a key file."""

MAKE_KEY = "write secret = %(here)s/auth.key, and make that file: wheatpaste auth FILE init"
"""What a site without a key is told."""

_BYTES = 32
_ID = re.compile(r"[0-9a-f]{8}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_KEY = re.compile(r"[A-Za-z0-9_-]{43}")
# What a generator of secrets writes in base64: long, and with capitals, small letters and digits, but no dot.
_DRAWN = re.compile(r"(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])[A-Za-z0-9+/]{32,}={0,2}")
_FEWEST_DIFFERENT = 8
_HEAD = """\
# The keys of a site's authentication, the newest first: it seals, all of them open.
# Whoever has this file can sign in as anybody. It is to be readable by the site's user alone.
"""


@record
class Key:
    """One key: 32 bytes under an id of eight hexadecimal digits; ``created`` is a day, ``''`` where none is known."""

    id: str
    secret: bytes = field(repr=False)
    created: str = ""

    __redact__ = True  # pages of errors show nothing of it


def new_key(clock: Callable[[], float] = time.time) -> Key:
    """A key that nobody can guess."""
    return key_of(secrets.token_bytes(_BYTES), time.strftime("%Y-%m-%d", time.gmtime(clock())))


def key_of(secret: bytes, created: str = "") -> Key:
    """The key that these bytes are, with the id that follows from them."""
    return Key(hmac.digest(secret, b"wheatpaste key id", "sha256").hex()[:8], secret, created)


def keys_of_text(text: str, file: str | None = None) -> tuple[Key, ...]:
    """The keys that a text holds: lines of a key file, or one secret that a deployer has chosen.

    Raises ``ConfigError`` for what is no key and for a secret that can be guessed. No message quotes the text.
    """
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if _counts(line)]
    if file is None and not holds_keys(text):
        return (_key_of_secret(text.strip()),)
    if not lines:
        raise _error("holds no key", "put back a copy; or remove it, and make another: wheatpaste auth FILE init", file)
    keys = []
    for number, words in lines:
        complaint, key = _read(words)
        if key is None:
            raise _error(
                complaint, "take the line from a copy of the file; without it its seals stay shut", file, number
            )
        keys.append(key)
    if len({key.id for key in keys}) < len(keys):
        raise _error("holds a key twice", "keep one of the two lines", file)
    return tuple(keys)


def holds_keys(text: str) -> bool:
    """Whether a text is that of a key file, and no secret that somebody has chosen."""
    lines = [line.split() for line in text.splitlines() if _counts(line)]
    return any(len(words) == 3 and _DAY.fullmatch(words[1]) for words in lines)


def text_of(keys: Iterable[Key]) -> str:
    """The text of a key file."""
    return _HEAD + "".join(f"{key.id} {key.created or '1970-01-01'} {_written(key.secret)}\n" for key in keys)


def read_key_file(path: str | os.PathLike[str]) -> tuple[Key, ...]:
    """The keys in a file that nobody but its owner may read. Raises ``ConfigError``."""
    path = os.fspath(path)
    if not os.path.isdir(os.path.dirname(path) or "."):
        # Unquoted: it may be a secret that begins with a slash.
        fix = "run wheatpaste auth FILE init, or make the folder; a secret that begins with / is taken for a path"
        raise _error("the key file is to be in a folder that is not there", fix)
    try:
        with open(path, "rb") as file:
            complaint = _rights_complaint(os.fstat(file.fileno()), path)
            data = file.read(1024 * 1024)
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        fix = "make it: wheatpaste auth FILE init" if is_missing else "let the site's user read it"
        raise _error(f"the key file cannot be read ({error.strerror})", fix, path) from error
    if complaint is not None:
        raise _error(*complaint, path)
    try:
        return keys_of_text(data.decode("ascii"), path)
    except UnicodeDecodeError as error:
        raise _error("is no key file: it is not plain text", "name the file that `auth init` made", path) from error


def make_key_file(path: str | os.PathLike[str], clock: Callable[[], float] = time.time) -> Key:
    """Make a key file with one new key. Raises ``ConfigError`` where there is one, or none can be made."""
    path, key = os.fspath(path), new_key(clock)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise _error("exists already", "keep it, or add a key: wheatpaste auth FILE keys rotate", path) from error
    except OSError as error:
        raise _error(f"the key file cannot be made ({error.strerror})", "", path) from error
    _write(descriptor, (key,))
    return key


def rotate(path: str | os.PathLike[str], clock: Callable[[], float] = time.time) -> Key:
    """Put a new key before those of a file; of several who do so at once, each one's key is kept.

    Raises ``ConfigError``.
    """
    key = new_key(clock)
    _change(path, lambda keys: (key, *keys))
    return key


def retire(path: str | os.PathLike[str], key_id: str) -> None:
    """Remove an old key from a file: what it has sealed stays shut. Raises ``ConfigError``."""

    def without(keys: Sequence[Key]) -> tuple[Key, ...]:
        if key_id not in [key.id for key in keys]:
            raise _error(f"has no key {key_id}", "see: wheatpaste auth FILE keys list", os.fspath(path))
        if keys[0].id == key_id:
            fix = "add another one first: wheatpaste auth FILE keys rotate"
            raise _error(f"{key_id} is the key that seals", fix, path)
        return tuple(key for key in keys if key.id != key_id)

    _change(path, without)


def _change(path: str | os.PathLike[str], change: Callable[[Sequence[Key]], tuple[Key, ...]]) -> None:
    # The folder carries the lock: the file itself is replaced, and who waited for a lock on the old one would go on
    # from what it held.
    import fcntl

    path = os.path.realpath(path)
    try:
        folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _error(f"the key file's folder cannot be opened ({error.strerror})", "", path) from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        _replace(path, change(read_key_file(path)))
        os.fsync(folder)
    except OSError as error:
        raise _error(f"the key file cannot be replaced ({error.strerror})", "", path) from error
    finally:
        os.close(folder)


def _replace(path: str, keys: tuple[Key, ...]) -> None:
    before = os.stat(path)
    temporary = f"{path}.{secrets.token_hex(6)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        # An administrator may rotate the keys of a site that runs as another user.
        if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(descriptor, before.st_uid, before.st_gid)
    except BaseException:
        os.close(descriptor)
        os.unlink(temporary)
        raise
    try:
        _write(descriptor, keys)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _write(descriptor: int, keys: tuple[Key, ...]) -> None:
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(text_of(keys))
        file.flush()
        os.fsync(descriptor)


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _read(words: list[str]) -> tuple[str, Key | None]:
    if len(words) != 3 or not _ID.fullmatch(words[0]) or not _DAY.fullmatch(words[1]) or not _KEY.fullmatch(words[2]):
        return "is no line of a key file (id, day, key)", None
    key = key_of(urlsafe_b64decode(words[2] + "="), words[1])
    if key.id != words[0]:
        return "the key is not the one that its id was made of", None
    return "", key


def _key_of_secret(secret: str) -> Key:
    complaint = secret_complaint(secret)
    if complaint is not None:
        raise _error(f"secret {complaint}", MAKE_KEY)
    # Extraction (RFC 5869): a text's characters are no evenly spread bits.
    return key_of(hmac.digest(b"wheatpaste secret", secret.encode("utf-8", "surrogatepass"), "sha256"))


def secret_complaint(secret: str) -> str | None:
    """Why a text is too weak a secret, as a phrase that does not tell it, or None."""
    if len(secret) < SHORTEST_SECRET:
        return f"has {len(secret)} characters; {SHORTEST_SECRET} are the least that cannot be guessed"
    complaint = weakness("secret", secret, declared=True)
    if complaint is not None:
        return complaint
    is_repeated = (secret + secret).find(secret, 1) < len(secret)
    steps = sum(abs(ord(one) - ord(next_)) <= 1 for one, next_ in zip(secret, secret[1:], strict=False))
    if is_repeated or len(set(secret)) < _FEWEST_DIFFERENT or steps > len(secret) / 2:
        return "can be guessed: it repeats itself or counts"
    return None


def _rights_complaint(status: os.stat_result, path: str) -> tuple[str, str] | None:
    mode = status.st_mode & 0o777
    # What systemd hands a service is guarded by an access list, whose mask looks like rights of the group.
    handed = os.environ.get("CREDENTIALS_DIRECTORY")
    is_handed = bool(handed) and os.path.dirname(os.path.abspath(path)) == os.path.abspath(handed or "")
    if mode & (0o007 if is_handed else 0o077):
        return f"others than its owner may read or write the key file (mode {mode:04o})", f"run: chmod 600 {path}"
    if status.st_uid not in (os.geteuid(), 0):
        if os.geteuid() == 0:
            return None  # the administrator works on the file of the site's user
        return "the key file belongs to another user, who could replace it", "give it to the user of the site"
    return None


def _written(secret: bytes) -> str:
    return urlsafe_b64encode(secret).decode("ascii").rstrip("=")


def _error(
    what: str, fix: str = "", file: str | os.PathLike[str] | None = None, line: int | None = None
) -> ConfigError:
    where = None if file is None else os.fspath(file)
    return ConfigError(Problem(what=what, fix=fix, file=where, line=line, code="auth-key"))


def path_in(text: str) -> Path | None:
    """The file that a text names, which need not exist; a secret in base64 that begins with a slash is none."""
    path = text.strip()
    if not path.startswith("/") or "\n" in path or len(path) > 1000 or "\0" in path:
        return None
    folder = os.path.dirname(path)
    if os.path.lexists(path) or (folder != "/" and os.path.isdir(folder)):
        return Path(path)
    # Where its folder is not there yet, a path must not become the secret itself, which anybody could guess.
    return None if _DRAWN.fullmatch(path) else Path(path)
