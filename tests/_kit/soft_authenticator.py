"""A passkey in software, which does as it is told: also what no honest authenticator does."""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2 import cbor
from fido2.cose import ES256

PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40


def text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def raw(encoded: str) -> bytes:
    return urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


class SoftAuthenticator:
    """Holds one passkey for a site."""

    def __init__(self, origin: str = "https://wiki.example.org", domain: str = "wiki.example.org") -> None:
        self.origin = origin
        self.domain = domain
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(32)
        self.handle: str | None = None
        self.counter = 0

    def client_data(self, kind: str, options: dict[str, Any], **changed: Any) -> bytes:
        told = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps({**told, **changed}).encode()

    def create(self, options: dict[str, Any], *, flags: int = PRESENT | VERIFIED, **changed: Any) -> str:
        """Answer to being asked for a new passkey."""
        self.handle = options["user"]["id"]
        client = self.client_data("webauthn.create", options, **changed)
        public = cbor.encode(dict(ES256.from_cryptography_key(self.key.public_key())))
        credential = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        data = self._data(flags | ATTESTED) + credential
        made = cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
        response = {"clientDataJSON": text(client), "attestationObject": text(made), "transports": ["internal"]}
        return self._written(response)

    def get(
        self,
        options: dict[str, Any],
        *,
        flags: int = PRESENT | VERIFIED,
        handle: str | None = "",
        step: int = 1,
        broken: bool = False,
        **changed: Any,
    ) -> str:
        """Answer to being asked for a signature. ``step`` is what the counter grows by."""
        self.counter += step
        client = self.client_data("webauthn.get", options, **changed)
        data = self._data(flags)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        if broken:
            signature = signature[:-1] + bytes([signature[-1] ^ 1])
        response = {
            "clientDataJSON": text(client),
            "authenticatorData": text(data),
            "signature": text(signature),
            "userHandle": self.handle if handle == "" else handle,
        }
        return self._written(response)

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.domain.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4, "big")

    def _written(self, response: dict[str, Any]) -> str:
        known = {"id": text(self.id), "rawId": text(self.id), "type": "public-key", "clientExtensionResults": {}}
        return json.dumps({**known, "response": response})
