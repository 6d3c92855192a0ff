"""A configuration of AuthKit put together: its wishes, in services of ours."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from ....config.options import OptionError
from ....protocol.wsgi import Body, Environ, StartResponse, WSGIApp
from .. import setup
from ..accounts.options import StoreOptions
from ..auth import Guard
from ..authority import Authority
from ..directory import Directory
from ..methods.digest import DigestOptions
from ..methods.tkt import TktOptions
from ..passwords.options import PasswordOptions
from ..sessions.options import SessionOptions
from ..sessions.sessions import Sessions
from ..site import Site
from ..sources.authkit_file import AuthKitFile
from ..sources.authkit_tables import AuthKitTables
from ..sources.callable_source import CallableSource
from ..vault import Vault
from .cookie_sessions import CookieSessions
from .environ import Enter, Inner
from .keys import MD5
from .login_form import LoginForm
from .sign_in import Forward, Redirect
from .sign_out import SignOut
from .sources import (
    SOURCE,
    Encrypted,
    FunctionSecrets,
    ObjectUsers,
    PlainSecrets,
    remember_request,
)
from .users import Users
from .wishes import Cookie, Template, Terms, Wishes, import_named
from .wishes import Users as Whom

if TYPE_CHECKING:
    from ..methods.digest_secrets import Secrets

_COMPONENT = "AuthKit"


class Guarded:
    """An app behind the services that a configuration of AuthKit wishes for.

    Raises ``OptionError`` and ``ConfigError`` for what cannot be.
    """

    def __init__(self, app: WSGIApp, terms: Terms, wishes: Wishes, clock: Callable[[], float] = time.time) -> None:
        assembly = Assembly(terms, wishes, clock)
        self._authority = assembly.authority()
        self._guard = Guard(assembly.around(app), self._authority)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Let the request through to the app, or answer it."""
        return self._guard(environ, start_response)

    def close(self) -> None:
        """Let go of threads, files and connections."""
        self._authority.close()


class _Md5Alone(DigestOptions):
    """A function of the site's own makes no other hashes."""

    @property
    def algorithms(self) -> tuple[str, ...]:
        return ("MD5",)


class Assembly(setup.Assembly):
    """The services of a site as others have them, but for its users, the keys of its vault and its pages."""

    _url = _sessions = (_COMPONENT, "store", None)

    def __init__(self, terms: Terms, wishes: Wishes, clock: Callable[[], float]) -> None:
        super().__init__(_parts(terms, wishes), clock)
        self._terms = terms
        self._wishes = wishes

    def around(self, app: WSGIApp) -> WSGIApp:
        """What stands around the app, inside of the guard."""
        wishes = self._wishes
        if wishes.signinpath is not None:
            app = Forward(app, wishes.signinpath, wishes.intercept)
        if wishes.redirect_url is not None:
            app = Redirect(app, wishes.redirect_url, wishes.intercept)
        bad = None if wishes.cookie is None else wishes.cookie.badcookie_template
        return Inner(
            app,
            wishes,
            legacy_get_signout=self._terms.legacy_get_signout,
            bad_cookie=_made(bad, "cookie.badcookie.template.obj"),
        )

    def authority(self) -> Authority:
        """All of it."""
        wishes = self._wishes
        authority = Authority(
            site=self.site,
            store=self.store,
            vault=self.vault,
            audit=self.audit,
            directory=self.directory,
            passwords=self.passwords,
            sessions=None if wishes.cookie is None else self.sessions,
            methods=self.methods,
            clock=self.clock,
        )
        self.wire(authority)
        authority.strippers.append(remember_request)
        authority.enterers.append(Enter(wishes, self._users))
        if "form" in wishes.methods:
            own = _made(wishes.template, "form.template.obj")
            authority.add_routes({"login": LoginForm(authority, wishes.template, own, wishes.charset)})
        if wishes.cookie is not None:
            authority.add_routes({"logout": SignOut(authority)})
        return authority

    @cached_property
    def vault(self) -> Vault:
        """The keys follow from the cookie's secret, so that all processes have the same."""
        cookie = self._wishes.cookie
        secret = self._terms.secret if cookie is None else cookie.secret
        if secret is None:
            return Vault.temporary()
        return Vault.read(hashlib.sha256(b"authkit.cookie.secret\0" + secret.encode()).hexdigest())

    @cached_property
    def directory(self) -> Directory:
        """The users whom the keys name."""
        return Directory([self._source])

    @property
    def learn(self) -> None:
        """Nothing: what Digest needs is known from the source."""

    @cached_property
    def sessions(self) -> Sessions:
        """The sessions that take the place of AuthKit's cookie."""
        services = self.store, self.vault, self.directory, self.parts["session"], self.clock, self.audit
        return CookieSessions(self._wishes.cookie or Cookie(""), *services)

    @cached_property
    def _source(self) -> Any:
        """Where the users are."""
        whom = self._wishes.users
        if whom is None:
            return CallableSource(lambda environ, name, password: False, name=SOURCE)
        if whom.kind == "function":
            check = import_named(whom.function, self._key("authenticate.function"))
            return CallableSource(check, name=SOURCE)
        if whom.kind == "object":
            return self._object(whom)
        own = _has_own_encryption(whom)
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
            return Encrypted(source, function, whom.encrypt_secret)
        return source

    def verifying_digest(self) -> tuple[Secrets, DigestOptions]:
        """What Digest verifies against, and what it can offer by that."""
        whom = self._wishes.users
        if whom is not None and whom.kind == "function":
            return FunctionSecrets(import_named(whom.function, self._key("authenticate.function"))), _Md5Alone()
        if whom is None or whom.kind == "object" or _has_own_encryption(whom):
            key = self._key("authenticate.user.type")
            raise OptionError(_COMPONENT, key, "does not tell passwords, which Digest needs")
        # Clients of AuthKit's time know MD5 alone.
        return PlainSecrets(self._source), DigestOptions(legacy_md5=True)

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

    def _users(self, environ: Mapping[str, Any]) -> Any:
        """The object for ``environ['authkit.users']``."""
        if isinstance(self._source, ObjectUsers):
            return self._source.object(environ)
        return Users(self.directory, lambda account, password: self.passwords.verify(account, password, environ))

    def _key(self, name: str) -> str:
        """A key of the method whose users count."""
        method = next((each for each in self._wishes.methods if each in ("basic", "digest", "form")), "form")
        return f"{method}.{name}"


def _parts(terms: Terms, wishes: Wishes) -> dict[str, Any]:
    """What sections of ours would say of the same site."""
    methods: list[str] = [each for each in ("digest", "basic") if each in wishes.methods]
    parts: dict[str, Any] = {
        "store": StoreOptions(sessions=terms.store),
        "password": PasswordOptions(argon2=terms.argon2),
    }
    cookie = wishes.cookie
    if cookie is not None:
        methods.append("session")
        if cookie.seconds is None:
            parts["session"] = SessionOptions(cookie=cookie.name, remember=0.0)
        else:
            # AuthKit knew no end but this one.
            end = cookie.seconds
            parts["session"] = SessionOptions(
                cookie=cookie.name, absolute=end, idle=end, remember=end, remember_idle=end
            )
    if terms.legacy_tickets is not None:
        if cookie is None:
            raise OptionError(
                _COMPONENT, "legacy_tickets", "needs the method cookie: tickets are exchanged for sessions"
            )
        methods.append("tkt")
        parts["tkt"] = TktOptions(
            secret=cookie.secret,
            cookie=cookie.name,
            digest="md5",
            legacy_tickets=terms.legacy_tickets,
            include_ip=cookie.includeip,
        )
    parts[""] = Site(
        public_url=terms.public_url,
        mount=terms.mount,
        methods=tuple(methods),
        login=("password",) if "form" in wishes.methods else (),
        intercept=wishes.intercept,
        allow_insecure=terms.allow_insecure,
        realm=wishes.realm,
        audit=terms.audit,
    )
    return parts


def _has_own_encryption(whom: Whom) -> bool:
    return bool(whom.encrypt) and whom.encrypt != MD5


def _made(own: Template | None, key: str) -> Any:
    return None if own is None or own.kind != "obj" else import_named(own.value, key)


def _md5(secret: str) -> Callable[[str], str]:
    def encrypt(password: str) -> str:
        return hashlib.md5((password + secret).encode(), usedforsecurity=False).hexdigest()

    return encrypt
