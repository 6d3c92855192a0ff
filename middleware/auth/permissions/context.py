"""What a permission may look at: who asks, and the request."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ....protocol.wsgi import Environ

if TYPE_CHECKING:
    from ..identity import Identity
    from ..visit import Visit


class Context:
    """The request about which is decided, and who makes it (None: nobody is known).

    ``clock`` gives seconds since 1970. ``is_secure`` says that the client came over TLS although ``wsgi.url_scheme``
    does not: a proxy in front took it off.
    """

    __slots__ = ("_is_secure", "clock", "environ", "identity")

    def __init__(
        self,
        identity: Identity | None,
        environ: Environ,
        clock: Callable[[], float] = time.time,
        *,
        is_secure: bool = False,
    ) -> None:
        self.identity = identity
        self.environ = environ
        self.clock = clock
        self._is_secure = is_secure

    @classmethod
    def of(cls, visit: Visit) -> Context:
        """The context of a request that came through the Auth filter."""
        authority = visit.authority
        return cls(visit.identity, visit.environ, authority.clock, is_secure=authority.is_public_secure)

    @property
    def is_secure(self) -> bool:
        """Whether the client came over TLS, as far as can be told."""
        return self._is_secure or self.environ.get("wsgi.url_scheme") == "https"

    @property
    def method(self) -> str:
        """The request method in capitals, in which frameworks read it, however it was sent."""
        method: str = self.environ.get("REQUEST_METHOD", "")
        return method.upper()

    @property
    def address(self) -> str:
        """The client's address; the server, or a filter further out, has decided which proxies to believe."""
        return self.environ.get("REMOTE_ADDR") or ""
