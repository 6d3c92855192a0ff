"""Users of an ``htpasswd`` file, as Apache and nginx read it: ``name:hash`` on each line."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from typing import IO, Literal, NamedTuple

from ...storage.store import StoreError
from ..account import Account
from ..names import composed, folded
from ..passwords.hasher import Hasher, Scheme
from ..passwords.legacy import PLAIN, may_be_plain
from .epochs import epoch_of
from .watched_file import Mistake, WatchedFile

log = logging.getLogger(__name__)

Update = Literal["no", "bcrypt", "argon2"]


class _User(NamedTuple):
    account: Account
    password_hash: str
    """What stands in the file."""


class HtpasswdFile:
    """Source ``htpasswd``: a file of any size, read anew when it changes.

    Names differ by more than the case of their letters; of two that do not, the first counts, as it does of two that
    are the same. ``plain``: a password that is no hash counts as itself; without, its user cannot log in.

    ``update`` says as what a hash of an outdated kind is written back after a login: ``bcrypt``, which Apache reads,
    too, or ``argon2``, which it does not. The file's folder has to be writable for that.
    """

    name = "htpasswd"

    def __init__(self, path: str | os.PathLike[str], *, plain: bool = False, update: Update = "no") -> None:
        self.scheme: Scheme = "bcrypt" if update == "bcrypt" else "argon2"
        self.keeps_hashes = update != "no"
        self._plain = plain
        self._file: WatchedFile[Mapping[str, _User]] = WatchedFile(path, self._users)
        self._writing = threading.Lock()

    @property
    def path(self) -> str:
        """The file."""
        return self._file.path

    def find(self, name: str) -> Account | None:
        """The account that logs in under this name."""
        user = self._file.content().get(folded(name))
        return None if user is None else user.account

    def get(self, account_id: str) -> Account | None:
        """The account with this id: ``htpasswd:NAME``."""
        account = self.find(account_id.removeprefix("htpasswd:"))
        return account if account is not None and account.id == account_id else None

    def all(self) -> list[Account]:
        """All accounts, in the order of the file."""
        return [user.account for user in self._file.content().values()]

    def password_hash(self, account: Account) -> str | None:
        """The hash of the password, if it is one."""
        user = self._file.content().get(folded(account.name))
        if user is None:
            return None
        if Hasher.complaint(user.password_hash) is None:
            return user.password_hash
        return PLAIN + user.password_hash if self._is_plain(user.password_hash) else None

    def verify(self, account: Account, password: str) -> bool | None:
        """None: the hash says it."""
        return None

    def keep_hash(self, account: Account, encoded: str) -> bool:
        """Write a newer hash of the same password into the file, if it is to be updated."""
        if not self.keeps_hashes:
            return False
        user = self._file.content().get(folded(account.name))
        try:
            return user is not None and self._replace(account.name, user.password_hash, encoded)
        except StoreError as error:  # the old hash still counts, so nobody is kept out
            log.warning("%s", error)
            return False

    def mistakes(self) -> list[Mistake]:
        """What is wrong with lines of the file. Raises ``StoreError`` where it cannot be read."""
        return self._file.mistakes()

    def _is_plain(self, encoded: str) -> bool:
        return self._plain and may_be_plain(encoded)

    def _users(self, text: str) -> tuple[Mapping[str, _User], list[Mistake]]:
        users: dict[str, _User] = {}
        mistakes: list[Mistake] = []
        for number, line in enumerate(text.split("\n"), 1):
            line = line.rstrip("\r")
            if not line.strip() or line.startswith("#"):
                continue
            given, colon, encoded = line.partition(":")
            encoded = encoded.partition(":")[0].strip()  # what follows a second colon is a comment to Apache
            name = composed(given)
            if not colon or name is None:
                mistakes.append((number, "is no line of an htpasswd file, which has the form name:hash"))
                continue
            key = folded(name)
            if key in users:
                mistakes.append((number, f"the user {name!r} is there already, and that line counts"))
                continue
            complaint = Hasher.complaint(encoded)
            if complaint is not None and not self._is_plain(encoded):
                mistakes.append((number, f"{name!r} cannot log in: the hash {complaint}"))
            users[key] = _User(Account(f"htpasswd:{name}", name, self.name, epoch=epoch_of(encoded)), encoded)
        return users, mistakes

    def _replace(self, name: str, before: str, after: str) -> bool:
        """Replace a user's hash in the file if it is still the one that was verified; nobody sees half of it."""
        with self._writing, _locked(self.path) as file:
            lines = file.read().split("\n")
            for number, line in enumerate(lines):
                given, _, rest = line.partition(":")
                if composed(given) == name:
                    encoded, colon, comment = rest.partition(":")
                    if encoded.strip() != before:
                        return False
                    end = "\r" if line.endswith("\r") else ""
                    lines[number] = f"{given}:{after}{colon}{comment}".rstrip("\r") + end
                    _write(self.path, "\n".join(lines))
                    return True
        return False


@contextlib.contextmanager
def _locked(path: str) -> Iterator[IO[str]]:
    """The file, open and locked against others of ours who would replace it at the same time."""
    while True:
        try:
            file = open(path, encoding="utf-8", errors="surrogateescape", newline="\n")  # noqa: SIM115
        except OSError as error:
            raise StoreError(f"{path} cannot be read ({error.strerror})") from error
        with file:
            try:
                from fcntl import LOCK_EX, flock
            except ImportError:  # a system without such locks: the lock of this process has to do
                yield file
                return
            flock(file, LOCK_EX)
            # Who waited for the lock may hold a file that was replaced meanwhile.
            if os.path.exists(path) and os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                yield file
                return


def _write(path: str, text: str) -> None:
    """Put another file in the place of this one, with the same rights."""
    found = os.stat(path)
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".htpasswd-", dir=os.path.dirname(path))
    except OSError as error:
        raise StoreError(f"{path} cannot be updated ({error.strerror}): its folder has to be writable") from error
    try:
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            os.fchmod(file.fileno(), found.st_mode & 0o7777)
            with contextlib.suppress(OSError):  # only root may give files to others
                os.fchown(file.fileno(), found.st_uid, found.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise StoreError(f"{path} cannot be updated ({error.strerror})") from error
