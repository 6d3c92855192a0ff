"""Takes the pictures of the pages of ``egg:wheatpaste#auth`` in docs/images, as ``screenshots.py`` does of the demo.

python docs/screenshots_auth.py              all of them
python docs/screenshots_auth.py auth-login   those named
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

from screenshots import IMAGES, ROOT, Picture, chromium, take
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

sys.path.insert(0, str(ROOT / "tests" / "_kit"))
from auth_pages import PASSWORD, SEED, AuthSite, Clock, app_of, code_of
from auth_pages_served import add_authenticator, served, with_past

from wheatpaste.middleware.auth.pages.adding import totp as drawn
from wheatpaste.middleware.auth.pages.form import Page
from wheatpaste.middleware.auth.pages.messages import message
from wheatpaste.middleware.auth.pages.sheet import sheet
from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.protocol.answer import Answer

CLOCK = Clock(1_795_080_600.0)
DESK = {"width": 1200, "height": 820}
CARD = {"width": 900, "height": 760}
PHONE = {"width": 390, "height": 844, "scale": 2}
SITE: list[AuthSite] = []


def site() -> AuthSite:
    """The site that is served."""
    return SITE[0]


def sign_in(browser: Chrome, url: str) -> None:
    """As Ada, with the password and what else is asked for; what this browser did before is over."""
    sign_out(browser, url)
    sessions = site().authority.sessions
    for each in sessions.of(site().account("ada").id):
        if each.address == "127.0.0.1":
            sessions.end_one(each.account, each.id)
    browser.get(f"{url}/-/auth/login?next=/-/auth/account")
    fill(browser, "ada")
    if "/second" in browser.current_url:
        CLOCK.move(30)  # each code counts once
        browser.find_element(By.ID, "code").send_keys(code_of(site()))
        browser.find_element(By.CSS_SELECTOR, "form[action$='/second'] button").click()


def sign_out(browser: Chrome, url: str) -> None:
    """Forget who it was."""
    browser.get(url + "/public")
    browser.delete_all_cookies()


def half_way_as(name: str) -> Callable[[Chrome, str], None]:
    """Sign in by a password, as far as something else has to come: a second factor, or another password."""

    def prepare(browser: Chrome, url: str) -> None:
        sign_out(browser, url)
        browser.get(f"{url}/-/auth/login")
        fill(browser, name)

    return prepare


def fill(browser: Chrome, name: str, password: str = PASSWORD) -> None:
    """Fill in the login page, and send it."""
    browser.find_element(By.NAME, "username").send_keys(name)
    browser.find_element(By.NAME, "password").send_keys(password)
    browser.find_element(By.CSS_SELECTOR, "form[action$='/login'] .main").click()


def fail(browser: Chrome) -> None:
    """Type a wrong password."""
    fill(browser, "ada", "not this one")


def make_token(browser: Chrome) -> None:
    """Make a token, whose text is then shown."""
    browser.find_element(By.ID, "name").send_keys("Feed reader")
    browser.find_element(By.ID, "scopes").send_keys("pages:read")
    browser.find_element(By.CSS_SELECTOR, ".panel .main").click()


def renew(browser: Chrome) -> None:
    """Ask for new recovery codes."""
    browser.find_element(By.CSS_SELECTOR, "form[action$='/codes'] button").click()


def late(browser: Chrome, url: str) -> None:
    """Come back to something important after a quarter of an hour."""
    sign_in(browser, url)
    CLOCK.move(900)


def speak(language: str) -> Callable[[Chrome, str], None]:
    """Let the browser ask for a language, and sign nobody in."""

    def prepare(browser: Chrome, url: str) -> None:
        sign_out(browser, url)
        browser.execute_cdp_cmd("Network.enable", {})
        browser.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Accept-Language": language}})

    return prepare


def in_german(browser: Chrome, url: str) -> None:
    """Ada's account in German."""
    sign_in(browser, url)
    browser.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Accept-Language": "de"}})


SHOWN: dict[str, dict[str, object]] = {
    "link": {"title": "Example Corp", "label": "ada@corp.example", "name": "Ada Lovelace"},
    "resume": {"path": "/orders/new", "size": 1834},
}
"""Pages in the middle of something that takes others: a provider, or an app and a session that ends."""


def shown(name: str) -> Callable[[Visit], Answer]:
    """One of them."""
    template = {"link": "account_link.html"}.get(name, f"{name}.html")
    return lambda visit: sheet(visit, template, **SHOWN[name])


PICTURES = (
    Picture("auth-login", "/-/auth/login", prepare=sign_out, **CARD),
    Picture("auth-login-dark", "/-/auth/login", dark=True, prepare=sign_out, **CARD),
    Picture("auth-login-phone", "/-/auth/login", prepare=sign_out, **PHONE),
    Picture("auth-login-german", "/-/auth/login", prepare=speak("de"), **CARD),
    Picture("auth-login-failed", "/-/auth/login", prepare=sign_out, act=fail, **CARD),
    Picture("auth-second", "/-/auth/second", prepare=half_way_as("ada"), **CARD),
    Picture("auth-second-phone", "/-/auth/second", dark=True, prepare=half_way_as("ada"), **PHONE),
    Picture("auth-enrol", "/-/auth/enrol", width=900, height=1080, prepare=half_way_as("nora")),
    Picture("auth-enrol-phone", "/-/auth/enrol", prepare=half_way_as("nora"), **PHONE),
    Picture("auth-new-password", "/-/auth/password", prepare=half_way_as("kim"), **CARD),
    Picture("auth-invitation", "/-/auth/invite/INVITE", width=900, height=880, prepare=sign_out),
    Picture("auth-reset", "/-/auth/reset/RESET", dark=True, prepare=sign_out, **CARD),
    Picture("auth-forgot", "/-/auth/forgot", prepare=sign_out, **CARD),
    Picture("auth-forgot-phone", "/-/auth/forgot", prepare=speak("de"), **PHONE),
    Picture("auth-forgot-asked", "/-/auth/forgot?asked=1", dark=True, prepare=sign_out, **CARD),
    Picture("auth-address", "/-/auth/email/EMAIL", prepare=sign_in, **CARD),
    Picture("auth-not-found", "/-/auth/nowhere", width=900, height=560, prepare=sign_out),
    Picture("auth-account", "/-/auth/account", prepare=sign_in, **DESK),
    Picture("auth-account-phone", "/-/auth/account", prepare=sign_in, **PHONE),
    Picture("auth-account-german", "/-/auth/account/security", prepare=in_german, width=1200, height=1000),
    Picture("auth-password", "/-/auth/account/password", prepare=sign_in, **DESK),
    Picture("auth-security", "/-/auth/account/security", prepare=sign_in, width=1200, height=1000),
    Picture("auth-security-dark", "/-/auth/account/security", dark=True, prepare=sign_in, width=1200, height=1000),
    Picture("auth-totp", "/-/auth/account/totp", prepare=sign_in, width=1200, height=900),
    Picture("auth-codes", "/-/auth/account/security", prepare=sign_in, act=renew, width=900, height=820),
    Picture("auth-devices", "/-/auth/account/devices", prepare=sign_in, **DESK),
    Picture("auth-devices-phone", "/-/auth/account/devices", dark=True, prepare=sign_in, **PHONE),
    Picture("auth-tokens", "/-/auth/account/tokens", prepare=sign_in, act=make_token, width=1200, height=1240),
    Picture("auth-confirm", "/-/auth/account/tokens", prepare=late, **CARD),
    Picture("auth-profile", "/-/auth/account/profile", prepare=sign_in, **DESK),
    Picture("auth-providers", "/-/auth/account/providers", prepare=sign_in, **DESK),
    Picture("auth-providers-phone", "/-/auth/account/providers", dark=True, prepare=sign_in, **PHONE),
    Picture("auth-link", "/-/auth/shown/link", prepare=sign_out, **CARD),
    Picture("auth-resume", "/-/auth/shown/resume", prepare=sign_out, **CARD),
    Picture("auth-signed-in", "/-/auth/login", prepare=sign_in, width=900, height=620),
    Picture("auth-logout", "/-/auth/logout", prepare=sign_in, width=900, height=620),
)


def main(names: list[str]) -> None:
    """Take the pictures of these names, or all of them."""
    IMAGES.mkdir(exist_ok=True)
    unknown = set(names) - {picture.name for picture in PICTURES}
    if unknown:
        sys.exit(f"no such picture: {', '.join(sorted(unknown))}")
    how = {
        "site": {"login": ("password", "passkey", "oidc:corp")},
        "mfa": {"require_for": ("user:nora",)},
        "providers": {"corp": "Example Corp", "hub": "Code Hub"},
        "editable": ("display", "email"),
        "mail": {"smtp_server": "localhost:1", "notices": False},
    }
    with served(clock=CLOCK, **how) as (made, url), chromium() as browser:
        SITE.append(made)
        links = furnish(browser, made, url)
        for picture in PICTURES:
            if names and picture.name not in names:
                continue
            browser.execute_cdp_cmd("Network.enable", {})
            browser.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Accept-Language": "en"}})
            address = picture.address
            for word, token in links.items():
                address = address.replace(word, token)
            file = take(browser, url, replace(picture, address=address))
            sys.stdout.write(f"{file.relative_to(ROOT)}  {file.stat().st_size / 1000:.0f} kB\n")


def furnish(browser: Chrome, made: AuthSite, url: str) -> dict[str, str]:
    """Make the users, with what they have; returns the tokens of links."""
    made.authority.add_routes({"oidc/corp/start": Page(lambda visit: message(visit, "404 Not Found", ""))})
    made.authority.add_routes({f"shown/{name}": Page(shown(name)) for name in SHOWN})
    # A picture of a key should be the same each time.
    drawn.new_seed = lambda: SEED
    with_past(made)
    made.add("nora", display="Nora")
    made.add("kim", display="Kim", must_change=True)
    jo = made.add("jo", password=None, display="Jo March")
    add_authenticator(browser)
    sign_in(browser, url)
    for name in ("Laptop", "Phone"):
        if name == "Phone":
            browser.remove_virtual_authenticator()
            add_authenticator(browser)
        browser.get(f"{url}/-/auth/account/security")
        browser.find_element(By.ID, "label").send_keys(name)
        browser.find_element(By.CSS_SELECTOR, "form[action$='/passkeys'] button").click()
        WebDriverWait(browser, 10).until(lambda found: "changed=1" in found.current_url or "codes" in found.page_source)
        if name == "Laptop":
            browser.get(f"{url}/-/auth/account/security")
    # No picture of a page that waits for a passkey, or none is ever taken.
    browser.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument",
        {"source": "PublicKeyCredential.isConditionalMediationAvailable = async () => false"},
    )
    # A device that agrees to everything would sign Ada in before the login page is photographed.
    browser.remove_virtual_authenticator()
    app_of(made, made.account("ada"))
    made.authority.identities.link("https://corp.example", "248289", made.account("ada").id, "corp", "ada@corp.example")
    links = made.authority.links
    ada = made.account("ada").id
    return {
        "INVITE": links.create("invite", jo.id),
        "RESET": links.create("reset", ada),
        "EMAIL": links.create("email", ada, address="ada.lovelace@example.org", voids="none"),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
