"""All providers of a site, as the rest of its authentication sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ....config.options import OptionError
from ....protocol.answer import Answer
from ..accounts.options import GroupOptions
from ..identity import Identity
from ..method import Failed, Method
from .admission import Admission
from .github import GitHub
from .keys import require_packages
from .options import OidcOptions
from .outbound import Outbound
from .pages import ProviderPages
from .provider import Provider
from .standing import Standing
from .vouched import MEMBER

if TYPE_CHECKING:
    from ..authority import Authority
    from ..visit import Visit

_USUAL_TITLES = {"github": "GitHub"}


class Providers:
    """The providers of a site, by the names of their sections: ``[auth:main:oidc:NAME]``.

    Raises ``OptionError`` and ``ConfigError`` for what cannot be.
    """

    def __init__(
        self, authority: Authority, sections: Mapping[str, OidcOptions], groups: GroupOptions | None = None
    ) -> None:
        require_packages()
        for name, options in sections.items():
            if options.response_mode == "form_post" and not authority.is_public_secure:
                what = "form_post needs a public_url with https://: browsers send the login's cookie by TLS alone then"
                raise OptionError("OidcOptions", "response_mode", what, part=f"oidc:{name}")
        self._authority = authority
        self.all: dict[str, Provider | GitHub] = {
            name: _provider(name, options, authority.clock) for name, options in sections.items()
        }
        self.titles = {
            name: options.title or _USUAL_TITLES.get(options.preset, name) for name, options in sections.items()
        }
        """What people are shown as the providers' names."""
        admission = Admission(
            authority.identities, authority.directory, authority.users, groups or GroupOptions(), authority.audit
        )
        self._pages = {name: ProviderPages(authority, each, admission) for name, each in self.all.items()}
        self._standing = Standing(authority, self.all, admission)

    def routes(self) -> dict[str, Callable[[Visit], Answer]]:
        """The pages of all providers by their paths below the mount."""
        return {path: page for each in self._pages.values() for path, page in each.routes().items()}

    def watched(self, sessions: Method) -> Method:
        """The method ``session``, in whose place it goes: a provider that takes back its word ends the session."""
        return _Watched(sessions, self._standing)

    def logout_address(self, visit: Visit) -> str | None:
        """Where a logout of this request's session has to send the browser, or None: ask before the session ends."""
        found = self._authority.sessions.identify(visit)
        name = found.claims.get(MEMBER) if isinstance(found, Identity) else None
        pages = None if name is None else self._pages.get(name)
        return None if pages is None else pages.logout_address(visit)


def _provider(name: str, options: OidcOptions, clock: Callable[[], float]) -> Provider | GitHub:
    kind = GitHub if options.preset == "github" else Provider
    return kind(name, options, Outbound(options.ca_file), clock)


class _Watched:
    """A method whose identities are looked at once more."""

    def __init__(self, sessions: Method, standing: Standing) -> None:
        self.name = sessions.name
        self._sessions = sessions
        self._standing = standing

    def identify(self, visit: Visit) -> Identity | Failed | None:
        """Who the session's user is, if its provider has not said otherwise by now."""
        found = self._sessions.identify(visit)
        return self._standing.check(visit, found) if isinstance(found, Identity) else found

    def challenges(self, visit: Visit) -> Sequence[str]:
        """Those of the sessions."""
        return self._sessions.challenges(visit)
