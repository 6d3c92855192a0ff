"""One request to an app, in process, with the options of curl."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from wheatpaste.scripts.main import main

APP = """
    import json

    def echo(environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        seen = {key: value for key, value in environ.items() if isinstance(value, (str, bool))}
        seen["body"] = body.decode("latin-1")
        answer = json.dumps(seen).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
        return [answer]

    def binary(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return [bytes(range(256)), b"\\r\\n\\xff"]

    def site(environ, start_response):
        path = environ["PATH_INFO"]
        moves = {"/old": "/new", "/loop": "/loop", "/away": "https://example.com/x"}
        moves["/guest"] = "http://demo.localhost/new"
        if path in moves:
            status = environ.get("HTTP_X_STATUS", "302 Found")
            start_response(status, [("Location", moves[path]), ("Set-Cookie", "seen=1")])
            return [b"moved"]
        if path == "/new":
            keys = ("REQUEST_METHOD", "HTTP_HOST", "HTTP_COOKIE", "HTTP_AUTHORIZATION")
            seen = [environ.get(key) for key in keys]
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps([*seen, environ["wsgi.input"].read().decode()]).encode()]
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"nothing here"]

    def raises(environ, start_response):
        environ["wsgi.errors"].write("told to wsgi.errors\\n")
        raise ValueError("the app's own")

    def exits(environ, start_response):
        raise SystemExit(7)

    def breaks_off(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"half"
        raise ValueError("in the middle")

    def asserts(environ, start_response):
        assert False, "the app's own"

    def careless(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain"), ("Connection", "close")])
        return [b""]

    def short(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
        return [b"abc"]

    def text_status(environ, start_response):
        start_response("200 OK", [])
        return iter([b"no content type"])

    def endless(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        while True:
            yield b"x" * 65536
    """


class Answer(NamedTuple):
    code: int
    body: bytes
    errors: str

    @property
    def seen(self) -> dict[str, Any]:
        return json.loads(self.body)


Ask = Callable[..., Answer]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Ask:
    """Runs ``wheatpaste request site.py:NAME WORDS…``."""
    (tmp_path / "site_under_test.py").write_text(textwrap.dedent(APP))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "site_under_test", raising=False)

    def run(name: str, *words: str, stdin: bytes = b"") -> Answer:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        target = name if name.endswith(".ini") else f"site_under_test:{name}"
        code = main(["request", target, *words])
        out, err = capfdbinary.readouterr()
        return Answer(code, out, err.decode())

    return run


# --- what is sent -----------------------------------------------------------------------------------------------------

SENT = {
    "a path and a query": (["/a b?q=ü"], {"PATH_INFO": "/a b", "QUERY_STRING": "q=%C3%BC", "REQUEST_METHOD": "GET"}),
    "a path without its slash": (["wiki"], {"PATH_INFO": "/wiki"}),
    "a whole URL": (
        ["https://demo.localhost:8443/x"],
        {"HTTP_HOST": "demo.localhost:8443", "wsgi.url_scheme": "https", "PATH_INFO": "/x", "SERVER_PORT": "8443"},
    ),
    "a host alone": (["http://demo.localhost"], {"PATH_INFO": "/", "HTTP_HOST": "demo.localhost"}),
    "another host": (["/", "--host", "demo.localhost"], {"HTTP_HOST": "demo.localhost"}),
    "the host as a header": (["/", "-H", "Host: demo.localhost"], {"HTTP_HOST": "demo.localhost"}),
    "another method": (["/", "-X", "PROPFIND"], {"REQUEST_METHOD": "PROPFIND"}),
    "form data": (
        ["/", "-d", "a=1", "-d", "b=2 3"],
        {"REQUEST_METHOD": "POST", "body": "a=1&b=2 3", "CONTENT_TYPE": "application/x-www-form-urlencoded"},
    ),
    "data of a file, without its line ends": (["/", "-d", "@lines"], {"body": "onetwo"}),
    "data of a file, as it is": (["/", "--data-binary", "@lines"], {"body": "one\r\ntwo\n"}),
    "data of stdin": (["/", "--data-binary", "@-"], {"body": "from stdin\n"}),
    "data that begins with an at sign": (["/", "--data-raw", "@lines"], {"body": "@lines"}),
    "data to encode": (["/", "--data-urlencode", "q=a&b c"], {"body": "q=a%26b+c"}),
    "text to encode": (["/", "--data-urlencode", "=a=b"], {"body": "a%3Db"}),
    "a file to encode": (["/", "--data-urlencode", "q@lines"], {"body": "q=one%0D%0Atwo%0A"}),
    "JSON": (
        ["/", "--json", '{"a": 1}'],
        {
            "REQUEST_METHOD": "POST",
            "body": '{"a": 1}',
            "CONTENT_TYPE": "application/json",
            "HTTP_ACCEPT": "application/json",
        },
    ),
    "JSON with another type": (
        ["/", "--json", "{}", "-H", "content-type: application/ld+json", "-X", "PUT"],
        {"REQUEST_METHOD": "PUT", "CONTENT_TYPE": "application/ld+json"},
    ),
    "data in the query": (
        ["/?a=1", "-G", "-d", "b=2", "--data-urlencode", "c=x y"],
        {"REQUEST_METHOD": "GET", "QUERY_STRING": "a=1&b=2&c=x+y", "body": ""},
    ),
    "headers": (["/", "-H", "X-One: 1", "-H", "X-One: 2"], {"HTTP_X_ONE": "1, 2"}),
    "an empty header": (["/", "-H", "X-Empty;"], {"HTTP_X_EMPTY": ""}),
    "agent and referer": (["/", "-A", "me", "-e", "http://x/"], {"HTTP_USER_AGENT": "me", "HTTP_REFERER": "http://x/"}),
    "credentials": (
        ["/", "-u", "ann:s:cret"],
        {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(b"ann:s:cret").decode()},
    ),
    "cookies": (["/", "-b", "a=1; b=2"], {"HTTP_COOKIE": "a=1; b=2"}),
    "what apps for cron jobs ask for": (["/"], {"paste.command_request": True, "wsgi.run_once": True}),
}


@pytest.mark.parametrize(("words", "expected"), SENT.values(), ids=SENT)
def test_it_sends(ask: Ask, tmp_path: Path, words: list[str], expected: dict[str, Any]) -> None:
    (tmp_path / "lines").write_bytes(b"one\r\ntwo\n")
    answer = ask("echo", *words, stdin=b"from stdin\n")
    assert answer.code == 0, answer.errors
    assert {key: answer.seen.get(key) for key in expected} == expected


def test_it_names_itself_and_takes_headers_away(ask: Ask) -> None:
    assert ask("echo", "/").seen["HTTP_USER_AGENT"].startswith("wheatpaste/")
    assert "HTTP_USER_AGENT" not in ask("echo", "/", "-H", "user-agent:").seen


def test_it_sends_a_form_with_files(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\0")
    words = ["name=Ada", "note=<text;type=text/markdown", "photo=@photo.png", "other=@photo.png;filename=x;type=a/b"]
    (tmp_path / "text").write_text("# hi")
    answer = ask("echo", "/", *(part for word in words for part in ("-F", word)), "--form-string", "raw=@me;type=x")
    kind, body = answer.seen["CONTENT_TYPE"], answer.seen["body"].encode("latin-1")
    from webob import Request

    request = Request.blank("/", method="POST", body=body, content_type=kind)
    assert request.POST["name"] == "Ada"
    assert request.POST["note"] == "# hi"
    assert request.POST["raw"] == "@me;type=x"
    photo, other = request.POST["photo"], request.POST["other"]
    assert (photo.filename, photo.type, photo.file.read()) == ("photo.png", "image/png", b"\x89PNG\r\n\0")
    assert (other.filename, other.type) == ("x", "a/b")


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_the_body_comes_byte_for_byte(ask: Ask, tmp_path: Path) -> None:
    whole = bytes(range(256)) + b"\r\n\xff"
    assert ask("binary", "/").body == whole
    assert ask("binary", "/", "-o", "out").body == b""
    assert (tmp_path / "out").read_bytes() == whole


def test_headers_are_shown_before_the_body_or_alone(ask: Ask) -> None:
    both = ask("site", "/", "-i")
    assert both.body == b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n\r\nnothing here"
    alone = ask("site", "/", "-I")
    assert alone.body == b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n\r\n"
    assert ask("echo", "/", "-I").body.startswith(b"HTTP/1.1 200 OK")


def test_both_sides_headers_go_to_stderr(ask: Ask) -> None:
    answer = ask("site", "/x?y", "-v", "-d", "a")
    lines = answer.errors.splitlines()
    assert lines[:2] == ["> POST /x?y HTTP/1.1", "> Host: localhost"]
    assert "> Content-Length: 1" in lines
    assert "< HTTP/1.1 404 Not Found" in lines
    assert answer.body == b"nothing here"


def test_it_prints_what_is_asked_for_in_the_end(ask: Ask) -> None:
    answer = ask(
        "site", "/old", "-L", "-o", "/dev/null", "-w", r"%{http_code} %{num_redirects} %{url_effective} %{no}\n"
    )
    assert answer.body == b"200 1 http://localhost/new %{no}\n"


def test_fail_means_an_exit_code_and_no_body(ask: Ask) -> None:
    answer = ask("site", "/", "-f")
    assert (answer.code, answer.body) == (1, b"")
    assert "404 Not Found" in answer.errors
    assert ask("site", "/", "-sf") == Answer(1, b"", "")
    assert ask("site", "/").code == 0


# --- redirects and cookies --------------------------------------------------------------------------------------------


def test_redirects_are_followed_only_when_told(ask: Ask) -> None:
    assert ask("site", "/old").body == b"moved"
    method, host, cookie, _, _ = json.loads(ask("site", "/old", "-L").body)
    assert (method, host, cookie) == ("GET", "localhost", "seen=1")


@pytest.mark.parametrize(
    ("status", "expected"),
    [("302 Found", ["GET", ""]), ("303 See Other", ["GET", ""]), ("307 Temporary Redirect", ["POST", "a=1"])],
)
def test_a_redirect_changes_the_method_as_browsers_do(ask: Ask, status: str, expected: list[str]) -> None:
    method, *_, body = json.loads(ask("site", "/old", "-L", "-d", "a=1", "-H", f"X-Status: {status}").body)
    assert [method, body] == expected


def test_a_redirect_to_another_host_mount_is_followed_without_credentials(ask: Ask) -> None:
    _, host, cookie, authorization, _ = json.loads(ask("site", "/guest", "-L", "-u", "a:b", "-b", "own=1").body)
    assert (host, cookie, authorization) == ("demo.localhost", None, None)


def test_a_redirect_away_from_the_app_is_not_followed(ask: Ask) -> None:
    answer = ask("site", "/away", "-L")
    assert answer.body == b"moved"
    assert "https://example.com/x" in answer.errors


def test_redirects_in_a_circle_end(ask: Ask) -> None:
    answer = ask("site", "/loop", "-L", "--max-redirs", "3")
    assert answer.code == 1
    assert "stopped after 3 redirects" in answer.errors


def test_cookies_are_kept_in_a_file_for_its_owner(ask: Ask, tmp_path: Path) -> None:
    ask("site", "/old", "-c", "jar")
    assert (tmp_path / "jar").stat().st_mode & 0o777 == 0o600
    assert json.loads(ask("site", "/new", "-b", "jar").body)[2] == "seen=1"
    # curl writes 0 where a cookie ends with the session.
    text = (tmp_path / "jar").read_text().replace("\t\tseen", "\t0\tseen")
    (tmp_path / "jar").write_text(text)
    assert json.loads(ask("site", "/new", "-b", "jar").body)[2] == "seen=1"


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_what_the_app_raises_is_shown_by_its_own_lines(ask: Ask) -> None:
    answer = ask("raises", "/")
    assert answer.code == 1
    assert answer.errors.startswith("told to wsgi.errors\n")
    assert "ValueError: the app's own" in answer.errors
    assert "site_under_test.py" in answer.errors
    assert "transfer.py" not in answer.errors
    assert "Traceback" not in answer.errors


def test_what_the_app_raises_in_the_middle_comes_after_what_it_sent(ask: Ask) -> None:
    answer = ask("breaks_off", "/")
    assert (answer.code, answer.body) == (1, b"half")
    assert "ValueError: in the middle" in answer.errors


def test_an_app_that_exits_is_told_on(ask: Ask) -> None:
    answer = ask("exits", "/")
    assert (answer.code, answer.errors) == (1, "wheatpaste request: the app called sys.exit(7)\n")


def test_an_assertion_of_the_app_is_the_apps_own(ask: Ask) -> None:
    answer = ask("asserts", "/")
    assert (answer.code, "AssertionError: the app's own" in answer.errors) == (1, True)


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("careless", [], "Connection belongs to the server"),
        ("short", [], "announced 5 bytes (Content-Length) and sent 3"),
        ("text_status", ["--lint"], "Content-Type"),
    ],
    ids=["a header that is not the app's", "a wrong length", "what wsgiref.validate finds"],
)
def test_an_app_that_breaks_the_protocol_is_told_so(ask: Ask, name: str, words: list[str], message: str) -> None:
    answer = ask(name, "/", *words)
    assert answer.code == 1
    assert message in answer.errors
    assert len(answer.errors.splitlines()) == 1


def test_silence_covers_whatever_goes_wrong(ask: Ask) -> None:
    assert ask("raises", "/", "-s") == Answer(1, b"", "told to wsgi.errors\n")
    assert ask("short", "/", "-s").errors == ""
    assert "announced" in ask("short", "/", "-sS").errors


USAGE = {
    "a file that is not there": (["/", "-d", "@nothing"], "nothing cannot be read"),
    "two kinds of body": (["/", "-d", "a", "--json", "{}"], "give only one of"),
    "a field without a name": (["/", "-F", "abc"], "has not the form name=text"),
    "cookies that are neither": (["/", "-b", "jar"], "there is no file jar"),
    "a file of something else": (["/", "-b", "site_under_test.py"], "is no file of cookies"),
    "a header without a colon": (["/", "-H", "X-One"], "has not the form 'Name: value'"),
    "a header with a line end": (["/", "-H", "X: a\r\nY: b"], "X"),
    "a method with a blank": (["/", "-X", "GE T"], "is no method"),
    "a variable without =": (["/", "word"], "write key=value"),
}


@pytest.mark.parametrize(("words", "message"), USAGE.values(), ids=USAGE)
def test_what_cannot_be_sent_is_a_mistake_of_usage(ask: Ask, words: list[str], message: str) -> None:
    answer = ask("echo", *words)
    assert answer.code == 2
    assert message in answer.errors
    assert answer.body == b""


def test_a_file_that_cannot_be_written_is_named(ask: Ask) -> None:
    for option in ("-o", "-c"):
        answer = ask("echo", "/", option, "no/such/folder")
        assert answer.code == 1
        assert "no/such/folder cannot be written: No such file or directory" in answer.errors


# --- the app ----------------------------------------------------------------------------------------------------------


def test_the_app_of_an_ini_file_gets_its_variables_and_can_be_chosen(ask: Ask, write_ini) -> None:
    write_ini(
        """
        [app:main]
        use = egg:wheatpaste#redirect
        to = %(where)s

        [app:other]
        use = egg:wheatpaste#redirect
        to = /other
        """
    )
    assert b"Location: /there" in ask("site.ini", "/", "where=/there", "-I").body
    assert b"Location: /other" in ask("site.ini", "/", "where=/there", "-n", "other", "-I").body


def test_problems_of_the_configuration_are_shown_as_everywhere(ask: Ask, write_ini) -> None:
    write_ini("[app:main]\nuse = egg:wheatpaste#redirct\n")
    answer = ask("site.ini", "/")
    assert answer.code == 2
    assert "site.ini:2" in answer.errors
    assert ask("site.ini", "/", "-s") == Answer(2, b"", "")


@pytest.mark.slow
def test_a_stream_ends_when_its_reader_leaves(ask: Ask) -> None:
    argv = [sys.executable, "-m", "wheatpaste", "request", "site_under_test:endless", "/"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ}) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(100_000) == b"x" * 100_000
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(10) == 141
