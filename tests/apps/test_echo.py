"""Echo: what the request was, and answers that the query asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from wheatpaste.apps.echo import Echo, app_factory, paste_app_factory
from wheatpaste.config.options import OptionError
from wheatpaste.config.problems import ConfigError
from wheatpaste.testing import Client, Clock

Make = Callable[..., Client]
EVIL = "<script>alert(1)</script>"


def test_it_tells_where_it_is_mounted_and_what_came(client: Make) -> None:
    app = client(Echo(), script_name="/test")
    text = app.get("/a/b?x=1", headers={"X-Thing": "value"}).text
    assert text.startswith("GET /test/a/b HTTP/1.1\nmounted at: /test\n")
    assert "X-Thing: value\n" in text
    assert "?x=1\n" in text


def test_json_has_all_of_it(client: Make) -> None:
    report = (
        client(Echo(), script_name="/test")
        .post("/%C3%BC?a=1&a=2", form={"name": "Ada", "password": "hunter22"}, headers={"Accept": "application/json"})
        .json()
    )
    assert (report["method"], report["mount"], report["path"]) == ("POST", "/test", "/ü")
    assert report["query"] == [["a", "1"], ["a", "2"]]
    assert report["body"]["bytes"] == len("name=Ada&password=hunter22")
    assert ["name", "Ada"] in report["body"]["fields"]


@pytest.mark.parametrize("accept", ["text/html", "application/json", "text/plain"])
def test_secrets_are_not_shown(client: Make, accept: str) -> None:
    headers = {"Accept": accept, "Cookie": "session=hunter22", "Authorization": "Bearer hunter22hunter22"}
    response = client(Echo()).post("/?token=hunter22", form={"password": "hunter22"}, headers=headers)
    assert "hunter22" not in response.text
    assert "redacted" in response.text


@pytest.mark.parametrize("accept", ["text/html", "application/json", "text/plain"])
def test_nothing_of_the_request_becomes_markup_or_a_header(accept: str) -> None:
    response = Client(Echo(), script_name="/m").post(
        f"/{EVIL}?{EVIL}={EVIL}",
        body=EVIL.encode(),
        headers={"Accept": accept, "X-Evil": f"{EVIL}\r\nSet-Cookie: a=b", "Content-Type": "text/html"},
        environ={"REMOTE_ADDR": EVIL, "SERVER_NAME": EVIL, "SERVER_PROTOCOL": EVIL},
    )
    assert response.status == 200
    if "html" in (response.headers["Content-Type"] or ""):
        assert "<script" not in response.text
        assert "default-src 'none'" in (response.headers["Content-Security-Policy"] or "")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "alert" not in str(response.headers)
    if "plain" in (response.headers["Content-Type"] or ""):
        assert "\nSet-Cookie" not in response.text


@pytest.mark.parametrize("path", ["/\ud800", "/\u20ac", "/\xff\xfe", "/\x00\n", ""])
def test_a_path_that_is_no_text_is_no_error(path: str) -> None:
    for accept in ("text/html", "application/json", "text/plain"):
        response = Client(Echo(), headers={"Accept": accept}).get("/", environ={"PATH_INFO": path})
        assert response.status == 200


@pytest.mark.parametrize("status", [200, 201, 299, 404, 418, 500, 599])
def test_the_status_that_is_asked_for(client: Make, status: int) -> None:
    assert client(Echo()).get(f"/?status={status}").status == status


@pytest.mark.parametrize("status", [204, 205, 304])
def test_a_status_without_a_body_has_none(status: int) -> None:
    # Without wsgiref's validator: it wants a Content-Type with 205.
    response = Client(Echo()).get(f"/?status={status}&size=10")
    assert (response.status, response.body) == (status, b"")


@pytest.mark.parametrize(
    "query",
    [
        "status=100",
        "status=600",
        "status=abc",
        "status=200%20OK%0d%0aX:%20y",
        "status=%D9%A2%D9%A0%D9%A0",
        "size=-1",
        "size=99999999999",
        "size=1e9",
        "delay=11",
        "delay=nan",
        "delay=inf",
        "stream=100000",
        "stream=10&delay=2",
        "raise=x",
    ],
)
def test_what_cannot_be_done_is_the_clients_mistake(client: Make, clock: Clock, query: str) -> None:
    response = client(Echo(sleep=clock.sleep)).get(f"/?{query}")
    assert response.status == 400
    assert clock.slept == []


def test_the_delay_comes_before_the_answer(client: Make, clock: Clock) -> None:
    client(Echo(sleep=clock.sleep)).get("/?delay=2.5")
    assert clock.slept == [2.5]


@pytest.mark.parametrize("size", [0, 1, 65536, 200_001])
def test_the_size_that_is_asked_for(client: Make, size: int) -> None:
    response = client(Echo()).get(f"/?size={size}")
    assert (len(response.body), response.headers["Content-Length"]) == (size, str(size))
    assert client(Echo()).head(f"/?size={size}").body == b""


def test_a_stream_comes_line_by_line(client: Make, clock: Clock) -> None:
    app = client(Echo(sleep=clock.sleep))
    with app.get("/?stream=3&delay=1", stream=True) as response:
        pieces = iter(response)
        assert next(pieces) == b"line 1 of 3\n"
        assert clock.slept == [1.0]
        assert response.headers["Content-Length"] is None
        assert len(list(pieces)) == 2


def test_an_exception_travels_only_with_debug(client: Make) -> None:
    with pytest.raises(RuntimeError, match="boom") as caught:
        client(Echo(debug=True)).get("/?raise=boom")
    assert caught.value.__notes__ == ["?raise= asked for this"]
    assert client(Echo()).get("/?raise=boom").status == 400


@pytest.mark.parametrize("chunked", [False, True])
def test_the_body_comes_back_as_bytes_and_never_as_a_page(client: Make, chunked: bool) -> None:
    body: Any = [b"<h1>", b"x"] if chunked else b"<h1>x"
    response = client(Echo()).post("/?body", body=body, headers={"Content-Type": "text/html"})
    assert response.body == b"<h1>x"
    assert response.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("environ", "status"),
    [({"CONTENT_LENGTH": "5000"}, 413), ({"CONTENT_LENGTH": "x"}, 400), ({"CONTENT_LENGTH": "50"}, 400)],
)
def test_a_body_that_cannot_be_received_is_refused(environ: dict[str, str], status: int) -> None:
    assert Client(Echo(max_size=1000)).post("/", body=b"short", environ=environ).status == status


def test_debug_may_come_from_the_defaults() -> None:
    with pytest.raises(RuntimeError):
        Client(app_factory({"debug": "true"})).get("/?raise")
    assert Client(app_factory({"debug": "true"}, debug="false")).get("/?raise").status == 400


def test_the_old_names_swallow_anything(caplog: pytest.LogCaptureFixture) -> None:
    assert Client(paste_app_factory({}, anything="x")).get("/").status == 200
    assert "anything" in caplog.text


def test_mistakes_are_said() -> None:
    with pytest.raises(OptionError, match="at least 0"):
        Echo(max_delay=-1)
    with pytest.raises(ConfigError) as caught:
        app_factory({}, max_delay="x", max_siz="1")
    assert sorted(problem.key or "" for problem in caught.value.problems) == ["max_delay", "max_siz"]
