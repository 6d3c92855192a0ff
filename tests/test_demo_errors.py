"""What the demo shows of the pages that fail on purpose: the app's own line first, whichever framework it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from demo_server import DEMO, start_demo
from running_server import RunningServer
from selenium.webdriver import Chrome

from wheatpaste.middleware.errors.record import ErrorRecord

pytestmark = pytest.mark.slow

EXAMPLES = DEMO.parent.parent / "examples"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Dest": "document"}

# address: the exception, the file below examples/, and its line that failed
BROKEN = {
    "/guestbook/smudge": (
        "flask_guestbook.views.Smudged",
        "flask_guestbook/views.py",
        'raise Smudged(f"nobody can read the day of this line: {written}") from error',
    ),
    "/library/oldest/": (
        "ValueError",
        "django_library/catalogue/views.py",
        "found = min(books, key=lambda book: book.year)",
    ),
    "/wiki/cellar": (
        "KeyError",
        "pyramid_wiki/views.py",
        'return HTTPFound(url(request, walls.children["cellar"]))',
    ),
    "/poll/recount": ("IndexError", "bottle_poll/__init__.py", "leader = votes.most_common(1)[0]"),
    "/clock/space": (
        "ExceptionGroup",
        "webob_clock/__init__.py",
        'raise ExceptionGroup("nobody has wound these clocks", stopped)',
    ),
    "/hello/knock": (
        "jinja2.exceptions.UndefinedError",
        "webob_hello/templates/knock.html",
        "<p>{{ doorman.name|upper }} opens.</p>",
    ),
}

broken = pytest.mark.parametrize(("address", "kind", "file", "line"), [(at, *what) for at, what in BROKEN.items()])


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    server = start_demo(tmp_path_factory.mktemp("state"))
    yield server
    server.kill()


def test_the_start_page_leads_to_each_of_them_and_to_what_has_failed(demo: RunningServer) -> None:
    page = demo.request("GET", "/", BROWSER).text
    linked = set(re.findall(r'href="([^"]+)"', page))
    assert {*BROKEN, "/.errors/"} <= linked


@broken
def test_the_failing_line_of_the_app_is_the_first_that_is_shown(
    demo: RunningServer, address: str, kind: str, file: str, line: str
) -> None:
    answer = demo.request("GET", address, BROWSER)
    assert answer.status == 500
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    record = json.loads(demo.request("GET", f"/.errors/{answer.headers['X-Error-ID']}.json").body)
    first = record["exceptions"][0]
    assert first["type"].removeprefix("builtins.") == kind
    focus = first["frames"][first["focus"]]
    assert focus["path"] == str(EXAMPLES / file)
    failing = next(each["text"] for each in focus["lines"] if each["number"] == focus["line"])
    assert failing.strip() == line


def test_what_a_framework_did_with_the_error_is_not_its_cause(demo: RunningServer) -> None:
    answer = demo.request("GET", "/wiki/cellar", BROWSER)
    record = ErrorRecord.from_data(
        json.loads(demo.request("GET", f"/.errors/{answer.headers['X-Error-ID']}.json").body)
    )
    assert record.root.type == "KeyError"
    assert "Root cause" not in answer.text


@broken
def test_whoever_reads_text_is_told_the_same(
    demo: RunningServer, address: str, kind: str, file: str, line: str
) -> None:
    text = demo.request("GET", address, {"Accept": "*/*"}).text
    assert kind.rpartition(".")[2] in text.splitlines()[0]
    assert file.rpartition("/")[2] in text
    assert line in text


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"X-Forwarded-For": "203.0.113.7"}, id="it came through a proxy"),
        pytest.param({"Host": "rebound.example.com"}, id="another site's page has asked for it by its own name"),
    ],
)
def test_whoever_is_not_at_this_machine_is_told_an_id_alone(demo: RunningServer, headers: dict[str, str]) -> None:
    answer = demo.request("GET", "/guestbook/smudge", {**BROWSER, **headers})
    assert answer.status == 500
    assert answer.headers["X-Error-ID"] in answer.text
    assert "Smudged" not in answer.text
    assert "Novmber" not in answer.text
    assert "Smudged" not in demo.request("GET", "/.errors/", {**BROWSER, **headers}).text


def test_what_has_failed_is_kept_in_groups(demo: RunningServer) -> None:
    for address in BROKEN:
        demo.request("GET", address, BROWSER)
    page = demo.request("GET", "/.errors/", BROWSER).text
    for kind, _, _ in BROKEN.values():
        assert kind.rpartition(".")[2] in page


def test_the_clock_that_is_not_there_has_a_page_of_the_app_and_stays_a_404(demo: RunningServer) -> None:
    answer = demo.request("GET", "/clock/Atlantis", BROWSER)
    assert answer.status == 404
    assert "No clock here is set to Atlantis." in answer.text
    assert 'href="http://127.0.0.1' in answer.text
    assert "<svg" in answer.text
    plain = demo.request("GET", "/clock/Atlantis", {"Accept": "application/json"})
    assert plain.status == 404
    assert "<svg" not in plain.text


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)], ids=["at a desk", "on a phone"])
@pytest.mark.parametrize("address", BROKEN)
def test_the_failing_line_is_seen_without_scrolling(
    browser: Chrome, demo: RunningServer, address: str, width: int, height: int
) -> None:
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.get(demo.url + address)
    failing = browser.find_element("css selector", ".focus .failing")
    assert BROKEN[address][2] in failing.text
    box = browser.execute_script("return arguments[0].getBoundingClientRect().toJSON()", failing)
    assert 0 < box["top"] < box["bottom"] < height
