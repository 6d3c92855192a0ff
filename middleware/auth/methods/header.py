"""Method ``header``: a proxy in front has signed the user in and says who it is.

A header is believed of the peers at the socket's other end that ``trusted_proxies`` names, and of nobody else: from
others the headers are taken out of the environ before anything reads them (``strip``). WSGI writes ``Remote_User`` and
``Remote-User`` alike, and some servers let the first, which a client can send past most proxies, win: there no header
is believed unless the deployer says that the proxy drops such names. Reads the headers of the preset,
``SERVER_SOFTWARE`` and ``wheatpaste.server``.
"""

from __future__ import annotations

import hmac
import time
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from ....config.options import OptionError
from ....protocol.peers import Networks
from ....protocol.wsgi import Environ
from ..account import Account
from ..accounts.naming import email_complaint
from ..identity import Identity
from ..method import Failed, Method
from .guests import Guests, Known
from .header_names import HeaderNames, environ_key
from .header_options import HeaderOptions
from .identity_headers import FORGEABLE

if TYPE_CHECKING:
    from ..accounts.options import GroupOptions
    from ..visit import Visit

_LONGEST = 255
_MOST_GROUPS = 500


def header_method(
    options: HeaderOptions,
    trusted_proxies: Collection[str],
    directory: Known,
    groups: GroupOptions | None = None,
    complete: Callable[[Account], Account] | None = None,
    clock: Callable[[], float] = time.time,
) -> Method:
    """The method of these options, for a proxy that signs or for one that is trusted."""
    if not options.is_signed:
        return HeaderMethod(options, trusted_proxies, directory, groups, complete)
    from .assertion import SignedHeader

    return SignedHeader(options, directory, complete, clock)


class HeaderMethod:
    """Believes the identity headers of trusted proxies.

    ``groups`` says which of our groups those of the proxy (``header/THEIRS``) are; where it names none at all, the
    proxy's groups count as they are. ``complete`` adds to a user who is none of ours what is known of it here.
    Raises ``OptionError`` where ``trusted_proxies`` names nobody, or everybody.
    """

    name = "header"

    def __init__(
        self,
        options: HeaderOptions,
        trusted_proxies: Collection[str],
        directory: Known,
        groups: GroupOptions | None = None,
        complete: Callable[[Account], Account] | None = None,
    ) -> None:
        if not trusted_proxies:
            raise OptionError("Site", "trusted_proxies", "must name the proxy whose header is believed", part="")
        if "*" in trusted_proxies:
            raise OptionError("Site", "trusted_proxies", "must not be *: then every client could name a user", part="")
        self._options = options
        self._networks = Networks(trusted_proxies)
        self._guests = Guests(self.name, options.accounts, directory, complete, options.amr)
        self._mapping = groups
        self._headers = headers = options.headers
        self._own = frozenset(environ_key(name) for name in headers[:4] if name)
        self._secret = None if options.secret is None else options.secret.encode()
        self._names = HeaderNames(options.underscores_dropped)

    def strip(self, visit: Visit) -> None:
        """Take identity headers out of the environ, all but those of this proxy that are believed."""
        environ = visit.environ
        found = (FORGEABLE | self._own).intersection(environ)
        if found and self._is_believed(environ):
            found -= self._own
        for key in found:
            del environ[key]

    def identify(self, visit: Visit) -> Identity | Failed | None:
        """Who the proxy says it is. From other peers nothing is read."""
        environ = visit.environ
        name = self._read(environ, self._headers.user)
        if name == "" or not self._is_believed(environ):
            return None
        if not self._names.are_safe(environ):
            return Failed("the server keeps header names with an underscore")
        # Two headers of one name arrive with a comma between them: one of them is not the proxy's.
        if name is None or "," in name:
            return Failed("no user's name")
        display = self._read(environ, self._headers.display) or ""
        email = self._read(environ, self._headers.email) or ""
        if email_complaint(email) is not None:
            email = ""
        groups = frozenset(self._groups(environ))
        if self._mapping is not None and self._mapping.groups:
            groups = self._mapping.ours(self.name, groups)
        found = self._guests.identity(Account(f"header:{name}", name, self.name, display, email, groups=groups))
        if isinstance(found, Identity) and found.account is not None:
            # One of ours, of whom the proxy knows more.
            return found._replace(
                display=display or found.display, email=email or found.email, groups=found.groups | groups
            )
        return found

    def challenges(self, visit: Visit) -> Sequence[str]:
        """None: the proxy asks."""
        return ()

    def _is_believed(self, environ: Environ) -> bool:
        if not self._networks.holds_peer(environ):
            return False
        if self._secret is None:
            return True
        shown = environ.get(environ_key(self._options.secret_header or ""), "")
        return hmac.compare_digest(shown.encode("latin-1", "replace"), self._secret)

    def _groups(self, environ: Environ) -> Iterator[str]:
        listed = self._read(environ, self._headers.groups) or ""
        for group in listed.split(self._headers.separator)[:_MOST_GROUPS]:
            if group.strip():
                yield group.strip()

    def _read(self, environ: Environ, header: str) -> str | None:
        """The text of a header, ``''`` for none; None for one that is no name."""
        raw = environ.get(environ_key(header), "") if header else ""
        text = decoded(raw)
        if self._options.preset == "tailscale" and text is not None and text.startswith("=?"):
            text = _encoded_words(text)
        if text is None:
            return None
        text = unicodedata.normalize("NFC", text.strip())
        if not text.isprintable():
            return None
        return text if header == self._headers.groups or len(text) <= _LONGEST else None


def decoded(raw: str) -> str | None:
    """The text of a header's value: its bytes as UTF-8, or as Latin-1 where they are none; None for no bytes."""
    try:
        data = raw.encode("latin-1")
    except UnicodeEncodeError:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return raw


def _encoded_words(text: str) -> str | None:
    """Text in encoded-words (RFC 2047)."""
    from email.errors import HeaderParseError
    from email.header import decode_header, make_header

    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, ValueError):
        return None
