"""In which form an error is answered, and who is told what: the filter as it stands in a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from error_samples import simple

from wheatpaste.middleware.errors.catch_errors import CatchErrors
from wheatpaste.middleware.errors.render.links import Links
from wheatpaste.middleware.errors.render.negotiated import details, is_fragment, public
from wheatpaste.testing import Client, Response

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def failing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    raise ValueError("<b>inner matter</b>")


Ask = Callable[..., Response]


@pytest.fixture
def ask() -> Ask:
    """Asks a failing app behind the filter; ``debug`` shows details to this client."""

    def asked(path: str = "/shop", *, debug: bool = True, peer: str = "127.0.0.1", **request: Any) -> Response:
        options = request.pop("options", {})
        app = CatchErrors(failing, debug=debug, inbox="none", **options)
        return Client(app, lint=True, peer=peer).get(path, **request)

    return asked


FORMS = [
    pytest.param({}, "text/plain", id="A3.10 no header, as scripts"),
    pytest.param({"Accept": "*/*"}, "text/plain", id="curl"),
    pytest.param({"Accept": "*/*", "User-Agent": "curl/8.5"}, "text/plain", id="curl by name"),
    pytest.param({"Accept": "text/*"}, "text/plain", id="any text"),
    pytest.param({"Accept": BROWSER}, "text/html", id="a browser"),
    pytest.param({"Accept": "text/html"}, "text/html", id="html by name"),
    pytest.param({"Accept": "application/xhtml+xml"}, "text/html", id="xhtml by name"),
    pytest.param({"Accept": "*/*", "Sec-Fetch-Dest": "document"}, "text/html", id="a window"),
    pytest.param({"Accept": "*/*", "Sec-Fetch-Dest": "iframe"}, "text/html", id="a frame"),
    pytest.param({"Accept": "*/*", "Sec-Fetch-Dest": "empty"}, "text/plain", id="fetch()"),
    pytest.param({"Accept": "application/json"}, "application/problem+json", id="an API client"),
    pytest.param({"Accept": "application/problem+json"}, "application/problem+json", id="problems by name"),
    pytest.param({"Accept": "application/json, text/plain, */*"}, "application/problem+json", id="axios"),
    pytest.param({"Accept": "application/json;q=0.5, text/html"}, "text/html", id="rather html"),
    pytest.param({"Accept": "text/markdown"}, "text/markdown", id="markdown by name"),
    pytest.param({"Accept": "text/html;q=0, */*"}, "text/plain", id="no html"),
    pytest.param({"Accept": "image/png"}, "text/plain", id="nothing that there is"),
    pytest.param({"Accept": "\xff;;q=x,,,"}, "text/plain", id="nonsense"),
]


@pytest.mark.parametrize("debug", [True, False], ids=["debug", "public"])
@pytest.mark.parametrize(("headers", "form"), FORMS)
def test_rows_35_and_36_each_client_gets_the_form_it_asks_for(
    headers: dict[str, str], form: str, debug: bool, ask: Ask
) -> None:
    response = ask(debug=debug, headers=headers)
    assert response.status == 500
    assert response.headers["Content-Type"].partition(";")[0] == form
    assert ("inner matter" in response.text) is debug
    assert response.headers["X-Error-ID"] in response.text
    assert response.headers["Vary"] == "Accept, Sec-Fetch-Dest"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("accept", ["*/*", BROWSER, "application/json", "text/markdown"])
@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"peer": "10.0.0.5"}, id="another machine"),
        pytest.param({"headers": {"X-Forwarded-For": "127.0.0.1"}}, id="a proxy"),
        pytest.param({"headers": {"Host": "evil.example"}}, id="another name"),
    ],
)
def test_row_43_with_debug_on_strangers_are_told_no_more_than_without(
    request_: dict[str, Any], accept: str, ask: Ask
) -> None:
    headers = {**request_.get("headers", {}), "Accept": accept}
    response = ask(**{**request_, "headers": headers})
    assert response.status == 500
    for inner in ("inner matter", "ValueError", "debug", "test_negotiated", "Traceback"):
        assert inner not in response.text


def test_row_43_the_sentence_is_the_site_s_and_is_text(ask: Ask) -> None:
    options = {"error_message": "We <em>know</em>.\x1b[2J"}
    assert "We &lt;em&gt;know" in ask(debug=False, headers={"Accept": BROWSER}, options=options).text
    assert ask(debug=False, options=options).text.startswith("We <em>know</em>.\\x1b[2J\n")
    problem = ask(debug=False, headers={"Accept": "application/json"}, options=options)
    assert json.loads(problem.body)["detail"] == "We <em>know</em>.\x1b[2J"
    assert "`We <em>know</em>.\\x1b[2J`" in ask(debug=False, headers={"Accept": "text/markdown"}, options=options).text


@pytest.mark.parametrize("method", ["HEAD"])
def test_row_29_head_has_the_headers_of_its_form(method: str) -> None:
    app = CatchErrors(failing, debug=True, inbox="none")
    response = Client(app, lint=True).request(method, "/", headers={"Accept": "application/json"})
    assert (response.status, response.body) == (500, b"")
    assert response.headers["Content-Type"] == "application/problem+json"


def test_row_41_a_problem_says_where_the_error_is_kept() -> None:
    environ = {"HTTP_ACCEPT": "application/json"}
    answer = details(simple(), environ, links=Links(errors="/shop/.errors"))
    assert json.loads(answer.body)["instance"] == "/shop/.errors/K7QX-M3PZ"


# Fragments ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("_=1", True),
        ("a=b&_=1234", True),
        ("_=", False),
        ("_", False),
        ("a=_", False),
        ("a_=1", False),
        ("%5F=1", False),
        ("", False),
        ("&".join(["_"] * 5000), False),
        ("_=1&" + "&".join(["a=b"] * 5000), False),
    ],
)
def test_scripts_ask_for_a_fragment_by_a_parameter(query: str, asked: bool) -> None:
    assert is_fragment({"QUERY_STRING": query}, "_") is asked


@pytest.mark.parametrize("key", [None, ""])
def test_without_its_name_no_parameter_asks(key: str | None) -> None:
    assert not is_fragment({"QUERY_STRING": "_=1"}, key)


@pytest.mark.parametrize("debug", [True, False], ids=["debug", "public"])
def test_a_fragment_is_small_escaped_and_runs_nothing(debug: bool, ask: Ask) -> None:
    response = ask("/?ajax=1", debug=debug, headers={"Accept": "text/html"}, options={"xmlhttp_key": "ajax"})
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert len(response.body) < 1000
    assert response.text.startswith("<div")
    assert ("&lt;b&gt;inner matter&lt;/b&gt;" in response.text) is debug
    assert response.headers["X-Error-ID"] in response.text
    assert "script" not in response.text
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_a_fragment_is_html_for_who_wants_html(ask: Ask) -> None:
    response = ask("/?_=1", headers={"Accept": "application/json"}, options={"xmlhttp_key": "_"})
    assert response.headers["Content-Type"] == "application/problem+json"


def test_an_environ_without_anything_is_answered() -> None:
    assert details(simple(), {}).headers[0] == ("Content-Type", "text/plain; charset=utf-8")
    assert b"K7QX-M3PZ" in public(simple(), {}).body
