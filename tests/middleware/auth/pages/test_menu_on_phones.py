"""The menu of the account on small screens, in a real browser."""

from __future__ import annotations

import pytest
from auth_pages import PASSWORD
from auth_pages_served import served
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

pytestmark = pytest.mark.slow

_CUT = """
const menu = document.querySelector('nav ul');
return [...menu.querySelectorAll('a')]
  .filter((each) => each.getBoundingClientRect().right > innerWidth || each.getBoundingClientRect().left < 0)
  .map((each) => each.textContent.trim());
"""


@pytest.mark.parametrize("width", [320, 390])
@pytest.mark.parametrize("language", ["en", "de"])
def test_every_page_can_be_reached_without_scrolling_the_menu(width: int, language: str, browser: Chrome) -> None:
    with served() as (site, url):
        site.add("bob")
        site.authority.providers = {"corp": "Corporation"}  # of a site with providers the menu is longest
        browser.execute_cdp_cmd("Network.enable", {})
        browser.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Accept-Language": language}})
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(f"{url}/-/auth/login?next=/-/auth/account")
        browser.delete_all_cookies()
        browser.get(f"{url}/-/auth/login?next=/-/auth/account")
        browser.find_element(By.NAME, "username").send_keys("bob")
        browser.find_element(By.NAME, "password").send_keys(PASSWORD, Keys.ENTER)
        WebDriverWait(browser, 15).until(lambda found: found.find_elements(By.CSS_SELECTOR, "nav a"))
        pages = [each.get_attribute("href") for each in browser.find_elements(By.CSS_SELECTOR, "nav a")]
        assert len(pages) > 5
        cut = {}
        for page in pages:
            assert page is not None
            if "/providers" not in page:
                browser.get(page)
                cut[page.rpartition("/")[2]] = browser.execute_script(_CUT)
        browser.get("about:blank")
    assert {page: found for page, found in cut.items() if found} == {}
