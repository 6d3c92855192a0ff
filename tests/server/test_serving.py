"""``wheatpaste.serve``: an app served from Python, as the servers that people come from did it."""

from __future__ import annotations

import http.client
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from running_server import Answer, RunningServer, free_port

import wheatpaste
from wheatpaste.config.options import OptionError
from wheatpaste.server.serving import BoundServer, serve


def hello(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    body = f"{environ['SERVER_NAME']} {environ['wsgi.url_scheme']}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def get(server: BoundServer) -> Answer:
    assert isinstance(server.server_address, tuple)
    with closing(http.client.HTTPConnection(*server.server_address, timeout=10)) as connection:
        connection.request("GET", "/")
        response = connection.getresponse()
        return Answer(response.status, response.reason, response.headers, response.read())


@pytest.fixture
def bound() -> Iterator[Callable[..., BoundServer]]:
    """Makes servers that listen; whatever still runs at the end is stopped."""
    made: list[BoundServer] = []

    def bind(app: Any = hello, **keywords: Any) -> BoundServer:
        made.append(serve(app, start_loop=False, **({"port": 0} | keywords)))
        return made[-1]

    yield bind
    for each in made:
        each.server_close()


@pytest.fixture
def running(bound: Callable[..., BoundServer]) -> Iterator[Callable[..., BoundServer]]:
    """Makes servers whose loop runs in a thread."""
    threads: list[tuple[BoundServer, threading.Thread]] = []

    def run(app: Any = hello, **keywords: Any) -> BoundServer:
        server = bound(app, **keywords)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        threads.append((server, thread))
        return server

    yield run
    for server, thread in threads:
        server.server_close()
        thread.join(10)
        assert not thread.is_alive()


def test_it_can_be_had_from_the_package() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OptionError, match="in use"):
        wheatpaste.serve(hello, port=taken.getsockname()[1])


def test_without_its_loop_it_listens_already(bound: Callable[..., BoundServer]) -> None:
    server = bound()
    assert server.server_address == ("127.0.0.1", server.server_port)
    assert server.urls == (f"http://127.0.0.1:{server.server_port}/",)
    with socket.create_connection(("127.0.0.1", server.server_port or 0), 10):
        pass  # the connection waits until somebody answers


def test_its_loop_answers_until_it_is_closed(running: Callable[..., BoundServer]) -> None:
    server = running()
    assert get(server).text.endswith("http")
    server.server_close()


@pytest.mark.parametrize("start_loop", ["false", False, "0"])
def test_the_loop_may_be_switched_off_in_words(start_loop: Any) -> None:
    server = serve(hello, port="0", start_loop=start_loop)
    server.server_close()


def test_a_closed_server_gives_its_port_back(running: Callable[..., BoundServer]) -> None:
    server = running()
    get(server)
    server.server_close()
    deadline = threading.Event()
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", server.server_port or 0), 10).close()
        except ConnectionRefusedError:
            return
        deadline.wait(0.05)
    pytest.fail("it still listens")


def test_a_server_that_is_closed_before_it_runs_does_not_run(bound: Callable[..., BoundServer]) -> None:
    server = bound()
    server.server_close()
    server.serve_forever()
    with pytest.raises(ConnectionRefusedError):
        get(server)


def test_its_unix_socket_is_removed_at_the_end(bound: Callable[..., BoundServer], tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    server = bound(port=None, unix_socket=path)
    assert server.server_address == str(path)
    assert server.server_port is None
    server.server_close()
    assert not path.exists()


def test_keywords_of_paste_count(running: Callable[..., BoundServer]) -> None:
    server = running(
        host="127.0.0.1:0",
        port=None,
        server_version="Old/1",
        protocol_version="HTTP/1.1",
        use_threadpool=True,
        threadpool_workers="3",
        threadpool_options={"hung_thread_limit": 60, "spawn_if_under": 5},
        daemon_threads=False,
        socket_timeout=None,
        request_queue_size=5,
        handler=None,
        ssl_pem=None,
        ssl_context=None,
    )
    assert get(server).headers["Server"] == "Old/1"
    assert (server.component.threads, server.component.hung_after, server.component.backlog) == (3, 60, 5)


def test_keywords_of_waitress_count(running: Callable[..., BoundServer]) -> None:
    server = running(
        port=None,
        listen="127.0.0.1:0",
        ident=None,
        url_scheme="https",
        channel_timeout=5,
        connection_limit=50,
        asyncore_use_poll=True,
        server_name="x.example",
    )
    answer = get(server)
    assert answer.headers["Server"] is None
    assert answer.text.endswith("https")
    assert (server.component.keep_alive_timeout, server.component.connections) == (5, 50)


def test_what_does_nothing_is_logged(bound: Callable[..., BoundServer], caplog: pytest.LogCaptureFixture) -> None:
    bound(handler=http.client.HTTPConnection, recv_bytes=4096)
    assert {record.getMessage().partition(":")[0] for record in caplog.records} == {"handler", "recv_bytes"}


def test_sockets_that_were_opened_before_are_served_and_stay_the_caller_s() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = serve(hello, sockets=[listener], start_loop=False)
        assert server.server_address == listener.getsockname()
        server.server_close()
        assert listener.fileno() >= 0


def test_socket_options_reach_the_sockets(bound: Callable[..., BoundServer]) -> None:
    server = bound(socket_options=[(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)])
    assert server.sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


@pytest.mark.parametrize(
    ("keywords", "option", "what"),
    [
        pytest.param({"prot": 1}, "prot", "did you mean 'port'", id="a misspelling"),
        pytest.param({"port": 1, "listen": "a:1"}, "port", "beside listen", id="two places"),
        pytest.param({"threads": 3, "threadpool_workers": 4}, "threadpool_workers", "keep one", id="two numbers"),
        pytest.param({"sockets": [socket.socket()], "port": 1}, "port", "beside sockets", id="sockets and a port"),
        pytest.param(
            {"threadpool_options": {"max_requests": 1}, "threadpool_max_requests": 2},
            "threadpool_max_requests",
            "threadpool_options",
            id="an option of the pool in two places",
        ),
        pytest.param({"tls_certificate": Path("/nowhere.pem")}, "tls_certificate", "/nowhere.pem", id="a missing file"),
        pytest.param(
            {"ssl_context": object()}, "tls_context", "must be an ssl.SSLContext", id="a context of another kind"
        ),
    ],
)
def test_mistakes_are_named_before_anything_is_open(keywords: dict[str, Any], option: str, what: str) -> None:
    with pytest.raises(OptionError, match=re.escape(what)) as caught:
        serve(hello, start_loop=False, **keywords)
    assert caught.value.option == option


@pytest.mark.slow
def test_several_processes_serve_from_python(tmp_path: Path) -> None:
    (tmp_path / "site.py").write_text(
        "import os\n"
        "from wheatpaste import serve\n"
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [f\"{os.getppid()} {environ['wsgi.multiprocess']}\".encode()]\n"
        "if __name__ == '__main__':\n"
        f"    serve(app, port={(port := free_port())}, workers=2, threadpool_workers=3)\n"
    )
    server = RunningServer([sys.executable, "site.py"], port=port, cwd=tmp_path)
    try:
        server.wait_until_ready()
        assert server.request().text == f"{server.pid} True"
        assert server.stop() == 0, server.log()
    finally:
        server.kill()
