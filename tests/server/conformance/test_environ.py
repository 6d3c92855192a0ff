"""What an app is given: PEP 3333's keys, the validator's approval, and ``wsgi.errors``."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import Any
from wsgiref.validate import validator

import pytest
from conformance_app import Call, ConformanceApp
from engine_in_thread import EngineInThread
from raw_http import Wire

Start = Callable[..., EngineInThread]


def environ_of(server: EngineInThread, request: bytes, address: Any = None) -> dict[str, Any]:
    server.app.calls.clear()
    with Wire(address or server.tcp) as wire:
        wire.send(request)
        reply = wire.read_reply()
        assert reply is not None
        assert reply.status == 200, reply
    found: dict[str, Any] = server.app.calls[0].environ
    return found


def test_the_required_keys_are_there(server_under_test: EngineInThread) -> None:
    environ = environ_of(server_under_test, b"GET /a%20b?c=d HTTP/1.1\r\nHost: example.com\r\nX-Y: z\r\n\r\n")
    assert type(environ) is dict
    port = str(server_under_test.tcp[1])
    expected = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "c=d",
        "REQUEST_URI": "/a%20b?c=d",
        "RAW_URI": "/a%20b?c=d",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_HOST": "127.0.0.1",
        "HTTP_HOST": "example.com",
        "HTTP_X_Y": "z",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    assert {key: environ.get(key) for key in expected} == expected
    assert environ["REMOTE_PORT"].isdigit()
    assert callable(environ["wsgi.file_wrapper"])
    assert not [key for key in environ if key.startswith("HTTP_") and key not in ("HTTP_HOST", "HTTP_X_Y")]
    assert "PATH" not in environ  # nothing of the process's own environment


def test_a_unix_socket_has_a_client_without_an_address(server_under_test: EngineInThread) -> None:
    environ = environ_of(server_under_test, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", server_under_test.unix)
    assert all(type(environ[key]) is str for key in ("SERVER_NAME", "SERVER_PORT", "REMOTE_ADDR"))
    assert environ["SERVER_NAME"]


def test_each_request_has_an_environ_of_its_own(server_under_test: EngineInThread) -> None:
    def spoil(environ: dict[str, Any], start_response: Any, call: Call) -> Any:
        assert "spoiled" not in environ
        environ["spoiled"] = environ["HTTP_HOST"] = environ["wsgi.url_scheme"] = "spoiled"
        environ.pop("REQUEST_METHOD")
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "0")])
        return []

    server_under_test.app.hooks["/spoil"] = spoil
    with Wire(server_under_test.tcp) as wire:
        for _ in range(3):
            wire.send(b"GET /spoil HTTP/1.1\r\nHost: x\r\n\r\n")
            reply = wire.read_reply()
            assert reply is not None
            assert reply.status == 200
    environ = environ_of(server_under_test, b"GET /spoil HTTP/1.1\r\nHost: x\r\n\r\n")
    assert environ["HTTP_HOST"] == "x"
    assert environ["REQUEST_METHOD"] == "GET"


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /?a=b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HEAD /%c3%a9 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_the_standard_librarys_validator_finds_nothing(start: Start, request_: bytes) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        # The validator knows no read() without a size.
        body = environ["wsgi.input"].read(100)
        body += environ["wsgi.input"].readline(10) + b"".join(environ["wsgi.input"])
        environ["wsgi.errors"].write("")
        environ["wsgi.errors"].flush()
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"1")
        return iter([body, b"2"])

    server = start(validator(app))
    with Wire(server.tcp) as wire:
        wire.send(request_)
        reply = wire.read_reply("HEAD" if request_.startswith(b"HEAD") else "GET")
        assert reply is not None
        assert reply.status == 200, reply.body
        assert reply.complete


def test_a_prefix_is_script_name(start: Start) -> None:
    server = start(url_prefix="/site")
    for target, script_name, path in (
        (b"/site/a", "/site", "/a"),
        (b"/site", "/site", ""),
        (b"/site/", "/site", "/"),
        (b"/sites", "/site", "/sites"),
        (b"/other", "/site", "/other"),
    ):
        environ = environ_of(server, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (script_name, path)
        assert environ["REQUEST_URI"] == target.decode()


def test_the_scheme_and_name_are_the_deployers(start: Start) -> None:
    environ = environ_of(
        start(url_scheme="https", server_name="www.example.com", multiprocess=True), b"GET / HTTP/1.0\r\n\r\n"
    )
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["SERVER_NAME"] == "www.example.com"
    assert environ["wsgi.multiprocess"] is True


@pytest.mark.parametrize(
    ("header_map", "status", "seen"), [("drop", 200, None), ("refuse", 400, None), ("keep", 200, "1")]
)
def test_names_with_an_underscore_are_the_deployers_choice(
    start: Start, header_map: str, status: int, seen: str | None
) -> None:
    server = start(header_map=header_map)
    with Wire(server.unix) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: x\r\nX_Foo: 1\r\nX_Forwarded_For: 1.2.3.4\r\nX_Real_IP: 1.2.3.4\r\n\r\n")
        reply = wire.read_reply()
        assert reply is not None
        assert reply.status == status
    for call in server.app.calls:
        assert call.environ.get("HTTP_X_FOO") == seen
        assert "HTTP_X_FORWARDED_FOR" not in call.environ
        assert "HTTP_X_REAL_IP" not in call.environ


def test_a_host_may_be_missing_where_the_deployer_says_so(start: Start) -> None:
    environ = environ_of(start(require_host=False), b"GET / HTTP/1.1\r\n\r\n")
    assert "HTTP_HOST" not in environ


def test_errors_can_be_written_from_any_thread(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    def answer(environ: dict[str, Any], start_response: Any, call: Call) -> Any:
        errors = environ["wsgi.errors"]

        def write() -> None:
            errors.write("written by a thread\n")
            errors.writelines(["line one\n", "line two\n"])
            errors.flush()

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        print("printed", file=errors)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "0")])
        return []

    server = start(ConformanceApp(hooks={"/errors": answer}))
    environ_of(server, b"GET /errors HTTP/1.1\r\nHost: x\r\n\r\n")
    told = capfd.readouterr().err
    for line in ("written by a thread", "line one", "line two", "printed"):
        assert line in told


def test_the_input_can_be_wrapped(server_under_test: EngineInThread) -> None:
    """As frameworks do it, to decode what was sent."""

    def answer(environ: dict[str, Any], start_response: Any, call: Call) -> Any:
        call.body = io.TextIOWrapper(io.BufferedReader(environ["wsgi.input"])).read().encode()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "0")])
        return []

    server_under_test.app.hooks["/wrap"] = answer
    environ_of(server_under_test, b"POST /wrap HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
    assert server_under_test.app.calls[0].body == b"hello"
