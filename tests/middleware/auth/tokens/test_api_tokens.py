"""Tokens for programs: how they are written, kept, limited and ended."""

import hashlib
import string
from concurrent.futures import ThreadPoolExecutor

import pytest
from auth_browser import account
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.middleware.auth.tokens.api_tokens import MOST, SCHEMA, ApiTokens
from wheatpaste.middleware.auth.tokens.text import new_text, prefix_complaint, read_text, written
from wheatpaste.middleware.storage.places import tables_of
from wheatpaste.protocol.secret_texts import redact_text

BOB, EVE = account("bob"), account("eve")


@pytest.fixture
def tables(tmp_path):
    made = tables_of(f"sqlite:///{tmp_path}/auth.db", SCHEMA)
    yield made
    made.close()


@pytest.fixture
def tokens(tables, clock):
    return ApiTokens(tables, clock.time)


def test_it_is_found_by_its_text(tokens, clock):
    text, info = tokens.create(BOB, " CI ", ["pages:read", "pages:write", "pages:read"], 3600, ["10.0.0.0/8"])
    assert tokens.find(text) == info
    assert (info.account, info.name, info.scopes) == ("local:bob", "CI", ("pages:read", "pages:write"))
    assert (info.created, info.expires, info.used) == (clock.time(), clock.time() + 3600, None)
    assert tokens.get(info.id) == info
    assert tokens.get("nothing") is None


def test_it_is_written_so_that_a_double_click_takes_all_of_it(tokens):
    text, info = tokens.create(BOB, "CI", ["x"], None)
    prefix, token_id, secret, checksum = text.split("_")
    assert (prefix, token_id) == ("wpt", info.id)
    assert (len(token_id), len(secret), len(checksum)) == (12, 32, 6)
    assert set(text) <= set(string.ascii_letters + string.digits + "_")


def test_it_may_have_another_prefix(tables, clock):
    text, info = ApiTokens(tables, clock.time, prefix="wiki").create(BOB, "CI", ["x"], None)
    assert text.startswith("wiki_")
    assert ApiTokens(tables, clock.time).find(text) == info


@pytest.mark.parametrize("prefix", ["", "w", "Wiki", "wi_ki", "1wiki", "w" * 17, "wiki-"])
def test_a_prefix_is_a_short_word(prefix):
    assert prefix_complaint(prefix)


def test_its_secret_is_kept_as_a_hash(tokens, tables):
    text, _ = tokens.create(BOB, "CI", ["x"], None)
    secret = text.split("_")[2]
    [row] = tables.query("SELECT * FROM auth_tokens")
    assert secret not in repr(row)
    assert hashlib.sha256(secret.encode()).hexdigest() in row


def test_nothing_shows_its_secret():
    token = new_text()
    text = written(token)
    assert token.secret not in repr(token)
    for line in (f"got {text}!", f"GET /?x={text}", f"Authorization: Bearer {text}", repr({"a": text})):
        assert token.secret not in redact_text(line)


TOKEN = new_text()
TEXT = written(TOKEN)


@settings(deadline=None)
@given(st.integers(0, len(TEXT) - 1), st.sampled_from(string.ascii_letters + string.digits + "_-é"))
def test_no_letter_of_it_can_be_changed(place, letter):
    changed = TEXT[:place] + letter + TEXT[place + 1 :]
    assert (read_text(changed) == TOKEN) is (changed == TEXT)
    assert read_text(TEXT[:place]) is None


@settings(deadline=None)
@given(st.text())
def test_no_other_text_is_one(text):
    assert read_text(text) is None
    assert read_text(TEXT + text) == (TOKEN if not text else None)


def test_who_knows_its_id_knows_nothing(tokens):
    text, info = tokens.create(BOB, "CI", ["x"], None)
    assert tokens.find(written(new_text()._replace(id=info.id))) is None
    assert tokens.find(written(new_text())) is None
    assert tokens.find(text[:-1]) is None
    assert tokens.find("' OR 1=1 --") is None


def test_it_expires(tokens, clock):
    text, _ = tokens.create(BOB, "CI", ["x"], 3600)
    forever, _ = tokens.create(BOB, "CI", ["x"], None)
    clock.advance(3599)
    assert tokens.find(text).complaint(clock.time()) is None
    clock.advance(1)
    assert tokens.find(text).complaint(clock.time()) == "token expired"
    clock.advance(10**9)
    assert tokens.find(forever).complaint(clock.time()) is None


def test_it_is_revoked_by_its_user_alone(tokens, clock):
    text, info = tokens.create(BOB, "CI", ["x"], 3600)
    assert not tokens.revoke("local:eve", info.id)
    assert tokens.find(text).complaint(clock.time()) is None
    assert tokens.revoke("local:bob", info.id)
    assert not tokens.revoke("local:bob", info.id)
    assert tokens.find(text).complaint(clock.time()) == "token revoked"


def test_all_of_a_user_are_revoked_or_forgotten(tokens, clock):
    texts = [tokens.create(BOB, str(number), ["x"], None)[0] for number in range(3)]
    other, _ = tokens.create(EVE, "CI", ["x"], None)
    assert tokens.revoke_all("local:bob") == 3
    assert tokens.revoke_all("local:bob") == 0
    assert {tokens.find(text).complaint(0) for text in texts} == {"token revoked"}
    assert tokens.find(other).complaint(0) is None
    assert len(tokens.of("local:bob")) == 3
    tokens.forget("local:bob")
    assert tokens.of("local:bob") == []
    assert tokens.find(texts[0]) is None
    assert len(tokens.of("local:eve")) == 1


def test_its_use_is_noted_once_a_minute(tokens, clock):
    text, info = tokens.create(BOB, "CI", ["x"], None)
    assert tokens.note_use(info, "192.0.2.7")
    info = tokens.find(text)
    assert (info.used, info.address) == (clock.time(), "192.0.2.7")
    clock.advance(59)
    assert not tokens.note_use(info, "192.0.2.8")
    clock.advance(1)
    assert tokens.note_use(info, "192.0.2.8")
    assert tokens.of("local:bob")[0].address == "192.0.2.8"


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        ((), "203.0.113.9", True),
        (("10.0.0.0/8",), "10.1.2.3", True),
        (("10.0.0.0/8",), "::ffff:10.1.2.3", True),
        (("10.0.0.0/8",), "11.1.2.3", False),
        (("10.0.0.0/8", "2001:db8::/32"), "2001:db8::1", True),
        (("10.0.0.0/8",), "", False),
        (("10.0.0.0/8",), "unknown", False),
    ],
)
def test_it_may_be_for_some_networks(tokens, networks, address, allowed):
    _, info = tokens.create(BOB, "CI", ["x"], None, networks)
    assert info.is_for(address) is allowed


@pytest.mark.parametrize(
    "changed",
    [
        {"name": ""},
        {"name": "  "},
        {"name": "a\nb"},
        {"name": "x" * 101},
        {"scopes": []},
        {"scopes": [""]},
        {"scopes": ["a b"]},
        {"scopes": ['a"b']},
        {"scopes": ["ä"]},
        {"scopes": [str(n) for n in range(51)]},
        {"seconds": 0},
        {"seconds": -1},
        {"networks": ["*"]},
        {"networks": ["unix"]},
        {"networks": ["10.0.0.0/99"]},
        {"networks": ["10.0.0.1"] * 21},
    ],
    ids=str,
)
def test_it_is_not_made_of_nonsense(tokens, changed):
    told = {"name": "CI", "scopes": ["x"], "seconds": 60, "networks": (), **changed}
    with pytest.raises(ValueError, match=r"\.$"):
        tokens.create(BOB, **told)
    assert tokens.of("local:bob") == []


@pytest.mark.parametrize(
    ("scopes", "seconds", "complaint"),
    [
        (["pages:read"], None, "7 days at most"),
        (["pages:read"], 7 * 86400 + 1, "7 days at most"),
        (["pages:read", "admin"], 60, "no scope admin; there are: pages:read pages:write"),
    ],
)
def test_a_site_may_set_limits(tables, clock, scopes, seconds, complaint):
    tokens = ApiTokens(tables, clock.time, longest=7 * 86400.0, scopes=("pages:read", "pages:write"))
    with pytest.raises(ValueError, match=complaint):
        tokens.create(BOB, "CI", scopes, seconds)
    assert tokens.create(BOB, "CI", ["pages:write"], 7 * 86400)


def test_a_user_has_only_so_many(tokens, clock):
    def make(number):
        try:
            tokens.create(BOB, str(number), ["x"], 60)
        except ValueError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(make, range(MOST + 20))) == MOST
    tokens.create(EVE, "CI", ["x"], 60)
    ended, kept = tokens.of("local:bob")[:2]
    tokens.revoke("local:bob", ended.id)
    assert make("in place of the one that was ended")
    assert not make("one more")
    assert tokens.get(kept.id) == kept
    clock.advance(91 * 86400)
    assert make("again")
    assert len(tokens.of("local:bob")) == 1


def test_the_newest_is_listed_first(tokens, clock):
    for name in ("one", "two"):
        tokens.create(BOB, name, ["x"], None)
        clock.advance(1)
    assert [info.name for info in tokens.of("local:bob")] == ["two", "one"]
