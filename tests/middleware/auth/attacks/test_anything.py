"""Whatever a client sends, by all methods at once: it is never an error of ours, and never lets anybody in."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from auth_pages import CHEAP, Clock
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from wheatpaste.middleware.auth.accounts.options import StoreOptions
from wheatpaste.middleware.auth.auth import Guard
from wheatpaste.middleware.auth.methods.certificate import CertificateOptions
from wheatpaste.middleware.auth.methods.header_options import HeaderOptions
from wheatpaste.middleware.auth.methods.jwt import JwtOptions
from wheatpaste.middleware.auth.methods.tkt import TktOptions
from wheatpaste.middleware.auth.passwords.options import PasswordOptions
from wheatpaste.middleware.auth.rules import RuleOptions
from wheatpaste.middleware.auth.sessions.options import SessionOptions
from wheatpaste.middleware.auth.setup import authority_of
from wheatpaste.middleware.auth.site import METHODS, Site

SECRET = "7f3a9c51e2d84b06a5c1908e6fd2b743bb1e6c0d94f7a258"
SEEN: list[str] = []


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    user = environ.get("REMOTE_USER")
    if user is not None:
        SEEN.append(user)
    start_response("401 Unauthorized", [("Content-Type", "text/plain")])
    return [b""]


@pytest.fixture(scope="module", params=["store", "cookie"])
def guard(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    url = f"sqlite:///{tmp_path_factory.mktemp('site') / 'auth.db'}"
    parts = {
        "": Site(
            secret=SECRET,
            audit="none",
            allow_insecure=True,
            methods=METHODS,
            trusted_proxies=("192.0.2.0/24",),
            public_url="https://wiki.example.org",
            login=("passkey", "password"),
            intercept=("401", "403"),
        ),
        "store": StoreOptions(url=url),
        "password": PasswordOptions(argon2=CHEAP),
        "session": SessionOptions(mode=request.param),
        "rules": RuleOptions(
            rules={"/admin/*": "role admin and mfa", "POST /x/*": "scope a", "//h.example/*": "nobody"}
        ),
        "tkt": TktOptions(secret=SECRET + "t"),
        "header": HeaderOptions(preset="authelia", secret=SECRET + "h", secret_header="X-Secret"),
        "certificate": CertificateOptions(source="rfc9440", user="listed", fingerprints={"a" * 64: "bob"}),
        "jwt:corp": JwtOptions(issuer="http://127.0.0.1:1", audience=("us",), jwks_url="http://127.0.0.1:1/jwks"),
    }
    authority = authority_of(parts, Clock())
    yield Guard(app, authority)
    authority.close()


TEXT = st.text(st.characters(max_codepoint=255), max_size=80)
KEYS = """
HTTP_AUTHORIZATION HTTP_COOKIE HTTP_HOST HTTP_ORIGIN HTTP_REFERER HTTP_ACCEPT HTTP_ACCEPT_LANGUAGE HTTP_USER_AGENT
HTTP_SEC_FETCH_MODE HTTP_SEC_FETCH_SITE HTTP_SEC_FETCH_DEST HTTP_X_SCRIPT_NAME HTTP_X_HTTP_METHOD_OVERRIDE
HTTP_X_ORIGINAL_URL HTTP_X_ORIGINAL_METHOD HTTP_X_FORWARDED_URI HTTP_X_FORWARDED_METHOD HTTP_X_FORWARDED_HOST
HTTP_X_FORWARDED_PROTO HTTP_REMOTE_USER HTTP_REMOTE_GROUPS HTTP_X_SECRET HTTP_CLIENT_CERT HTTP_UPGRADE
CONTENT_TYPE CONTENT_LENGTH QUERY_STRING SSL_CLIENT_VERIFY SSL_CLIENT_CERT REMOTE_ADDR HTTP_TRANSFER_ENCODING
"""
PATHS = """
/ /x/y /admin/ /-/auth /-/auth/ /-/auth/login /-/auth/logout /-/auth/second /-/auth/confirm /-/auth/enrol
/-/auth/account /-/auth/account/security /-/auth/account/sessions /-/auth/account/tokens /-/auth/password
/-/auth/resume /-/auth/invite/x /-/auth/reset/x /-/auth/verify /-/auth/forward /-/auth/passkey/options
/-/auth/login/passkey /-/auth/second/passkey /-/auth/confirm/passkey /-/auth/enrol/passkey /-/auth/static/x
/.well-known/oauth-protected-resource
"""
WORDS = """
Basic|Basic Ym9iOng=|Basic Og==|Digest|Bearer x.y.z|Bearer eyJhbGciOiJub25lIn0.e30.|Bearer wpt_x|null|navigate|document
POST|-1|999999999999999999999999999999|websocket|https://h.example/|https://[::1/|//|::1|unix|no address
application/x-www-form-urlencoded|multipart/form-data; boundary=
"""
COOKIES = [f"__Host-wheatpaste.{name}" for name in ("session", "login", "post", "form")]
FIELDS = "username username* realm nonce uri response qop nc cnonce algorithm userhash opaque"
VALUES = st.one_of(
    TEXT,
    st.sampled_from(WORDS.replace("\n", "|").strip("|").split("|")),
    st.builds("{0}={1}; {0}={2}".format, st.sampled_from([*COOKIES, "auth_tkt"]), TEXT, TEXT),
    st.builds("{}={}".format, st.sampled_from(COOKIES), st.text("0123456789abcdefAZ-_", min_size=30, max_size=140)),
    st.dictionaries(st.sampled_from(FIELDS.split()), TEXT).map(
        lambda told: "Digest " + ", ".join(f'{name}="{value}"' for name, value in told.items())
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(
        ["GET", "HEAD", "POST", "PUT", "OPTIONS", "TRACE", "DELETE", "CONNECT", "PROPFIND", "post", ""]
    ),
    path=st.one_of(
        st.sampled_from(PATHS.split()), TEXT.map(lambda text: "/" + text), TEXT.map(lambda text: "/-/auth/" + text)
    ),
    headers=st.dictionaries(st.sampled_from(KEYS.split()), VALUES, max_size=7),
    body=st.binary(max_size=60),
)
@example(
    method="POST", path="/-/auth/login", headers={"CONTENT_TYPE": "application/x-www-form-urlencoded"}, body=b"\xff"
)
def test_it_is_never_an_error_of_ours(
    guard: Guard, method: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    SEEN.clear()
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "wiki.example.org",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        **headers,
    }
    got: list[Any] = []
    pieces = guard(environ, lambda status, headers, exc_info=None: got.append((status, headers)))  # type: ignore[arg-type,misc]
    text = b"".join(pieces)
    status, sent = got[-1]
    assert status[:1] in "234" or status[:3] == "503", (status, text)
    if status[:3] == "503":
        assert headers.get("HTTP_AUTHORIZATION", "").lower().startswith("bearer")  # the keys cannot be fetched
    assert all("\r" not in value and "\n" not in value and value.isascii() for _, value in sent)
    assert SEEN == []
    if method == "HEAD":
        assert text == b""
