"""``[auth:main:store]``, ``[auth:main:groups]`` and ``[auth:main:roles]``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field

from ....config.options import component, option
from ....config.reader import Family, Reader
from ...storage.places import store_complaint, tables_complaint
from .naming import word_complaint
from .roles import Roles

_PERMISSION = re.compile(r"(?:[\w.+~-]+:)*(?:[\w.+~-]+|\*)")
_THEIRS = re.compile(r"[\w.-]+/\S.*")


@component
class StoreOptions:
    """Where users, tokens and sessions are kept."""

    url: str = option(
        default="memory:",
        doc="The tables: memory: for a try, sqlite:///PATH, or postgresql://USER:PASSWORD@HOST/DATABASE.",
        check=tables_complaint,
        secret=True,
        sample="sqlite:///%(here)s/auth.db",
    )
    sessions: str | None = option(
        default=None,
        doc="Sessions and counters, where they are kept elsewhere: redis://HOST:PORT/NUMBER, or as above.",
        check=store_complaint,
        secret=True,
        sample="redis://localhost/3",
    )


@component
class GroupOptions:
    """Groups of providers and proxies that mean one of ours: ``OURS = PROVIDER/THEIRS …``."""

    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def ours(self, provider: str, theirs: frozenset[str]) -> frozenset[str]:
        """Our groups for somebody who has these groups at a provider; ``*`` stands for anybody whom it names."""
        return frozenset(
            ours
            for ours, meant in self.groups.items()
            if any(
                head == provider and (name == "*" or name in theirs)
                for head, _, name in (each.partition("/") for each in meant)
            )
        )


@component
class RoleOptions:
    """What each role allows: ``ROLE = THING:VERB …``."""

    permissions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def roles(self) -> Roles:
        """The roles, as accounts need them."""
        return Roles(self.permissions)


def _read_theirs(text: str, folder: str | None) -> tuple[str, ...]:
    # Groups of providers may have blanks in their names: then each has a line of its own.
    words = [line.strip() for line in text.splitlines() if line.strip()]
    if len(words) == 1:
        words = words[0].split()
    for each in words:
        if not _THEIRS.fullmatch(each):
            raise ValueError(f"must be PROVIDER/GROUP or PROVIDER/*, and {each!r} is not")
    return tuple(words)


def _read_permissions(text: str, folder: str | None) -> tuple[str, ...]:
    words = tuple(text.split())
    for each in words:
        if not _PERMISSION.fullmatch(each):
            raise ValueError(f"must be permissions such as page:edit or page:*, and {each!r} is not")
    return words


GROUPS = Family(
    name="groups",
    parse=_read_theirs,
    key="GROUP",
    kind="words PROVIDER/GROUP, one to a line where they have blanks",
    doc="Which groups of providers mean this group of ours; PROVIDER/* means everybody whom the provider names.",
    sample=("staff", "corp/wiki-users corp/wiki-admins"),
    complaint=word_complaint,
)

ROLES = Family(
    name="permissions",
    parse=_read_permissions,
    key="ROLE",
    kind="words",
    doc="The permissions that the role gives; page:* stands for all of page:….",
    sample=("editor", "page:edit page:view"),
    complaint=word_complaint,
)

GROUPS_READER = Reader(component=GroupOptions, family=GROUPS)
"""How ``[auth:main:groups]`` is read."""

ROLES_READER = Reader(component=RoleOptions, family=ROLES)
"""How ``[auth:main:roles]`` is read."""
