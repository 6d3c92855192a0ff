"""Method ``tkt``: tickets of other programs (``tkt.py``), exchanged for sessions, or shared with those programs.

A ticket can be ended by nobody and is good for whoever has it. So it is exchanged once for a session of ours where
``exchange`` is on, and MD5 is believed until the day that ``legacy_tickets`` names. Reads and writes the cookie of the
tickets. ``enter`` writes ``paste.auth_tkt.set_user``, ``paste.auth_tkt.logout_user`` and ``paste.auth_tkt.timestamp``,
and adds the tokens of a ticket to ``REMOTE_USER_TOKENS``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from ....config.options import OptionError, above, component, option, readable
from ....config.values import Seconds
from ....protocol.csrf import cookies_named
from ....protocol.peers import read_address
from ...storage.space import Space
from ..account import Account
from ..identity import BY_APP, Identity
from ..key_file import secret_complaint
from ..method import Failed
from ..names import is_only_like
from ..sessions.options import cookie_name_complaint
from ..tkt import Ticket, read_ticket, write_ticket

if TYPE_CHECKING:
    from ..visit import Visit

_MOST_COOKIES = 5
_OVERLAP = 60.0
"""Seconds for which requests that were under way may still bring a ticket that was exchanged."""

_AHEAD = 300
"""Seconds by which the clock of whoever makes tickets may be fast."""

_DOMAIN = re.compile(r"\.?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")


def last_day(text: str) -> date:
    """The day in ``accept-until 2027-06-30``. Raises ``ValueError`` with a phrase."""
    word, _, day = text.strip().partition(" ")
    try:
        if word == "accept-until":
            return date.fromisoformat(day.strip())
    except ValueError:
        pass
    raise ValueError("must be accept-until and a day, as accept-until 2027-06-30")


def offer(visit: Visit) -> None:
    """Put into the environ what apps of Paste and AuthKit call and read, whatever has signed the user in."""
    environ, identity = visit.environ, visit.identity
    environ["paste.auth_tkt.set_user"] = Setter(visit)
    environ["paste.auth_tkt.logout_user"] = lambda: visit.authority.sessions.end(visit)
    environ.pop("paste.auth_tkt.timestamp", None)
    if identity is not None:
        if identity.auth_time is not None:
            environ["paste.auth_tkt.timestamp"] = int(identity.auth_time)
        tokens = identity.claims.get("tokens")
        if tokens:
            environ["REMOTE_USER_TOKENS"] = ",".join(sorted({*identity.roles, *tokens}))


@component
class TktOptions:
    """Tickets that other programs of the domain write or read: mod_auth_tkt, AuthKit, Paste, repoze.who, Pyramid."""

    secret: str = option(doc="The secret that tickets are made with; the other programs have it too.", secret=True)
    cookie: str = option(
        default="auth_tkt",
        doc="The cookie that holds the ticket.",
        check=cookie_name_complaint,
    )
    digest: Literal["md5", "sha256", "sha512"] = option(default="sha512", doc="How tickets are signed.")
    legacy_tickets: str | None = option(
        default=None,
        doc="Until when tickets with MD5 or a weak secret are taken; they can be forged by who has time.",
        check=readable(last_day),
        sample="accept-until 2027-06-30",
    )
    include_ip: bool = option(default=False, doc="Tickets are for the address that they were made for.")
    timeout: Seconds = option(default=86400.0, doc="How old a ticket may be.", check=above(0))
    exchange: bool = option(
        default=True, doc="Exchange a ticket for a session, once; without, tickets count at each request."
    )
    write: bool = option(default=False, doc="Also make tickets for who is signed in, for programs that read them.")
    domain: str | None = option(
        default=None,
        doc="The domain whose hosts are sent the tickets that are made; without, this host alone.",
        check=lambda name: None if _DOMAIN.fullmatch(name) else "must be a domain such as example.org",
        sample="example.org",
    )

    def __post_init__(self) -> None:
        if self.legacy_tickets is None:
            if self.digest == "md5":
                raise OptionError(
                    "TktOptions", "digest", "md5 can be forged; say until when: legacy_tickets = accept-until DAY"
                )
            complaint = secret_complaint(self.secret)
            if complaint is not None:
                raise OptionError(
                    "TktOptions", "secret", f"{complaint}; or say until when: legacy_tickets = accept-until DAY"
                )
        elif self.write:
            raise OptionError("TktOptions", "write", "must not be on together with legacy_tickets, which are not safe")
        if self.write and self.exchange:
            raise OptionError("TktOptions", "exchange", "must be off where tickets are also made")


class Tkt:
    """The method. ``directory`` has ``find(name)``; sessions begin by ``visit.authority.sessions``."""

    name = "tkt"

    def __init__(self, options: TktOptions, store: Any, directory: Any, clock: Callable[[], float]) -> None:
        self.options = options
        self._used = Space(store, "auth.tickets")
        self._directory = directory
        self._clock = clock
        self._end: float | None = None
        if options.legacy_tickets is not None:
            after = last_day(options.legacy_tickets) + timedelta(days=1)
            self._end = datetime.combine(after, datetime.min.time(), UTC).timestamp()

    def identify(self, visit: Visit) -> Identity | Failed | None:
        """Who the ticket names; where tickets are exchanged, a session has begun then."""
        found: Identity | Failed | None = None
        for text in cookies_named(visit.environ, self.options.cookie)[:_MOST_COOKIES]:
            if text:
                found = self._judged(visit, text)
                if isinstance(found, Identity):
                    break
        return found

    def challenges(self, visit: Visit) -> Sequence[str]:
        """Nothing: a cookie is no scheme of HTTP."""
        return ()

    def enter(self, visit: Visit) -> None:
        """Put into the environ what apps of Paste and AuthKit call, and hand out tickets; for ``enterers``."""
        offer(visit)
        if self.options.write:
            self._hand_out(visit)

    def withdraw(self, visit: Visit) -> None:
        """Take the tickets away from the browser; for ``Sessions.ending``."""
        if any(cookies_named(visit.environ, self.options.cookie)):
            host = (visit.environ.get("HTTP_HOST") or "").partition(":")[0]
            # Paste and its kin have set up to three: for the host alone, for its domain, and for the domain above.
            domains = ["", f"; Domain={host}"] if _DOMAIN.fullmatch(host) else [""]
            if domains[1:] and host.count(".") > 1:
                domains.append(f"; Domain={host.partition('.')[2]}")
            if self.options.domain is not None and f"; Domain={self.options.domain}" not in domains:
                domains.append(f"; Domain={self.options.domain}")
            for domain in domains:
                visit.headers.append(("Set-Cookie", f"{self.options.cookie}=; Path=/; Max-Age=0{domain}"))

    def _judged(self, visit: Visit, text: str) -> Identity | Failed:
        ticket = self._read(visit, text)
        if isinstance(ticket, Failed):
            return ticket
        account = self._directory.find(ticket.user)
        if account is None or account.disabled or is_only_like(account.name, ticket.user):
            return Failed("user of the ticket gone or disabled")
        if account.must_change_password:
            return Failed("password has to be changed")
        if visit.authority.needs_second_factor(account):
            return Failed("a ticket is one factor")
        if self.options.exchange:
            refusal = self._exchange(visit, ticket, account)
            if refusal is not None:
                return refusal
        claims = {"tokens": list(ticket.tokens), "userdata": ticket.data}
        return Identity.of(account, self.name, amr=("tkt",), auth_time=float(ticket.time), claims=claims)

    def _read(self, visit: Visit, text: str) -> Ticket | Failed:
        options, now = self.options, self._clock()
        if self._end is not None and now >= self._end:
            return Failed("tickets are not taken any more")
        address = "0.0.0.0"
        if options.include_ip:
            read = read_address(visit.address)
            if read is None:
                return Failed("ticket for another address")
            address = str(read)
        ticket = read_ticket(options.secret, text, options.digest, address)
        if ticket is None:
            return Failed("ticket forged")
        if not -_AHEAD <= now - ticket.time < options.timeout:
            return Failed("ticket expired")
        return ticket

    def _exchange(self, visit: Visit, ticket: Ticket, account: Account) -> Failed | None:
        """Begin a session for a ticket that was not exchanged yet; why not, or None."""
        now = self._clock()
        # By what it says: the same ticket can be written in several ways.
        said = "\0".join((ticket.user, str(ticket.time), ",".join(ticket.tokens), ticket.data))
        key = hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()
        if self._used.add(key, now, self.options.timeout + 2 * _AHEAD):
            self.withdraw(visit)  # first: the session's cookie may have the same name
            try:
                visit.authority.sessions.begin(
                    visit,
                    account,
                    ("tkt",),
                    auth_time=float(ticket.time),
                    data={"claims": {"tokens": list(ticket.tokens), "userdata": ticket.data}},
                )
            except ValueError:
                return Failed("ticket says more than a session can hold")
            visit.authority.audit.note("login.ok", visit, account, amr="tkt")
            return None
        since = self._used.get(key)
        return None if since is not None and abs(now - since) <= _OVERLAP else Failed("ticket used again")

    def _hand_out(self, visit: Visit) -> None:
        """Give who is signed in a ticket, unless there is a good one; take it away from who is not."""
        identity = visit.identity
        held = cookies_named(visit.environ, self.options.cookie)[:_MOST_COOKIES]
        if identity is None:
            self.withdraw(visit)
            return
        if identity.method != "session":
            return
        now = self._clock()
        for text in held:
            known = self._read(visit, text)
            if (
                isinstance(known, Ticket)
                and known.user == identity.name
                and now - known.time < self.options.timeout / 2
            ):
                return
        tokens = identity.claims.get("tokens") or sorted(identity.roles)
        ticket = Ticket(identity.name, int(now), tuple(tokens), str(identity.claims.get("userdata", "")))
        address = str(read_address(visit.address) or "0.0.0.0") if self.options.include_ip else "0.0.0.0"
        try:
            text = write_ticket(self.options.secret, ticket, self.options.digest, address)
        except ValueError:
            return  # no ticket can name this user; the session counts all the same
        domain = "" if self.options.domain is None else f"; Domain={self.options.domain}"
        secure = "; Secure" if visit.is_secure else ""
        cookie = f"{self.options.cookie}={text}; Path=/; HttpOnly; SameSite=Lax{domain}{secure}"
        visit.headers.append(("Set-Cookie", cookie))


class Setter:
    """``paste.auth_tkt.set_user``: signs in a user whom the app has checked itself."""

    __slots__ = ("_visit",)

    def __init__(self, visit: Visit) -> None:
        self._visit = visit

    def __call__(self, userid: str, tokens: str | Sequence[str] = "", user_data: str = "") -> None:
        """Begin a session with the reply of this request; tokens and data come again with each further one.

        Raises ``LookupError`` where no source knows the user, or it is disabled.
        """
        visit = self._visit
        account = visit.authority.directory.find(userid)
        if account is None or account.disabled or is_only_like(account.name, userid):
            raise LookupError(f"there is no user {userid!r} who can sign in")
        words = tokens.split(",") if isinstance(tokens, str) else list(tokens)
        claims = {"tokens": [word.strip() for word in words if word.strip()], "userdata": str(user_data)}
        visit.authority.sessions.begin(visit, account, (BY_APP,), data={"claims": claims})
        visit.authority.audit.note("login.ok", visit, account, amr=BY_APP)
