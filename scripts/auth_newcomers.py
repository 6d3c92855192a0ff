"""Users who come from elsewhere: what is known of them, and how they become users of the site."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from ..config.values import parse_bool

if TYPE_CHECKING:
    from ..middleware.auth.account import Account
    from .auth_site import AuthSite

COLUMNS = (
    "name",
    "display",
    "email",
    "email_verified",
    "disabled",
    "groups",
    "roles",
    "password_hash",
    "password",
)
"""The columns of a table of users."""


class Newcomer(NamedTuple):
    """What is known of a user elsewhere.

    ``encoded`` is a hash of the password, ``password`` itself is known where the source keeps it so; ``must_change``
    where others know it, too. ``digests`` are hashes for Digest by algorithm. ``mistake`` says why it can be nobody.
    """

    name: str
    display: str = ""
    email: str = ""
    email_verified: bool = False
    disabled: bool = False
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    encoded: str | None = None
    password: str | None = None
    must_change: bool = False
    digests: tuple[tuple[str, str], ...] = ()
    mistake: str = ""


class Outcome(NamedTuple):
    """What became of one: ``made``, ``changed``, ``kept`` as it was, or ``refused``; ``note`` says more."""

    name: str
    word: str
    note: str = ""


def of_source(source: Any, accounts: Iterable[Account], *, realm: str | None = None) -> Iterator[Newcomer]:
    """The users of a source; with ``realm`` one that has hashes for Digest."""
    from ..middleware.auth.passwords.legacy import PLAIN

    for account in accounts:
        digests: tuple[tuple[str, str], ...] = ()
        if realm is not None:
            found = [(word, source.ha1(account, realm, word)) for word in ("SHA-256", "MD5")]
            digests = tuple((word, digest) for word, digest in found if digest is not None)
        encoded = source.password_hash(account)
        password = encoded.removeprefix(PLAIN) if encoded is not None and encoded.startswith(PLAIN) else None
        yield Newcomer(
            name=account.name,
            display=account.display,
            email=account.email,
            disabled=account.disabled,
            groups=tuple(sorted(account.groups)),
            roles=tuple(sorted(account.roles)),
            encoded=None if password is not None else encoded,
            password=password,
            digests=digests,
        )


def of_csv(path: str) -> Iterator[Newcomer]:
    """The users of a table, which begins with the names of its columns. Raises ``ValueError``."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            unknown = [name for name in reader.fieldnames or () if name not in COLUMNS]
            if unknown or "name" not in (reader.fieldnames or ()):
                what = f"{unknown[0]!r} is none" if unknown else "there is no column name"
                raise ValueError(f"{path}: {what}; the first line names columns, of: {', '.join(COLUMNS)}")
            for row in reader:
                yield _of_row(row, f"line {reader.line_num}")
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read ({error})") from None


def take_in(site: AuthSite, newcomer: Newcomer, *, update: bool, dry_run: bool) -> Outcome:
    """Make a user of the site, or with ``update`` give one who is there already what is known elsewhere."""
    from ..middleware.auth.accounts.naming import email_complaint, line_complaint, name_complaint, word_complaint
    from ..middleware.auth.passwords.hasher import Hasher
    from ..middleware.storage.store import Conflict

    name = newcomer.name
    complaints = [("the name", name_complaint(name)), ("the address", email_complaint(newcomer.email))]
    complaints += [("the full name", line_complaint(newcomer.display))]
    complaints += [(f"{word!r}", word_complaint(word)) for word in (*newcomer.groups, *newcomer.roles)]
    wrong = next((f"{what} {complaint}" for what, complaint in complaints if complaint is not None), newcomer.mistake)
    if wrong:
        return Outcome(name, "refused", wrong)
    found = site.users.find(name)
    if found is not None and not update:
        return Outcome(name, "kept", "is there already")
    note = ""
    if newcomer.encoded is not None and (complaint := Hasher.complaint(newcomer.encoded)) is not None:
        newcomer = newcomer._replace(encoded=None)
        note = f"comes without a password, for the hash {complaint}"
    elif newcomer.encoded is None and newcomer.password is None:
        note = "comes without a password" + (", and signs in by Digest alone" if newcomer.digests else "")
    if not dry_run:
        try:
            _take_in(site, newcomer, found)
        except Conflict:
            return Outcome(name, "refused", "looks like a name that is taken")
    return Outcome(name, "made" if found is None else "changed", note)


def _take_in(site: AuthSite, newcomer: Newcomer, found: Account | None) -> None:
    users = site.users
    if found is None:
        account = users.create(
            newcomer.name,
            display=newcomer.display,
            email=newcomer.email,
            email_verified=newcomer.email_verified,
            disabled=newcomer.disabled,
        )
    else:
        account = found
        if newcomer.display:
            users.set_display(account.id, newcomer.display)
        if newcomer.email:
            users.set_email(account.id, newcomer.email, newcomer.email_verified)
        if newcomer.disabled:
            users.disable(account.id)
    encoded = newcomer.encoded
    if newcomer.password is not None:
        encoded = site.authority.passwords.hasher.hash(newcomer.password)
    if encoded is not None:
        users.set_password(account.id, encoded, must_change=newcomer.must_change)
    known = {each.name.casefold() for each in users.groups()}
    for group in newcomer.groups:
        if group.casefold() not in known:
            users.create_group(group)
        users.add_member(group, account.id)
    for role in newcomer.roles:
        users.grant(account.id, role)
    if newcomer.digests:
        site.services.digest_secrets.keep(users.get(account.id) or account, dict(newcomer.digests))
    site.note("user.create" if found is None else "user.change", account, done="imported")


def _of_row(row: dict[str | Any, str | Any], where: str) -> Newcomer:
    if None in row or None in row.values():
        return Newcomer(str(row.get("name") or where), mistake=f"{where} has another number of columns than the first")
    text = {key: value.strip() for key, value in row.items()}
    words = {key: tuple(text.get(key, "").split()) for key in ("groups", "roles")}
    try:
        flags = {key: parse_bool(text[key]) for key in ("email_verified", "disabled") if text.get(key)}
    except ValueError as error:
        return Newcomer(text["name"], mistake=f"{where}: email_verified and disabled {error}")
    password = row.get("password") or None
    return Newcomer(
        name=text["name"],
        display=text.get("display", ""),
        email=text.get("email", ""),
        email_verified=flags.get("email_verified", False),
        disabled=flags.get("disabled", False),
        groups=words["groups"],
        roles=words["roles"],
        encoded=text.get("password_hash") or None,
        password=password,
        must_change=password is not None,
    )
