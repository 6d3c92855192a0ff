"""What is kept of a failed request: its body as the app reads it, how many are kept, and for how long."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from replay_site import TEXT, FailingApp, ReplaySite, well

from wheatpaste.middleware.errors.replay.heard_body import LARGEST_BODY, NotWhole, OverheardBody, heard_body
from wheatpaste.middleware.errors.replay.kept import LONGEST_SECONDS, MOST_BYTES, MOST_REQUESTS
from wheatpaste.testing import Clock


class Socket(io.RawIOBase):
    """What servers read bodies from: it comes in its own time, and only once. ``asked`` counts what was asked for."""

    def __init__(self, data: bytes, *, at_end: Exception | None = None) -> None:
        self._data = io.BytesIO(data)
        self._at_end = at_end
        self.asked = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1, /) -> bytes:
        self.asked += 1
        data = self._data.read(size)
        if not data and self._at_end is not None:
            raise self._at_end
        return data

    def readline(self, size: int | None = -1, /) -> bytes:
        self.asked += 1
        return self._data.readline(size)


class Least:
    """A ``wsgi.input`` with the methods of PEP 3333 and nothing else."""

    def __init__(self, data: bytes) -> None:
        inner = io.BytesIO(data)
        self.read, self.readline, self.readlines = inner.read, inner.readline, inner.readlines
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._inner)


SOURCES: dict[str, Callable[[bytes], Any]] = {
    "that can be read again": io.BytesIO,
    "that comes once": Socket,
    "with the methods of PEP 3333 alone": Least,
}
BODY = b"first line\nsecond line\n\xff\x00 third"

READERS: dict[str, Callable[[Any], object]] = {
    "not at all": lambda source: None,
    "all at once": lambda source: source.read(),
    "by its length": lambda source: source.read(len(BODY)),
    "in small pieces": lambda source: [source.read(5) for _ in range(4)],
    "to the end in pieces": lambda source: list(iter(lambda: source.read(7), b"")),
    "by a line": lambda source: source.readline(),
    "by part of a line": lambda source: source.readline(3),
    "by lines": lambda source: list(source),
    "by a list of lines": lambda source: source.readlines(),
    "by some lines": lambda source: source.readlines(5),
    "nothing of it": lambda source: source.read(0),
}


def why_not(site: ReplaySite, id: str) -> str:
    told = site.state(id)
    assert told["kept"] is False
    return str(told["why"])


@pytest.mark.parametrize("reader", list(READERS.values()), ids=list(READERS))
@pytest.mark.parametrize("source", list(SOURCES.values()), ids=list(SOURCES))
def test_the_whole_body_is_kept_however_the_app_reads_it(
    source: Callable[[bytes], Any], reader: Callable[[Any], object]
) -> None:
    read: list[object] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        read.append(reader(environ["wsgi.input"]))
        raise KeyError

    site = ReplaySite(app)
    environ = {"wsgi.input": source(BODY), "CONTENT_LENGTH": str(len(BODY))}
    id = site.fail("POST", environ=environ)
    assert site.body_of(id) == BODY
    assert read == [reader(source(BODY))]  # and the app has read what it would have read


def test_what_can_be_read_again_stays_the_servers_own_object() -> None:
    source, seen = io.BytesIO(BODY), []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.append(environ["wsgi.input"])
        raise KeyError

    ReplaySite(app).fail("POST", environ={"wsgi.input": source, "CONTENT_LENGTH": str(len(BODY))})
    assert seen == [source]


def test_nothing_is_read_before_the_app_reads() -> None:
    source = Socket(BODY)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        assert source.asked == 0
        return well(environ, start_response)

    site = ReplaySite(app)
    environ = {"wsgi.input": source, "CONTENT_LENGTH": str(len(BODY))}
    assert site.client.post("/", environ=environ).status == 200
    assert source.asked == 0


def test_text_can_be_read_through_it() -> None:
    """As from a file, which some apps do."""
    body = heard_body(Socket(b"one\ntwo\n"), 8, is_here=True)
    assert list(io.TextIOWrapper(body.input, encoding="utf-8")) == ["one\n", "two\n"]
    assert body.whole(in_progress=False) == b"one\ntwo\n"


def test_no_more_is_asked_for_than_the_client_has_announced() -> None:
    """A server's own object would wait for the next request."""

    class Endless(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes:
            assert 0 < size <= 10
            return b"x" * size

    body = heard_body(Endless(), 10, is_here=True)
    assert body.whole(in_progress=False) == b"x" * 10


CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}


@pytest.mark.parametrize("source", [io.BytesIO, Socket], ids=["that can be read again", "that comes once"])
def test_a_chunked_body_is_run_again_with_its_length(source: Callable[[bytes], Any]) -> None:
    app = FailingApp()
    site = ReplaySite(app)
    id = site.fail("POST", environ={**CHUNKED, "wsgi.input": source(BODY)})
    site.run(id, confirmed=True)
    assert app.bodies == [BODY, BODY]
    assert app.seen[1]["CONTENT_LENGTH"] == str(len(BODY))
    assert "HTTP_TRANSFER_ENCODING" not in app.seen[1]


def test_a_chunked_body_is_not_waited_for() -> None:
    """Who sends it may wait for an answer before going on."""
    site = ReplaySite(FailingApp(reads=3))
    source = Socket(BODY)
    id = site.fail("POST", environ={**CHUNKED, "wsgi.input": source})
    assert source.asked == 1
    assert "not read its body to the end" in why_not(site, id)


def test_a_chunked_body_that_the_server_has_received_is_kept_whole() -> None:
    site = ReplaySite(FailingApp(reads=3))
    environ = {**CHUNKED, "wsgi.input": Socket(BODY), "CONTENT_LENGTH": "3"}  # whoever has sent that number
    assert site.body_of(site.fail("POST", environ=environ)) == BODY


def test_a_body_without_any_length_is_kept_where_the_server_ends_it() -> None:
    """HTTP/2 needs no length."""
    site = ReplaySite(FailingApp(reads=3))
    environ = {"wsgi.input": Socket(BODY), "wsgi.input_terminated": True, "SERVER_PROTOCOL": "HTTP/2"}
    assert site.body_of(site.fail("POST", environ=environ)) == BODY


NOT_KEPT: dict[str, tuple[dict[str, Any], str]] = {
    "larger than the limit": (
        {"CONTENT_LENGTH": str(LARGEST_BODY + 1), "wsgi.input": Socket(b"")},
        "larger than 1 MiB",
    ),
    "chunked and larger": ({**CHUNKED, "wsgi.input": Socket(b"x" * (LARGEST_BODY + 1))}, "larger than 1 MiB"),
    "chunked, larger, and to be read again": (
        {**CHUNKED, "wsgi.input": io.BytesIO(b"x" * (LARGEST_BODY + 1))},
        "larger than 1 MiB",
    ),
    "chunked without an end": (
        {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": Socket(BODY)},
        "does not tell where it ends",
    ),
    "shorter than announced": ({"CONTENT_LENGTH": "100", "wsgi.input": Socket(BODY)}, "did not come to the end"),
    "shorter, and to be read again": (
        {"CONTENT_LENGTH": "100", "wsgi.input": io.BytesIO(BODY)},
        "did not come to the end",
    ),
    "of no length": ({"CONTENT_LENGTH": "+5", "wsgi.input": Socket(BODY)}, "is no number"),
}


@pytest.mark.parametrize(("environ", "why"), list(NOT_KEPT.values()), ids=list(NOT_KEPT))
def test_the_page_says_why_a_request_is_not_kept(environ: dict[str, Any], why: str) -> None:
    site = ReplaySite(FailingApp())
    id = site.fail("POST", environ=environ)
    assert why in why_not(site, id)
    answer = site.post(id, confirmed=True)
    assert answer.status == 404
    assert why in answer.json()["error"]


def test_the_largest_body_is_kept() -> None:
    site = ReplaySite(FailingApp())
    assert len(site.body_of(site.fail("POST", body=b"x" * LARGEST_BODY))) == LARGEST_BODY


def test_of_a_larger_one_nothing_is_held() -> None:
    body = OverheardBody(Socket(b"x" * (2 * LARGEST_BODY)), None, is_here=False)
    while body.read(100_000):
        pass
    assert body._heard is None
    with pytest.raises(NotWhole):
        body.whole(in_progress=False)


def test_a_client_that_went_away_costs_nobody_the_page() -> None:
    site = ReplaySite(FailingApp(reads=3))
    source = Socket(BODY[:10], at_end=OSError("gone"))
    id = site.fail("POST", environ={"wsgi.input": source, "CONTENT_LENGTH": "100"})
    assert "did not come to the end" in why_not(site, id)


def test_an_app_that_has_closed_its_body_costs_nobody_the_page() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input"].close()
        raise KeyError

    site = ReplaySite(app)
    assert "closed its body" in why_not(site, site.fail("POST", body=b"x"))


def test_whoever_prints_the_environ_prints_nothing_of_it() -> None:
    app = FailingApp()
    environ = {"wsgi.input": Socket(b"password=BODY-SECRET"), "CONTENT_LENGTH": "20"}
    ReplaySite(app).fail("POST", environ=environ, headers={"Cookie": "session=COOKIE-SECRET"})
    printed = {key: value for key, value in app.seen[0].items() if not key.startswith("HTTP_")}
    assert "SECRET" not in repr(printed)


# --- how many, and for how long ---------------------------------------------------------------------------------------


def test_the_last_twenty_are_kept() -> None:
    site = ReplaySite(FailingApp())
    ids = [site.fail() for _ in range(MOST_REQUESTS + 3)]
    assert [site.state(id)["kept"] for id in ids] == [False] * 3 + [True] * MOST_REQUESTS


def test_large_ones_make_room_sooner() -> None:
    site = ReplaySite(FailingApp())
    ids = [site.fail("POST", body=bytes(LARGEST_BODY)) for _ in range(5)]
    kept = [site.state(id)["kept"] for id in ids]
    assert kept == sorted(kept)
    assert 1 < sum(kept) < 5
    assert len(site.shelf.read()) <= MOST_BYTES


def test_none_is_older_than_an_hour(clock: Clock) -> None:
    site = ReplaySite(FailingApp(), clock=clock.time)
    id = site.fail()
    clock.advance(LONGEST_SECONDS)
    assert site.state(id)["kept"]
    clock.advance(1)
    assert not site.state(id)["kept"]
    assert site.post(id).status == 404
    site.fail()
    assert id.encode() not in site.shelf.read()  # and it is not only not shown


def test_a_clock_that_is_set_back_loses_nothing() -> None:
    times = [1000.0]
    site = ReplaySite(FailingApp(), clock=lambda: times[-1])
    id = site.fail()
    times.append(995.0)
    assert site.state(id)["kept"]


def test_of_several_processes_each_has_its_own() -> None:
    site = ReplaySite(FailingApp())
    environ = {"wsgi.multiprocess": True}
    assert "serve with one" in site.state("AAAA-AAAA", environ=environ)["why"]


@pytest.mark.parametrize("data", [b"{", b"[{", b"\xff", b'[{"id": "x"'], ids=["a brace", "a list", "no text", "a part"])
def test_what_a_process_left_that_was_ended_while_it_wrote_counts_for_nothing(data: bytes) -> None:
    site = ReplaySite(FailingApp())
    site.shelf.change(lambda before: data)
    id = site.fail()
    assert site.state(id)["kept"]


def test_a_request_in_progress_keeps_its_place() -> None:
    for source, is_here in itertools.product((io.BytesIO, Socket), (True, False)):
        body = heard_body(source(BODY), len(BODY), is_here=is_here)
        body.input.read(5)
        try:
            assert body.whole(in_progress=True) == BODY
        except NotWhole:
            assert source is Socket
        assert body.input.read() == BODY[5:]


def test_the_environ_holds_it_only_for_who_may_see_details() -> None:
    app = FailingApp()
    site = ReplaySite(app)
    site.fail()
    site.client.peer = "192.0.2.7"
    site.fail()
    assert ["wheatpaste.replay" in each for each in app.seen] == [True, False]
    assert len(json.loads(site.shelf.read())) == 1


def test_errors_that_somebody_further_out_catches_are_not_listened_to() -> None:
    app = FailingApp()
    site = ReplaySite(app)
    with pytest.raises(KeyError):
        site.client.get("/", environ={"paste.throw_errors": True})
    assert "wheatpaste.replay" not in app.seen[0]


def test_a_healthy_request_leaves_nothing() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        return [environ["wsgi.input"].read()]

    site = ReplaySite(app)
    assert site.client.post("/", body=b"x").body == b"x"
    assert site.shelf.read() == b""
