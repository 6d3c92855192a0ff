"""Signed tokens (RFC 7519) as RFC 8725 wants them read: by allowed algorithms and the issuer's own keys alone.

What a token's head says of where keys are (``jku``, ``x5u``, ``jwk``, ``x5c``) is not looked at: whoever forges a token
writes that, too.
"""

from __future__ import annotations

import json
import math
from base64 import b64decode
from collections.abc import Collection
from functools import cache
from typing import Any, NamedTuple

from .failures import Untrue
from .keys import IssuerKeys, PublicKey, joserfc_module

LONGEST = 64 * 1024
_LONGEST_HEAD = 8 * 1024
_MOST_SECONDS = 1e12
_STANDARD = str.maketrans("-_", "+/")


class SignedToken(NamedTuple):
    """What a token says, once its signature was found to be right."""

    head: dict[str, Any]
    claims: dict[str, Any]


def read_signed(text: str, keys: IssuerKeys, algorithms: Collection[str]) -> SignedToken:
    """The token, its signature verified; nothing else of it is. Raises ``Untrue`` and ``Unreachable``."""
    head = head_of(text)
    algorithm, key_id = head.get("alg"), head.get("kid")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise Untrue("algorithm not allowed")
    if key_id is not None and not isinstance(key_id, str):
        raise Untrue("key id is no text")
    candidates = keys.candidates(key_id, algorithm)
    if not candidates:
        raise Untrue("unknown key")
    payload = _verified(text, candidates, algorithms)
    if payload is None:
        payload = _verified(text, keys.after_failure(key_id, algorithm), algorithms)
    if payload is None:
        raise Untrue("signature wrong")
    return SignedToken(head, _object(payload, "claims are no object"))


def head_of(text: str) -> dict[str, Any]:
    """The head of a token, which nobody has vouched for yet. Raises ``Untrue``."""
    if len(text) > LONGEST or not text.isascii() or text.count(".") != 2:
        raise Untrue("no signed token")
    head = text.partition(".")[0]
    if len(head) > _LONGEST_HEAD:
        raise Untrue("head too long")
    return _object(_decoded(head), "head is no object")


def claims_of(text: str) -> dict[str, Any]:
    """What a token claims, be it to find out whose keys to ask: this verifies nothing. Raises ``Untrue``."""
    head_of(text)
    return _object(_decoded(text.split(".")[1]), "claims are no object")


def is_signed_by(text: str, key: PublicKey, algorithm: str) -> bool:
    """Whether a key has signed a token, which may be base64 of any kind: RFC 7515 knows one, not all know that.

    The key has to fit the algorithm. Raises ``Untrue`` for a signature that is no base64.
    """
    signed, _, signature = text.rpartition(".")
    way = joserfc_module("jws").JWSRegistry.algorithms[algorithm]
    return bool(way.verify(signed.encode("ascii"), _decoded(signature), key.key))


def check_times(claims: dict[str, Any], now: float, leeway: float, *, needs_issue_time: bool = True) -> None:
    """Whether a token holds now: ``exp`` has to be there. Raises ``Untrue``."""
    if (end := seconds_in(claims, "exp")) is None:
        raise Untrue("no expiry")
    if now >= end + leeway:
        raise Untrue("expired")
    begin, issued = seconds_in(claims, "nbf"), seconds_in(claims, "iat")
    if begin is not None and begin > now + leeway:
        raise Untrue("not valid yet")
    if issued is None and needs_issue_time:
        raise Untrue("no time of issue")
    if issued is not None and issued > now + leeway:
        raise Untrue("issued in the future")


def check_audience(claims: dict[str, Any], ours: Collection[str]) -> list[str]:
    """Whom a token is for, if we are among them. Raises ``Untrue``."""
    told = claims.get("aud")
    listed = [told] if isinstance(told, str) else told
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise Untrue("no audience")
    if not any(each in ours for each in listed):
        raise Untrue("for somebody else")
    return listed


def seconds_in(claims: dict[str, Any], name: str) -> float | None:
    """A moment among the claims (NumericDate), None where there is none. Raises ``Untrue`` for what is no number."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Untrue(f"{name} is no number")
    if not -_MOST_SECONDS < value < _MOST_SECONDS or not math.isfinite(value):
        raise Untrue(f"{name} is out of range")
    return float(value)


def text_in(claims: dict[str, Any], name: str, most: int = 255) -> str:
    """A text among the claims that has to be there, and that tables, logs and environs can hold. Raises ``Untrue``."""
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= most or not value.isprintable():
        raise Untrue(f"no {name}")
    return value


def _verified(text: str, candidates: list[PublicKey], algorithms: Collection[str]) -> bytes | None:
    jws, errors = joserfc_module("jws"), joserfc_module("errors")
    for each in candidates[:5]:
        try:
            found: bytes = jws.deserialize_compact(
                text, each.key, registry=_registry(tuple(sorted(algorithms)))
            ).payload
        except (errors.JoseError, ValueError, TypeError, RecursionError):
            continue
        return found
    return None


@cache
def _registry(algorithms: tuple[str, ...]) -> Any:
    jws, errors = joserfc_module("jws"), joserfc_module("errors")

    class Registry(jws.JWSRegistry):  # type: ignore[misc, name-defined]
        """The allowed algorithms, of which EdDSA may be one: it has another name since, and is no worse."""

        max_header_length = _LONGEST_HEAD
        max_payload_length = LONGEST
        max_signature_length = 2048

        def get_alg(self, name: str) -> Any:
            if name not in algorithms or name not in self.algorithms:
                raise errors.UnsupportedAlgorithmError(f"Algorithm of '{name}' is not allowed")
            return self.algorithms[name]

    return Registry(algorithms=list(algorithms), strict_check_header=False)


def _decoded(part: str) -> bytes:
    try:
        return b64decode(part.translate(_STANDARD) + "=" * (-len(part) % 4), validate=True)
    except ValueError:
        raise Untrue("no base64url") from None


def _object(text: bytes, complaint: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise Untrue(complaint) from None
    if not isinstance(found, dict):
        raise Untrue(complaint)
    return found
