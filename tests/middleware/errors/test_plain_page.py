"""The page for everybody: calm, an id to quote, and nothing of what happened."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from error_samples import MARKUP, poisoned, rich, simple

from wheatpaste.middleware.errors.render.plain_page import plain_headers, plain_page, template_complaint

GET = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "/shop", "PATH_INFO": "/checkout"}


def test_row_43_it_tells_an_id_to_quote_and_the_time():
    page = BeautifulSoup(plain_page(simple(), GET), "html.parser")
    assert page.h1.get_text() == "Something went wrong on our side"
    assert page.select_one(".id").get_text() == "K7QX-M3PZ"
    assert "2026-11-26 02:43:20 UTC" in page.get_text()


def test_row_43_it_tells_nothing_of_what_failed_nor_that_more_could_be_seen():
    text = plain_page(rich(), GET).lower()
    for word in ("price", "bread", "traceback", "exception", "debug", "shop", "checkout", "wheatpaste", "python"):
        assert word not in text


def test_it_has_no_buttons_to_share_or_open_anything():
    page = BeautifulSoup(plain_page(rich(), GET), "html.parser")
    assert page.select("button, input, textarea, script, [data-frame], [data-copy], a[href*=':']") == []


def test_row_43_the_message_is_plain_text():
    page = plain_page(simple(), GET, message=f"We know.\n{MARKUP}")
    assert MARKUP not in page
    assert f"We know.\n{MARKUP}" in BeautifulSoup(page, "html.parser").select_one(".message").get_text()


@pytest.mark.parametrize(("method", "links"), [("GET", 1), ("HEAD", 1), ("POST", 0), ("DELETE", 0)])
def test_only_what_can_be_repeated_without_harm_is_offered_again(method: str, links: int):
    page = BeautifulSoup(plain_page(simple(), {**GET, "REQUEST_METHOD": method}), "html.parser")
    assert len(page.select("a")) == links


def test_it_allows_its_own_style_and_nothing_else():
    page = plain_page(simple(), GET)
    (style,) = BeautifulSoup(page, "html.parser").select("style")
    digest = b64encode(hashlib.sha256(style.string.encode()).digest()).decode()
    policy = dict(plain_headers(page))["Content-Security-Policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; ")
    assert dict(plain_headers(page))["Cache-Control"] == "no-store"


def test_a_hostile_record_changes_nothing():
    assert plain_page(poisoned(rich(), MARKUP), GET) == plain_page(simple(), GET)


def test_a_page_of_the_sites_own_takes_its_place(tmp_path: Path):
    own = tmp_path / "sorry.html"
    own.write_text("{{ error_id }}|{{ time }}|{{ message }}|{{ status }}|{{ path }}|{{ method }}", encoding="utf-8")
    environ = {**GET, "PATH_INFO": "/<b>\xc3\xa4"}
    page = plain_page(simple(), environ, message="<i>", template=own)
    assert page == ("K7QX-M3PZ|2026-11-26 02:43:20 UTC|&lt;i&gt;|500 Internal Server Error|/shop/&lt;b&gt;ä|GET")
    assert "Content-Security-Policy" not in dict(plain_headers(page))


def test_it_may_extend_what_stands_beside_it_and_changes_with_its_file(tmp_path: Path):
    (tmp_path / "site.html").write_text("<title>{% block title %}{% endblock %}</title>", encoding="utf-8")
    own = tmp_path / "sorry.html"
    own.write_text("{% extends 'site.html' %}{% block title %}Sorry{% endblock %}", encoding="utf-8")
    assert plain_page(simple(), GET, template=own) == "<title>Sorry</title>"
    own.write_text("{% extends 'site.html' %}{% block title %}Very sorry{% endblock %}", encoding="utf-8")
    assert "Very sorry" in plain_page(simple(), GET, template=own)


@pytest.mark.parametrize("text", ["{% if %}", "{{ nobody }}", "{{ 1 / 0 }}", "{% include 'no.html' %}", None])
def test_a_page_that_cannot_be_rendered_is_replaced_and_logged(
    tmp_path: Path, text: str | None, caplog: pytest.LogCaptureFixture
):
    own = tmp_path / "sorry.html"
    if text is not None:
        own.write_text(text, encoding="utf-8")
    assert plain_page(simple(), GET, template=own) == plain_page(simple(), GET)
    assert str(own) in caplog.text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{{ error_id }}", None),
        ("\n{% if %}", "line 2: "),
        (None, "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_page_that_cannot_work_is_told_beforehand(tmp_path: Path, text: str | bytes | None, complaint: str | None):
    own = tmp_path / "sorry.html"
    if text is not None:
        own.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = template_complaint(own)
    assert (found is None) if complaint is None else (found or "").startswith(complaint)


def test_no_page_of_its_own_is_fine():
    assert template_complaint(None) is None
