"""No secret comes out of any face of an error, and what is harmless can be read in all of them."""

from __future__ import annotations

import base64
import html
import importlib
import inspect
import io
import json
import logging
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sentry_sdk
from secrets_app import app_of
from secrets_corpus import INNOCENT, SECRETS, Innocent, Planted
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from wheatpaste.middleware.errors import render, report
from wheatpaste.middleware.errors.catch_errors import CatchErrors
from wheatpaste.middleware.errors.inbox.memory import MemoryInbox
from wheatpaste.middleware.errors.record import ErrorRecord
from wheatpaste.middleware.errors.render.curl import curl_command
from wheatpaste.middleware.errors.render.envelope import Envelope as MailEnvelope
from wheatpaste.middleware.errors.render.log_line import as_line
from wheatpaste.middleware.errors.render.mail import as_mail
from wheatpaste.middleware.errors.render.markdown import as_markdown
from wheatpaste.middleware.errors.render.page import debug_page
from wheatpaste.middleware.errors.render.plain_page import plain_page
from wheatpaste.middleware.errors.render.problem import debug_problem, public_problem
from wheatpaste.middleware.errors.render.text import as_text
from wheatpaste.middleware.errors.report.file import as_json_line
from wheatpaste.middleware.errors.report.sentry_event import exceptions_of
from wheatpaste.middleware.errors.report.webhook import payload


def _mailed(record: ErrorRecord) -> str:
    message = as_mail(record, MailEnvelope(sender="a@example.com", recipients=("b@example.com",)))
    parts = [part.get_content() for part in message.walk() if part.get_content_maintype() == "text"]
    return "\n".join([*map(str, message.values()), *parts])


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False)


FACES: dict[str, Callable[[ErrorRecord], str]] = {
    "record": lambda record: _json(record.to_data()),
    "as_text": lambda record: as_text(record, details=True),
    "as_markdown": as_markdown,
    "as_line": as_line,
    "as_mail": _mailed,
    "as_json_line": lambda record: as_json_line(record).decode(),
    "curl_command": curl_command,
    "debug_page": lambda record: debug_page(record, nonce="nonce"),
    "debug_problem": lambda record: debug_problem(record).decode(),
    "public_problem": lambda record: public_problem(record, "It does not work.").decode(),
    "plain_page": lambda record: plain_page(record, {}),
    "payload": lambda record: _json(payload(record)),
    "exceptions_of": lambda record: _json(exceptions_of(record)),
}
# Functions of a record that make no face of their own: parts of faces, and what is called with more than a record.
_NO_FACES = {"branches", "parts", "where", "details", "public"}


def test_every_face_that_there_is_is_looked_at() -> None:
    found = set()
    for package in (render, report):
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            for name, function in vars(importlib.import_module(module.name)).items():
                if name.startswith("_") or not inspect.isfunction(function) or function.__module__ != module.name:
                    continue
                first = next(iter(inspect.signature(function).parameters.values()), None)
                if first is not None and first.annotation in ("ErrorRecord", ErrorRecord):
                    found.add(name)
    assert found - _NO_FACES == set(FACES) - {"record"}


class _Wire(Transport):
    """What would have gone to Sentry."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.sent += [item.get_bytes().decode() for item in envelope.items]


@pytest.fixture(scope="module")
def wire() -> Iterator[_Wire]:
    transport = _Wire()
    with sentry_sdk.isolation_scope():
        sentry_sdk.init(dsn="https://public@sentry.invalid/1", transport=transport, default_integrations=False)
        yield transport
        sentry_sdk.get_client().close(timeout=0)
        sentry_sdk.get_global_scope().set_client(None)


class _Seen:
    """A reporter that keeps what it is told, and gives it on."""

    def __init__(self) -> None:
        self.records: list[ErrorRecord] = []

    def report(self, record: ErrorRecord) -> None:
        self.records.append(record)


@pytest.fixture
def fail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, wire: _Wire
) -> Iterator[Callable[[Planted | Innocent], dict[str, str]]]:
    """Lets a case fail behind the filter; returns all texts that come of it, by where they were found."""
    caplog.set_level(logging.DEBUG)

    def run(case: Planted | Innocent) -> dict[str, str]:
        given = getattr(case, "variables", {})
        for name, value in given.items():
            if name.startswith("$"):
                monkeypatch.setenv(name[1:], value)
        seen = _Seen()
        wire.sent.clear()
        stream = io.StringIO()
        log = tmp_path / "errors.log"
        body = case.form.encode()
        environ = {
            "REQUEST_METHOD": "POST" if body else "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "localhost",
            "HTTP_ACCEPT": "text/html",
            "CONTENT_TYPE": "application/x-www-form-urlencoded" if body else "",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": stream,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **case.environ,
        }
        if case.config:
            environ["paste.config"] = case.config
        answers: list[str] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., Any]:
            answers.append(status + repr(headers))
            return lambda data: None

        with app_of(case.body, tmp_path, plant=getattr(case, "secret", ""), given=given.get("given", "")) as app:
            catcher = CatchErrors(
                app,
                debug=True,
                project=(tmp_path,),
                error_log=log,
                show_exceptions_in_wsgi_errors=True,
                reporters=(seen,),
                sentry=True,
            )
            answers += [chunk.decode() for chunk in catcher(environ, start_response)]
            catcher.close()
        (record,) = seen.records
        inbox = MemoryInbox()
        inbox.add(record)
        kept = inbox.find(record.id)
        assert kept is not None
        return {
            **{name: face(record) for name, face in FACES.items()},
            "answer": "\n".join(answers),
            "Sentry": "\n".join(wire.sent),
            "log": caplog.text,
            "error stream": stream.getvalue(),
            "error log": log.read_text(encoding="utf-8"),
            "inbox": _json(kept.to_data()) + repr(inbox.groups()) + repr(inbox.occurrences(record.group)),
        }

    return run


def _forms(secret: str) -> set[str]:
    forms = {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe=""), html.escape(secret)}
    # Its digits within the base64 of a longer text, without those that it shares with its neighbours.
    return forms | {base64.b64encode(b"x" * before + secret.encode())[4:-4].decode() for before in (0, 1, 2)}


@pytest.mark.parametrize("case", SECRETS, ids=lambda case: case.name)
def test_row_30_no_face_shows(case: Planted, fail: Callable[[Planted], dict[str, str]]) -> None:
    for place, text in fail(case).items():
        for form in _forms(case.secret):
            if form in text:
                at = text.index(form)
                pytest.fail(f"{place} shows it: …{text[max(0, at - 200) : at + 100]}…")
        if place == "record" and case.shows:
            assert case.shows in text


@pytest.mark.parametrize("quote_it", ["raise ValueError('no ' + password)", "raise KeyError({'p': password})"])
def test_row_30_a_password_is_hidden_where_variables_are_not_collected(quote_it: str, tmp_path: Path) -> None:
    seen = _Seen()
    with app_of(f"password = plant()\n{quote_it}", tmp_path, plant="swordfish-77") as app:
        catcher = CatchErrors(app, variables=False, project=(tmp_path,), reporters=(seen,))
        list(catcher({"REQUEST_METHOD": "GET", "wsgi.errors": io.StringIO()}, lambda *_: None))  # type: ignore[arg-type, return-value]
        catcher.close()
    assert not any(frame.variables for frame in seen.records[0].raised.frames)
    assert "swordfish" not in _json(seen.records[0].to_data())


@pytest.mark.parametrize("case", INNOCENT, ids=lambda case: case.name)
def test_it_leaves_readable(case: Innocent, fail: Callable[[Innocent], dict[str, str]]) -> None:
    shown = fail(case)["record"]
    readable = case.text if case.text in shown else json.dumps(case.text, ensure_ascii=False)[1:-1]
    assert readable in shown


def test_the_corpus_is_large() -> None:
    assert len({case.name for case in SECRETS}) == len(SECRETS) >= 400
    assert len(INNOCENT) >= 60
