"""What an ID token has to say for somebody to be let in, and a logout token for somebody to be sent away.

OpenID Connect Core 1.0 section 3.1.3.7, OpenID Connect Back-Channel Logout 1.0 section 2.6.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from typing import Any, NamedTuple

from .failures import Untrue
from .options import OidcOptions
from .signed import SignedToken, check_audience, check_times, seconds_in, text_in

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_LOGOUT_SECONDS = 120.0
_LONGEST_NONCE = 255


class Logout(NamedTuple):
    """Whom a provider sends away: a session of its own, a user, or that session of that user."""

    id: str
    sid: str | None
    subject: str | None
    until: float


def check_id_token(
    token: SignedToken,
    options: OidcOptions,
    now: float,
    *,
    nonce: str | None,
    access_token: str | None,
    max_age: float | None = None,
    asked_at: float = 0.0,
    subject: str | None = None,
) -> dict[str, Any]:
    """The claims of an ID token that holds for us. Raises ``Untrue``.

    ``nonce`` is that of the login, None where a refresh gave the token, which then has to be of ``subject``. The login
    at the provider may lie ``max_age`` seconds before ``asked_at``, which is when ours began.
    """
    claims = token.claims
    if str(token.head.get("typ", "JWT")).upper() not in ("JWT", "ID_TOKEN+JWT"):
        raise Untrue("not an ID token")
    if claims.get("iss") != options.provider:
        raise Untrue("of another issuer")
    _check_party(claims, options.client_id)
    check_times(claims, now, options.leeway)
    text_in(claims, "sub")
    if nonce is not None:
        told = claims.get("nonce")
        if not isinstance(told, str) or not is_same(told[:_LONGEST_NONCE], nonce):
            raise Untrue("nonce wrong")
    if subject is not None and claims["sub"] != subject:
        raise Untrue("of another user")
    if "events" in claims:
        raise Untrue("a logout token")
    _check_access_token(token, access_token)
    if nonce is not None:
        _check_strength(claims, options)
    if max_age is not None:
        shown = seconds_in(claims, "auth_time")
        if shown is None:
            raise Untrue("no time of login")
        if shown + max_age + options.leeway < asked_at:
            raise Untrue("login too long ago")
    return claims


def check_logout_token(token: SignedToken, options: OidcOptions, now: float) -> Logout:
    """Whom a logout token sends away. Raises ``Untrue``."""
    claims = token.claims
    kind = str(token.head.get("typ", "")).lower().removeprefix("application/")
    if kind != "logout+jwt" and not (options.old_logout_tokens and kind in ("", "jwt")):
        raise Untrue("not a logout token")
    if claims.get("iss") != options.provider:
        raise Untrue("of another issuer")
    check_audience(claims, (options.client_id,))
    check_times(claims, now, options.leeway)
    if now - (seconds_in(claims, "iat") or 0.0) > _LOGOUT_SECONDS + options.leeway:
        raise Untrue("issued too long ago")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise Untrue("not about a logout")
    if "nonce" in claims:
        raise Untrue("an ID token")
    sid = text_in(claims, "sid") if claims.get("sid") is not None else None
    subject = text_in(claims, "sub") if claims.get("sub") is not None else None
    if sid is None and subject is None:
        raise Untrue("about nobody")
    return Logout(text_in(claims, "jti", 1000), sid, subject, (seconds_in(claims, "exp") or now) + options.leeway)


def methods_in(claims: dict[str, Any]) -> tuple[str, ...]:
    """How the user logged in at the provider (``amr``), as far as it says so."""
    told = claims.get("amr")
    if not isinstance(told, list):
        return ()
    return tuple(each for each in told[:20] if isinstance(each, str) and 0 < len(each) <= 40 and each.isprintable())


def _check_party(claims: dict[str, Any], client_id: str) -> None:
    listed = check_audience(claims, (client_id,))
    party = claims.get("azp")
    if len(listed) > 1 and party is None:
        raise Untrue("for several, and none is named as its party")
    if party is not None and party != client_id:
        raise Untrue("for another party")


def _check_access_token(token: SignedToken, access_token: str | None) -> None:
    told = token.claims.get("at_hash")
    if told is None or access_token is None:
        return
    digest = _digest_of(token.head["alg"])(access_token.encode()).digest()
    wanted = urlsafe_b64encode(digest[: len(digest) // 2]).decode("ascii").rstrip("=")
    if not isinstance(told, str) or not is_same(told.rstrip("="), wanted):
        raise Untrue("beside another access token")


def _digest_of(algorithm: str) -> Any:
    if algorithm in ("EdDSA", "Ed25519"):
        return hashlib.sha512
    return {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}[algorithm[-3:]]


def _check_strength(claims: dict[str, Any], options: OidcOptions) -> None:
    if options.require_acr and claims.get("acr") not in options.require_acr:
        raise Untrue("class of login not enough")
    if not set(options.require_amr) <= set(methods_in(claims)):
        raise Untrue("methods of login not enough")


def is_same(one: str, other: str) -> bool:
    """Whether two texts are one, found out in a time that does not tell how much of them is."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
