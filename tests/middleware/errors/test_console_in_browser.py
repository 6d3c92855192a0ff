"""The console in a real browser, beside a real server: locked, opened by the link, used, and refused."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine_in_thread import wait_for
from running_server import RunningServer
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

pytestmark = pytest.mark.slow

APP = """
    def total(order):
        prices = {"apples": 3}
        return sum(prices[line] for line in order["lines"])

    def app(environ, start_response):
        order = {"id": 42, "lines": ["apples", "pears"], "note": "<img src=x onerror=document.title='hacked'>"}
        return total(order)
"""
INI = """
    [server:main]
    use = egg:wheatpaste#main
    port = {port}
    [app:main]
    use = egg:wheatpaste#wsgi
    app = shop:app
    filter-with = errors
    [filter:errors]
    use = egg:wheatpaste#errors
    debug = true
    console = true
"""


@pytest.fixture
def server(tmp_path: Path, running_server: Callable[..., RunningServer]) -> RunningServer:
    (tmp_path / "shop.py").write_text(textwrap.dedent(APP))
    (tmp_path / "site.ini").write_text(textwrap.dedent(INI.format(port=0)))
    return running_server("site.ini")


@pytest.fixture
def browser_here(browser: Chrome, server: RunningServer) -> Iterator[Chrome]:
    browser.delete_all_cookies()
    browser.get_log("browser")
    yield browser
    browser.get(f"{server.url}/.errors/console")
    browser.execute_script("localStorage.clear()")
    browser.delete_all_cookies()


def link_of(server: RunningServer) -> str:
    found = wait_for(lambda: re.findall(r"https?://\S+/\.errors/console#\S+", server.log()), "a link at the terminal")
    return str(found[-1])


def prompt(browser: Chrome) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, "details.focus textarea")


def enter(browser: Chrome, code: str, until: str) -> str:
    """Type at the prompt of the failing frame; the output, once ``until`` stands in it."""
    prompt(browser).send_keys(code, Keys.ENTER)
    output = browser.find_element(By.CSS_SELECTOR, "details.focus .output")
    wait_for(lambda: until in output.text, f"{until!r} after {code!r}")
    return str(output.text)


def test_the_console_opens_by_the_link_and_runs_code_in_the_frame(browser_here: Chrome, server: RunningServer) -> None:
    browser = browser_here
    browser.get(f"{server.url}/order")
    assert "open the link" in browser.find_element(By.CSS_SELECTOR, "details.focus .locked").text
    assert browser.find_elements(By.CSS_SELECTOR, "textarea[aria-label^=Prompt]") == []

    link = link_of(server)
    browser.get(link)
    wait_for(lambda: "may now use" in browser.find_element(By.TAG_NAME, "main").text, "the console to open")
    assert "#" not in browser.current_url

    browser.get(f"{server.url}/order")
    enter(browser, "line", "'pears'")
    enter(browser, "prices['pears'] = 2; prices[line]", "2")
    # A block goes on until an empty line.
    prompt(browser).send_keys("for each in prices:", Keys.ENTER, "print('price of', each)", Keys.ENTER)
    enter(browser, "", "price of pears")
    enter(browser, "1/0", "ZeroDivisionError")
    prompt(browser).send_keys(Keys.ARROW_UP)
    assert prompt(browser).get_attribute("value") == "1/0"
    prompt(browser).clear()
    prompt(browser).send_keys("pri", Keys.TAB)
    wait_for(lambda: prompt(browser).get_attribute("value") in ("pri", "price", "prices", "print"), "a completion")
    prompt(browser).clear()
    prompt(browser).send_keys("prices.ke", Keys.TAB)
    wait_for(lambda: prompt(browser).get_attribute("value") == "prices.keys", "a completion of an attribute")
    assert "frame 0.2, run: prices['pears'] = 2; prices[line]" in server.log()

    assert browser.title != "hacked"
    complaints = [each for each in browser.get_log("browser") if "500 (Internal Server Error)" not in each["message"]]
    assert complaints == []


def test_a_value_is_inspected_and_its_texts_stay_texts(browser_here: Chrome, server: RunningServer) -> None:
    browser = browser_here
    browser.get(f"{server.url}/order")
    browser.get(link_of(server))
    wait_for(lambda: "may now use" in browser.find_element(By.TAG_NAME, "main").text, "the console to open")
    browser.get(f"{server.url}/order")
    frame = browser.find_elements(By.CSS_SELECTOR, "details[data-frame]:has(.console)")[-1]
    if not frame.get_attribute("open"):
        frame.find_element(By.TAG_NAME, "summary").click()
    field = frame.find_element(By.TAG_NAME, "textarea")
    field.send_keys("order")
    frame.find_element(By.CSS_SELECTOR, ".console button").click()
    shown = wait_for(lambda: frame.find_elements(By.CSS_SELECTOR, ".inspected"), "what was inspected")[0]
    assert "<img src=x" in shown.text
    assert "dict" in shown.text
    assert browser.find_elements(By.TAG_NAME, "img") == []
    assert browser.title != "hacked"


def test_a_prompt_whose_pass_has_ended_asks_for_the_link_and_guesses_no_more(
    browser_here: Chrome, server: RunningServer
) -> None:
    browser = browser_here
    browser.get(f"{server.url}/order")
    browser.get(link_of(server))
    wait_for(lambda: "may now use" in browser.find_element(By.TAG_NAME, "main").text, "the console to open")
    browser.get(f"{server.url}/order")
    browser.execute_script("localStorage.setItem('wheatpaste-console', 'of an earlier server')")
    prompt(browser).send_keys("line", Keys.ENTER)
    wait_for(lambda: browser.find_elements(By.CSS_SELECTOR, "details.focus .locked"), "the prompt to be locked")
    assert browser.find_elements(By.CSS_SELECTOR, "textarea[aria-label^=Prompt]") == []
    assert browser.execute_script("return localStorage.getItem('wheatpaste-console')") is None


def test_the_link_is_good_for_one_browser(browser_here: Chrome, server: RunningServer) -> None:
    browser = browser_here
    browser.get(f"{server.url}/order")
    link = link_of(server)
    browser.get(link)
    wait_for(lambda: "may now use" in browser.find_element(By.TAG_NAME, "main").text, "the console to open")
    browser.get("about:blank")
    browser.get(link)
    wait_for(lambda: "stays closed" in browser.find_element(By.TAG_NAME, "main").text, "the link to be refused")


def test_a_page_of_another_host_name_cannot_use_the_pass(browser_here: Chrome, server: RunningServer) -> None:
    """As after DNS rebinding: the page is the attacker's, the address is ours."""
    browser = browser_here
    browser.get(f"{server.url}/order")
    browser.get(link_of(server))
    wait_for(lambda: "may now use" in browser.find_element(By.TAG_NAME, "main").text, "the console to open")
    # Any other name that leads here: its origin is another one, although the server is the same.
    browser.get(server.url.replace("127.0.0.1", "other.localhost") + "/.errors/console")
    answer = browser.execute_async_script(
        """
        const [address, done] = arguments;
        fetch(address, {
          method: "POST", mode: "no-cors", credentials: "include",
          headers: {"Content-Type": "text/plain"}, body: JSON.stringify({action: "run", code: "1"}),
        }).then((answer) => done(`${answer.type} ${answer.status}`), (error) => done(error.name));
        """,
        f"{server.url}/.errors/console",
    )
    # The page's own policy keeps it from asking elsewhere; what would get through is refused by the server.
    assert answer in ("TypeError", "opaque 0")
    assert "run: 1" not in server.log()
