"""The options of the server: what they come to for an engine, and which cannot stand together."""

from __future__ import annotations

import inspect
import re
import socket
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from wheatpaste.config.options import OptionError, options_of
from wheatpaste.config.problems import ConfigError
from wheatpaste.config.translation import translate
from wheatpaste.server.engine_settings import DEADLINES, HABITS, LIMITS
from wheatpaste.server.http_server import HTTPServer, paste_server_runner, server_runner
from wheatpaste.server.keywords import IGNORED, NAMES, REFUSED, TRANSLATIONS
from wheatpaste.server.settings import Deadlines, Limits, Settings

ROOT = Path(__file__).resolve().parent.parent.parent
ELSEWHERE = {
    *(
        "limits",
        "deadlines",
        "url_scheme",
        "forwarding",
        "tls",
        "tls_environ",
        "proxy_protocol",
        "multiprocess",
        "environ",
    ),
}
"""Settings that no option is alone."""


def addresses(**options: Any) -> list[str]:
    return [str(address) for address in HTTPServer(**options).addresses()]


class TestAddresses:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            pytest.param({}, ["127.0.0.1:8080"], id="this machine alone, unless told"),
            pytest.param({"port": 0}, ["127.0.0.1:0"], id="a free port"),
            pytest.param({"host": "*"}, ["*:8080"], id="every interface"),
            pytest.param({"host": "a b:81"}, ["a:8080", "b:81"], id="several hosts"),
            pytest.param({"host": "::1", "port": 81}, ["[::1]:81"], id="IPv6 without brackets"),
            pytest.param({"host": "[::1]:81"}, ["[::1]:81"], id="IPv6 with a port"),
            pytest.param({"host": "a:81", "port": 81}, ["a:81"], id="one port said twice"),
            pytest.param({"listen": ("a:1", "unix:/x")}, ["a:1", "unix:/x"], id="several places"),
            pytest.param({"unix_socket": Path("/x")}, ["unix:/x"], id="a UNIX socket"),
            pytest.param({"tls": "dev"}, ["127.0.0.1:4443"], id="another port with TLS"),
            pytest.param({"tls": "dev", "listen": ("a", "b:1")}, ["a:4443", "b:1"], id="TLS in several places"),
            pytest.param({"tls": "dev", "port": 8080}, ["127.0.0.1:8080"], id="TLS on the port that was said"),
        ],
    )
    def test_it_listens_where_it_is_told(self, options: dict[str, Any], expected: list[str]) -> None:
        assert addresses(**options) == expected

    def test_a_port_in_use_is_named(self) -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as taken,
            pytest.raises(OptionError, match="in use") as caught,
        ):
            HTTPServer(port=taken.getsockname()[1]).bind()
        assert caught.value.option == "port"

    def test_the_scheme_of_its_urls_is_what_it_speaks(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            assert HTTPServer(tls="dev", url_prefix="/x").urls([listener]) == (f"https://127.0.0.1:{port}/x/",)
            assert HTTPServer().urls([listener]) == (f"http://127.0.0.1:{port}/",)


class TestSettings:
    def test_defaults_are_those_of_the_engine(self) -> None:
        assert HTTPServer().settings() == Settings()

    def test_every_setting_can_be_reached(self) -> None:
        assert set(LIMITS.values()) == {each.name for each in fields(Limits)}
        assert set(DEADLINES.values()) == {each.name for each in fields(Deadlines)}
        assert set(HABITS.values()) | ELSEWHERE == {each.name for each in fields(Settings)}

    def test_each_option_is_one_setting(self) -> None:
        given = HTTPServer(
            max_body=5, connections=7, write_timeout=9, threads=3, underscore_headers="refuse", ident=None
        )
        told = given.settings()
        assert (told.limits.body, told.limits.connections, told.deadlines.write) == (5, 7, 9)
        assert (told.threads, told.header_map, told.ident) == (3, "refuse", None)

    def test_apps_learn_the_scheme_that_is_spoken_or_said(self) -> None:
        assert HTTPServer(url_scheme="https").settings().url_scheme == "https"

    def test_apps_learn_that_there_are_several_processes(self) -> None:
        assert HTTPServer(workers=2).settings().multiprocess

    def test_the_proxy_protocol_is_asked_of_the_peers_that_are_named(self) -> None:
        asked = HTTPServer(proxy_protocol=("10.0.0.0/8", "unix")).settings().proxy_protocol
        assert asked is not None
        assert [asked(peer) for peer in ("10.1.2.3", "192.0.2.1", "")] == [True, False, True]

    def test_a_server_in_a_hurry_waits_no_longer_than_it_would(self) -> None:
        assert HTTPServer().hurried(2).drain_timeout == 2
        assert HTTPServer(drain_timeout=1).hurried(2).drain_timeout == 1


CONTRADICTIONS = [
    pytest.param({"port": 65536}, "port", "between 0 and 65535", id="a port too large"),
    pytest.param({"threads": 0}, "threads", "at least 1", id="no threads"),
    pytest.param({"workers": 0}, "workers", "at least 1", id="no workers"),
    pytest.param({"host": " "}, "host", "every interface", id="no host"),
    pytest.param({"host": "http://a"}, "host", "without scheme", id="a URL for a host"),
    pytest.param({"host": "a:81", "port": 82}, "port", "differs", id="two ports"),
    pytest.param({"host": "a:81", "port": 8080}, "port", "differs", id="two ports, one the usual"),
    pytest.param({"listen": ("a:1",), "port": 8080}, "port", "beside listen", id="listen and port"),
    pytest.param({"listen": ("a:1",), "host": "b"}, "host", "beside listen", id="listen and host"),
    pytest.param({"listen": (":1",)}, "listen", "names no host", id="listen without a host"),
    pytest.param({"listen": ("a:1",), "unix_socket": Path("/x")}, "unix_socket", "beside listen", id="listen, unix"),
    pytest.param({"port": 81, "unix_socket": Path("/x")}, "port", "beside unix_socket", id="port and unix"),
    pytest.param({"ipv4": False, "ipv6": False}, "ipv6", "one of", id="no family"),
    pytest.param({"unix_socket_owner": "www"}, "unix_socket_owner", "without a UNIX socket", id="an owner of nothing"),
    pytest.param({"unix_socket_owner": ":"}, "unix_socket_owner", "user:group", id="an owner without a name"),
    pytest.param({"unix_socket_perms": "rw"}, "unix_socket_perms", "octal", id="permissions in letters"),
    pytest.param({"trusted_proxy_count": 2}, "trusted_proxy_count", "without trusted_proxies", id="a count alone"),
    pytest.param(
        {"trusted_proxy_headers": ("forwarded",)},
        "trusted_proxy_headers",
        "without trusted_proxies",
        id="headers alone",
    ),
    pytest.param(
        {"trusted_proxies": ("*",), "trusted_proxy_headers": ("forwarded", "X-Forwarded-For")},
        "trusted_proxy_headers",
        "not both",
        id="two ways of forwarding",
    ),
    pytest.param(
        {"trusted_proxies": ("*",), "trusted_proxy_headers": ("x-real-ip",)},
        "trusted_proxy_headers",
        "none of",
        id="a header that no proxy standard has",
    ),
    pytest.param(
        {"trusted_proxies": ("10.0.0.0/40",)}, "trusted_proxies", "is no network", id="a network that is none"
    ),
    pytest.param({"url_prefix": "site/"}, "url_prefix", "begin with a slash", id="a prefix without slash"),
    pytest.param({"health_paths": ("up",)}, "health_paths", "begin with a slash", id="a health path without slash"),
    pytest.param({"ident": "a\r\nB: c"}, "ident", "printable", id="a header inside the Server header"),
    pytest.param({"tls": "dev", "tls_certificate": (Path("x"),)}, "tls", "remove `tls = dev`", id="two certificates"),
    pytest.param({"tls_key": (Path("x"),)}, "tls_key", "without tls_certificate", id="a key alone"),
    pytest.param({"tls_password": "x"}, "tls_password", "without tls_certificate", id="a password alone"),
    pytest.param(
        {"tls_certificate": (Path("a"), Path("b")), "tls_key": (Path("k"),)},
        "tls_key",
        "names 1 files for 2 certificates",
        id="fewer keys than certificates",
    ),
    pytest.param({"tls": "dev", "tls_client": "required"}, "tls_client", "tls_client_ca", id="clients without a CA"),
    pytest.param({"tls": "dev", "tls_client_ca": Path("x")}, "tls_client_ca", "tls_client =", id="a CA for no clients"),
    pytest.param(
        {"tls_client": "required", "tls_client_ca": Path("x")}, "tls_client", "without TLS", id="clients without TLS"
    ),
    pytest.param(
        {"tls_context": object(), "tls": "dev"}, "tls", "beside tls_context", id="a context and a certificate"
    ),
    pytest.param({"tls": "dev", "url_scheme": "http"}, "url_scheme", "remove it", id="TLS that is called http"),
    pytest.param(
        {"max_request_line": 9000, "max_request_head": 8000},
        "max_request_line",
        "max_request_head",
        id="a line too long",
    ),
    pytest.param(
        {"connections": 5, "connections_per_address": 6}, "connections_per_address", "more than", id="more for one"
    ),
    pytest.param({"max_requests_jitter": 5}, "max_requests_jitter", "without max_requests", id="a jitter of nothing"),
]


@pytest.mark.parametrize(("options", "option", "what"), CONTRADICTIONS)
def test_options_that_cannot_stand_are_refused(options: dict[str, Any], option: str, what: str) -> None:
    with pytest.raises(OptionError, match=re.escape(what)) as caught:
        HTTPServer(**options)
    assert caught.value.option == option


class TestInINIFiles:
    @pytest.mark.parametrize(
        ("key", "text", "what"),
        [
            pytest.param("port", "http", "port = http: must be a whole number", id="a port that is no number"),
            pytest.param("prot", "80", "prot: no such option; did you mean 'port'?", id="a key misspelt"),
            pytest.param("workers", "many", "whole number, or auto", id="workers in words"),
            pytest.param("tls", "yes", "must be dev", id="TLS without a certificate"),
            pytest.param("max_body", "1 elephant", "has no unit", id="a size without a unit"),
            pytest.param("sockets", "x", "listen = fd:3", id="what only Python can give"),
            pytest.param("protocol_version", "HTTP/2", "must be HTTP/0.9", id="a version of another protocol"),
        ],
    )
    def test_mistakes_are_named(self, key: str, text: str, what: str) -> None:
        with pytest.raises(ConfigError, match=re.escape(what)):
            server_runner.make({}, **{key: text})

    def test_texts_become_values(self) -> None:
        server = server_runner.make(
            {},
            listen="127.0.0.1:0 [::1]:0",
            head_timeout="2m",
            max_body="16MB",
            workers="3",
            ident="",
            url_scheme="HTTPS",
        )
        assert server.listen == ("127.0.0.1:0", "[::1]:0")
        assert (server.head_timeout, server.max_body, server.workers) == (120, 16 << 20, 3)
        assert (server.ident, server.url_scheme) == (None, "https")

    def test_there_is_a_worker_for_each_core_that_it_may_use(self) -> None:
        import os

        assert server_runner.make({}, workers="auto").workers == len(os.sched_getaffinity(0))

    def test_proxies_may_be_trusted_for_the_whole_file(self) -> None:
        assert server_runner.make({"trusted_proxies": "10.0.0.0/8 unix"}).trusted_proxies == ("10.0.0.0/8", "unix")

    @pytest.mark.parametrize(
        ("key", "text"),
        [
            ("expose_tracebacks", "true"),
            ("trusted_proxies", "*"),
            ("trusted_proxy", "*"),
            ("underscore_headers", "keep"),
            ("max_hung", "17"),
            ("tls_certificate", "/nowhere/x.pem"),
            ("tls_client_ca", "/nowhere/x.pem"),
            ("ssl_pem", "/nowhere/x.pem"),
        ],
    )
    def test_what_surprises_is_a_warning_about_the_key_that_says_it(self, key: str, text: str) -> None:
        problems = server_runner.reader.read({key: text}, {}).problems
        assert [(problem.severity, problem.code, problem.key) for problem in problems] == [("warning", "advice", key)]

    @pytest.mark.parametrize(("threads", "warned"), [("1", ["health_paths"]), ("2", [])])
    def test_health_paths_without_a_second_thread_are_a_warning(self, threads: str, warned: list[str]) -> None:
        problems = server_runner.reader.read({"threads": threads, "health_paths": "/healthz/livez"}, {}).problems
        assert [problem.key for problem in problems] == warned

    def test_a_contradiction_is_blamed_on_the_key_that_says_it(self) -> None:
        with pytest.raises(ConfigError) as caught:
            paste_server_runner.make({}, ssl_pem="*", tls_certificate="/x")
        assert [problem.key for problem in caught.value.problems] == ["ssl_pem"]


WAITRESS = [
    pytest.param({"threads": "7"}, {"threads": 7}, id="threads"),
    pytest.param({"channel_timeout": "60"}, {"keep_alive_timeout": 60, "write_timeout": 60}, id="channel_timeout"),
    pytest.param({"connection_limit": "9"}, {"connections": 9}, id="connection_limit"),
    pytest.param(
        {"max_request_header_size": "262144"},
        {"max_request_head": 262144, "max_request_line": 262144},
        id="max_request_header_size",
    ),
    pytest.param(
        {"max_request_header_size": "262144", "max_request_line": "100"},
        {"max_request_head": 262144, "max_request_line": 100},
        id="max_request_header_size and a shorter line",
    ),
    pytest.param({"max_request_body_size": "5"}, {"max_body": 5}, id="max_request_body_size"),
    pytest.param({"inbuf_overflow": "5"}, {"body_memory": 5}, id="inbuf_overflow"),
    pytest.param({"outbuf_high_watermark": "5"}, {"output_memory": 5}, id="outbuf_high_watermark"),
    pytest.param(
        {"trusted_proxy": "10.0.0.1"},
        {"trusted_proxies": ("10.0.0.1",), "trusted_proxy_headers": ("x-forwarded-proto",)},
        id="trusted_proxy",
    ),
    pytest.param(
        {"trusted_proxy": "10.0.0.1", "trusted_proxy_headers": "x-forwarded-for"},
        {"trusted_proxies": ("10.0.0.1",), "trusted_proxy_headers": ("x-forwarded-for",)},
        id="trusted_proxy and its headers",
    ),
    pytest.param({"trusted_proxy": ""}, {"trusted_proxies": (), "trusted_proxy_headers": ()}, id="no trusted_proxy"),
    pytest.param({"trusted_proxy": "localhost"}, {"trusted_proxies": ("unix",)}, id="the peers of UNIX sockets"),
    pytest.param({"ident": ""}, {"ident": None}, id="ident"),
    pytest.param({"server_name": "x.example"}, {"server_name": "x.example"}, id="server_name"),
]

PASTE = [
    pytest.param({}, {"threads": 10, "host": "127.0.0.1"}, id="nothing"),
    pytest.param({"threadpool_workers": "3"}, {"threads": 3}, id="threadpool_workers"),
    pytest.param({"request_queue_size": "7"}, {"backlog": 7}, id="request_queue_size"),
    pytest.param({"server_version": "Old/1"}, {"ident": "Old/1"}, id="server_version"),
    pytest.param({"socket_timeout": "9"}, {"keep_alive_timeout": 9, "write_timeout": 9}, id="socket_timeout"),
    pytest.param({"socket_timeout": "0"}, {"keep_alive_timeout": 30, "write_timeout": 60}, id="no socket_timeout"),
    pytest.param({"daemon_threads": "true"}, {"drain_timeout": 0}, id="daemon_threads"),
    pytest.param({"daemon_threads": "false"}, {"drain_timeout": 30}, id="no daemon_threads"),
    pytest.param({"use_threadpool": "true"}, {"threads": 10}, id="use_threadpool"),
    pytest.param({"protocol_version": "HTTP/1.1"}, {"keep_alive_requests": None}, id="HTTP/1.1"),
    pytest.param({"ssl_pem": "*"}, {"tls": "dev", "tls_certificate": ()}, id="a certificate for development"),
    pytest.param({"ssl_pem": __file__}, {"tls": None, "tls_certificate": (Path(__file__),)}, id="a certificate"),
    pytest.param({"threadpool_hung_thread_limit": "5"}, {"hung_after": 5}, id="hung_thread_limit"),
    pytest.param({"threadpool_max_zombie_threads_before_die": "0"}, {"max_hung": None}, id="any number of zombies"),
    pytest.param({"threadpool_max_zombie_threads_before_die": "3"}, {"max_hung": 4}, id="more than three zombies"),
    pytest.param({"threadpool_kill_thread_limit": "0"}, {"request_timeout": None}, id="no thread is ever killed"),
]


class TestKeywordsOfOtherServers:
    @pytest.mark.parametrize(("texts", "options"), WAITRESS)
    def test_those_of_waitress_mean_the_same_here(self, texts: dict[str, str], options: dict[str, Any]) -> None:
        reading = server_runner.reader.read(texts, {})
        assert reading.problems == []
        server = HTTPServer(**reading.values)
        assert {name: getattr(server, name) for name in options} == options

    @pytest.mark.parametrize(("texts", "options"), PASTE)
    def test_those_of_paste_mean_the_same_here(self, texts: dict[str, str], options: dict[str, Any]) -> None:
        reading = paste_server_runner.reader.read(texts, {})
        assert reading.problems == []
        server = HTTPServer(**reading.values)
        assert {name: getattr(server, name) for name in options} == options

    @pytest.mark.parametrize(
        ("key", "text", "remark", "options"),
        [
            ("use_threadpool", "false", "there is always a pool", {}),
            ("protocol_version", "HTTP/1.0", "closed after one request", {"keep_alive_requests": 1}),
            ("threadpool_kill_thread_limit", "60", "no thread is killed", {"request_timeout": 60}),
            ("threadpool_max_requests", "100", "max_requests replaces", {}),
            ("error_email", "a@b.example", "a handler of the logging section", {}),
        ],
    )
    def test_what_is_otherwise_than_before_is_said(
        self, key: str, text: str, remark: str, options: dict[str, Any]
    ) -> None:
        reading = paste_server_runner.reader.read({key: text}, {})
        (problem,) = reading.problems
        assert problem.severity == "warning"
        assert remark in problem.message
        assert {name: reading.values[name] for name in options} == options

    @pytest.mark.parametrize(
        ("texts", "what"),
        [
            pytest.param({"threads": "4", "threadpool_workers": "5"}, "says the same as 'threads'", id="two spellings"),
            pytest.param(
                {"channel_timeout": "5", "write_timeout": "6"}, "contradicts 'write_timeout'", id="a key of ours"
            ),
            pytest.param(
                {"channel_timeout": "5", "socket_timeout": "6"}, "contradicts 'channel_timeout'", id="two of others"
            ),
            pytest.param({"ssl_pem": "*", "tls_certificate": "/x"}, "remove `tls = dev`", id="two certificates"),
            pytest.param({"trusted_proxy": "gate"}, "is no network", id="a name that our option does not allow"),
        ],
    )
    def test_what_contradicts_is_an_error(self, texts: dict[str, str], what: str) -> None:
        with pytest.raises(ConfigError, match=re.escape(what)):
            paste_server_runner.make({}, **texts)

    def test_saying_the_same_in_two_ways_is_none(self) -> None:
        assert server_runner.make({}, channel_timeout="5", write_timeout="5").keep_alive_timeout == 5

    def test_a_section_beats_the_whole_file(self) -> None:
        server = server_runner.make({"trusted_proxies": "10.0.0.0/8"}, trusted_proxy="192.0.2.1")
        assert server.trusted_proxies == ("192.0.2.1",)

    def test_old_names_shrug_at_unknown_keys(self) -> None:
        problems = paste_server_runner.reader.read({"colour": "red"}, {}).problems
        assert [problem.severity for problem in problems] == ["warning"]

    def test_none_is_forgotten(self) -> None:
        from paste import httpserver
        from waitress.adjustments import Adjustments

        known = set(server_runner.reader.keys())
        pool = inspect.signature(httpserver.ThreadPool.__init__).parameters.keys() - {"self", "nworkers"}
        python_only = {"application", "threadpool_options"}
        paste = inspect.signature(httpserver.serve).parameters.keys() - python_only
        assert paste | {f"threadpool_{name}" for name in pool} <= known
        assert Adjustments._param_map.keys() | {"socket_options"} <= known

    def test_none_hides_an_option_of_ours(self) -> None:
        own = {option.name for option in options_of(HTTPServer)}
        assert own.isdisjoint([*NAMES, *TRANSLATIONS, *IGNORED, *REFUSED])


class TestFromPython:
    @pytest.mark.parametrize(
        ("keywords", "options"),
        [
            pytest.param({"port": "81", "max_body": "16MB"}, {"port": 81, "max_body": 16 << 20}, id="texts"),
            pytest.param({"listen": "a:1 b:2"}, {"listen": ("a:1", "b:2")}, id="words"),
            pytest.param({"listen": ["a:1"]}, {"listen": ("a:1",)}, id="a list"),
            pytest.param(
                {"trusted_proxy": "10.0.0.1", "trusted_proxy_headers": {"x-forwarded-for"}},
                {"trusted_proxies": ("10.0.0.1",), "trusted_proxy_headers": ("x-forwarded-for",)},
                id="a set",
            ),
            pytest.param({"ssl_pem": "*"}, {"tls": "dev"}, id="a certificate for development"),
            pytest.param({"ident": None}, {"ident": None}, id="an option that may be None"),
            pytest.param(
                {"server_version": None, "socket_timeout": None, "ssl_pem": None, "handler": None},
                {},
                id="old defaults",
            ),
            pytest.param({"workers": "2"}, {"workers": 2}, id="an option with a reader of its own"),
            pytest.param({"threads": 3, "threadpool_workers": 3}, {"threads": 3}, id="the same in two ways"),
        ],
    )
    def test_keywords_of_any_server_become_options(self, keywords: dict[str, Any], options: dict[str, Any]) -> None:
        assert translate(server_runner.reader, keywords) == (options, {})

    @pytest.mark.parametrize(
        ("keywords", "option", "what"),
        [
            pytest.param({"threads": 3, "threadpool_workers": 4}, "threadpool_workers", "keep one", id="two spellings"),
            pytest.param({"write_timeout": 1, "channel_timeout": 2}, "channel_timeout", "keep one", id="a translation"),
            pytest.param({"prot": 80}, "prot", "did you mean 'port'", id="a misspelling"),
            pytest.param({"port": "http"}, "port", "whole number", id="a text that is none"),
            pytest.param({"socket_timeout": -1}, "socket_timeout", "at least 0", id="a value that cannot be"),
        ],
    )
    def test_mistakes_name_the_keyword(self, keywords: dict[str, Any], option: str, what: str) -> None:
        with pytest.raises(OptionError, match=what) as caught:
            translate(server_runner.reader, keywords)
        assert caught.value.option == option

    def test_what_does_nothing_is_said(self) -> None:
        _, remarks = translate(
            server_runner.reader, {"handler": object, "use_threadpool": False, "daemon_threads": True}
        )
        assert sorted(remarks) == ["handler", "use_threadpool"]
