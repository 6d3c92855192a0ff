"""``[auth:main:users]``: where the users of a site are kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ....config.mounts import KeyProblem
from ....config.options import OptionError, component, each, option
from ....config.problems import ConfigError
from ....config.values import Imported
from ...storage.store import StoreError
from ..account import Source
from .authkit_file import AuthKitFile, Encrypt
from .htdigest import HtdigestFile
from .htpasswd import HtpasswdFile

if TYPE_CHECKING:
    from ....config.surroundings import Surroundings
    from .ldap_options import LdapOptions

SOURCES = ("local", "htpasswd", "htdigest", "authkit", "authkit_db", "sql", "ldap", "callable")
"""The words of ``source``."""

EDITABLE = ("display", "email")
"""The words of ``editable``."""

_NEEDS = {
    "htpasswd": ("htpasswd",),
    "htdigest": ("htdigest",),
    "authkit": ("authkit",),
    "authkit_db": ("authkit_db",),
    "sql": ("sql", "sql_query"),
    "callable": ("callable",),
}


def _source_complaint(word: str) -> str | None:
    return None if word in SOURCES else f"must be of: {', '.join(SOURCES)}"


def _editable_complaint(word: str) -> str | None:
    return None if word in EDITABLE else f"must be of: {', '.join(EDITABLE)}"


@component
class UserOptions:
    """Where users are kept, in the order in which the sources are asked for a name."""

    source: tuple[str, ...] = option(
        default=("local",),
        doc="Where users are looked for, in this order: local is the site's own database.",
        check=each(_source_complaint),
        sample="local htpasswd",
    )
    htpasswd: Path | None = option(
        default=None, doc="A file as Apache's htpasswd writes it.", sample="%(here)s/.htpasswd"
    )
    htpasswd_plain: bool = option(
        default=False, doc="Take what is no hash in the htpasswd file for the password itself (htpasswd -p)."
    )
    htpasswd_update: Literal["no", "bcrypt", "argon2"] = option(
        default="no",
        doc="As what outdated hashes are written back into the htpasswd file after a login; Apache reads bcrypt, too.",
    )
    htdigest: Path | None = option(
        default=None,
        doc="A file as Apache's htdigest writes it; its lines for the realm of [auth:main] count.",
        sample="%(here)s/.htdigest",
    )
    authkit: Path | None = option(
        default=None, doc="A text file in AuthKit's format: username:password[:group] [role …].", sample="users.txt"
    )
    authkit_db: str | None = option(
        default=None,
        doc="The database that AuthKit's drivers filled, as a URL of SQLAlchemy.",
        secret=True,
        sample="sqlite:///%(here)s/users.db",
    )
    authkit_encrypt: Literal["none", "md5"] = option(
        default="none", doc="What passwords in AuthKit's file or database are: themselves, or authkit.users:md5."
    )
    authkit_secret: str = option(
        default="", doc="The encrypt.secret that AuthKit's hashes were made with.", secret=True
    )
    authkit_update: bool = option(
        default=False,
        doc="Replace passwords in AuthKit's database by better hashes after a login; AuthKit cannot read them.",
    )
    sql: str | None = option(
        default=None,
        doc="A database with users of your own, as a URL of SQLAlchemy.",
        secret=True,
        sample="postgresql://wiki@localhost/wiki",
    )
    sql_query: str = option(
        default="",
        doc="Finds a user by :name; the columns name and password are needed, display, email and disabled are used.",
        sample="SELECT login AS name, pw_hash AS password, mail AS email FROM members WHERE login = :name",
    )
    sql_groups: str = option(default="", doc="Finds the groups of the user :name, in one column.")
    sql_roles: str = option(default="", doc="Finds the roles of the user :name, in one column.")
    callable: Imported | None = option(
        default=None,
        doc="A function (environ, username, password) that says whether a login is right, or a source of your own.",
        sample="wiki.users:check_password",
    )
    callable_lookup: Imported | None = option(
        default=None,
        doc="A function (username) that returns what is known of a user, as a mapping, or None.",
        sample="wiki.users:find",
    )

    editable: tuple[str, ...] = option(
        default=("display",),
        doc="What users of local may change of themselves: display (the full name), email (not verified then).",
        check=each(_editable_complaint),
        sample="display email",
    )

    def __post_init__(self) -> None:
        for word, key in self._missing():
            raise OptionError("UserOptions", key, f"is not set, and source has {word}", part="users")

    def problems(self, stack: Surroundings) -> Iterator[KeyProblem]:
        """What is wrong with the files that are named, as far as they can be read now."""
        for word, key in self._missing():
            yield KeyProblem(key, f"is not set, and source has {word}", f"set {key}, or take {word} out of source")
        yield from self._of_file("htpasswd", "warning")
        yield from self._of_file("htdigest", "warning")
        yield from self._of_file("authkit", "error")

    def _missing(self) -> Iterator[tuple[str, str]]:
        for word in self.source:
            for key in _NEEDS.get(word, ()):
                if not getattr(self, key):
                    yield word, key

    def _of_file(self, key: str, severity: Literal["error", "warning"]) -> Iterator[KeyProblem]:
        path = getattr(self, key)
        if key not in self.source or path is None:
            return
        source: Any = file_source(self, key, realm="")
        try:
            mistakes = source.mistakes()
        except StoreError as error:
            yield KeyProblem(key, str(error), "name a file that the server may read")
            return
        for line, what in mistakes:
            yield KeyProblem(key, f"{path}:{line}: {what}", severity=severity)


def file_source(options: UserOptions, word: str, realm: str) -> Source:
    """The source of one of the words that mean a file."""
    if word == "htpasswd":
        return HtpasswdFile(options.htpasswd or "", plain=options.htpasswd_plain, update=options.htpasswd_update)
    if word == "htdigest":
        return HtdigestFile(options.htdigest or "", realm)
    return AuthKitFile(options.authkit or "", options.authkit_encrypt, options.authkit_secret)


def sources_of(
    options: UserOptions, realm: str, local: Source | None = None, ldap: LdapOptions | None = None
) -> tuple[Source, ...]:
    """The sources of a site in their order. ``local`` and ``ldap`` stand for the words of these names.

    Raises ``OptionError`` for what cannot be used, and ``ConfigError`` where a package is not installed. Files are
    opened when they are first needed.
    """
    made: list[Source] = []
    for word in options.source:
        if word == "local":
            if local is not None:
                made.append(local)
        elif word in ("htpasswd", "htdigest", "authkit"):
            made.append(file_source(options, word, realm))
        elif word == "ldap":
            made.append(_directory(ldap))
        elif word == "callable":
            made.append(_callable(options))
        else:
            made.append(_tables(options, word))
    return tuple(made)


def _tables(options: UserOptions, word: str) -> Source:
    from .foreign_tables import foreign_tables

    try:
        tables = foreign_tables(getattr(options, word) or "")
    except ConfigError as error:
        if error.problems[0].code != "wrong-value":
            raise
        raise OptionError("UserOptions", word, error.problems[0].what, part="users") from None
    if word == "authkit_db":
        from .authkit_tables import AuthKitTables

        encrypt: Encrypt = options.authkit_encrypt
        return AuthKitTables(tables, encrypt, options.authkit_secret, update=options.authkit_update)
    from .query_source import QuerySource

    return QuerySource(tables, options.sql_query, options.sql_groups, options.sql_roles)


def _directory(options: LdapOptions | None) -> Source:
    if options is None:
        raise OptionError("UserOptions", "source", "has ldap, and there is no section for it", part="users")
    from .ldap_source import LdapSource

    return LdapSource(options)


def _callable(options: UserOptions) -> Source:
    from .callable_source import source_from

    try:
        return source_from(options.callable, options.callable_lookup)
    except TypeError as error:
        raise OptionError("UserOptions", "callable", str(error), part="users") from error
