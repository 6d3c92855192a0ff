"""A site with all the pages of the authentication and real services behind them, and browsers to look at it with."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from typing import Any, NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

from soft_authenticator import SoftAuthenticator

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.accounts.local_users import LocalUsers
from wheatpaste.middleware.auth.accounts.tables import SCHEMA as ACCOUNTS
from wheatpaste.middleware.auth.auth import Guard
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.directory import Directory
from wheatpaste.middleware.auth.factors import totp
from wheatpaste.middleware.auth.factors.challenge import Challenges
from wheatpaste.middleware.auth.factors.factors import Factors
from wheatpaste.middleware.auth.factors.options import MfaOptions, PasskeyOptions
from wheatpaste.middleware.auth.factors.passkeys import Passkeys
from wheatpaste.middleware.auth.factors.tables import SCHEMA as FACTORS
from wheatpaste.middleware.auth.identities import SCHEMA as IDENTITIES
from wheatpaste.middleware.auth.identities import Identities
from wheatpaste.middleware.auth.links import SCHEMA as LINKS
from wheatpaste.middleware.auth.links import Links
from wheatpaste.middleware.auth.mail.options import MailOptions
from wheatpaste.middleware.auth.mail.post import Post
from wheatpaste.middleware.auth.pages.routes import routes
from wheatpaste.middleware.auth.passwords.checker import Passwords
from wheatpaste.middleware.auth.passwords.hasher import Hasher
from wheatpaste.middleware.auth.passwords.throttle import Throttle
from wheatpaste.middleware.auth.sessions.options import SessionOptions
from wheatpaste.middleware.auth.sessions.sessions import Sessions
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.auth.tokens.api_tokens import SCHEMA as TOKENS
from wheatpaste.middleware.auth.tokens.api_tokens import ApiTokens
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.storage.memory import MemoryStore
from wheatpaste.middleware.storage.memory_tables import MemoryTables

SEED = totp.read_seed("JBSWY3DPEHPK3PXP JBSWY3DPEHPK3PXP")
CHEAP = "t=1,m=8,p=1"
PASSWORD = "ink and paste on brick"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


class Clock:
    """A clock that the test moves."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


class Notes:
    """An audit log that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str | None, dict[str, Any]]] = []
        self.listeners: list[Any] = []

    def note(self, event: str, visit: Any = None, account: Account | None = None, **fields: Any) -> None:
        self.events.append((event, None if account is None else account.name, fields))

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.events]


def front(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """An app that wants to know who asks."""
    user = environ.get("REMOTE_USER")
    if user is None and environ["PATH_INFO"] != "/public":
        start_response("401 Unauthorized", [("Content-Type", "text/plain")])
        return [b"who are you?"]
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [f"<!doctype html><title>Wall</title><p id=who>{user or 'nobody'}</p>".encode()]


class AuthSite:
    """A site, its services and its users. ``clock`` may be the real one.

    ``providers`` are named on pages, by their titles, and there is none behind them. ``mail`` are options of the mail
    server; without, there is none.
    """

    def __init__(
        self,
        clock: Callable[[], float] | None = None,
        *,
        site: Mapping[str, Any] | None = None,
        mfa: Mapping[str, Any] | None = None,
        passkeys: Mapping[str, Any] | None = None,
        sessions: Mapping[str, Any] | None = None,
        providers: Mapping[str, str] | None = None,
        editable: tuple[str, ...] = (),
        mail: Mapping[str, Any] | None = None,
        app: Any = front,
    ) -> None:
        self.clock = clock if clock is not None else Clock()
        self.notes = Notes()
        store = MemoryStore(self.clock)
        vault = Vault.temporary()
        self.tables = MemoryTables(ACCOUNTS, FACTORS, IDENTITIES, LINKS, TOKENS)
        self.users = LocalUsers(self.tables, self.clock)
        directory = Directory([self.users])
        given = Site(**{"methods": ("session", "bearer"), "login": ("password",), **(site or {})})
        keys = None
        if given.public_url is not None:
            keys = Passkeys(
                self.tables,
                Challenges(store, vault, self.clock),
                given.public_url,
                PasskeyOptions(**(passkeys or {})),
                self.clock,
                title=given.title,
            )
        self.hasher = Hasher(CHEAP, 1)
        chosen = Sessions(
            store,
            vault,
            directory,
            SessionOptions(**(sessions or {})),
            self.clock,
            self.notes,
            raise_epoch=self.users.raise_epoch,
        )
        self.factors = Factors(
            self.tables,
            vault,
            self.clock,
            store=store,
            options=MfaOptions(**(mfa or {})),
            passkeys=keys,
            changed=self.users.set_second_factor,
            recovery_cost=2,
        )
        self.authority = Authority(
            site=given,
            store=store,
            vault=vault,
            audit=self.notes,
            directory=directory,
            passwords=Passwords(directory, self.hasher, Throttle(store, vault, self.clock), self.notes),
            sessions=chosen,
            tokens=ApiTokens(self.tables, self.clock),
            users=self.users,
            factors=self.factors,
            links=Links(self.tables, self.clock),
            identities=Identities(self.tables, self.clock),
            methods=(chosen,),
            clock=self.clock,
        )
        self.authority.needs_second_factor = self.factors.options.needs_second_factor
        self.authority.providers = dict(providers or {})
        self.authority.issuers = {name: f"https://{name}.example" for name in self.authority.providers}
        self.authority.linkable = tuple(self.authority.providers)
        self.authority.editable = frozenset(editable)
        if mail is not None:
            self.authority.post = Post(
                MailOptions(**{"from_address": "wiki@example.org", "smtp_use_tls": False, **mail}),
                given,
                directory=directory,
                users=self.users,
                links=self.authority.links,
                audit=self.notes,  # type: ignore[arg-type]
                store=store,
                clock=self.clock,
            )
            self.authority.closers.append(self.authority.post.close)
        self.authority.add_routes(routes(self.authority))
        self.app = Guard(app, self.authority)

    def add(self, name: str = "bob", password: str | None = PASSWORD, **known: Any) -> Account:
        """Make a user."""
        must_change = known.pop("must_change", False)
        made = self.users.create(name, **known)
        if password is not None:
            self.users.set_password(made.id, self.hasher.hash(password), must_change=must_change)
        return self.account(name)

    def account(self, name: str = "bob") -> Account:
        found = self.authority.directory.find(name)
        assert found is not None
        return found

    def close(self) -> None:
        self.hasher.close()
        self.authority.close()


class Reply(NamedTuple):
    """What came back."""

    status: str
    headers: list[tuple[str, str]]
    text: str

    @property
    def code(self) -> int:
        return int(self.status[:3])

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    @property
    def location(self) -> str:
        return self.header("Location")

    @property
    def words(self) -> str:
        """The text that a person reads."""
        reader = _Reader()
        reader.feed(self.text)
        return " ".join(" ".join(reader.found).split())

    def forms(self) -> list[dict[str, str]]:
        """The fields of each form with their values, and ``action``."""
        reader = _Reader()
        reader.feed(self.text)
        return reader.forms

    def form(self, action: str) -> dict[str, str]:
        """The first form whose address ends so."""
        return next(form for form in self.forms() if form["action"].endswith(action))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.forms: list[dict[str, str]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append({"action": known.get("action", "")})
            self._inside = True
        elif tag == "input" and self._inside and "name" in known and known.get("type") != "checkbox":
            self.forms[-1][known["name"]] = known.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False

    def handle_data(self, data: str) -> None:
        self.found.append(data)


class Visitor:
    """A browser without scripts: keeps cookies, follows redirects if asked to, sends forms."""

    def __init__(
        self,
        app: Any,
        *,
        scheme: str = "http",
        host: str = "wiki.example.org",
        mount: str = "",
        address: str = "192.0.2.7",
        language: str = "en",
        agent: str = FIREFOX,
    ) -> None:
        self.app = app
        self.scheme = scheme
        self.host = host
        self.mount = mount
        self.address = address
        self.language = language
        self.agent = agent
        self.cookies: dict[str, str] = {}
        self.set: list[str] = []
        """Every Set-Cookie that came."""

    def get(self, path: str, **more: Any) -> Reply:
        return self.send("GET", path, **more)

    def post(self, path: str, fields: Mapping[str, str] | bytes, **more: Any) -> Reply:
        body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
        return self.send("POST", path, body, **more)

    def follow(self, reply: Reply, most: int = 5) -> Reply:
        for _ in range(most):
            if reply.code != 303:
                return reply
            reply = self.get(reply.location)
        raise AssertionError("it goes on and on")

    def send(self, method: str, path: str, body: bytes = b"", **more: Any) -> Reply:
        parts = urlsplit(urljoin(f"{self.scheme}://{self.host}{self.mount}/", path))
        assert parts.path.startswith(self.mount), parts.path
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": self.mount,
            "PATH_INFO": parts.path[len(self.mount) :],
            "QUERY_STRING": parts.query,
            "SERVER_NAME": self.host,
            "SERVER_PORT": "443" if self.scheme == "https" else "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": self.host,
            "HTTP_USER_AGENT": self.agent,
            "HTTP_ACCEPT": "text/html,application/xhtml+xml,*/*;q=0.8",
            "HTTP_ACCEPT_LANGUAGE": self.language,
            "HTTP_SEC_FETCH_SITE": "same-origin",
            "HTTP_SEC_FETCH_MODE": "navigate",
            "HTTP_SEC_FETCH_DEST": "document",
            "REMOTE_ADDR": self.address,
            "wsgi.url_scheme": self.scheme,
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
        }
        if method == "POST":
            environ["HTTP_ORIGIN"] = f"{self.scheme}://{self.host}"
            environ["CONTENT_TYPE"] = "application/x-www-form-urlencoded"
            environ["CONTENT_LENGTH"] = str(len(body))
        if self.cookies:
            environ["HTTP_COOKIE"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        for name, value in more.items():
            if value is None:
                environ.pop(name, None)
            else:
                environ[name] = value
        got: list[Any] = []
        chunks = self.app(environ, lambda status, headers, exc_info=None: got.extend((status, headers)))
        text = b"".join(chunks).decode("utf-8", "replace")
        for name, value in got[1]:
            if name == "Set-Cookie":
                self._keep(value)
        return Reply(got[0], got[1], text)

    def _keep(self, header: str) -> None:
        self.set.append(header)
        pair, *attributes = header.split("; ")
        name, _, value = pair.partition("=")
        if "Max-Age=0" in attributes:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value

    # What people do

    def fill(self, page: Reply, action: str, **values: str) -> Reply:
        """Send the form whose address ends with ``action``, with these values."""
        form = page.form(action)
        target = form.pop("action")
        return self.post(target, {**form, **values})

    def login(self, name: str = "bob", password: str = PASSWORD, target: str = "/wall", **more: str) -> Reply:
        page = self.get(f"{self.mount}/-/auth/login?{urlencode({'next': target})}")
        return self.fill(page, "/login", username=name, password=password, **more)


def options_of(visitor: Visitor, page: Reply, purpose: str) -> dict[str, Any]:
    """What the script of a page is told to ask the browser."""
    token = page.forms()[0]["token"]
    reply = visitor.post(
        f"{visitor.mount}/-/auth/passkey/options", {"token": token, "purpose": purpose}, HTTP_SEC_FETCH_MODE="cors"
    )
    assert reply.code == 200, reply.text
    found: dict[str, Any] = json.loads(reply.text)
    return found


def passkey_of(site: AuthSite, account: Account) -> SoftAuthenticator:
    """Give a user a passkey."""
    assert site.factors.passkeys is not None
    device = SoftAuthenticator()
    options = site.factors.passkeys.creation_options(account, verified=True)
    site.factors.passkeys.add(account, device.create(options), "Laptop", verified=True)
    site.factors.note(account.id)
    return device


def app_of(site: AuthSite, account: Account) -> str:
    """Give a user an app with codes; returns a recovery code."""
    site.factors.totp.put(account.id, SEED)
    site.factors.note(account.id)
    return site.factors.recovery.renew(account.id)[0]


def code_of(site: AuthSite, later: int = 0) -> str:
    """The code that such an app shows now, or some steps later."""
    return totp.code_at(SEED, totp.step_at(site.clock()) + later)


def codes_in(reply: Reply) -> list[str]:
    """The recovery codes on a page."""
    return re.findall(r"\b[A-Z2-7]{5}-[A-Z2-7]{5}\b", reply.words)
