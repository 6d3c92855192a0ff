"""The pages of kept errors as they are served: in a real browser, and by several processes."""

from __future__ import annotations

import http.server
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from running_server import RunningServer, poll
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

pytestmark = pytest.mark.slow

SHOP = '''\
def price(sku):
    """What it costs."""
    first = 1
    second = 2
    third = 3
    fourth = 4
    fifth = 5
    sixth = 6
    seventh = 7
    eighth = 8
    prices = {"BREAD-7": 3}
    return prices[sku]


def app(environ, start_response):
    if environ["PATH_INFO"] == "/fine":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"fine"]
    if environ["PATH_INFO"] == "/other":
        raise ValueError("<b>no such shop</b>")
    return [price(environ["PATH_INFO"].strip("/"))]
'''

SITE = """
    [app:main]
    use = egg:wheatpaste#wsgi
    app = shop:app
    filter-with = errors

    [filter:errors]
    use = egg:wheatpaste#errors
    debug = true
    inbox = errors.sqlite

    [server:main]
    use = egg:wheatpaste#main
    workers = %(processes)s
    """


@pytest.fixture
def site(tmp_path: Path, write_ini: Callable[..., Path], running_server: Callable[..., RunningServer]) -> RunningServer:
    (tmp_path / "shop.py").write_text(SHOP)
    return running_server(write_ini(SITE), "processes=1")


def show(browser: Chrome, address: str, width: int = 1280, *, scripts: bool = True) -> None:
    screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
    browser.get(address)


def complaints(browser: Chrome) -> list[str]:
    """What the browser has to say against the pages, but for failures that were asked for."""
    return [
        each["message"] for each in browser.get_log("browser") if "500 (Internal Server Error)" not in each["message"]
    ]


def fail(site: RunningServer, path: str) -> str:
    answer = site.request("GET", path)
    assert answer.status == 500
    return str(answer.headers["X-Error-ID"])


def test_without_a_script_errors_are_listed_opened_and_resolved(browser: Chrome, site: RunningServer):
    for _ in range(3):
        fail(site, "/CAKE-1")
    name = fail(site, "/other")
    complaints(browser)
    show(browser, f"{site.url}/.errors", scripts=False)
    rows = browser.find_elements(By.CSS_SELECTOR, ".group")
    assert [row.find_element(By.CSS_SELECTOR, ".often b").text for row in rows] == ["1", "3"]
    assert rows[0].find_element(By.TAG_NAME, "h2").text == "ValueError <b>no such shop</b>"
    rows[0].find_element(By.CSS_SELECTOR, "h2 a").click()
    assert browser.current_url == f"{site.url}/.errors/{name}"
    browser.back()
    buttons = browser.find_elements(By.CSS_SELECTOR, ".group .do button")
    assert [button.text for button in buttons] == ["Resolve", "Ignore"] * 2
    buttons[0].click()
    assert browser.current_url == f"{site.url}/.errors/"
    assert len(browser.find_elements(By.CSS_SELECTOR, ".group")) == 1
    tabs = browser.find_element(By.CSS_SELECTOR, ".tabs").text
    assert " ".join(tabs.split()) == "Open 1 Resolved 1 Ignored 0 All 2"
    fail(site, "/other")
    show(browser, f"{site.url}/.errors/", scripts=False)
    assert browser.find_element(By.CSS_SELECTOR, ".state.back").text == "Came back"
    search = browser.find_element(By.ID, "q")
    search.send_keys("keyerror")
    search.submit()
    assert [row.text.split()[0] for row in browser.find_elements(By.CSS_SELECTOR, ".group")] == ["KeyError"]
    assert complaints(browser) == []


@pytest.mark.parametrize("width", [320, 390, 820, 1440])
def test_no_page_has_to_be_scrolled_sideways(browser: Chrome, site: RunningServer, width: int):
    fail(site, f"/{'x' * 400}")
    group = site.request("GET", "/.errors/index.json").text
    name = json.loads(group)["groups"][0]["id"]
    for path in ("/.errors/", "/.errors/?state=all&q=" + "x" * 150, f"/.errors/{name}"):
        show(browser, site.url + path, width)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width, path


def test_more_source_is_fetched_into_the_page_of_an_error(browser: Chrome, site: RunningServer):
    name = fail(site, "/CAKE-1")
    complaints(browser)
    show(browser, f"{site.url}/.errors/{name}")
    lines = "return [...document.querySelectorAll('details.frame[open] pre .line b')].map(each => each.textContent)"
    assert "1" not in browser.execute_script(lines)
    browser.find_element(By.CSS_SELECTOR, "details.frame[open] [data-source=function]").click()
    poll(lambda: "1" in browser.execute_script(lines), 30, lambda: str(browser.execute_script(lines)))
    assert complaints(browser) == []


@pytest.fixture
def evil() -> Iterator[Callable[[str], str]]:
    """A page of another site: 127.0.0.1, for a browser, is another one than localhost."""
    pages: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(pages[-1].encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()

        def publish(page: str) -> str:
            pages.append(page)
            return f"http://127.0.0.1:{server.server_port}/"

        yield publish
        server.shutdown()
        thread.join(timeout=10)


def test_the_page_of_another_site_can_neither_press_read_nor_frame_them(
    browser: Chrome, site: RunningServer, evil: Callable[[str], str]
):
    fail(site, "/CAKE-1")
    ours = site.url.replace("127.0.0.1", "localhost")
    show(browser, f"{ours}/.errors/")
    token = browser.find_element(By.CSS_SELECTOR, "[name=token]").get_attribute("value")
    field = f'<input name="token" value="{token}">'
    show(browser, evil(f'<form method="post" action="{ours}/.errors/clear">{field}<button>win</button></form>'))
    browser.find_element(By.TAG_NAME, "button").click()
    assert "The form is not taken" in browser.page_source or "not shown here" in browser.page_source
    assert json.loads(site.request("GET", "/.errors/index.json").text)["counts"]["open"] == 1
    reading = f"""
        <iframe src="{ours}/.errors/"></iframe><script src="{ours}/.errors/index.json"></script>
        <script>
        window.read = "waiting";
        fetch("{ours}/.errors/index.json", {{mode: "no-cors", credentials: "include"}})
          .then(() => {{ window.read = "read"; }}, () => {{ window.read = "refused"; }});
        </script>"""
    show(browser, evil(reading))
    poll(lambda: browser.execute_script("return window.read") != "waiting", 30, lambda: "it waits")
    assert browser.execute_script("return window.read") == "refused"
    browser.switch_to.frame(0)
    assert "CAKE" not in browser.page_source
    browser.switch_to.default_content()


def test_worker_processes_keep_their_errors_together(
    tmp_path: Path, write_ini: Callable[..., Path], running_server: Callable[..., RunningServer]
):
    (tmp_path / "shop.py").write_text(SHOP)
    ini = write_ini(SITE)
    site = running_server(ini, "processes=2")
    names: list[str] = []
    pids: set[int] = set()

    def both_have_failed() -> bool:
        with ThreadPoolExecutor(8) as pool:
            names.extend(pool.map(lambda _: fail(site, "/CAKE-1"), range(8)))
        for name in names[-8:]:  # whichever process is asked
            record = json.loads(site.request("GET", f"/.errors/{name}.json").text)
            assert record["id"] == name
            pids.add(record["pid"])
        return len(pids) == 2

    poll(both_have_failed, 30, lambda: f"all {len(names)} failed in {pids}")
    listed = subprocess.run(
        [sys.executable, "-m", "wheatpaste", "errors", str(ini), "processes=2"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert re.match(rf"E-\w{{5}}  {len(names)}×  ", listed)
    shown = subprocess.run(
        [sys.executable, "-m", "wheatpaste", "errors", str(ini), "show", names[-1], "processes=2"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert names[-1] in shown
    assert "KeyError: 'CAKE-1'" in shown
