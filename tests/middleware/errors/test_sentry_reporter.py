"""Reports through the real Sentry SDK, with a transport that keeps what would have been sent."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from error_samples import slow
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from wheatpaste.middleware.errors.catch_errors import CatchErrors
from wheatpaste.middleware.errors.report.sentry import SentryReporter
from wheatpaste.testing import Client


class Kept(Transport):
    """Keeps events as they would have gone over the wire."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        for item in envelope.items:
            if item.type == "event":
                self.events.append(json.loads(item.get_bytes()))


@pytest.fixture
def kept() -> Iterator[Kept]:
    transport = Kept()
    with sentry_sdk.isolation_scope():
        # What it would integrate with is not of this test, and not free of warnings.
        sentry_sdk.init(dsn="https://public@sentry.invalid/1", transport=transport, default_integrations=False)
        yield transport
        sentry_sdk.get_client().close(timeout=0)
        sentry_sdk.get_global_scope().set_client(None)


SECRET = "hunter2-hunter2-hunter2"


def failing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    settings = {"db": {"redis_password": SECRET}, "color": "green"}
    address = f"postgres://ada:{SECRET}@db/shop"
    try:
        raise KeyError("the first")
    except KeyError as error:
        raise ValueError(f"boom with password={SECRET} for {len(settings)} {len(address)}") from error


def ask(**options: Any) -> tuple[Any, CatchErrors]:
    app = CatchErrors(failing, sentry=True, inbox="none", **options)
    response = Client(app, lint=True).get("/shop")
    app.close()
    return response, app


def test_row_42_an_event_has_the_exception_the_group_and_the_ids(kept: Kept) -> None:
    response, _ = ask()
    (event,) = kept.events
    assert event["tags"]["error_id"] == response.headers["X-Error-ID"]
    assert event["fingerprint"] == [event["tags"]["error_group"]]
    assert [value["type"] for value in event["exception"]["values"]] == ["KeyError", "ValueError"]
    frames = event["exception"]["values"][1]["stacktrace"]["frames"]
    assert frames[-1]["function"] == "failing"
    assert "'color': 'green'" in frames[-1]["vars"]["settings"]
    assert frames[-1]["context_line"].lstrip().startswith("raise ValueError(")
    assert event["exception"]["values"][0]["mechanism"]["source"] == "__cause__"


def test_row_42_one_failure_is_one_event_although_it_is_logged_too(kept: Kept) -> None:
    ask()
    ask()
    assert len(kept.events) == 2
    assert all("exception" in event for event in kept.events)


def test_row_30_an_event_holds_no_secret(kept: Kept) -> None:
    sentry_sdk.set_extra("note", {"api_key": SECRET, "fine": "yes"})
    sentry_sdk.add_breadcrumb(message=f"login with password={SECRET}", data={"token": SECRET})
    ask()
    (event,) = kept.events
    assert SECRET not in json.dumps(event)
    assert event["extra"]["note"]["fine"] == "'yes'" or event["extra"]["note"]["fine"] == "yes"
    assert event["timestamp"].startswith("20")
    (crumb,) = [each for each in event["breadcrumbs"]["values"] if "login" in each.get("message", "")]
    assert crumb["timestamp"].startswith("20")


def test_a_slow_request_is_an_event_of_its_own(kept: Kept) -> None:
    reporter = SentryReporter()
    reporter.report(slow())
    reporter.close()
    (event,) = kept.events
    assert event["level"] == "warning"
    assert "still runs after 10.0 s" in event["message"]
    frames = event["threads"]["values"][0]["stacktrace"]["frames"]
    assert (frames[-1]["function"], frames[-1]["in_app"]) == ("Checkout.total", True)


def test_the_reporter_leaves_the_scope_of_others_alone(kept: Kept) -> None:
    ask()
    sentry_sdk.capture_message("something else")
    assert "error_id" not in kept.events[1].get("tags", {})
    assert "fingerprint" not in kept.events[1]


def test_a_program_that_has_not_set_it_up_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    app = CatchErrors(failing, sentry=True, inbox="none")
    client = Client(app)
    assert [client.get("/").status for _ in range(3)] == [500] * 3
    assert caplog.text.count("the program has not called sentry_sdk.init yet") == 1
    app.close()


def test_a_program_that_sets_it_up_later_is_served_then(caplog: pytest.LogCaptureFixture, kept: Kept) -> None:
    client = sentry_sdk.get_client()
    sentry_sdk.get_global_scope().set_client(None)
    app = CatchErrors(failing, sentry=True, inbox="none")
    Client(app).get("/")
    sentry_sdk.get_global_scope().set_client(client)
    Client(app).get("/")
    app.close()
    assert len(kept.events) == 1


def test_without_the_sdk_the_log_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    app = CatchErrors(failing, sentry=True, inbox="none")
    assert Client(app).get("/").status == 500
    assert "pip install sentry-sdk" in caplog.text


def test_nothing_of_it_is_imported_before_it_is_needed() -> None:
    program = """
import sys
from wheatpaste.middleware.errors.catch_errors import CatchErrors
CatchErrors(None, sentry=True, error_email=("a@x.org",), webhook="https://x.example/", error_log="x.jsonl")
heavy = {"sentry_sdk", "smtplib", "urllib.request", "email.message", "jinja2", "ssl"} & set(sys.modules)
assert not heavy, heavy
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
