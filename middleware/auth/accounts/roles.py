"""What a role allows: permissions such as ``page:edit``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from ..account import NOBODY


class Roles:
    """The permissions of each role, as ``[auth:main:roles]`` lists them; a role that is not listed has none.

    ``page:*`` stands for all of ``page:…`` and ``*`` for all: whoever asks for a permission knows that.
    """

    def __init__(self, permissions: Mapping[str, Iterable[str]] | None = None) -> None:
        self._permissions = {role: frozenset(each) for role, each in (permissions or {}).items()}
        # There are as many combinations of roles as kinds of users, which are few.
        self.of = lru_cache(maxsize=1024)(self._of)
        """The permissions of all these roles together: ``of(frozenset({"editor"}))``."""

    @property
    def names(self) -> frozenset[str]:
        """The roles that are listed."""
        return frozenset(self._permissions)

    def _of(self, roles: frozenset[str]) -> frozenset[str]:
        return NOBODY.union(*(self._permissions.get(role, NOBODY) for role in roles))
