"""The pages in a real browser: how they look, what they do without scripts, and passkeys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from auth_pages import PASSWORD, AuthSite, Clock, app_of, code_of
from auth_pages_served import add_authenticator, served
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

pytestmark = pytest.mark.slow

NEW = "flour, water and a wide brush"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def place(clock: Clock) -> Iterator[tuple[AuthSite, str]]:
    others = {"corp": "Example Corporation", "github": "GitHub"}
    with served(
        clock=clock,
        mfa={"require_for": ("user:nora",)},
        providers=others,
        editable=("display", "email"),
        mail={"smtp_server": "localhost:1", "notices": False},
    ) as found:
        bob = found[0].add("bob", display="Bob <b>", email="bob@example.org")
        found[0].authority.identities.link(
            "https://corp.example", "s-1", bob.id, "corp", "Robert von Wien · bob · bob@mail.example.org"
        )
        yield found


@pytest.fixture
def chrome(browser: Chrome, place: tuple[AuthSite, str]) -> Iterator[Chrome]:
    """The browser as it was new, at the site."""
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Accept-Language": "en"}})
    screen(browser, 1200)
    browser.get(place[1] + "/public")
    browser.delete_all_cookies()
    browser.get_log("browser")
    yield browser
    if browser.virtual_authenticator_id:
        browser.remove_virtual_authenticator()
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    browser.get("about:blank")


def screen(browser: Chrome, width: int, scheme: str = "light") -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )


def without_scripts(browser: Chrome) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})


def sign_in(browser: Chrome, url: str, name: str = "bob", target: str = "/wall") -> None:
    browser.get(f"{url}/-/auth/login?next={target}")
    browser.find_element(By.NAME, "username").send_keys(name)
    browser.find_element(By.NAME, "password").send_keys(PASSWORD, Keys.ENTER)
    until(browser, lambda found: "/-/auth/login" not in found.current_url and found.find_element(By.TAG_NAME, "p"))


def until(browser: Chrome, what: Callable[[Chrome], object]) -> None:
    def tried(found: Chrome) -> object:
        try:
            return what(found)
        except WebDriverException:
            return False

    WebDriverWait(browser, 15).until(tried)


def arrives(browser: Chrome, path: str) -> None:
    until(browser, lambda found: re.sub(r"^https?://[^/]+", "", found.current_url) == path)


def who(browser: Chrome) -> str:
    return browser.find_element(By.ID, "who").text


def press(browser: Chrome, action: str) -> None:
    browser.find_element(By.CSS_SELECTOR, f"form[action$='{action}'] button").click()


def complaints(browser: Chrome) -> list[str]:
    """What the browser has to say against the pages, but for statuses that were asked for."""
    return [
        each["message"]
        for each in browser.get_log("browser")
        if "the server responded with a status of" not in each["message"]
    ]


def pages(site: AuthSite, browser: Chrome, url: str) -> Iterator[str]:
    """Opens every page there is, each with somebody for whom it is there."""
    links = site.authority.links
    jo = site.add("jo", password=None)
    kim, nora = site.add("kim", must_change=True), site.add("nora")
    app_of(site, site.account())
    for path in ("login", "login?note=out", "forgot", "forgot?asked=1", "nowhere"):
        browser.get(f"{url}/-/auth/{path}")
        yield path
    for kind in ("invite", "reset"):
        browser.get(f"{url}/-/auth/{kind}/{links.create(kind, jo.id)}")
        yield kind
    sign_in(browser, url)
    yield "second"
    browser.find_element(By.ID, "code").send_keys("000000", Keys.ENTER)
    until(browser, lambda found: found.find_element(By.ID, "trouble"))
    yield "second, wrong"
    browser.find_element(By.ID, "code").send_keys(code_of(site), Keys.ENTER)
    arrives(browser, "/wall")
    for path in ("", "/password", "/security", "/totp", "/devices", "/providers", "/profile"):
        path = f"account{path}"
        browser.get(f"{url}/-/auth/{path}")
        yield path
    address = "robert.von.und.zu.einem.langen.namen@post.wiki.example.org"
    browser.get(f"{url}/-/auth/email/{links.create('email', site.account().id, address=address, voids='none')}")
    yield "email"
    browser.get(f"{url}/-/auth/account/profile")
    yield "account/profile, waiting"
    browser.get(f"{url}/-/auth/account/tokens")
    browser.find_element(By.ID, "name").send_keys("a long name of a token " * 4)
    browser.find_element(By.ID, "scopes").send_keys("pages:read " * 3, Keys.ENTER)
    until(browser, lambda found: found.find_element(By.ID, "made"))
    yield "account/tokens"
    browser.get(f"{url}/-/auth/account/security")
    press(browser, "/account/codes")
    yield "codes"
    for path in ("login", "logout", "confirm"):
        browser.get(f"{url}/-/auth/{path}")
        yield f"{path}, signed in"
    for account in (nora, kim):
        browser.delete_all_cookies()
        sign_in(browser, url, account.name)
        yield account.name


# How they look

_CONTRAST = """
const seen = [];
function channels(text) { return text.match(/[\\d.]+/g).map(Number); }
function light(colour) {
  const [red, green, blue] = colour.map((each) => {
    const part = each / 255; return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
function ground(element) {
  for (let each = element; each; each = each.parentElement) {
    const found = channels(getComputedStyle(each).backgroundColor);
    if (found.length < 4 || found[3] > 0.99) return found.slice(0, 3);
  }
  return matchMedia('(prefers-color-scheme: dark)').matches ? [14, 16, 22] : [255, 255, 255];
}
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  const style = getComputedStyle(element);
  if (!own || !element.getClientRects().length || element.closest('.unseen, .skip, .mark, svg, noscript')) continue;
  let alpha = 1;
  for (let each = element; each; each = each.parentElement) alpha *= Number(getComputedStyle(each).opacity);
  const back = ground(element);
  const front = channels(style.color).slice(0, 3).map((each, at) => each * alpha + back[at] * (1 - alpha));
  const [one, other] = [light(front), light(back)].sort((a, b) => b - a);
  const ratio = (one + 0.05) / (other + 0.05);
  const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
  if (ratio < (large ? 3 : 4.5)) seen.push(`${element.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
}
return seen;
"""

_NAMELESS = """
return [...document.querySelectorAll('input:not([type=hidden]), select, button, a')]
  .filter((each) => !each.closest('[aria-hidden=true]') && each.getAttribute('aria-hidden') !== 'true')
  .filter((each) => !(each.labels && each.labels.length) && !each.getAttribute('aria-label')
    && !each.textContent.trim())
  .map((each) => each.outerHTML);
"""


@pytest.mark.parametrize("width", [320, 390, 820, 1440])
@pytest.mark.parametrize("language", ["en", "de"])
def test_no_page_has_to_be_scrolled_sideways(
    width: int, language: str, chrome: Chrome, place: tuple[AuthSite, str]
) -> None:
    screen(chrome, width)
    chrome.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Accept-Language": language}})
    wide = []
    for page in pages(place[0], chrome, place[1]):
        assert chrome.execute_script("return document.documentElement.lang") == language
        if chrome.execute_script("return document.documentElement.scrollWidth") > width:
            wide.append(page)
    assert wide == [], wide


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_read(scheme: str, chrome: Chrome, place: tuple[AuthSite, str]) -> None:
    screen(chrome, 1200, scheme)
    poor = {page: chrome.execute_script(_CONTRAST) for page in pages(place[0], chrome, place[1])}
    assert {page: found for page, found in poor.items() if found} == {}


def test_every_page_has_names_for_all_that_can_be_used_and_one_heading(
    chrome: Chrome, place: tuple[AuthSite, str]
) -> None:
    for page in pages(place[0], chrome, place[1]):
        assert chrome.execute_script(_NAMELESS) == [], page
        assert len(chrome.find_elements(By.TAG_NAME, "h1")) == 1, page
        assert len(chrome.find_elements(By.TAG_NAME, "main")) == 1, page
        ids = chrome.execute_script("return [...document.querySelectorAll('[id]')].map((each) => each.id)")
        assert len(ids) == len(set(ids)), page


def test_no_page_makes_the_browser_complain(chrome: Chrome, place: tuple[AuthSite, str]) -> None:
    chrome.get_log("browser")
    for page in pages(place[0], chrome, place[1]):
        assert complaints(chrome) == [], page


def test_the_first_thing_to_fill_in_has_the_focus(chrome: Chrome, place: tuple[AuthSite, str]) -> None:
    focused = "return document.activeElement.id"
    chrome.get(f"{place[1]}/-/auth/login")
    assert chrome.execute_script(focused) == "username"
    chrome.find_element(By.NAME, "username").send_keys("bob")
    chrome.find_element(By.NAME, "password").send_keys("wrong password", Keys.ENTER)
    until(chrome, lambda found: found.find_element(By.CSS_SELECTOR, "[role=alert]#trouble"))
    assert chrome.execute_script(focused) == "password"
    described = chrome.execute_script("return document.activeElement.getAttribute('aria-describedby')")
    assert "do not belong together" in chrome.find_element(By.ID, described).text


def test_a_password_can_be_pasted(chrome: Chrome, place: tuple[AuthSite, str]) -> None:
    chrome.get(f"{place[1]}/-/auth/login?next=/wall")
    name = chrome.find_element(By.NAME, "username")
    name.send_keys(PASSWORD, Keys.CONTROL, "ax")
    chrome.find_element(By.NAME, "password").send_keys(Keys.CONTROL, "v")
    name.send_keys("bob", Keys.ENTER)
    arrives(chrome, "/wall")
    assert who(chrome) == "bob"


_SQUEEZED = """
return [...document.querySelectorAll('.note p')]
  .filter((each) => each.clientWidth < each.parentElement.clientWidth / 2)
  .map((each) => each.textContent);
"""


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_was_done_is_not_squeezed_by_what_can_follow_on_a_phone(
    language: str, chrome: Chrome, place: tuple[AuthSite, str]
) -> None:
    screen(chrome, 390)
    chrome.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Accept-Language": language}})
    sign_in(chrome, place[1])
    chrome.get(f"{place[1]}/-/auth/account/security?changed=1")
    assert len(chrome.find_elements(By.CSS_SELECTOR, ".note form")) == 1
    assert chrome.execute_script(_SQUEEZED) == []


# Without scripts


def test_all_but_passkeys_works_without_scripts(chrome: Chrome, place: tuple[AuthSite, str]) -> None:
    site, url = place
    without_scripts(chrome)
    sign_in(chrome, url)
    assert who(chrome) == "bob"
    chrome.get(f"{url}/-/auth/account/password")
    for name, text in (("current", PASSWORD), ("new", NEW), ("again", NEW + Keys.ENTER)):
        chrome.find_element(By.ID, name).send_keys(text)
    until(chrome, lambda found: found.find_element(By.CSS_SELECTOR, "[role=status]"))
    assert "Your new password is set." in chrome.find_element(By.TAG_NAME, "main").text
    chrome.get(f"{url}/-/auth/account/security")
    assert not chrome.find_element(By.CSS_SELECTOR, "form.passkey").is_displayed()
    assert "Passkeys need a browser that runs scripts" in chrome.find_element(By.TAG_NAME, "main").text
    chrome.get(f"{url}/-/auth/logout")
    press(chrome, "/logout")
    assert "You are signed out." in chrome.find_element(By.TAG_NAME, "main").text
    assert not chrome.find_element(By.CSS_SELECTOR, "form.passkey").is_displayed()
    assert not chrome.find_element(By.CSS_SELECTOR, ".for-passkeys").is_displayed()


# Passkeys


def add_passkey(chrome: Chrome, url: str, label: str = "Laptop") -> None:
    chrome.get(f"{url}/-/auth/account/security")
    chrome.find_element(By.ID, "label").send_keys(label)
    press(chrome, "/account/passkeys")
    until(chrome, lambda found: "changed=1" in found.current_url or found.find_element(By.CLASS_NAME, "codes"))


def forget_who(chrome: Chrome, url: str) -> None:
    chrome.get(url + "/public")
    chrome.delete_all_cookies()


def test_a_passkey_signs_in_by_itself(chrome: Chrome, place: tuple[AuthSite, str]) -> None:
    """With the conditional mediation that a browser offers in the field for the name."""
    site, url = place
    add_authenticator(chrome)
    sign_in(chrome, url)
    add_passkey(chrome, url)
    assert [each.label for each in site.factors.of(site.account().id).passkeys] == ["Laptop"]
    forget_who(chrome, url)
    chrome.get(f"{url}/-/auth/login?next=/wall")
    arrives(chrome, "/wall")
    assert who(chrome) == "bob"
    assert site.notes.events[-1][2]["amr"].endswith("user mfa")


def test_a_passkey_signs_in_at_the_press_of_a_button(
    chrome: Chrome, place: tuple[AuthSite, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, url = place
    add_authenticator(chrome)
    sign_in(chrome, url)
    add_passkey(chrome, url)
    forget_who(chrome, url)
    script = chrome.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument",
        {"source": "PublicKeyCredential.isConditionalMediationAvailable = async () => false"},
    )
    chrome.get(f"{url}/-/auth/login?next=/wall")
    press(chrome, "/login/passkey")
    arrives(chrome, "/wall")
    assert who(chrome) == "bob"
    chrome.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script["identifier"]})


def test_a_passkey_is_the_second_step(chrome: Chrome, place: tuple[AuthSite, str]) -> None:
    site, url = place
    add_authenticator(chrome)
    sign_in(chrome, url)
    add_passkey(chrome, url)
    # A device that holds nothing that could be found without a name: the login page offers nothing by itself.
    forget_who(chrome, url)
    (kept,) = chrome.get_credentials()
    assert kept.is_resident_credential
    without_scripts(chrome)
    sign_in(chrome, url)
    chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    chrome.get(f"{url}/-/auth/second")
    press(chrome, "/second/passkey")
    arrives(chrome, "/wall")
    assert who(chrome) == "bob"
    assert site.notes.events[-1][2]["amr"].startswith("pwd ")


def test_a_passkey_confirms_who_it_is(chrome: Chrome, place: tuple[AuthSite, str], clock: Clock) -> None:
    site, url = place
    add_authenticator(chrome)
    sign_in(chrome, url)
    add_passkey(chrome, url)
    clock.move(601)
    chrome.get(f"{url}/-/auth/account/tokens")
    assert "/-/auth/confirm" in chrome.current_url
    press(chrome, "/confirm/passkey")
    arrives(chrome, "/-/auth/account/tokens")


def test_who_needs_a_second_factor_adds_a_passkey_at_the_login(chrome: Chrome, place: tuple[AuthSite, str]) -> None:
    site, url = place
    site.add("nora")
    add_authenticator(chrome)
    sign_in(chrome, url, "nora")
    assert chrome.current_url.endswith("/-/auth/enrol")
    press(chrome, "/enrol/passkey")
    until(chrome, lambda found: found.find_element(By.CLASS_NAME, "codes"))
    assert len(chrome.find_elements(By.CSS_SELECTOR, ".codes li")) == 10
    chrome.find_element(By.CSS_SELECTOR, "a.main").click()
    arrives(chrome, "/wall")
    assert who(chrome) == "nora"


def test_a_device_that_refuses_is_told_of(chrome: Chrome, place: tuple[AuthSite, str]) -> None:
    _, url = place
    add_authenticator(chrome, is_user_verified=False)
    sign_in(chrome, url)
    chrome.get(f"{url}/-/auth/account/security")
    press(chrome, "/account/passkeys")
    until(chrome, lambda found: found.find_element(By.CSS_SELECTOR, "[data-failed]").is_displayed())
    assert "did not use a passkey" in chrome.find_element(By.CSS_SELECTOR, "[data-failed]").text


def test_one_device_holds_one_passkey_of_a_user(chrome: Chrome, place: tuple[AuthSite, str]) -> None:
    site, url = place
    add_authenticator(chrome)
    sign_in(chrome, url)
    add_passkey(chrome, url)
    chrome.get(f"{url}/-/auth/account/security")
    press(chrome, "/account/passkeys")
    until(chrome, lambda found: found.find_element(By.CSS_SELECTOR, "form.passkey [data-failed]").is_displayed())
    assert len(site.factors.of(site.account().id).passkeys) == 1


def test_an_invitation_is_accepted_with_a_passkey(chrome: Chrome, place: tuple[AuthSite, str]) -> None:
    site, url = place
    jo = site.add("jo", password=None)
    add_authenticator(chrome)
    chrome.get(f"{url}/-/auth/invite/{site.authority.links.create('invite', jo.id)}")
    chrome.find_element(By.CSS_SELECTOR, "form.passkey button").click()
    until(chrome, lambda found: found.find_element(By.CLASS_NAME, "codes"))
    chrome.find_element(By.CSS_SELECTOR, "a.main").click()
    arrives(chrome, "/")
    assert who(chrome) == "jo"
