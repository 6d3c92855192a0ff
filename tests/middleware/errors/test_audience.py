"""Who is shown the details of an error: the developer at this machine, and nobody in whose place a stranger can be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from wheatpaste.middleware.errors.catch_errors import CatchErrors
from wheatpaste.testing import Client, Response

HERE = {"wheatpaste.peer": "127.0.0.1", "REMOTE_ADDR": "127.0.0.1", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8080"}
FORMS = ["text/html", "application/json", "text/markdown", "*/*"]
MESSAGE = "no price for pears"


def failing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    raise LookupError(MESSAGE)


def ask(errors: CatchErrors, headers: dict[str, str], environ: dict[str, str], accept: str = "*/*") -> Response:
    given = {"Host": "localhost:8080", "Accept": accept, **headers}
    return Client(errors, environ={**HERE, **environ}).get("/cart", headers=given)


@pytest.fixture
def errors() -> Iterator[CatchErrors]:
    made = CatchErrors(failing, debug=True)
    yield made
    made.close()


OWN_NAMES = [
    "localhost",
    "LocalHost:8080",
    "localhost.",
    "shop.localhost",
    "127.0.0.1",
    "127.0.0.2:80",
    "[::1]:8080",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
]


@pytest.mark.parametrize("host", OWN_NAMES)
@pytest.mark.parametrize("accept", FORMS)
def test_the_developer_sees_them_by_each_name_of_this_machine(errors: CatchErrors, host: str, accept: str) -> None:
    assert MESSAGE in ask(errors, {"Host": host}, {}, accept).text


OTHER_NAMES = [
    "evil.example",
    "localhost.evil.example",
    "evil-localhost",
    ".localhost",
    "localhost..",
    "127.0.0.1.nip.io",
    "127.1",
    "0x7f.1",
    "0177.0.0.1",
    "2130706433",
    "0.0.0.0",
    "[::]",
    "[::1",
    "[::1%25lo]",
    "user@localhost",
    "localhost@evil.example",
    "localhost:80:80",
    "localhost:99999",
    "localhost/",
    "localhost,evil.example",
    "localhost#evil.example",
    "localhost evil.example",
    "xn--lclhost-8wa",
    "l\xf6calhost",
]


@pytest.mark.parametrize("host", OTHER_NAMES)
def test_no_other_name_leads_to_them(errors: CatchErrors, host: str) -> None:
    """A page of somebody else's can make a browser here ask for any name of its own (DNS rebinding)."""
    for accept in FORMS:
        assert MESSAGE not in ask(errors, {"Host": host}, {}, accept).text


ELSEWHERE: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "another machine": ({}, {"wheatpaste.peer": "10.0.0.5", "REMOTE_ADDR": "10.0.0.5"}),
    "another machine that says it is this one": ({}, {"wheatpaste.peer": "10.0.0.5"}),
    "a client that a proxy has named": ({}, {"REMOTE_ADDR": "10.0.0.5"}),
    "a proxy that names this machine": ({"X-Forwarded-For": "127.0.0.1"}, {}),
    "a proxy that names a host": ({"X-Forwarded-Host": "localhost"}, {}),
    "a proxy of RFC 7239": ({"Forwarded": "for=127.0.0.1"}, {}),
    "a proxy of another kind": ({"X-Real-IP": "127.0.0.1"}, {}),
    "a proxy that says nothing but its name": ({"Via": "1.1 edge"}, {}),
    "a proxy that says nothing, but speaks as few others do": ({}, {"SERVER_PROTOCOL": "HTTP/1.0"}),
    "the PROXY protocol": ({}, {"wheatpaste.peer": "unknown", "wheatpaste.proxied_by": "127.0.0.1"}),
    "a UNIX socket": ({}, {"wheatpaste.peer": "", "REMOTE_ADDR": ""}),
    "a script of another site": ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, {}),
    "a picture of another site": ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, {}),
    "a socket of another site": ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "websocket"}, {}),
}


@pytest.mark.parametrize(("headers", "environ"), list(ELSEWHERE.values()), ids=list(ELSEWHERE))
def test_nobody_else_sees_anything_of_them_in_any_form(
    errors: CatchErrors, headers: dict[str, str], environ: dict[str, str]
) -> None:
    for accept in FORMS:
        answer = ask(errors, headers, environ, accept)
        assert answer.status == 500
        assert not [each for each in (MESSAGE, "LookupError", "failing", __file__, ".errors") if each in answer.text]


SAME_DEVELOPER = {
    "a link on another site": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    "a page of another port of this machine": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    "a page of the same origin": {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"},
    "the address bar": {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
}


@pytest.mark.parametrize("headers", list(SAME_DEVELOPER.values()), ids=list(SAME_DEVELOPER))
def test_what_the_developer_does_shows_them(errors: CatchErrors, headers: dict[str, str]) -> None:
    assert MESSAGE in ask(errors, headers, {}).text


@pytest.mark.parametrize("written", ["b\xfccher.example", "B\xdcCHER.Example.", "*.example", "xn--bcher-kva.example"])
def test_names_are_the_same_however_they_are_written(written: str) -> None:
    made = CatchErrors(failing, debug=True, allow_hosts=(written,))
    assert MESSAGE in ask(made, {"Host": "xn--bcher-kva.example:8080"}, {}).text
    assert MESSAGE not in ask(made, {"Host": "example"}, {}).text
    made.close()
