"""OWASP ASVS 5.0, chapters V6, V9 and V10, probed from outside: logins at providers, and tokens of other issuers."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import pytest
from auth_pages import Reply
from auth_probed_site import Probed, Probing
from hostile_provider import CLIENT, SECRET, HostileProvider, rsa_key
from oidc_site import at_provider

pytestmark = pytest.mark.slow

API = "https://api.example.org"
NAMES = ("one", "two", "strict", "liar", "api")
OIDC = """\
[auth:main:oidc:{name}]
issuer = {issuer}
client_id = {client}
client_secret_file = %(here)s/client.secret
provision = create
{more}
"""
JWT = """\
[auth:main:jwt:api]
issuer = {issuer}
audience = {audience}
"""
Claims = dict[str, Any]
Sign = Callable[[HostileProvider, Claims], str]


class Probe(NamedTuple):
    """The site, and the providers that it trusts, by the names of their sections."""

    site: Probed
    providers: dict[str, HostileProvider]

    def begin(self, browser: Probing, name: str = "one", **headers: str) -> str:
        """Follow the link to a provider; the address that the browser is sent to."""
        return browser.get(f"/-/auth/oidc/{name}/start?next=/x", **headers).location

    def log_in(self, browser: Probing, name: str = "one") -> Reply:
        return come_back(browser, at_provider(self.begin(browser, name)))

    def reasons(self) -> list[str]:
        return [str(event["reason"]) for event in self.site.events() if "reason" in event]


def come_back(browser: Probing, address: str) -> Reply:
    """Bring the provider's answer home, as its redirect does."""
    parts = urlsplit(address)
    return browser.get(f"{parts.path}?{parts.query}", Sec_Fetch_Site="cross-site")


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    folder = tmp_path_factory.mktemp("probed")
    providers = {name: HostileProvider() for name in NAMES}
    providers["liar"].metadata = {"issuer": providers["one"].issuer}
    (folder / "client.secret").write_text(SECRET)
    (folder / "client.secret").chmod(0o600)
    more = {"strict": "require_acr = gold\nmax_age = 60s"}
    sections = [
        OIDC.format(name=name, issuer=each.issuer, client=CLIENT, more=more.get(name, ""))
        for name, each in providers.items()
        if name != "api"
    ]
    sections.append(JWT.format(issuer=providers["api"].issuer, audience=API))
    offered = " ".join(f"oidc:{name}" for name in NAMES if name != "api")
    site = Probed(folder, methods="session bearer jwt", main=f"login = password {offered}", more="\n".join(sections))
    site.command("init", "--no-admin")
    yield Probe(site.start(), providers)
    site.end()
    for each in providers.values():
        each.close()


@pytest.fixture
def probe(probed: Probe) -> Iterator[Probe]:
    """The same for each test, and providers that are honest when it begins."""
    yield probed
    for each in probed.providers.values():
        each.id_claims, each.claims_of, each.names_itself_as = {}, lambda claims: claims, ""
        each.sign = lambda claims, each=each: each.signed(claims)


def assert_in(browser: Probing, reply: Reply) -> None:
    assert (reply.code, reply.location) == (303, "/x"), reply.words
    assert browser.get("/x").code == 200


def assert_out(browser: Probing, reply: Reply) -> None:
    assert reply.code in (400, 403), reply.words
    assert browser.cookie() is None
    assert browser.get("/x").code == 303


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def unsigned(provider: HostileProvider, claims: Claims) -> str:
    return f"{packed({'alg': 'none'})}.{packed(claims)}."


def changed(provider: HostileProvider, claims: Claims) -> str:
    head, _, mac = provider.signed(claims).split(".")
    return f"{head}.{packed({**claims, 'sub': 'admin'})}.{mac}"


def with_a_key_of_its_own(provider: HostileProvider, claims: Claims) -> str:
    own = rsa_key("mine")
    return provider.signed(claims, own, kid=None, jwk=own.as_dict(private=False))


def under_a_known_name(provider: HostileProvider, claims: Claims) -> str:
    return provider.signed(claims, rsa_key(provider.signing.kid))


FORGED: dict[str, Sign] = {
    "it is not signed": unsigned,
    "its claims were changed": changed,
    "it brings its key along": with_a_key_of_its_own,
    "its key has a known name": under_a_known_name,
}
forged = pytest.mark.parametrize("sign", FORGED.values(), ids=FORGED)


def test_probe_31_6_8_1_one_subject_and_mail_at_two_providers_are_two_users(probe: Probe) -> None:
    about = {"sub": "same-1", "preferred_username": "sam", "email": "sam@example.org", "email_verified": True}
    for name in ("one", "two"):
        probe.providers[name].user = about
        browser = probe.site.browser()
        assert_in(browser, probe.log_in(browser, name))
    users = json.loads(probe.site.command("user", "list", "--json"))
    assert len([each for each in users if each["name"].startswith("sam")]) == 2


@forged
def test_probe_32_6_8_2_what_the_provider_has_not_signed_says_nothing(probe: Probe, sign: Sign) -> None:
    provider = probe.providers["one"]
    provider.sign = lambda claims: sign(provider, claims)
    browser = probe.site.browser()
    assert_out(browser, probe.log_in(browser))


@pytest.mark.parametrize(
    ("claims", "is_enough"),
    [
        pytest.param({"acr": "gold"}, True, id="it is what was asked for"),
        pytest.param({"acr": "tin"}, False, id="it is another class"),
        pytest.param({}, False, id="it says no class"),
        pytest.param({"acr": "gold", "auth_time": int(time.time()) - 4000}, False, id="it is too old"),
        pytest.param({"acr": "gold", "auth_time": None}, False, id="it says no time"),
    ],
)
def test_probe_33_6_8_4_a_login_has_to_be_what_was_asked_for(probe: Probe, claims: Claims, is_enough: bool) -> None:
    probe.providers["strict"].id_claims = claims
    browser = probe.site.browser()
    (assert_in if is_enough else assert_out)(browser, probe.log_in(browser, "strict"))


def test_probe_41_7_6_1_a_logout_at_the_provider_ends_the_session(probe: Probe) -> None:
    provider = probe.providers["one"]
    browser = probe.site.browser()
    assert_in(browser, probe.log_in(browser))
    told = probe.site.program().send("/-/auth/oidc/one/backchannel", {"logout_token": provider.logout_token()})
    assert told.code == 200, told.text
    assert browser.get("/x").code == 303


def test_probe_41_7_6_2_no_other_site_signs_anybody_in(probe: Probe) -> None:
    browser = probe.site.browser()
    sent = browser.get("/-/auth/oidc/one/start?next=/x", Sec_Fetch_Site="cross-site")
    assert sent.location.startswith("/-/auth/login?"), "which asks who it is, and not the provider"
    assert_out(browser, come_back(browser, "/-/auth/oidc/one/callback?code=code-1&state=made-up"))


def token(issuer: HostileProvider, sign: Sign | None = None, head: Claims | None = None, **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": issuer.issuer, "aud": API, "sub": "robot", "iat": now, "exp": now + 300, **changes}
    kept = {name: value for name, value in claims.items() if value is not None}
    return sign(issuer, kept) if sign is not None else issuer.signed(kept, **{"typ": "at+jwt", **(head or {})})


def with_token(probe: Probe, **how: Any) -> int:
    shown = token(probe.providers["api"], **how)
    return probe.site.program().get("/x", Authorization=f"Bearer {shown}").code


@pytest.mark.parametrize(
    ("how", "status"),
    [
        pytest.param({}, 200, id="it is right"),
        pytest.param({"aud": "https://other.example"}, 401, id="it is for others"),
        pytest.param({"aud": None}, 401, id="it is for nobody"),
        pytest.param({"iss": "https://evil.example"}, 401, id="it is of another issuer"),
        pytest.param({"exp": 1_700_000_000}, 401, id="it has expired"),
        pytest.param({"exp": None}, 401, id="it never expires"),
        pytest.param({"nbf": int(time.time()) + 9000}, 401, id="it does not hold yet"),
        pytest.param({"head": {"typ": "JWT"}}, 401, id="it is of another type"),
        pytest.param({"head": {"alg": "RS512"}}, 401, id="it says an algorithm that is not listed"),
        *(pytest.param({"sign": sign}, 401, id=name) for name, sign in FORGED.items()),
    ],
)
def test_probe_43_9_1_1_a_token_counts_by_who_signed_it_and_for_whom(
    probe: Probe, how: dict[str, Any], status: int
) -> None:
    assert with_token(probe, **how) == status


def test_probe_44_10_1_2_an_answer_counts_in_the_browser_that_asked(probe: Probe) -> None:
    mine, theirs = probe.site.browser(), probe.site.browser()
    answer = at_provider(probe.begin(mine))
    assert probe.begin(theirs)
    assert_out(theirs, come_back(theirs, answer))
    assert_in(mine, come_back(mine, answer))
    assert come_back(mine, answer).code != 303, "and once"


def test_probe_44_10_2_2_an_answer_counts_from_the_provider_that_was_asked(probe: Probe) -> None:
    browser = probe.site.browser()
    probe.providers["one"].names_itself_as = probe.providers["two"].issuer
    assert_out(browser, probe.log_in(browser))
    answer = urlsplit(at_provider(probe.begin(browser, "two")))
    assert_out(browser, come_back(browser, f"/-/auth/oidc/one/callback?{answer.query}"))


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"nonce": "x" * 43}, id="its nonce is another"),
        pytest.param({"aud": "somebody else"}, id="it is for others"),
        pytest.param({"aud": [CLIENT, "b"], "azp": "b"}, id="another party asked for it"),
        pytest.param({"iss": "https://evil.example"}, id="it is of another issuer"),
        pytest.param({"sub": ""}, id="it is about nobody"),
        pytest.param({"exp": 1_700_000_000}, id="it has expired"),
    ],
)
def test_probe_45_10_5_1_an_id_token_is_of_this_login(probe: Probe, claims: Claims) -> None:
    probe.providers["one"].claims_of = lambda known: {**known, **claims}
    browser = probe.site.browser()
    assert_out(browser, probe.log_in(browser))


def test_probe_45_10_5_3_a_provider_says_of_itself_who_it_is(probe: Probe) -> None:
    browser = probe.site.browser()
    assert browser.get("/-/auth/oidc/liar/start?next=/x").code == 503
    assert browser.cookie() is None


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"nonce": "x"}, id="it has a nonce"),
        pytest.param({"events": None}, id="it is about no logout"),
        pytest.param({"head": {"typ": "JWT"}}, id="it is of another type"),
        pytest.param({"aud": "somebody else"}, id="it is for others"),
        pytest.param({"sub": None, "sid": None}, id="it is about nobody"),
        pytest.param({"iat": 1_700_000_000}, id="it is old"),
    ],
)
def test_probe_45_10_5_5_a_logout_token_is_one(probe: Probe, changes: Claims) -> None:
    browser = probe.site.browser()
    assert_in(browser, probe.log_in(browser))
    shown = probe.providers["one"].logout_token(**changes)
    told = probe.site.program().send("/-/auth/oidc/one/backchannel", urlencode({"logout_token": shown}).encode())
    assert told.code == 400
    assert browser.get("/x").code == 200
