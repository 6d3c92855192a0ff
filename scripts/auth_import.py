"""``wheatpaste auth FILE import …``: users of other programs become users of the site."""

from __future__ import annotations

import argparse
import contextlib
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .auth_asking import ask_password
from .auth_newcomers import Newcomer, of_csv, of_source, take_in
from .auth_rows import say
from .terminal import Terminal, one_line

if TYPE_CHECKING:
    from .auth import Words
    from .auth_site import AuthSite


def arguments(parser: Words) -> None:
    """Declare the words."""
    command = parser.commands()
    made = {
        "htpasswd": command(
            "htpasswd", "From a file of Apache's htpasswd; hashes are replaced at the next login.", _htpasswd
        ),
        "htdigest": command(
            "htdigest", "From a file of Apache's htdigest; its users sign in by Digest alone.", _htdigest
        ),
        "authkit-file": command("authkit-file", "From a text file of AuthKit.", _authkit_file),
        "authkit-db": command("authkit-db", "From a database that AuthKit's drivers filled.", _authkit_db),
        "csv": command(
            "csv",
            "From a table: name, and any of display, email, email_verified, disabled, groups, roles (with blanks"
            " between), password_hash, password (to be changed at the first login).",
            _csv,
        ),
    }
    for name, each in made.items():
        if name == "authkit-db":
            text = "as SQLAlchemy takes it; without, from authkit_db of the file, or asked for"
            each.add_argument("source", metavar="URL", nargs="?", help=text)
        else:
            each.add_argument("source", metavar="PATH", help="the file")
        each.add_argument("--dry-run", action="store_true", help="only say what would be done")
        each.add_argument("--update", action="store_true", help="give users who are there already what the source has")
    made["htpasswd"].add_argument("--plain", action="store_true", help="what is no hash is the password itself")
    made["htdigest"].add_argument("--realm", help="lines of this realm (default: realm of [auth:NAME])")
    for name in ("authkit-file", "authkit-db"):
        made[name].add_argument("--md5", action="store_true", help="passwords are hashes of authkit.users:md5")
        made[name].add_argument("--secret-file", metavar="PATH", help="the file with their encrypt.secret")


def _htpasswd(site: AuthSite, options: argparse.Namespace) -> int:
    from ..middleware.auth.sources.htpasswd import HtpasswdFile

    source = HtpasswdFile(options.source, plain=options.plain)
    with _unlogged():
        return _import(site, options, of_source(source, source.all()), source.mistakes())


def _htdigest(site: AuthSite, options: argparse.Namespace) -> int:
    from ..middleware.auth.sources.htdigest import HtdigestFile

    settings = site.authority.site
    realm = settings.realm if options.realm is None else options.realm
    if realm != settings.realm or "digest" not in settings.methods:
        raise ValueError(f"hashes of {realm!r} are of no use: the site needs digest in methods, and realm = {realm}")
    source = HtdigestFile(options.source, realm)
    with _unlogged():
        return _import(site, options, of_source(source, source.all(), realm=realm), source.mistakes())


def _authkit_file(site: AuthSite, options: argparse.Namespace) -> int:
    from ..middleware.auth.sources.authkit_file import AuthKitFile

    source = AuthKitFile(options.source, "md5" if options.md5 else "none", _secret(options))
    with _unlogged():
        return _import(site, options, of_source(source, source.all()), source.mistakes())


def _authkit_db(site: AuthSite, options: argparse.Namespace) -> int:
    from ..middleware.auth.sources.authkit_tables import AuthKitTables
    from ..middleware.auth.sources.foreign_tables import foreign_tables
    from ..middleware.auth.sources.options import UserOptions

    url = (
        options.source
        or site.option("users", UserOptions).authkit_db
        or ask_password("URL of the database", twice=False)
    )
    tables = foreign_tables(url)
    source = AuthKitTables(tables, "md5" if options.md5 else "none", _secret(options))
    try:
        names = [str(row["username"]) for row in tables.query("SELECT username FROM users ORDER BY username")]
        accounts = [account for account in map(source.find, names) if account is not None]
        return _import(site, options, of_source(source, accounts))
    finally:
        source.close()


def _csv(site: AuthSite, options: argparse.Namespace) -> int:
    return _import(site, options, of_csv(options.source))


def _secret(options: argparse.Namespace) -> str:
    if options.secret_file is None:
        if options.md5:
            raise ValueError("hashes of authkit.users:md5 need their secret: --secret-file PATH")
        return ""
    try:
        return Path(options.secret_file).read_text("utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"{options.secret_file} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{options.secret_file} cannot be read ({error})") from None


def _import(
    site: AuthSite,
    options: argparse.Namespace,
    newcomers: Iterable[Newcomer],
    mistakes: Iterable[tuple[int, str]] = (),
) -> int:
    outcomes = [take_in(site, each, update=options.update, dry_run=options.dry_run) for each in newcomers]
    wrong = [f"{options.source}:{line}: {what}" for line, what in mistakes]
    counts = {word: sum(each.word == word for each in outcomes) for word in ("made", "changed", "kept", "refused")}
    terminal = Terminal()
    if not options.json:
        for sentence in (*wrong, *(f"{each.name}: {each.note}" for each in outcomes if each.note)):
            terminal.line(one_line(sentence))
    done = ", ".join(f"{number} {word}" for word, number in counts.items() if number) or "there was nobody"
    say(
        f"{done} (nothing was done: --dry-run)" if options.dry_run else done,
        options,
        **counts,
        users=[{"name": each.name, "outcome": each.word, "note": each.note} for each in outcomes],
        mistakes=wrong,
    )
    return 1 if counts["refused"] or wrong else 0


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """Let a source not log what is wrong with its lines, where all of it is printed."""
    logger = logging.getLogger("wheatpaste.middleware.auth.sources.watched_file")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
