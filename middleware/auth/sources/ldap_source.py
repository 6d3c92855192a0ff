"""Users of an LDAP directory: looked for by a search, and verified by a bind with their own password.

Connections are secured (StartTLS, or ``ldaps://``) and have a time limit; referrals to other servers are not followed,
since credentials would follow. Raises ``StoreError`` when no server can be asked.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, NamedTuple

from ....config.problems import ConfigError, Problem
from ...storage.store import StoreError
from ..account import Account
from ..names import composed, folded
from .epochs import epoch_of
from .ldap_options import LdapOptions

log = logging.getLogger(__name__)

_MOST_KNOWN = 4096
# Servers that keep the time of a password's last change say by it that sessions are over.
_CHANGED = ("pwdChangedTime", "pwdLastSet")
_Entry = tuple[str, dict[str, list[bytes]]]


class _Known(NamedTuple):
    account: Account
    dn: str
    until: float


class LdapSource:
    """Source ``ldap``."""

    name = "ldap"
    keeps_hashes = False

    def __init__(self, options: LdapOptions, clock: Callable[[], float] = time.monotonic) -> None:
        if find_spec("ldap") is None:
            raise ConfigError(
                Problem(
                    what="directories are asked by python-ldap, which is not installed",
                    fix="run: pip install 'wheatpaste[ldap]'",
                    code="missing-extra",
                )
            )
        self._options = options
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, name: str) -> Account | None:
        """The account that logs in under this name. The directory is asked each time."""
        known = self._search_user(name)
        return None if known is None else known.account

    def get(self, account_id: str) -> Account | None:
        """The account with this id: what was known of it is good for the time of ``refresh``."""
        known = self._known.get(account_id)
        if known is not None and known.until > self._clock():
            return known.account
        known = self._search_id(account_id)
        return None if known is None else known.account

    def password_hash(self, account: Account) -> str | None:
        """None: the directory verifies."""
        return None

    def verify(self, account: Account, password: str) -> bool | None:
        """Whether the directory takes the password."""
        # A bind with a name and no password succeeds, as that of nobody (RFC 4513 section 5.1.2).
        if not password or "\0" in password:
            return False
        known = self._known.get(account.id) or self._search_id(account.id)
        if known is None:
            return False
        import ldap

        with self._connection() as connection:
            try:
                connection.simple_bind_s(known.dn, password)
            except (
                ldap.INVALID_CREDENTIALS,
                ldap.NO_SUCH_OBJECT,
                ldap.INAPPROPRIATE_AUTH,
                ldap.UNWILLING_TO_PERFORM,
                ldap.CONSTRAINT_VIOLATION,
                ldap.INVALID_DN_SYNTAX,
            ):
                return False
            return True

    def keep_hash(self, account: Account, encoded: str) -> bool:
        """False: there are no hashes."""
        return False

    def _search_user(self, name: str) -> _Known | None:
        from ldap.filter import escape_filter_chars

        return self._search(self._options.filter.replace("{name}", escape_filter_chars(name)), name=name)

    def _search_id(self, account_id: str) -> _Known | None:
        found = self._search(
            f"(&{self._options.filter.replace('{name}', '*')}({self._options.id_attribute}={_id_filter(account_id)}))"
        )
        return found if found is not None and found.account.id == account_id else None

    def _search(self, text: str, name: str | None = None) -> _Known | None:
        """The one user that is found; ``name`` has to be the user's name or mail address, in whatever letters."""
        options = self._options
        wanted = [options.id_attribute, options.name_attribute, options.display_attribute, options.email_attribute]
        with self._connection() as connection:
            self._bind_searcher(connection)
            entries = self._entries(connection, options.base, text, [*filter(None, wanted), *_CHANGED], most=2)
            if len(entries) != 1:
                if entries:
                    log.warning("%s finds more than one user, so nobody: %s", options.base, text)
                return None
            dn, found = entries[0]
            spelling = composed(_text(found, options.name_attribute))
            unique = _first(found, options.id_attribute)
            if spelling is None or not unique:
                lacking = options.name_attribute if spelling is None else options.id_attribute
                log.warning("%s has no %s, so nobody can log in with it", dn, lacking)
                return None
            email = _text(found, options.email_attribute)
            # Directories overlook blanks and more: each such spelling would be another name to whoever counts guesses.
            if name is not None and folded(name) not in (folded(spelling), folded(email)):
                return None
            groups = self._groups(connection, dn, spelling) if options.group_base else []
        account = Account(
            f"ldap:{_id_text(unique)}",
            spelling,
            self.name,
            display=_text(found, options.display_attribute),
            email=email,
            epoch=next((epoch_of(text) for each in _CHANGED if (text := _text(found, each))), 0),
            groups=frozenset(groups),
        )
        return self._remember(_Known(account, dn, self._clock() + options.refresh))

    def _remember(self, known: _Known) -> _Known:
        with self._lock:
            self._known[known.account.id] = known
            self._known.move_to_end(known.account.id)
            while len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        return known

    def _groups(self, connection: Any, dn: str, name: str) -> list[str]:
        from ldap.filter import escape_filter_chars

        options = self._options
        text = options.group_filter.replace("{dn}", escape_filter_chars(dn))
        text = text.replace("{name}", escape_filter_chars(name))
        entries = self._entries(connection, options.group_base, text, [options.group_name])
        return [group for _, found in entries if (group := _text(found, options.group_name))]

    def _entries(self, connection: Any, base: str, text: str, attributes: list[str], most: int = 0) -> list[_Entry]:
        import ldap

        try:
            found = connection.search_ext_s(
                base, ldap.SCOPE_SUBTREE, text, attributes, timeout=self._options.timeout, sizelimit=most
            )
        except ldap.SIZELIMIT_EXCEEDED:
            return [("", {}), ("", {})]
        except ldap.NO_SUCH_OBJECT as error:
            raise StoreError(f"the directory has no {base}") from error
        return [(dn, entry) for dn, entry in found if dn is not None]  # others are referrals

    def _bind_searcher(self, connection: Any) -> None:
        import ldap

        if self._options.bind_dn:
            try:
                connection.simple_bind_s(self._options.bind_dn, self._options.bind_password)
            except ldap.INVALID_CREDENTIALS as error:
                raise StoreError(f"the directory does not take the password of {self._options.bind_dn}") from error

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Any]:
        """A connection of its own, to the first server that answers."""
        import ldap

        connection: Any = None
        try:
            connection = self._open()
            yield connection
        except ldap.LDAPError as error:
            raise StoreError(f"the directory {self._options.url[0]} cannot be asked ({_told(error)})") from error
        finally:
            if connection is not None:
                with contextlib.suppress(ldap.LDAPError):
                    connection.unbind_s()

    def _open(self) -> Any:
        import ldap

        last: Exception | None = None
        for url in self._options.url:
            connection = ldap.initialize(url)
            connection.set_option(ldap.OPT_REFERRALS, 0)
            connection.set_option(ldap.OPT_PROTOCOL_VERSION, 3)
            connection.set_option(ldap.OPT_NETWORK_TIMEOUT, self._options.timeout)
            connection.set_option(ldap.OPT_TIMEOUT, self._options.timeout)
            connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
            if self._options.ca_file is not None:
                connection.set_option(ldap.OPT_X_TLS_CACERTFILE, str(self._options.ca_file))
            connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
            is_to_be_secured = url.startswith("ldap://") and self._options.tls == "starttls"
            try:
                if is_to_be_secured:
                    connection.start_tls_s()
                else:
                    connection.simple_bind_s()  # the first thing that is sent, so it tells whether somebody is there
            except (ldap.SERVER_DOWN, ldap.TIMEOUT, ldap.CONNECT_ERROR) as error:
                last = error
                with contextlib.suppress(ldap.LDAPError):
                    connection.unbind_s()
                continue
            except ldap.LDAPError:
                if is_to_be_secured:
                    raise
                # Somebody is there who takes nobody without a name; those with one come next.
            return connection
        raise last or ldap.SERVER_DOWN()


def _first(entry: dict[str, list[bytes]], attribute: str) -> bytes:
    """The first value of an attribute, whatever letters its name comes in."""
    for key, values in entry.items():
        if key.lower() == attribute.lower() and values:
            return values[0]
    return b""


def _text(entry: dict[str, list[bytes]], attribute: str) -> str:
    return _first(entry, attribute).decode("utf-8", "replace")


def _id_text(unique: bytes) -> str:
    """An id as text; what is no plain text, such as an objectGUID, in hexadecimal behind a star."""
    if unique.isascii() and (text := unique.decode("ascii")).isprintable() and not text.startswith("*"):
        return text
    return "*" + unique.hex()


def _id_filter(account_id: str) -> str:
    from ldap.filter import escape_filter_chars

    text = account_id.removeprefix("ldap:")
    if not text.startswith("*"):
        return str(escape_filter_chars(text))
    return "".join(f"\\{text[at : at + 2]}" for at in range(1, len(text) - 1, 2))


def _told(error: Exception) -> str:
    """What the library says of an error, in a phrase without the request."""
    told = error.args[0] if error.args else None
    if isinstance(told, dict):
        return ": ".join(str(told[key]) for key in ("desc", "info") if told.get(key))
    return type(error).__name__
