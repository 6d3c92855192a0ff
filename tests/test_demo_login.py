"""The README's logins in front of the demo's Flask app: only the INI is edited, as it says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import oidc_provider
import pytest
import requests
from running_server import RunningServer, free_port
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.virtual_authenticator import Protocol, Transport, VirtualAuthenticatorOptions
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
LOGIN, PROVIDER = re.findall(
    r"```ini\n(.*?)```", README[README.index("## A login in front") : README.index("## From an old")], re.DOTALL
)
PASSWORD = "flour and water, twice boiled"


class Demo:
    """A copy of the demo's INI, to be edited, and what it is served by."""

    def __init__(self, folder: Path) -> None:
        (folder / "config").mkdir()
        for name in ("demo.ini", "demo_annex.ini"):
            (folder / "config" / name).write_bytes((ROOT / "config" / name).read_bytes())
        (folder / "examples").symlink_to(ROOT / "examples")
        self.state = folder / ".demo"
        self.state.mkdir()
        self.ini = folder / "config" / "demo.ini"
        self.server: RunningServer | None = None

    def edit(self, change: Callable[[str], str]) -> None:
        self.ini.write_text(change(self.ini.read_text(encoding="utf-8")), encoding="utf-8")

    def run(self, *words: str) -> str:
        argv = [sys.executable, "-m", "wheatpaste", words[0], str(self.ini), *words[1:]]
        done = subprocess.run(argv, capture_output=True, text=True, cwd=self.state, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def serve(self, port: int = 0) -> str:
        self.end()
        argv = [sys.executable, "-m", "wheatpaste", "serve", str(self.ini), "--listen", f"127.0.0.1:{port}"]
        self.server = RunningServer(argv, cwd=self.state).wait_until_ready(60)
        return f"http://localhost:{self.server.port}"

    def end(self) -> None:
        if self.server is not None:
            self.server.kill()
            self.server = None


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(tmp_path)
    yield demo
    demo.end()


def with_login(text: str) -> str:
    """The first edit of the README."""
    return text.replace("[app:guestbook]\n", "[app:guestbook]\nfilter-with = login\n", 1) + "\n" + LOGIN


def with_passkeys(text: str, address: str) -> str:
    """The second: its ``[auth:main]`` in the place of the first."""
    main = (
        PROVIDER[: PROVIDER.index("[auth:main:oidc")]
        .replace("http://localhost:8080", address)
        .replace(" oidc:corp", "")
    )
    return re.sub(r"\[auth:main\]\n.*?\n\n", lambda found: main, text, count=1, flags=re.DOTALL)


def with_provider(text: str, address: str, issuer: str) -> str:
    """The same with the provider that the test has started, which knows the site as ``wiki``."""
    parts = PROVIDER.replace("http://localhost:8080", address).replace("client_id = wall", "client_id = wiki")
    parts = re.sub(r"issuer = \S+", f"issuer = {issuer}", parts)
    return re.sub(r"\[auth:main\]\n.*?\n\n", lambda found: f"{parts}\n", text, count=1, flags=re.DOTALL)


def until(browser: Chrome, path: str) -> None:
    WebDriverWait(browser, 20).until(lambda seen: seen.current_url.split("?")[0].endswith(path))


def fill(browser: Chrome, **values: str) -> None:
    for name, value in values.items():
        browser.find_element(By.NAME, name).send_keys(value)
    browser.find_element(By.CSS_SELECTOR, "form button[type=submit].main").click()


def accept(browser: Chrome, address: str, link: str) -> None:
    """Follow the link that ``init`` has printed and choose a password."""
    path = re.search(r"/-/auth/invite/\S+", link)
    assert path is not None, link
    browser.get(f"{address}/guestbook{path[0]}")
    for field in browser.find_elements(By.CSS_SELECTOR, "input[type=password]"):
        field.send_keys(PASSWORD)
    browser.find_element(By.CSS_SELECTOR, "form button[type=submit].main").click()


def test_a_password_then_a_passkey_by_editing_the_ini_alone(demo: Demo, browser: Chrome) -> None:
    demo.edit(with_login)
    printed = demo.run("auth", "init")
    assert "fine" in demo.run("check")
    address = demo.serve()
    accept(browser, address, printed)
    browser.delete_all_cookies()

    browser.get(f"{address}/guestbook/")
    until(browser, "/guestbook/-/auth/login")
    assert "The Wall" in browser.title
    fill(browser, username="admin", password=PASSWORD)
    until(browser, "/guestbook/")
    assert "Guestbook" in browser.page_source
    # What is not behind the login stays open.
    browser.delete_all_cookies()
    browser.get(f"{address}/poll/")
    assert "/poll/" in browser.current_url

    port = int(address.rpartition(":")[2])
    demo.edit(lambda text: with_passkeys(text, address))
    assert "fine" in demo.run("check")
    assert demo.serve(port) == address
    options = VirtualAuthenticatorOptions(
        protocol=Protocol.CTAP2,
        transport=Transport.INTERNAL,
        has_resident_key=True,
        has_user_verification=True,
        is_user_verified=True,
    )
    browser.add_virtual_authenticator(options)
    browser.get(f"{address}/guestbook/-/auth/account")
    until(browser, "/guestbook/-/auth/login")
    fill(browser, username="admin", password=PASSWORD)
    until(browser, "/guestbook/-/auth/account")
    browser.get(f"{address}/guestbook/-/auth/account/security")
    browser.find_element(By.CSS_SELECTOR, "input[name=label]").send_keys("Laptop")
    browser.find_element(By.XPATH, "//button[contains(., 'Add a passkey')]").click()
    WebDriverWait(browser, 20).until(lambda seen: "recovery codes" in seen.find_element(By.TAG_NAME, "main").text)

    browser.delete_all_cookies()
    browser.get(f"{address}/guestbook/")
    # The browser offers the passkey by itself where the login page asks for a name, and this one's user always agrees.
    until(browser, "/guestbook/")
    browser.get(f"{address}/guestbook/-/auth/account/devices")
    assert "This device" in browser.page_source
    browser.remove_virtual_authenticator()


def test_a_login_at_a_provider_by_editing_the_ini_alone(demo: Demo) -> None:
    port, provider_port = free_port(), free_port()
    address, issuer = f"http://localhost:{port}", f"http://127.0.0.1:{provider_port}"
    (demo.state / "corp.secret").write_text(oidc_provider.SECRET)
    demo.edit(with_login)
    demo.edit(lambda text: with_provider(text, address, issuer))
    demo.run("auth", "init", "--no-admin")
    assert "fine" in demo.run("check")
    provider = oidc_provider.start(provider_port, f"{address}/guestbook", {"alice": []})
    try:
        assert demo.serve(port) == address
        alice = oidc_provider.Person("alice")
        alice.http.headers.update({"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"})
        page = alice.get(f"{address}/guestbook/")
        assert page.url.startswith(f"{address}/guestbook/-/auth/login")
        link = re.search(r'href="([^"]*/oidc/corp/start[^"]*)"', page.text)
        assert link is not None, page.text
        page = alice.get(address + link[1].replace("&amp;", "&"))
        assert page.url == f"{address}/guestbook/"
        assert "Guestbook" in page.text
        assert requests.get(f"{address}/guestbook/", timeout=20).status_code == 401
    finally:
        provider.kill()
