"""Who is trusted, and what the others may not say."""

from __future__ import annotations

import pytest

from wheatpaste.protocol.peers import (
    FORWARDING_REMOVED,
    UNKNOWN_PEER,
    Networks,
    is_direct,
    keep_peer,
    network_complaint,
    peer_of,
    proxied_peer,
    read_address,
    remove_forwarding,
)
from wheatpaste.protocol.trace import Trace


@pytest.mark.parametrize(
    ("words", "peer", "held"),
    [
        ("", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("10.0.0.0/8 192.0.2.7", "10.200.3.4", True),
        ("10.0.0.0/8 192.0.2.7", "192.0.2.7", True),
        ("10.1.2.3/8", "10.200.3.4", True),
        ("10.0.0.0/8", "::ffff:10.0.0.1", True),
        ("2001:db8::/32", "2001:db8::1", True),
        ("2001:db8::/32", "10.0.0.1", False),
        ("fe80::/10", "fe80::1%eth0", True),
        ("*", "203.0.113.1", True),
        ("*", "", True),
        ("unix", "", True),
        ("unix", "localhost", True),
        ("unix", "127.0.0.1", False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "127.0.0.1.evil.example", False),
    ],
)
def test_a_peer_is_held_by_the_networks_that_name_it(words: str, peer: str, held: bool) -> None:
    assert Networks(words.split()).holds_peer({"REMOTE_ADDR": peer}) is held


def test_the_peer_counts_and_not_who_it_speaks_for() -> None:
    environ = {"wheatpaste.peer": "203.0.113.1", "REMOTE_ADDR": "127.0.0.1"}
    assert not Networks(["127.0.0.1"]).holds_peer(environ)


@pytest.mark.parametrize(
    ("told", "peer"),
    [
        pytest.param("203.0.113.7", "203.0.113.7", id="an address elsewhere"),
        pytest.param("10.0.0.7", "10.0.0.7", id="an address near"),
        pytest.param("2001:db8::7", "2001:db8::7", id="an address of IPv6"),
        pytest.param("127.0.0.1", UNKNOWN_PEER, id="this machine"),
        pytest.param("127.255.0.9", UNKNOWN_PEER, id="this machine by another address"),
        pytest.param("::1", UNKNOWN_PEER, id="this machine by IPv6"),
        pytest.param("::ffff:127.0.0.1", UNKNOWN_PEER, id="this machine, IPv4 inside IPv6"),
        pytest.param("0.0.0.0", UNKNOWN_PEER, id="no address of IPv4"),
        pytest.param("::", UNKNOWN_PEER, id="no address of IPv6"),
        pytest.param("", UNKNOWN_PEER, id="nobody"),
    ],
)
def test_a_peer_by_a_proxy_header_is_never_of_this_machine(told: str, peer: str) -> None:
    assert proxied_peer(told) == peer


@pytest.mark.parametrize("words", ["127.0.0.0/8 ::1", "0.0.0.0/0 ::/0", "unix"])
def test_the_unknown_peer_is_in_no_network(words: str) -> None:
    assert not Networks(words.split()).holds(UNKNOWN_PEER)
    assert Networks(["*"]).holds(UNKNOWN_PEER)


def test_who_comes_by_the_proxy_protocol_is_not_direct() -> None:
    environ = {"REMOTE_ADDR": "10.0.0.7", "wheatpaste.peer": "10.0.0.7"}
    assert is_direct(environ)
    assert not is_direct({**environ, "wheatpaste.proxied_by": ""})


def test_a_proxy_that_says_only_its_name_is_one() -> None:
    environ = {"REMOTE_ADDR": "127.0.0.1", "wheatpaste.peer": "127.0.0.1"}
    assert is_direct(environ)
    assert not is_direct({**environ, "HTTP_VIA": "1.1 edge"})


def test_everybody_is_a_word_about_peers_and_not_about_addresses_in_headers() -> None:
    assert not Networks(["*"]).names("10.0.0.1")
    assert Networks(["*", "10.0.0.0/8"]).names("10.0.0.1")


def test_the_first_to_rewrite_keeps_the_peer() -> None:
    environ = {"REMOTE_ADDR": "10.0.0.1"}
    keep_peer(environ)
    environ["REMOTE_ADDR"] = "203.0.113.1"
    keep_peer(environ)
    assert peer_of(environ) == "10.0.0.1"
    assert peer_of({}) == ""


@pytest.mark.parametrize("word", ["10.0.0.0/8", "::1", "192.0.2.1", "*", "unix"])
def test_a_network_or_a_word_is_accepted(word: str) -> None:
    assert network_complaint(word) is None


@pytest.mark.parametrize("word", ["10.0.0.0/8,", "localhost", "10.0.0.0/33", "10.0.0", "**", ""])
def test_what_is_no_network_is_said(word: str) -> None:
    assert "10.0.0.0/8" in (network_complaint(word) or "")


@pytest.mark.parametrize("text", ["", "unknown", "1.2.3", "1.2.3.4:80", "[::1]"])
def test_what_is_no_address_is_none(text: str) -> None:
    assert read_address(text) is None


def test_forwarding_headers_are_removed_and_noted() -> None:
    environ = {
        "HTTP_FORWARDED": "for=192.0.2.1",
        "HTTP_X_REAL_IP": "192.0.2.1",
        "HTTP_X_FORWARDED_PREFIX": "//evil.example",
        "HTTP_X_FORWARD": "kept",
    }
    remove_forwarding(environ)
    assert Trace.of(environ).notes == (FORWARDING_REMOVED,)
    assert set(environ) == {"HTTP_X_FORWARD", "wheatpaste.trace"}


def test_where_nothing_was_there_nothing_is_noted() -> None:
    environ = {"HTTP_HOST": "localhost"}
    remove_forwarding(environ)
    assert environ == {"HTTP_HOST": "localhost"}
