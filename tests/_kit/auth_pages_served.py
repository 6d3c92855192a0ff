"""Serves a site of ``auth_pages`` on http://localhost, where browsers use passkeys, with users who have a past."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from auth_pages import PASSWORD, AuthSite, Clock, Visitor
from selenium.webdriver import Chrome
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions
from threaded_wsgi import ThreadedServer

AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 Version/19.1 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
)


@contextmanager
def served(**how: Any) -> Iterator[tuple[AuthSite, str]]:
    """A site, and its address; ``how`` is for :class:`AuthSite`."""
    server = ThreadedServer()
    url = f"http://localhost:{server.server_port}"
    given = {"public_url": url, "login": ("password", "passkey"), "title": "Paper & Paste", **how.pop("site", {})}
    site = AuthSite(how.pop("clock", None), site=given, **how)
    server.set_app(site.app)
    try:
        with server.running():
            yield site, url
    finally:
        site.close()


def with_past(site: AuthSite) -> None:
    """Ada, who uses the site on several devices, has an app with codes, and tokens."""
    clock = site.clock
    assert isinstance(clock, Clock)
    now = clock.now
    ada = site.add("ada", display="Ada Lovelace", email="ada@example.org")
    for days, agent, address in ((19, AGENTS[0], "198.51.100.23"), (4, AGENTS[1], "203.0.113.80")):
        clock.now = now - days * 86400
        device = Visitor(site.app, address=address, host="localhost", agent=agent)
        page = device.get("/-/auth/login")
        page = device.fill(page, "/login", username="ada", password=PASSWORD, remember="1")
        for step in range(days):  # a session that is not used ends
            clock.now = now - (days - step) * 86400 + 3600
            device.get("/public")
        clock.now = now - days * 3000
        device.get("/public")
    clock.now = now - 40 * 86400
    tokens = site.authority.tokens
    text, info = tokens.create(ada, "Nightly backup", ("pages:read", "files:read"), 365 * 86400.0, ("10.0.0.0/8",))
    tokens.create(ada, "Reading list on the phone", ("pages:read",), 30 * 86400.0)
    clock.now = now - 5 * 3600
    tokens.note_use(info, "10.1.4.20")
    clock.now = now


def add_authenticator(browser: Chrome, **options: Any) -> None:
    """Plug in a device that holds passkeys and agrees to everything."""
    wanted = VirtualAuthenticatorOptions(
        protocol="ctap2",
        transport="internal",
        has_resident_key=True,
        has_user_verification=True,
        is_user_verified=True,
        is_user_consenting=True,
    )
    for name, value in options.items():
        setattr(wanted, name, value)
    browser.add_virtual_authenticator(wanted)
