"""``egg:Paste#auth_basic``, ``auth_digest``, ``auth_form`` and ``auth_tkt``, by the services of ours.

The first three let nobody through whom a function does not accept, and everybody whom somebody outside has signed in
(``REMOTE_USER``). ``auth_tkt`` only remembers whom the app signs in by ``paste.auth_tkt.set_user``. Which environ keys
are written stands in ``auth`` and ``tkt``.
"""

from __future__ import annotations

import secrets
from dataclasses import field
from typing import TYPE_CHECKING, Any

from ....config.factories import make_filter_factory
from ....config.options import OptionError, component, option, readable
from ....config.values import Imported, module_object
from ....protocol.wsgi import Body, Environ, StartResponse, WSGIApp
from ...storage.places import store_complaint
from ..answers import problem
from ..authkit_filter.wishes import Cookie, Template, Terms, Users, Wishes, import_named
from ..key_file import secret_complaint
from ..methods.tkt import last_day
from ..sessions.options import cookie_name_complaint
from ..site import realm_complaint

if TYPE_CHECKING:
    from ..authkit_filter.assembly import Guarded

_REALM_IDLE = {"realm": "a form has no realm"}
_SECURE_IDLE = {"secure": "over TLS the cookie is always for TLS alone"}


def _name(text: str) -> str:
    """The name of an object as text: ``check`` has to know that it names one, and what is wrong with it.

    Raises ``ValueError``.
    """
    try:
        return module_object(text)
    except ValueError as error:
        raise ValueError(f"{error}; it is not evaluated, so no calls and no expressions") from None


_complaint = readable(_name)


def _function(component_name: str, text: str) -> str:
    """The name of a function that can be imported and called. Raises ``OptionError``."""
    name = module_object(text)
    if not callable(import_named(name, "authfunc", component_name)):
        raise OptionError(component_name, "authfunc", "is nothing that can be called")
    return name


def _insist(app: WSGIApp) -> WSGIApp:
    """The app, to whom is signed in; everybody else is asked who it is."""

    def insisting(environ: Environ, start_response: StartResponse) -> Body:
        if environ.get("REMOTE_USER"):
            return app(environ, start_response)
        return problem("401 Unauthorized", "Show who you are.").send(environ, start_response)

    return insisting


def _guard(made: Any, app: WSGIApp, terms: Terms, wishes: Wishes) -> None:
    from ..authkit_filter.assembly import Guarded  # all the services: not for who only reads a section

    object.__setattr__(made, "_guarded", Guarded(app, terms, wishes))


@component
class AuthBasic:
    """Ask everybody for name and password, with each request (Basic)."""

    app: WSGIApp = field(kw_only=False)
    realm: str = option(doc="The name of what is protected, which browsers show.", check=realm_complaint)
    authfunc: Imported = option(
        doc="A function(environ, username, password) that accepts.",
        parse=_name,
        check=_complaint,
        sample="shop.users:check",
    )
    allow_insecure: bool = option(default=False, doc="Take passwords over plain http from other machines, too.")
    _guarded: Guarded = field(init=False, repr=False)

    def __post_init__(self) -> None:
        users = Users("function", function=_function("AuthBasic", self.authfunc))
        wishes = Wishes(methods=("basic",), realm=self.realm, users=users)
        _guard(self, _insist(self.app), Terms(allow_insecure=self.allow_insecure), wishes)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Let through whom the function accepts, or somebody outside has signed in."""
        return (self.app if environ.get("REMOTE_USER") else self._guarded)(environ, start_response)

    def close(self) -> None:
        """Let go of threads."""
        self._guarded.close()


@component
class AuthDigest:
    """Ask everybody for a proof of the password, with each request (Digest)."""

    app: WSGIApp = field(kw_only=False)
    realm: str = option(doc="The name of what is protected, which browsers show.", check=realm_complaint)
    authfunc: Imported = option(
        doc="A function(environ, realm, username) that returns the MD5 of username:realm:password, or None.",
        parse=_name,
        check=_complaint,
        sample="shop.users:digest",
    )
    secret: str | None = option(
        default=None,
        doc="What nonces are protected with; without, they count in the process alone that has made them.",
        secret=True,
        inherits=True,
    )
    allow_weak_secret: bool = option(default=False, doc="Start with a secret that can be guessed.")
    store: str = option(
        default="memory:", doc="Where counts are kept; several processes need one in common.", check=store_complaint
    )
    _guarded: Guarded = field(init=False, repr=False)

    def __post_init__(self) -> None:
        users = Users("function", function=_function("AuthDigest", self.authfunc))
        wishes = Wishes(methods=("digest",), realm=self.realm, users=users)
        terms = Terms(store=self.store, secret=_secret("AuthDigest", self.secret, self.allow_weak_secret))
        _guard(self, _insist(self.app), terms, wishes)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Let through whose proof is right, or whom somebody outside has signed in."""
        return (self.app if environ.get("REMOTE_USER") else self._guarded)(environ, start_response)

    def close(self) -> None:
        """Let go of threads."""
        self._guarded.close()


@component
class AuthForm:
    """Ask everybody for name and password on a page, and remember it."""

    app: WSGIApp = field(kw_only=False)
    authfunc: Imported = option(
        doc="A function(environ, username, password) that accepts.",
        parse=_name,
        check=_complaint,
        sample="shop.users:check",
    )
    template: Imported | None = option(
        default=None,
        doc="A text as module:NAME: a page in which %s stands for the form's address.",
        parse=_name,
        check=_complaint,
    )
    secret: str | None = option(
        default=None,
        doc="What sessions are protected with; without, they end with the process.",
        secret=True,
        inherits=True,
    )
    allow_weak_secret: bool = option(default=False, doc="Start with a secret that can be guessed.")
    store: str = option(
        default="memory:", doc="Where sessions are kept; several processes need one in common.", check=store_complaint
    )
    _guarded: Guarded = field(init=False, repr=False)

    def __post_init__(self) -> None:
        users = Users("function", function=_function("AuthForm", self.authfunc))
        cookie = Cookie(_secret("AuthForm", self.secret, self.allow_weak_secret), name="paste.auth_form")
        own = None if self.template is None else Template("string", self._text(self.template))
        wishes = Wishes(methods=("form", "cookie"), users=users, cookie=cookie, template=own)
        _guard(self, _insist(self.app), Terms(store=self.store), wishes)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Let through who has signed in here, or outside."""
        return (self.app if environ.get("REMOTE_USER") else self._guarded)(environ, start_response)

    def close(self) -> None:
        """Let go of threads and of the store."""
        self._guarded.close()

    @staticmethod
    def _text(name: str) -> str:
        text = import_named(module_object(name), "template", "AuthForm")
        if not isinstance(text, str):
            raise OptionError("AuthForm", "template", "is no text")
        return text


@component
class AuthTkt:
    """Remember whom the app signs in by paste.auth_tkt.set_user, in sessions that can be ended."""

    app: WSGIApp = field(kw_only=False)
    secret: str = option(
        doc="What sessions are protected with, and old tickets were made with.", secret=True, inherits=True
    )
    cookie_name: str = option(
        default="auth_tkt",
        doc="The cookie's name; over TLS it travels as __Host-NAME.",
        check=cookie_name_complaint,
    )
    include_ip: bool = option(default=True, doc="A session counts at the address where it began, and nowhere else.")
    logout_path: str | None = option(
        default=None, doc="A path that signs out: by a form, or by a link on a page of this site."
    )
    allow_weak_secret: bool = option(default=False, doc="Start with a secret that can be guessed.")
    legacy_tickets: str | None = option(
        default=None,
        doc="Until when tickets of Paste and mod_auth_tkt are exchanged for sessions.",
        check=readable(last_day),
        sample="accept-until 2027-06-30",
    )
    store: str = option(
        default="memory:", doc="Where sessions are kept; several processes need one in common.", check=store_complaint
    )
    _guarded: Guarded = field(init=False, repr=False)

    def __post_init__(self) -> None:
        cookie = Cookie(
            _secret("AuthTkt", self.secret, self.allow_weak_secret),
            name=self.cookie_name,
            includeip=self.include_ip,
            signoutpath=self.logout_path or None,
        )
        terms = Terms(store=self.store, legacy_tickets=self.legacy_tickets, legacy_get_signout=True)
        # Apps in front of which this stood have answered 401 themselves.
        wishes = Wishes(methods=("cookie",), cookie=cookie, intercept=())
        _guard(self, self.app, terms, wishes)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Say who is signed in, and call the app."""
        return self._guarded(environ, start_response)

    def close(self) -> None:
        """Let go of the store."""
        self._guarded.close()


def _secret(component_name: str, secret: str | None, allow_weak: bool) -> str:
    if secret is None:
        return secrets.token_hex()
    complaint = secret_complaint(secret)
    if complaint is not None and not allow_weak:
        raise OptionError(component_name, "secret", f"{complaint}; whoever guesses it can sign in as anybody")
    return secret


paste_auth_basic = make_filter_factory(AuthBasic, unknown="warning")
paste_auth_digest = make_filter_factory(AuthDigest, unknown="warning")
paste_auth_form = make_filter_factory(AuthForm, unknown="warning", ignored=_REALM_IDLE)
paste_auth_tkt = make_filter_factory(AuthTkt, unknown="warning", ignored=_SECURE_IDLE)
