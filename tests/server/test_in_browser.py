"""A browser, which opens many connections and keeps them: pages with all they need, forms, uploads and streams."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from client_app import others_that_run, serve_client_app, status
from running_server import RunningServer, poll
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = pytest.mark.slow

STYLES, SCRIPTS, PICTURES = 8, 8, 14
FIVE = os.urandom(5 * 1024 * 1024)

LISTEN = """
    window.heard = [];
    window.source = new EventSource("/events");
    source.onmessage = event => heard.push(event.data);
    source.addEventListener("end", event => { heard.push(event.data); source.close(); });
"""


def write_page(folder: Path) -> None:
    """A page that needs thirty files, each of which does something that can be seen."""
    lines = ["<!doctype html><link rel=icon href=data:,><title>Thirty</title><script>window.ran = 0</script>"]
    for number in range(STYLES):
        (folder / f"{number}.css").write_text(f":root {{ --style-{number}: here }}" + " " * 5000 * number)
        lines.append(f"<link rel=stylesheet href={number}.css>")
    for number in range(SCRIPTS):
        (folder / f"{number}.js").write_text("ran += 1;" + "\n" * 20_000 * number)
        lines.append(f"<script src={number}.js></script>")
    for number in range(PICTURES):
        picture = f"<svg xmlns='http://www.w3.org/2000/svg' width='{number + 1}' height='9'/>"
        (folder / f"{number}.svg").write_text(picture)
        lines.append(f"<img src={number}.svg>")
    (folder / "index.html").write_text("\n".join(lines))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The server. When the browser has left its pages, nothing runs and nothing was complained about."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "public").mkdir()
    write_page(folder / "public")
    server = serve_client_app(folder)
    try:
        yield server
        assert "Traceback" not in server.log()
        assert server.stop() == 0
    finally:
        server.kill()


@pytest.fixture
def tab(browser: Chrome, site: RunningServer) -> Iterator[Chrome]:
    """The browser with one empty tab; what it complains about is a failure."""
    browser.get_log("browser")
    yield browser
    complaints = [entry["message"] for entry in browser.get_log("browser")]
    for handle in browser.window_handles[1:]:
        browser.switch_to.window(handle)
        browser.close()
    browser.switch_to.window(browser.window_handles[0])
    browser.get("about:blank")
    poll(lambda: not others_that_run(site), 30, lambda: f"threads still run {others_that_run(site)}")
    assert complaints == []


def check_page(tab: Chrome) -> None:
    """Everything on the page is there, and came over HTTP/1.1."""
    came = tab.execute_script(
        "return performance.getEntriesByType('resource').map(e => [e.responseStatus, e.nextHopProtocol])"
    )
    assert came == [[200, "http/1.1"]] * (STYLES + SCRIPTS + PICTURES)
    assert tab.execute_script("return ran") == SCRIPTS
    assert tab.execute_script("return [...document.images].map(i => i.naturalWidth)") == list(range(1, PICTURES + 1))
    style = "return getComputedStyle(document.documentElement).getPropertyValue('--style-' + arguments[0]).trim()"
    assert [tab.execute_script(style, number) for number in range(STYLES)] == ["here"] * STYLES


def test_a_page_and_the_thirty_files_that_it_needs(tab: Chrome, site: RunningServer) -> None:
    before = status(site)["counters"]["connections"]
    tab.get(f"{site.url}/files/")
    check_page(tab)
    used = status(site)["counters"]["connections"] - before - 1
    assert used < 12  # browsers use six for a site, and may have one or two in reserve


def test_a_page_is_shown_again_without_being_sent_again(tab: Chrome, site: RunningServer) -> None:
    tab.get(f"{site.url}/files/")
    before = status(site)["counters"]["requests"]
    tab.refresh()
    assert tab.execute_script("return [ran, document.images.length]") == [SCRIPTS, PICTURES]
    assert status(site)["counters"]["requests"] - before <= 1 + 1 + STYLES + SCRIPTS + PICTURES


def test_pages_in_several_tabs(tab: Chrome, site: RunningServer) -> None:
    for _ in range(4):
        tab.switch_to.new_window("tab")
        tab.execute_script("location = arguments[0]", f"{site.url}/files/")
    for handle in tab.window_handles[1:]:
        tab.switch_to.window(handle)
        WebDriverWait(tab, 20).until(lambda tab: tab.execute_script("return document.readyState") == "complete")
        WebDriverWait(tab, 20).until(lambda tab: tab.title == "Thirty")
        assert tab.execute_script("return ran") == SCRIPTS
        assert tab.execute_script("return [...document.images].every(i => i.complete && i.naturalWidth)")


def test_a_form_leads_to_the_next_page(tab: Chrome, site: RunningServer) -> None:
    tab.get(f"{site.url}/form")
    assert tab.title == "Hello nobody"
    tab.find_element(By.NAME, "name").send_keys("Ada\n")
    WebDriverWait(tab, 10).until(lambda tab: tab.title == "Hello Ada")
    assert tab.current_url == f"{site.url}/form?name=Ada"


def test_a_file_of_five_megabytes_in_a_form(tab: Chrome, site: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "five").write_bytes(FIVE)
    tab.get(f"{site.url}/upload")
    tab.find_element(By.NAME, "file").send_keys(str(tmp_path / "five"))
    tab.find_element(By.TAG_NAME, "form").submit()
    told = f"{len(FIVE)} {hashlib.sha256(FIVE).hexdigest()}"
    WebDriverWait(tab, 20).until(lambda tab: tab.find_element(By.TAG_NAME, "body").text == told)


def test_a_stream_of_events_that_other_requests_cause(tab: Chrome, site: RunningServer) -> None:
    tab.get(f"{site.url}/form")
    tab.execute_script(LISTEN)
    for number, word in enumerate(["welcome", "one", "two", "bye"]):
        if number:
            assert (
                tab.execute_script(
                    "return fetch('/say', {method: 'POST', body: arguments[0]}).then(r => r.text())", word
                )
                == "1"
            )
        WebDriverWait(tab, 10).until(lambda tab, n=number: tab.execute_script("return heard.length") > n)
    assert tab.execute_script("return heard") == ["welcome", "one", "two", "bye"]


def test_a_reader_of_events_that_leaves_is_forgotten(tab: Chrome, site: RunningServer) -> None:
    tab.switch_to.new_window("tab")
    tab.get(f"{site.url}/form")
    tab.execute_script(LISTEN)
    WebDriverWait(tab, 10).until(lambda tab: tab.execute_script("return heard.length") == 1)
    assert others_that_run(site) == ["/events"]
    tab.close()
    tab.switch_to.window(tab.window_handles[0])
    # The app hears of it when it says something; what it says first may still find room.
    poll(lambda: site.request("POST", "/say", body="more").text == "0", 30, lambda: "the app still speaks to the page")
