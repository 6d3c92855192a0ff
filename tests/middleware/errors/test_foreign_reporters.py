"""Reporters of others: which objects are taken, and that theirs is the only trouble that they make."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from error_samples import simple

from wheatpaste.config.options import OptionError
from wheatpaste.middleware.errors.catch_errors import CatchErrors
from wheatpaste.middleware.errors.record import ErrorRecord
from wheatpaste.middleware.errors.report.foreign import ForeignReporter, reporter_of
from wheatpaste.testing import Client


class Pager:
    """Somebody's reporter."""

    def __init__(self, *faults: Exception) -> None:
        self.records: list[ErrorRecord] = []
        self.faults = list(faults)
        self.closed = 0

    def report(self, record: ErrorRecord) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.records.append(record)

    def close(self) -> None:
        self.closed += 1


class Callable_(Pager):
    """One that can be called, too."""

    def __call__(self) -> None:
        raise AssertionError("it is a reporter already")


def make_pager() -> Pager:
    return Pager()


def failing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    raise ValueError("boom")


@pytest.mark.parametrize("given", [Pager(), Pager, make_pager, lambda: Pager(), Callable_()], ids=range(5))
def test_row_42_an_object_a_class_and_a_function_are_taken(given: Any) -> None:
    assert isinstance(reporter_of(given), Pager)


def test_row_42_a_name_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    import logging

    monkeypatch.setattr(logging, "Pager", Pager, raising=False)
    assert isinstance(reporter_of("logging:Pager"), Pager)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (object(), r"has no report\(record\)"),
        (dict, r"has no report\(record\)"),
        (lambda: None, r"has no report\(record\)"),
        (7, r"has no report\(record\)"),
        ("nowhere.at_all:Pager", "cannot be imported"),
        ("logging:Nobody", "cannot be imported"),
        ("logging", "must have the form module:object"),
    ],
    ids=range(7),
)
def test_what_is_no_reporter_is_said_at_the_start(given: Any, what: str) -> None:
    with pytest.raises(OptionError, match=what):
        CatchErrors(failing, reporters=(given,))


def test_row_42_it_is_given_the_record_that_the_client_was_told_of() -> None:
    pager = Pager()
    app = CatchErrors(failing, reporters=(pager,), inbox="none")
    response = Client(app, lint=True).get("/shop")
    app.close()
    (record,) = pager.records
    assert record.id == response.headers["X-Error-ID"]
    assert record.headline == "ValueError: boom"
    assert pager.closed == 1


def test_row_18_one_that_hangs_keeps_nobody_waiting() -> None:
    free = threading.Event()

    class Hanging(Pager):
        def report(self, record: ErrorRecord) -> None:
            free.wait(30)

    other = Pager()
    app = CatchErrors(failing, reporters=(Hanging(), other), inbox="none")
    client = Client(app)
    client.get("/")
    began = time.monotonic()
    assert [client.get("/").status for _ in range(3)] == [500] * 3
    assert time.monotonic() - began < 15  # and not thirty
    deadline = time.monotonic() + 20
    while len(other.records) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    free.set()
    app.close()


def test_row_18_one_that_raises_is_asked_again_and_named_once(caplog: pytest.LogCaptureFixture) -> None:
    pager = Pager(RuntimeError("the pager is off"))
    reporter = ForeignReporter(pager)
    reporter.report(simple())
    deadline = time.monotonic() + 20
    while not pager.records:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    reporter.close()
    assert caplog.text.count("the pager is off") == 1
    assert "errors to Pager: they are sent again" in caplog.text


def test_row_18_one_that_ends_the_program_does_not(caplog: pytest.LogCaptureFixture) -> None:
    class Exiting(Pager):
        def report(self, record: ErrorRecord) -> None:
            self.records.append(record)
            if len(self.records) == 1:
                raise SystemExit(1)

    pager = Exiting()
    reporter = ForeignReporter(pager)
    reporter.report(simple())
    deadline = time.monotonic() + 20
    while len(pager.records) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    reporter.close()
    assert "tried again (SystemExit: 1)" in caplog.text
