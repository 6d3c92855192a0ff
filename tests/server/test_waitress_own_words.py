"""The server through Waitress: its options, and what it does with them on real sockets."""

from __future__ import annotations

import http.client
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from running_server import Answer

from wheatpaste.config.options import OptionError
from wheatpaste.config.problems import ConfigError
from wheatpaste.protocol.peers import FORWARDING_REMOVED, is_direct
from wheatpaste.server.foreign.waitress_engine import Engine
from wheatpaste.server.foreign.waitress_own_words import WaitressInOwnWords, server_runner


def say(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    body = f"{environ['wheatpaste.peer']} {environ['REMOTE_ADDR']} {environ['SERVER_NAME']}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


class Served:
    """An app served in a thread."""

    def __init__(self, server: WaitressInOwnWords, app: Any) -> None:
        self.sockets = server.bind()
        self.address = self.sockets[0].getsockname()
        self.urls = server.urls(self.sockets)
        self.engine = Engine(app, self.sockets, server._adjustments(), grace=server.graceful_timeout)
        self.thread = threading.Thread(target=self.engine.run, daemon=True)
        self.thread.start()

    def get(self, path: str = "/", headers: dict[str, str] | None = None) -> Answer:
        with closing(http.client.HTTPConnection(*self.address, timeout=10)) as connection:
            connection.request("GET", path, headers=headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.reason, response.headers, response.read())

    def stop(self) -> None:
        self.engine.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()


@pytest.fixture
def served() -> Iterator[Callable[..., Served]]:
    running: list[Served] = []

    def start(app: Any = say, **options: Any) -> Served:
        running.append(Served(WaitressInOwnWords(**{"port": 0, **options}), app))
        return running[-1]

    yield start
    for each in running:
        each.engine.stop(force=True)
        each.thread.join(10)


def test_it_serves_on_this_machine_alone_unless_told() -> None:
    assert [str(address) for address in WaitressInOwnWords().addresses()] == ["127.0.0.1:8080"]


def test_it_says_nothing_about_itself(served: Callable[..., Served]) -> None:
    assert served().get().headers["Server"] is None
    assert served(ident="mine").get().headers["Server"] == "mine"


def test_it_serves_on_several_addresses(served: Callable[..., Served], tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    running = served(listen=("127.0.0.1:0", f"unix:{path}"), port=None)
    assert running.get().status == 200
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.0 200 OK")


def test_forwarding_headers_of_strangers_are_removed(served: Callable[..., Served]) -> None:
    noted: list[tuple[str, ...]] = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        trace = environ.get("wheatpaste.trace")
        noted.append(trace.notes if trace else ())
        return say(environ, start_response)

    running = served(app)
    answer = running.get(headers={"X-Forwarded-For": "203.0.113.9"})
    assert answer.text.split()[:2] == ["127.0.0.1", "127.0.0.1"]
    running.get()
    assert noted == [(FORWARDING_REMOVED,), ()]


@pytest.mark.parametrize(
    ("trusted", "named", "sent", "kept"),
    [
        pytest.param("127.0.0.1", (), "X-Forwarded-For", False, id="a trusted proxy, by the scheme alone"),
        pytest.param("*", (), "Forwarded", False, id="any proxy, by the scheme alone"),
        pytest.param("127.0.0.1", ("Forwarded",), "X-Forwarded-For", False, id="another header than the named one"),
        pytest.param("127.0.0.1", ("X-Forwarded-For",), "X-Forwarded-For", True, id="the named header"),
        pytest.param("127.0.0.1", (), "X-Forwarded-Proto", True, id="the scheme"),
    ],
)
def test_what_is_removed_of_a_trusted_proxys_headers_is_noted(
    served: Callable[..., Served], trusted: str, named: tuple[str, ...], sent: str, kept: bool
) -> None:
    direct: list[bool] = []
    noted: list[bool] = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        direct.append(is_direct(environ))
        noted.append(FORWARDING_REMOVED in getattr(environ.get("wheatpaste.trace"), "notes", ()))
        return say(environ, start_response)

    running = served(app, trusted_proxy=trusted, trusted_proxy_headers=named)
    value = {"Forwarded": "for=203.0.113.9", "X-Forwarded-Proto": "https"}.get(sent, "203.0.113.9")
    assert running.get(headers={sent: value}).status == 200
    assert (direct, noted) == ([False], [not kept])


def test_the_peer_stays_known_behind_a_trusted_proxy(served: Callable[..., Served]) -> None:
    running = served(trusted_proxy="127.0.0.1", trusted_proxy_headers=("X-Forwarded-For",))
    answer = running.get(headers={"X-Forwarded-For": "203.0.113.9"})
    assert answer.text.split()[:2] == ["127.0.0.1", "203.0.113.9"]


def test_a_trusted_proxy_tells_the_scheme_when_no_header_is_named(served: Callable[..., Served]) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["wsgi.url_scheme"].encode()]

    running = served(app, trusted_proxy="127.0.0.1")
    assert running.get(headers={"X-Forwarded-Proto": "https"}).text == "https"


def test_a_stopping_server_finishes_what_it_has_begun(served: Callable[..., Served]) -> None:
    entered, leave = threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        entered.set()
        leave.wait(10)
        return say(environ, start_response)

    running = served(app)
    answers: list[int] = []
    client = threading.Thread(target=lambda: answers.append(running.get().status))
    client.start()
    assert entered.wait(10)
    running.engine.stop()
    leave.set()
    client.join(10)
    running.stop()
    assert answers == [200]


def test_an_app_that_calls_sys_exit_is_answered_for(
    served: Callable[..., Served], caplog: pytest.LogCaptureFixture
) -> None:
    def leave(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        if environ["PATH_INFO"] == "/leave":
            sys.exit(3)
        return say(environ, start_response)

    server = served(leave)
    assert server.get("/leave").status == 500
    assert "the app called sys.exit(3)" in caplog.text
    assert server.get().status == 200


def test_an_app_that_calls_sys_exit_while_it_answers_cuts_its_connection(
    served: Callable[..., Served], caplog: pytest.LogCaptureFixture
) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        sys.exit(3)

    def leave(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/leave":
            return say(environ, start_response)
        start_response("200 OK", [("Content-Length", "8")])
        return chunks()

    server = served(leave)
    with pytest.raises(http.client.IncompleteRead):
        server.get("/leave")
    assert "the app called sys.exit(3)" in caplog.text
    assert server.get().status == 200


def test_a_stopped_server_takes_no_more_connections(served: Callable[..., Served]) -> None:
    running = served()
    running.get()
    running.stop()
    with pytest.raises(ConnectionRefusedError):
        running.get()


def test_requests_that_never_end_are_left_after_the_grace(served: Callable[..., Served]) -> None:
    entered, leave = threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        entered.set()
        leave.wait(30)
        return say(environ, start_response)

    running = served(app, graceful_timeout=0.1)

    def ask() -> None:
        with suppress(OSError, http.client.HTTPException):
            running.get()

    threading.Thread(target=ask, daemon=True).start()
    assert entered.wait(10)
    running.stop()
    leave.set()


@pytest.mark.parametrize(
    ("options", "option", "what"),
    [
        pytest.param({"port": 65536}, "port", "between 0 and 65535", id="a port too large"),
        pytest.param({"threads": 0}, "threads", "at least 1", id="no threads"),
        pytest.param({"host": ""}, "host", "every interface", id="no host"),
        pytest.param({"host": "http://a"}, "host", "without scheme", id="a URL for a host"),
        pytest.param({"host": "a:81", "port": 82}, "port", "differs", id="two ports"),
        pytest.param({"listen": ("a:1",), "port": 81}, "port", "beside listen", id="listen and port"),
        pytest.param({"listen": ("a:1",), "host": "b"}, "host", "beside listen", id="listen and host"),
        pytest.param({"listen": (":1",)}, "listen", "names no host", id="listen without a host"),
        pytest.param(
            {"listen": ("a:1",), "unix_socket": Path("/x")}, "unix_socket", "beside listen", id="listen, unix"
        ),
        pytest.param({"port": 81, "unix_socket": Path("/x")}, "port", "beside unix_socket", id="port and unix"),
        pytest.param({"ipv4": False, "ipv6": False}, "ipv6", "one of", id="no family"),
        pytest.param({"trusted_proxy_count": 2}, "trusted_proxy_count", "without trusted_proxy", id="a count alone"),
        pytest.param(
            {"trusted_proxy_headers": ("forwarded",)},
            "trusted_proxy_headers",
            "without trusted_proxy",
            id="headers alone",
        ),
        pytest.param(
            {"trusted_proxy": "*", "trusted_proxy_headers": ("forwarded", "x-forwarded-for")},
            "trusted_proxy_headers",
            "not both",
            id="two ways of forwarding",
        ),
        pytest.param(
            {"trusted_proxy": "*", "trusted_proxy_headers": ("x-real-ip",)},
            "trusted_proxy_headers",
            "none of",
            id="a header",
        ),
        pytest.param({"url_prefix": "site/"}, "url_prefix", "begin with a slash", id="a prefix without slash"),
    ],
)
def test_options_that_contradict_are_refused(options: dict[str, Any], option: str, what: str) -> None:
    with pytest.raises(OptionError, match=what) as caught:
        WaitressInOwnWords(**options)
    assert caught.value.option == option


def test_every_option_reaches_waitress() -> None:
    from waitress.adjustments import Adjustments

    given = WaitressInOwnWords(threads=7, max_request_body_size=5, trusted_proxy="10.0.0.1", trusted_proxy_count=2)
    adjusted = Adjustments(**given._adjustments())
    assert (adjusted.threads, adjusted.max_request_body_size, adjusted.trusted_proxy_count) == (7, 5, 2)
    ours = {"host", "port", "listen", "unix_socket", "unix_socket_perms", "ipv4", "ipv6", "sockets", "send_bytes"}
    conditional = {"trusted_proxy_count", "trusted_proxy_headers"}
    assert set(WaitressInOwnWords()._adjustments()) == set(Adjustments._param_map) - ours - conditional


@pytest.mark.parametrize(
    ("key", "text", "what"),
    [
        pytest.param("port", "http", "port = http: must be a whole number", id="a port that is no number"),
        pytest.param("prot", "80", "prot: no such option; did you mean 'port'?", id="a key misspelt"),
        pytest.param("unix_socket_perms", "rw", "octal digits", id="permissions in letters"),
        pytest.param("expose_tracebacks", "maybe", "must be true or false", id="a third truth"),
    ],
)
def test_mistakes_in_an_ini_are_named(key: str, text: str, what: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(what)):
        server_runner.make({}, **{key: text})


def test_an_ini_s_texts_become_values() -> None:
    server = server_runner.make(
        {}, listen="127.0.0.1:0 [::1]:0", unix_socket_perms="660", channel_timeout="2m", max_request_body_size="16MB"
    )
    assert server.listen == ("127.0.0.1:0", "[::1]:0")
    assert (server.unix_socket_perms, server.channel_timeout, server.max_request_body_size) == ("660", 120, 16 << 20)


def test_a_port_in_use_is_a_problem_of_its_key(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ini = tmp_path / "site.ini"
        ini.write_text(f"[server:main]\nuse = egg:waitress\nport = {port}\n")
        with pytest.raises(ConfigError, match="is in use by another process") as caught:
            server_runner(say, {"__file__": str(ini)}, port=port)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.key) == (str(ini), 3, "port")
