"""``[auth:main:mfa]`` and ``[auth:main:passkeys]``: who needs a second factor, and what passkeys are for."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from ....config.options import OptionError, between, component, each, option
from ..account import Account
from ..names import folded

_WHO = re.compile(r"(role|group|user):\S+")
_DOMAIN = re.compile(r"(?!-)[a-z0-9-]+(?:\.[a-z0-9-]+)*")


def _who_complaint(word: str) -> str | None:
    return None if _WHO.fullmatch(word) else "must be role:NAME, group:NAME or user:NAME"


def _domain_complaint(domain: str | None) -> str | None:
    if domain is None or _DOMAIN.fullmatch(domain):
        return None
    return "must be a host name in small letters, such as example.org"


def _origin_complaint(origin: str) -> str | None:
    parts = urlsplit(origin)
    is_local = parts.scheme == "http" and (parts.hostname or "").rpartition(".")[2] == "localhost"
    if (parts.scheme != "https" and not is_local) or not parts.hostname or origin != f"{parts.scheme}://{parts.netloc}":
        return "must be an origin such as https://www.example.org"
    return None


@component
class MfaOptions:
    """Who needs a second factor."""

    totp: Literal["off", "optional", "required"] = option(
        default="optional",
        doc="Codes of an app: not offered, for who wants, or a second factor for all. Who has one is always asked.",
    )
    require_for: tuple[str, ...] = option(
        default=(),
        doc="Who does not get in without a second factor: role:NAME, group:NAME, user:NAME. They set it up at the login"
        " or, signed in already, before they go on.",
        check=each(_who_complaint),
        sample="role:admin",
    )
    passkeys: bool = option(default=True, doc="A user's passkey is a second factor that is asked for after a password.")
    skew: int = option(
        default=1,
        doc="Codes of how many times thirty seconds ago still count.",
        check=between(0, 2),
    )
    per_hour: int = option(default=10, doc="Wrong codes that each account has in an hour.", check=between(3, 100))
    fresh: int = option(
        default=600,
        doc="Seconds after showing who one is in which password, factors and tokens can be changed.",
        check=between(60, 3600),
    )

    def requires(self, account: Account) -> bool:
        """Whether this user cannot log in with one factor."""
        if self.totp == "required":
            return True
        if not self.require_for:
            return False
        words = {f"role:{each}" for each in account.roles} | {f"group:{each}" for each in account.groups}
        words.add(f"user:{account.name}")
        # People log in as Bob or bob: what is written otherwise here must not mean nobody.
        return not {folded(each) for each in words}.isdisjoint(folded(each) for each in self.require_for)

    def needs_second_factor(self, account: Account) -> bool:
        """Whether one factor is not enough: the user has to have a second one, or has one."""
        return account.has_second_factor or self.requires(account)


@component
class PasskeyOptions:
    """What passkeys are for, and where they count."""

    domain: str | None = option(
        default=None,
        doc="The domain that passkeys belong to, the host of public_url or one above it. Those of another are lost.",
        check=_domain_complaint,
        sample="example.org",
    )
    origins: tuple[str, ...] = option(
        default=(),
        doc="Further origins whose pages may use them, besides that of public_url.",
        check=each(_origin_complaint),
        sample="https://www.example.org",
    )
    name: str = option(default="", doc="What authenticators call the site; empty takes its title.", sample="Our wiki")
    counter: Literal["refuse", "note"] = option(
        default="refuse",
        doc="What becomes of a passkey whose counter does not grow, as a copy's: no login, or a line in the audit.",
    )
    most: int = option(default=20, doc="Passkeys that a user may have.", check=between(1, 100))

    def relying_party(self, public_url: str) -> str:
        """The domain that passkeys belong to (RP ID). Raises ``OptionError`` where browsers would not take it."""
        host = (urlsplit(public_url).hostname or "").lower()
        if self.domain is None or host == self.domain or host.endswith(f".{self.domain}"):
            return self.domain or host
        what = f"must be {host}, the host of public_url, or a domain above it"
        raise OptionError("PasskeyOptions", "domain", what, part="passkeys")
