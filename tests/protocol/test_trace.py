"""The one record of a request."""

from __future__ import annotations

from wheatpaste.protocol.trace import KEY, Mount, Trace


def test_the_first_to_come_makes_it_and_copies_share_it() -> None:
    environ: dict[str, object] = {}
    trace = Trace.of(environ)
    child = dict(environ)
    Trace.of(child).take(Mount("/app", "", "site.ini:3"))
    assert environ[KEY] is trace
    assert Trace.of(environ).mounts == (Mount("/app", "", "site.ini:3"),)


def test_it_keeps_mounts_in_the_order_taken() -> None:
    trace = Trace()
    trace.take(Mount("/app", "*.example.com"))
    trace.take(Mount("/admin"))
    assert [mount.prefix for mount in trace.mounts] == ["/app", "/admin"]
    assert trace.script_name == "/app/admin"


def test_a_rejected_try_leaves_nothing_behind() -> None:
    trace = Trace()
    trace.take(Mount("/app"))
    trace.note("kept")
    trace.identity = {"user": "before"}
    mark = trace.mark()
    trace.take(Mount("/first"))
    trace.note("of the try")
    trace.identity, trace.error_id = {"user": "try"}, "E1"
    trace.rollback(mark)
    assert trace.mounts == (Mount("/app"),)
    assert trace.notes == ("kept",)
    assert trace.identity == {"user": "before"}
    assert trace.error_id is None


def test_marks_nest() -> None:
    trace = Trace()
    outer = trace.mark()
    trace.take(Mount("/a"))
    inner = trace.mark()
    trace.take(Mount("/b"))
    trace.rollback(inner)
    assert trace.script_name == "/a"
    trace.rollback(outer)
    assert trace.script_name == ""


def test_a_note_stands_once() -> None:
    trace = Trace()
    for text in ("stripped", "other", "stripped"):
        trace.note(text)
    assert trace.notes == ("stripped", "other")


def test_it_times_with_the_clock_it_was_given() -> None:
    now = [100.0]
    trace = Trace.of({}, lambda: now[0])
    now[0] = 100.25
    assert trace.time("dispatched") == 0.25
    now[0] = 101.0
    assert trace.elapsed() == 1.0
    mark = trace.mark()
    trace.time("answered")
    trace.rollback(mark)
    assert trace.timings == {"dispatched": 0.25, "answered": 1.0}


def test_timings_cannot_be_changed_from_outside() -> None:
    trace = Trace(lambda: 0.0)
    trace.timings["x"] = 1.0
    assert trace.timings == {}


def test_its_repr_shows_no_secret() -> None:
    trace = Trace()
    trace.request_id, trace.error_id = "req-1", "E-1"
    trace.identity = {"user": "ann", "token": "hunter2"}
    trace.note("password=hunter3")
    trace.take(Mount("/app"))
    text = repr(trace)
    assert "hunter" not in text
    assert all(part in text for part in ("req-1", "E-1", "/app", "identity=present"))
