"""Reports as the options of the filter ask for them: one failure, told everywhere under one id, by whoever works."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mail_server import MailServer, hang, peer

from wheatpaste.config.options import OptionError
from wheatpaste.config.problems import ConfigError
from wheatpaste.middleware.errors.catch_errors import CatchErrors, filter_factory
from wheatpaste.testing import Client

SECRET = "hunter2-hunter2"


def failing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    password = SECRET
    raise ValueError(f"boom with password={password}")


def test_row_41_the_same_id_stands_in_page_header_log_mail_and_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = MailServer()
    try:
        app = CatchErrors(
            failing,
            debug=True,
            inbox="none",
            error_log=tmp_path / "errors.jsonl",
            error_email=("ada@x.example",),
            smtp_server=f"127.0.0.1:{server.port}",
        )
        response = Client(app, lint=True).get("/shop", headers={"Accept": "text/html"})
        (message,) = server.wait_for(1)
        app.close()
    finally:
        server.close()
    (line,) = (tmp_path / "errors.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert {response.headers["X-Error-ID"], message["X-Error-ID"]} == {record["id"]}
    group = record["group"]
    faces = [response.text, caplog.text, line, *(part.get_content() for part in message.iter_parts())]
    for face in faces:
        assert record["id"] in face
        assert group in face
        # Row 30: nor does any of them tell the secret.
        assert SECRET not in face
        assert "boom" in face
    assert message["X-Error-Group"] == group
    assert SECRET not in message["Subject"]


def test_rows_18_and_c7_when_nobody_can_be_told_the_client_is_answered_in_its_usual_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with peer(hang) as port:
        app = CatchErrors(
            failing,
            inbox="none",
            error_log=Path("/dev/full"),
            error_email=("ada@x.example",),
            smtp_server=f"127.0.0.1:{port}",
            webhook=f"http://127.0.0.1:{port}/",
            mail_interval=0,
            show_exceptions_in_wsgi_errors=True,
        )
        client = Client(app, lint=True)
        client.get("/")  # what is loaded once is not counted
        began = time.monotonic()
        statuses = [client.get("/").status for _ in range(20)]
        assert time.monotonic() - began < 15
        assert statuses == [500] * 20
        told = [record for record in caplog.records if getattr(record, "error_id", None)]
        assert len(told) == 21
    app.close()
    others = [record.getMessage() for record in caplog.records if not hasattr(record, "error_id")]
    assert sum("/dev/full" in message for message in others) == 1


def test_the_log_is_told_even_if_nobody_is_named(caplog: pytest.LogCaptureFixture) -> None:
    Client(CatchErrors(failing, inbox="none")).get("/")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


@pytest.mark.parametrize(
    ("option", "what"),
    [
        pytest.param(
            {"error_email": "ada@x.example not@an@address"}, "'not@an@address' is no mail address", id="email"
        ),
        pytest.param({"from_address": "Shop <shop@x>"}, "is no mail address", id="sender"),
        pytest.param({"smtp_server": "mail:port"}, "must be a host, or host:port", id="server"),
        pytest.param({"webhook": f"ftp://x/{SECRET}"}, "must be a URL that begins with https://", id="webhook"),
        pytest.param({"error_log_size": "10"}, "must be at least 1000", id="size of the file"),
        pytest.param({"reporters": "nowhere.at_all:Pager"}, "cannot be imported", id="reporters"),
        pytest.param({"reporters": "collections:OrderedDict"}, "has no report(record)", id="no reporter"),
    ],
)
def test_what_is_wrong_is_said_at_the_start_and_no_secret_with_it(option: dict[str, str], what: str) -> None:
    with pytest.raises(ConfigError) as raised:
        filter_factory({}, **option)(failing)
    assert what in str(raised.value)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    "options",
    [{"error_email": ("a@b@c",)}, {"from_address": "a\r\nBcc: b"}, {"webhook": "gopher://x"}, {"smtp_server": ""}],
    ids=["email", "sender", "webhook", "server"],
)
def test_python_is_told_too(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        CatchErrors(failing, **options)


def test_nothing_is_opened_before_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    before = set(threading.enumerate())
    opened: list[Callable[..., Any]] = []
    monkeypatch.setattr("socket.socket.connect", lambda *given: opened.append(given))
    app = CatchErrors(
        failing,
        inbox="none",
        error_log=tmp_path / "errors.jsonl",
        error_email=("a@x.example",),
        webhook="http://127.0.0.1:1/",
    )
    app.close()
    assert (opened, list(tmp_path.iterdir()), set(threading.enumerate()) - before) == ([], [], set())
