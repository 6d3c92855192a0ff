"""What a provider says of a user, read as strictly as it will be trusted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..account import NOBODY
from ..accounts.naming import email_complaint, line_complaint
from ..claims import claim_at

_MOST_GROUPS = 1000
_LONGEST_GROUP = 255
# One @, and a part before it that needs no quotes (RFC 5321 section 4.1.2): whoever reads addresses otherwise than we
# do must not find another address in the same text.
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@"
    r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+"
)


class Profile(NamedTuple):
    """A user of a provider. ``issuer`` and ``subject`` say who it is; everything else may change at any time.

    ``groups`` is None where the provider has said nothing of groups.
    """

    issuer: str
    subject: str
    name: str = ""
    display: str = ""
    email: str = ""
    email_verified: bool = False
    groups: frozenset[str] | None = None
    amr: tuple[str, ...] = ()
    acr: str = ""

    @property
    def label(self) -> str:
        """What people know the user by: the full name, the name and the address, as far as the provider tells."""
        text = " · ".join(dict.fromkeys(each for each in (self.display, self.name, self.email) if each))
        return "".join(each for each in text or self.subject if each.isprintable())[:200]


def address_in(claims: Mapping[str, Any]) -> tuple[str, bool]:
    """The mail address among the claims, and whether the provider says that it is verified; ``""`` for none."""
    told = claims.get("email")
    if not isinstance(told, str) or not _ADDRESS.fullmatch(told) or email_complaint(told) is not None:
        return "", False
    # JSON's true alone: the text "false" is true for many.
    return told, claims.get("email_verified") is True


def text_at(claims: Mapping[str, Any], path: str) -> str:
    """A claim as a line of text that can be shown, or ``""``."""
    found = claim_at(claims, path)
    return found if isinstance(found, str) and line_complaint(found) is None else ""


def groups_in(claims: Mapping[str, Any], path: str) -> frozenset[str] | None:
    """The groups that a claim holds: a list of texts, or texts with blanks between; None where it is not there."""
    found = claim_at(claims, path) if path else None
    if isinstance(found, str):
        found = found.split()
    if not isinstance(found, list):
        return None
    named = (each for each in found[:_MOST_GROUPS] if isinstance(each, str) and 0 < len(each) <= _LONGEST_GROUP)
    return frozenset(each for each in named if each.isprintable()) or NOBODY
