"""The console as an attacker meets it: other sites, other machines, proxies, guesses, replays."""

from __future__ import annotations

import io
import json
import logging
import os
from types import FrameType
from typing import Any

import pytest
from strange_pages import Changed, strange_headers

from wheatpaste.middleware.errors.audience import Audience
from wheatpaste.middleware.errors.catch_errors import CatchErrors
from wheatpaste.middleware.errors.console.conditions import switched_off
from wheatpaste.middleware.errors.console.console import Console
from wheatpaste.middleware.errors.console.gate import MOST_FAILURES
from wheatpaste.testing import Client, Response

HERE = "http://localhost:8080"
RAN: list[str] = []


def failing() -> FrameType:
    value = 42
    try:
        raise ValueError(value)
    except ValueError as error:
        return error.__traceback__.tb_frame  # type: ignore[union-attr]


@pytest.fixture(autouse=True)
def _nothing_ran_before(monkeypatch: pytest.MonkeyPatch) -> None:
    RAN.clear()
    monkeypatch.delenv("WHEATPASTE_CONSOLE", raising=False)


class Developer:
    """A browser at this machine, with what the terminal shows."""

    def __init__(self, audience: Audience | None = None, **options: Any) -> None:
        self.terminal = io.StringIO()
        self.console = Console(audience or Audience(), path="/.errors/console", stream=self.terminal, **options)
        self.environ = {
            "wheatpaste.peer": "127.0.0.1",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8080",
            "wsgi.multiprocess": False,
        }
        self.client = Client(self.console, environ=self.environ)
        self.headers = {
            "Host": "localhost:8080",
            "Origin": HERE,
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/json",
        }
        self.console.keep("AAAA-AAAA", {"0.0": failing()}, self.request_environ())

    def request_environ(self) -> dict[str, Any]:
        return {**self.environ, "HTTP_HOST": "localhost:8080", "REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "http"}

    def link(self) -> str:
        self.console.announce(self.request_environ())
        return self.terminal.getvalue().split()[-1]

    def post(self, data: Any, **changed: Any) -> Response:
        headers = {**self.headers, **changed.pop("headers", {})}
        body = json.dumps(data).encode() if not isinstance(data, bytes) else data
        return self.client.post(
            changed.pop("path", "/.errors/console"),
            body=body,
            headers={name: value for name, value in headers.items() if value is not None},
            **changed,
        )

    def open(self) -> None:
        answer = self.post({"action": "redeem", "secret": self.link().partition("#")[2]})
        assert answer.status == 200, answer.text
        self.headers["X-Console-Key"] = json.loads(answer.text)["key"]

    def run(self, code: str = "value", **changed: Any) -> Response:
        return self.post({"action": "run", "error": "AAAA-AAAA", "frame": "0.0", "code": code}, **changed)


@pytest.fixture
def developer() -> Developer:
    return Developer()


def test_row_31_who_has_used_the_link_has_a_prompt_in_each_frame(developer: Developer) -> None:
    developer.open()
    assert json.loads(developer.run().text) == {"output": "42\n", "incomplete": False, "failed": False}


def test_the_secret_is_printed_at_the_terminal_and_never_logged(
    developer: Developer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    link = developer.link()
    path, _, secret = link.partition("#")
    assert path == f"{HERE}/.errors/console"
    developer.post({"action": "redeem", "secret": secret})
    assert secret not in caplog.text
    assert "?" not in link


def test_row_32_there_is_no_prompt_but_in_a_frame(developer: Developer) -> None:
    developer.open()
    page = developer.client.get("/.errors/console", headers={"Host": "localhost:8080"})
    assert "<textarea" not in page.text
    assert developer.post({"action": "run", "code": "1"}).status == 404


@pytest.mark.parametrize("several", [False, True], ids=["one process", "several processes"])
def test_row_27_the_page_works_with_several_processes_and_the_console_does_not(several: bool) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise ValueError("boom")

    made = CatchErrors(app, debug=True, console=True)
    environ = {**Developer().request_environ(), "wsgi.multiprocess": several, "HTTP_ACCEPT": "text/html"}
    response = Client(made, environ=environ).get("/", headers={"Host": "localhost:8080", "Accept": "text/html"})
    assert "boom" in response.text
    assert str(os.getpid()) in response.text  # whose frames they are
    assert ('data-console="/.errors/console"' in response.text) is not several
    made.close()


def test_without_a_pass_nothing_runs(developer: Developer) -> None:
    developer.link()
    assert developer.run("RAN.append('x')").status == 403


# Conditions: each of them alone keeps a browser out that has a pass ---------------------------------------------------

BY_HEADER: dict[str, Changed] = {
    **strange_headers("localhost:8080"),
    "DNS rebinding": {"Host": "evil.example", "Origin": "http://evil.example"},
    "DNS rebinding with a port": {"Host": "evil.example:8080", "Origin": "http://evil.example:8080"},
    "a host that begins like ours": {"Host": "localhost.evil.example", "Origin": "http://localhost.evil.example"},
    "a host with an address in it": {"Host": "127.0.0.1.nip.io:8080", "Origin": "http://127.0.0.1.nip.io:8080"},
    "a host of every address": {"Host": "0.0.0.0:8080", "Origin": "http://0.0.0.0:8080"},
    "a proxy": {"X-Forwarded-For": "127.0.0.1"},
    "a proxy of RFC 7239": {"Forwarded": "for=127.0.0.1"},
    "a proxy of another kind": {"X-Real-IP": "127.0.0.1"},
    "a proxy that says nothing but its name": {"Via": "1.1 edge"},
    "a proxy that says nothing but a host": {"X-Forwarded-Host": "localhost"},
}


@pytest.mark.parametrize("headers", list(BY_HEADER.values()), ids=list(BY_HEADER))
def test_a_request_that_is_not_from_our_page_runs_nothing(
    developer: Developer, headers: Changed, caplog: pytest.LogCaptureFixture
) -> None:
    developer.open()
    answer = developer.run("globals()['RAN'].append('ran')", headers=headers)
    assert answer.status == 403
    assert RAN == []
    assert "console refused" in caplog.text
    assert developer.run().status == 200  # and nobody can lock the developer out by it


BY_ENVIRON: dict[str, dict[str, Any]] = {
    "another machine": {"wheatpaste.peer": "10.0.0.5", "REMOTE_ADDR": "10.0.0.5"},
    "another machine that is said to be this one": {"wheatpaste.peer": "10.0.0.5", "REMOTE_ADDR": "127.0.0.1"},
    "a client that a proxy has named": {"REMOTE_ADDR": "10.0.0.5"},
    "the PROXY protocol": {"wheatpaste.peer": "unknown", "wheatpaste.proxied_by": "127.0.0.1"},
    "a UNIX socket": {"wheatpaste.peer": "", "REMOTE_ADDR": ""},
    "several processes": {"wsgi.multiprocess": True},
    "a server for everybody": {"SERVER_NAME": "0.0.0.0"},
    "a server for everybody, IPv6": {"SERVER_NAME": "::"},
    "a server for the network": {"SERVER_NAME": "192.168.1.7"},
}


@pytest.mark.parametrize("environ", list(BY_ENVIRON.values()), ids=list(BY_ENVIRON))
def test_a_place_that_is_not_this_machine_alone_has_no_console(developer: Developer, environ: dict[str, Any]) -> None:
    developer.open()
    developer.client.environ.update(environ)
    assert developer.run("globals()['RAN'].append('ran')").status == 403
    assert developer.client.get("/.errors/console", headers={"Host": "localhost:8080"}).status == 403
    assert RAN == []


def test_a_server_that_does_not_tell_the_peer_has_none_unless_asked_for() -> None:
    developer = Developer()
    del developer.client.environ["wheatpaste.peer"]
    assert developer.run().status == 403
    assert "console_anywhere" in developer.run().text
    open_to_more = Developer(anywhere=True)
    open_to_more.open()
    del open_to_more.client.environ["wheatpaste.peer"]
    assert open_to_more.run().status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
def test_only_post_runs(developer: Developer, method: str) -> None:
    developer.open()
    code = "globals()['RAN'].append('ran')"
    answer = developer.client.request(
        method,
        f"/.errors/console?action=run&error=AAAA-AAAA&frame=0.0&code={code}",
        body=json.dumps({"action": "run", "error": "AAAA-AAAA", "frame": "0.0", "code": code}).encode(),
        headers=developer.headers,
    )
    assert answer.status == (200 if method in ("GET", "HEAD") else 403)  # the page of the link
    assert RAN == []


def test_a_secret_in_the_address_opens_nothing(developer: Developer) -> None:
    secret = developer.link().partition("#")[2]
    answer = developer.client.get(f"/.errors/console?secret={secret}&key={secret}", headers=developer.headers)
    assert secret not in answer.text
    assert "set-cookie" not in answer.headers
    assert developer.run(path=f"/.errors/console?secret={secret}").status == 403


# Passes ---------------------------------------------------------------------------------------------------------------


def test_the_cookie_is_for_this_path_and_no_script() -> None:
    developer = Developer()
    answer = developer.post({"action": "redeem", "secret": developer.link().partition("#")[2]})
    cookie = answer.headers["Set-Cookie"]
    assert cookie.endswith("; Path=/.errors/console; HttpOnly; SameSite=Strict")
    assert "Domain" not in cookie
    assert "Max-Age" not in cookie
    assert "Expires" not in cookie


def test_the_cookie_alone_opens_nothing(developer: Developer) -> None:
    """Cookies know no port: whatever else this machine serves is sent it, too."""
    developer.open()
    assert developer.run(headers={"X-Console-Key": None}).status == 403
    assert developer.run(headers={"X-Console-Key": "x" * 43}).status == 403


def test_the_key_alone_opens_nothing(developer: Developer) -> None:
    developer.open()
    thief = Client(developer.console, environ=developer.environ)
    body = json.dumps({"action": "run", "error": "AAAA-AAAA", "frame": "0.0", "code": "value"}).encode()
    assert thief.post("/.errors/console", body=body, headers=developer.headers).status == 403


ODD_COOKIES = [
    'a[b]={"x":1}',
    "two words=1",
    'a="open',
    "nothing",
    "expires=1",
    "path=/x",
    "a:b/c=1",
    "a=\xe9",
    "@=1",
    "=",
    "wheatpaste-console=planted",
]


@pytest.mark.parametrize("odd", ODD_COOKIES)
@pytest.mark.parametrize("first", [True, False], ids=["before", "behind"])
def test_cookies_of_other_servers_of_this_host_keep_nobody_out(developer: Developer, odd: str, first: bool) -> None:
    developer.open()
    (own,) = (f"{name}={value}" for name, value in developer.client.cookies.items())
    for _ in range(MOST_FAILURES + 1):
        assert developer.run(headers={"Cookie": f"{odd}; {own}" if first else f"{own}; {odd}"}).status == 200


def test_a_page_is_told_that_its_pass_is_none_any_more(developer: Developer) -> None:
    assert json.loads(developer.run().text)["needs_pass"] is True
    developer.open()
    refused = developer.run(headers={"Origin": "http://evil.example"})
    assert json.loads(refused.text)["needs_pass"] is False


@pytest.mark.parametrize("expression", ["exit()", "(_ for _ in ()).throw(KeyboardInterrupt)"])
def test_an_expression_that_is_inspected_ends_no_server(developer: Developer, expression: str) -> None:
    developer.open()
    answer = developer.post({"action": "inspect", "error": "AAAA-AAAA", "frame": "0.0", "code": expression})
    assert answer.status == 200
    assert json.loads(answer.text)["error"].startswith(("SystemExit", "KeyboardInterrupt"))


def test_a_replayed_link_opens_nothing(developer: Developer) -> None:
    link = developer.link().partition("#")[2]
    assert developer.post({"action": "redeem", "secret": link}).status == 200
    assert developer.post({"action": "redeem", "secret": link}).status == 403


def test_a_pass_of_an_earlier_process_opens_nothing(developer: Developer) -> None:
    developer.open()
    restarted = Developer()
    restarted.headers = developer.headers
    cookie = "; ".join(f"{name}={value}" for name, value in developer.client.cookies.items())
    assert restarted.run(headers={"Cookie": cookie}).status == 403


def test_guesses_lock_the_console_for_everybody(developer: Developer) -> None:
    developer.open()
    for number in range(MOST_FAILURES):
        assert developer.post({"action": "redeem", "secret": f"guess {number}"}).status == 403
    assert developer.run().status == 403
    assert "locked" in developer.run().text


@pytest.mark.parametrize("error", ["BBBB-BBBB", "", "../x", None, 1])
@pytest.mark.parametrize("frame", ["0.1", "", "0", None])
def test_guessed_ids_find_nothing(developer: Developer, error: Any, frame: Any) -> None:
    developer.open()
    asked = {"action": "run", "error": error, "frame": frame, "code": "globals()['RAN'].append('ran')"}
    assert developer.post(asked).status == 404
    assert RAN == []


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{", b"\xff", b'{"action": "run"', b"[" * 100_000, b'{"a": "' + b"x" * 200_000 + b'"}'],
    ids=["empty", "a list", "null", "half", "no text", "unfinished", "deep", "large"],
)
def test_odd_bodies_are_refused(developer: Developer, body: bytes) -> None:
    developer.open()
    assert developer.post(body).status == 400


def test_a_body_without_a_length_is_not_read(developer: Developer) -> None:
    developer.open()
    developer.client.environ["CONTENT_LENGTH"] = "-1"
    assert developer.run().status == 400


def test_an_unknown_action_does_nothing(developer: Developer) -> None:
    developer.open()
    asked = {"action": "nosuch", "error": "AAAA-AAAA", "frame": "0.0", "code": "value"}
    assert developer.post(asked).status == 400


# What is written down -------------------------------------------------------------------------------------------------


def test_each_command_leaves_a_line_before_it_runs(developer: Developer, caplog: pytest.LogCaptureFixture) -> None:
    developer.open()
    developer.run("print('\x1b[2J')\nvalue")
    (line,) = [each for each in caplog.messages if "frame 0.0" in each]
    assert "value" in line
    assert "\x1b" not in line
    assert "\n" not in line


def test_secrets_in_commands_are_not_logged(developer: Developer, caplog: pytest.LogCaptureFixture) -> None:
    developer.open()
    developer.run("password = 'correct horse battery'")
    assert "correct horse" not in caplog.text


def test_the_terminal_gets_one_link_at_a_time(developer: Developer) -> None:
    """Whoever makes a site fail again and again must not flood the terminal."""
    for _ in range(10):
        developer.console.announce(developer.request_environ())
    assert developer.terminal.getvalue().count("http") == 1


class GoneTerminal(io.StringIO):
    def write(self, text: str, /) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("terminal", [GoneTerminal(), io.TextIOWrapper(io.BytesIO(), encoding="ascii")])
def test_an_error_is_shown_where_there_is_no_terminal_any_more(terminal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if not isinstance(terminal, GoneTerminal):
        terminal.close()
    monkeypatch.setattr("sys.__stderr__", terminal)

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise ValueError("boom")

    made = CatchErrors(app, debug=True, console=True)
    headers = {"Host": "localhost:8080", "Accept": "text/html"}
    response = Client(made, environ=Developer().request_environ()).get("/", headers=headers)
    assert "data-console=" in response.text
    made.close()


# The page of the link -------------------------------------------------------------------------------------------------


def test_the_page_of_the_link_may_not_be_framed_or_kept(developer: Developer) -> None:
    answer = developer.client.get("/.errors/console", headers={"Host": "localhost:8080"})
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


# Switches -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["0", "off", "no", "FALSE", " off "])
def test_the_environment_switches_it_off(developer: Developer, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    developer.open()
    monkeypatch.setenv("WHEATPASTE_CONSOLE", value)
    assert developer.run().status == 403


@pytest.mark.parametrize("name", ["ENV", "APP_ENV", "FLASK_ENV", "DJANGO_ENV", "PYTHON_ENV"])
def test_production_has_none(name: str) -> None:
    assert "production" in (switched_off({name: "Production"}) or "")
    assert switched_off({name: "development"}) is None


def test_frames_are_kept_only_for_who_could_use_them() -> None:
    console = Console(Audience(), path="/.errors/console", stream=io.StringIO())
    environ = {**Developer().request_environ(), "REMOTE_ADDR": "10.0.0.5", "wheatpaste.peer": "10.0.0.5"}
    console.keep("AAAA-AAAA", {"0.0": failing()}, environ)
    assert len(console._errors) == 0


def test_other_names_of_this_machine_may_be_allowed() -> None:
    developer = Developer(Audience(hosts=("dev.example.com",)))
    developer.headers |= {"Host": "dev.example.com", "Origin": "http://dev.example.com"}
    developer.open()
    assert developer.run().status == 200
