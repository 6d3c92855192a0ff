"""Users of AuthKit's text format: ``username:password[:group] [role1 role2 …]`` on each line.

It is read as AuthKit read it, names of users, groups and roles in lower case; what AuthKit let pass in silence or died
of is a mistake here. There are no comments: a line that begins with ``#`` is most likely not meant for a user.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from ..account import NOBODY, Account
from ..names import composed
from ..passwords.legacy import AUTHKIT, PLAIN
from .epochs import epoch_of
from .watched_file import FixedText, Mistake, WatchedFile

Encrypt = Literal["none", "md5"]


class _User(NamedTuple):
    account: Account
    password: str


class AuthKitFile:
    """Source ``authkit``: a file that is read anew when it changes, and never written.

    ``encrypt`` is what the passwords are: ``none``, themselves, or ``md5``, hashes of ``authkit.users:md5`` with one
    ``secret`` for all.
    """

    name = "authkit"
    keeps_hashes = False

    def __init__(self, path: str | os.PathLike[str], encrypt: Encrypt = "none", secret: str = "") -> None:
        self._encrypt = encrypt
        self._secret = secret
        self._file: WatchedFile[Mapping[str, _User]] | FixedText[Mapping[str, _User]] = WatchedFile(path, self._users)

    @classmethod
    def of_text(cls, text: str, encrypt: Encrypt = "none", secret: str = "", *, name: str = "the text") -> AuthKitFile:
        """The users of a text that stands in a configuration; ``name`` is what warnings call it."""
        made = cls(os.devnull, encrypt, secret)
        made._file = FixedText(name, text, made._users)
        return made

    @property
    def path(self) -> str:
        """The file."""
        return self._file.path

    def find(self, name: str) -> Account | None:
        """The account that logs in under this name."""
        user = self._file.content().get(name.lower())
        return None if user is None else user.account

    def get(self, account_id: str) -> Account | None:
        """The account with this id: ``authkit:name``."""
        account = self.find(account_id.removeprefix("authkit:"))
        return account if account is not None and account.id == account_id else None

    def all(self) -> list[Account]:
        """All accounts, in the order of the file."""
        return [user.account for user in self._file.content().values()]

    def password_hash(self, account: Account) -> str | None:
        """What the password is verified against."""
        user = self._file.content().get(account.name)
        return None if user is None else authkit_hash(user.password, self._encrypt, self._secret)

    def verify(self, account: Account, password: str) -> bool | None:
        """None: the hash says it."""
        return None

    def keep_hash(self, account: Account, encoded: str) -> bool:
        """False: the format has no room for another hash."""
        return False

    def mistakes(self) -> list[Mistake]:
        """What is wrong with lines of the file. Raises ``StoreError`` where it cannot be read."""
        return self._file.mistakes()

    def _users(self, text: str) -> tuple[Mapping[str, _User], list[Mistake]]:
        users: dict[str, _User] = {}
        mistakes: list[Mistake] = []
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip():
                continue
            user = self._user(line)
            if isinstance(user, str):
                mistakes.append((number, user))
            elif user.account.name in users:
                # AuthKit refused the file. Which of them is meant nobody can know, so neither is let in.
                mistakes.append((number, f"the user {user.account.name!r} is there twice: neither line counts"))
                users[user.account.name] = user._replace(password="")
            else:
                users[user.account.name] = user
        return {name: user for name, user in users.items() if user.password}, mistakes

    def _user(self, line: str) -> _User | str:
        login, *roles = line.split()
        if login.startswith("#"):
            return "there are no comments in this format"
        fields = login.split(":")
        if not 2 <= len(fields) <= 3:
            return "must have the form username:password[:group] [role …]; a password holds no colon and no space"
        name, password, group = composed(fields[0].lower()), fields[1], fields[2] if len(fields) == 3 else None
        if name is None or not password or group == "":
            return f"has an empty {'username' if not name else 'password' if not password else 'group'}"
        if any("," in role for role in roles):
            return "has a comma in a role: roles are separated by spaces"
        if self._encrypt == "md5" and not re.fullmatch(r"[0-9A-Fa-f]{32}", password):
            return f"the password of {name!r} is no hash of authkit.users:md5"
        account = Account(
            f"authkit:{name}",
            name,
            self.name,
            epoch=epoch_of(password),
            groups=NOBODY if group is None else frozenset({group.lower()}),
            roles=frozenset(role.lower() for role in roles),
        )
        return _User(account, password)


def authkit_hash(password: str, encrypt: Encrypt, secret: str) -> str:
    """What AuthKit kept for a password, as the hasher takes it."""
    return f"{AUTHKIT}{password}:{secret}" if encrypt == "md5" else PLAIN + password
