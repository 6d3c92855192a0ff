"""What an app of PEP 3333 may do, through the interface that granian has."""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from wheatpaste.server.foreign.granian_app import GranianApp


class Granian:
    """Calls an app as granian does: the status counts when the call returns, and a list is sent at once."""

    def __init__(self, app: Any, **options: Any) -> None:
        self.app = GranianApp(app, **options)
        self.status = ""
        self.headers: list[tuple[str, str]] = []

    def __call__(self, body: bytes = b"", **environ: Any) -> bytes:
        stream = Received(body)
        environ = {"REQUEST_METHOD": "POST", "wsgi.input": stream, "CONTENT_LENGTH": str(len(body)), **environ}
        answer = self.app(environ, self.start)
        status, self.headers = self.status, list(self.headers)
        try:
            data = b"".join(answer)
        finally:
            if not isinstance(answer, list):
                answer.close()  # type: ignore[attr-defined]
        assert self.status == status, "too late: the head is on its way"
        return data

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        self.status, self.headers = status, headers


class Received:
    """granian's body object: ``read`` alone can be relied on."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)

    def read(self, size: int | None = None) -> bytes:
        assert size is None or size >= 0
        return self._stream.read() if size is None else self._stream.read(size)


class Watched:
    """A body that knows how often it was closed."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        self.closed += 1


def test_it_sends_what_a_generator_started_late() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        yield b""
        start_response("201 Created", [("X-Late", "yes")])
        yield b"one "
        yield b"two"

    granian = Granian(app)
    assert granian() == b"one two"
    assert (granian.status, granian.headers) == ("201 Created", [("X-Late", "yes")])


def test_it_takes_no_more_of_a_stream_than_its_first_chunk_before_the_head_is_sent() -> None:
    taken = []

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        for word in (b"one", b"two"):
            taken.append(word)
            yield word

    GranianApp(app)({"wsgi.input": Received(b"")}, lambda status, headers: None)
    assert taken == [b"one"]


def test_it_hands_lists_on_as_lists_so_that_their_length_is_known() -> None:
    def app(environ: Any, start_response: Any) -> tuple[bytes, ...]:
        start_response("200 OK", [])
        return (b"one ", b"two")

    body = GranianApp(app)({"wsgi.input": Received(b"")}, lambda status, headers: None)
    assert body == [b"one ", b"two"]


@pytest.mark.parametrize("returned", [[b" after"], Watched([b" after"])], ids=["before a list", "before a stream"])
def test_it_sends_what_was_written_before_what_is_returned(returned: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", [])
        write(b"written")
        write(b" twice")
        return returned

    assert Granian(app)() == b"written twice after"


def test_it_lets_an_app_replace_the_response_that_it_began() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("X-First", "yes")])
        try:
            raise KeyError("missing")
        except KeyError as error:
            start_response("500 Internal Server Error", [], (KeyError, error, error.__traceback__))
        return [b"sorry"]

    granian = Granian(app)
    assert granian() == b"sorry"
    assert (granian.status, granian.headers) == ("500 Internal Server Error", [])


def test_it_raises_again_what_comes_when_the_head_is_sent() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"one"
        try:
            raise KeyError("missing")
        except KeyError as error:
            start_response("500 Internal Server Error", [], (KeyError, error, error.__traceback__))

    with pytest.raises(KeyError, match="missing"):
        Granian(app)()


def never(environ: Any, start_response: Any) -> list[bytes]:
    return [b"body"]


def late(environ: Any, start_response: Any) -> Iterator[bytes]:
    yield b"body"
    start_response("200 OK", [])


def twice(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    start_response("200 OK", [])
    return []


@pytest.mark.parametrize("app", [never, late, twice], ids=["never starts", "starts too late", "starts twice"])
def test_it_refuses_an_app_that(app: Any) -> None:
    with pytest.raises(AssertionError, match="start_response"):
        Granian(app)()


@pytest.mark.parametrize("fails", ["at once", "later", "not at all", "by not starting"])
def test_it_closes_the_body_once_when_the_app_fails(fails: str) -> None:
    def chunks() -> Iterator[bytes]:
        if fails == "at once":
            raise RuntimeError("no chunk")
        yield b"one"
        if fails == "later":
            raise RuntimeError("no second chunk")

    body = Watched(chunks())

    def app(environ: Any, start_response: Any) -> Watched:
        if fails != "by not starting":
            start_response("200 OK", [])
        return body

    try:
        Granian(app)()
    except (RuntimeError, AssertionError):
        assert fails != "not at all"
    assert body.closed == 1


READS: dict[str, Callable[[Any], Any]] = {
    "all of it": lambda stream: [stream.read()],
    "all of it with a negative size": lambda stream: [stream.read(-1)],
    "pieces": lambda stream: [stream.read(3), stream.read(100), stream.read(1)],
    "lines": lambda stream: [stream.readline(), stream.readline(), stream.readline(), stream.readline()],
    "a part of a line": lambda stream: [stream.readline(2), stream.readline()],
    "a list of lines": lambda stream: stream.readlines(),
    "each line in turn": list,
}


@pytest.mark.parametrize("how", READS.values(), ids=READS)
def test_it_reads_a_request_body_as_a_file_is_read(how: Callable[[Any], Any]) -> None:
    text = b"first\nsecond\r\nlast"
    found = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        found.extend(how(environ["wsgi.input"]))
        start_response("200 OK", [])
        return []

    Granian(app)(text)
    assert found == how(io.BytesIO(text))


@pytest.mark.parametrize("how", [lambda stream: stream.read(), list], ids=["at once", "by lines"])
def test_it_tells_an_app_that_the_client_left_before_the_body_was_whole(how: Callable[[Any], Any]) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        how(environ["wsgi.input"])
        return []

    with pytest.raises(ConnectionAbortedError, match="the client left"):
        Granian(app)(b"half", CONTENT_LENGTH="8")


def test_it_takes_the_environment_of_the_process_out_of_the_environ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "swordfish")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv("SERVER_NAME", "of the system")
    seen: dict[str, Any] = {}

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.update(environ)
        start_response("200 OK", [])
        return []

    Granian(app)(DATABASE_PASSWORD="swordfish", HTTP_PROXY="http://proxy:3128", SERVER_NAME="of the system")
    assert not {"DATABASE_PASSWORD", "HTTP_PROXY"} & seen.keys()
    assert seen["SERVER_NAME"] == "of the system"


def test_it_corrects_what_the_environ_says_of_the_server() -> None:
    seen: dict[str, Any] = {}

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.update(environ)
        start_response("200 OK", [])
        return []

    Granian(app, multiprocess=True)(SERVER_PROTOCOL="HTTP/1", **{"wsgi.multiprocess": False})
    assert (seen["SERVER_PROTOCOL"], seen["wsgi.multiprocess"]) == ("HTTP/1.0", True)
