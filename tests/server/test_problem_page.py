"""The page in place of an app that does not start."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from wheatpaste.config.problems import ConfigError, Problem
from wheatpaste.server.failures import Failure, Frame, failure_of
from wheatpaste.server.problem_page import ProblemPage
from wheatpaste.testing import Client

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def broken(tmp_path: Path) -> Failure:
    path = tmp_path / "site.ini"
    path.write_text("[app:main]\nuse = egg:x<script>\npassword = correct-horse\n\n[server:main]\nport = x\n")
    return failure_of(
        ConfigError(
            [
                Problem(what="is <b>wrong</b>", fix="write y", file=str(path), line=2, section="app:main", key="use"),
                Problem(what="is odd", file=str(path), line=6, key="port", severity="warning"),
            ]
        )
    )


def test_everybody_learns_that_the_site_is_away_for_now(client: Callable[..., Client], broken: Failure) -> None:
    answer = client(ProblemPage(broken)).get("/any/where?x=1")
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Cache-Control"] == "no-store"


def test_curl_gets_text(client: Callable[..., Client], broken: Failure) -> None:
    answer = client(ProblemPage(broken)).get("/")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "site.ini:2: [app:main] use: is <b>wrong</b>; write y\n" in answer.text


def test_a_browser_gets_a_page_that_shows_the_lines(client: Callable[..., Client], broken: Failure) -> None:
    answer = client(ProblemPage(broken)).get("/", headers=BROWSER)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "The configuration has 2 problems" in answer.text
    assert re.search(r'class="line marked"><b>2</b>use = egg:x&lt;script&gt;', answer.text)


def test_everything_is_escaped(client: Callable[..., Client], broken: Failure) -> None:
    text = client(ProblemPage(broken)).get("/", headers=BROWSER).text
    assert "is &lt;b&gt;wrong&lt;/b&gt;" in text
    assert "x<script>" not in text


@pytest.mark.parametrize("headers", [{}, BROWSER], ids=["text", "page"])
def test_secrets_beside_the_line_are_hidden(
    client: Callable[..., Client], broken: Failure, headers: dict[str, str]
) -> None:
    assert "correct-horse" not in client(ProblemPage(broken)).get("/", headers=headers).text


def test_only_the_page_s_own_script_runs(client: Callable[..., Client], broken: Failure) -> None:
    page = client(ProblemPage(broken))
    first, second = page.get("/", headers=BROWSER), page.get("/", headers=BROWSER)
    policy = first.headers["Content-Security-Policy"]
    found = re.search(r"script-src 'nonce-([\w-]+)'", policy)
    assert found
    assert policy.startswith("default-src 'none'")
    assert first.text.count(f'nonce="{found[1]}"') == 2
    assert second.headers["Content-Security-Policy"] != policy


def test_a_page_knows_whether_it_is_still_the_same(client: Callable[..., Client], broken: Failure) -> None:
    page = client(ProblemPage(broken))
    mark = page.get("/", headers=BROWSER).headers["X-Wheatpaste-Problems"]
    answer = page.request("HEAD", "/", headers=BROWSER)
    assert answer.headers["X-Wheatpaste-Problems"] == mark
    assert answer.body == b""
    assert client(ProblemPage(broken)).get("/").headers["X-Wheatpaste-Problems"] != mark


def test_an_exception_is_shown_newest_line_first(client: Callable[..., Client], tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text("one\ntwo\nthree\nfour\n")
    frames = (Frame(str(path), 1, "<module>", "one"), Frame(str(path), 4, "make", "four"))
    failure = Failure("ValueError: no", frames=frames, notes=("while building [app:main]",))
    text = client(ProblemPage(failure)).get("/", headers=BROWSER).text
    assert text.index("app.py:4") < text.index("app.py:1")
    assert "while building [app:main]" in text
    assert "cannot start the app" in text


def test_control_characters_do_not_reach_a_terminal(client: Callable[..., Client]) -> None:
    assert "\x1b" not in client(ProblemPage(Failure("Error: \x1b[31mred"))).get("/").text
