"""What the sections of a site come to: its services, put together once. Nothing is opened before it is needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...config.options import OptionError
from ...config.problems import ConfigError
from ..storage.places import store_of, tables_of
from ..storage.store import Store
from ..storage.table_store import SCHEMA as STORE
from ..storage.table_store import TableStore
from . import forward_auth
from .accounts.local_users import LocalUsers
from .accounts.options import GroupOptions, RoleOptions, StoreOptions
from .accounts.tables import SCHEMA as ACCOUNTS
from .audit import Audit
from .authority import Authority
from .chosen_methods import MAKERS, sections_lacking
from .directory import Directory
from .factors.options import MfaOptions, PasskeyOptions
from .factors.tables import SCHEMA as FACTORS
from .identities import SCHEMA as IDENTITIES
from .identities import Identities
from .interrupted import Interrupted
from .key_file import MAKE_KEY
from .links import SCHEMA as LINKS
from .links import Links
from .method import Method
from .methods.digest_secrets import SCHEMA as DIGESTS
from .methods.identity_headers import strip_identity_headers
from .methods.tkt import offer
from .pages import routes as pages
from .rules import RuleOptions, Rules
from .sessions.options import SessionOptions
from .sessions.sessions import Sessions
from .site import METHODS, Site
from .sources.options import UserOptions, sources_of
from .tokens.api_tokens import SCHEMA as TOKENS
from .tokens.api_tokens import ApiTokens
from .vault import Vault

if TYPE_CHECKING:
    from ..storage.tables import Tables
    from .factors.factors import Factors
    from .factors.passkeys import Passkeys
    from .mail.options import MailOptions
    from .mail.post import Post
    from .methods.digest import DigestOptions
    from .methods.digest_secrets import DigestSecrets, Secrets
    from .passwords.checker import Changed, Passwords
    from .passwords.throttle import Throttle

Clock = Callable[[], float]


def authority_of(parts: Mapping[str, Any], clock: Clock = time.time, name: str = "main") -> Authority:
    """The authority of a site, from the components of its sections by their names (``""`` for ``[auth:NAME]``).

    Raises ``ConfigError`` and ``OptionError`` for what sections say that cannot be.
    """
    return Assembly(parts, clock, name).authority()


class Assembly:
    """The services of a site while they are put together: each is made when the first other needs it."""

    # Which options name stores: component, option, section.
    _url: tuple[str, str, str | None] = ("StoreOptions", "url", "store")
    _sessions: tuple[str, str, str | None] = ("StoreOptions", "sessions", "store")

    def __init__(self, parts: Mapping[str, Any], clock: Clock = time.time, name: str = "main") -> None:
        self.parts = parts
        self.name = name
        self.clock = clock
        self.site: Site = parts[""]
        self._methods: dict[str, Method] = {}

    def options(self, name: str, default: type) -> Any:
        """The options of a part; those of ``default`` where the file does not have it."""
        found = self.parts.get(name)
        return default() if found is None else found

    def authority(self) -> Authority:
        """All of it."""
        authority = Authority(
            site=self.site,
            store=self.store,
            vault=self.vault,
            audit=self.audit,
            directory=self.directory,
            passwords=self.passwords,
            sessions=self.sessions,
            tokens=self.tokens,
            users=self.users,
            factors=self.factors,
            links=self.links,
            identities=self.identities,
            interrupted=self.interrupted,
            rules=self.rules,
            methods=self.methods,
            clock=self.clock,
        )
        # Whoever deletes a user, nothing of the user stays behind.
        keepers = (self.sessions, self.tokens, self.factors, self.links, self.identities)
        self.users.forgetters += [each.forget for each in keepers]
        if "digest" in self.site.methods:
            self.users.forgetters.append(self.digest_secrets.forget)
        authority.needs_second_factor = self.mfa.needs_second_factor
        authority.editable = frozenset(self.options("users", UserOptions).editable)
        authority.closers.append(self.tables.close)
        self.wire(authority)
        if self.post is not None:
            authority.post = self.post
            authority.closers.insert(0, self.post.close)  # before the store, which it needs
        self._add_providers(authority)
        authority.add_routes(forward_auth.routes(authority))
        if "session" in self.site.methods:
            authority.add_routes(pages.routes(authority))
        return authority

    @cached_property
    def methods(self) -> tuple[Method, ...]:
        """The methods of the site, in the order in which they are asked. Raises ``OptionError``."""
        lacking = sections_lacking(self.name, self.site, self.parts)
        if lacking is not None:
            raise OptionError("Site", "methods", lacking, part="")
        return tuple(self.method(word) for word in METHODS if word in self.site.methods)

    def wire(self, authority: Authority) -> None:
        """Tell the authority what the methods do besides: before a request, with its environ, and at its end."""
        if "header" not in self.site.methods:
            authority.strippers.append(strip_identity_headers)
        if authority.sessions is not None:
            authority.enterers.append(offer)
        for method in self.methods:
            strip, enter = getattr(method, "strip", None), getattr(method, "enter", None)
            if strip is not None:
                authority.strippers.append(strip)
            if enter is not None:
                authority.enterers = [enter]
            if hasattr(method, "withdraw"):
                self.sessions.ending.append(method.withdraw)
            metadata = getattr(method, "metadata", None)
            if metadata is not None:
                authority.well_known["/.well-known/oauth-protected-resource"] = metadata
        authority.closers += [self.audit.close, self.passwords.close, self.directory.close]

    def _add_providers(self, authority: Authority) -> None:
        sections = {name.partition(":")[2]: each for name, each in self.parts.items() if name.startswith("oidc:")}
        if not sections:
            return
        if "session" not in self.site.methods:
            what = "must name session: a login at a provider begins one, which nobody would look at"
            raise OptionError("Site", "methods", what, part="")
        from .oidc.providers import Providers

        providers = Providers(authority, sections, self.groups)
        authority.providers = providers.titles
        authority.issuers = {name: each.issuer for name, each in providers.all.items()}
        authority.linkable = tuple(name for name, each in sections.items() if each.linking)
        authority.leaving = providers.logout_address
        authority.add_routes(providers.routes())
        authority.methods = tuple(
            providers.watched(each) if each is self.sessions else each for each in authority.methods
        )

    @cached_property
    def vault(self) -> Vault:
        """The keys. Raises ``OptionError`` where the site has none, and ``ConfigError`` for a key file."""
        if self.site.secret is None:
            raise OptionError("Site", "secret", f"is missing: nothing can be signed; {MAKE_KEY}", part="")
        with _said_of("Site", "secret", ""):
            return Vault.read(self.site.secret)

    @cached_property
    def audit(self) -> Audit:
        """Where events are written."""
        return Audit(self.site.audit, self.clock)

    @cached_property
    def _store_options(self) -> StoreOptions:
        options: StoreOptions = self.options("store", StoreOptions)
        return options

    @cached_property
    def tables(self) -> Tables:
        """Users, tokens and what else is not gone with its time; sessions, too, unless they are kept elsewhere."""
        with _said_of(*self._url):
            return tables_of(self._store_options.url, ACCOUNTS, TOKENS, DIGESTS, FACTORS, LINKS, IDENTITIES, STORE)

    @cached_property
    def store(self) -> Store:
        """Sessions, counters and whatever is good once."""
        place = self._store_options.sessions
        if place is None:
            return TableStore(self.tables, self.clock)
        with _said_of(*self._sessions):
            return store_of(place, self.clock)

    @cached_property
    def users(self) -> LocalUsers:
        """The site's own users, groups and grants."""
        roles: RoleOptions = self.options("roles", RoleOptions)
        return LocalUsers(self.tables, self.clock, roles.roles)

    @cached_property
    def groups(self) -> GroupOptions:
        """Which groups of others are ours."""
        groups: GroupOptions = self.options("groups", GroupOptions)
        return groups

    @cached_property
    def directory(self) -> Directory:
        """The users of all sources."""
        options: UserOptions = self.options("users", UserOptions)
        sources = sources_of(options, self.site.realm, self.users, self.parts.get("ldap"))
        return Directory(sources, self.users.complete, lent=options.callable)

    @cached_property
    def throttle(self) -> Throttle:
        """What slows guesses down."""
        from .passwords.options import PasswordOptions, throttle_of

        return throttle_of(self.options("password", PasswordOptions), self.store, self.vault, self.clock)

    @cached_property
    def passwords(self) -> Passwords:
        """What knows whether a password is right."""
        from .passwords.options import PasswordOptions, passwords_of

        host = urlsplit(self.site.public_url or "").hostname or ""
        return passwords_of(
            self.options("password", PasswordOptions),
            self.directory,
            self.throttle,
            self.audit,
            words=tuple(word for word in (self.site.title, host) if word),
            changed=self.learn,
            shown=self.learn,
        )

    @property
    def learn(self) -> Changed | None:
        """What is told each password that is shown or changed: Digest needs a hash of its own."""
        return self.digest_secrets.learn if "digest" in self.site.methods else None

    @cached_property
    def sessions(self) -> Sessions:
        """The sessions."""
        options: SessionOptions = self.options("session", SessionOptions)
        return Sessions(
            self.store,
            self.vault,
            self.directory,
            options,
            self.clock,
            self.audit,
            raise_epoch=self.users.raise_epoch,
            state=self.tables.state if self._store_options.sessions is None else None,
        )

    @cached_property
    def tokens(self) -> ApiTokens:
        """The tokens that users make for programs."""
        from .methods.bearer import BearerOptions

        options: BearerOptions = self.options("bearer", BearerOptions)
        return ApiTokens(self.tables, self.clock, prefix=options.prefix, longest=options.longest, scopes=options.scopes)

    @cached_property
    def mfa(self) -> MfaOptions:
        """Who needs a second factor."""
        options: MfaOptions = self.options("mfa", MfaOptions)
        return options

    @cached_property
    def factors(self) -> Factors:
        """The second factors of users."""
        from .factors.factors import Factors

        return Factors(
            self.tables,
            self.vault,
            self.clock,
            store=self.store,
            options=self.mfa,
            passkeys=self._passkeys(),
            changed=self.users.set_second_factor,
        )

    def _passkeys(self) -> Passkeys | None:
        """Passkeys, which belong to an address: without one there are none."""
        if self.site.public_url is None or ("passkey" not in self.site.login and "passkeys" not in self.parts):
            return None
        from .factors.challenge import Challenges
        from .factors.passkeys import Passkeys

        return Passkeys(
            self.tables,
            Challenges(self.store, self.vault, self.clock),
            self.site.public_url,
            self.options("passkeys", PasskeyOptions),
            self.clock,
            title=self.site.title,
        )

    @cached_property
    def links(self) -> Links:
        """Invitations and resets."""
        return Links(self.tables, self.clock)

    @cached_property
    def post(self) -> Post | None:
        """What sends mails, if anything. Raises ``OptionError``."""
        options: MailOptions | None = self.parts.get("mail")
        if options is None:
            return None
        from .mail.options import NEEDS_URL
        from .mail.post import Post

        if self.site.public_url is None:
            raise OptionError("Site", "public_url", NEEDS_URL, part="")
        return Post(
            options,
            self.site,
            directory=self.directory,
            users=self.users,
            links=self.links,
            audit=self.audit,
            store=self.store,
            clock=self.clock,
        )

    @cached_property
    def identities(self) -> Identities:
        """Which users of providers are which of ours."""
        return Identities(self.tables, self.clock)

    @cached_property
    def interrupted(self) -> Interrupted:
        """Forms that wait for a login."""
        return Interrupted(self.store, self.vault, self.clock, self.site.save_posts)

    @cached_property
    def digest_secrets(self) -> DigestSecrets:
        """What Digest verifies against, in our tables."""
        from .methods.digest import DigestOptions
        from .methods.digest_secrets import DigestSecrets

        options: DigestOptions = self.options("digest", DigestOptions)
        return DigestSecrets(self.tables, self.vault, self.site.realm, options.algorithms, self.clock)

    def verifying_digest(self) -> tuple[Secrets, DigestOptions]:
        """All that Digest verifies against, and what it offers."""
        from .methods.digest import DigestOptions
        from .methods.digest_secrets import SeveralSecrets

        files: list[Secrets] = [each for each in self.directory.sources if hasattr(each, "ha1")]  # type: ignore[misc]
        return SeveralSecrets(*files, self.digest_secrets), self.options("digest", DigestOptions)

    @cached_property
    def rules(self) -> Rules:
        """Who may have which paths."""
        options: RuleOptions = self.options("rules", RuleOptions)
        return Rules(options, self.site.default)

    def method(self, word: str) -> Method:
        """The method of this name, one for all who need it."""
        if word not in self._methods:
            self._methods[word] = MAKERS[word](self)
        return self._methods[word]


@contextmanager
def _said_of(component: str, option: str, part: str | None) -> Iterator[None]:
    """Say of an option what is wrong with what it names, so that it is told where the option stands.

    What stands in a file of its own keeps its place there.
    """
    try:
        yield
    except ConfigError as error:
        problem = error.problems[0]
        if problem.file is not None:
            raise
        what = problem.what.removeprefix(f"{option} ")
        what = f"{what}; {problem.fix}" if problem.fix else what
        raise OptionError(component, option, what, part=part) from error
