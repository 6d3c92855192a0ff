"""An OpenID provider on loopback that does everything right until a test tells it what to do wrong."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwk, jws

Claims = dict[str, Any]
CLIENT, SECRET = "wiki", "s:cret %+ of the wiki"


def rsa_key(kid: str, **more: str) -> Any:
    return jwk.generate_key("RSA", 2048, {"kid": kid, "use": "sig", **more}, private=True)


_SIGNING = rsa_key("one")
_OTHER = rsa_key("two")


class HostileProvider:
    """Change its attributes to make it hostile.

    ``user`` are the claims about who logs in, ``id_claims`` and ``claims_of`` change those of ID tokens, ``sign`` makes
    the token, ``metadata`` members override the document's, ``instead`` has a function for a path that answers itself.
    ``asked`` are the requests that came: method, path, fields, headers.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.user: Claims = {"sub": "alice-1", "preferred_username": "alice", "name": "Alice A."}
        self.userinfo: Claims | None = None
        self.id_claims: Claims = {}
        self.claims_of: Callable[[Claims], Claims] = lambda claims: claims
        self.sign: Callable[[Claims], str] = lambda claims: self.signed(claims)
        self.metadata: Claims = {}
        self.instead: dict[str, Callable[[Any], None]] = {}
        self.token_extra: Claims = {}
        self.refusal: str | None = None
        self.names_itself_as: str | None = ""
        self.signing = _SIGNING
        self.published: list[Any] = [_SIGNING]
        self.asked: list[tuple[str, str, dict[str, str], dict[str, str]]] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.refresh_token = "refresh-1"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.issuer = self.url
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(20)

    def paths(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(1 for _, each, _, _ in self.asked if each == path)

    def rotate(self) -> None:
        """Sign with another key from now on, and publish that alone."""
        self.signing, self.published = _OTHER, [_OTHER]

    def signed(self, claims: Claims, key: Any = None, alg: str = "RS256", **head: Any) -> str:
        key = key or self.signing
        head = {"alg": alg, "kid": key.kid, **head}
        header = {name: value for name, value in head.items() if value is not None}
        # As ASCII: JSON can escape what no UTF-8 can hold.
        return jws.serialize_compact(header, json.dumps(claims).encode(), key, algorithms=[alg])

    def id_token(self, nonce: str | None, access: str | None) -> str:
        now = int(self.clock())
        claims: Claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "sid": "s1",
        }
        if nonce is not None:
            claims["nonce"] = nonce
        if access is not None:
            half = hashlib.sha256(access.encode()).digest()[:16]
            claims["at_hash"] = base64.urlsafe_b64encode(half).decode().rstrip("=")
        return self.sign(self.claims_of({**claims, **self.user, **self.id_claims}))

    def logout_token(self, **changes: Any) -> str:
        now = int(self.clock())
        head = {"typ": "logout+jwt", **changes.pop("head", {})}
        claims: Claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 120,
            "jti": changes.pop("jti", f"jti-{len(self.asked)}-{time.monotonic_ns()}"),
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            "sub": self.user["sub"],
            "sid": "s1",
            **changes,
        }
        return self.signed({name: value for name, value in claims.items() if value is not None}, **head)

    def grant(self, fields: dict[str, str]) -> tuple[int, Claims]:
        """The answer of the token endpoint."""
        if self.refusal is not None:
            return 400, {"error": self.refusal}
        nonce = None
        if fields.get("grant_type") == "authorization_code":
            asked = self.codes.pop(fields.get("code", ""), None)
            digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if (
                asked is None
                or asked["redirect_uri"] != fields.get("redirect_uri")
                or asked["code_challenge"] != challenge
            ):
                return 400, {"error": "invalid_grant"}
            nonce = asked.get("nonce")
        elif fields.get("refresh_token") == self.refresh_token:
            self.refresh_token += "+"
        else:
            return 400, {"error": "invalid_grant"}
        access = f"access-{len(self.asked)}"
        return 200, {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": 600,
            "refresh_token": self.refresh_token,
            "id_token": self.id_token(nonce, access),
            **self.token_extra,
        }

    def document(self) -> Claims:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "end_session_endpoint": f"{self.url}/end?x=1",
            "pushed_authorization_request_endpoint": f"{self.url}/par",
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none", "EdDSA"],
            "authorization_response_iss_parameter_supported": True,
            **self.metadata,
        }

    def _authorize(self, handler: Any, fields: dict[str, str]) -> None:
        if "request_uri" in fields:
            fields = self.codes.pop(fields["request_uri"])
        code = f"code-{len(self.asked)}-{self.url[-5:]}"
        self.codes[code] = fields
        back = {"code": code, "state": fields["state"]}
        if self.names_itself_as is not None:
            back["iss"] = self.names_itself_as or self.issuer
        handler.send_response(303)
        handler.send_header("Location", f"{fields['redirect_uri']}?{urlencode(back)}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def _answer(self, handler: Any, path: str, fields: dict[str, str]) -> tuple[int, Claims]:
        if path == "/.well-known/openid-configuration":
            return 200, self.document()
        if path == "/jwks":
            return 200, {"keys": [key.as_dict(private=False) for key in self.published]}
        if path == "/token":
            return self.grant(fields)
        if path == "/par":
            self.codes["urn:pushed"] = fields
            return 201, {"request_uri": "urn:pushed", "expires_in": 60}
        if path == "/userinfo":
            if not handler.headers.get("Authorization", "").startswith("Bearer access-"):
                return 401, {}
            return 200, self.user if self.userinfo is None else self.userinfo
        return 404, {}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.answer(dict(parse_qsl(urlsplit(self.path).query)))

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                self.answer(dict(parse_qsl(self.rfile.read(length).decode(), keep_blank_values=True)))

            def answer(self, fields: dict[str, str]) -> None:
                path = urlsplit(self.path).path
                provider.asked.append((self.command, path, fields, dict(self.headers.items())))
                if path in provider.instead:
                    self.close_connection = True
                    provider.instead[path](self)
                elif path == "/authorize":
                    provider._authorize(self, fields)
                else:
                    send_json(self, *provider._answer(self, path, fields))

            def log_message(self, *args: Any) -> None:
                """Nothing."""

        return Handler


def send_json(handler: Any, status: int, document: Any, **headers: str) -> None:
    body = json.dumps(document).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)
