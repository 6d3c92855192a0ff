"""Tickets in cookies: the format of mod_auth_tkt and its kin."""

import warnings
from base64 import b64encode
from http.cookies import SimpleCookie

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.middleware.auth.tkt import Ticket, digest_of, read_ticket, write_ticket

SECRET = "sekrit-0123456789"
TIME = 1_700_000_000
ALICE = Ticket("alice", TIME)
FULL = Ticket("alice", TIME, ("editor", "staff"), "hi=1")
VECTORS = [
    pytest.param(ALICE, "0.0.0.0", "md5", "d70d4cb93ba544b91b9fa4b2c7c40bdc6553f100alice!", id="md5"),
    pytest.param(
        FULL,
        "192.0.2.7",
        "md5",
        "b6d56ce70ba4492e827a3d41e36604656553f100alice!editor,staff!hi=1",
        id="md5 with all parts",
    ),
    pytest.param(
        FULL,
        "192.0.2.7",
        "sha256",
        "df60c832e95cadbffdf14b907e69d4764e6fa111417919c9e1bad90cfb88f5736553f100alice!editor,staff!hi=1",
        id="sha256",
    ),
]


@pytest.mark.parametrize(("ticket", "address", "digest", "text"), VECTORS)
def test_it_writes_and_reads_what_other_programs_do(ticket, address, digest, text):
    assert write_ticket(SECRET, ticket, digest, address) == text
    assert read_ticket(SECRET, text, digest, address) == ticket


def test_the_digest_covers_a_user_that_stands_elsewhere():
    """AuthKit's ``nouserincookie``."""
    assert digest_of(SECRET, ALICE, "md5") == "d70d4cb93ba544b91b9fa4b2c7c40bdc"
    assert read_ticket(SECRET, "d70d4cb93ba544b91b9fa4b2c7c40bdc6553f100!", "md5") is None


@pytest.fixture(scope="module")
def pyramid():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        authentication = pytest.importorskip("pyramid.authentication")
    return authentication


@pytest.mark.parametrize("digest", ["md5", "sha256", "sha512"])
@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.7", "2001:db8::1"])
@pytest.mark.parametrize("user", ["alice", "Älice Müller", "a%41b", "a@b.example/x"])
@pytest.mark.parametrize(("tokens", "data"), [((), ""), (("a", "b-c"), ""), ((), "x=1|y"), (("a",), "x=1")])
def test_it_agrees_with_pyramid(pyramid, digest, address, user, tokens, data):
    theirs = pyramid.AuthTicket(SECRET, user, address, tokens, data, time=TIME, hashalg=digest).cookie_value()
    ticket = Ticket(user, TIME, tokens, data)
    assert write_ticket(SECRET, ticket, digest, address) == theirs
    assert read_ticket(SECRET, theirs, digest, address) == ticket
    assert pyramid.parse_ticket(SECRET, theirs, address, digest)[:2] == (TIME, user)


def test_it_knows_how_pyramid_writes_names():
    name = b64encode("Älice".encode()).decode()
    for data in ("userid_type:b64unicode", "x|userid_type:b64unicode"):
        text = write_ticket(SECRET, Ticket(name, TIME, (), data))
        assert read_ticket(SECRET, text).user == "Älice"
    assert read_ticket(SECRET, write_ticket(SECRET, Ticket("7", TIME, (), "userid_type:int"))).user == "7"
    assert read_ticket(SECRET, write_ticket(SECRET, Ticket("no base64", TIME, (), "userid_type:b64str"))) is None


def test_it_reads_names_that_were_not_quoted():
    """AuthKit's way."""
    ticket = Ticket("bob smith%41", TIME)
    text = f"{digest_of(SECRET, ticket, 'md5')}{TIME:08x}bob smith%41!"
    assert read_ticket(SECRET, text, "md5") == ticket


def test_it_reads_what_the_old_cookie_classes_quote():
    cookie = SimpleCookie()
    cookie["authkit"] = write_ticket(SECRET, FULL, "md5")
    quoted = cookie["authkit"].coded_value
    assert quoted.startswith('"')
    assert "\\054" in quoted
    assert read_ticket(SECRET, quoted, "md5") == FULL


def test_it_reads_base64():
    text = write_ticket(SECRET, FULL, "sha512")
    assert read_ticket(SECRET, b64encode(text.encode()).decode()) == FULL


@pytest.mark.parametrize(
    ("secret", "digest", "address"),
    [("another", "sha512", "0.0.0.0"), (SECRET, "sha256", "0.0.0.0"), (SECRET, "sha512", "192.0.2.7")],
)
def test_it_reads_no_tickets_of_others(secret, digest, address):
    assert read_ticket(secret, write_ticket(SECRET, FULL), digest, address) is None


TEXT = write_ticket(SECRET, FULL)


@settings(deadline=None)
@given(st.integers(0, len(TEXT) - 1), st.characters(max_codepoint=255))
def test_no_letter_of_it_can_be_changed(place, letter):
    changed = TEXT[:place] + letter + TEXT[place + 1 :]
    assert read_ticket(SECRET, changed) == (FULL if changed == TEXT else None)
    assert read_ticket(SECRET, TEXT[:place]) is None


@settings(deadline=None)
@given(st.text(max_size=300), st.sampled_from(["", TEXT[:128], TEXT[:136], TEXT]))
def test_nothing_makes_it_fail(text, head):
    found = read_ticket(SECRET, head + text)
    assert found is None or (head == TEXT and text == "")


@pytest.mark.parametrize(
    ("user", "tokens", "data"),
    [
        ("", (), ""),
        ("a!b", (), ""),
        ("a\0b", (), ""),
        ("alice", ("a,b",), ""),
        ("alice", ("a!b",), ""),
        ("alice", ("",), ""),
        ("alice", ("a\0b",), ""),
        ("alice", (), "a!b"),
        ("alice", (), "a\0b"),
        ("alice", (), "a;b"),
        ("alice", (), "a\r\nSet-Cookie: b"),
        ("alice", ("a;b",), ""),
        ("alice", (), "x" * 5000),
    ],
    ids=repr,
)
def test_what_separates_parts_stands_in_none(user, tokens, data):
    with pytest.raises(ValueError, match="ticket"):
        write_ticket(SECRET, Ticket(user, TIME, tokens, data))


@pytest.mark.parametrize(
    "ticket",
    [Ticket("alice\0editor", TIME), Ticket("alice!x", TIME), Ticket("alice", TIME, ("a",), "b!c")],
    ids=repr,
)
def test_a_separator_within_a_part_is_not_believed(ticket):
    """Whoever else has the secret may have written such; which part it belonged to cannot be told."""
    tokens = ",".join(ticket.tokens)
    rest = f"{TIME:08x}{ticket.user}!{tokens + '!' if tokens else ''}{ticket.data}"
    for head in (digest_of(SECRET, ticket, "md5"), digest_of(SECRET, Ticket("alice", TIME, ("editor",)), "md5")):
        assert read_ticket(SECRET, head + rest, "md5") is None
    quoted = f"{digest_of(SECRET, ticket, 'md5')}{TIME:08x}alice%00editor!"
    assert read_ticket(SECRET, quoted, "md5") is None


def test_its_repr_tells_no_secret():
    assert SECRET not in repr(read_ticket(SECRET, TEXT))
