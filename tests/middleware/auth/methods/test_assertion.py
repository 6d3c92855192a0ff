"""Proxies that sign what they say: what counts is the signature, for this site and for now."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from auth_named_users import NamedUsers
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, RSAKey

from wheatpaste.config.options import OptionError
from wheatpaste.middleware.auth.audit import Audit
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.identity import Identity
from wheatpaste.middleware.auth.method import Failed
from wheatpaste.middleware.auth.methods.assertion import Balanced, SignedHeader
from wheatpaste.middleware.auth.methods.header import HeaderMethod, header_method
from wheatpaste.middleware.auth.methods.header_names import environ_key
from wheatpaste.middleware.auth.methods.header_options import HeaderOptions
from wheatpaste.middleware.auth.methods.identity_headers import SIGNED
from wheatpaste.middleware.auth.oidc.failures import Untrue
from wheatpaste.middleware.auth.oidc.outbound import Outbound
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.middleware.storage.memory import MemoryStore
from wheatpaste.testing import Clock

AUTHORITY = Authority(site=Site(), store=MemoryStore(), vault=None, audit=Audit("none"))
AUDIENCE = {
    "google-iap": "/projects/1234/global/backendServices/5678",
    "cloudflare": "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2",
    "aws-alb": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/wiki/50dc6c495c0c9188",
}
ISSUER = {"google-iap": "https://cloud.google.com/iap", "cloudflare": "https://team.cloudflareaccess.com"}
OWN, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
RSA_OWN, RSA_OTHER = (rsa.generate_private_key(65537, 2048) for _ in range(2))
PRESETS = tuple(SIGNED)
every_preset = pytest.mark.parametrize("preset", PRESETS)


@pytest.fixture(scope="module")
def keys() -> Iterator[Any]:
    """A server with the keys of all three; ``asked`` are the paths that it was asked for."""
    public = OWN.public_key()
    sets = {
        "/google-iap": {"keys": [{**ECKey.import_key(public).as_dict(), "kid": "k1", "use": "sig", "alg": "ES256"}]},
        "/cloudflare": {"keys": [{**RSAKey.import_key(RSA_OWN.public_key()).as_dict(), "kid": "k1", "use": "sig"}]},
    }
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            found = pem if self.path == "/aws-alb/k1" else None
            if self.path in sets:
                found = json.dumps(sets[self.path]).encode()
            self.send_response(200 if found is not None else 404)
            self.end_headers()
            self.wfile.write(found or b"")

        def log_message(self, *_: object) -> None:
            pass

    class Server(HTTPServer):
        asked: list[str] = []

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def encoded(data: bytes, preset: str) -> str:
    text = base64.urlsafe_b64encode(data).decode()
    return text if preset == "aws-alb" else text.rstrip("=")


def token(preset: str, clock: Clock, *, key: Any = None, head: Any = None, **claims: Any) -> str:
    """An assertion as the proxy makes it, with other members where they are given; None leaves one out."""
    now = int(clock.time())
    told = {"sub": "s-7", "email": "ada@example.org", "iat": now, "exp": now + 300, **claims}
    heads = {"alg": "RS256" if preset == "cloudflare" else "ES256", "kid": "k1"}
    if preset == "aws-alb":
        heads |= {"signer": AUDIENCE[preset], "iss": "https://id.example.org", "exp": now + 300, "client": "c"}
    else:
        told = {"aud": AUDIENCE[preset], "iss": ISSUER[preset], **told}
    heads |= head or {}
    parts = ({k: v for k, v in each.items() if v is not None} for each in (heads, told))
    signed = ".".join(encoded(json.dumps(each).encode(), preset) for each in parts)
    if preset == "cloudflare":
        signature = (key or RSA_OWN).sign(signed.encode(), padding.PKCS1v15(), SHA256())
    else:
        numbers = decode_dss_signature((key or OWN).sign(signed.encode(), ec.ECDSA(SHA256())))
        signature = b"".join(number.to_bytes(32, "big") for number in numbers)
    return f"{signed}.{encoded(signature, preset)}"


@pytest.fixture
def method(keys: Any, clock: Clock) -> Callable[..., SignedHeader]:
    def make(preset: str, **options: Any) -> SignedHeader:
        known = {
            "audience": (AUDIENCE[preset],),
            "issuer": {"cloudflare": ISSUER["cloudflare"], "aws-alb": "https://id.example.org"}.get(preset),
            "keys_url": f"http://127.0.0.1:{keys.server_port}/{preset}",
        }
        made = header_method(HeaderOptions(preset=preset, **{**known, **options}), (), NamedUsers(), clock=clock.time)
        assert isinstance(made, SignedHeader)
        return made

    return make


def identify(method: SignedHeader, preset: str, text: str, **environ: str) -> Identity | Failed | None:
    key = environ_key(SIGNED[preset])
    # Whoever brings it: a server that keeps underscores, a peer that nobody trusts.
    known = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "REMOTE_ADDR": "192.0.2.66", "SERVER_SOFTWARE": "Cheroot/11"}
    visit = Visit(AUTHORITY, {**known, key: text, **environ})
    method.strip(visit)
    return method.identify(visit)


@every_preset
def test_what_the_proxy_has_signed_counts_whoever_brings_it(
    preset: str, method: Callable[..., SignedHeader], clock: Clock
) -> None:
    found = identify(method(preset), preset, token(preset, clock, name="Ada L."))
    assert isinstance(found, Identity)
    assert (found.id, found.name, found.method) == (f"header:{preset}:s-7", "ada@example.org", "header")
    assert (found.email, found.display, found.account) == ("ada@example.org", "Ada L.", None)


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("another key", {"key": OTHER}),
    ("no audience", {"aud": None}),
    ("another audience", {"aud": "/projects/1/global/backendServices/2"}),
    ("another issuer", {"iss": "https://evil.example"}),
    ("no expiry", {"exp": None}),
    ("expired", {"exp": 999_999_000}),
    ("no subject", {"sub": None}),
    ("no name", {"email": None}),
    ("a name that is none", {"email": "a\nb"}),
    ("a number for a name", {"email": 7}),
    ("no algorithm", {"head": {"alg": "none"}}),
    ("a symmetric algorithm", {"head": {"alg": "HS256"}}),
    ("an unknown key id", {"head": {"kid": "k2"}}),
    ("a key id that is a path", {"head": {"kid": "../google-iap"}}),
    ("a key id that is no text", {"head": {"kid": 7}}),
]


@every_preset
@pytest.mark.parametrize(("what", "change"), WRONG, ids=[what for what, _ in WRONG])
def test_what_is_not_signed_for_us_and_now_counts_for_nothing(
    preset: str, what: str, change: dict[str, Any], method: Callable[..., SignedHeader], clock: Clock
) -> None:
    change = dict(change)
    if preset == "cloudflare" and "key" in change:
        change["key"] = RSA_OTHER
    if preset == "aws-alb":
        # There the head says whom it is from, and until when.
        renamed = {"iss": ("iss", change.get("iss")), "exp": ("exp", change.get("exp"))}
        for name in renamed.keys() & change.keys():
            change = {"head": {name: change[name]}}
        if "aud" in change:
            change = {"head": {"signer": change["aud"] and AUDIENCE[preset].replace("wiki", "evil")}}
    found = identify(method(preset), preset, token(preset, clock, **change))
    assert isinstance(found, Failed), what
    assert found.status == 401


def test_an_assertion_of_google_holds_for_ten_minutes_at_most(
    method: Callable[..., SignedHeader], clock: Clock
) -> None:
    long = token("google-iap", clock, exp=int(clock.time()) + 3600)
    assert identify(method("google-iap"), "google-iap", long) == Failed("header: holds for too long")


@every_preset
def test_an_assertion_ends(preset: str, method: Callable[..., SignedHeader], clock: Clock) -> None:
    made = method(preset)
    text = token(preset, clock)
    clock.advance(300)
    assert isinstance(identify(made, preset, text), Identity)
    clock.advance(61)
    assert isinstance(identify(made, preset, text), Failed)


@every_preset
@pytest.mark.parametrize("place", [3, -5])
def test_a_changed_assertion_counts_for_nothing(
    preset: str, place: int, method: Callable[..., SignedHeader], clock: Clock
) -> None:
    for index in range(3):
        parts = token(preset, clock).split(".")
        text = parts[index]
        parts[index] = text[:place] + ("A" if text[place] != "A" else "B") + text[place:][1:]
        assert isinstance(identify(method(preset), preset, ".".join(parts)), Failed)


@every_preset
def test_plain_headers_beside_it_are_taken_away(preset: str, method: Callable[..., SignedHeader], clock: Clock) -> None:
    plain = ("HTTP_REMOTE_USER", "HTTP_X_GOOG_AUTHENTICATED_USER_EMAIL", "HTTP_X_AMZN_OIDC_IDENTITY")
    visit = Visit(AUTHORITY, {"REQUEST_METHOD": "GET", "PATH_INFO": "/", **dict.fromkeys(plain, "evil")})
    made = method(preset)
    made.strip(visit)
    assert not [key for key in visit.environ if key.startswith("HTTP_")]
    assert made.identify(visit) is None


@pytest.mark.parametrize(
    ("email", "accounts", "expected"),
    [
        ("ada@example.org", "required", "local:1"),
        ("bob@example.org", "required", "unknown user"),
        ("eve@example.org", "known", "disabled user"),
        ("bob@example.org", "known", "header:google-iap:s-7"),
    ],
)
def test_the_name_may_be_one_of_our_users(
    email: str, accounts: str, expected: str, method: Callable[..., SignedHeader], clock: Clock
) -> None:
    text = token("google-iap", clock, email=email)
    found = identify(method("google-iap", accounts=accounts), "google-iap", text)
    assert (found.reason if isinstance(found, Failed) else found and found.id) == expected


def test_another_claim_may_have_the_name(method: Callable[..., SignedHeader], clock: Clock) -> None:
    text = token("cloudflare", clock, custom="ada")
    found = identify(method("cloudflare", user_claim="custom"), "cloudflare", text)
    assert isinstance(found, Identity)
    assert found.name == "ada"


def test_keys_that_cannot_be_had_let_nobody_in_and_say_so(clock: Clock) -> None:
    options = HeaderOptions(preset="google-iap", audience=(AUDIENCE["google-iap"],), keys_url="http://127.0.0.1:9/keys")
    found = identify(SignedHeader(options, NamedUsers(), clock=clock.time), "google-iap", token("google-iap", clock))
    assert isinstance(found, Failed)
    assert found.status == 503


def test_ids_that_somebody_makes_up_are_not_asked_for_again_and_again(keys: Any, clock: Clock) -> None:
    address = f"http://127.0.0.1:{keys.server_port}/aws-alb"
    made = Balanced([AUDIENCE["aws-alb"]], None, address, client=Outbound(), clock=clock.time)
    keys.asked.clear()
    for number in range(100):
        for _ in range(2):
            with pytest.raises(Untrue, match="unknown key"):
                made.read(token("aws-alb", clock, head={"kid": f"made-up-{number}"}))
    assert len(keys.asked) <= 20
    clock.advance(61)
    assert made.read(token("aws-alb", clock))["sub"] == "s-7"
    assert made.read(token("aws-alb", clock))["sub"] == "s-7"
    assert keys.asked.count("/aws-alb/k1") == 1


@given(st.text(max_size=200))
def test_no_text_breaks_the_reading(text: str) -> None:
    made = Balanced([AUDIENCE["aws-alb"]], None, "http://127.0.0.1:9", client=Outbound())
    for each in (text, f"{text}.{text}.{text}", f"e30.{text}.", "e30.e30.e30"):
        with pytest.raises(Untrue):
            made.read(each)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "google-iap"}, "audience: is missing"),
        ({"preset": "cloudflare", "audience": ("x",)}, "must be the address of the team"),
        ({"preset": "aws-alb", "audience": ("x",)}, "must be the ARN"),
        ({"preset": "google-iap", "audience": ("x",), "user": "X-User"}, "what counts is signed"),
        ({"preset": "google-iap", "audience": ("x",), "keys_url": "http://keys.example"}, "https"),
        ({"preset": "authelia", "audience": ("x",)}, "signs nothing"),
    ],
)
def test_options_that_would_let_others_in_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        HeaderOptions(**options)


def test_a_proxy_that_signs_nothing_has_to_be_trusted() -> None:
    with pytest.raises(OptionError, match="must name the proxy"):
        header_method(HeaderOptions(preset="authelia"), (), NamedUsers())
    assert isinstance(header_method(HeaderOptions(preset="authelia"), ("10.0.0.1",), NamedUsers()), HeaderMethod)
