"""How a request may show who makes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from .identity import Identity

if TYPE_CHECKING:
    from .visit import Visit


class Failed(NamedTuple):
    """Credentials were shown and do not count.

    ``reason`` is a word for the audit log and for nobody else; what the client may know stands in ``error`` and
    ``description`` (RFC 6750 section 3.1). ``status`` is the answer where the request cannot go on without them.
    """

    reason: str
    error: str = ""
    description: str = ""
    status: int = 401
    retry_after: int | None = None


class Method(Protocol):
    """One method of identification. ``name`` is its word in ``[auth:main] methods``."""

    name: str

    def identify(self, visit: Visit) -> Identity | Failed | None:
        """Who the request is from; None where it shows nothing of this method. Never raises for what a client sends.

        ``StoreError`` passes: then nobody gets in.
        """

    def challenges(self, visit: Visit) -> Sequence[str]:
        """The values of ``WWW-Authenticate`` by which clients learn that they can use this method (RFC 9110, 11.6.1).

        What failed in this request is in ``visit.failed``, by the name of the method.
        """
