"""Which form of an answer a client wants."""

from __future__ import annotations

import pytest

from wheatpaste.protocol.negotiate import CONTENT_TYPES, wanted_form


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        pytest.param(
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            "html",
            id="a browser",
        ),
        pytest.param("*/*", "text", id="curl"),
        pytest.param(None, "text", id="no header"),
        pytest.param("", "text", id="an empty header"),
        pytest.param("application/json", "json", id="an API client"),
        pytest.param("application/json, text/plain, */*", "json", id="a client that names JSON first"),
        pytest.param("application/json, text/javascript, */*; q=0.01", "json", id="a script in a page"),
        pytest.param("application/problem+json", "json", id="a client that knows problem details"),
        pytest.param("text/html, application/json", "html", id="html named before json"),
        pytest.param("text/html;q=0.5, application/json", "json", id="by quality"),
        pytest.param("text/markdown, text/html;q=0.8, */*;q=0.1", "markdown", id="an agent that reads markdown"),
        pytest.param("text/html;q=0, */*", "text", id="everything but html"),
        pytest.param("text/plain;q=0, */*", "html", id="everything but text"),
        pytest.param("image/png", "text", id="nothing that we have"),
        pytest.param("text/*", "text", id="any text"),
        pytest.param("garbage;;;q=q", "text", id="garbage"),
    ],
)
def test_it_finds_the_form(accept: str | None, form: str) -> None:
    environ = {} if accept is None else {"HTTP_ACCEPT": accept}
    assert wanted_form(environ) == form
    assert form in CONTENT_TYPES


def test_the_first_offer_decides_between_equals() -> None:
    assert wanted_form({"HTTP_ACCEPT": "*/*"}, ("json", "html")) == "json"
    assert wanted_form({"HTTP_ACCEPT": "text/plain"}, ("json", "html")) == "json"
