"""Reports in the log and on the server's error stream: once, whole, and never swallowed."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from error_samples import poisoned, rich, simple

from wheatpaste.middleware.errors.catch_errors import CatchErrors
from wheatpaste.middleware.errors.record import ErrorRecord
from wheatpaste.middleware.errors.report.logger_reporter import NAME, LoggerReporter
from wheatpaste.middleware.errors.report.stream import StreamReporter
from wheatpaste.testing import Client


def failing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    raise ValueError("boom with password=hunter2-hunter2")


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    it = logging.getLogger(NAME)
    before = (it.disabled, it.propagate, it.level, list(it.handlers))
    yield it
    it.disabled, it.propagate, it.handlers[:] = before[0], before[1], before[3]
    it.setLevel(before[2])


def test_the_logger_has_the_name_of_the_package() -> None:
    assert NAME == "wheatpaste.middleware.errors"


def test_a_failure_is_logged_once_whole_and_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    response = Client(CatchErrors(failing, inbox="none"), lint=True).get("/shop")
    (entry,) = caplog.records
    assert (entry.name, entry.levelname, entry.exc_info) == (NAME, "ERROR", None)
    message = entry.getMessage()
    first, _, text = message.partition("\n")
    assert first.startswith(f"{response.headers['X-Error-ID']} E-")
    assert first.endswith("(GET /shop)")
    assert "Traceback (most recent call last):" in text
    assert message.count("Traceback (most recent call last):") == 1
    assert "hunter2" not in message


def test_handlers_find_what_they_need_on_the_entry(caplog: pytest.LogCaptureFixture) -> None:
    LoggerReporter().report(simple())
    entry: Any = caplog.records[0]
    assert (entry.error_id, entry.error_group, entry.error) == ("K7QX-M3PZ", "E-7K3QX", simple())


def test_c3_no_message_pretends_to_be_another_entry(caplog: pytest.LogCaptureFixture) -> None:
    forged = "boom\n2026-11-26 02:43:20 ERROR root: forged\r\nmore\x1b[2J"
    LoggerReporter().report(poisoned(rich(), forged))
    lines = caplog.records[0].getMessage().split("\n")
    assert all(line.startswith("  ") or not line for line in lines[1:])
    assert not any(control in line for line in lines for control in ("\r", "\x1b", "\x85"))


# The stream of the server ---------------------------------------------------------------------------------------------


def written(*, always: bool = False, environ: dict[str, Any] | None = None) -> str:
    stream = io.StringIO()
    given = {"wsgi.errors": stream} if environ is None else environ
    StreamReporter(always=always).witness(ValueError(), given, simple())
    return stream.getvalue()


def test_the_whole_report_is_written_where_that_is_asked_for() -> None:
    text = written(always=True)
    assert text.startswith("PriceMissing: ")
    assert "Traceback (most recent call last):" in text
    assert text.endswith("\n")


def test_what_the_log_takes_is_not_written_again() -> None:
    assert written() == ""


@pytest.mark.parametrize("how", ["disabled", "level", "nobody"])
def test_what_the_log_would_swallow_is_written(
    how: str, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Configurations of logging turn off loggers that they do not name."""
    if how == "disabled":
        logger.disabled = True
    elif how == "level":
        logger.setLevel(logging.CRITICAL)
    else:
        logger.propagate = False
        logger.handlers.clear()
        monkeypatch.setattr(logging, "lastResort", None)
    assert "K7QX-M3PZ" in written()


def test_an_error_of_a_silent_log_reaches_the_stream(logger: logging.Logger) -> None:
    logger.disabled = True
    stream = io.StringIO()
    Client(CatchErrors(failing, inbox="none"), environ={"wsgi.errors": stream}).get("/")
    assert "ValueError: boom with password=[redacted" in stream.getvalue()


def test_a_server_without_a_stream_is_no_trouble() -> None:
    assert written(always=True, environ={}) == ""


class Broken(io.StringIO):
    """A stream that is closed at its other end."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def test_row_18_a_broken_stream_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    app = CatchErrors(failing, inbox="none", show_exceptions_in_wsgi_errors=True)
    response = Client(app, environ={"wsgi.errors": Broken()}).get("/")
    assert response.status == 500
    assert "Broken pipe" in caplog.text
    assert any(isinstance(getattr(entry, "error", None), ErrorRecord) for entry in caplog.records)
