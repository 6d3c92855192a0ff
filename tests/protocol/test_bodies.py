"""Closing once, and request bodies that can be read again."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from wsgiref.util import FileWrapper

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.protocol.bodies import (
    BodyRefused,
    BodyTooLarge,
    InvalidLength,
    LengthRequired,
    ShortBody,
    SpooledBody,
    on_close,
)


class Stream:
    """A body that notes when it was closed."""

    def __init__(self, log: list[str], error: BaseException | None = None) -> None:
        self.log, self.error = log, error

    def __iter__(self) -> Iterator[bytes]:
        yield b"one"
        yield b"two"

    def close(self) -> None:
        self.log.append("inner")
        if self.error:
            raise self.error


def close(body: object) -> None:
    body.close()  # type: ignore[attr-defined]


def test_closing_closes_the_inner_body_and_then_calls_in_order() -> None:
    log: list[str] = []
    body = on_close({}, Stream(log), lambda: log.append("first"), lambda: log.append("second"))
    assert list(body) == [b"one", b"two"]
    assert log == []
    close(body)
    assert log == ["inner", "first", "second"]


def test_closing_twice_does_everything_once() -> None:
    log: list[str] = []
    body = on_close({}, Stream(log), lambda: log.append("call"))
    close(body)
    close(body)
    assert log == ["inner", "call"]


def test_closing_within_a_callback_does_not_begin_again() -> None:
    log: list[str] = []
    body = on_close({}, Stream(log), lambda: (log.append("call"), close(body)))
    close(body)
    assert log == ["inner", "call"]


def test_an_error_of_one_callback_does_not_lose_the_others() -> None:
    log: list[str] = []

    def fail(error: Exception) -> Callable[[], None]:
        def callback() -> None:
            log.append(str(error))
            raise error

        return callback

    first, second = ValueError("first"), KeyError("second")
    body = on_close({}, Stream(log, OSError("inner")), fail(first), fail(second), lambda: log.append("last"))
    with pytest.raises(KeyError) as raised:
        close(body)
    assert log == ["inner", "first", "'second'", "last"]
    assert raised.value.__context__ is first
    assert isinstance(first.__context__, OSError)
    close(body)


def test_a_body_without_close_is_fine() -> None:
    log: list[str] = []
    close(on_close({}, iter([b"x"]), lambda: log.append("call")))
    assert log == ["call"]


def test_a_length_stays_a_length_and_a_stream_stays_a_stream() -> None:
    assert len(on_close({}, [b"a", b"b"])) == 2  # type: ignore[arg-type]
    assert not hasattr(on_close({}, iter([b"a"])), "__len__")


def test_nothing_is_read_ahead() -> None:
    made: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number in range(3):
            made.append(number)
            yield b"x"

    iterator = iter(on_close({}, chunks()))
    assert made == []
    next(iterator)
    assert made == [0]


def test_a_file_wrapper_stays_itself_and_still_calls() -> None:
    log: list[str] = []
    file = io.BytesIO(b"content")
    wrapped = FileWrapper(file)
    body = on_close({"wsgi.file_wrapper": FileWrapper}, wrapped, lambda: log.append("call"))
    assert body is wrapped
    assert b"".join(body) == b"content"
    close(body)
    close(body)
    assert file.closed
    assert log == ["call"]


def test_two_wrappings_of_a_file_wrapper_call_both() -> None:
    log: list[str] = []
    environ = {"wsgi.file_wrapper": FileWrapper}
    body = on_close(environ, FileWrapper(io.BytesIO()), lambda: log.append("inner"))
    close(on_close(environ, body, lambda: log.append("outer")))
    assert log == ["inner", "outer"]


def test_a_file_wrapper_that_takes_no_attributes_is_wrapped() -> None:
    class Slotted:
        __slots__ = ()

        def __iter__(self) -> Iterator[bytes]:
            return iter([b"x"])

    log: list[str] = []
    body = on_close({"wsgi.file_wrapper": Slotted}, Slotted(), lambda: log.append("call"))
    assert list(body) == [b"x"]
    close(body)
    assert log == ["call"]


class Socket:
    """An input that gives at most a few bytes at a time and counts what was asked for."""

    def __init__(self, data: bytes, step: int = 1000, error: Exception | None = None) -> None:
        self.stream, self.step, self.error, self.asked = io.BytesIO(data), step, error, 0

    def read(self, size: int = -1) -> bytes:
        assert size >= 0, "read() without a size may wait for ever"
        self.asked += 1
        data = self.stream.read(min(size, self.step))
        if not data and self.error:
            raise self.error
        return data


def posted(data: bytes, **more: object) -> dict[str, object]:
    return {"wsgi.input": Socket(data), "CONTENT_LENGTH": str(len(data)), **more}


def chunked(data: bytes, **more: object) -> dict[str, object]:
    return {
        "wsgi.input": Socket(data),
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
        **more,
    }


BIG = bytes(range(256)) * 1000


@pytest.mark.parametrize(
    "memory", [10, 2_500, 300_000], ids=["from a file", "from memory and then a file", "from memory"]
)
@pytest.mark.parametrize("make", [posted, chunked])
def test_each_replay_reads_the_whole_body_for_itself(make: Callable[[bytes], dict[str, object]], memory: int) -> None:
    body = SpooledBody.receive(make(BIG), memory=memory)
    environ = make(BIG)
    first, second = body.replay(environ), body.replay(environ)
    assert first["wsgi.input"].read(5) == BIG[:5]
    assert second["wsgi.input"].read() == BIG
    assert first["wsgi.input"].read() == BIG[5:]
    assert first["wsgi.input"].read(1) == b""
    assert body.length == len(BIG)
    body.close()


@pytest.mark.parametrize("memory", [3, 300], ids=["from a file", "from memory"])
def test_a_replay_reads_in_all_the_ways_of_pep_3333(memory: int) -> None:
    body = SpooledBody.receive(posted(b"one\ntwo\nthree"), memory=memory)
    assert body.open().readline() == b"one\n"
    assert body.open().readlines() == [b"one\n", b"two\n", b"three"]
    assert list(body.open()) == [b"one\n", b"two\n", b"three"]
    reader = body.open()
    reader.read()
    reader.seek(4)
    assert reader.readline() == b"two\n"
    reader.seek(-5, io.SEEK_END)
    assert reader.read() == b"three"
    body.close()


def test_a_replay_leaves_the_original_environ_alone() -> None:
    environ = chunked(b"abc")
    before = dict(environ)
    copy = SpooledBody.receive(environ).replay(environ)
    copy["PATH_INFO"] = "/changed"
    assert environ == before


def test_decoded_chunks_are_replayed_with_their_length() -> None:
    environ = chunked(b"abc")
    copy = SpooledBody.receive(environ).replay(environ)
    assert copy["CONTENT_LENGTH"] == "3"
    assert copy["wsgi.input_terminated"] is True
    assert "HTTP_TRANSFER_ENCODING" not in copy


def test_a_length_beside_chunks_is_not_believed() -> None:
    environ = chunked(b"abcdef", CONTENT_LENGTH="2")
    copy = SpooledBody.receive(environ).replay(environ)
    assert (copy["CONTENT_LENGTH"], copy["wsgi.input"].read()) == ("6", b"abcdef")


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({}, id="no length and no promise of an end"),
        pytest.param({"CONTENT_LENGTH": ""}, id="an empty length"),
        pytest.param({"CONTENT_LENGTH": "0"}, id="a length of zero"),
    ],
)
def test_it_does_not_read_where_there_is_no_body(environ: dict[str, object]) -> None:
    source = Socket(b"the next request")
    environ = {**environ, "wsgi.input": source}
    copy = SpooledBody.receive(environ).replay(environ)
    assert source.asked == 0
    assert copy["wsgi.input"].read() == b""
    assert copy.get("CONTENT_LENGTH") == environ.get("CONTENT_LENGTH")


def test_it_reads_to_the_end_where_the_server_promises_one() -> None:
    environ = {"wsgi.input": Socket(b"abc"), "wsgi.input_terminated": True}
    assert SpooledBody.receive(environ).replay(environ)["CONTENT_LENGTH"] == "3"


def test_it_never_reads_beyond_the_announced_length() -> None:
    source = Socket(b"bodyGET / HTTP/1.1")
    SpooledBody.receive({"wsgi.input": source, "CONTENT_LENGTH": "4"})
    assert source.stream.read() == b"GET / HTTP/1.1"


@pytest.mark.parametrize("length", ["+5", "-1", " 5", "5 ", "0x5", "5,5", "1_0", "\u0665", "\u00b2", "9" * 19, "five"])
def test_it_refuses_a_length_that_is_not_digits(length: str) -> None:
    with pytest.raises(InvalidLength) as raised:
        SpooledBody.receive({"wsgi.input": Socket(b"12345"), "CONTENT_LENGTH": length})
    assert raised.value.status.startswith("400 ")


@pytest.mark.parametrize("memory", [2, 100], ids=["in a file", "in memory"])
def test_it_says_when_a_body_is_short(memory: int) -> None:
    with pytest.raises(ShortBody, match="after 3 of 4 bytes"):
        SpooledBody.receive({"wsgi.input": Socket(b"abc", step=1), "CONTENT_LENGTH": "4"}, memory=memory)


def test_a_broken_connection_is_a_short_body() -> None:
    source = Socket(b"abc", error=ConnectionResetError("gone"))
    with pytest.raises(ShortBody) as raised:
        SpooledBody.receive({"wsgi.input": source, "CONTENT_LENGTH": "4"})
    assert isinstance(raised.value.__cause__, ConnectionResetError)


def test_it_accepts_a_body_exactly_at_the_limit() -> None:
    assert SpooledBody.receive(posted(b"12345"), limit=5).length == 5
    assert SpooledBody.receive(chunked(b"12345"), limit=5).length == 5


def test_it_refuses_an_announced_body_over_the_limit_unread() -> None:
    environ = posted(b"123456")
    with pytest.raises(BodyTooLarge) as raised:
        SpooledBody.receive(environ, limit=5)
    assert raised.value.status.startswith("413 ")
    assert environ["wsgi.input"].asked == 0  # type: ignore[attr-defined]


def test_it_stops_reading_a_chunked_body_over_the_limit() -> None:
    source = Socket(b"x" * 100_000, step=10)
    with pytest.raises(BodyTooLarge):
        SpooledBody.receive(chunked(b"", **{"wsgi.input": source}), limit=25, memory=5)
    assert source.asked == 3


def test_it_asks_for_a_length_where_the_server_cannot_decode_chunks() -> None:
    with pytest.raises(LengthRequired) as raised:
        SpooledBody.receive({"wsgi.input": Socket(b"3\r\nabc\r\n0\r\n\r\n"), "HTTP_TRANSFER_ENCODING": "chunked"})
    assert raised.value.status.startswith("411 ")
    assert isinstance(raised.value, BodyRefused)


def test_closing_frees_the_file() -> None:
    body = SpooledBody.receive(posted(BIG), memory=10)
    reader = body.open()
    body.close()
    body.close()
    with pytest.raises(ValueError, match="closed"):
        reader.read()


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(1, 50), st.integers(0, 300), st.lists(st.integers(1, 80)))
def test_any_pattern_of_reads_gives_the_same_bytes(data: bytes, step: int, memory: int, sizes: list[int]) -> None:
    body = SpooledBody.receive({"wsgi.input": Socket(data, step), "CONTENT_LENGTH": str(len(data))}, memory=memory)
    reader, expected = body.open(), io.BytesIO(data)
    other = body.open()
    for size in sizes:
        assert reader.read(size) == expected.read(size)
        other.read(7)
    body.close()
