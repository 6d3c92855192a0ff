"""Everything that decides about the logins of one site, put together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, cast

from ...protocol.answer import Answer
from ...protocol.csrf import Forms, Tokens
from ...protocol.paths import uri_path
from ..storage.store import Store
from .account import Account
from .allowed import Allowed
from .answers import problem, see_other
from .logins import Logins
from .method import Method
from .refusals import login_url
from .return_to import safe_target
from .site import Site

if TYPE_CHECKING:
    from .accounts.local_users import LocalUsers
    from .audit import Audit
    from .directory import Directory
    from .factors.factors import Factors
    from .identities import Identities
    from .interrupted import Interrupted
    from .links import Links
    from .mail.post import Post
    from .passwords.checker import Passwords
    from .rules import Rules, Verdict
    from .sessions.sessions import Sessions
    from .tokens.api_tokens import ApiTokens
    from .vault import Vault
    from .visit import Visit

Page = Callable[["Visit"], Answer]
"""One of our pages."""


class Authority:
    """The services that methods and pages of one site share. Made by ``setup``; nothing is opened before its first use.

    Tests and embedders may make one with what they need and leave the rest out: nothing asks for what they do not use.
    """

    def __init__(
        self,
        *,
        site: Site,
        store: Store,
        vault: Vault,
        audit: Audit,
        directory: Directory | None = None,
        passwords: Passwords | None = None,
        sessions: Sessions | None = None,
        tokens: ApiTokens | None = None,
        users: LocalUsers | None = None,
        factors: Factors | None = None,
        links: Links | None = None,
        identities: Identities | None = None,
        interrupted: Interrupted | None = None,
        rules: Rules | None = None,
        methods: tuple[Method, ...] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.site = site
        self.store = store
        self.vault = vault
        self.audit = audit
        self.directory = cast("Directory", directory)
        self.passwords = cast("Passwords", passwords)
        self.sessions = cast("Sessions", sessions)
        self.tokens = cast("ApiTokens", tokens)
        self.users = cast("LocalUsers", users)
        self.factors = cast("Factors", factors)
        self.links = cast("Links", links)
        self.identities = cast("Identities", identities)
        self.interrupted = interrupted
        self.rules = rules
        self.methods = methods
        self.clock = clock
        self.logins = Logins(self)
        self.is_public_secure = (site.public_url or "").startswith("https:")
        self.forms = Forms(
            Tokens(lambda: self.vault.every_key("forms"), clock=clock),
            cookie="wheatpaste.form",
            trusted=site.trusted_origins,
            same_site="Lax",
            is_secure=self.is_public_secure,
        )
        self.app_tokens = Tokens(lambda: self.vault.every_key("app forms"), purpose="app", clock=clock)
        self.routes: dict[str, Page] = {}
        """Pages by their path below the mount; a key that ends in ``/*`` takes all below it."""
        self.well_known: dict[str, Page] = {}
        """Pages at paths that standards fix (RFC 8615), by ``PATH_INFO``."""
        self.strippers: list[Callable[[Visit], object]] = []
        """Take out of the environ what a client must not say, before anything is read."""
        self.enterers: list[Callable[[Visit], object]] = []
        """Put into the environ what compatible names need, once it is known who asks."""
        self.needs_second_factor: Callable[[Account], bool] = lambda account: account.has_second_factor
        """Whether one factor is not enough for this user."""
        self.message_page: Callable[[Visit, str, str], Answer] | None = None
        self.providers: dict[str, str] = {}
        """What the buttons of the login page call each provider, by its name."""
        self.issuers: dict[str, str] = {}
        """Who each provider is, by its name: what its users are known by, together with their subjects."""
        self.linkable: tuple[str, ...] = ()
        """The providers at which users may connect a login with their accounts."""
        self.editable: frozenset[str] = frozenset()
        """What users whom the site keeps itself may change of themselves: ``display``, ``email``."""
        self.leaving: Callable[[Visit], str | None] | None = None
        """Where a browser goes after its logout, if it has to go elsewhere; asked while the session is still there."""
        self.post: Post | None = None
        """What sends mails to users; None where the site sends none."""
        self.closers: list[Callable[[], object]] = []

    def add_routes(self, routes: Mapping[str, Page]) -> None:
        """Add pages. Raises ``ValueError`` where two claim the same path."""
        for path, page in routes.items():
            if path in self.routes:
                raise ValueError(f"two pages claim {path!r}")
            self.routes[path] = page

    def page(self, visit: Visit, path: str) -> Answer:
        """The answer of one of our own pages; ``path`` is below the mount, without its first slash."""
        page = self.routes.get(path)
        if page is None:
            head, slash, _ = path.rpartition("/")
            while slash and page is None:
                page = self.routes.get(f"{head}/*")
                head, slash, _ = head.rpartition("/")
        if page is None:
            return self.message(visit, "404 Not Found", "There is no such page here.")
        return page(visit)

    def message(self, visit: Visit, status: str, text: str) -> Answer:
        """One sentence, as a page where there are pages."""
        if self.message_page is not None:
            return self.message_page(visit, status, text)
        return problem(status, text)

    def url(self, visit: Visit, name: str = "") -> str:
        """The path of one of our pages, as a browser asks for it: ``url(visit, "login")``."""
        head = uri_path(visit.script_name) if visit.script_name else ""
        return f"{head}{self.site.mount}/{name}" if name else f"{head}{self.site.mount}"

    def absolute_url(self, visit: Visit, name: str = "") -> str:
        """The same with scheme and host, for other sites. Goes by ``public_url``; without, by the request's host."""
        if self.site.public_url is not None:
            return self.site.public_url.rstrip("/") + self.url(visit, name)
        environ = visit.environ
        host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        return f"{environ['wsgi.url_scheme']}://{host}{self.url(visit, name)}"

    def resume(self, visit: Visit, account: Account, target: str) -> str:
        """Where to send the browser once it is signed in: to the form that waits for this user, or where it wanted."""
        if self.interrupted is not None and "resume" in self.routes and self.interrupted.peek(visit, account.id):
            return self.url(visit, "resume")
        return safe_target(target) or uri_path(visit.script_name) + "/"

    def receive(self, visit: Visit) -> None:
        """Read a form before the app does, if the session of its user has ended and it may have to wait for a login."""
        if self.interrupted is not None and self.sessions.ended_account(visit) is not None:
            self.interrupted.receive(visit)

    def interrupt(self, visit: Visit) -> Answer | None:
        """Keep the form that an ended session has interrupted, and send the browser to the login; None if it cannot."""
        if self.interrupted is None:
            return None
        account_id = self.sessions.ended_account(visit)
        if account_id is None or not self.interrupted.keep(visit, account_id):
            return None
        return see_other(login_url(visit))

    def keep_for_step(self, visit: Visit) -> bool:
        """Keep a form whose user has to show more before it goes on; whether it is kept.

        The page where that is shown leads on to it (:meth:`resume`).
        """
        account = None if visit.identity is None else visit.identity.account
        if self.interrupted is None or account is None or "resume" not in self.routes:
            return False
        return self.interrupted.receive(visit) and self.interrupted.keep(visit, account.id)

    def decide(self, visit: Visit) -> Verdict | None:
        """What the rules say of a request; None where there are none, and the app decides."""
        return self.rules.decide(visit) if self.rules is not None and self.rules.says_something else None

    def allowed(self, visit: Visit) -> Callable[[str], bool]:
        """The function of ``wheatpaste.allowed`` for a request."""
        return Allowed(visit)

    def close(self) -> None:
        """Let go of files and connections: of all, even where one cannot be closed, whose error goes up then."""
        with ExitStack() as ending:
            for close in (self.store.close, *reversed(self.closers)):
                ending.callback(close)
