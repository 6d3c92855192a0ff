"""Method ``digest``: a proof of the password with each request, which does not show it (RFC 7616).

Only ``qop=auth``, with SHA-256, and MD5 where ``legacy_md5`` is set for clients that know nothing better. Each proof is
for one method and one target, and counts once.
"""

from __future__ import annotations

import hmac
import math
import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_to_bytes

from ....config.options import component, option
from ....config.values import Seconds
from ....protocol.wsgi import Environ
from ...storage.store import Store
from ..account import Account
from ..identity import Identity
from ..method import Failed
from ..names import composed
from ..sources.htdigest import digest_hash
from .auth_params import credentials, extended_text, parameters, quoted, text_of
from .basic import refusal
from .digest_nonce import Nonces

if TYPE_CHECKING:
    from ..audit import Audit
    from ..directory import Directory
    from ..passwords.throttle import Throttle
    from ..vault import Vault
    from ..visit import Visit
    from .digest_secrets import Secrets

_COUNT = re.compile(r"[0-9A-Fa-f]{8}")
_RESPONSE = re.compile(r"[0-9A-Fa-f]{32}(?:[0-9A-Fa-f]{32})?")
_STALE = "stale"


def _life_complaint(seconds: float) -> str | None:
    return None if 10 <= seconds <= 86400 else "must be between 10s and 1d"


@component
class DigestOptions:
    """A proof of the password with each request."""

    legacy_md5: bool = option(default=False, doc="Offer MD5, too, for clients without SHA-256.")
    nonce: Seconds = option(
        default=300.0,
        doc="How long a nonce is good; then clients get a new one, without asking their user.",
        check=_life_complaint,
    )
    userhash: bool = option(default=False, doc="Let clients send a hash in the place of the name.")

    @property
    def algorithms(self) -> tuple[str, ...]:
        """What is offered, the strongest first."""
        return ("SHA-256", "MD5") if self.legacy_md5 else ("SHA-256",)


class _Proof(NamedTuple):
    """What a client sent, as far as it has the right form."""

    username: str
    is_userhash: bool
    nonce: str
    uri: str
    response: str
    algorithm: str
    cnonce: str
    nc: str


class Digest:
    """Method ``digest``. Who has a second factor, or has to change the password, is refused as by ``Basic``."""

    name = "digest"

    def __init__(
        self,
        directory: Directory,
        secrets: Secrets,
        throttle: Throttle,
        realm: str,
        store: Store,
        vault: Vault,
        audit: Audit,
        options: DigestOptions | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._options = options or DigestOptions()
        self._directory = directory
        self._secrets = secrets
        self._throttle = throttle
        self._realm = realm
        self._vault = vault
        self._audit = audit
        self._clock = clock
        self._nonces = Nonces(store, vault, realm, self._options.nonce, clock)

    def identify(self, visit: Visit) -> Identity | Failed | None:
        """Who the request is from. What cannot be read counts as nothing."""
        given = credentials(visit.header("Authorization"), "digest")
        found = None if given is None else parameters(given)
        if found is None:
            return None
        proof = self._read(found)
        if isinstance(proof, str):
            return Failed(proof)
        return self._judge(visit, proof)

    def challenges(self, visit: Visit) -> Sequence[str]:
        """One for each algorithm, with a new nonce."""
        failed = visit.failed.get(self.name)
        further = ", stale=true" if failed is not None and failed.error == _STALE else ""
        if self._options.userhash:
            further += ", userhash=true"
        nonce = self._nonces.new()
        return [
            f'Digest realm={quoted(self._realm)}, nonce="{nonce}", qop="auth", algorithm={algorithm},'
            f' opaque="{self._opaque()}", charset=UTF-8{further}'
            for algorithm in self._options.algorithms
        ]

    def _read(self, found: dict[str, str]) -> _Proof | str:
        """The proof, or why it is none, for the log."""
        algorithm = next(
            (each for each in self._options.algorithms if each.lower() == found.get("algorithm", "MD5").lower()), None
        )
        if algorithm is None:
            return "algorithm not offered"
        if found.get("qop", "").lower() != "auth":
            return "no qop"
        if text_of(found.get("realm", "")) != self._realm:
            return "another realm"
        if not hmac.compare_digest(found.get("opaque", "").encode("latin-1", "replace"), self._opaque().encode()):
            return "another opaque"
        is_userhash = found.get("userhash", "").lower() == "true"
        if ("username" in found) == ("username*" in found) or (is_userhash and "username" not in found):
            return "malformed"
        extended = found.get("username*")
        username = text_of(found["username"]) if extended is None else extended_text(extended)
        if not username or not found.get("cnonce") or not found.get("uri"):
            return "malformed"
        if not _COUNT.fullmatch(found.get("nc", "")) or not _RESPONSE.fullmatch(found.get("response", "")):
            return "malformed"
        return _Proof(
            username=username,
            is_userhash=is_userhash,
            nonce=found.get("nonce", ""),
            uri=found["uri"],
            response=found["response"].lower(),
            algorithm=algorithm,
            cnonce=found["cnonce"],
            nc=found["nc"],
        )

    def _judge(self, visit: Visit, proof: _Proof) -> Identity | Failed:
        if not is_target(visit.environ, proof.uri):
            return self._failed(visit, None, proof.username, "another target")
        nonce = self._nonces.read(proof.nonce)
        if nonce is None:
            return self._failed(visit, None, proof.username, "no nonce of ours")
        account = self._account(proof)
        name = proof.username if account is None else account.name
        kept_secret = None if account is None else self._secrets.ha1(account, self._realm, proof.algorithm)
        # For a name that nobody has the same is computed, with a hash that nobody knows.
        secret = kept_secret or self._nobodys_secret(name)
        is_right = hmac.compare_digest(_response(secret, visit.method, proof), proof.response)
        seconds = self._throttle.peek(visit, name)
        if seconds is not None:
            self._audit.note("login.throttled", visit, name=name, reason="account", method=self.name)
            return Failed("throttled", status=429, retry_after=math.ceil(seconds))
        if account is None or kept_secret is None or not is_right:
            self._throttle.admit(visit)
            self._throttle.wait(visit, name)
            return self._failed(visit, account, name, "unknown user" if account is None else "wrong password")
        refused = refusal(visit, account)
        if refused is not None:
            return self._failed(visit, account, name, refused.reason)
        age = self._nonces.age(nonce)
        if age > 1:
            return Failed("stale nonce", error=_STALE)
        if int(proof.nc, 16) == 0 or not self._nonces.use(nonce, int(proof.nc, 16)):
            # It may be an attack, or a client that sent two at once: with a new nonce the right one can go on.
            self._audit.note("login.fail", visit, account, reason="replayed", method=self.name)
            return Failed("replayed", error=_STALE)
        if int(proof.nc, 16) == 1:
            self._throttle.recognize(visit, name)
        self._add_info(visit, secret, proof, age)
        return Identity.of(account, self.name, amr=("pwd",), auth_time=self._clock())

    def _account(self, proof: _Proof) -> Account | None:
        username: str | None = proof.username
        if proof.is_userhash:
            if not self._options.userhash:
                return None
            username = self._secrets.named_by(proof.username.lower(), self._realm, proof.algorithm)
        name = None if username is None else composed(username)
        account = None if name is None else self._directory.find(name)
        # What was hashed is one spelling of the name, and only for that one the hash is right.
        return account if account is not None and account.name == name else None

    def _add_info(self, visit: Visit, secret: str, proof: _Proof, age: float) -> None:
        info = (
            f'rspauth="{_response(secret, "", proof)}", qop=auth, cnonce={quoted(text_of(proof.cnonce))}, nc={proof.nc}'
        )
        if age > 0.5:
            info += f', nextnonce="{self._nonces.new()}"'
        visit.headers.append(("Authentication-Info", info))

    def _failed(self, visit: Visit, account: Account | None, name: str, reason: str) -> Failed:
        if account is None:
            self._audit.note("login.fail", visit, name=name, reason=reason, method=self.name)
        else:
            self._audit.note("login.fail", visit, account, reason=reason, method=self.name)
        return Failed(reason)

    def _nobodys_secret(self, name: str) -> str:
        return hmac.digest(self._vault.key("digest"), name.encode("utf-8", "surrogatepass"), "sha256").hex()

    def _opaque(self) -> str:
        return hmac.digest(self._vault.key("digest"), b"opaque " + self._realm.encode(), "sha256").hex()[:32]


def _response(secret: str, method: str, proof: _Proof) -> str:
    """What the client had to compute (RFC 7616 section 3.4.1); with an empty method, what the server answers."""
    ha2 = digest_hash(proof.algorithm, f"{method}:{proof.uri}".encode("latin-1", "replace"))
    text = f"{secret}:{proof.nonce}:{proof.nc}:{proof.cnonce}:auth:{ha2}"
    return digest_hash(proof.algorithm, text.encode("latin-1", "replace"))


def is_target(environ: Environ, uri: str) -> bool:
    """Whether ``uri`` is the target of this request: its path as the client sent it, and its query.

    A target in absolute form (RFC 9112 section 3.2.2) is compared by what stands behind the host. Where a proxy has
    taken a part of the path away, what the app is called with is compared.
    """
    path, query = _origin_form(uri)
    if query != environ.get("QUERY_STRING", ""):
        return False
    called = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1", "replace")
    if unquote_to_bytes(path.encode("latin-1", "replace")) != called:
        return False
    raw = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    if not raw:
        return True
    sent = _origin_form(raw)[0]
    return path == sent or unquote_to_bytes(sent.encode("latin-1", "replace")) != called


def _origin_form(uri: str) -> tuple[str, str]:
    """Path and query of a target, both as they were sent."""
    if not uri.startswith("/"):
        scheme, separator, rest = uri.partition("://")
        if not separator or not scheme.isalnum():
            return uri, ""
        uri = rest[rest.index("/") :] if "/" in rest else "/"
    path, _, query = uri.partition("?")
    return path, query
