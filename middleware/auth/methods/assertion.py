"""Method ``header`` where the proxy signs what it says: Google's Identity-Aware Proxy, Cloudflare Access, AWS ALB.

What was signed for this site counts whoever has brought it, and nothing else does: neither the peer nor any of the
plain headers beside it, which are taken out of the environ. Reads the header of the preset.
"""

from __future__ import annotations

import json
import logging
import re
import time
from base64 import b64decode, urlsafe_b64decode
from binascii import Error as NotBase64
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..account import Account
from ..identity import Identity
from ..method import Failed
from ..names import composed
from ..oidc.failures import Unreachable, Untrue
from ..oidc.keys import IssuerKeys, require_packages
from ..oidc.outbound import Outbound
from ..oidc.signed import check_audience, check_times, read_signed, seconds_in, text_in
from .header import FORGEABLE
from .header_names import environ_key

if TYPE_CHECKING:
    from ..visit import Visit
    from .header import HeaderOptions

log = logging.getLogger(__name__)

_LEEWAY = 60.0
_GOOGLE = "https://cloud.google.com/iap"
_KEY_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_BALANCER = re.compile(r"arn:aws[a-z-]*:elasticloadbalancing:([a-z0-9-]+):\d+:loadbalancer/[\w/.-]+")
_MOST_KEYS = 20
_PAUSE = 60.0
"""Seconds after which a key that could not be had is asked for again."""


class Signed(NamedTuple):
    """What a signed preset reads: the header, and the claim that names the user."""

    header: str
    username: str


SIGNED = {
    "google-iap": Signed("X-Goog-IAP-JWT-Assertion", "email"),
    "cloudflare": Signed("Cf-Access-Jwt-Assertion", "email"),
    "aws-alb": Signed("X-Amzn-Oidc-Data", "email"),
}


class Assertions(Protocol):
    """What reads the assertions of one kind of proxy."""

    def read(self, text: str) -> dict[str, Any]:
        """The claims of one that holds for this site now. Raises ``Untrue`` and ``Unreachable``."""


class Issued:
    """Assertions that are JWTs, by keys that stand as a set at an address."""

    def __init__(
        self,
        issuer: str,
        audience: Sequence[str],
        address: str,
        algorithm: str,
        *,
        longest: float | None = None,
        client: Outbound | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._audience = tuple(audience)
        self._algorithms = frozenset({algorithm})
        self._longest = longest
        self._clock = clock
        self._keys = IssuerKeys(lambda: address, client or Outbound(), clock)

    def read(self, text: str) -> dict[str, Any]:
        """The claims of one that holds for this site now."""
        claims = read_signed(text, self._keys, self._algorithms).claims
        if claims.get("iss") != self._issuer:
            raise Untrue("of another issuer")
        check_audience(claims, self._audience)
        check_times(claims, self._clock(), _LEEWAY)
        end, issued = seconds_in(claims, "exp"), seconds_in(claims, "iat")
        if self._longest is not None and (end or 0) - (issued or 0) > self._longest + _LEEWAY:
            raise Untrue("holds for too long")
        return claims


class Balanced:
    """Assertions of AWS load balancers: JWTs in base64 with padding, whose head says which balancer has signed.

    ``balancers`` are their ARNs. Keys are fetched one by one, by their id.
    """

    def __init__(
        self,
        balancers: Sequence[str],
        issuer: str | None,
        address: str,
        *,
        client: Outbound | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._balancers = tuple(balancers)
        self._issuer = issuer
        self._address = address.rstrip("/")
        self._client = client or Outbound()
        self._clock = clock
        self._lock = Lock()
        self._keys: OrderedDict[str, Any] = OrderedDict()
        self._refused: OrderedDict[str, float] = OrderedDict()

    def read(self, text: str) -> dict[str, Any]:
        """The claims of one that holds for this site now."""
        if len(text) > 32 * 1024 or not text.isascii() or text.count(".") != 2:
            raise Untrue("no signed token")
        head_text, claims_text, signature_text = text.split(".")
        head = _object(head_text)
        if head.get("alg") != "ES256":
            raise Untrue("algorithm not allowed")
        if head.get("signer") not in self._balancers:
            raise Untrue("of another load balancer")
        key_id = head.get("kid")
        if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
            raise Untrue("no key id")
        _verify(self._key(key_id), f"{head_text}.{claims_text}".encode(), _bytes(signature_text))
        claims = _object(claims_text)
        if self._issuer is not None and {head.get("iss"), claims.get("iss", self._issuer)} != {self._issuer}:
            raise Untrue("of another issuer")
        for told in (head, claims):
            if "exp" in told:
                check_times(told, self._clock(), _LEEWAY, needs_issue_time=False)
        if "exp" not in head:
            raise Untrue("no expiry")
        return claims

    def _key(self, key_id: str) -> Any:
        with self._lock:
            known = self._keys.get(key_id)
            if known is not None:
                return known
            # Ids are not secret: whoever makes some up must not have us ask for each of them, again and again.
            if self._clock() < self._refused.get(key_id, 0) or self._is_flooded():
                raise Untrue("unknown key")
        reply = self._client.get(f"{self._address}/{key_id}")
        found = _public_key(reply.body) if reply.status == 200 else None
        with self._lock:
            if found is None:
                self._refused[key_id] = self._clock() + _PAUSE
                while len(self._refused) > _MOST_KEYS:
                    self._refused.popitem(last=False)
                raise Untrue("unknown key")
            self._keys[key_id] = found
            while len(self._keys) > _MOST_KEYS:
                self._keys.popitem(last=False)
        return found

    def _is_flooded(self) -> bool:
        now = self._clock()
        return sum(1 for until in self._refused.values() if until > now) >= _MOST_KEYS


class SignedHeader:
    """The method ``header``, for a proxy that signs. Raises ``ConfigError`` where packages are not installed."""

    name = "header"

    def __init__(
        self,
        options: HeaderOptions,
        directory: Any = None,
        complete: Callable[[Account], Account] | None = None,
        clock: Callable[[], float] = time.time,
        assertions: Assertions | None = None,
    ) -> None:
        require_packages()
        self._options = options
        self._preset = SIGNED[options.preset]
        self._key = environ_key(self._preset.header)
        self._directory = directory
        self._complete = complete
        self._assertions = assertions if assertions is not None else assertions_of(options, clock)

    def strip(self, visit: Visit) -> None:
        """Take out of the environ what names a user and is not signed."""
        for key in (FORGEABLE - {self._key}).intersection(visit.environ):
            del visit.environ[key]

    def identify(self, visit: Visit) -> Identity | Failed | None:
        """Who the proxy says it is, by its signature."""
        text = visit.environ.get(self._key)
        if not text:
            return None
        try:
            claims = self._assertions.read(text)
            name = composed(text_in(claims, self._options.user_claim or self._preset.username))
            subject = text_in(claims, "sub")
        except Untrue as error:
            return Failed(f"header: {error}")
        except Unreachable as error:
            log.warning("the keys of a proxy that signs cannot be had: %s", error)
            return Failed("header: keys cannot be had", description="Try again later.", status=503, retry_after=60)
        if name is None:
            return Failed("no user's name")
        return self._admitted(name, subject, claims)

    def challenges(self, visit: Visit) -> Sequence[str]:
        """None: the proxy asks."""
        return ()

    def _admitted(self, name: str, subject: str, claims: dict[str, Any]) -> Identity | Failed:
        options = self._options
        account = None if options.accounts == "none" or self._directory is None else self._directory.find(name)
        if account is None and options.accounts == "required":
            return Failed("unknown user")
        if account is not None:
            return Failed("disabled") if account.disabled else Identity.of(account, self.name, amr=options.amr)
        email = claims.get("email")
        theirs = Account(
            f"header:{options.preset}:{subject}",
            name,
            self.name,
            str(claims.get("name") or "")[:255],
            email if isinstance(email, str) and email.count("@") == 1 else "",
        )
        if self._complete is not None:
            theirs = self._complete(theirs)
        return Identity.of(theirs, self.name, amr=options.amr)._replace(account=None)


def assertions_of(options: HeaderOptions, clock: Callable[[], float] = time.time) -> Assertions:
    """What reads the assertions that the options speak of."""
    client = Outbound(options.ca_file)
    if options.preset == "google-iap":
        address = options.keys_url or "https://www.gstatic.com/iap/verify/public_key-jwk"
        return Issued(_GOOGLE, options.audience, address, "ES256", longest=600, client=client, clock=clock)
    issuer = (options.issuer or "").rstrip("/")
    if options.preset == "cloudflare":
        address = options.keys_url or f"{issuer}/cdn-cgi/access/certs"
        return Issued(issuer, options.audience, address, "RS256", client=client, clock=clock)
    found = _BALANCER.fullmatch(options.audience[0])
    region = "" if found is None else found[1]
    address = options.keys_url or f"https://public-keys.auth.elb.{region}.amazonaws.com"
    return Balanced(options.audience, options.issuer, address, client=client, clock=clock)


def _object(part: str) -> dict[str, Any]:
    try:
        found = json.loads(_bytes(part))
    except (ValueError, RecursionError):
        raise Untrue("no JSON") from None
    if not isinstance(found, dict):
        raise Untrue("no object")
    return found


def _bytes(part: str) -> bytes:
    padded = part + "=" * (-len(part) % 4)
    try:
        return b64decode(padded, validate=True) if set("+/") & set(part) else urlsafe_b64decode(padded)
    except (NotBase64, ValueError):
        raise Untrue("no base64") from None


def _public_key(pem: bytes) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        found = load_pem_public_key(pem)
    except ValueError:
        return None
    return found if isinstance(found, EllipticCurvePublicKey) and isinstance(found.curve, SECP256R1) else None


def _verify(key: Any, signed: bytes, signature: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    if len(signature) != 64:
        raise Untrue("signature wrong")
    numbers = (int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    try:
        key.verify(encode_dss_signature(*numbers), signed, ECDSA(SHA256()))
    except InvalidSignature:
        raise Untrue("signature wrong") from None
