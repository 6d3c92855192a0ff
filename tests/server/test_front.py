"""What stands around an app under servers of others: names, proxies, limits, and bodies that are read as files."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from wheatpaste.protocol.bodies import BodyTooLarge
from wheatpaste.server.foreign.adapted import with_chunked_bodies
from wheatpaste.server.foreign.front import Front
from wheatpaste.server.foreign.request_stream import read_as_file
from wheatpaste.server.http_server import HTTPServer
from wheatpaste.testing import Client


class Asked:
    """An app that keeps what it was asked, and reads the body."""

    def __init__(self) -> None:
        self.environ: dict[str, Any] = {}
        self.body: bytes | None = None

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.environ = environ
        self.body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"here"]


def environ_of(path: str = "/", body: Any = b"", **more: Any) -> dict[str, Any]:
    stream = io.BytesIO(body) if isinstance(body, bytes) else body
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": stream,
        **more,
    }


def ask(app: Any, environ: dict[str, Any]) -> tuple[str, bytes]:
    """Call the app; its status and body."""
    told: list[str] = []
    body = app(environ, lambda status, headers, exc_info=None: told.append(status))
    try:
        return told[0], b"".join(body)
    finally:
        getattr(body, "close", lambda: None)()


@pytest.mark.parametrize(
    ("prefix", "path", "script_name", "path_info"),
    [
        ("", "/cart", "", "/cart"),
        ("/site", "/site/cart", "/site", "/cart"),
        ("/site", "/site", "/site", ""),
        ("/site", "/cart", "/site", "/cart"),
        ("/site", "/sites/cart", "/site", "/sites/cart"),
    ],
)
def test_a_prefix_goes_from_the_path_to_the_script_name(
    prefix: str, path: str, script_name: str, path_info: str
) -> None:
    asked = Asked()
    ask(Front(asked, HTTPServer(url_prefix=prefix)), environ_of(path))
    assert (asked.environ["SCRIPT_NAME"], asked.environ["PATH_INFO"]) == (script_name, path_info)


def test_names_are_those_of_the_options_and_otherwise_of_the_server() -> None:
    asked = Asked()
    ask(Front(asked, HTTPServer()), environ_of())
    assert (asked.environ["SERVER_NAME"], asked.environ["wsgi.url_scheme"]) == ("127.0.0.1", "http")
    ask(Front(asked, HTTPServer(), server_name="10.0.0.1"), environ_of())
    assert asked.environ["SERVER_NAME"] == "10.0.0.1"
    ask(Front(asked, HTTPServer(server_name="shop", url_scheme="https"), server_name="10.0.0.1"), environ_of())
    assert (asked.environ["SERVER_NAME"], asked.environ["wsgi.url_scheme"]) == ("shop", "https")


def test_headers_of_a_trusted_proxy_count_and_those_of_others_are_removed() -> None:
    asked = Asked()
    forwarded = {"HTTP_X_FORWARDED_FOR": "203.0.113.9", "HTTP_FORWARDED": "for=203.0.113.9"}
    ask(Front(asked, HTTPServer()), environ_of(**forwarded))
    assert asked.environ["REMOTE_ADDR"] == "127.0.0.1"
    assert not forwarded.keys() & asked.environ.keys()
    ask(Front(asked, HTTPServer(trusted_proxies=("127.0.0.1",))), environ_of(**forwarded))
    assert (asked.environ["REMOTE_ADDR"], asked.environ["wheatpaste.peer"]) == ("203.0.113.9", "127.0.0.1")


def test_a_header_that_no_proxy_can_have_meant_is_refused() -> None:
    front = Front(Asked(), HTTPServer(trusted_proxies=("127.0.0.1",)))
    status, _ = ask(front, environ_of(HTTP_X_FORWARDED_PROTO="gopher"))
    assert status.startswith("400 ")


@pytest.mark.parametrize(
    ("headers", "size", "status"),
    [
        ({"CONTENT_LENGTH": "10"}, 10, "200"),
        ({"CONTENT_LENGTH": "11"}, 11, "413"),
        ({"CONTENT_LENGTH": "+1"}, 1, "400"),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, 10, "200"),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, 11, "413"),
        ({}, 0, "200"),
    ],
    ids=["just fits", "announced too large", "no length", "chunked, fits", "chunked, too large", "no body"],
)
def test_a_body_is_limited(headers: dict[str, str], size: int, status: str) -> None:
    front = Front(Asked(), HTTPServer(max_body=10), limits_bodies=True)
    assert ask(front, environ_of(body=b"x" * size, **headers))[0].split()[0] == status


def test_an_announced_body_that_is_too_large_is_not_read() -> None:
    class Unread:
        def read(self, size: int = -1) -> bytes:
            raise AssertionError("it was read")

    front = Front(Asked(), HTTPServer(max_body=10), limits_bodies=True)
    assert ask(front, environ_of(body=Unread(), CONTENT_LENGTH="11"))[0].startswith("413 ")


class Leaving:
    """A body whose work ends the process, at one of its steps."""

    def __init__(self, step: str) -> None:
        self.step = step

    def leave(self, step: str) -> None:
        if step == self.step:
            raise SystemExit("out of flour")

    def __iter__(self) -> Iterator[bytes]:
        self.leave("iter")
        return self

    def __next__(self) -> bytes:
        self.leave("next")
        raise StopIteration

    def close(self) -> None:
        self.leave("close")


@pytest.mark.parametrize("step", ["call", "iter", "next", "close"])
def test_an_app_that_ends_the_process_is_an_error_of_its_request_at_its(step: str) -> None:
    body = Leaving(step)

    def app(environ: Any, start_response: Any) -> Any:
        body.leave("call")
        start_response("200 OK", [])
        return body

    with pytest.raises(RuntimeError, match="the app called sys.exit\\('out of flour'\\)"):
        ask(Front(app, HTTPServer(), catches_exit=True), environ_of())


def test_the_answer_of_an_app_passes_through_it_untouched(client: Callable[..., Client]) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"he"
        yield b"re"

    for switches in (False, True):
        answer = client(Front(app, HTTPServer(), limits_bodies=switches, catches_exit=switches)).get("/")
        assert (answer.status, answer.text) == (200, "here")


def test_a_body_ends_with_an_error_where_it_exceeds_what_is_taken() -> None:
    environ = environ_of(body=b"x" * 100)
    read_as_file(environ, most=99)
    with pytest.raises(BodyTooLarge, match="larger than the 99 bytes"):
        environ["wsgi.input"].read()


def test_chunks_behind_a_function_are_read_as_a_body() -> None:
    class Uwsgi:
        chunks = iter([b"first\nsec", b"ond\n", b"last", b""])

        def chunked_read(self) -> bytes:
            return next(self.chunks)

    found: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        found.extend([environ["wsgi.input_terminated"], *environ["wsgi.input"]])
        start_response("200 OK", [])
        return []

    ask(with_chunked_bodies(app, Uwsgi()), environ_of(HTTP_TRANSFER_ENCODING="Chunked"))
    assert found == [True, b"first\n", b"second\n", b"last"]
