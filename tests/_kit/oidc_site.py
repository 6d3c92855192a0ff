"""A site with logins at providers, and a browser that goes there and comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import urllib3
from hostile_provider import CLIENT, SECRET, HostileProvider

from wheatpaste.middleware.auth.accounts.local_users import LocalUsers
from wheatpaste.middleware.auth.accounts.options import GroupOptions
from wheatpaste.middleware.auth.accounts.roles import Roles
from wheatpaste.middleware.auth.accounts.tables import SCHEMA as ACCOUNTS
from wheatpaste.middleware.auth.audit import Audit
from wheatpaste.middleware.auth.auth import Guard
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.identities import SCHEMA as IDENTITIES
from wheatpaste.middleware.auth.identities import Identities
from wheatpaste.middleware.auth.oidc.options import OidcOptions
from wheatpaste.middleware.auth.oidc.providers import Providers
from wheatpaste.middleware.auth.sessions.options import SessionOptions
from wheatpaste.middleware.auth.sessions.sessions import Sessions
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.storage.memory import MemoryStore
from wheatpaste.middleware.storage.memory_tables import MemoryTables
from wheatpaste.testing import Client, Clock, Response

NAVIGATE = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
RETURN = {**NAVIGATE, "Sec-Fetch-Site": "cross-site"}
MOUNT = "/-/auth"


def app(environ: Any, start_response: Any) -> list[bytes]:
    """Says who asks."""
    identity = environ.get("wheatpaste.identity") or {}
    body = f"{environ.get('REMOTE_USER', '-')} {','.join(identity.get('groups', ()))}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


class OidcSite:
    """Users, sessions and providers, all in memory; ``events`` is what the audit log says."""

    def __init__(
        self,
        clock: Clock,
        providers: Mapping[str, HostileProvider] | None = None,
        groups: Mapping[str, tuple[str, ...]] | None = None,
        public_url: str | None = None,
        mode: Any = "store",
        sections: Mapping[str, OidcOptions] | None = None,
        vault: Vault | None = None,
        **options: Any,
    ) -> None:
        self.clock = clock
        self.events: list[Mapping[str, Any]] = []
        tables, store, vault = MemoryTables(ACCOUNTS, IDENTITIES), MemoryStore(clock.time), vault or Vault.temporary()
        self.users = LocalUsers(tables, clock.time, Roles({}))
        self.identities = Identities(tables, clock.time)
        audit = Audit(self.events.append, clock.time)
        self.sessions = Sessions(
            store,
            vault,
            self.users,
            SessionOptions(mode=mode),
            clock.time,
            audit,
            raise_epoch=self.users.raise_epoch,
        )
        self.authority = Authority(
            site=Site(public_url=public_url),
            store=store,
            vault=vault,
            audit=audit,
            directory=self.users,
            sessions=self.sessions,
            users=self.users,
            identities=self.identities,
            clock=clock.time,
        )
        made = sections or {name: options_for(provider, **options) for name, provider in (providers or {}).items()}
        self.providers = Providers(self.authority, made, GroupOptions(groups=groups or {}))
        self.authority.methods = (self.providers.watched(self.sessions),)
        self.authority.add_routes(self.providers.routes())
        self.app = Guard(app, self.authority)

    def browser(self, **how: Any) -> Client:
        return Client(self.app, lint=True, **how)

    def reasons(self) -> list[str]:
        """Why logins failed and sessions ended, by the audit log."""
        return [str(each["reason"]) for each in self.events if "reason" in each]


def options_for(provider: HostileProvider, **changes: Any) -> OidcOptions:
    given: dict[str, Any] = {
        "issuer": provider.issuer,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "provision": "create",
        **changes,
    }
    return OidcOptions(**given)


def begin(browser: Client, name: str = "corp", target: str = "/page") -> str:
    """Follow the link to a provider; returns the address that the browser is sent to."""
    response = browser.get(f"{MOUNT}/oidc/{name}/start?next={target}", headers=NAVIGATE)
    assert response.status == 303, (response.status, response.text)
    location: str = response.headers["Location"]
    return location


def at_provider(address: str) -> str:
    """Log in at the provider; returns the address it sends the browser back to."""
    http = urllib3.PoolManager()
    response = http.request("GET", address, redirect=False, retries=False, headers={"Connection": "close"})
    http.clear()
    location: str = response.headers["Location"]
    return location


def come_back(browser: Client, address: str) -> Response:
    """Bring the provider's answer home."""
    parts = urlsplit(address)
    return browser.get(f"{parts.path}?{parts.query}", headers=RETURN)


def log_in(browser: Client, name: str = "corp", target: str = "/page") -> Response:
    """All of it."""
    return come_back(browser, at_provider(begin(browser, name, target)))
