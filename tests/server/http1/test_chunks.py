"""Chunked bodies: decoded the same however they are cut, and refused the same."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wheatpaste.server.http1.chunks import ChunkDecoder
from wheatpaste.server.http1.refusals import Refused


def decode(pieces: list[bytes]) -> tuple[bytes, bytes, list[tuple[str, str]], bool] | tuple[int, str]:
    """Body, what follows it, trailers and whether it ended; or status and rule of the refusal."""
    decoder = ChunkDecoder(max_trailers=200, max_fields=3)
    body, rest = bytearray(), b""
    try:
        for piece in pieces:
            if decoder.done:
                rest += piece
                continue
            found, left = decoder.feed(piece)
            body += b"".join(found)
            rest += left
    except Refused as refused:
        return refused.status, refused.rule
    return bytes(body), rest, decoder.trailers, decoder.done


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


extension = st.sampled_from([b"", b";a", b";a=b", b'; a = "q;\\"x"', b";a;b=c"])
chunk = st.tuples(st.binary(min_size=1, max_size=40), st.sampled_from([b"%x", b"%X", b"00%x"]), extension)
trailer = st.sampled_from([("X-Sum", "abc"), ("a", ""), ("B", "x y")])
places = st.lists(st.integers(0, 1000), max_size=12)


@settings(deadline=None)
@given(st.lists(chunk, max_size=6), extension, st.lists(trailer, max_size=3), st.binary(max_size=20), places)
def test_what_was_encoded_comes_back(
    chunks: list[tuple[bytes, bytes, bytes]],
    last: bytes,
    trailers: list[tuple[str, str]],
    rest: bytes,
    places: list[int],
) -> None:
    data = b"".join(size % len(piece) + extension + b"\r\n" + piece + b"\r\n" for piece, size, extension in chunks)
    data += b"0" + last + b"\r\n" + "".join(f"{name}: {value} \r\n" for name, value in trailers).encode() + b"\r\n"
    body = b"".join(piece for piece, _, _ in chunks)
    assert decode(cut(data + rest, places)) == (body, rest, trailers, True)


PARTS = [
    b"0",
    b"5",
    b"a",
    b"\r\n",
    b"\r",
    b"\n",
    b"hello",
    b";",
    b"=",
    b'"',
    b" ",
    b"\t",
    b"X: y",
    b"Host: x",
    b":",
    b"g",
    b"-1",
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=12).map(b"".join) | st.binary(max_size=12), places)
@example(b"5\r\nhelloX", [])
@example(b"5\r\nhello\rX", [6])
@example(b"0\r\n\rX", [4])
@example(b"0\r\nX\r: y\r\n\r\n", [4])
@example(b"0" * 33 + b"\r\n", [])
def test_cutting_changes_nothing(data: bytes, places: list[int]) -> None:
    """Attackers choose where packets end."""
    assert decode(cut(data, places)) == decode([data])
    assert decode([data[at : at + 1] for at in range(len(data))]) == decode([data])


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        pytest.param(b"\r\n", (400, "chunk-size"), id="no size"),
        pytest.param(b"0x5\r\nhello\r\n", (400, "chunk-size"), id="a prefix"),
        pytest.param(b"+5\r\nhello\r\n", (400, "chunk-size"), id="a sign"),
        pytest.param(b" 5\r\nhello\r\n", (400, "chunk-size"), id="a blank before"),
        pytest.param(b"5 \r\nhello\r\n", (400, "chunk-size"), id="a blank after"),
        pytest.param(b"5_0\r\n", (400, "chunk-size"), id="an underscore"),
        pytest.param(b"5\nhello\r\n", (400, "chunk-size"), id="a line feed alone"),
        pytest.param("٥\r\n".encode(), (400, "chunk-size"), id="a digit of another script"),
        pytest.param(b"5;a=\r\n", (400, "chunk-extension"), id="an extension without its value"),
        pytest.param(b'5;a="\r\n', (400, "chunk-extension"), id="a quote that does not end"),
        pytest.param(b"5;a=\x00\r\n", (400, "chunk-extension"), id="a control character"),
        pytest.param(b"5\r\nhello!\r\n", (400, "chunk-end"), id="a byte too many"),
        pytest.param(b"5\r\nhello\n", (400, "chunk-end"), id="ended by a line feed alone"),
        pytest.param(b"ffffffffffffffff\r\n", (413, "chunk-size"), id="a size beyond all limits"),
        pytest.param(b"0\r\nContent-Length: 5\r\n\r\n", (400, "trailer"), id="a trailer that frames"),
        pytest.param(b"0\r\nTransfer-Encoding: x\r\n\r\n", (400, "trailer"), id="a trailer that codes"),
        pytest.param(b"0\r\nHost: x\r\n\r\n", (400, "trailer"), id="a trailer that routes"),
        pytest.param(b"0\r\nA : b\r\n\r\n", (400, "trailer"), id="a blank in a trailer's name"),
        pytest.param(b"0\r\n A: b\r\n\r\n", (400, "trailer"), id="a folded trailer"),
        pytest.param(b"0\r\n" + b"a: b\r\n" * 4 + b"\r\n", (431, "trailers"), id="too many trailers"),
        pytest.param(b"0\r\na: " + b"b" * 300, (431, "trailers"), id="a trailer without end"),
    ],
)
def test_what_is_malformed_is_refused(data: bytes, refusal: tuple[int, str]) -> None:
    assert decode([data]) == refusal


def test_extensions_are_bounded_over_the_whole_body() -> None:
    """Each line may be short, and all of them together long."""
    decoder = ChunkDecoder(max_trailers=200, max_fields=3)
    with pytest.raises(Refused, match="chunk-extension"):
        decoder.feed((b"1;" + b"a" * 50 + b"\r\nx\r\n") * 100)


def test_an_extension_without_end_is_refused_while_it_comes() -> None:
    assert decode([b"5;", *[b"a"] * 10_000]) == (400, "chunk-extension")


def test_it_tells_how_much_is_announced() -> None:
    decoder = ChunkDecoder(max_trailers=200, max_fields=3)
    decoder.feed(b"ff\r\nabc")
    assert decoder.expected == 252
