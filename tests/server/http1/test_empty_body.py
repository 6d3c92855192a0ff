"""The body of requests that have none."""

from __future__ import annotations

import io

import pytest

from wheatpaste.server.http1.empty_body import EMPTY_BODY


def test_it_is_read_like_any_other() -> None:
    assert EMPTY_BODY.read() == EMPTY_BODY.read(5) == EMPTY_BODY.readline() == b""
    assert EMPTY_BODY.readlines() == list(EMPTY_BODY) == []
    assert EMPTY_BODY.readable()


def test_it_stays_as_it_is() -> None:
    for change in (
        lambda: EMPTY_BODY.write(b"x"),
        lambda: EMPTY_BODY.writelines([b"x"]),
        lambda: EMPTY_BODY.truncate(),
        lambda: EMPTY_BODY.__setstate__((b"x", 0, None)),
    ):
        with pytest.raises(io.UnsupportedOperation):
            change()
    with pytest.raises(AttributeError):
        EMPTY_BODY.secret = "x"
    EMPTY_BODY.seek(10)
    EMPTY_BODY.close()
    with EMPTY_BODY, io.TextIOWrapper(EMPTY_BODY) as text:
        assert text.read() == ""
    with io.BufferedReader(EMPTY_BODY) as buffered:
        assert buffered.read() == b""
    with pytest.raises(ValueError, match="structures"):
        EMPTY_BODY.getbuffer()[0:1] = b"x"  # nothing has no room
    assert not EMPTY_BODY.closed
    assert EMPTY_BODY.read() == b""
