"""The prefix filter: what the world sees, told to an app; headers believed only from those who may write them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from paste.deploy.config import make_prefix_middleware

from wheatpaste.config.options import OptionError
from wheatpaste.config.problems import ConfigError
from wheatpaste.middleware.prefix import Prefix, filter_factory, paste_filter_factory
from wheatpaste.protocol.peers import FORWARDING_REMOVED
from wheatpaste.protocol.trace import Trace
from wheatpaste.testing import Client

WATCHED = ("SCRIPT_NAME", "PATH_INFO", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "REMOTE_ADDR", "wsgi.url_scheme")


class Inner:
    """An app that remembers the environ it saw."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.seen = dict(environ)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"inner"]


def see(wrap: Callable[[Any], Any], path: str = "/", *, script_name: str = "", **request: Any) -> dict[str, Any]:
    """The environ that the app inside sees."""
    inner = Inner()
    Client(wrap(inner), script_name=script_name, lint=True, peer=request.pop("peer", "127.0.0.1")).get(path, **request)
    return inner.seen


def prefixed(**options: Any) -> Callable[[Any], Any]:
    return lambda app: Prefix(app, **options)


@pytest.mark.parametrize(
    ("prefix", "path", "script_name", "path_info"),
    [
        pytest.param("/p", "/p/x", "/p", "/x", id="below"),
        pytest.param("/p", "/p", "/p", "/", id="at"),
        pytest.param("/p", "/p/", "/p", "/", id="at, with a slash"),
        pytest.param("/p", "/x", "/p", "/x", id="a proxy has stripped it"),
        pytest.param("/p", "/px", "/p", "/px", id="only the beginning of a segment"),
        pytest.param("/p/", "/p/x", "/p", "/x", id="a slash at the end of the option"),
        pytest.param("/p/q", "/p/q/x", "/p/q", "/x", id="several segments"),
        pytest.param("/p", "/p/p/x", "/p", "/p/x", id="once"),
        pytest.param("/p.q", "/pxq/x", "/p.q", "/pxq/x", id="a dot is a dot"),
        pytest.param("/(p", "/(p/x", "/(p", "/x", id="a bracket is a bracket"),
        pytest.param("/caf\u00e9", "/caf%C3%A9/x", "/caf\u00c3\u00a9", "/x", id="other alphabets"),
        pytest.param("/", "/x", "", "/x", id="the root"),
    ],
)
def test_the_prefix_moves_to_the_script_name(prefix: str, path: str, script_name: str, path_info: str) -> None:
    seen = see(prefixed(prefix=prefix), path)
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == (script_name, path_info)


def test_without_a_prefix_a_mount_stays_where_it_is() -> None:
    seen = see(prefixed(), "/x", script_name="/mount")
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("/mount", "/x")


@pytest.mark.parametrize(("path", "status"), [("/p/x", 200), ("/p", 200), ("/x", 404), ("/px", 404), ("/", 404)])
def test_a_path_without_the_prefix_can_be_refused(path: str, status: int, client: Callable[..., Client]) -> None:
    assert client(Prefix(Inner(), prefix="/p", missing="404")).get(path).status == status


FORWARDING = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "world.example",
    "X-Forwarded-Server": "proxy.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Port": "1337",
    "X-Forwarded-Prefix": "//evil.example/",
    "Forwarded": "for=203.0.113.9",
    "X-Real-IP": "203.0.113.9",
}


@pytest.mark.parametrize("trusted", [(), ("10.0.0.0/8",), ("unix",)], ids=["nobody", "others", "sockets"])
def test_headers_of_an_untrusted_peer_go_away_without_effect(trusted: tuple[str, ...]) -> None:
    seen = see(prefixed(trusted_proxies=trusted), headers=FORWARDING)
    plain = see(prefixed(trusted_proxies=trusted))
    assert Trace.of(seen).notes == (FORWARDING_REMOVED,)
    assert {key: seen[key] for key in WATCHED} == {key: plain[key] for key in WATCHED}
    assert not [key for key in seen if "FORWARDED" in key or "REAL_IP" in key]


def test_headers_stay_untouched_when_told_so() -> None:
    seen = see(prefixed(translate_forwarded_server=False), headers=FORWARDING)
    assert seen["HTTP_X_FORWARDED_FOR"] == "203.0.113.9"
    assert seen["REMOTE_ADDR"] == "127.0.0.1"


def test_headers_of_a_trusted_proxy_tell_client_host_and_scheme() -> None:
    seen = see(prefixed(trusted_proxies=("127.0.0.1",)), headers=FORWARDING)
    assert seen["REMOTE_ADDR"] == "203.0.113.9"
    assert seen["wheatpaste.peer"] == "127.0.0.1"
    assert seen["HTTP_HOST"] == "world.example"
    assert seen["SERVER_NAME"] == "proxy.example"
    assert seen["wsgi.url_scheme"] == "https"
    assert "HTTP_X_FORWARDED_HOST" not in seen


@pytest.mark.parametrize(
    ("trusted", "forwarded", "address"),
    [
        pytest.param("127.0.0.1", "203.0.113.9", "203.0.113.9", id="one hop"),
        pytest.param("127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9", id="what the client wrote is not taken"),
        pytest.param("127.0.0.1 10.0.0.0/8", "203.0.113.9, 10.0.0.2", "203.0.113.9", id="two proxies of ours"),
        pytest.param("127.0.0.1 10.0.0.0/8", "evil, 203.0.113.9, 10.0.0.2", "203.0.113.9", id="forged before them"),
        pytest.param("127.0.0.1 10.0.0.0/8", "10.0.0.3, 10.0.0.2", "10.0.0.3", id="a client among the proxies"),
        pytest.param("*", "198.51.100.1, 203.0.113.9", "203.0.113.9", id="anybody is trusted for one hop"),
        pytest.param("127.0.0.1", "203.0.113.9:4711", "203.0.113.9", id="a port"),
        pytest.param("127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1", id="IPv6 with a port"),
        pytest.param("127.0.0.1", "2001:db8::1", "2001:db8::1", id="IPv6"),
        pytest.param("127.0.0.1", "unknown", "127.0.0.1", id="unknown"),
        pytest.param("127.0.0.1", "203.0.113.9, _hidden", "127.0.0.1", id="hidden"),
        pytest.param("127.0.0.1", "203.0.113.9,", "127.0.0.1", id="an empty item"),
        pytest.param("127.0.0.1", "fe80::1%\x1b[2J", "127.0.0.1", id="a zone"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy(trusted: str, forwarded: str, address: str) -> None:
    seen = see(prefixed(trusted_proxies=tuple(trusted.split())), headers={"X-Forwarded-For": forwarded})
    assert seen["REMOTE_ADDR"] == address


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        ({"X-Forwarded-Host": "World.example:8443"}, "world.example:8443"),
        ({"X-Forwarded-Host": "evil.example, world.example"}, "world.example"),
        ({"X-Forwarded-Host": "world.example, inner", "X-Forwarded-For": "203.0.113.9, 10.0.0.2"}, "world.example"),
        ({"X-Forwarded-Host": "world.example", "X-Forwarded-For": "203.0.113.9, 10.0.0.2"}, "world.example"),
        ({"X-Forwarded-Host": 'evil"<x>'}, "localhost"),
        ({"X-Forwarded-Host": "a@b"}, "localhost"),
        ({"X-Forwarded-Host": "a:port"}, "localhost"),
        ({"X-Forwarded-Host": ""}, "localhost"),
        ({"X-Forwarded-Server": "proxy.example"}, "proxy.example"),
        ({"X-Forwarded-Server": "proxy.example", "X-Forwarded-Host": "world.example"}, "world.example"),
    ],
)
def test_the_host_is_the_one_that_the_outermost_proxy_of_ours_wrote(headers: dict[str, str], host: str) -> None:
    assert see(prefixed(trusted_proxies=("127.0.0.1", "10.0.0.0/8")), headers=headers)["HTTP_HOST"] == host


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        ({"X-Forwarded-Proto": "HTTPS"}, "https"),
        ({"X-Forwarded-Scheme": "https"}, "https"),
        ({"X-Forwarded-Scheme": "https", "X-Forwarded-Proto": "https"}, "https"),
        ({"X-Forwarded-Scheme": "https", "X-Forwarded-Proto": "http"}, "http"),
        ({"X-Forwarded-Proto": "http, https"}, "https"),
        ({"X-Forwarded-Proto": "https, http"}, "http"),
        ({"X-Forwarded-Proto": "javascript"}, "http"),
        ({"X-Forwarded-Proto": ""}, "http"),
    ],
)
def test_the_scheme_is_http_or_https(headers: dict[str, str], scheme: str) -> None:
    assert see(prefixed(trusted_proxies=("*",)), headers=headers)["wsgi.url_scheme"] == scheme


@pytest.mark.parametrize(
    ("options", "host", "seen_host", "port"),
    [
        pytest.param({"force_port": "8443"}, "a.test:8080", "a.test:8443", "8443", id="a port"),
        pytest.param({"force_port": "default"}, "a.test:8080", "a.test", "80", id="the scheme's own"),
        pytest.param({"force_port": "default", "scheme": "https"}, "a.test:8080", "a.test", "443", id="of that scheme"),
        pytest.param({"force_port": "80"}, "[::1]:8080", "[::1]:80", "80", id="IPv6"),
        pytest.param({"force_port": "keep"}, "a.test:8080", "a.test:8080", "8080", id="keep"),
        pytest.param({}, "a.test:8080", "a.test:8080", "8080", id="nothing said"),
    ],
)
def test_the_port_can_be_fixed(options: dict[str, Any], host: str, seen_host: str, port: str) -> None:
    inner = Inner()
    Client(Prefix(inner, **options), host=host).get("/")
    assert (inner.seen["HTTP_HOST"], inner.seen["SERVER_PORT"]) == (seen_host, port)


def test_a_fixed_port_leaves_a_host_that_is_none_to_others() -> None:
    seen = see(prefixed(force_port="80"), headers={"Host": "evil<x>"})
    assert (seen["HTTP_HOST"], seen["SERVER_PORT"]) == ("evil<x>", "80")


def test_a_fixed_scheme_wins_over_headers() -> None:
    options = {"scheme": "http", "trusted_proxies": ("*",)}
    assert see(prefixed(**options), headers={"X-Forwarded-Proto": "https"})["wsgi.url_scheme"] == "http"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("prefix", "wiki"),
        ("prefix", "//evil.example"),
        ("prefix", "/a/../b"),
        ("prefix", "/a?b"),
        ("prefix", "/a b"),
        ("force_port", "http"),
        ("force_port", "0"),
        ("force_port", "65536"),
        ("trusted_proxies", ("10.0.0.0/33",)),
    ],
)
def test_a_wrong_option_stops_the_start(option: str, value: Any) -> None:
    with pytest.raises(OptionError, match=option):
        Prefix(Inner(), **{option: value})


def test_trusted_proxies_are_inherited() -> None:
    wrap = filter_factory({"trusted_proxies": "127.0.0.1"}, prefix="/p")
    assert see(wrap, headers={"X-Forwarded-For": "203.0.113.9"})["REMOTE_ADDR"] == "203.0.113.9"


def test_an_empty_port_means_the_default() -> None:
    assert see(filter_factory({}, force_port="", scheme="https"))["SERVER_PORT"] == "443"


def test_an_unknown_option_is_an_error_for_ours_and_a_warning_for_the_old_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(ConfigError, match=r"prefx.*did you mean 'prefix'"):
        filter_factory({}, prefx="/p")
    with caplog.at_level(logging.WARNING):
        paste_filter_factory({}, prefx="/p", translate_forwarded_server="false")
    assert "did you mean 'prefix'" in caplog.text


@pytest.mark.parametrize(
    ("options", "count"),
    [({}, 1), ({"prefix": "/p"}, 1), ({"trusted_proxies": "10.0.0.0/8"}, 0), ({"translate_forwarded_server": "no"}, 0)],
)
def test_the_old_name_says_once_which_key_brings_the_trust_back(
    options: dict[str, str], count: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        wrap = paste_filter_factory({}, **options)
    see(wrap, headers=FORWARDING)
    warnings = [record.getMessage() for record in caplog.records if "trusted_proxies" in record.getMessage()]
    assert len(warnings) == count


# PasteDeploy's filter is the measure wherever it was right. Where ours differs on purpose:
# * headers count only from trusted proxies, and the last item of a list counts instead of the first (`*`: one hop);
# * the prefix is text and not a pattern, and ends at the end of a segment;
# * `http, https`, other schemes and broken hosts are never taken over; hosts come in lower case;
# * X-Forwarded-Scheme that contradicts X-Forwarded-Proto is believed no more than that;
# * `force_port =` goes by the scheme that is fixed, and IPv6 hosts keep their brackets.
@pytest.mark.parametrize("path", ["/", "/p", "/p/", "/p/x", "/x", "/p/p/x"])
@pytest.mark.parametrize("script_name", ["", "/mount"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"prefix": "/p"},
        {"prefix": "/p/"},
        {"prefix": "/p", "scheme": "https"},
        {"prefix": "/p", "force_port": "8080"},
        {"force_port": ""},
        {"translate_forwarded_server": "false"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Forwarded-Server": "proxy.example"},
        {"X-Forwarded-Host": "world.example:81", "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"},
        {"X-Forwarded-Scheme": "https"},
    ],
    ids=str,
)
def test_it_does_what_pastedeploy_did(
    path: str, script_name: str, options: dict[str, str], headers: dict[str, str]
) -> None:
    ours = paste_filter_factory({}, trusted_proxies="*", **options)
    request = {"script_name": script_name, "headers": headers}
    seen = see(ours, path, **request)
    expected = see(lambda app: make_prefix_middleware(app, {}, **options), path, **request)
    keys = {*WATCHED, *(key for key in {*seen, *expected} if key.startswith("HTTP_"))}
    assert {key: seen.get(key) for key in keys} == {key: expected.get(key) for key in keys}
