"""For Waitress's options, what Waitress makes of forwarding headers is the measure.

Where ours differs on purpose:
* REMOTE_PORT goes away when a client is named without a port: the one that was there is the proxy's;
* hosts come in lower case, IPv6 in its short form; lists are joined by a comma and a blank;
* IPv6 with a port is read in X-Forwarded-For too, where Waitress takes all of it for the address;
* an address, host, port or parameter that is none is refused, where Waitress takes over whatever is there;
* several schemes or ports are refused only if they are more than there are proxies;
* commas in the quotes of Forwarded end nothing, and parameters that nobody knows are ignored without a word;
* where the trusted proxy is named by its address and stands in the list itself, the item before it is its client.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waitress.proxy_headers import proxy_headers_middleware

from wheatpaste.protocol.peers import Networks
from wheatpaste.server.forwarded import make_forwarding

WATCHED = ("REMOTE_ADDR", "REMOTE_HOST", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "wsgi.url_scheme")
XF = "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"

Outcome = dict[str, Any] | str


def request(headers: Mapping[str, str], peer: str) -> dict[str, Any]:
    return {
        "REMOTE_ADDR": peer,
        "REMOTE_HOST": peer,
        "REMOTE_PORT": "8080",
        "SERVER_PORT": "8080",
        "SERVER_NAME": "localhost",
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "192.168.1.1:80",
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
    }


def theirs(said: Mapping[str, str], peer: str, trusted: str | None, /, **options: Any) -> Outcome:
    """What Waitress makes of a request: the environ, or the header that it complains about."""
    seen: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ)
        return []

    quiet = logging.getLogger("test.quiet")
    quiet.disabled = True
    options["trusted_proxy_headers"] = set(options.pop("headers", ()))
    options["trusted_proxy_count"] = options.pop("count", 1)
    wrapped = proxy_headers_middleware(app, trusted_proxy=trusted, logger=quiet, **options)
    body = b"".join(wrapped(request(said, peer), lambda status, fields: None))
    return seen[0] if seen else body.decode().split('"')[1]


def ours(said: Mapping[str, str], peer: str, trusted: str | None, /, **options: Any) -> Outcome:
    environ = request(said, peer)
    options.setdefault("headers", ())
    complaint = make_forwarding(Networks([trusted] if trusted else ()), **options)(environ)
    return environ if complaint is None else complaint.split('"')[1]


CASES = [
    pytest.param(
        {"X-Forwarded-Proto": "https"}, {"trusted": None}, {"wsgi.url_scheme": "http"}, id="nobody is trusted"
    ),
    pytest.param(
        {"X-Forwarded-Proto": "https", "X-Foo": "BAR"},
        {"headers": ["x-forwarded-proto"]},
        {"SERVER_PORT": "443", "SERVER_NAME": "localhost", "REMOTE_ADDR": "192.168.1.1", "HTTP_X_FOO": "BAR"},
        id="a scheme brings its port",
    ),
    pytest.param(
        {"X-Forwarded-Proto": "http://p02n3e.example?url=http"},
        {"headers": ["x-forwarded-proto"]},
        "X-Forwarded-Proto",
        id="a scheme that is none",
    ),
    pytest.param(
        {"X-Forwarded-For": "[2001:db8::1]", "Forwarded": "For=198.51.100.2;host=example.com:8080;proto=https"},
        {"headers": ["forwarded"]},
        {
            "HTTP_X_FORWARDED_FOR": None,
            "REMOTE_ADDR": "198.51.100.2",
            "SERVER_NAME": "example.com",
            "HTTP_HOST": "example.com:8080",
            "SERVER_PORT": "8080",
            "wsgi.url_scheme": "https",
        },
        id="Forwarded where it is named, and no other",
    ),
    pytest.param(
        {
            "X-Forwarded-For": "198.51.100.2",
            "X-Forwarded-By": "proxy",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "example.org",
        },
        {"headers": ["x-forwarded-by"], "clear_untrusted": False},
        {
            "HTTP_X_FORWARDED_FOR": "198.51.100.2",
            "HTTP_X_FORWARDED_BY": "proxy",
            "HTTP_X_FORWARDED_PROTO": "https",
            "HTTP_X_FORWARDED_HOST": "example.org",
            "wsgi.url_scheme": "http",
        },
        id="headers that do not count stay when told so",
    ),
    pytest.param(
        {"X-Forwarded-For": "198.51.100.2", "X-Forwarded-By": "proxy", "X-Forwarded-Proto": "https"},
        {"headers": ["x-forwarded-by"]},
        {"HTTP_X_FORWARDED_FOR": None, "HTTP_X_FORWARDED_BY": "proxy", "HTTP_X_FORWARDED_PROTO": None},
        id="headers that do not count go away",
    ),
    pytest.param(
        {"X-Forwarded-For": "198.51.100.2", "X-Forwarded-By": "proxy", "X-Forwarded-Host": "example.org"},
        {"headers": ["x-forwarded-by"], "peer": "192.168.1.255"},
        {"HTTP_X_FORWARDED_FOR": None, "HTTP_X_FORWARDED_BY": None, "HTTP_X_FORWARDED_HOST": None},
        id="all headers of another peer go away",
    ),
    pytest.param(
        {"X-Forwarded-For": "192.0.2.1"},
        {"headers": ["x-forwarded-for"], "trusted": "*"},
        {"REMOTE_ADDR": "192.0.2.1", "REMOTE_HOST": "192.0.2.1"},
        id="a client",
    ),
    pytest.param(
        {"X-Forwarded-For": "2001:db8::0"},
        {"headers": ["x-forwarded-for"], "trusted": "*"},
        {"REMOTE_ADDR": "2001:db8::0"},
        id="a client of IPv6 without brackets",
    ),
    pytest.param(
        {"X-Forwarded-For": "192.0.2.1, 198.51.100.2, 203.0.113.1"},
        {"headers": ["x-forwarded-for"], "trusted": "*", "count": 2},
        {"REMOTE_ADDR": "198.51.100.2", "HTTP_X_FORWARDED_FOR": "198.51.100.2, 203.0.113.1"},
        id="a client behind two proxies",
    ),
    pytest.param(
        {"Forwarded": "For=192.0.2.1;host=fake.com, For=198.51.100.2;host=example.com:8080, For=203.0.113.1"},
        {"headers": ["forwarded"], "trusted": "*", "count": 2},
        {
            "REMOTE_ADDR": "198.51.100.2",
            "SERVER_NAME": "example.com",
            "HTTP_HOST": "example.com:8080",
            "SERVER_PORT": "8080",
            "HTTP_FORWARDED": "For=198.51.100.2;host=example.com:8080, For=203.0.113.1",
        },
        id="Forwarded of three, two of them trusted",
    ),
    pytest.param(
        {
            "Forwarded": 'for="[2001:db8::1]:3821";host="example.com:8443";proto="https", '
            'for=192.0.2.1;host="example.internal:8080"'
        },
        {"headers": ["forwarded"], "trusted": "*", "count": 2},
        {
            "REMOTE_ADDR": "2001:db8::1",
            "REMOTE_PORT": "3821",
            "SERVER_NAME": "example.com",
            "HTTP_HOST": "example.com:8443",
            "SERVER_PORT": "8443",
            "wsgi.url_scheme": "https",
            "HTTP_FORWARDED": 'for="[2001:db8::1]:3821";host="example.com:8443";proto="https", '
            'for=192.0.2.1;host="example.internal:8080"',
        },
        id="Forwarded in quotes",
    ),
    pytest.param(
        {"Forwarded": 'for="[2001:db8::1]";proto="https", for=192.0.2.1;host="example.org"'},
        {"headers": ["forwarded"], "trusted": "*", "count": 2},
        {
            "REMOTE_ADDR": "2001:db8::1",
            "SERVER_NAME": "example.org",
            "HTTP_HOST": "example.org",
            "SERVER_PORT": "443",
            "wsgi.url_scheme": "https",
        },
        id="Forwarded whose parts come of different proxies",
    ),
    pytest.param(
        {
            "X-Forwarded-For": "192.0.2.1, 198.51.100.2, 203.0.113.1",
            "X-Forwarded-Proto": "http",
            "X-Forwarded-Host": "example.com:8080",
        },
        {"headers": XF, "trusted": "*", "count": 2},
        {
            "REMOTE_ADDR": "198.51.100.2",
            "SERVER_NAME": "example.com",
            "HTTP_HOST": "example.com:8080",
            "SERVER_PORT": "8080",
        },
        id="a host with a port",
    ),
    pytest.param(
        {
            "X-Forwarded-For": "192.0.2.1, 198.51.100.2, 203.0.113.1",
            "X-Forwarded-Proto": "http",
            "X-Forwarded-Host": "example.com",
        },
        {"headers": XF, "trusted": "*", "count": 2},
        {"REMOTE_ADDR": "198.51.100.2", "SERVER_NAME": "example.com", "HTTP_HOST": "example.com", "SERVER_PORT": "80"},
        id="a host without a port has that of the scheme",
    ),
    pytest.param(
        {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "example.com", "X-Forwarded-Port": "8080"},
        {"headers": [*XF, "x-forwarded-port"], "trusted": "*", "count": 2},
        {"SERVER_NAME": "example.com", "HTTP_HOST": "example.com:8080", "SERVER_PORT": "8080"},
        id="a host and a port that come separately",
    ),
    pytest.param(
        {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "example.com, example.org", "X-Forwarded-Port": "8080"},
        {"headers": [*XF, "x-forwarded-port"], "trusted": "*", "count": 2},
        {"HTTP_HOST": "example.com:8080", "HTTP_X_FORWARDED_HOST": "example.com, example.org"},
        id="two hosts of two proxies",
    ),
    pytest.param(
        {
            "X-Forwarded-For": "192.0.2.1, 198.51.100.2, 203.0.113.1",
            "X-Forwarded-Proto": "http",
            "X-Forwarded-Host": "example.com, example.org",
            "X-Forwarded-Port": "8080",
        },
        {"headers": [*XF, "x-forwarded-port"], "trusted": "*", "count": 1},
        {
            "REMOTE_ADDR": "203.0.113.1",
            "SERVER_NAME": "example.org",
            "HTTP_HOST": "example.org:8080",
            "SERVER_PORT": "8080",
            "HTTP_X_FORWARDED_FOR": "203.0.113.1",
            "HTTP_X_FORWARDED_HOST": "example.org",
        },
        id="two hosts of one proxy",
    ),
    pytest.param(
        {"Forwarded": "For=198.51.100.2:5858;host=example.com:8080;proto=https"},
        {"headers": ["forwarded"], "trusted": "*"},
        {
            "REMOTE_ADDR": "198.51.100.2",
            "REMOTE_PORT": "5858",
            "SERVER_NAME": "example.com",
            "HTTP_HOST": "example.com:8080",
            "SERVER_PORT": "8080",
            "wsgi.url_scheme": "https",
        },
        id="Forwarded with ports and without quotes",
    ),
    pytest.param(
        {"Forwarded": "For=198.51.100.2;;proto=https;by=_unused"},
        {"headers": ["forwarded"], "trusted": "*"},
        {"REMOTE_ADDR": "198.51.100.2"},
        id="Forwarded with an empty pair",
    ),
    *(
        pytest.param(
            {"Forwarded": value}, {"headers": ["forwarded"], "trusted": "*"}, "Forwarded", id=f"Forwarded, {what}"
        )
        for what, value in (
            ("a blank before the equals sign", "For=198.51.100.2; proto =https"),
            ("a blank behind the equals sign", 'For= "198.51.100.2"; proto =https'),
            ("no equals sign", "For"),
        )
    ),
    pytest.param(
        {"Forwarded": 'For=198.51.100.2;host=example.com:8080;proto=https;unknown="yolo"'},
        {"headers": ["forwarded"], "trusted": "*"},
        {
            "REMOTE_ADDR": "198.51.100.2",
            "SERVER_NAME": "example.com",
            "SERVER_PORT": "8080",
            "wsgi.url_scheme": "https",
        },
        id="Forwarded with a parameter that nobody knows",
    ),
    pytest.param(
        {"X-Forwarded-For": "198.51.100.2", "Forwarded": "For=198.51.100.2;host=example.com:8080;proto=https"},
        {"trusted": "*", "peer": "127.0.0.1"},
        {"REMOTE_ADDR": "127.0.0.1", "SERVER_NAME": "localhost", "HTTP_HOST": "192.168.1.1:80", "SERVER_PORT": "8080"},
        id="no header is named",
    ),
    *(
        pytest.param({name: value}, {"headers": [name.lower()], "trusted": "*"}, name, id=f"{name}, {what}")
        for name, value, what in (
            ("X-Forwarded-Proto", "http, https", "two values"),
            ("X-Forwarded-Port", "443, 80", "two values"),
            ("X-Forwarded-For", '"foo', "an open quote"),
            ("X-Forwarded-Host", '"foo', "an open quote"),
        )
    ),
    *(
        pytest.param(
            {"X-Forwarded-Port": port, "X-Forwarded-Proto": scheme, "X-Forwarded-Host": "example.com"},
            {"headers": [*XF, "x-forwarded-port"], "trusted": "*"},
            {
                "SERVER_NAME": "example.com",
                "HTTP_HOST": f"example.com:{port}",
                "SERVER_PORT": port,
                "wsgi.url_scheme": scheme,
            },
            id=f"port {port} of {scheme}",
        )
        for port, scheme in (("80", "https"), ("443", "http"))
    ),
]


@pytest.mark.parametrize(("headers", "options", "expected"), CASES)
@pytest.mark.parametrize("server", [theirs, ours])
def test_the_outcome_is_that_of_waitress(
    server: Any, headers: Mapping[str, str], options: Mapping[str, Any], expected: Outcome
) -> None:
    told = {"trusted": "192.168.1.1", "peer": "192.168.1.1", **options}
    outcome = server(headers, told.pop("peer"), told.pop("trusted"), **told)
    if isinstance(expected, str):
        assert outcome == expected
    else:
        assert isinstance(outcome, dict)
        assert {key: outcome.get(key) for key in expected} == expected


ports = st.integers(1, 65535).map(str)
listed_addresses = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.tuples(st.ip_addresses(v=4), ports).map(lambda each: f"{each[0]}:{each[1]}"),
    st.ip_addresses(v=6).map(lambda each: f"[{each}]"),
    st.just("unknown"),
    st.from_regex(r"_[a-z0-9._-]{1,8}", fullmatch=True),
)
addresses = listed_addresses | st.tuples(st.ip_addresses(v=6), ports).map(lambda each: f"[{each[0]}]:{each[1]}")
names = st.one_of(
    st.from_regex(r"[a-z]{1,9}(\.[a-z]{1,9}){0,2}", fullmatch=True), st.ip_addresses(v=6).map(lambda each: f"[{each}]")
)
hosts = st.one_of(names, st.tuples(names, ports).map(":".join))
schemes = st.sampled_from(["http", "https", "HTTP", "Https"])


def listed(values: st.SearchStrategy[str], most: int = 4) -> st.SearchStrategy[str]:
    return st.lists(values, min_size=1, max_size=most).map(", ".join)


def quoted(name: str, values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return values.map(lambda value: f'{name}="{value}"')


elements = st.tuples(
    *(
        st.one_of(st.just(""), quoted(name, values))
        for name, values in (("for", addresses), ("host", hosts), ("proto", schemes), ("by", addresses))
    )
).flatmap(lambda pairs: st.permutations([pair for pair in pairs if pair]).map(";".join))

lists = st.fixed_dictionaries(
    {},
    optional={
        "X-Forwarded-For": listed(listed_addresses),
        "X-Forwarded-Host": listed(hosts),
        "X-Forwarded-Proto": schemes,
        "X-Forwarded-Port": ports,
        "X-Forwarded-By": listed(addresses),
    },
)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.tuples(
            lists,
            st.sets(st.sampled_from([*XF, "x-forwarded-port", "x-forwarded-by"])),
        ),
        st.tuples(listed(elements).map(lambda value: {"Forwarded": value} if value else {}), st.just({"forwarded"})),
    ),
    st.integers(1, 4),
    st.booleans(),
)
def test_whatever_proxies_write_the_outcome_is_that_of_waitress(
    written: tuple[Mapping[str, str], set[str]], count: int, clear: bool
) -> None:
    headers, believed = written
    told = {"headers": believed, "count": count, "clear_untrusted": clear}
    expected = theirs(headers, "192.168.1.1", "*", **told)
    outcome = ours(headers, "192.168.1.1", "*", **told)
    assert isinstance(expected, dict)
    assert isinstance(outcome, dict)
    keys = {*WATCHED, *(key for key in {*expected, *outcome} if key.startswith("HTTP_"))}
    assert {key: outcome.get(key) for key in keys} == {key: expected.get(key) for key in keys}
    assert outcome.get("REMOTE_PORT") in (expected["REMOTE_PORT"], None)
