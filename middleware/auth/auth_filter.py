"""``egg:wheatpaste#auth``: the filter with its sections, ``[auth:main]`` and what begins so.

Where in the stack: around all that is to be protected, inside what rewrites addresses and whatever reports errors. What
happens to a request is in ``auth``, which also names the environ keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...config.factories import make_filter_factory
from ...config.mounts import KeyProblem
from ...config.options import component, option
from ...config.parts import NO_PARTS, Part, Parts
from ...config.records import field
from ...protocol.wsgi import Body, Environ, StartResponse, WSGIApp
from .auth import Guard
from .authority import Authority
from .setup import authority_of
from .site import Site

if TYPE_CHECKING:
    from ...config.surroundings import Surroundings

PARTS = Parts(
    option="auth",
    prefix="auth",
    file="config",
    parts=(
        Part("", Site, required=True),
        Part("store", ".accounts.options:StoreOptions"),
        Part("session", ".sessions.options:SessionOptions"),
        Part("users", ".sources.options:UserOptions"),
        Part("ldap", ".sources.ldap_options:LdapOptions"),
        Part("password", ".passwords.options:PasswordOptions"),
        Part("groups", ".accounts.options:GROUPS_READER"),
        Part("roles", ".accounts.options:ROLES_READER"),
        Part("rules", ".rules:RULES_READER"),
        Part("basic", ".methods.basic:BasicOptions"),
        Part("digest", ".methods.digest:DigestOptions"),
        Part("bearer", ".methods.bearer:BearerOptions"),
        Part("header", ".methods.header_options:HeaderOptions"),
        Part("certificate", ".methods.certificate:CERTIFICATE_READER"),
        Part("tkt", ".methods.tkt:TktOptions"),
        Part("mfa", ".factors.options:MfaOptions"),
        Part("passkeys", ".factors.options:PasskeyOptions"),
        Part("mail", ".mail.options:MailOptions"),
        Part("oidc:*", ".oidc.options:OidcOptions", sample="corp"),
        Part("jwt:*", ".methods.jwt:JwtOptions", sample="corp"),
    ),
)
"""The sections of a site's authentication, whichever component of ours they belong to."""


@component(after=("errors", "prefix"), before=("require",))
class Auth:
    """Ask who makes a request where the app or a rule wants to know, and offer a login."""

    app: WSGIApp = field(kw_only=False)
    auth: str = option(default="main", doc="Which sections say how: [auth:NAME], and those whose names begin so.")
    config: Path | None = option(default=None, doc="The file that holds those sections, where it is another one.")
    parts: Mapping[str, Any] = field(default=NO_PARTS, repr=False)
    authority: Authority = field(init=False, repr=False)
    _guard: WSGIApp = field(init=False, repr=False)

    def __post_init__(self) -> None:
        authority = authority_of(self.parts, name=self.auth)
        object.__setattr__(self, "authority", authority)
        object.__setattr__(self, "_guard", Guard(self.app, authority))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Let the request through to the app, or answer it."""
        return self._guard(environ, start_response)

    def problems(self, stack: Surroundings) -> Iterator[KeyProblem]:
        """What is wrong with the sections where they stand."""
        from .problems import problems_of  # for a check alone

        yield from problems_of(self.auth, self.parts, stack)

    def close(self) -> None:
        """Let go of files and connections."""
        self.authority.close()


filter_factory = make_filter_factory(Auth, parts=PARTS)
