"""Reports posted to a URL: by whom they are taken, where a redirect may lead, and that no token is logged."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from error_samples import SAMPLES, simple
from mail_server import hang, hang_up, peer

from wheatpaste.middleware.errors.record import ErrorRecord
from wheatpaste.middleware.errors.report.addresses import webhook_complaint
from wheatpaste.middleware.errors.report.webhook import WebhookReporter

TOKEN = "T0KEN-in-the-path"


class Hook(ThreadingHTTPServer):
    """Takes posts; ``answers`` are (status, headers) for the first ones, then everything is taken."""

    daemon_threads = True

    def __init__(self, *answers: tuple[int, dict[str, str]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = list(answers)
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/services/{TOKEN}"

    @property
    def posted(self) -> list[Any]:
        return [json.loads(body) for _, _, _, body in self.requests]


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(body)

    def do_GET(self) -> None:
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        self.server.requests.append((self.command, self.path, dict(self.headers), body))
        status, headers = self.server.answers.pop(0) if self.server.answers else (204, {})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def hook() -> Iterator[Callable[..., Hook]]:
    with contextlib.ExitStack() as ends:

        def start(*answers: tuple[int, dict[str, str]]) -> Hook:
            server = Hook(*answers)
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            ends.callback(server.server_close)
            ends.callback(server.shutdown)
            return server

        yield start


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def post(url: str, *records: ErrorRecord, timeout: float = 5) -> None:
    it = WebhookReporter(url, timeout=timeout)
    for record in records or (simple(),):
        it.report(record)
    it.close()


def test_a_report_is_posted_as_json(hook: Callable[..., Hook]) -> None:
    server = hook()
    post(server.url)
    ((method, path, headers, _),) = server.requests
    assert (method, path, headers["Content-Type"]) == ("POST", f"/services/{TOKEN}", "application/json")
    (posted,) = server.posted
    record = posted.pop("record")
    assert ErrorRecord.from_data(record) == simple()
    assert posted == {
        "text": "K7QX-M3PZ E-7K3QX PriceMissing: no price in SEK for 'BREAD-7' at shop/prices.py:18 in price_of "
        "(POST /shop/checkout)",
        "error_id": "K7QX-M3PZ",
        "group": "E-7K3QX",
        "headline": "PriceMissing: no price in SEK for 'BREAD-7'",
        "where": "shop/prices.py:18 in price_of",
        "time": simple().time,
        "method": "POST",
        "url": "http://localhost:8080/shop/checkout?step=3&token=[redacted: str, 12 chars]",
    }


@pytest.mark.parametrize("name", SAMPLES)
def test_every_record_can_be_posted(name: str, hook: Callable[..., Hook]) -> None:
    server = hook()
    post(server.url, SAMPLES[name]())
    assert server.posted[0]["error_id"]


def test_credentials_of_the_url_are_sent_as_such(hook: Callable[..., Hook]) -> None:
    server = hook()
    post(server.url.replace("//", "//ada:p%40ss@"))
    ((_, _, headers, _),) = server.requests
    assert headers["Authorization"] == "Basic YWRhOnBAc3M="
    assert headers["Host"] == f"127.0.0.1:{server.server_port}"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413])
def test_row_18_what_is_refused_is_not_posted_again(status: int, hook: Callable[..., Hook], caplog: Any) -> None:
    server = hook((status, {}))
    post(server.url, simple(), dataclasses.replace(simple(), id="second"))
    assert [each["error_id"] for each in server.posted] == ["K7QX-M3PZ", "second"]
    assert f"one was refused (it answered {status})" in caplog.text


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_row_18_who_is_busy_gets_it_again(status: int, hook: Callable[..., Hook], caplog: Any) -> None:
    server = hook((status, {}))
    it = WebhookReporter(server.url)
    it.report(simple())
    deadline = time.monotonic() + 20
    while len(server.requests) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    it.close()
    assert f"tried again (OSError: it answered {status})" in caplog.text


@pytest.mark.parametrize("status", [307, 308])
def test_the_same_host_may_send_it_on(status: int, hook: Callable[..., Hook]) -> None:
    server = hook((status, {"Location": "/elsewhere"}))
    post(server.url)
    assert [(method, path) for method, path, _, _ in server.requests] == [
        ("POST", f"/services/{TOKEN}"),
        ("POST", "/elsewhere"),
    ]
    assert len(server.posted) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    [
        "http://localhost:{other}/",
        "http://127.0.0.1:{other}/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "//evil.example/",
    ],
)
def test_nobody_is_sent_to_another_host_or_scheme(
    status: int, location: str, hook: Callable[..., Hook], caplog: pytest.LogCaptureFixture
) -> None:
    other = hook()
    server = hook((status, {"Location": location.format(other=other.server_port)}))
    post(server.url)
    assert other.requests == []
    assert len(server.requests) == 1
    assert f"it answered {status}" in caplog.text


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_post_becomes_no_get(status: int, hook: Callable[..., Hook]) -> None:
    server = hook((status, {"Location": "/elsewhere"}))
    post(server.url)
    assert [method for method, _, _, _ in server.requests] == ["POST"]


def test_a_circle_ends(hook: Callable[..., Hook], caplog: pytest.LogCaptureFixture) -> None:
    server = hook(*[(307, {"Location": "/again"})] * 100)
    post(server.url)
    assert len(server.requests) <= 12


@pytest.mark.parametrize("talk", [hang, hang_up], ids=["hangs", "hangs up"])
def test_row_18_a_host_that_does_not_talk_is_given_up_in_time(
    talk: Callable[[socket.socket], None], caplog: pytest.LogCaptureFixture
) -> None:
    with peer(talk) as port:
        began = time.monotonic()
        post(f"http://127.0.0.1:{port}/{TOKEN}", timeout=0.2)
        assert time.monotonic() - began < 10
    assert "errors to the webhook at 127.0.0.1: they cannot be sent" in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        f"http://127.0.0.1:1/{TOKEN}",
        f"http://nobody.invalid/{TOKEN}",
        f"http://ada:{TOKEN}@127.0.0.1:1/?token={TOKEN}",
        f"https://127.0.0.1:1/{TOKEN}#{TOKEN}",
    ],
)
def test_no_token_is_logged(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    post(url, timeout=2)
    assert "they cannot be sent" in caplog.text
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(WebhookReporter(url))


@pytest.mark.parametrize(
    "url",
    [
        *("", "hooks.example.com", "ftp://x/", "file:///etc/passwd", "http://", "http:///x", "javascript:alert(1)"),
        *("http://x:port/", "http://x:99999/", "http://[::1/", "http://x/a b", "http://x/a\r\nHost: y", "http://x/é"),
    ],
)
def test_what_is_no_url_is_said_at_the_start(url: str) -> None:
    complaint = webhook_complaint(url)
    assert complaint is not None
    with pytest.raises(ValueError, match="must be a URL"):
        WebhookReporter(url)


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com/T/B/x", "http://localhost:8065/hooks/x?a=b", "https://[::1]:1/"]
)
def test_what_is_a_url_is_taken(url: str) -> None:
    assert webhook_complaint(url) is None
