"""It takes proofs of passwords: each once, for one method and one target, as RFC 7616 has them."""

import base64
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from auth_guarded_site import CHEAP, GuardedSite, KeptUsers
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.middleware.auth.identity import Identity
from wheatpaste.middleware.auth.method import Failed
from wheatpaste.middleware.auth.methods.digest import Digest, DigestOptions, is_target
from wheatpaste.middleware.auth.methods.digest_nonce import Nonces
from wheatpaste.middleware.auth.methods.digest_secrets import SCHEMA, DigestSecrets, SeveralSecrets
from wheatpaste.middleware.auth.passwords.checker import Passwords
from wheatpaste.middleware.auth.passwords.hasher import Hasher
from wheatpaste.middleware.auth.sources.htdigest import ha1_of, userhash_of
from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.middleware.storage.memory_tables import MemoryTables

RIGHT = "gelbe Ampel nachts"
NAMES = ("bob", "dan", "mfa", "new", "jos\u00e9")


class Guarded(GuardedSite):
    """A site with Digest, whose users have all logged in once with their password."""

    def __init__(self, options: DigestOptions | None = None, realm: str = "Wiki") -> None:
        self.users = KeptUsers(
            dict.fromkeys(NAMES, Hasher(CHEAP).hash(RIGHT)),
            {"dan": {"disabled": True}, "mfa": {"has_second_factor": True}, "new": {"must_change_password": True}},
        )
        super().__init__(self.users)
        self.options = options or DigestOptions()
        self.realm = realm
        self.tables = MemoryTables(SCHEMA)
        self.secrets = DigestSecrets(self.tables, self.vault, realm, self.options.algorithms, self.clock.time)
        self.digest = self.another()
        for name in NAMES:
            account = self.users.find(name)
            assert account is not None
            self.secrets.learn(account, RIGHT)

    def another(self) -> Digest:
        """Digest as another process of the same site has it."""
        return Digest(
            self.directory,
            self.secrets,
            self.throttle,
            self.realm,
            self.store,
            self.vault,
            self.audit,
            self.options,
            clock=self.clock.time,
        )

    def challenge(self, algorithm: str = "SHA-256", failed: Failed | None = None) -> dict[str, str]:
        """What a client is asked for."""
        visit = self.visit()
        if failed is not None:
            visit.failed["digest"] = failed
        return next(
            found
            for each in self.digest.challenges(visit)
            if (found := dict(re.findall(r'([a-z]+)="?([^",]*)"?', each)))["algorithm"] == algorithm
        )

    def proof(self, name: str = "bob", password: str = RIGHT, /, **other: str) -> dict[str, str]:
        """What a client answers to a new challenge. ``other`` are further parameters, and those to be another."""
        asked = self.challenge(other.get("algorithm", "SHA-256")) if "nonce" not in other else {}
        given = {
            "username": name,
            "realm": self.realm,
            "nonce": asked.get("nonce", ""),
            "uri": "/",
            "algorithm": "SHA-256",
            "opaque": self.challenge()["opaque"],
            "qop": "auth",
            "nc": "00000001",
            "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            **other,
        }
        method = given.pop("method", "GET")
        hashed_as = given.pop("hashed_as", name)
        given.setdefault("response", response(given, hashed_as, password, method))
        return given

    def send(self, given: dict[str, str], digest: Digest | None = None, **environ: Any) -> Identity | Failed | None:
        """What comes of it."""
        return (digest or self.digest).identify(self.carrying(given, **environ))

    def carrying(self, given: dict[str, str], **environ: Any) -> Visit:
        """A request with it."""
        bare = ("algorithm", "qop", "nc", "userhash", "username*")
        text = ", ".join(
            f"{key}={value}" if key in bare and value else f'{key}="{value}"' for key, value in given.items()
        )
        return self.visit([("Authorization", f"Digest {text}")], **environ)


def hashed(algorithm: str, text: str) -> str:
    return hashlib.new("sha256" if algorithm == "SHA-256" else "md5", text.encode(), usedforsecurity=False).hexdigest()


def response(given: dict[str, str], name: str, password: str, method: str) -> str:
    """The formula of RFC 7616 section 3.4.1, written once more."""
    algorithm = given.get("algorithm", "MD5")
    ha1 = hashed(algorithm, f"{name}:{given['realm']}:{password}")
    ha2 = hashed(algorithm, f"{method}:{given['uri']}")
    return hashed(algorithm, f"{ha1}:{given['nonce']}:{given['nc']}:{given['cnonce']}:{given['qop']}:{ha2}")


def test_the_formula_is_that_of_the_rfc() -> None:
    """RFC 7616 section 3.9.1."""
    given = {
        "realm": "http-auth@example.org",
        "uri": "/dir/index.html",
        "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "nc": "00000001",
        "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        "qop": "auth",
    }
    for algorithm, expected in (
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ):
        assert response({**given, "algorithm": algorithm}, "Mufasa", "Circle of Life", "GET") == expected
        ha1 = ha1_of("Mufasa", "http-auth@example.org", b"Circle of Life", algorithm)
        assert ha1 == hashed(algorithm, "Mufasa:http-auth@example.org:Circle of Life")


def reason(found: Identity | Failed | None) -> str:
    assert isinstance(found, Failed), found
    return found.reason


def test_a_proof_is_an_identity() -> None:
    site = Guarded()
    found = site.send(site.proof())
    assert isinstance(found, Identity)
    assert (found.id, found.name, found.method, found.amr) == ("local:bob", "bob", "digest", ("pwd",))
    assert site.hasher.computations == 0


def test_the_challenge_has_what_clients_look_for() -> None:
    site = Guarded(realm='Bob\'s "wiki"')
    (text,) = site.digest.challenges(site.visit())
    assert re.fullmatch(
        r'Digest realm="Bob\'s \\"wiki\\"", nonce="[\w-]{48}", qop="auth", algorithm=SHA-256, opaque="[0-9a-f]{32}",'
        r" charset=UTF-8",
        text,
    )
    both = Guarded(DigestOptions(legacy_md5=True, userhash=True)).digest.challenges(site.visit())
    assert [re.findall("algorithm=([^,]+)", each) for each in both] == [["SHA-256"], ["MD5"]]
    assert all(each.endswith(", userhash=true") for each in both)


def test_nonces_differ_and_opaque_does_not() -> None:
    site = Guarded()
    asked = [site.challenge() for _ in range(20)]
    assert len({each["nonce"] for each in asked}) == 20
    assert len({each["opaque"] for each in asked}) == 1


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "another realm": ({"realm": "Other"}, "another realm"),
    "no qop, as RFC 2069 had it": ({"qop": ""}, "no qop"),
    "auth-int": ({"qop": "auth-int"}, "no qop"),
    "MD5, which is not offered": ({"algorithm": "MD5", "nonce": "x"}, "algorithm not offered"),
    "SHA-512-256": ({"algorithm": "SHA-512-256", "nonce": "x"}, "algorithm not offered"),
    "SHA-256-sess": ({"algorithm": "SHA-256-sess", "nonce": "x"}, "algorithm not offered"),
    "another opaque": ({"opaque": "0" * 32}, "another opaque"),
    "another target": ({"uri": "/other"}, "another target"),
    "a target that begins like this one": ({"uri": "/?x"}, "another target"),
    "a nonce of its own": ({"nonce": "A" * 48}, "no nonce of ours"),
    "no nonce": ({"nonce": ""}, "no nonce of ours"),
    "a count of seven digits": ({"nc": "0000001"}, "malformed"),
    "a count that is none": ({"nc": "zzzzzzzz"}, "malformed"),
    "no cnonce": ({"cnonce": ""}, "malformed"),
    "no name": ({"username": ""}, "malformed"),
    "a short response": ({"response": "abc"}, "malformed"),
    "a wrong response": ({"response": "0" * 64}, "wrong password"),
    "a response of the other length": ({"response": "0" * 32}, "wrong password"),
    "another method": ({"method": "POST"}, "wrong password"),
    "a name in other letters": ({"username": "BOB", "hashed_as": "BOB"}, "unknown user"),
    "a hashed name that is not offered": ({"userhash": "true"}, "unknown user"),
}


@pytest.mark.parametrize(("other", "why"), REFUSED.values(), ids=REFUSED)
def test_a_proof_of_something_else_is_refused(other: dict[str, str], why: str) -> None:
    site = Guarded()
    found = site.send(site.proof("bob", RIGHT, **other))
    assert reason(found) == why
    assert isinstance(found, Failed)
    assert (found.status, found.description) == (401, "")


FAILURES = {
    "wrong password": ("bob", "falsch", "wrong password"),
    "nobody": ("nobody", RIGHT, "unknown user"),
    "disabled": ("dan", RIGHT, "disabled user"),
    "second factor": ("mfa", RIGHT, "second factor needed"),
    "a password that has to be changed": ("new", RIGHT, "password has to be changed"),
}


@pytest.mark.parametrize(("name", "password", "why"), FAILURES.values(), ids=FAILURES)
def test_all_failures_look_the_same(name: str, password: str, why: str) -> None:
    site = Guarded()
    assert site.send(site.proof(name, password)) == Failed(why)
    assert site.reasons() == [("login.fail", why)]


@pytest.mark.parametrize(
    "missing", ["realm", "nonce", "uri", "algorithm", "opaque", "qop", "nc", "cnonce", "response", "username"]
)
def test_nothing_may_be_missing(missing: str) -> None:
    site = Guarded()
    given = site.proof()
    del given[missing]
    assert isinstance(site.send(given), Failed)


def test_a_proof_counts_once() -> None:
    site = Guarded()
    given = site.proof()
    assert isinstance(site.send(given), Identity)
    again = site.send(given)
    assert reason(again) == "replayed"
    assert site.challenge(failed=again if isinstance(again, Failed) else None)["stale"] == "true"


def test_of_a_hundred_at_the_same_time_in_two_processes_one_counts() -> None:
    site = Guarded()
    given = site.proof()
    processes = [site.digest, site.another()]
    with ThreadPoolExecutor(16) as crowd:
        found = list(crowd.map(lambda number: site.send(given, processes[number % 2]), range(100)))
    assert sum(isinstance(each, Identity) for each in found) == 1


def test_counts_may_come_in_another_order_but_each_once() -> None:
    site = Guarded()
    nonce = site.challenge()["nonce"]

    def count(number: int) -> bool:
        return isinstance(site.send(site.proof(nonce=nonce, nc=f"{number:08x}")), Identity)

    assert [count(number) for number in (3, 1, 2, 2, 1, 3, 70, 6, 5, 7, 134, 70, 71, 4294967295, 134)] == [
        True,
        True,
        True,
        False,
        False,
        False,
        True,
        True,
        False,  # more than 64 behind
        True,
        True,
        False,
        True,
        True,
        False,
    ]
    assert not count(0)


@given(st.lists(st.integers(1, 200), max_size=80))
def test_no_count_of_a_nonce_is_used_twice(counts: list[int]) -> None:
    site = GuardedSite()
    nonces = Nonces(site.store, site.vault, "Wiki", 300, site.clock.time)
    nonce = nonces.read(nonces.new())
    assert nonce is not None
    used = [count for count in counts if nonces.use(nonce, count)]
    assert len(used) == len(set(used))
    for at, count in enumerate(counts):
        before = counts[:at]
        if count not in before and count > max(before, default=0) - 64:
            assert count in used


def test_a_nonce_that_is_too_old_is_stale_only_for_who_knows_the_password() -> None:
    site = Guarded()
    given, wrong = site.proof(), site.proof("bob", "falsch")
    site.clock.advance(301)
    stale = site.send(given)
    assert reason(stale) == "stale nonce"
    assert isinstance(stale, Failed)
    assert site.challenge(failed=stale)["stale"] == "true"
    failed = site.send(wrong)
    assert reason(failed) == "wrong password"
    assert "stale" not in site.challenge(failed=failed if isinstance(failed, Failed) else None)


def test_a_nonce_from_the_future_is_none() -> None:
    site = Guarded()
    ahead = Nonces(site.store, site.vault, "Wiki", 300, lambda: site.clock.time() + 3600)
    assert reason(site.send(site.proof(nonce=ahead.new()))) == "stale nonce"


def test_a_proof_cannot_be_replayed_when_its_count_is_forgotten() -> None:
    site = Guarded()
    given = site.proof()
    site.send(given)
    site.clock.advance(299)
    assert reason(site.send(given)) == "replayed"
    site.clock.advance(10)
    site.store.sweep()
    assert reason(site.send(given)) == "stale nonce"


def test_nonces_of_other_sites_and_other_realms_are_none_of_ours() -> None:
    site, other, realm = Guarded(), Guarded(), Guarded(realm="Other")
    realm.vault = site.vault
    realm.digest = realm.another()
    for foreign in (other, realm):
        given = site.proof(nonce=foreign.challenge()["nonce"])
        assert reason(site.send(given)) == "no nonce of ours"


@pytest.mark.parametrize("at", [0, 5, 20, 47])
def test_a_nonce_of_which_one_character_is_another_is_none_of_ours(at: int) -> None:
    site = Guarded()
    nonce = site.challenge()["nonce"]
    broken = nonce[:at] + ("A" if nonce[at] != "A" else "B") + nonce[at + 1 :]
    assert reason(site.send(site.proof(nonce=broken))) == "no nonce of ours"


TARGETS: dict[str, tuple[str, dict[str, str], bool]] = {
    "path and query": ("/a/b?c=d", {"PATH_INFO": "/a/b", "QUERY_STRING": "c=d"}, True),
    "below a mount": ("/wiki/a", {"SCRIPT_NAME": "/wiki", "PATH_INFO": "/a"}, True),
    "the path without its mount": ("/a", {"SCRIPT_NAME": "/wiki", "PATH_INFO": "/a"}, False),
    "another query": ("/a?x=1", {"PATH_INFO": "/a", "QUERY_STRING": "x=2"}, False),
    "no query": ("/a", {"PATH_INFO": "/a", "QUERY_STRING": "x=2"}, False),
    "a query that is added": ("/a?x", {"PATH_INFO": "/a"}, False),
    "escaped, as it was sent": ("/a%20b", {"PATH_INFO": "/a b", "REQUEST_URI": "/a%20b"}, True),
    "escaped otherwise than it was sent": ("/%61%20b", {"PATH_INFO": "/a b", "REQUEST_URI": "/a%20b"}, False),
    "escaped, where nobody knows how it was sent": ("/a%20b", {"PATH_INFO": "/a b"}, True),
    "an escaped slash": ("/a%2Fb", {"PATH_INFO": "/a/b", "REQUEST_URI": "/a/b"}, False),
    "bytes beyond ASCII": ("/caf%C3%A9", {"PATH_INFO": "/caf\xc3\xa9", "REQUEST_URI": "/caf%C3%A9"}, True),
    "absolute form": ("http://site.example/a?b", {"PATH_INFO": "/a", "QUERY_STRING": "b"}, True),
    "absolute form, both": ("http://h/a", {"PATH_INFO": "/a", "REQUEST_URI": "http://h/a"}, True),
    "absolute form without path": ("http://site.example", {"PATH_INFO": "/"}, True),
    "a proxy has taken the front away": (
        "/wiki/a",
        {"SCRIPT_NAME": "/wiki", "PATH_INFO": "/a", "REQUEST_URI": "/a"},
        True,
    ),
    "what the proxy has left of it": ("/a", {"SCRIPT_NAME": "/wiki", "PATH_INFO": "/a", "REQUEST_URI": "/a"}, False),
    "the server": ("*", {"PATH_INFO": "*", "REQUEST_METHOD": "OPTIONS"}, True),
    "a part of it": ("/a", {"PATH_INFO": "/a/b"}, False),
    "more of it": ("/a/b", {"PATH_INFO": "/a"}, False),
    "a double slash": ("//a", {"PATH_INFO": "/a"}, False),
    "nothing": ("", {"PATH_INFO": "/"}, False),
}


@pytest.mark.parametrize(("uri", "environ", "is_right"), TARGETS.values(), ids=TARGETS)
def test_a_proof_is_for_exactly_this_target(uri: str, environ: dict[str, str], is_right: bool) -> None:
    assert is_target({"SCRIPT_NAME": "", "QUERY_STRING": "", **environ}, uri) is is_right


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=60))
def test_no_target_raises(uri: str) -> None:
    is_target({"PATH_INFO": "/a", "REQUEST_URI": uri}, uri)
    is_target({"PATH_INFO": uri}, uri)


def test_names_beyond_ascii_come_in_either_form() -> None:
    site = Guarded()
    raw = "jos\u00e9".encode().decode("latin-1")
    assert isinstance(site.send(site.proof("jos\u00e9", RIGHT, username=raw)), Identity)
    extended = site.proof("jos\u00e9")
    del extended["username"]
    assert isinstance(site.send({"username*": "UTF-8''jos%C3%A9", **extended}), Identity)
    assert reason(site.send({"username*": "UTF-8''bob", **site.proof()})) == "malformed"


def test_a_name_may_be_hidden_where_it_is_offered() -> None:
    site = Guarded(DigestOptions(userhash=True, legacy_md5=True))
    for algorithm in ("SHA-256", "MD5"):
        hidden = userhash_of("bob", "Wiki", algorithm)
        found = site.send(site.proof("bob", RIGHT, username=hidden, userhash="true", algorithm=algorithm))
        assert isinstance(found, Identity)
        assert found.name == "bob"
    assert isinstance(site.send(site.proof()), Identity)
    assert reason(site.send(site.proof("bob", RIGHT, username="0" * 64, userhash="true"))) == "unknown user"


def test_md5_counts_only_where_it_is_said() -> None:
    site = Guarded(DigestOptions(legacy_md5=True))
    assert isinstance(site.send(site.proof(algorithm="MD5")), Identity)
    unnamed = site.proof(algorithm="MD5")
    del unnamed["algorithm"]
    assert isinstance(site.send(unnamed), Identity)


def test_the_server_proves_that_it_knows_the_password_too() -> None:
    site = Guarded()
    given = site.proof()
    visit = site.carrying(given)
    assert isinstance(site.digest.identify(visit), Identity)
    ((name, info),) = visit.headers
    found = dict(re.findall(r'([a-z]+)="?([^",]*)"?', info))
    assert name == "Authentication-Info"
    assert found["rspauth"] == response(given, "bob", RIGHT, "")
    assert (found["qop"], found["nc"], found["cnonce"]) == ("auth", "00000001", given["cnonce"])
    assert "nextnonce" not in found


def test_before_a_nonce_is_too_old_there_is_a_next_one() -> None:
    site = Guarded()
    given = site.proof()
    site.clock.advance(200)
    visit = site.carrying(given)
    assert isinstance(site.digest.identify(visit), Identity)
    found = re.search(r'nextnonce="([\w-]{48})"', visit.headers[0][1])
    assert found
    site.clock.advance(200)
    assert isinstance(site.send(site.proof(nonce=found[1])), Identity)


def test_wrong_proofs_are_throttled_and_right_ones_write_no_counts() -> None:
    site = Guarded()
    for _ in range(40):
        assert isinstance(site.send(site.proof()), Identity)
    for _ in range(5):
        assert reason(site.send(site.proof("bob", "falsch"))) == "wrong password"
    found = site.send(site.proof())
    assert isinstance(found, Failed)
    assert (found.reason, found.status, found.retry_after) == ("throttled", 429, 1)
    site.clock.advance(1)
    assert isinstance(site.send(site.proof()), Identity)


def test_who_is_known_goes_on_while_strangers_guess() -> None:
    site = Guarded()
    assert isinstance(site.send(site.proof()), Identity)
    for number in range(9):
        site.send(site.proof("bob", "falsch"), REMOTE_ADDR=f"198.51.100.{number}")
    assert isinstance(site.send(site.proof()), Identity)
    assert reason(site.send(site.proof(), REMOTE_ADDR="203.0.113.1")) == "throttled"


def test_names_that_nobody_has_are_throttled_alike() -> None:
    site = Guarded()
    said = [reason(site.send(site.proof("nobody", "falsch"))) for _ in range(6)]
    assert said == ["unknown user"] * 5 + ["throttled"]


def test_a_new_password_is_another_secret() -> None:
    site = Guarded()
    passwords = Passwords(
        site.directory, site.hasher, site.throttle, site.audit, changed=site.secrets.learn, shown=site.secrets.learn
    )
    bob = site.directory.find("bob")
    assert bob is not None
    assert passwords.change(bob, "ein ganz anderes") is None
    assert reason(site.send(site.proof())) == "wrong password"
    assert isinstance(site.send(site.proof("bob", "ein ganz anderes")), Identity)


def test_a_secret_of_an_epoch_that_is_over_does_not_count_until_the_password_was_shown_again() -> None:
    site = Guarded()
    passwords = Passwords(site.directory, site.hasher, site.throttle, site.audit, shown=site.secrets.learn)
    site.users.known["bob"] = {"epoch": 1}
    assert reason(site.send(site.proof())) == "wrong password"
    passwords.check(site.visit(), "bob", RIGHT)
    assert isinstance(site.send(site.proof()), Identity)


def test_what_is_kept_is_sealed_and_bound_to_its_row() -> None:
    site = Guarded()
    rows = site.tables.query("SELECT account, sealed FROM auth_digests ORDER BY account")
    ha1 = ha1_of("bob", "Wiki", RIGHT.encode(), "SHA-256")
    assert len(rows) == len(NAMES)
    assert all(ha1 not in sealed and ha1.encode() not in base64.urlsafe_b64decode(sealed + "==") for _, sealed in rows)
    # Somebody who can write the table, and knows the password of Dan, gives his secret to Bob.
    site.tables.query("UPDATE auth_digests SET sealed = ? WHERE account = 'local:bob'", (dict(rows)["local:dan"],))
    assert reason(site.send(site.proof())) == "wrong password"


def test_what_is_kept_of_a_user_can_be_forgotten() -> None:
    site = Guarded()
    site.secrets.forget("local:bob")
    assert reason(site.send(site.proof())) == "wrong password"
    assert site.tables.query("SELECT count(*) FROM auth_digests") == [(len(NAMES) - 1,)]


def test_the_first_of_several_places_that_knows_a_user_counts() -> None:
    site = Guarded()
    other = DigestSecrets(MemoryTables(SCHEMA), site.vault, "Wiki", ("SHA-256",))
    bob = site.directory.find("bob")
    assert bob is not None
    several = SeveralSecrets(other, site.secrets)
    assert several.ha1(bob, "Wiki", "SHA-256") == ha1_of("bob", "Wiki", RIGHT.encode(), "SHA-256")
    assert several.named_by(userhash_of("bob", "Wiki", "SHA-256"), "Wiki", "SHA-256") == "bob"
    other.learn(bob, "another")
    assert several.ha1(bob, "Wiki", "SHA-256") == ha1_of("bob", "Wiki", b"another", "SHA-256")


@pytest.mark.parametrize("header", ["", "Digest", "Digest x", 'Digest a="b', "Basic Ym9iOnBhc3M=", "Digest a=b, a=c"])
def test_what_is_no_list_of_parameters_counts_as_nothing(header: str) -> None:
    site = Guarded()
    assert site.digest.identify(site.visit([("Authorization", header)])) is None


_SITE = Guarded(DigestOptions(legacy_md5=True, userhash=True))
_NAMES = [
    "username",
    "username*",
    "realm",
    "nonce",
    "uri",
    "response",
    "algorithm",
    "qop",
    "nc",
    "cnonce",
    "opaque",
    "userhash",
]


@given(
    st.dictionaries(
        st.sampled_from(_NAMES),
        st.text(alphabet=st.characters(max_codepoint=255, exclude_characters='"\\'), max_size=70),
        max_size=12,
    )
)
def test_no_proof_raises(other: dict[str, str]) -> None:
    for given_ in (other, {**_SITE.proof(), **other}):
        found = _SITE.send(given_)
        if isinstance(found, Identity):
            assert not {"response", "nonce", "uri", "realm", "opaque"} & set(other)


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=200))
def test_no_header_raises(text: str) -> None:
    assert not isinstance(_SITE.digest.identify(_SITE.visit([("Authorization", f"Digest {text}")])), Identity)
