"""Method ``header`` where the proxy signs what it says: Google's Identity-Aware Proxy, Cloudflare Access, AWS ALB.

What was signed for this site counts whoever has brought it, and nothing else does: neither the peer nor any of the
plain headers beside it, which are taken out of the environ. Reads the header of the preset.
"""

from __future__ import annotations

import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

from ..account import Account
from ..identity import Identity
from ..method import Failed
from ..names import composed
from ..oidc.failures import Unreachable, Untrue
from ..oidc.keys import IssuerKeys, PublicKey, elliptic_key, require_packages
from ..oidc.outbound import Outbound
from ..oidc.profile import address_in, text_at
from ..oidc.signed import (
    check_audience,
    check_times,
    claims_of,
    head_of,
    is_signed_by,
    read_signed,
    seconds_in,
    text_in,
)
from .guests import Guests, Known
from .header_names import environ_key
from .header_options import region_of
from .identity_headers import FORGEABLE, SIGNED

if TYPE_CHECKING:
    from ..visit import Visit
    from .header_options import HeaderOptions

log = logging.getLogger(__name__)

_LEEWAY = 60.0
_ES256 = "ES256"
_GOOGLE = "https://cloud.google.com/iap"
_KEY_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_MOST_KEYS = 20
_PAUSE = 60.0
"""Seconds after which a key that could not be had is asked for again."""


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
        client: Outbound,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._audience = tuple(audience)
        self._algorithms = frozenset({algorithm})
        self._longest = longest
        self._clock = clock
        self._keys = IssuerKeys(lambda: address, client, clock)

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
        client: Outbound,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._balancers = tuple(balancers)
        self._issuer = issuer
        self._address = address.rstrip("/")
        self._client = client
        self._clock = clock
        self._lock = Lock()
        self._keys: OrderedDict[str, PublicKey] = OrderedDict()
        self._refused: OrderedDict[str, float] = OrderedDict()

    def read(self, text: str) -> dict[str, Any]:
        """The claims of one that holds for this site now."""
        head = head_of(text)
        if head.get("alg") != _ES256:
            raise Untrue("algorithm not allowed")
        if head.get("signer") not in self._balancers:
            raise Untrue("of another load balancer")
        key_id = head.get("kid")
        if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
            raise Untrue("no key id")
        if not is_signed_by(text, self._key(key_id), _ES256):
            raise Untrue("signature wrong")
        claims = claims_of(text)
        if self._issuer is not None and {head.get("iss"), claims.get("iss", self._issuer)} != {self._issuer}:
            raise Untrue("of another issuer")
        for told in (head, claims):
            if "exp" in told:
                check_times(told, self._clock(), _LEEWAY, needs_issue_time=False)
        if "exp" not in head:
            raise Untrue("no expiry")
        return claims

    def _key(self, key_id: str) -> PublicKey:
        with self._lock:
            known = self._keys.get(key_id)
            if known is not None:
                return known
            # Ids are not secret: whoever makes some up must not have us ask for each of them, again and again.
            if self._clock() < self._refused.get(key_id, 0) or self._is_flooded():
                raise Untrue("unknown key")
        reply = self._client.get(f"{self._address}/{key_id}")
        found = elliptic_key(reply.body, key_id) if reply.status == 200 else None
        with self._lock:
            if found is None or not found.fits(_ES256):
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
        directory: Known,
        complete: Callable[[Account], Account] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        require_packages()
        self._options = options
        self._key = environ_key(SIGNED[options.preset])
        self._guests = Guests(self.name, options.accounts, directory, complete, options.amr)
        self._assertions = assertions_of(options, clock)

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
            name = composed(text_in(claims, self._options.user_claim or "email"))
            subject = text_in(claims, "sub")
        except Untrue as error:
            return Failed(f"header: {error}")
        except Unreachable as error:
            log.warning("the keys of a proxy that signs cannot be had: %s", error)
            return Failed("header: keys cannot be had", description="Try again later.", status=503, retry_after=60)
        if name is None:
            return Failed("no user's name")
        guest = f"header:{self._options.preset}:{subject}"
        return self._guests.identity(Account(guest, name, self.name, text_at(claims, "name"), address_in(claims)[0]))

    def challenges(self, visit: Visit) -> Sequence[str]:
        """None: the proxy asks."""
        return ()


def assertions_of(options: HeaderOptions, clock: Callable[[], float] = time.time) -> Issued | Balanced:
    """What reads the assertions that the options speak of."""
    client = Outbound(options.ca_file)
    if options.preset == "google-iap":
        address = options.keys_url or "https://www.gstatic.com/iap/verify/public_key-jwk"
        return Issued(_GOOGLE, options.audience, address, _ES256, longest=600, client=client, clock=clock)
    issuer = (options.issuer or "").rstrip("/")
    if options.preset == "cloudflare":
        address = options.keys_url or f"{issuer}/cdn-cgi/access/certs"
        return Issued(issuer, options.audience, address, "RS256", client=client, clock=clock)
    address = options.keys_url or f"https://public-keys.auth.elb.{region_of(options.audience[0])}.amazonaws.com"
    return Balanced(options.audience, options.issuer, address, client=client, clock=clock)
