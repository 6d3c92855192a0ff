"""The test client, strict as a server should be, and the clock."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from typing import Any

import pytest

from wheatpaste.testing import Client, Clock, ProtocolError

OK = "200 OK"
TEXT = [("Content-Type", "text/plain; charset=utf-8")]


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response(OK, list(TEXT))
    return [b"hello"]


def environ_of(client: Client, method: str = "GET", path: str = "/", **how: Any) -> dict[str, Any]:
    return client.request(method, path, **how).environ


class Body:
    """A body that counts how often it was closed."""

    def __init__(self, *chunks: Any, error: Exception | None = None) -> None:
        self.chunks, self.error = chunks, error
        self.taken = self.closed = 0

    def __iter__(self) -> Iterator[Any]:
        for chunk in self.chunks:
            self.taken += 1
            yield chunk
        if self.error:
            raise self.error

    def close(self) -> None:
        self.closed += 1


def answering(body: Any, headers: Any = None, status: Any = OK) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response(status, list(TEXT) if headers is None else headers)
        return body

    return app


def test_a_response_tells_status_headers_and_body(client: Callable[..., Client]) -> None:
    response = client(hello).get("/")
    assert (response.status, response.reason, response.status_line) == (200, "OK", OK)
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert (response.body, response.text, response.chunks) == (b"hello", "hello", [b"hello"])
    assert response.closed


@pytest.mark.parametrize(
    ("path", "path_info", "query"),
    [
        ("/", "/", ""),
        ("/a%20b?x=1&y=%20", "/a b", "x=1&y=%20"),
        ("/caf\u00e9", "/caf\u00c3\u00a9", ""),
        ("/caf%C3%A9", "/caf\u00c3\u00a9", ""),
        ("/a%2Fb", "/a/b", ""),
        ("/a#part", "/a", ""),
        ("http://localhost/whole", "/whole", ""),
    ],
)
def test_a_path_is_decoded_as_servers_do(path: str, path_info: str, query: str) -> None:
    environ = environ_of(Client(hello), path=path)
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == (path_info, query)


def test_the_raw_target_is_kept() -> None:
    assert environ_of(Client(hello, script_name="/s"), path="/a%2Fb?x")["REQUEST_URI"] == "/s/a%2Fb?x"


def test_paths_are_below_the_script_name() -> None:
    environ = environ_of(Client(hello, script_name="/site/"), path="/page")
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/site", "/page")


def test_a_url_outside_the_script_name_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="not below /site"):
        Client(hello, script_name="/site").get("http://localhost/elsewhere")


@pytest.mark.parametrize(
    ("host", "scheme", "name", "port"),
    [
        ("localhost", "http", "localhost", "80"),
        ("localhost", "https", "localhost", "443"),
        ("demo.test:8080", "http", "demo.test", "8080"),
        ("[::1]:8080", "http", "[::1]", "8080"),
        ("[::1]", "http", "[::1]", "80"),
    ],
)
def test_host_and_scheme_are_told_to_the_app(host: str, scheme: str, name: str, port: str) -> None:
    environ = environ_of(Client(hello, host=host, scheme=scheme))
    assert environ["HTTP_HOST"] == host
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == (name, port)
    assert environ["wsgi.url_scheme"] == scheme


def test_headers_of_the_request_win_over_those_of_the_client() -> None:
    environ = environ_of(Client(hello, headers={"X-A": "1", "X-B": "1"}), headers={"X-B": "2", "Content-Type": "a/b"})
    assert (environ["HTTP_X_A"], environ["HTTP_X_B"], environ["CONTENT_TYPE"]) == ("1", "2", "a/b")
    assert "HTTP_CONTENT_TYPE" not in environ


def test_keys_of_the_environ_can_be_overridden() -> None:
    client = Client(hello, environ={"a.b": 1, "REMOTE_ADDR": "192.0.2.1"}, peer="192.0.2.9")
    assert environ_of(client)["REMOTE_ADDR"] == "192.0.2.1"
    assert environ_of(client, environ={"a.b": 2})["a.b"] == 2


def receive(client: Client, **how: Any) -> tuple[str, bytes]:
    environ = environ_of(client, "POST", **how)
    return environ.get("CONTENT_TYPE", ""), environ["wsgi.input"].read()


def test_bodies_are_sent_as_what_they_are() -> None:
    client = Client(hello)
    assert receive(client, body=b"\x00") == ("", b"\x00")
    assert receive(client, body="\u00e9") == ("", b"\xc3\xa9")
    assert receive(client, json={"a": [1]}) == ("application/json", b'{"a": [1]}')
    assert receive(client, form={"a": "1 2", "b": "&"}) == ("application/x-www-form-urlencoded", b"a=1+2&b=%26")
    assert receive(client, form=[("a", 1), ("a", 2)])[1] == b"a=1&a=2"


def test_a_body_in_pieces_is_sent_chunked() -> None:
    environ = environ_of(Client(hello), "POST", body=iter([b"one", b"", b"two"]))
    assert "CONTENT_LENGTH" not in environ
    assert environ["HTTP_TRANSFER_ENCODING"] == "chunked"
    assert environ["wsgi.input"].read() == b"onetwo"


def test_files_are_sent_as_webob_reads_them(client: Callable[..., Client]) -> None:
    from webob import Request, Response

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        upload = request.POST["file"]
        answer = Response(json=[request.POST["note"], upload.filename, upload.file.read().decode(), upload.type])
        return answer(environ, start_response)

    response = client(app).post("/", form={"note": "n"}, files={"file": ('a"b.txt', b"content", "text/plain")})
    assert response.json() == ["n", "a%22b.txt", "content", "text/plain"]


def test_two_kinds_of_body_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="only one"):
        Client(hello).post("/", body=b"", json={})


def test_what_the_app_wrote_to_its_error_stream_is_kept(client: Callable[..., Client]) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["wsgi.errors"].write("oops")
        return hello(environ, start_response)

    assert client(app).get("/").errors == "oops"


def test_a_streamed_body_is_taken_piece_by_piece(client: Callable[..., Client]) -> None:
    body = Body(b"one", b"two", b"three")
    with client(answering(body)).get("/", stream=True) as response:
        pieces = iter(response)
        assert (next(pieces), next(pieces)) == (b"one", b"two")
        assert (body.taken, body.closed) == (2, 0)
    assert (body.taken, body.closed) == (2, 1)
    assert response.chunks == [b"one", b"two"]
    assert response.body == b"onetwo", "a client that went away gets nothing more"


def test_headers_may_come_with_the_first_piece(client: Callable[..., Client]) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("201 Created", list(TEXT))
        yield b"late"

    assert Client(app).get("/").status == 201


def test_what_is_written_comes_before_what_is_returned(client: Callable[..., Client]) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        write = start_response(OK, list(TEXT))
        write(b"one")
        write(b"two")
        return [b"three"]

    assert client(app).get("/").chunks == [b"one", b"two", b"three"]


def failing(when: str) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if when == "before":
            raise KeyError(when)
        start_response(OK, list(TEXT))
        return Body(b"" if when == "first" else b"one", error=KeyError(when))

    return app


@pytest.mark.parametrize("when", ["before", "first", "later"])
def test_errors_of_the_app_travel(when: str, client: Callable[..., Client]) -> None:
    with pytest.raises(KeyError, match=when):
        client(failing(when)).get("/")


@pytest.mark.parametrize("chunks", [(), (b"one",)], ids=["before the first piece", "after the first piece"])
def test_a_body_that_fails_is_closed_once(chunks: tuple[bytes, ...]) -> None:
    body = Body(*chunks, error=OSError("disk"))
    with pytest.raises(OSError, match="disk"):
        Client(answering(body)).get("/")
    assert body.closed == 1


def test_headers_can_be_replaced_with_exc_info_until_something_was_sent() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(OK, list(TEXT))
        try:
            raise KeyError("late")
        except KeyError:
            start_response("500 Internal Server Error", list(TEXT), sys.exc_info())
        return [b"sorry"]

    assert Client(app).get("/").status == 500


def test_exc_info_raises_once_something_was_sent() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response(OK, list(TEXT))
        yield b"one"
        try:
            raise KeyError("too late")
        except KeyError:
            start_response("500 Internal Server Error", list(TEXT), sys.exc_info())

    with pytest.raises(KeyError, match="too late"):
        Client(app).get("/")


def twice(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response(OK, list(TEXT))
    start_response(OK, list(TEXT))
    return []


def never(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    return []


def too_late(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    yield b"early"
    start_response(OK, list(TEXT))


@pytest.mark.parametrize(
    ("app", "complaint"),
    [
        pytest.param(twice, "second time", id="start_response twice"),
        pytest.param(never, "never called", id="start_response never"),
        pytest.param(too_late, "before start_response", id="a chunk before start_response"),
        pytest.param(answering(["text"]), "not str", id="text in the body"),
        pytest.param(answering("text"), "not str", id="text as the body"),
        pytest.param(answering(b"bytes"), "not bytes", id="bytes as the body"),
        pytest.param(answering(None), "not NoneType", id="no body"),
        pytest.param(answering([], status="200"), "a status is", id="a status without a space"),
        pytest.param(answering([], status=200), "a status is", id="a number as status"),
        pytest.param(answering([], status="200 OK\r\nX: y"), "a status is", id="a line break in the status"),
        pytest.param(answering([], headers=()), "headers are a list", id="headers in a tuple"),
        pytest.param(answering([], headers=[["A", "b"]]), "tuple of two texts", id="a header in a list"),
        pytest.param(answering([], headers=[("A", 1)]), "tuple of two texts", id="a number as header"),
        pytest.param(answering([], headers=[("A b", "c")]), "not the name", id="a space in a header's name"),
        pytest.param(answering([], headers=[("A", "b\r\nC: d")]), "no header may hold", id="a line break in a header"),
        pytest.param(answering([], headers=[("A", "\u20ac")]), "no header may hold", id="a header beyond latin-1"),
        pytest.param(answering([], headers=[("Connection", "close")]), "belongs to the server", id="hop by hop"),
    ],
)
def test_what_breaks_the_protocol_is_named(app: Any, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        Client(app).get("/")


def test_with_lint_a_wrong_length_is_named(client: Callable[..., Client]) -> None:
    app = answering([b"four"], headers=[*TEXT, ("Content-Length", "5")])
    with pytest.raises(ProtocolError, match="has 4 bytes"):
        client(app).get("/")
    assert client(app).head("/").status == 200
    assert Client(app).get("/").body == b"four"


def test_with_lint_the_validator_of_the_standard_library_stands_in_between(client: Callable[..., Client]) -> None:
    with pytest.raises(AssertionError, match="Content-Type"):
        client(answering([b"x"], headers=[])).get("/")


def redirecting(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    targets = {
        "/relative": ("303 See Other", "end"),
        "/absolute": ("302 Found", "http://localhost/site/end"),
        "/kept": ("307 Temporary Redirect", "/site/end"),
        "/out": ("302 Found", "/other"),
        "/loop": ("302 Found", "/site/loop"),
    }
    if path in targets:
        status, location = targets[path]
        start_response(status, [*TEXT, ("Location", location)])
        return [b"moved"]
    start_response(OK, list(TEXT))
    size = environ.get("CONTENT_LENGTH", "none")
    return [f"{method} {path} {size} {environ.get('CONTENT_TYPE', '')}".encode()]


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("GET", "/relative", "GET /end none "),
        ("GET", "/absolute", "GET /end none "),
        ("POST", "/relative", "GET /end none "),
        ("POST", "/absolute", "GET /end none "),
        ("PUT", "/absolute", "PUT /end 3 application/x-www-form-urlencoded"),
        ("POST", "/kept", "POST /end 3 application/x-www-form-urlencoded"),
    ],
)
def test_redirects_are_followed_as_browsers_do(
    method: str, path: str, said: str, client: Callable[..., Client]
) -> None:
    form = None if method == "GET" else {"a": 1}
    response = client(redirecting, script_name="/site").request(method, path, form=form, follow=True)
    assert response.text == said


def test_redirects_are_followed_only_when_told_and_not_out_of_the_app(client: Callable[..., Client]) -> None:
    site = client(redirecting, script_name="/site")
    assert site.get("/kept").status == 307
    outside = site.get("/out", follow=True)
    assert (outside.status, outside.closed) == (302, True)


def test_a_loop_of_redirects_ends(client: Callable[..., Client]) -> None:
    with pytest.raises(ProtocolError, match="more than 10 redirects"):
        client(redirecting, script_name="/site").get("/loop", follow=True)


def cookies(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    headers = list(TEXT)
    if environ["QUERY_STRING"]:
        headers.append(("Set-Cookie", environ["QUERY_STRING"].replace("+", " ")))
    start_response(OK, headers)
    return [environ.get("HTTP_COOKIE", "none").encode()]


def test_cookies_are_kept_and_forgotten(client: Callable[..., Client]) -> None:
    site = client(cookies)
    assert site.get("/?a=1;+Path=/;+HttpOnly").text == "none"
    site.get("/?b=2;+Path=/deep")
    assert site.get("/").text == "a=1"
    assert site.cookies == {"a": "1", "b": "2"}
    assert sorted(site.get("/deep/er").text.split("; ")) == ["a=1", "b=2"]
    site.get("/?a=;+Path=/;+Max-Age=0")
    assert site.get("/").text == "none"


def test_cookies_stay_with_their_host_and_scheme(client: Callable[..., Client]) -> None:
    site = client(cookies)
    site.get("http://a.test/?a=1")
    site.get("https://b.test/?b=2;+Secure")
    assert site.get("http://b.test/").text == "none"
    assert site.get("https://b.test/").text == "b=2"
    assert site.get("http://a.test/").text == "a=1"


def test_a_cookie_of_the_request_wins(client: Callable[..., Client]) -> None:
    site = client(cookies)
    site.get("/?a=1")
    assert site.get("/", headers={"Cookie": "a=9"}).text == "a=9"


def test_text_is_decoded_by_its_charset() -> None:
    latin = answering([b"\xe9"], headers=[("Content-Type", 'text/plain; charset="latin-1"')])
    assert Client(latin).get("/").text == "\u00e9"


def test_the_clock_moves_only_when_told(clock: Clock) -> None:
    start = clock.time()
    assert (clock.time(), clock.monotonic()) == (start, 0)
    clock.advance(1.5)
    clock.sleep(2)
    assert (clock.time(), clock.monotonic(), clock.slept) == (start + 3.5, 3.5, [2])
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)


def test_the_module_imports_nothing_costly() -> None:
    code = "import sys, json, wheatpaste.testing; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout))
    assert not loaded & {"http.client", "http.cookiejar", "urllib.request", "email", "webob", "ssl", "wsgiref.validate"}


def test_pieces_that_are_not_kept_are_forgotten_once_handed_out() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (b"piece" for _ in range(3))

    with Client(app).get("/", stream=True, keep=False) as response:
        assert list(response) == [b"piece"] * 3
        assert response.chunks == []


def test_clients_share_the_jar_that_they_are_given() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", "seen=1")])
        return [environ.get("HTTP_COOKIE", "none").encode()]

    jar = CookieJar()
    assert Client(app, jar=jar).get("/").text == "none"
    assert Client(app, jar=jar).get("/").text == "seen=1"


def test_pieces_of_a_large_stream_can_be_forgotten(client: Callable[..., Client]) -> None:
    with client(answering(Body(b"one", b"two"))).get("/", stream=True, keep=False) as response:
        assert list(response) == [b"one", b"two"]
        assert response.chunks == []


def test_clients_may_share_their_cookies(client: Callable[..., Client]) -> None:
    from http.cookiejar import CookieJar

    jar = CookieJar()
    client(cookies, jar=jar).get("/?a=1")
    assert client(cookies, jar=jar).get("/").text == "a=1"
