"""Everything that decides about the logins of one site, put together."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...protocol.csrf import Forms, Tokens
from ...protocol.paths import uri_path
from ..storage.store import Store
from .account import Account
from .logins import Logins
from .method import Method
from .return_to import safe_target
from .site import Site

if TYPE_CHECKING:
    from .visit import Visit


class Authority:
    """The services that methods and pages of one site share. Made by ``setup``; nothing is opened before its first use.

    Tests and embedders may make one with what they need and leave the rest out.
    """

    def __init__(
        self,
        *,
        site: Site,
        store: Store,
        vault: Any,
        audit: Any,
        directory: Any = None,
        passwords: Any = None,
        sessions: Any = None,
        tokens: Any = None,
        users: Any = None,
        factors: Any = None,
        links: Any = None,
        policy: Any = None,
        methods: tuple[Method, ...] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.site = site
        self.store = store
        self.vault = vault
        self.audit = audit
        self.directory = directory
        self.passwords = passwords
        self.sessions = sessions
        self.tokens = tokens
        self.users = users
        self.factors = factors
        self.links = links
        self.policy = policy
        self.methods = methods
        self.clock = clock
        self.logins = Logins(self)
        self.is_public_secure = (site.public_url or "").startswith("https:")
        self.forms = Forms(
            Tokens(lambda: self.vault.key("forms"), clock=clock),
            cookie="wheatpaste.form",
            trusted=site.trusted_origins,
        )

    def url(self, visit: Visit, name: str = "") -> str:
        """The path of one of our pages, as a browser asks for it: ``url(visit, "login")``."""
        return uri_path(visit.script_name) + self.site.mount + (f"/{name}" if name else "")

    def absolute_url(self, visit: Visit, name: str = "") -> str:
        """The same with scheme and host, for other sites. Goes by ``public_url``; without, by the request's host."""
        if self.site.public_url is not None:
            return self.site.public_url.rstrip("/") + self.url(visit, name)
        environ = visit.environ
        host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        return f"{environ['wsgi.url_scheme']}://{host}{self.url(visit, name)}"

    def needs_second_factor(self, account: Account, visit: Visit) -> bool:
        """Whether a login with one factor is not enough for this user."""
        return account.has_second_factor

    def resume(self, visit: Visit, account: Account, target: str) -> str:
        """Where to send the browser once it is signed in."""
        return safe_target(target) or uri_path(visit.script_name) + "/"
