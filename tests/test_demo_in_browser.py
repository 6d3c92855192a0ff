"""The demo's pages in a real browser: on a phone and on a desk, by day and by night."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from demo_server import start_demo
from selenium.webdriver import Chrome

pytestmark = pytest.mark.slow

PAGES = (
    "/",
    "/no-such-poster",
    "/guestbook/",
    "/guestbook/scale",
    "/guestbook/almanac",
    "/library/",
    "/library/book/1/",
    "/library/admin/",
    "/wiki/pages/paste/recipe",
    "/wiki/pages/paste/edit",
    "/wiki/search?q=paper",
    "/poll/",
    "/poll/result",
    "/clock/",
    "/clock/Atlantis",
    "/hello/",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = start_demo(tmp_path_factory.mktemp("state"))
    yield server.url
    server.kill()


def show(browser: Chrome, address: str, width: int, scheme: str = "light") -> None:
    screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get(address)


@pytest.mark.parametrize("width", [320, 390, 820, 1440])
def test_no_page_has_to_be_scrolled_sideways(browser: Chrome, site: str, width: int):
    wide = "return document.documentElement.scrollWidth"
    for page in PAGES:
        show(browser, site + page, width)
        assert browser.execute_script(wide) <= width, page


@pytest.mark.parametrize("page", [page for page in PAGES if page != "/library/admin/"])
def test_a_page_is_light_by_day_and_dark_by_night(browser: Chrome, site: str, page: str):
    ground = "return getComputedStyle(document.body).backgroundColor"
    show(browser, site + page, 390, "light")
    day = browser.execute_script(ground)
    show(browser, site + page, 390, "dark")
    night = browser.execute_script(ground)
    assert brightness(night) < 50
    assert brightness(day) > brightness(night) + 25


def brightness(colour: str) -> float:
    """0 to 255, of ``rgb(…)``."""
    red, green, blue = (float(part) for part in colour.removeprefix("rgb(").rstrip(")").split(","))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_no_page_makes_the_browser_complain(browser: Chrome, site: str):
    browser.get_log("browser")
    for page in PAGES:
        show(browser, site + page, 1440)
        complaints = [
            entry for entry in browser.get_log("browser") if page not in ("/no-such-poster", "/clock/Atlantis")
        ]
        assert complaints == [], page


def test_the_host_name_on_the_start_page_leads_to_the_other_wall(browser: Chrome, site: str):
    show(browser, site, 1440)
    browser.find_element("link text", "demo.localhost").click()
    assert browser.find_element("tag name", "h1").text == "Welcome home."
    assert browser.current_url.startswith("http://demo.localhost:")


def test_the_second_hand_of_a_clock_turns_unless_motion_is_unwanted(browser: Chrome, site: str):
    moving = "return getComputedStyle(document.querySelector('.second')).animationName"
    show(browser, site + "/clock/", 1440)
    assert browser.execute_script(moving) == "turn"
    still = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": still})
    assert browser.execute_script(moving) == "none"
