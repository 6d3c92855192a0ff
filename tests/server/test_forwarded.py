"""Forwarding headers at the server: whose count, how far a list is believed, and what becomes of the rest."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.protocol.forwarding import read_node
from wheatpaste.protocol.hosts import read_host
from wheatpaste.protocol.peers import FORWARDING_REMOVED, Networks, is_direct
from wheatpaste.protocol.trace import Trace
from wheatpaste.server.complaints import PROXY_HEADERS
from wheatpaste.server.forwarded import make_forwarding

LISTS = frozenset(PROXY_HEADERS) - {"forwarded"}


def environ_of(headers: Mapping[str, str], peer: str = "10.0.0.1", **more: Any) -> dict[str, Any]:
    return {
        "REMOTE_ADDR": peer,
        "REMOTE_HOST": peer,
        "REMOTE_PORT": "40000",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8080",
        "HTTP_HOST": "inside:8080",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/x",
        "wsgi.url_scheme": "http",
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
        **more,
    }


def forward(
    said: Mapping[str, str], /, *, trusted: str = "10.0.0.0/8", peer: str = "10.0.0.1", **options: Any
) -> dict[str, Any] | str:
    """The environ behind, or the complaint."""
    options.setdefault("headers", {"forwarded"} if "Forwarded" in said else LISTS)
    environ = environ_of(said, peer)
    complaint = make_forwarding(Networks(trusted.split()), **options)(environ)
    return environ if complaint is None else complaint


def changes(said: Mapping[str, str], /, **options: Any) -> dict[str, Any]:
    """What became of the environ, other than its headers."""
    environ = forward(said, **options)
    assert isinstance(environ, dict), environ
    before = environ_of(said, options.get("peer", "10.0.0.1"))
    names = {key for key in {*environ, *before} if not key.startswith(("HTTP_X_", "HTTP_FORWARDED", "wheatpaste."))}
    return {key: environ.get(key) for key in sorted(names) if environ.get(key) != before.get(key)}


EVERYTHING = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "world.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Port": "8443",
    "X-Forwarded-By": "10.0.0.1",
    "X-Forwarded-Prefix": "/wiki",
    "X-Forwarded-Server": "proxy.example",
    "X-Real-IP": "203.0.113.9",
}


class TestWhoIsBelieved:
    @pytest.mark.parametrize(
        ("trusted", "peer", "believed"),
        [
            pytest.param("10.0.0.0/8", "10.200.3.4", True, id="a peer in a network"),
            pytest.param("192.0.2.1 10.0.0.0/8", "10.0.0.1", True, id="a peer in the second of two"),
            pytest.param("2001:db8::/32", "2001:db8::7", True, id="a peer of IPv6"),
            pytest.param("10.0.0.0/8", "::ffff:10.0.0.1", True, id="a peer of IPv4 inside IPv6"),
            pytest.param("*", "203.0.113.77", True, id="anybody, where that is said"),
            pytest.param("unix", "", True, id="a UNIX socket, where that is said"),
            pytest.param("10.0.0.0/8", "", False, id="a UNIX socket, where it is not said"),
            pytest.param("unix", "127.0.0.1", False, id="this machine is no UNIX socket"),
            pytest.param("10.0.0.0/8", "11.0.0.1", False, id="a peer beside the network"),
            pytest.param("", "127.0.0.1", False, id="nobody"),
        ],
    )
    def test_it_is_whoever_holds_the_other_end(self, trusted: str, peer: str, believed: bool) -> None:
        changed = changes({"X-Forwarded-For": "203.0.113.9"}, trusted=trusted, peer=peer)
        assert changed.get("REMOTE_ADDR") == ("203.0.113.9" if believed else None)

    def test_it_is_the_peer_and_not_whom_a_layer_below_took_for_the_client(self) -> None:
        environ = environ_of({"X-Forwarded-For": "203.0.113.9"}, "10.0.0.1", **{"wheatpaste.peer": "192.0.2.66"})
        assert make_forwarding(Networks(["10.0.0.0/8"]), headers=LISTS)(environ) is None
        assert environ["REMOTE_ADDR"] == "10.0.0.1"

    def test_nobody_behind_a_proxy_header_of_this_machine_is_believed(self) -> None:
        environ = environ_of({"X-Forwarded-For": "203.0.113.9"}, "127.0.0.1", **{"wheatpaste.peer": "unknown"})
        assert make_forwarding(Networks(["127.0.0.0/8", "unix"]), headers=LISTS)(environ) is None
        assert environ["REMOTE_ADDR"] == "127.0.0.1"

    def test_what_an_untrusted_peer_says_goes_away_with_a_note(self) -> None:
        environ = forward({**EVERYTHING, "X-Forward": "stays"}, peer="192.0.2.66")
        assert isinstance(environ, dict)
        note = Trace.of(environ)
        assert note.notes == (FORWARDING_REMOVED,)
        assert environ == environ_of(
            {"X-Forward": "stays"}, "192.0.2.66", **{"wheatpaste.peer": "192.0.2.66", "wheatpaste.trace": note}
        )

    def test_it_stays_without_effect_when_told_so(self) -> None:
        environ = forward(EVERYTHING, peer="192.0.2.66", clear_untrusted=False)
        assert environ == environ_of(EVERYTHING, "192.0.2.66", **{"wheatpaste.peer": "192.0.2.66"})

    def test_an_untrusted_peer_is_not_refused_for_what_does_not_count(self) -> None:
        assert changes({"X-Forwarded-Proto": "gopher"}, peer="192.0.2.66") == {}

    def test_the_peer_is_kept_before_it_is_rewritten(self) -> None:
        environ = forward({"X-Forwarded-For": "203.0.113.9"})
        assert isinstance(environ, dict)
        assert environ["wheatpaste.peer"] == "10.0.0.1"
        assert not is_direct(environ)

    def test_headers_that_are_not_named_go_away_of_trusted_peers_too(self) -> None:
        environ = forward(EVERYTHING, headers={"x-forwarded-for"})
        assert isinstance(environ, dict)
        assert {key for key in environ if "FORWARDED" in key or "REAL" in key} == {"HTTP_X_FORWARDED_FOR"}
        assert environ["HTTP_HOST"] == "inside:8080"

    def test_what_filters_ask_of_a_trusted_peer_stays_for_them_and_changes_nothing(self) -> None:
        said = {"X-Forwarded-Uri": "/wiki", "X-Forwarded-Method": "POST", "X-Forwarded-User": "ada"}
        assert forward(said) == environ_of(said, **{"wheatpaste.peer": "10.0.0.1"})
        stranger = forward(said, peer="192.0.2.66")
        assert not [key for key in stranger if key.startswith("HTTP_X_")]

    def test_a_request_without_such_headers_stays_as_it_is(self) -> None:
        for peer in ("10.0.0.1", "192.0.2.66"):
            assert forward({"X-Other": "a"}, peer=peer) == environ_of({"X-Other": "a"}, peer)

    def test_so_many_peers_that_they_cannot_all_be_remembered_are_told_apart(self) -> None:
        forwarding = make_forwarding(Networks(["10.0.0.0/16"]), headers=LISTS)
        for number in range(3000):
            for network, believed in (("10.0", True), ("10.1", False)):
                environ = environ_of({"X-Forwarded-For": "203.0.113.9"}, f"{network}.{number // 250}.{number % 250}")
                forwarding(environ)
                assert (environ["REMOTE_ADDR"] == "203.0.113.9") is believed

    @pytest.mark.parametrize(
        ("headers", "complaint"),
        [
            ({"x-forwarded-ssl"}, "x-forwarded-ssl cannot be believed"),
            ({"forwarded", "x-forwarded-for"}, "either forwarded or the x-forwarded headers"),
        ],
    )
    def test_what_cannot_be_believed_is_an_error(self, headers: set[str], complaint: str) -> None:
        with pytest.raises(ValueError, match=complaint):
            make_forwarding(Networks(["*"]), headers=headers)


class TestWhyNothingHappened:
    @pytest.mark.parametrize(
        ("peer", "headers", "why"),
        [
            ("192.0.2.66", LISTS, "X-Forwarded-Ssl, X-Real-Ip of 192.0.2.66 without effect: it is no trusted proxy"),
            ("10.0.0.1", LISTS, "X-Forwarded-Ssl, X-Real-Ip of 10.0.0.1 without effect: such headers are not believed"),
            ("", LISTS, "X-Forwarded-Ssl, X-Real-Ip of a UNIX socket without effect: it is no trusted proxy"),
        ],
        ids=["untrusted", "trusted", "UNIX socket"],
    )
    @pytest.mark.parametrize("warned", [True, False], ids=["as a warning", "for debugging"])
    def test_it_is_logged(
        self, peer: str, headers: Any, why: str, warned: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            said = {"X-Forwarded-Ssl": "on", "X-Real-IP": "203.0.113.9"}
            forward(said, peer=peer, headers=headers, log_untrusted=warned)
        assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
            ("WARNING" if warned else "DEBUG", why)
        ]

    def test_a_malformed_header_is_logged_with_its_value_which_the_client_is_not_told(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert forward({"X-Forwarded-Proto": "go\x1bpher"}) == 'Header "X-Forwarded-Proto" malformed.'
        (record,) = caplog.records
        assert record.getMessage() == (
            r"X-Forwarded-Proto of 10.0.0.1 malformed: it is neither http nor https: 'go\x1bpher'"
        )


class TestHowFarAListIsBelieved:
    @pytest.mark.parametrize(
        ("trusted", "count", "items", "client"),
        [
            pytest.param("10.0.0.1", 1, "203.0.113.9", "203.0.113.9", id="one hop"),
            pytest.param("10.0.0.1", 1, "6.6.6.6, 203.0.113.9", "203.0.113.9", id="what the client wrote is not taken"),
            pytest.param("10.0.0.1", 2, "6.6.6.6, 203.0.113.9, 192.0.2.7", "203.0.113.9", id="two hops by number"),
            pytest.param("10.0.0.1", 5, "203.0.113.9, 192.0.2.7", "203.0.113.9", id="fewer items than hops"),
            pytest.param("10.0.0.0/8", 1, "6.6.6.6, 203.0.113.9, 10.0.0.2", "203.0.113.9", id="two hops by network"),
            pytest.param("10.0.0.0/8", 1, "10.0.0.3, 10.0.0.2", "10.0.0.3", id="a client among the proxies"),
            pytest.param(
                "10.0.0.0/8", 2, "6.6.6.6, 9.9.9.9, 10.0.0.3, 8.8.8.8", "9.9.9.9", id="by number, then network"
            ),
            pytest.param("10.0.0.0/8", 1, "<evil>, 203.0.113.9", "203.0.113.9", id="garbage before does not matter"),
            pytest.param("*", 1, "6.6.6.6, 10.0.0.2", "10.0.0.2", id="anybody is trusted for one hop"),
            pytest.param("10.0.0.0/8", 1, "203.0.113.9, ::ffff:10.0.0.2", "203.0.113.9", id="IPv4 inside IPv6"),
            pytest.param("10.0.0.0/8", 1, "6.6.6.6, unknown", "unknown", id="nobody is walked past who is unknown"),
        ],
    )
    @pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
    def test_the_client_is_whom_the_outermost_proxy_of_ours_saw(
        self, header: str, trusted: str, count: int, items: str, client: str
    ) -> None:
        value = items
        if header == "Forwarded":
            words = [f'"[{item}]"' if ":" in item else item for item in items.split(", ")]
            value = ", ".join(f"for={word}" if word != "<evil>" else 'for="<evil>"' for word in words)
        assert changes({header: value}, trusted=trusted, count=count)["REMOTE_ADDR"] == client

    def test_each_list_is_cut_down_to_what_our_proxies_wrote(self) -> None:
        headers = {
            "X-Forwarded-For": "6.6.6.6, 203.0.113.9,10.0.0.2",
            "X-Forwarded-Host": "evil.example, world.example, inner.example",
            "X-Forwarded-Prefix": "/evil,/a, /b",
        }
        environ = forward(headers)
        assert isinstance(environ, dict)
        assert environ["HTTP_X_FORWARDED_FOR"] == "203.0.113.9, 10.0.0.2"
        assert environ["HTTP_X_FORWARDED_HOST"] == "world.example, inner.example"
        assert environ["HTTP_X_FORWARDED_PREFIX"] == "/a, /b"
        assert environ["HTTP_HOST"] == "world.example"

    def test_forwarded_is_cut_where_it_is_no_quote(self) -> None:
        environ = forward({"Forwarded": 'for=6.6.6.6, for=203.0.113.9;ext="a, \\", b" , for=10.0.0.2'})
        assert isinstance(environ, dict)
        assert environ["HTTP_FORWARDED"] == 'for=203.0.113.9;ext="a, \\", b" , for=10.0.0.2'

    def test_a_list_without_end_costs_little(self) -> None:
        environ = forward({"X-Forwarded-For": "10.0.0.2," * 20_000 + "10.0.0.3"})
        assert isinstance(environ, dict)
        assert environ["REMOTE_ADDR"] == "10.0.0.2"
        assert len(environ["HTTP_X_FORWARDED_FOR"]) < 1100

    @pytest.mark.parametrize(
        ("count", "schemes", "scheme"),
        [
            pytest.param(1, "https", "https", id="one of one proxy"),
            pytest.param(2, "https, http", "https", id="one of each proxy: the outer one knows the client"),
            pytest.param(2, "https", "https", id="one of two proxies"),
            pytest.param(1, "https, http", None, id="more than there are proxies"),
        ],
    )
    def test_several_schemes_count_where_each_proxy_wrote_one(
        self, count: int, schemes: str, scheme: str | None
    ) -> None:
        environ = forward({"X-Forwarded-Proto": schemes}, count=count)
        if scheme is None:
            assert environ == 'Header "X-Forwarded-Proto" malformed.'
        else:
            assert isinstance(environ, dict)
            assert environ["wsgi.url_scheme"] == scheme


class TestWhatCountsAsAClient:
    @pytest.mark.parametrize(
        ("item", "name", "port"),
        [
            pytest.param("203.0.113.9", "203.0.113.9", None, id="an address"),
            pytest.param("203.0.113.9:4711", "203.0.113.9", "4711", id="an address and a port"),
            pytest.param("[2001:db8::1]", "2001:db8::1", None, id="IPv6"),
            pytest.param("[2001:db8::1]:4711", "2001:db8::1", "4711", id="IPv6 and a port"),
            pytest.param("unknown", "unknown", None, id="the unknown"),
            pytest.param("Unknown", "Unknown", None, id="the unknown, written large"),
            pytest.param("_hidden", "_hidden", None, id="somebody who is hidden"),
            pytest.param("_SEVKISEK.1-2", "_SEVKISEK.1-2", None, id="somebody who is hidden, with more letters"),
            pytest.param("203.0.113.9:_p", "203.0.113.9", None, id="a port that is hidden"),
        ],
    )
    @pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Forwarded-For, in quotes", "Forwarded", "a token"])
    def test_it_is_an_address_or_a_word(self, header: str, item: str, name: str, port: str | None) -> None:
        written = {
            "X-Forwarded-For": {"X-Forwarded-For": item},
            "X-Forwarded-For, in quotes": {"X-Forwarded-For": f'"{item}"'},
            "Forwarded": {"Forwarded": f'for="{item}"'},
            "a token": {"Forwarded": f"FOR={item}"},
        }[header]
        assert changes(written) == {"REMOTE_ADDR": name, "REMOTE_HOST": name, "REMOTE_PORT": port}

    def test_ipv6_without_brackets_counts_in_the_list_that_nobody_specified(self) -> None:
        assert changes({"X-Forwarded-For": "2001:db8::1"})["REMOTE_ADDR"] == "2001:db8::1"

    @pytest.mark.parametrize(
        "item",
        [
            "evil.example",
            "203.0.113",
            "203.0.113.09",
            "203.0.113.9:",
            "203.0.113.9:0",
            "203.0.113.9:65536",
            "203.0.113.9:port",
            "203.0.113.9 203.0.113.10",
            "[2001:db8::1",
            "[203.0.113.9]",
            "[2001:db8::1]x",
            "fe80::1%eth0",
            "[fe80::1%eth0]",
            "_",
            "_a b",
            "hidden",
            '"203.0.113.9',
            '203.0.113.9"',
            '"203.0.113.9"x',
            "203.0.113.9,",
            "<script>",
            "\u0663",
        ],
    )
    def test_anything_else_is_refused(self, item: str) -> None:
        assert forward({"X-Forwarded-For": item}) == 'Header "X-Forwarded-For" malformed.'
        escaped = item.replace("\\", "\\\\").replace('"', '\\"')
        assert forward({"Forwarded": f'for="{escaped}"'}) == 'Header "Forwarded" malformed.'

    @pytest.mark.parametrize("value", ["", " "])
    def test_a_header_without_a_value_says_nothing(self, value: str) -> None:
        for name in ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "Forwarded"):
            assert changes({name: value}) == {}


class TestHostSchemeAndPort:
    @pytest.mark.parametrize(
        ("headers", "changed"),
        [
            pytest.param(
                {"X-Forwarded-Host": "World.example."},
                {"HTTP_HOST": "world.example", "SERVER_NAME": "world.example"},
                id="a host alone leaves port and scheme",
            ),
            pytest.param(
                {"X-Forwarded-Host": "world.example:8443"},
                {"HTTP_HOST": "world.example:8443", "SERVER_NAME": "world.example", "SERVER_PORT": "8443"},
                id="a host with a port",
            ),
            pytest.param(
                {"X-Forwarded-Host": "[2001:DB8::1]:8443"},
                {"HTTP_HOST": "[2001:db8::1]:8443", "SERVER_NAME": "[2001:db8::1]", "SERVER_PORT": "8443"},
                id="a host of IPv6 with a port",
            ),
            pytest.param(
                {"X-Forwarded-Proto": "HTTPS"}, {"SERVER_PORT": "443", "wsgi.url_scheme": "https"}, id="a scheme"
            ),
            pytest.param({"X-Forwarded-Port": "0443"}, {"SERVER_PORT": "443"}, id="a port"),
            pytest.param({"X-Forwarded-By": "10.0.0.1"}, {}, id="the proxy about itself"),
        ],
    )
    def test_they_are_what_the_world_sees(self, headers: Mapping[str, str], changed: Mapping[str, str]) -> None:
        assert changes(headers) == changed

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("X-Forwarded-Host", "a b"),
            ("X-Forwarded-Host", "user@world.example"),
            ("X-Forwarded-Host", "world.example/path"),
            ("X-Forwarded-Host", "world.example:http"),
            ("X-Forwarded-Host", 'world.example"'),
            ("X-Forwarded-Host", ","),
            ("X-Forwarded-Proto", "wss"),
            ("X-Forwarded-Proto", "https://world.example"),
            ("X-Forwarded-Port", "0"),
            ("X-Forwarded-Port", "65536"),
            ("X-Forwarded-Port", "-1"),
            ("X-Forwarded-Port", "443x"),
            ("X-Forwarded-Port", "\u0664\u0664"),
            ("X-Forwarded-Port", "9" * 5000),
            ("Forwarded", "host=a@b"),
            ("Forwarded", "proto=ftp"),
            ("Forwarded", 'host="a b"'),
        ],
    )
    def test_anything_else_is_refused(self, name: str, value: str) -> None:
        assert forward({name: value}) == f'Header "{name}" malformed.'


class TestPrefix:
    @pytest.mark.parametrize(
        ("prefix", "script_name"),
        [
            pytest.param("/wiki", "/wiki", id="a path"),
            pytest.param("/wiki/", "/wiki", id="a slash at the end"),
            pytest.param("/", "", id="the root"),
            pytest.param("/a/b.c", "/a/b.c", id="two segments"),
            pytest.param("/caf%C3%A9", "/caf\u00c3\u00a9", id="other alphabets are bytes"),
        ],
    )
    def test_it_becomes_the_script_name(self, prefix: str, script_name: str) -> None:
        assert changes({"X-Forwarded-Prefix": prefix}).get("SCRIPT_NAME", "") == script_name

    def test_it_stands_before_the_servers_own(self) -> None:
        environ = environ_of({"X-Forwarded-Prefix": "/wiki"}, SCRIPT_NAME="/site")
        assert make_forwarding(Networks(["*"]), headers={"x-forwarded-prefix"})(environ) is None
        assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/wiki/site", "/x")

    def test_each_proxy_takes_its_own_part_off(self) -> None:
        assert changes({"X-Forwarded-Prefix": "/evil, /a, /b"}, count=2)["SCRIPT_NAME"] == "/a/b"

    def test_it_counts_only_where_it_is_named(self) -> None:
        assert changes({"X-Forwarded-Prefix": "/wiki"}, headers={"x-forwarded-for"}) == {}

    @pytest.mark.parametrize(
        "prefix",
        [
            "wiki",
            "//evil.example",
            "/a//b",
            "/a/../b",
            "/.",
            "/a/%2e%2E/b",
            "/a%2fb",
            "/a%5Cb",
            "/a%00",
            "/a%0d%0a",
            "/a%zz",
            "/a?b",
            "/a#b",
            "/a b",
            "/a\\b",
            "https://evil.example",
            "/caf\u00e9",
            "javascript:alert(1)",
        ],
    )
    def test_what_is_no_plain_path_is_refused(self, prefix: str) -> None:
        assert forward({"X-Forwarded-Prefix": prefix}) == 'Header "X-Forwarded-Prefix" malformed.'


class TestForwarded:
    @pytest.mark.parametrize(
        "value",
        [
            "for",
            "for=",
            "=203.0.113.9",
            "for =203.0.113.9",
            "for= 203.0.113.9",
            "for=203.0.113.9; proto=https",
            "for=203.0.113.9 ;proto=https",
            "for=203.0.113.9 proto=https",
            "for=203.0.113.9;for=203.0.113.10",
            'for="203.0.113.9',
            'for=203.0.113.9"',
            'for="203.0.113.9"x',
            'for="[2001:db8::1]',
            "for=2001:db8::1",
            'for="2001:db8::1"',
            'for="\x00"',
            'for=evil;x="a, for="[2001:db8::1]:80"',
        ],
    )
    def test_what_is_malformed_is_refused(self, value: str) -> None:
        assert forward({"Forwarded": value}) == 'Header "Forwarded" malformed.'

    def test_an_open_quote_of_the_client_cannot_swallow_what_the_proxy_wrote(self) -> None:
        for client in ('for="', 'for="x', 'x="\\', 'for=1.1.1.1;x="'):
            for proxy in ("for=203.0.113.9", 'for="[2001:db8::1]:80"', 'for="_x"'):
                assert forward({"Forwarded": f"{client}, {proxy}"}) == 'Header "Forwarded" malformed.'

    @pytest.mark.parametrize(
        ("value", "client"),
        [
            pytest.param("for=203.0.113.9,,", None, id="elements that say nothing"),
            pytest.param(";;for=203.0.113.9;;", "203.0.113.9", id="pairs that say nothing"),
            pytest.param('for="203\\.0.113.9"', "203.0.113.9", id="escaped letters"),
            pytest.param('For="203.0.113.9";ext="a,b;c=\\"d\\""', "203.0.113.9", id="commas and semicolons in quotes"),
            pytest.param("for=203.0.113.9;secret=abc;by=_proxy", "203.0.113.9", id="parameters that nobody knows"),
            pytest.param("\tfor=1.1.1.1\t,\tfor=203.0.113.9 ", "203.0.113.9", id="blanks between elements"),
            pytest.param("proto=https", None, id="no client"),
        ],
    )
    def test_the_grammar_is_that_of_the_rfc(self, value: str, client: str | None) -> None:
        assert changes({"Forwarded": value}).get("REMOTE_ADDR") == client

    def test_the_outermost_proxy_that_says_a_thing_counts(self) -> None:
        value = "for=203.0.113.9;proto=https, for=10.0.0.3;host=world.example;proto=http, for=10.0.0.2;host=inner"
        assert changes({"Forwarded": value}) == {
            "REMOTE_ADDR": "203.0.113.9",
            "REMOTE_HOST": "203.0.113.9",
            "REMOTE_PORT": None,
            "HTTP_HOST": "world.example",
            "SERVER_NAME": "world.example",
            "SERVER_PORT": "443",
            "wsgi.url_scheme": "https",
        }

    def test_the_other_headers_do_not_count_beside_it(self) -> None:
        environ = forward({**EVERYTHING, "Forwarded": "for=203.0.113.1"})
        assert isinstance(environ, dict)
        assert environ["REMOTE_ADDR"] == "203.0.113.1"
        assert {key for key in environ if "FORWARDED" in key or "REAL" in key} == {"HTTP_FORWARDED"}


# What headers are made of, so that much of it is nearly right.
pieces = st.sampled_from(
    [
        "for=",
        "host=",
        "proto=",
        "by=",
        "203.0.113.9",
        "[2001:db8::1]",
        "10.0.0.2",
        "unknown",
        "_x",
        ":80",
        "https",
        "http",
    ]
    + [
        "world.example",
        "/a",
        "/..",
        "%2e",
        "%2f",
        '"',
        "\\",
        ",",
        ", ",
        ";",
        " ",
        "\t",
        "\x00",
        "\xff",
        "443",
        "0",
        "=",
    ]
)
values = st.one_of(st.lists(pieces, max_size=12).map("".join), st.text(st.characters(max_codepoint=255), max_size=60))


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(PROXY_HEADERS), values), st.sampled_from(["*", "10.0.0.0/8"]), st.integers(1, 3))
def test_whatever_trusted_proxies_write_apps_see_what_is_well_formed(
    said: Mapping[str, str], trusted: str, count: int
) -> None:
    for believed in (LISTS, {"forwarded"}):
        environ = forward(said, trusted=trusted, count=count, headers=believed)
        if isinstance(environ, str):
            assert environ.startswith('Header "')
            continue
        assert environ["wsgi.url_scheme"] in ("http", "https")
        assert 0 < int(environ["SERVER_PORT"]) < 65536
        assert read_host(environ["HTTP_HOST"]) is not None
        assert read_host(environ["SERVER_NAME"]) is not None
        client = environ["REMOTE_ADDR"]
        assert read_node(f"[{client}]" if ":" in client else client) is not None
        assert 0 < int(environ.get("REMOTE_PORT", "1")) < 65536
        script_name = environ["SCRIPT_NAME"]
        assert script_name == "" or (script_name[0] == "/" and script_name[-1] != "/")
        assert not {"", ".", ".."}.intersection(script_name.split("/")[1:])


@pytest.mark.parametrize(
    "piece",
    [
        '"',
        "\\",
        '"\\',
        "for=",
        'for="',
        ";",
        ",",
        " ",
        "a=b;",
        'a="b" ',
        "a=b, ",
        "for=10.0.0.2,",
        '"a",',
        "/a",
        "[",
        ":",
    ],
)
def test_nothing_takes_long_to_read(piece: str) -> None:
    value = piece * (60_000 // len(piece))
    began = process_time()
    for name in PROXY_HEADERS:
        forward({name: value, "X-Forwarded-For": value} if name != "forwarded" else {"Forwarded": value})
    assert process_time() - began < 1.5
