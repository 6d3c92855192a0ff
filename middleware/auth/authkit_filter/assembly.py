"""A configuration of AuthKit put together: its wishes, in services of ours."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, cast

from ....config.options import OptionError
from ....config.values import import_object
from ....protocol.wsgi import WSGIApp
from ...storage.places import store_of
from ..account import Account, Source
from ..audit import Audit
from ..auth import Guard
from ..authority import Authority
from ..directory import Directory
from ..method import Method
from ..methods.basic import Basic
from ..methods.digest import Digest, DigestOptions
from ..methods.identity_headers import strip_identity_headers
from ..methods.tkt import Tkt, TktOptions, offer
from ..passwords.options import PasswordOptions, passwords_of, throttle_of
from ..sessions.options import SessionOptions
from ..sessions.sessions import Sessions
from ..site import Site
from ..sources.authkit_file import AuthKitFile
from ..sources.authkit_tables import AuthKitTables
from ..vault import Vault
from .addressed import AddressedSessions
from .environ import Enter, Inner
from .keys import MD5
from .login_form import LoginForm
from .sign_in import Forward, Redirect
from .sign_out import SignOut
from .sources import (
    Encrypted,
    FunctionSecrets,
    FunctionUsers,
    ObjectUsers,
    PlainSecrets,
    remember_request,
)
from .users import Users
from .wishes import Template, Wishes
from .wishes import Users as Whom

_COMPONENT = "AuthKit"


class Options(Protocol):
    """What a filter says besides its wishes, in words of ours."""

    @property
    def store(self) -> str:
        """Where sessions and counts are kept."""

    @property
    def public_url(self) -> str | None:
        """Scheme and host under which browsers reach the site."""

    @property
    def mount(self) -> str:
        """Where the login page is."""

    @property
    def audit(self) -> str:
        """Where events are written."""

    @property
    def argon2(self) -> str:
        """What a new hash of a password costs."""

    @property
    def secret(self) -> str | None:
        """What nonces are protected with, where there is no cookie whose secret does it."""

    @property
    def allow_insecure(self) -> bool:
        """Whether passwords are taken over plain http from other machines."""

    @property
    def legacy_tickets(self) -> str | None:
        """Until when tickets are exchanged for sessions."""

    @property
    def legacy_get_signout(self) -> bool:
        """Whether links sign out."""


def import_named(text: str, key: str) -> Any:
    """The object that a key names. Raises ``OptionError``."""
    try:
        return import_object(text)
    except (ImportError, AttributeError, ValueError) as error:
        raise OptionError(_COMPONENT, key, f"cannot be imported ({type(error).__name__}: {error})") from error


class Md5Alone:
    """The options of Digest, where nothing but MD5 can be offered."""

    algorithms = ("MD5",)
    nonce = 300.0
    userhash = False


class Assembly:
    """The services of a site, and what stands around its app. Raises ``OptionError`` and ``ConfigError``."""

    def __init__(self, options: Options, wishes: Wishes, clock: Callable[[], float] = time.time) -> None:
        self._options = options
        self._wishes = wishes
        self._clock = clock
        self._is_password_page = "form" in wishes.methods
        self.authority = self._authority()

    def around(self, app: WSGIApp) -> Guard:
        """The filter around an app."""
        wishes = self._wishes
        if wishes.signinpath is not None:
            app = Forward(app, wishes.signinpath, wishes.intercept)
        if wishes.redirect_url is not None:
            app = Redirect(app, wishes.redirect_url, wishes.intercept)
        bad = None if wishes.cookie is None else wishes.cookie.badcookie_template
        app = Inner(
            app,
            wishes,
            legacy_get_signout=self._options.legacy_get_signout,
            bad_cookie=_made(bad, "cookie.badcookie.template.obj"),
        )
        return Guard(app, self.authority)

    def _authority(self) -> Authority:
        options, wishes, clock = self._options, self._wishes, self._clock
        site = self._site()
        store = store_of(options.store, clock)
        vault = self._vault()
        audit = Audit(site.audit, clock)
        source, read_plain = self._source()
        directory = Directory([source])
        words = PasswordOptions(argon2=options.argon2)
        throttle = throttle_of(words, store, vault, clock)
        passwords = passwords_of(words, directory, throttle, audit)
        sessions = self._sessions(store, vault, directory, audit)
        methods: list[Method] = [] if sessions is None else [sessions]
        tkt: Tkt | None = None
        if sessions is not None and options.legacy_tickets is not None and wishes.cookie is not None:
            tkt = Tkt(self._tickets(), store, directory, clock)
            methods.append(tkt)
        if "digest" in wishes.methods:
            secrets: Any = read_plain if read_plain is not None else self._digest_function()
            # Clients of AuthKit's time know MD5 alone, and so does a function of the site's own.
            digest = DigestOptions(legacy_md5=True) if read_plain is not None else cast(DigestOptions, Md5Alone())
            methods.append(Digest(directory, secrets, throttle, wishes.realm, store, vault, audit, digest, clock=clock))
        if "basic" in wishes.methods:
            methods.append(Basic(passwords, wishes.realm, audit, clock=clock))
        authority = Authority(
            site=site,
            store=store,
            vault=vault,
            audit=audit,
            directory=directory,
            passwords=passwords,
            sessions=sessions,
            methods=tuple(methods),
            clock=clock,
        )
        authority.strippers += [strip_identity_headers, remember_request]
        authority.enterers += [offer if tkt is None else tkt.enter] if sessions is not None else []
        authority.enterers.append(Enter(wishes, self._users_of(source, directory, passwords)))
        authority.closers += [passwords.close, audit.close]
        if hasattr(source, "close"):
            authority.closers.append(source.close)
        if self._is_password_page:
            own = _made(wishes.template, "form.template.obj")
            authority.add_routes({"login": LoginForm(authority, wishes.template, own, wishes.charset)})
        if sessions is not None:
            authority.add_routes({"logout": SignOut(authority)})
        return authority

    def _site(self) -> Site:
        options, wishes = self._options, self._wishes
        found = ("session", "tkt", "digest", "basic")
        present = {"session": "cookie", "digest": "digest", "basic": "basic"}
        return Site(
            public_url=options.public_url,
            mount=options.mount,
            methods=tuple(each for each in found if present.get(each) in wishes.methods),
            login=("password",) if self._is_password_page else (),
            intercept=wishes.intercept,
            allow_insecure=options.allow_insecure,
            realm=wishes.realm,
            audit=options.audit,
        )

    def _vault(self) -> Vault:
        """The keys follow from the cookie's secret, so that all processes have the same."""
        cookie = self._wishes.cookie
        secret = self._options.secret if cookie is None else cookie.secret
        if secret is None:
            return Vault.temporary()
        return Vault.read(hashlib.sha256(b"authkit.cookie.secret\0" + secret.encode()).hexdigest())

    def _sessions(self, store: Any, vault: Vault, directory: Directory, audit: Audit) -> Any:
        cookie = self._wishes.cookie
        if cookie is None:
            return None
        usual = SessionOptions()
        seconds = usual.absolute if cookie.seconds is None else max(cookie.seconds, usual.overlap)
        options = SessionOptions(
            cookie=cookie.name,
            absolute=seconds,
            # AuthKit knew no end but this one.
            idle=seconds if cookie.seconds is not None else usual.idle,
            remember=0.0,
        )
        sessions = Sessions(store, vault, directory, options, self._clock, audit)
        return AddressedSessions(sessions) if cookie.includeip else sessions

    def _tickets(self) -> TktOptions:
        cookie = self._wishes.cookie
        if cookie is None:
            raise OptionError(_COMPONENT, "legacy_tickets", "needs the method cookie")
        return TktOptions(
            secret=cookie.secret,
            cookie=cookie.name,
            digest="md5",
            legacy_tickets=self._options.legacy_tickets,
            include_ip=cookie.includeip,
        )

    def _source(self) -> tuple[Source, PlainSecrets | None]:
        """Where the users are, and what Digest needs of them, where passwords are kept as they are."""
        whom = self._wishes.users
        if whom is None:
            return FunctionUsers(lambda environ, name, password: False), None
        if whom.kind == "function":
            return FunctionUsers(import_named(whom.function, self._key("authenticate.function"))), None
        if whom.kind == "object":
            return self._object(whom), None
        own = bool(whom.encrypt) and whom.encrypt != MD5
        encrypt: Literal["md5", "none"] = "md5" if whom.encrypt == MD5 else "none"
        source: Any
        if whom.kind == "tables":
            from ..sources.foreign_tables import foreign_tables

            source = AuthKitTables(foreign_tables(whom.data), encrypt, whom.encrypt_secret, update=not own)
        elif whom.kind == "file":
            source = AuthKitFile(whom.data, encrypt, whom.encrypt_secret)
        else:
            name = self._key("authenticate.user.data")
            source = AuthKitFile.of_text(whom.data, encrypt, whom.encrypt_secret, name=name)
        if own:
            function = import_named(whom.encrypt, self._key("authenticate.user.encrypt"))
            return Encrypted(source, function, whom.encrypt_secret), None
        return source, PlainSecrets(source)

    def _object(self, whom: Whom) -> ObjectUsers:
        made = import_named(whom.type, self._key("authenticate.user.type"))
        encrypt: Callable[[str], str] | None = None
        if whom.encrypt == MD5:
            encrypt = _md5(whom.encrypt_secret)
        elif whom.encrypt:
            function = import_named(whom.encrypt, self._key("authenticate.user.encrypt"))
            secret = whom.encrypt_secret

            def encrypt(password: str) -> str:
                return str(function(password, secret))

        return ObjectUsers(made, whom.data, encrypt)

    def _digest_function(self) -> FunctionSecrets:
        whom = self._wishes.users
        if whom is None or whom.kind != "function":
            key = self._key("authenticate.user.type")
            raise OptionError(_COMPONENT, key, "does not tell passwords, which Digest needs")
        return FunctionSecrets(import_named(whom.function, self._key("authenticate.function")))

    def _users_of(self, source: Source, directory: Directory, passwords: Any) -> Callable[[Mapping[str, Any]], Any]:
        if isinstance(source, ObjectUsers):
            return source.object

        def users(environ: Mapping[str, Any]) -> Users:
            def check(account: Account, password: str) -> bool:
                return bool(passwords.verify(account, password, environ))

            return Users(directory, check)

        return users

    def _key(self, name: str) -> str:
        """A key of the method whose users count, as it is most likely spelled."""
        method = next((each for each in self._wishes.methods if each in ("basic", "digest", "form")), "form")
        return f"authkit.{method}.{name}"


def _made(own: Template | None, key: str) -> Any:
    return None if own is None or own.kind != "obj" else import_named(own.value, f"authkit.{key}")


def _md5(secret: str) -> Callable[[str], str]:
    def encrypt(password: str) -> str:
        return hashlib.md5((password + secret).encode(), usedforsecurity=False).hexdigest()

    return encrypt
