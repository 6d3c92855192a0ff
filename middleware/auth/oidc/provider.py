"""One provider: what it is asked, and what its answers come to."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from ..claims import claim_at
from .client_key import ClientKey
from .failures import Refused, Unreachable, Untrue
from .id_tokens import Logout, check_id_token, check_logout_token, methods_in
from .keys import IssuerKeys
from .metadata import Metadata, fetch_metadata
from .options import OidcOptions
from .outbound import Outbound, Reply
from .profile import Profile, address_in, groups_in, text_at
from .renewed import Renewed
from .signed import read_signed

_LONGEST_TOKEN = 8192
_LONGEST_LIFE = 30 * 86400.0


class Request(NamedTuple):
    """What a login at the provider is tied to. ``verifier`` is that of PKCE (RFC 7636).

    The login at the provider may lie ``max_age`` seconds before ``asked_at``. ``prompt`` is what the provider is to ask
    its user where the options do not say.
    """

    state: str
    nonce: str
    verifier: str
    challenge: str
    return_to: str
    max_age: float | None
    asked_at: float
    prompt: str = ""


class Granted(NamedTuple):
    """What the token endpoint has given: for now, and for later. ``until`` is when ``access`` ends."""

    access: str
    until: float
    refresh: str = ""
    id_token: str = ""
    sid: str = ""

    def __repr__(self) -> str:
        return f"Granted(until={self.until!r})"


class Provider:
    """An OpenID provider. ``name`` is that of its section.

    Methods raise ``Unreachable``, ``Refused`` and ``Untrue``. Nothing is asked before it is needed.
    """

    def __init__(
        self,
        name: str,
        options: OidcOptions,
        outbound: Outbound,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.options = options
        self.issuer = options.provider
        self._clock = clock
        self._outbound = outbound
        self._metadata: Renewed[Metadata] = Renewed(lambda: fetch_metadata(self.issuer, self._outbound), clock)
        self._keys = IssuerKeys(lambda: self._metadata.get().jwks_uri, self._outbound, clock)
        self._client = ClientKey(options, clock)
        if options.client_auth == "private_key_jwt":
            self._client.read()

    def address_of_login(self, request: Request) -> str:
        """Where to send the browser."""
        options, metadata = self.options, self._metadata.get()
        fields = {
            "client_id": options.client_id,
            "response_type": "code",
            "redirect_uri": request.return_to,
            "scope": " ".join(options.scopes),
            "state": request.state,
            "nonce": request.nonce,
            "code_challenge": request.challenge,
            "code_challenge_method": "S256",
        }
        if options.response_mode != "query":
            fields["response_mode"] = options.response_mode
        if request.max_age is not None:
            fields["max_age"] = str(int(request.max_age))
        if options.acr_values:
            fields["acr_values"] = " ".join(options.acr_values)
        if prompt := options.prompt or request.prompt:
            fields["prompt"] = prompt
        if metadata.must_push and metadata.pushed_endpoint:
            fields = {"client_id": options.client_id, "request_uri": self._pushed(metadata, fields)}
        return _with_query(metadata.authorization_endpoint, fields)

    def check_sender(self, issuer: str | None) -> None:
        """Whether an answer that names ``issuer`` is of this provider (RFC 9207)."""
        if issuer is not None and issuer != self.issuer:
            raise Untrue("answer of another issuer")
        if issuer is None and self._metadata.get().names_itself:
            raise Untrue("answer without its issuer")

    def exchange(self, code: str, request: Request) -> tuple[Granted, Profile]:
        """Who has logged in, for the code that the browser brought."""
        metadata = self._metadata.get()
        document = self._token(
            metadata,
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": request.return_to,
                "code_verifier": request.verifier,
            },
        )
        granted = self._granted(document)
        claims = check_id_token(
            read_signed(granted.id_token, self._keys, self._algorithms(metadata)),
            self.options,
            self._clock(),
            nonce=request.nonce,
            access_token=granted.access,
            max_age=request.max_age,
            asked_at=request.asked_at,
        )
        sid = claims.get("sid")
        granted = granted._replace(sid=sid if isinstance(sid, str) and len(sid) <= 255 and sid.isprintable() else "")
        return granted, self._profile(metadata, claims, granted.access)

    def renew(self, granted: Granted, subject: str) -> tuple[Granted, Profile]:
        """What the provider says now of a user who logged in before.

        With a refresh token it is asked for new tokens, which tells it the session goes on; without one its userinfo
        is read while the access token holds.
        """
        metadata = self._metadata.get()
        claims: dict[str, Any] = {"sub": subject}
        if granted.refresh:
            document = self._token(metadata, {"grant_type": "refresh_token", "refresh_token": granted.refresh})
            fresh = self._granted(document, needs_id_token=False)
            if fresh.id_token:
                claims = check_id_token(
                    read_signed(fresh.id_token, self._keys, self._algorithms(metadata)),
                    self.options,
                    self._clock(),
                    nonce=None,
                    access_token=fresh.access,
                    subject=subject,
                )
            granted = granted._replace(
                access=fresh.access,
                until=fresh.until,
                refresh=fresh.refresh or granted.refresh,
                id_token=fresh.id_token or granted.id_token,
            )
        return granted, self._profile(metadata, claims, granted.access)

    def address_of_logout(self, id_token: str, return_to: str, state: str) -> str | None:
        """Where to send the browser for a logout at the provider, too (RP-Initiated Logout 1.0).

        None where the provider has no such address, or does not say so just now.
        """
        try:
            metadata = self._metadata.get()
        except Unreachable:
            return None  # the logout here must not fail with it
        if not metadata.end_session_endpoint:
            return None
        fields = {"client_id": self.options.client_id, "post_logout_redirect_uri": return_to, "state": state}
        if id_token:
            fields["id_token_hint"] = id_token
        return _with_query(metadata.end_session_endpoint, fields)

    def logout_in(self, token: str) -> Logout:
        """Whom a logout token sends away."""
        metadata = self._metadata.get()
        return check_logout_token(
            read_signed(token, self._keys, self._algorithms(metadata)), self.options, self._clock()
        )

    def _algorithms(self, metadata: Metadata) -> frozenset[str]:
        allowed = frozenset(self.options.algorithms)
        return allowed & metadata.algorithms if metadata.algorithms else allowed

    def _pushed(self, metadata: Metadata, fields: Mapping[str, str]) -> str:
        """The reference to a request that was sent beforehand (RFC 9126)."""
        shown = self._client.show(self.issuer)
        reply = self._outbound.post(metadata.pushed_endpoint, {**fields, **shown.fields}, shown.headers)
        found = reply.document().get("request_uri") if reply.status in (200, 201) else None
        if not isinstance(found, str) or len(found) > 500:
            raise Unreachable(f"status {reply.status} to a pushed request")
        return found

    def _token(self, metadata: Metadata, fields: Mapping[str, str]) -> dict[str, Any]:
        shown = self._client.show(
            self.issuer if self.options.client_auth == "private_key_jwt" else metadata.token_endpoint
        )
        return answer_of_token(self._outbound.post(metadata.token_endpoint, {**fields, **shown.fields}, shown.headers))

    def _granted(self, document: Mapping[str, Any], *, needs_id_token: bool = True) -> Granted:
        granted = granted_in(document, self._clock())
        if needs_id_token and not granted.id_token:
            raise Untrue("no ID token")
        return granted

    def _profile(self, metadata: Metadata, claims: Mapping[str, Any], access: str) -> Profile:
        options = self.options
        wanted = [options.username, options.display_claim, "email"]
        if options.trust_email:
            wanted.append("email_verified")
        if options.groups_claim and claim_at(claims, options.groups_claim) is None:
            wanted.append(options.groups_claim)
        told = dict(claims)
        if metadata.userinfo_endpoint and access and not all(name in told for name in wanted):
            # What the ID token says stands: it is signed.
            further = self._userinfo(metadata.userinfo_endpoint, access, claims["sub"])
            if told.get("email", further.get("email")) != further.get("email"):
                further.pop("email_verified", None)  # it was said of another address
            told = {**further, **told}
        email, is_verified = address_in(told)
        acr = told.get("acr")
        return Profile(
            issuer=self.issuer,
            subject=claims["sub"],
            name=text_at(told, options.username),
            display=text_at(told, options.display_claim),
            email=email,
            email_verified=is_verified,
            groups=groups_in(told, options.groups_claim),
            amr=methods_in(dict(claims)),
            acr=acr if isinstance(acr, str) and len(acr) <= 255 and acr.isprintable() else "",
        )

    def _userinfo(self, address: str, access: str, subject: str) -> dict[str, Any]:
        reply = self._outbound.get(address, {"Authorization": f"Bearer {access}"})
        if reply.status in (401, 403):
            raise Refused("access token refused")
        if reply.status != 200:
            raise Unreachable(f"status {reply.status} to userinfo")
        found = reply.document()
        if found.get("sub") != subject:
            raise Untrue("userinfo of another user")  # OpenID Connect Core 1.0 section 5.3.2
        return found


def answer_of_token(reply: Reply) -> dict[str, Any]:
    """The document of a token endpoint. Raises ``Refused`` where it says no, ``Unreachable`` where it cannot."""
    if reply.status == 429 or reply.status >= 500:
        raise Unreachable(f"status {reply.status} to a token request")
    document = reply.document()
    error = document.get("error")
    if reply.status == 200 and error is None:
        return document
    word = error if isinstance(error, str) and error.isascii() and error.isprintable() else f"status {reply.status}"
    if word == "invalid_client":
        raise Unreachable("it does not know this site (invalid_client)")
    raise Refused(word[:60])


def granted_in(document: Mapping[str, Any], now: float) -> Granted:
    """The tokens of an answer. Raises ``Untrue``."""
    access = document.get("access_token")
    if not isinstance(access, str) or not 0 < len(access) <= _LONGEST_TOKEN or not _can_travel(access):
        raise Untrue("no access token")
    if str(document.get("token_type", "")).lower() != "bearer":
        raise Untrue("access token of another kind")
    life = document.get("expires_in")
    seconds = float(life) if isinstance(life, int | float) and 0 < life <= _LONGEST_LIFE else 300.0
    refresh, id_token = document.get("refresh_token"), document.get("id_token")
    return Granted(
        access,
        now + seconds,
        refresh if isinstance(refresh, str) and len(refresh) <= _LONGEST_TOKEN else "",
        id_token if isinstance(id_token, str) else "",
    )


def _can_travel(token: str) -> bool:
    # It goes into a header of ours.
    return token.isascii() and token.isprintable() and " " not in token


def _with_query(address: str, fields: Mapping[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(fields)}"
