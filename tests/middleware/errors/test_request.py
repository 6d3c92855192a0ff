"""The request in a record: all that was known of it, without secrets, without what acts, without reading the body."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from wheatpaste.middleware.errors.collect.configuration import configuration_of
from wheatpaste.middleware.errors.collect.layers import layers_of
from wheatpaste.middleware.errors.collect.request import request_of
from wheatpaste.middleware.errors.collect.values import Budget
from wheatpaste.middleware.errors.record import Request
from wheatpaste.protocol.trace import Mount, Trace

SECRET = "mZ4k9XqP2vT7wR1c"


class _Unreadable(io.RawIOBase):
    def read(self, *_: Any) -> Any:
        raise AssertionError("the body was read")

    readline = readlines = readinto = __next__ = read


def environ(**more: Any) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "site.example",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "wsgi.url_scheme": "https",
        "wsgi.input": _Unreadable(),
        **more,
    }


def read(error: BaseException | None = None, /, **more: Any) -> Request:
    budget = Budget()
    try:
        return request_of(environ(**more), budget, error)
    finally:
        budget.close()


def test_row_13_a_request_is_shown_in_all_its_parts() -> None:
    trace = Trace(clock=iter((10.0, 12.5)).__next__)
    trace.request_id = "R-1"
    trace.take(Mount("/shop", "*.example", "site.ini:12"))
    trace.note("forwarding headers were removed")
    request = read(
        **{
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "/shop",
            "PATH_INFO": "/caf\xc3\xa9",
            "QUERY_STRING": "page=2&tag=a+b&tag=%C3%A9&token=" + SECRET,
            "HTTP_HOST": "Site.example:8443",
            "HTTP_USER_AGENT": "Mozilla/5.0",
            "HTTP_COOKIE": f"lang=de; session={SECRET}",
            "HTTP_AUTHORIZATION": f"Bearer {SECRET}",
            "CONTENT_TYPE": "text/plain",
            "CONTENT_LENGTH": "3",
            "REMOTE_USER": "ann",
            "wheatpaste.peer": "10.0.0.1",
            "wheatpaste.trace": trace,
            "shop.cart": ["tea"],
        }
    )
    hidden = "[redacted: str, 16 chars]"
    assert request.method == "POST"
    assert request.url == f"https://site.example:8443/shop/caf%C3%A9?page=2&tag=a+b&tag=%C3%A9&token={hidden}"
    assert (request.script_name, request.path_info) == ("/shop", "/café")
    assert (request.peer, request.client, request.user) == ("10.0.0.1", "192.0.2.7", "ann")
    assert request.query == (("page", "2"), ("tag", "a b"), ("tag", "é"), ("token", hidden))
    assert request.cookies == (("lang", "de"), ("session", hidden))
    headers = dict(request.headers)
    assert headers["User-Agent"] == "Mozilla/5.0"
    assert headers["Content-Type"] == "text/plain"
    assert headers["Authorization"] == f"Bearer {hidden}"
    assert headers["Cookie"].startswith("[redacted")
    rows = dict(request.environ)
    assert list(rows) == sorted(rows)
    assert rows["shop.cart"] == "['tea']"
    assert rows["PATH_INFO"] == "/café"
    assert "HTTP_COOKIE" not in rows  # headers stand by themselves
    assert request.mounts[0].origin == "site.ini:12"
    assert (request.request_id, request.notes, request.elapsed) == ("R-1", ("forwarding headers were removed",), 2.5)


def test_an_environ_without_anything_gives_a_request_without_anything() -> None:
    assert request_of({}, Budget()).url == "http://localhost/"


def _webob(environ: dict[str, Any]) -> Exception | None:
    import webob

    webob.Request(environ).POST.items()
    return None


def _werkzeug(environ: dict[str, Any]) -> Exception | None:
    from werkzeug.wrappers import Request

    Request(environ).form.items()
    return None


def _bottle(environ: dict[str, Any]) -> Exception | None:
    import bottle

    bottle.BaseRequest(environ).forms.items()
    return None


def _paste(environ: dict[str, Any]) -> Exception | None:
    environ["paste.parsed_formvars"] = (type("MultiDict", (), {})(), environ["wsgi.input"])
    environ["paste.parsed_formvars"][0]._items = [("name", "ann"), ("password", SECRET), ("name", "bob")]
    return None


def _flask(environ: dict[str, Any]) -> Exception | None:
    import flask

    app = flask.Flask("app")
    app.config["PROPAGATE_EXCEPTIONS"] = True

    def view() -> str:
        raise ValueError(len(flask.request.form))

    app.add_url_rule("/", view_func=view, methods=["POST"])
    try:
        app({**environ, "wsgi.errors": io.StringIO(), "HTTP_HOST": "localhost"}, lambda *_: None)
    except ValueError as error:
        return error
    return None


@pytest.mark.parametrize("parse", [_webob, _werkzeug, _bottle, _paste, _flask])
def test_row_13_a_form_is_shown_if_a_framework_has_parsed_it(
    parse: Callable[[dict[str, Any]], Exception | None],
) -> None:
    body = f"name=ann&password={SECRET}&name=bob".encode()
    given = environ(
        REQUEST_METHOD="POST",
        CONTENT_TYPE="application/x-www-form-urlencoded",
        CONTENT_LENGTH=str(len(body)),
        **{"wsgi.input": io.BytesIO(body)},
    )
    error = parse(given)
    given["wsgi.input"] = _Unreadable()
    form = request_of(given, Budget(), error).form
    assert sorted(form) == [("name", "ann"), ("name", "bob"), ("password", "[redacted: str, 16 chars]")]


DJANGO = f"""
import io
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from wheatpaste.middleware.errors.collect.request import request_of
from wheatpaste.middleware.errors.collect.values import Budget

def view(request):
    request.POST.items()
    raise ValueError("no")

settings.configure()
body = b"name=ann&password={SECRET}&name=bob"
environ = {{"REQUEST_METHOD": "POST", "CONTENT_TYPE": "application/x-www-form-urlencoded", "PATH_INFO": "/"}}
environ |= {{"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}}
try:
    view(WSGIRequest(environ))
except ValueError as error:
    print(sorted(request_of(environ, Budget(), error).form))
"""


def test_row_13_a_form_of_django_is_found_in_the_traceback() -> None:
    # In a process of its own: settings are configured once, and other tests have theirs.
    ended = subprocess.run([sys.executable, "-c", DJANGO], capture_output=True, text=True, timeout=60)
    expected = [("name", "ann"), ("name", "bob"), ("password", "[redacted: str, 16 chars]")]
    assert ended.stdout.strip() == repr(expected), ended.stderr


def test_row_13_the_body_is_never_read() -> None:
    assert read(REQUEST_METHOD="POST", CONTENT_TYPE="application/x-www-form-urlencoded", CONTENT_LENGTH="3").form == ()


HOSTILE: list[Any] = [
    pytest.param({"HTTP_USER_AGENT": 'x" 200 99 "-" "fake\r\n10.0.0.1 - -'}, id="C3 a forged line of a log"),
    pytest.param({"HTTP_X_NAME": "\x1b[2J\x1b]0;title\x07"}, id="C3 escapes of a terminal"),
    pytest.param({"PATH_INFO": "/a\nb\r\x00\x0b"}, id="C3 line breaks in the path"),
    pytest.param({"QUERY_STRING": "a=%0d%0aSet-Cookie:%20x=1&%00=%1b[2J"}, id="C3 line breaks in the query"),
    pytest.param({"HTTP_HOST": '"><img src=x onerror=alert(1)>\r\nX: y'}, id="C4 a hostile host"),
    pytest.param({"SERVER_NAME": "a\r\nb", "SERVER_PORT": "\r\n"}, id="a hostile server name"),
    pytest.param({"REQUEST_METHOD": "GET\r\nX: y"}, id="a hostile method"),
    pytest.param({"REMOTE_USER": "ann\u202e\ud800"}, id="a user with half of a surrogate pair"),
    pytest.param({"HTTP_X_BYTES": "\xff\xfe\x80"}, id="bytes that are no UTF-8"),
    pytest.param({"PATH_INFO": "/\udcff\xff"}, id="a path with half of a surrogate pair"),
    pytest.param({"PATH_INFO": "/\u20ac"}, id="a path that no byte stands for"),
    pytest.param({"HTTP_X_LONG": "x" * 100_000}, id="C3 a header of 100 kB"),
    pytest.param({"HTTP_COOKIE": ";".join(f"a{n}=1" for n in range(10_000))}, id="10,000 cookies"),
    pytest.param({"QUERY_STRING": "&".join(f"a{n}=1" for n in range(10_000))}, id="10,000 parameters"),
    pytest.param({"QUERY_STRING": "a=" + "x" * 1_000_000}, id="a query of 1 MB"),
    pytest.param({f"HTTP_X_{n}": "x" for n in range(10_000)}, id="10,000 headers"),
    pytest.param({f"app.{n}": "x" for n in range(10_000)}, id="10,000 environ keys"),
    pytest.param({"HTTP_X\r\nNAME": "x"}, id="a line break in a header's name"),
    pytest.param({"HTTP_COOKIE": ";;;=;a;=b;c=="}, id="a broken cookie header"),
    pytest.param({"QUERY_STRING": "&&=&a&=b&%&%zz"}, id="a broken query"),
    pytest.param({"QUERY_STRING": None, "PATH_INFO": 7, "HTTP_COOKIE": b"x", "HTTP_HOST": []}, id="no texts at all"),
    pytest.param({"REMOTE_ADDR": None, "REQUEST_METHOD": None, "wsgi.url_scheme": None}, id="nothing"),
    pytest.param({"wheatpaste.trace": "x", "wheatpaste.peer": 7, "wheatpaste.identity": []}, id="somebody else's keys"),
    pytest.param({"webob._parsed_post_vars": 7, "werkzeug.request": 8, "bottle.request.forms": 9}, id="no forms"),
    pytest.param({"webob._parsed_post_vars": ({"a": [1, None], 7: 8}, None)}, id="a form of odd things"),
]


@pytest.mark.parametrize("given", HOSTILE)
def test_a_hostile_request_is_bounded_and_does_nothing(given: dict[str, Any]) -> None:
    budget = Budget()
    request = request_of(environ(**given), budget)
    whole: list[str] = []
    for name in Request.__slots__:
        value = getattr(request, name)
        if isinstance(value, str):
            whole.append(value)
        elif isinstance(value, tuple) and name not in ("mounts", "notes"):
            whole += [text for pair in value for text in pair]
    for text in whole:
        assert isinstance(text, str)
        assert len(text) < 5000
        assert text.isprintable(), ascii(text)
        text.encode("utf-8")
    assert len("".join(whole)) < 100_000
    json.dumps(whole)


def test_an_environ_with_keys_that_are_no_texts_is_shown_without_them() -> None:
    given: dict[Any, Any] = {**environ(), 7: "x", None: "y", b"a": "z"}
    assert "7" not in dict(request_of(given, Budget()).environ)


def test_a_client_cannot_blank_out_words_of_a_report() -> None:
    budget = Budget()
    request_of(environ(QUERY_STRING="password=ValueError&token=checkout", HTTP_COOKIE="session=Traceback"), budget)
    assert len(budget.known) == 0


@pytest.mark.parametrize(
    ("cookie", "is_shown"),
    [
        ("theme=dark", True),
        ("lang=pt_BR", True),
        ("sort=name", True),
        ("sid=abc", False),
        ("uid=8264193", False),
        ("x=" + SECRET, False),
        ("csrftoken=abcdef", False),
        ("remember_me=yes-please", True),
    ],
)
def test_a_cookie_is_shown_only_if_it_is_a_mere_preference(cookie: str, is_shown: bool) -> None:
    ((_, value),) = read(HTTP_COOKIE=cookie).cookies
    assert (value == cookie.partition("=")[2]) is is_shown


# --- the configuration ------------------------------------------------------------------------------------------------


def test_row_13_the_configuration_is_shown_without_secrets() -> None:
    config = {
        "debug": "true",
        "session.secret": SECRET,
        "session.timeout": "3600",
        "sqlalchemy.url": f"postgresql://ann:{SECRET}@db/shop",
        "global_conf": {"here": "/srv", "smtp_password": SECRET},
        "loader": object(),
        7: "x",
    }
    rows = dict(configuration_of({"paste.config": config}, Budget()))
    assert list(rows) == sorted(rows)
    assert rows["debug"] == "true"
    assert rows["session.timeout"] == "3600"
    assert rows["sqlalchemy.url"].endswith("@db/shop")
    assert rows["global_conf.here"] == "/srv"
    assert SECRET not in repr(rows)


@pytest.mark.parametrize("config", [None, 7, [], "x", {}])
def test_without_a_configuration_there_are_no_rows(config: object) -> None:
    assert configuration_of({"paste.config": config}, Budget()) == ()


# --- the layers -------------------------------------------------------------------------------------------------------


class Outer:
    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.dispatch(environ, start_response)

    def dispatch(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)


def inner(environ: Any, start_response: Any) -> Any:
    return fails(environ)


def fails(environ: Any) -> Any:
    raise ValueError("no")


def test_it_names_the_layers_from_the_outermost_to_the_app() -> None:
    found: list[tuple[str, ...]] = []

    def catches(environ: Any, start_response: Any) -> Any:
        try:
            return Outer(inner)(environ, start_response)
        except ValueError as error:
            found.append(layers_of(error))

    Outer(catches)({}, None)
    names = [name.removeprefix(__name__ + ".") for name in found[0]]
    outer, catcher, *rest = names
    assert outer == "Outer"  # what stands around the one that catches, too
    assert catcher.endswith("catches")
    assert rest == ["Outer", "inner"]


def test_an_error_without_a_traceback_has_no_layers() -> None:
    assert layers_of(ValueError()) == ()
