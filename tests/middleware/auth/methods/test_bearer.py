"""The method ``bearer``: a token in the header, and in place of Basic's password."""

import pytest
from auth_browser import Browser, Notes, People, account, authority
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.middleware.auth.identity import Identity
from wheatpaste.middleware.auth.method import Failed
from wheatpaste.middleware.auth.methods.bearer import Bearer, BearerOptions
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.auth.tokens.api_tokens import SCHEMA, ApiTokens
from wheatpaste.middleware.auth.tokens.text import new_text, written
from wheatpaste.middleware.storage.places import tables_of


class World:
    def __init__(self, clock, **options):
        self.people = People(account("bob", roles=frozenset({"editor"})), account("eve"))
        self.audit = Notes()
        self.tokens = ApiTokens(tables_of("memory:", SCHEMA), clock)
        self.bearer = Bearer(self.tokens, self.people, BearerOptions(**options), self.audit)
        self.authority = authority(clock, people=self.people, methods=(self.bearer,))

    def make(self, name="bob", scopes=("pages:read",), seconds=3600, networks=()):
        return self.tokens.create(self.people.accounts[f"local:{name}"], "CI", scopes, seconds, networks)[0]

    def visit(self, header="", *, scheme="https", address="192.0.2.7", **environ):
        if header:
            environ["HTTP_AUTHORIZATION"] = header
        return Browser(self.authority, scheme=scheme, address=address).visit(**environ)

    def ask(self, header="", **how):
        return self.bearer.identify(self.visit(header, **how))


@pytest.fixture
def world(clock):
    return World(clock.time)


def test_a_token_is_its_user_within_its_scopes(world):
    found = world.ask(f"Bearer {world.make(scopes=['pages:read', 'x'])}")
    assert isinstance(found, Identity)
    assert (found.id, found.name, found.method) == ("local:bob", "bob", "bearer")
    assert found.scopes == {"pages:read", "x"}
    assert found.roles == {"editor"}
    assert found.amr == ()


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_the_scheme_is_of_any_case(world, scheme):
    assert isinstance(world.ask(f"{scheme} {world.make()}"), Identity)


@pytest.mark.parametrize("header", ["", "Basic Ym9iOng=", "Bearerx y", "Digest a=b"])
def test_other_credentials_are_not_its_business(world, header):
    assert world.ask(header) is None


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer ä", "Bearer " + "x" * 9000]
)
def test_what_is_no_token_is_a_bad_request(world, header):
    found = world.ask(header)
    assert (found.error, found.status) == ("invalid_request", 400)


def test_a_token_in_the_address_does_not_count(world):
    assert world.bearer.identify(world.visit(QUERY_STRING=f"access_token={world.make()}")) is None


def failing(world, clock):
    yield "Bearer " + written(new_text()), "unknown token"
    yield "Bearer eyJh.eyJi.c2ln", "unknown token"
    expired = world.make(seconds=1)
    clock.advance(2)
    yield f"Bearer {expired}", "token expired"
    revoked = world.make("eve")
    world.tokens.revoke_all("local:eve")
    yield f"Bearer {revoked}", "token revoked"
    yield f"Bearer {world.make(networks=['10.0.0.0/8'])}", "token from another network"
    disabled = world.make("eve")
    world.people.change("local:eve", disabled=True)
    yield f"Bearer {disabled}", "user gone or disabled"
    del world.people.accounts["local:eve"]
    yield f"Bearer {disabled}", "user gone or disabled"


def test_all_that_fail_are_told_the_same(world, clock):
    told = set()
    for header, reason in failing(world, clock):
        found = world.ask(header)
        assert isinstance(found, Failed)
        assert found.reason == reason
        told.add(found[1:])
    assert told == {("invalid_token", "The token is unknown, expired or revoked, or not for use from here.", 401, None)}


def test_another_network_may_be_the_right_one(world):
    text = world.make(networks=["198.51.100.0/24"])
    assert isinstance(world.ask(f"Bearer {text}", address="198.51.100.1"), Identity)
    assert isinstance(world.ask(f"Bearer {text}", address="198.51.101.1"), Failed)


def test_a_token_of_another_kind_is_left_to_the_method_for_it(world):
    class Jwt:
        name = "jwt"

    world.authority.methods = (world.bearer, Jwt())
    assert world.ask("Bearer eyJh.eyJi.c2ln") is None
    assert isinstance(world.ask("Bearer " + written(new_text())), Failed)


@pytest.mark.parametrize(
    ("scheme", "address", "allowed"),
    [("http", "192.0.2.7", False), ("http", "127.0.0.1", True), ("http", "::1", True), ("http", "", True)],
)
def test_a_token_is_not_taken_where_everybody_can_read_it(world, scheme, address, allowed):
    found = world.ask(f"Bearer {world.make()}", scheme=scheme, address=address)
    assert isinstance(found, Identity) is allowed
    if not allowed:
        assert (found.status, found.reason) == (403, "plain http")


def test_a_local_address_behind_a_foreign_peer_is_not_local(world):
    environ = {"wheatpaste.peer": "203.0.113.1"}
    found = world.ask(f"Bearer {world.make()}", scheme="http", address="127.0.0.1", **environ)
    assert found.reason == "plain http"


@pytest.mark.parametrize("site", [{"allow_insecure": True}, {"public_url": "https://wiki.example.org"}], ids=str)
def test_a_token_is_taken_over_http_where_the_site_says_so(world, clock, site):
    world.authority = authority(clock.time, people=world.people, methods=(world.bearer,), site=Site(**site))
    assert isinstance(world.ask(f"Bearer {world.make()}", scheme="http"), Identity)


def test_its_uses_are_written_down_once_a_minute(world, clock):
    text = world.make()
    for _ in range(5):
        world.ask(f"Bearer {text}")
        clock.advance(20)
    events = [(event, who) for event, who, _ in world.audit.events]
    assert events == [("token.use", "local:bob")] * 2
    assert text not in repr(world.audit.events)


def test_it_challenges_by_its_name(world):
    assert world.bearer.challenges(world.visit()) == ('Bearer realm="wheatpaste"',)


def test_a_failure_is_in_the_challenge(world):
    visit = world.visit("Bearer x")
    visit.failed["bearer"] = world.bearer.identify(visit)
    [challenge] = world.bearer.challenges(visit)
    assert challenge.startswith('Bearer realm="wheatpaste", error="invalid_token", error_description="The token is')


@pytest.mark.parametrize("user", ["bob", "BOB", "", "token", "__token__", "x-access-token"])
def test_it_may_stand_in_place_of_a_password(world, user):
    found = world.bearer.identify_password(world.visit(), user, world.make())
    assert (found.name, found.method) == ("bob", "bearer")


def test_in_place_of_a_password_it_is_no_other_users(world):
    found = world.bearer.identify_password(world.visit(), "eve", world.make())
    assert found == Failed("token of another user")


@pytest.mark.parametrize(
    "password", ["", "secret", "wpt_x_y_z", pytest.param(written(new_text())[:-1], id="a token cut short")]
)
def test_a_password_is_no_token(world, password):
    assert world.bearer.identify_password(world.visit(), "bob", password) is None


def test_a_token_that_is_none_of_ours_is_no_password(world):
    assert isinstance(world.bearer.identify_password(world.visit(), "bob", written(new_text())), Failed)


@settings(deadline=None)
@given(st.text())
def test_no_header_makes_it_fail(text):
    world = _WORLD
    for header in (text, f"Bearer {text}", f"bearer\t{text}"):
        assert not isinstance(world.ask(header), Identity)


_WORLD = World(lambda: 1_700_000_000.0)


@pytest.mark.parametrize("options", [{"prefix": "A"}, {"longest": -1}], ids=str)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match="BearerOptions"):
        BearerOptions(**options)
