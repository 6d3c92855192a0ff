"""The public keys of an issuer (RFC 7517), and which of them may have signed a token."""

from __future__ import annotations

import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from ....config.problems import ConfigError, Problem
from .failures import Unreachable
from .renewed import Fresh, Renewed

if TYPE_CHECKING:
    from .outbound import Outbound

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
"""The signatures that can be allowed. All are of two keys: with a secret that both know, either could have signed."""
USUAL_ALGORITHMS = ("RS256", "ES256", "PS256", "EdDSA")

_MOST_KEYS = 50
_LEAST_RSA_BYTES = 256  # 2048 bits, RFC 7518 section 3.3
_MOST_RSA_BYTES = 1024
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "Ed25519": "Ed25519", "EdDSA": "Ed25519"}


class PublicKey(NamedTuple):
    """A key of an issuer: ``curve`` is empty for RSA, ``algorithm`` where the key is for all of its kind."""

    id: str | None
    kind: str
    curve: str
    algorithm: str
    key: Any

    def fits(self, algorithm: str) -> bool:
        """Whether a signature of this algorithm can be of this key."""
        if self.algorithm and algorithm not in _same(self.algorithm):
            return False
        if algorithm[:2] in ("RS", "PS"):
            return self.kind == "RSA"
        return self.kind == ("OKP" if algorithm in ("EdDSA", "Ed25519") else "EC") and (
            self.curve == _CURVES.get(algorithm)
        )


class IssuerKeys:
    """The keys at one address; ``address`` is asked each time, since it may come from a document that changes."""

    def __init__(self, address: Callable[[], str], outbound: Outbound, clock: Callable[[], float] = time.time) -> None:
        self._address = address
        self._outbound = outbound
        self._kept = Renewed(self._fetch, clock)

    def candidates(self, key_id: str | None, algorithm: str) -> list[PublicKey]:
        """The keys that may have signed; none where the issuer has no such key. Raises ``Unreachable``.

        An id that is not known may be that of a new key: then the keys are fetched again, once a minute at most. A
        token that names no key is one of an issuer that has a single fitting key.
        """
        found = _fitting(self._kept.get(), key_id, algorithm)
        if not found and key_id is not None:
            found = _fitting(self._kept.renewed() or (), key_id, algorithm)
        return found if key_id is not None or len(found) == 1 else []

    def after_failure(self, key_id: str | None, algorithm: str) -> list[PublicKey]:
        """The keys once more, where a signature was not of those that there were: a key may have kept its id."""
        return _fitting(self._kept.renewed() or (), key_id, algorithm)

    def _fetch(self) -> Fresh[tuple[PublicKey, ...]]:
        reply = self._outbound.get(self._address())
        if reply.status != 200:
            raise Unreachable(f"status {reply.status} instead of its keys")
        found = public_keys(reply.document())
        if not found:
            raise Unreachable("it has no keys that can be used")
        return Fresh(found, reply.max_age)


def public_keys(document: dict[str, Any]) -> tuple[PublicKey, ...]:
    """The keys of a set that can have signed something; what is not understood is left out (RFC 7517 section 5)."""
    listed = document.get("keys")
    if not isinstance(listed, list):
        return ()
    return tuple(key for each in listed[:_MOST_KEYS] if (key := _read(each)) is not None)


def elliptic_key(pem: bytes, key_id: str) -> PublicKey | None:
    """A key on an elliptic curve that is published by itself; None for what is none."""
    key = _imported(pem, "EC")
    return None if key is None else PublicKey(key_id, "EC", key.curve_name, "", key)


def _read(told: Any) -> PublicKey | None:
    if not isinstance(told, dict) or told.get("use", "sig") != "sig":
        return None
    kind, key_id, algorithm = told.get("kty"), told.get("kid"), told.get("alg", "")
    uses = told.get("key_ops", ["verify"])
    if kind not in ("RSA", "EC", "OKP") or not isinstance(algorithm, str) or not isinstance(uses, list):
        return None
    if "verify" not in uses or not (key_id is None or isinstance(key_id, str)):
        return None
    if kind == "RSA" and not _LEAST_RSA_BYTES <= _length(told.get("n")) <= _MOST_RSA_BYTES:
        return None
    members = ("kty", "n", "e") if kind == "RSA" else ("kty", "crv", "x", "y")
    key = _imported({name: told[name] for name in members if isinstance(told.get(name), str)}, kind)
    return None if key is None else PublicKey(key_id, kind, str(told.get("crv", "")), algorithm, key)


def _imported(told: dict[str, str] | bytes, kind: str) -> Any:
    try:
        key = joserfc_module("jwk").import_key(told, kind)
        key.get_op_key("verify")  # a point that is not on its curve is found here
    except (ValueError, TypeError, KeyError, joserfc_module("errors").JoseError):
        return None
    return key


def joserfc_module(name: str) -> Any:
    """A module of joserfc, which is loaded when the first token comes."""
    return import_module(f"joserfc.{name}")


def require_packages() -> None:
    """Say at the start what would be found missing at the first login. Raises ``ConfigError``."""
    lacking = [each for each in ("joserfc", "urllib3", "cryptography") if find_spec(each) is None]
    if lacking:
        raise ConfigError(
            Problem(
                what=f"providers and their tokens need packages that are not installed: {', '.join(lacking)}",
                fix="run: pip install 'wheatpaste[oidc]'",
                code="missing-package",
            )
        )


def _fitting(keys: tuple[PublicKey, ...], key_id: str | None, algorithm: str) -> list[PublicKey]:
    return [each for each in keys if each.fits(algorithm) and (key_id is None or each.id == key_id)]


def _same(algorithm: str) -> tuple[str, ...]:
    # RFC 9864 gave EdDSA on this curve a name of its own.
    return ("EdDSA", "Ed25519") if algorithm in ("EdDSA", "Ed25519") else (algorithm,)


def _length(number: Any) -> int:
    if not isinstance(number, str) or len(number) > 2 * _MOST_RSA_BYTES:
        return 0
    try:
        return len(urlsafe_b64decode(number + "=" * (-len(number) % 4)).lstrip(b"\0"))
    except ValueError:
        return 0
