"""The site that the words after ``wheatpaste auth`` are about: its filter, its sections, and its services."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from ..config.options import OptionError
from ..config.problems import ConfigError, Problem, did_you_mean
from .target import find_target

if TYPE_CHECKING:
    from ..config.composition import Composition
    from ..config.node import Node
    from ..config.outline import Stack
    from ..config.reader import Reading
    from ..middleware.auth.account import Account
    from ..middleware.auth.accounts.local_users import LocalUsers
    from ..middleware.auth.authority import Authority
    from ..middleware.auth.setup import Assembly

_PREFIX = "auth"


class _Found(NamedTuple):
    """A filter of the file."""

    name: str
    node: Node
    mounted_at: str


class AuthSite:
    """One site of a file. Nothing is read before it is asked for, and nothing of the site's is opened before use.

    ``name`` is the NAME of its sections ``[auth:NAME]``; without it the file has to have one filter of the kind.
    Raises ``ConfigError`` for a file or sections that cannot be used.
    """

    def __init__(self, file: str | None, variables: Mapping[str, str], name: str | None = None) -> None:
        self.file = file
        self._variables = dict(variables)
        self._name = name

    @cached_property
    def _found(self) -> _Found:
        found = {each.name: each for each in self._filters()}
        if self._name is not None:
            if self._name not in found:
                what = f"{self.file} has no filter with auth = {self._name}"
                raise ConfigError(Problem(what=what, fix=did_you_mean(self._name, found), code="target"))
            return found[self._name]
        if not found:
            raise ConfigError(
                Problem(
                    what=f"{self.file} has nothing that signs people in",
                    fix="put egg:wheatpaste#auth around the app, with a section [auth:main]",
                    code="target",
                )
            )
        if len(found) > 1:
            what = f"{self.file} has several sites"
            raise ConfigError(Problem(what=what, fix=f"name one: --auth {' or --auth '.join(found)}", code="target"))
        return next(iter(found.values()))

    @property
    def node(self) -> Node:
        """The section of the filter."""
        return self._found.node

    @property
    def name(self) -> str:
        """The NAME of ``[auth:NAME]``."""
        return self._found.name

    @property
    def mounted_at(self) -> str:
        """The path at which the file mounts the filter, without a slash at its end."""
        return self._found.mounted_at

    @cached_property
    def reading(self) -> Reading:
        """What its sections say, right or wrong."""
        from ..config.outline import reading_of

        reading = reading_of(self.node, importing=True)
        if reading is None:
            raise LookupError(f"{self.node.name} is no section of ours")
        return reading

    def text(self, part: str, key: str) -> str | None:
        """What a key of a section says, as it was written: ``text("", "secret_file")`` for ``[auth:main]``."""
        found = self.reading.parts.get(part)
        return None if found is None else found.values.plain.get(key)

    def option(self, part: str, kind: type) -> Any:
        """The component of a section, one with all defaults where there is none."""
        found = self.reading.parts.get(part)
        if found is None:
            return kind()
        if found.made is None:
            raise ConfigError(found.reading.errors)
        return found.made

    @property
    def folder(self) -> str:
        """The folder of the file."""
        return os.path.dirname(os.path.abspath(self.node.where.file or self.file or ""))

    @cached_property
    def services(self) -> Assembly:
        """What makes the services of the site."""
        from ..middleware.auth.setup import Assembly

        reading = self.reading
        if reading.errors or reading.belongings is None:
            raise ConfigError(reading.errors)
        return Assembly(reading.belongings.made, name=self.name)

    @cached_property
    def authority(self) -> Authority:
        """The services of the site. Raises ``ConfigError`` for what its sections say that cannot be."""
        try:
            return self.services.authority()
        except OptionError as error:
            found = self.reading.place_of(error.part)
            if found is None:
                raise
            place, read = found
            raise ConfigError(place.refusal(error, read.said)) from error

    @property
    def users(self) -> LocalUsers:
        """The users that the site keeps itself."""
        users: LocalUsers = self.authority.users
        return users

    def account(self, name: str) -> Account:
        """The user of this name, or with this id, of whichever source. Raises ``LookupError``."""
        directory = self.authority.directory
        found: Account | None = directory.find(name) or (directory.get(name) if ":" in name else None)
        if found is None:
            raise LookupError(f"there is no user {name!r}")
        return found

    def own(self, name: str) -> Account:
        """The same, where it is one whom the site keeps itself. Raises ``LookupError``."""
        found = self.account(name)
        if found.source != "local":
            raise LookupError(f"{found.name} stands in {found.source}, which is not changed from here")
        return found

    @cached_property
    def forgets(self) -> str | None:
        """Why nothing that is done here lasts, and what to write, or None: the server has a memory of its own."""
        from ..middleware.auth.accounts.options import StoreOptions

        store: StoreOptions = self.option("store", StoreOptions)
        if store.url != "memory:":
            return None
        return (
            "users are kept in the memory of each process, so that the server sees nothing of what is done here;"
            f" write url = sqlite:///%(here)s/auth.db into [auth:{self.name}:store]"
        )

    def note(self, event: str, account: Account | None = None, **fields: Any) -> None:
        """Write into the site's audit log what was done here, and who has done it.

        Raises ``ValueError`` where nobody will ever see it done.
        """
        if self.forgets is not None:
            raise ValueError(self.forgets)
        self.authority.audit.note(event, None, account, by=f"command line: {_who()}", **fields)

    def close(self) -> None:
        """Let go of what was opened."""
        if "authority" in self.__dict__:
            self.authority.close()

    def read_again(self) -> None:
        """Look at the file anew, after something that it names was made."""
        self.close()
        for each in ("reading", "services", "authority"):
            self.__dict__.pop(each, None)

    def _filters(self) -> Iterator[_Found]:
        from ..config.outline import outline

        yield from _found_in(outline(self._compose()), "")

    def _compose(self) -> Composition:
        if self.file is None:
            raise ConfigError(Problem(what="this needs a site", fix="name its INI file first", code="target"))
        target = find_target(self.file)
        if target.is_python:
            raise ConfigError(Problem(what=f"{self.file} is no INI file", fix="name one", code="target"))
        composition = target.compose(variables=self._variables or None, collect=True)
        if composition.root.shape == "missing":
            raise ConfigError(composition.problems)
        return composition


def _found_in(stack: Stack, mounted_at: str) -> Iterator[_Found]:
    from ..config.outline import reader_of, reading_of

    for node in (*stack.filters, stack.app):  # one that only answers other servers is an app
        reader = reader_of(node)
        if reader is None or reader.parts is None or reader.parts.prefix != _PREFIX:
            continue
        reading = reading_of(node)
        usual = next(each.default for each in reader.options if each.name == reader.parts.option)
        name = str(usual if reading is None else reading.values.get(reader.parts.option, usual))
        yield _Found(name, node, mounted_at)
    for mounted in stack.mounts:
        yield from _found_in(mounted.stack, mounted_at + (mounted.mount.path or "").rstrip("/"))


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return str(os.getuid())
