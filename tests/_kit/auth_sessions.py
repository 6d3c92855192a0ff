"""A site with its sessions, for tests: two users, a clock that a test moves, and an audit log that remembers."""

from __future__ import annotations

from auth_browser import Browser, Notes, People, account, authority

from wheatpaste.middleware.auth.identity import Identity
from wheatpaste.middleware.auth.method import Failed
from wheatpaste.middleware.auth.sessions.options import SessionOptions
from wheatpaste.middleware.auth.sessions.sessions import Sessions
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.storage.memory import MemoryStore

COOKIE = "__Host-wheatpaste.session"


class World:
    """A site with its sessions, two users, and a clock that a test moves."""

    def __init__(self, clock, store=None, vault=None, **options):
        self.clock = clock
        self.people = People(account("bob"), account("eve"))
        self.audit = Notes()
        self.store = store if store is not None else MemoryStore(clock.time)
        self.vault = vault or Vault.temporary()
        self.authority = authority(clock.time, store=self.store, vault=self.vault, people=self.people, audit=self.audit)
        self.sessions = self.made(**options)

    def made(self, vault=None, state=None, **options):
        vault = vault or self.vault
        return Sessions(
            self.store,
            vault,
            self.people,
            SessionOptions(**options),
            self.clock.time,
            self.audit,
            raise_epoch=self.people.raise_epoch,
            state=state,
        )

    def browser(self, **how):
        return Browser(self.authority, **how)

    def login(self, browser, name="bob", amr=("pwd",), **how):
        visit = browser.visit()
        found = self.sessions.begin(visit, self.people.accounts[f"local:{name}"], amr, **how)
        browser.keep(visit)
        return found

    def ask(self, browser, **request):
        """Who a request is from; the browser keeps what it is told."""
        visit = browser.visit(**request)
        found = self.sessions.identify(visit)
        browser.keep(visit)
        return found

    def name(self, browser, **request):
        found = self.ask(browser, **request)
        return found.name if isinstance(found, Identity) else None

    def reason(self, browser, **request):
        found = self.ask(browser, **request)
        return found.reason if isinstance(found, Failed) else None
