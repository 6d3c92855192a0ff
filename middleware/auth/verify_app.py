"""``egg:wheatpaste#verify``: a server of its own that other servers ask whether a request may pass.

It answers for apps that are elsewhere, by ``forward_auth``: whatever path it is asked at. Below the mount it has the
pages for login and account. Removes what a client must not say of itself, as the filter does, see ``auth``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...config.factories import make_app_factory
from ...config.mounts import KeyProblem
from ...config.options import OptionError, component, option
from ...config.parts import NO_PARTS
from ...config.records import field
from ...protocol.answer import Answer
from ...protocol.wsgi import Body, Environ, StartResponse, WSGIApp
from ..storage.store import StoreError
from .answers import problem
from .auth import FORGEABLE, Guard
from .auth_filter import PARTS
from .authority import Authority
from .forward_auth import ForwardAuth
from .setup import authority_of
from .visit import Visit

if TYPE_CHECKING:
    from ...config.surroundings import Surroundings

log = logging.getLogger(__name__)


@component
class Verify:
    """Tell nginx, Traefik or Caddy whether a request may pass, and offer a login."""

    auth: str = option(default="main", doc="Which sections say how: [auth:NAME], and those whose names begin so.")
    config: Path | None = option(default=None, doc="The file that holds those sections, where it is another one.")
    asks: Literal["nginx", "traefik", "caddy"] = option(
        default="nginx", doc="Which server asks: nginx knows fewer answers and other headers than the two others."
    )
    parts: Mapping[str, Any] = field(default=NO_PARTS, repr=False)
    authority: Authority = field(init=False, repr=False)
    _pages: WSGIApp = field(init=False, repr=False)
    _endpoint: ForwardAuth = field(init=False, repr=False)

    def __post_init__(self) -> None:
        authority = authority_of(self.parts, name=self.auth)
        if not authority.site.trusted_proxies:
            raise OptionError("Verify", "trusted_proxies", "must name the server that asks", part="")
        object.__setattr__(self, "authority", authority)
        object.__setattr__(self, "_pages", Guard(_nowhere, authority))
        object.__setattr__(self, "_endpoint", ForwardAuth(authority, "verify" if self.asks == "nginx" else "forward"))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Say whether the request may pass that this one asks about, or show a page."""
        mount = self.authority.site.mount
        path: str = environ.get("PATH_INFO", "")
        if path == mount or path.startswith(mount + "/"):
            return self._pages(environ, start_response)
        visit = Visit(self.authority, environ)
        try:
            answer = self._answer(visit)
        except StoreError as error:
            log.error("no request may pass while the store cannot be used: %s", error)
            answer = _UNAVAILABLE
        return answer.send(environ, start_response, visit.headers)

    def problems(self, stack: Surroundings) -> Iterator[KeyProblem]:
        """What is wrong with the sections where they stand."""
        from .problems import problems_of  # for a check alone

        yield from problems_of(self.auth, self.parts, stack)

    def close(self) -> None:
        """Let go of files and connections."""
        self.authority.close()

    def _answer(self, visit: Visit) -> Answer:
        for key in FORGEABLE:
            visit.environ.pop(key, None)
        for strip in self.authority.strippers:
            strip(visit)
        return self._endpoint(visit)


def _nowhere(environ: Environ, start_response: StartResponse) -> Body:
    return problem("404 Not Found", "There is no such page here.").send(environ, start_response)


_UNAVAILABLE = problem(
    "503 Service Unavailable", "It cannot be told at the moment who may do what.", [("Retry-After", "10")]
)

app_factory = make_app_factory(Verify, parts=PARTS)
