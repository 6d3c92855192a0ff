"""How this site shows a provider's token endpoint who it is (OpenID Connect Core 1.0 section 9)."""

from __future__ import annotations

import secrets
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote_plus

from ....config.problems import ConfigError, Problem
from .keys import joserfc_module
from .options import OidcOptions

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SECONDS = 120
_KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


class Shown(NamedTuple):
    """What goes along with a request: form fields and headers."""

    fields: dict[str, str]
    headers: dict[str, str]


class ClientKey:
    """The secret or key of this site at one provider."""

    __redact__ = True

    def __init__(self, options: OidcOptions, clock: Callable[[], float] = time.time) -> None:
        self._options = options
        self._clock = clock
        self._key: Any = None

    def show(self, audience: str) -> Shown:
        """What to send to ``audience``."""
        options = self._options
        if options.client_auth == "client_secret_basic":
            # RFC 6749 section 2.3.1: both are form-encoded first, so that a colon in one is none between them.
            pair = f"{quote_plus(options.client_id)}:{quote_plus(options.client_secret or '')}"
            return Shown({}, {"Authorization": "Basic " + b64encode(pair.encode()).decode("ascii")})
        if options.client_auth == "client_secret_post":
            return Shown({"client_id": options.client_id, "client_secret": options.client_secret or ""}, {})
        if options.client_auth == "none":
            return Shown({"client_id": options.client_id}, {})
        return Shown(
            {
                "client_id": options.client_id,
                "client_assertion_type": _ASSERTION,
                "client_assertion": self._assertion(audience),
            },
            {},
        )

    def _assertion(self, audience: str) -> str:
        options, now = self._options, int(self._clock())
        head = {"alg": options.client_key_algorithm, "typ": "JWT"}
        if options.client_key_id:
            head["kid"] = options.client_key_id
        claims = {
            "iss": options.client_id,
            "sub": options.client_id,
            "aud": audience,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + _SECONDS,
        }
        made: str = joserfc_module("jwt").encode(head, claims, self.read(), algorithms=[options.client_key_algorithm])
        return made

    def read(self) -> Any:
        """The private key. Raises ``ConfigError`` where it cannot be read, or others can."""
        if self._key is None:
            path = self._options.client_key or Path()
            try:
                if path.stat().st_mode & 0o077:
                    raise ConfigError(
                        Problem(
                            what=f"client_key: others than its owner may read or write {path}",
                            fix=f"run: chmod 600 {path}",
                            code="client-key",
                        )
                    )
                text = path.read_text(encoding="ascii")
                found = joserfc_module("jwk").import_key(text, _KINDS[self._options.client_key_algorithm[:2]])
            except (OSError, ValueError, joserfc_module("errors").JoseError) as error:
                raise ConfigError(
                    Problem(
                        what=f"client_key: {path} cannot be read as a private key ({type(error).__name__})",
                        fix="write the path of an unencrypted PEM file",
                        code="client-key",
                    )
                ) from error
            self._key = found
        return self._key
