"""Tokens of other issuers: which of them say who somebody is, and which do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hostile_provider import HostileProvider, rsa_key, send_json
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wheatpaste.config.options import OptionError
from wheatpaste.middleware.auth.accounts.options import GroupOptions
from wheatpaste.middleware.auth.accounts.roles import Roles
from wheatpaste.middleware.auth.auth import Guard
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.identity import Identity
from wheatpaste.middleware.auth.method import Failed
from wheatpaste.middleware.auth.methods.jwt import WELL_KNOWN, Jwt, JwtIssuer, JwtOptions, scopes_in
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.testing import Client, Clock

API = "https://api.example.org"
Tell = Callable[..., Any]


@pytest.fixture
def clock() -> Clock:
    return Clock(1_800_000_000.0)


@pytest.fixture
def issuer(clock: Clock) -> Iterator[HostileProvider]:
    made = HostileProvider(clock.time)
    yield made
    made.close()


def token(issuer: HostileProvider, *, key: Any = None, alg: str = "RS256", head: Any = None, **changes: Any) -> str:
    now = int(issuer.clock())
    claims = {"iss": issuer.issuer, "aud": API, "sub": "bob", "exp": now + 300, "iat": now, "scope": "read", **changes}
    kept = {name: value for name, value in claims.items() if value is not None}
    return issuer.signed(kept, key, alg, **{"typ": "at+jwt", **(head or {})})


@pytest.fixture
def method(issuer: HostileProvider, clock: Clock) -> Callable[..., Jwt]:
    """The method with one issuer: ``method(roles=("editor",))``."""

    def make(**options: Any) -> Jwt:
        given = JwtOptions(**{"issuer": issuer.issuer, "audience": (API,), **options})
        groups = GroupOptions(groups={"staff": ("corp/*",), "admin": ("corp/root",)})
        return Jwt([JwtIssuer("corp", given, clock.time)], groups, Roles({"editor": ("page:edit",), "root": ("*",)}))

    return make


@pytest.fixture
def tell(make_authority: Callable[..., Authority], clock: Clock) -> Tell:
    """What a method says of a request with this header: ``tell(method, "Bearer …")``."""

    def ask(method: Jwt, header: str | None, **environ: Any) -> Any:
        authority = make_authority(methods=(method,), clock=clock.time)
        came = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "REMOTE_ADDR": "127.0.0.1",
            **({} if header is None else {"HTTP_AUTHORIZATION": header}),
            **environ,
        }
        return method.identify(Visit(authority, came))

    return ask


def test_a_token_says_who_it_is(method: Callable[..., Jwt], issuer: HostileProvider, tell: Tell) -> None:
    found = tell(method(), f"Bearer {token(issuer, scope='read write', client_id='cli')}")
    assert isinstance(found, Identity)
    assert found.id == f"jwt:{issuer.issuer}#bob"
    assert found.name == "corp:bob", "so that no issuer can name a user of ours"
    assert found.scopes == {"read", "write"}
    assert (found.method, found.account, found.roles, found.groups) == ("jwt", None, frozenset(), {"staff"})
    assert found.claims["client_id"] == "cli"


@pytest.mark.parametrize(
    "header", [None, "", "Basic Ym9iOmI=", "Bearer", "Bearer wpt_abc_def", "Bearer a.b", "bearerx a.b.c"]
)
def test_what_is_no_such_token_is_left_to_other_methods(method: Callable[..., Jwt], tell: Tell, header: Any) -> None:
    assert tell(method(), header) is None


def test_the_scheme_is_read_in_any_letters(method: Callable[..., Jwt], issuer: HostileProvider, tell: Tell) -> None:
    assert isinstance(tell(method(), f"bEARER   {token(issuer)}"), Identity)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"iss": "https://evil.example"}, "issuer not known", id="it refuses another issuer"),
        pytest.param({"iss": None}, "no issuer", id="it refuses no issuer"),
        pytest.param({"iss": ["x"]}, "no issuer", id="it refuses an issuer that is a list"),
        pytest.param({"aud": "https://other.example"}, "for somebody else", id="it refuses a token for others"),
        pytest.param({"aud": API + "/"}, "for somebody else", id="it refuses nearly our audience"),
        pytest.param({"aud": None}, "no audience", id="it refuses a token for nobody"),
        pytest.param({"exp": None}, "no expiry", id="it refuses a token without end"),
        pytest.param({"exp": 1_799_999_940}, "expired", id="it refuses an expired one"),
        pytest.param({"nbf": 1_800_000_061}, "not valid yet", id="it refuses one that does not hold yet"),
        pytest.param({"iat": 1_800_000_061}, "issued in the future", id="it refuses one from the future"),
        pytest.param({"sub": None}, "no sub", id="it refuses one about nobody"),
        pytest.param({"sub": "a\r\nb"}, "no sub", id="it refuses a subject of two lines"),
        pytest.param({"sub": {"a": 1}}, "no sub", id="it refuses a subject that is an object"),
        pytest.param({"nonce": "x"}, "token of another type", id="it refuses an ID token by its nonce"),
        pytest.param({"events": {}}, "token of another type", id="it refuses a logout token by its events"),
        pytest.param({"head": {"typ": "JWT"}}, "token of another type", id="it refuses an ID token by its type"),
        pytest.param({"head": {"typ": None}}, "token of another type", id="it refuses a token of no type"),
        pytest.param({"head": {"typ": "logout+jwt"}}, "token of another type", id="it refuses a logout token"),
        pytest.param({"head": {"kid": "made-up"}}, "unknown key", id="it refuses an unknown key"),
        pytest.param({"alg": "RS384"}, "algorithm not allowed", id="it refuses an algorithm that is not allowed"),
        pytest.param({"key": rsa_key("one")}, "signature wrong", id="it refuses another key under a known id"),
    ],
)
def test_tokens_that_are_not_right(
    method: Callable[..., Jwt], issuer: HostileProvider, tell: Tell, changes: Any, reason: str
) -> None:
    found = tell(method(), f"Bearer {token(issuer, **changes)}")
    assert isinstance(found, Failed)
    assert (found.reason, found.error, found.status) == (f"jwt: {reason}", "invalid_token", 401)
    assert reason not in found.description, "who shows it learns only that it does not do"


def test_keys_that_a_token_brings_are_not_looked_at(
    method: Callable[..., Jwt], issuer: HostileProvider, tell: Tell
) -> None:
    own = rsa_key("own")
    for head in (
        {"jwk": own.as_dict(private=False)},
        {"jku": f"{issuer.url}/evil"},
        {"x5u": f"{issuer.url}/evil"},
        {"kid": "../../evil"},
        {"kid": f"{issuer.url}/evil"},
    ):
        assert isinstance(tell(method(), f"Bearer {token(issuer, key=own, head={'kid': 'own', **head})}"), Failed)
    assert issuer.paths("/evil") == 0


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_with_a_bit_changed_is_none(
    method: Callable[..., Jwt], issuer: HostileProvider, tell: Tell, part: int
) -> None:
    made, checker = token(issuer), method()
    pieces = made.split(".")
    at = len(pieces[part]) // 2
    flipped = "A" if pieces[part][at] != "A" else "B"
    pieces[part] = pieces[part][:at] + flipped + pieces[part][at + 1 :]
    assert isinstance(tell(checker, f"Bearer {made}"), Identity)
    assert isinstance(tell(checker, f"Bearer {'.'.join(pieces)}"), Failed)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(text=st.text(alphabet=st.characters(max_codepoint=255), max_size=200))
def test_no_header_makes_an_error(method: Callable[..., Jwt], tell: Tell, text: str) -> None:
    checker = method()
    for header in (text, f"Bearer {text}", f"Bearer {text}.{text}.{text}", f"Bearer e30.{text}.x"):
        assert not isinstance(tell(checker, header), Identity)


def test_a_made_up_key_id_causes_one_request_a_minute(
    method: Callable[..., Jwt], issuer: HostileProvider, tell: Tell, clock: Clock
) -> None:
    checker = method()
    tell(checker, f"Bearer {token(issuer)}")
    clock.advance(61)
    for number in range(5):
        tell(checker, f"Bearer {token(issuer, head={'kid': f'made-up-{number}'})}")
    assert issuer.paths("/jwks") == 2
    issuer.rotate()
    clock.advance(61)
    assert isinstance(tell(checker, f"Bearer {token(issuer)}"), Identity), "and a new key is found"


def test_the_keys_may_be_elsewhere(method: Callable[..., Jwt], issuer: HostileProvider, tell: Tell) -> None:
    checker = method(jwks_url=f"{issuer.url}/jwks")
    assert isinstance(tell(checker, f"Bearer {token(issuer)}"), Identity)
    assert issuer.paths("/.well-known/openid-configuration") == 0


def test_an_issuer_that_is_down_is_no_way_in_and_no_fault_of_the_client(
    method: Callable[..., Jwt], issuer: HostileProvider, tell: Tell
) -> None:
    issuer.instead["/jwks"] = lambda handler: send_json(handler, 500, {})
    found = tell(method(), f"Bearer {token(issuer)}")
    assert isinstance(found, Failed)
    assert (found.status, found.retry_after) == (503, 60)


def test_a_token_is_taken_over_https_alone(method: Callable[..., Jwt], issuer: HostileProvider, tell: Tell) -> None:
    made = f"Bearer {token(issuer)}"
    assert tell(method(), made, REMOTE_ADDR="192.0.2.7").status == 403
    assert isinstance(tell(method(), made, **{"REMOTE_ADDR": "192.0.2.7", "wsgi.url_scheme": "https"}), Identity)


def test_only_listed_roles_are_taken(method: Callable[..., Jwt], issuer: HostileProvider, tell: Tell) -> None:
    checker = method(roles_claim="realm_access.roles", roles=("editor",))
    found = tell(checker, f"Bearer {token(issuer, realm_access={'roles': ['editor', 'root']})}")
    assert (found.roles, found.permissions) == ({"editor"}, {"page:edit"})
    with pytest.raises(OptionError, match="roles"):
        method(roles_claim="roles")


def test_groups_and_names_go_by_claims(method: Callable[..., Jwt], issuer: HostileProvider, tell: Tell) -> None:
    checker = method(groups_claim="groups", username="preferred_username", prefix="")
    found = tell(checker, f"Bearer {token(issuer, groups=['root'], preferred_username='bobby', name='Bob B.')}")
    assert (found.name, found.display, found.groups) == ("bobby", "Bob B.", {"staff", "admin"})


@pytest.mark.parametrize(
    ("claims", "found"),
    [
        ({"scope": "a b"}, {"a", "b"}),
        ({"scp": ["a", "b"]}, {"a", "b"}),
        ({"scp": "a b"}, {"a", "b"}),
        ({"scope": ""}, set()),
        ({"scope": 7}, set()),
        ({"scope": ["a", 7, 'b"', "c d"]}, {"a"}),
        ({}, set()),
    ],
)
def test_scopes(claims: Any, found: set[str]) -> None:
    assert scopes_in(claims) == found


# ---- through the filter


@pytest.fixture
def served(make_authority: Callable[..., Authority], clock: Clock) -> Callable[[Jwt], Client]:
    def serve(method: Jwt) -> Client:
        def app(environ: Any, start_response: Any) -> list[bytes]:
            user = environ.get("REMOTE_USER")
            status = "200 OK" if user else "401 Unauthorized"
            start_response(status, [("Content-Type", "text/plain")])
            return [(user or "").encode()]

        site = Site(public_url=API, realm="the API")
        authority = make_authority(methods=(method,), site=site, clock=clock.time)
        authority.well_known[WELL_KNOWN] = method.metadata
        return Client(Guard(app, authority), scheme="https", host="api.example.org", lint=True)

    return serve


def test_a_client_learns_where_to_get_a_token(method: Callable[..., Jwt], issuer: HostileProvider, served: Any) -> None:
    client = served(method(require_scopes=("read",)))
    response = client.get("/")
    assert response.status == 401
    assert response.headers["WWW-Authenticate"] == (f'Bearer realm="the API", resource_metadata="{API}{WELL_KNOWN}"')
    document = client.get(WELL_KNOWN)
    assert document.headers["Content-Type"] == "application/json"
    assert document.json() == {
        "resource": API,
        "authorization_servers": [issuer.issuer],
        "bearer_methods_supported": ["header"],
        "resource_name": "the API",
        "scopes_supported": ["read"],
    }
    assert client.post(WELL_KNOWN).status == 405


def test_a_client_learns_what_was_wrong(method: Callable[..., Jwt], issuer: HostileProvider, served: Any) -> None:
    client = served(method(require_scopes=("read", "write")))

    def shown(text: str) -> Any:
        return client.get("/", headers={"Authorization": f"Bearer {text}"})

    response = shown(token(issuer, exp=1))
    assert response.status == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    assert response.headers["WWW-Authenticate"].count("Bearer ") == 1
    assert shown(token(issuer)).status == 403
    response = shown(token(issuer, scope="write read"))
    assert (response.status, response.text) == (200, "corp:bob")


def test_a_token_that_is_not_good_enough_is_told_so(
    method: Callable[..., Jwt], issuer: HostileProvider, make_authority: Callable[..., Authority], clock: Clock
) -> None:
    checker = method(require_scopes=("read", "write"))
    authority = make_authority(methods=(checker,), site=Site(public_url=API), clock=clock.time)
    visit = Visit(
        authority,
        {"REQUEST_METHOD": "GET", "wsgi.url_scheme": "https", "HTTP_AUTHORIZATION": f"Bearer {token(issuer)}"},
    )
    failed = checker.identify(visit)
    assert isinstance(failed, Failed)
    assert failed.status == 403
    visit.failed["jwt"] = failed
    (challenge,) = checker.challenges(visit)
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="read write"' in challenge


def test_a_token_in_the_address_is_none(method: Callable[..., Jwt], issuer: HostileProvider, served: Any) -> None:
    assert served(method()).get(f"/?access_token={token(issuer)}").status == 401


@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS512", "RS1", ""])
def test_algorithms_with_a_shared_secret_cannot_be_allowed(method: Callable[..., Jwt], algorithm: str) -> None:
    with pytest.raises(OptionError, match="algorithms"):
        method(algorithms=(algorithm,))


@pytest.mark.parametrize(
    "options", [{"audience": ()}, {"algorithms": ()}, {"issuer": "http://id.example.org"}, {"jwks_url": "ftp://x"}]
)
def test_options_that_would_let_too_much_in(method: Callable[..., Jwt], options: Any) -> None:
    with pytest.raises(OptionError):
        method(**options)
