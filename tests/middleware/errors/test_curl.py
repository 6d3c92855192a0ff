"""The command that sends a failed request again: what a shell and curl make of it."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
from error_samples import FENCES, MARKUP, REQUEST, TERMINAL, bare, poisoned, record, simple
from threaded_wsgi import serving

from wheatpaste.middleware.errors.record import ErrorRecord, Request
from wheatpaste.middleware.errors.render.curl import curl_command


def command_for(**more: Any) -> str:
    return curl_command(record(simple().raised, request=Request(**({"url": "http://shop.example/"} | more))))


def words(command: str) -> list[str]:
    lines = [line for line in command.splitlines() if not line.startswith("#")]
    return shlex.split("\n".join(lines).replace("\\\n", " "))  # a shell continues such lines, shlex does not


def after(command: str, option: str) -> list[str]:
    split = words(command)
    return [split[place + 1] for place, word in enumerate(split) if word == option]


def test_it_names_the_url_the_headers_and_the_form():
    command = curl_command(simple())
    assert after(command, "--url") == ["http://localhost:8080/shop/checkout?step=3&token=REDACTED"]
    assert after(command, "--header") == [
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/145.0",
        "Accept: text/html,application/xhtml+xml;q=0.9",
        "Accept-Language: sv,en;q=0.7",
        "Content-Type: application/x-www-form-urlencoded",
        "Cookie: REDACTED",
    ]
    assert after(command, "--data-urlencode") == ["voucher=spring-25", "card_number=REDACTED"]


def test_redacted_values_are_placeholders_and_the_command_says_so():
    assert curl_command(simple()).startswith("# Put your own values where it says REDACTED.\n")
    assert "REDACTED" not in command_for(headers=(("Accept", "*/*"),))


def test_a_record_without_a_request_has_no_command():
    assert curl_command(bare()) == ""


@pytest.mark.parametrize(
    ("request_", "options"),
    [
        ({"method": "GET"}, ["curl", "--include", "--compressed", "--url"]),
        ({"method": "HEAD"}, ["curl", "--head", "--compressed", "--url"]),
        ({"method": "POST"}, ["curl", "--include", "--compressed", "--request", "POST", "--url"]),
        ({"method": "POST", "form": (("a", "b"),)}, ["curl", "--include", "--compressed", "--url"]),
        ({"method": "PUT", "form": (("a", "b"),)}, ["curl", "--include", "--compressed", "--request", "PUT", "--url"]),
    ],
)
def test_the_method_is_named_where_curl_would_choose_another(request_: dict[str, Any], options: list[str]):
    assert words(command_for(**request_))[: len(options)] == options


def test_a_body_that_is_not_kept_is_told():
    with_body = command_for(method="PUT", environ=(("CONTENT_LENGTH", "44"),))
    assert "# The request had a body, which is not kept here: add --data-binary @FILE." in with_body
    assert "#" not in command_for(method="PUT", environ=(("CONTENT_LENGTH", "0"),))


def test_a_multipart_form_is_sent_as_one_without_its_old_boundary():
    command = command_for(
        method="POST",
        headers=(("Content-Type", "multipart/form-data; boundary=x"),),
        form=(("title", "@/etc/passwd"), ("text", "<b>")),
    )
    assert after(command, "--form-string") == ["title=@/etc/passwd", "text=<b>"]
    assert "boundary" not in command


@pytest.mark.parametrize("url", ["http://x/?a[]=1", "http://x/{a,b}", "http://[::1]:8080/"])
def test_brackets_in_an_address_are_no_patterns(url: str):
    assert "--globoff" in words(command_for(url=url))


@pytest.mark.parametrize("name", ["@/etc/passwd", "a b", "x:y", "", "a\nb"])
def test_a_header_with_an_impossible_name_is_left_out(name: str):
    assert after(command_for(headers=((name, "value"),)), "--header") == []


@pytest.mark.parametrize("text", [MARKUP, TERMINAL, FENCES, "$(reboot)", "`reboot`", "'; reboot #", "a\\'b", "!!"])
def test_a_shell_reads_hostile_text_as_text(text: str):
    command = curl_command(poisoned(simple(), text))
    if command:
        assert words(command)[0] == "curl"
    given = command_for(method="POST", headers=(("X-A", text),), form=(("a", text),), url=f"http://x/?{text}")
    assert words(given).count("curl") == 1
    assert len(words(given)) == 3 + 2 + 2 + 2 + ("--globoff" in given)
    assert all(character.isprintable() or character == "\n" for character in given)
    assert given.count("\n") == 2


# --- the real one -----------------------------------------------------------------------------------------------------


@pytest.fixture
def seen() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that remembers what it was asked for, and its address."""
    asked: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        asked.append({**environ, "body": environ["wsgi.input"].read(length)})
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "0")])
        return []

    with serving(app) as address:
        yield address, asked


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_command_sends_the_same_request_again(seen: tuple[str, list[dict[str, Any]]]):
    address, asked = seen
    failed = dataclasses.replace(
        REQUEST,
        url=f"{address}/shop/checkout?step=3&sizes[]=2",
        form=(("voucher", "spring & 25 = 'ä'"), ("a b", "c"), ("lines", "one\r\ntwo")),
        headers=(("Accept", "text/html"), ("X-Odd", 'it\'s "$HOME" `x` !'), ("X-Empty", "")),
    )
    run = subprocess.run(
        ["sh", "-c", curl_command(with_request(failed))], capture_output=True, text=True, timeout=30, check=False
    )
    assert run.returncode == 0, run.stderr
    (request,) = asked
    assert (request["REQUEST_METHOD"], request["PATH_INFO"]) == ("POST", "/shop/checkout")
    assert request["QUERY_STRING"] == "step=3&sizes[]=2"
    assert request["HTTP_X_ODD"] == 'it\'s "$HOME" `x` !'
    assert request["HTTP_X_EMPTY"] == ""
    assert dict(parse_qsl(request["body"].decode())) == dict(failed.form)


def with_request(request: Request) -> ErrorRecord:
    return record(simple().raised, request=request)
