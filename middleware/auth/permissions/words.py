"""Words of the language of rules, and how a name is written that could be taken for one."""

from __future__ import annotations

import re
from collections.abc import Iterable

RESERVED = frozenset(
    ["anonymous", "and", "authenticated", "between", "claim", "environ", "everyone", "fresh", "from", "group"]
    + ["method", "mfa", "nobody", "not", "or", "permission", "role", "scope", "secure", "test", "token", "user", "via"]
)
"""A bare word of these is never a name, but for the first after another word: ``role user`` is a role."""

BARE = r"[^\s()\"',=]+"
"""A word that needs no quotes."""

_BARE = re.compile(BARE)


def quoted(name: str) -> str:
    """A name as it stands in a rule: in quotes where it would be read as something else."""
    if _BARE.fullmatch(name) and name.lower() not in RESERVED:
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def phrase(word: str, names: Iterable[str]) -> str:
    """A word with the names that follow it."""
    return " ".join([word, *map(quoted, names)])
