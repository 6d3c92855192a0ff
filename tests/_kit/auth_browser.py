"""Browsers for tests of the authentication: they keep cookies, and make visits to a site without a server."""

from __future__ import annotations

import io
from typing import Any

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.middleware.storage.memory import MemoryStore


class People:
    """A directory of a few accounts, by id."""

    def __init__(self, *accounts: Account) -> None:
        self.accounts = {account.id: account for account in accounts}

    def get(self, account_id: str) -> Account | None:
        return self.accounts.get(account_id)

    def find(self, name: str) -> Account | None:
        return next((each for each in self.accounts.values() if each.name.lower() == name.lower()), None)

    def change(self, account_id: str, **fields: Any) -> Account:
        self.accounts[account_id] = changed = self.accounts[account_id]._replace(**fields)
        return changed

    def raise_epoch(self, account_id: str) -> None:
        self.change(account_id, epoch=self.accounts[account_id].epoch + 1)


class Notes:
    """An audit log that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str | None, dict[str, Any]]] = []

    def note(self, event: str, visit: Any = None, account: Account | None = None, **fields: Any) -> None:
        self.events.append((event, None if account is None else account.id, fields))


def account(name: str = "bob", **fields: Any) -> Account:
    return Account(id=f"local:{name}", name=name, source="local", **fields)


def authority(
    clock: Any, *, store: Any = None, vault: Vault | None = None, people: Any = None, **services: Any
) -> Authority:
    """An authority with what sessions need; ``services`` are more of it."""
    return Authority(
        site=services.pop("site", Site()),
        store=store if store is not None else MemoryStore(clock),
        vault=vault if vault is not None else Vault.temporary(),
        audit=services.pop("audit", Notes()),
        directory=people if people is not None else People(account()),
        clock=clock,
        **services,
    )


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


class Browser:
    """Makes visits, and keeps the cookies that they are answered with."""

    def __init__(
        self, authority: Authority, *, address: str = "192.0.2.7", agent: str = FIREFOX, scheme: str = "https"
    ):
        self.authority = authority
        self.address = address
        self.agent = agent
        self.scheme = scheme
        self.cookies: dict[str, str] = {}

    def copy(self, **changed: Any) -> Browser:
        """Another browser with the same cookies: whoever has stolen them."""
        made = Browser(
            self.authority,
            **{"address": self.address, "agent": self.agent, "scheme": self.scheme, **changed},
        )
        made.cookies = dict(self.cookies)
        return made

    def environ(self, method: str = "GET", path: str = "/", body: bytes = b"", **more: Any) -> dict[str, Any]:
        cookies = more.pop("cookies", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        made = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "wiki.example.org",
            "SERVER_PORT": "443" if self.scheme == "https" else "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "wiki.example.org",
            "HTTP_USER_AGENT": self.agent,
            "REMOTE_ADDR": self.address,
            "wsgi.url_scheme": self.scheme,
            "wsgi.input": io.BytesIO(body),
        }
        if body:
            made["CONTENT_LENGTH"] = str(len(body))
        if cookies:
            made["HTTP_COOKIE"] = cookies
        return {**made, **more}

    def visit(self, **request: Any) -> Visit:
        return Visit(self.authority, self.environ(**request))

    def keep(self, visit: Visit) -> None:
        """Take the cookies that a visit is answered with."""
        for name, value in visit.headers:
            if name == "Set-Cookie":
                pair, *attributes = value.split("; ")
                key, _, content = pair.partition("=")
                if "Max-Age=0" in attributes:
                    self.cookies.pop(key, None)
                else:
                    self.cookies[key] = content
