"""Replay in a real browser beside a real server that reloads: the file is mended, and the open page shows it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine_in_thread import wait_for
from running_server import RunningServer
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

pytestmark = pytest.mark.slow

INI = """
    [server:main]
    use = egg:wheatpaste#main
    [app:main]
    use = egg:wheatpaste#wsgi
    app = shop:app
    filter-with = errors
    [filter:errors]
    use = egg:wheatpaste#errors
    debug = true
"""
APP = """
    from pathlib import Path

    WORDS = ("of", "the", "browser")  # the source is on the page, too
    FORM = (
        b"<form method=post action=/order><input name=fruit value=pears><textarea name=note></textarea>"
        b"<button>Order</button></form>"
    )

    def total(order):
        prices = {"apples": 3}
        return sum(prices[line] for line in order)

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/form":
            start_response("200 OK", [("Content-Type", "text/html"), ("Set-Cookie", "session=" + "-".join(WORDS))])
            return [FORM]
        sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        with Path("ran.txt").open("a") as file:
            file.write(f"{environ['REQUEST_METHOD']} {environ.get('HTTP_COOKIE')} {sent[:40].decode()}\\n")
        found = total(["apples", "pears"])
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"total"]
"""
FAULT, MENDED = 'prices = {"apples": 3}', 'prices = {"apples": 3, "pears": 4}'


class Shop:
    """The developer's files, and what the app has written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._module = folder / "shop.py"
        self._module.write_text(textwrap.dedent(APP))
        (folder / "site.ini").write_text(textwrap.dedent(INI))

    def change(self, before: str, after: str) -> None:
        """Save the module, as an editor does."""
        text = self._module.read_text()
        assert before in text
        fresh = self._module.with_suffix(".new")
        fresh.write_text(text.replace(before, after))
        fresh.replace(self._module)

    @property
    def ran(self) -> list[str]:
        """What the app has run."""
        return (self.folder / "ran.txt").read_text().splitlines()

    @property
    def posts(self) -> list[str]:
        """Of these the forms; browsers also ask for an icon."""
        return [each for each in self.ran if each.startswith("POST")]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def here(browser: Chrome) -> Iterator[Chrome]:
    browser.delete_all_cookies()
    browser.get_log("browser")
    yield browser
    complaints = [each["message"] for each in browser.get_log("browser") if "Content Security" in each["message"]]
    browser.get("about:blank")
    browser.delete_all_cookies()
    assert complaints == []


@pytest.fixture
def server(shop: Shop, running_server: Callable[..., RunningServer]) -> RunningServer:
    return running_server("site.ini", "--reload", "--reload-interval", "0.2")


def one(browser: Chrome, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def panel(browser: Chrome) -> str:
    return str(one(browser, "[data-slot=replay]").text)


def until(browser: Chrome, text: str) -> None:
    """Wait until the panel says so; the page is never loaded anew."""
    wait_for(lambda: text in panel(browser), f"{text!r} in the panel", deadline=60)


def press(browser: Chrome, text: str) -> None:
    browser.find_element(By.XPATH, f"//*[@data-slot='replay']//button[starts-with(., '{text}')]").click()


def fail(browser: Chrome, server: RunningServer, path: str = "/") -> None:
    browser.get(f"{server.url}{path}")
    until(browser, "run this request again, here")
    browser.execute_script("window.sameDocument = true")


def is_same_document(browser: Chrome) -> bool:
    return bool(browser.execute_script("return window.sameDocument === true"))


def test_row_48_a_request_that_was_mended_passes_in_place_by_itself(
    here: Chrome, server: RunningServer, shop: Shop
) -> None:
    fail(here, server, "/order")
    one(here, "[data-slot=replay] input").click()
    shop.change(FAULT, MENDED)
    until(here, "Passed 200 OK")
    assert here.title.startswith("✓ KeyError")
    assert is_same_document(here)
    assert len(shop.ran) == 2
    press(here, "Load the page")
    wait_for(lambda: "total" in one(here, "body").text, "the page itself", deadline=20)


def test_a_request_that_still_fails_shows_how_and_leads_to_the_new_error(
    here: Chrome, server: RunningServer, shop: Shop
) -> None:
    fail(here, server)
    one(here, "[data-slot=replay] input").click()
    shop.change('["apples", "pears"]', '["apples", "plums"]')
    until(here, "Failed again KeyError: 'plums'")
    assert here.title.startswith("✗ KeyError")
    shop.change("return sum(", "return 1 / 0 + sum(")
    until(here, "Failed otherwise ZeroDivisionError")
    assert is_same_document(here)
    one(here, "[data-slot=replay] a").click()
    wait_for(lambda: "division by zero" in one(here, "h1").text, "the page of the new error", deadline=20)
    until(here, "run this request again, here")


def test_without_the_box_it_only_offers(here: Chrome, server: RunningServer, shop: Shop) -> None:
    fail(here, server)
    shop.change(FAULT, MENDED)
    until(here, "shop.py has changed.\n")
    wait_for(lambda: "news" in str(one(here, ".replay").get_attribute("class")), "the offer", deadline=60)
    assert len(shop.ran) == 1
    press(here, "Run it again")
    until(here, "Passed 200 OK")
    assert len(shop.ran) == 2


def test_row_47_a_form_is_sent_again_only_when_the_person_says_so(
    here: Chrome, server: RunningServer, shop: Shop
) -> None:
    here.get(f"{server.url}/form")
    one(here, "button").click()
    until(here, "Run POST again")
    assert here.find_elements(By.CSS_SELECTOR, "[data-slot=replay] input:not([hidden])")[0].is_displayed() is False
    shop.change(FAULT, MENDED)
    wait_for(lambda: "news" in str(one(here, ".replay").get_attribute("class")), "the offer", deadline=60)
    press(here, "Run POST again")
    assert "would do so once more" in panel(here)
    press(here, "Leave it")
    assert len(shop.posts) == 1
    press(here, "Run POST again")
    press(here, "Run it")
    until(here, "Passed 200 OK")
    assert shop.posts == ["POST session=of-the-browser fruit=pears&note="] * 2
    assert "of-the-browser" not in here.page_source


def test_a_change_with_which_the_app_does_not_start_is_said_and_the_next_one_taken_up(
    here: Chrome, server: RunningServer, shop: Shop
) -> None:
    fail(here, server)
    one(here, "[data-slot=replay] input").click()
    shop.change(FAULT, f"{MENDED} +")
    until(here, "The app does not start with this change")
    shop.change(f"{MENDED} +", MENDED)
    until(here, "Passed 200 OK")
    assert is_same_document(here)


def test_a_large_body_is_not_kept_and_the_page_says_so(here: Chrome, server: RunningServer) -> None:
    here.get(f"{server.url}/form")
    here.execute_script("document.querySelector('textarea').value = 'x'.repeat(1_100_000)")
    one(here, "form > button").click()
    until(here, "This request cannot be run again: its body is larger than 1 MiB.")
    assert not any(each.is_displayed() for each in here.find_elements(By.CSS_SELECTOR, "[data-slot=replay] button"))


def test_without_a_reloader_the_page_says_that_the_old_code_still_runs(
    here: Chrome, shop: Shop, running_server: Callable[..., RunningServer]
) -> None:
    server = running_server("site.ini")
    fail(here, server)
    shop.change(FAULT, MENDED)
    until(here, "this server still runs the old code")
    press(here, "Run it again")
    until(here, "Failed again")
