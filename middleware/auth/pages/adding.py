"""What it takes to add a factor, at a login or later: a new seed as a picture, and what follows when it works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..account import Account
from ..factors import totp
from .sheet import site_name

if TYPE_CHECKING:
    from ..visit import Visit

SECONDS = 1800.0
"""How long the page with a new seed may stay open."""

_PURPOSE = "new totp seed"


def offers_totp(visit: Visit) -> bool:
    """Whether codes of an app are offered here."""
    return bool(visit.authority.factors.options.totp != "off")


def offers_passkeys(visit: Visit) -> bool:
    """Whether a passkey is offered here as a second factor."""
    factors = visit.authority.factors
    return factors.passkeys is not None and factors.options.passkeys


def signs_in_by_passkey(visit: Visit) -> bool:
    """Whether a passkey is enough to sign in, so that it has to know its user."""
    return "passkey" in visit.authority.site.login


def seed_values(visit: Visit, account: Account, seed: bytes) -> dict[str, Any]:
    """What a page shows of a new seed: a picture, its text in groups, and the seed itself sealed for the form."""
    address = totp.uri(seed, site_name(visit), account.name)
    text = totp.seed_text(seed)
    sealed = visit.authority.vault.seal_text(_PURPOSE, f"{visit.authority.clock()} {text}", account.id)
    try:
        picture = totp.qr_svg(address)
    except ImportError:  # the text does as well
        picture = ""
    groups = " ".join(text[at : at + 4] for at in range(0, len(text), 4))
    return {"seed": sealed, "seed_text": groups, "seed_address": address, "picture": picture}


def opened_seed(visit: Visit, account: Account, sealed: str) -> bytes | None:
    """The seed that a page has shown to this user a short while ago."""
    text = visit.authority.vault.open_text(_PURPOSE, sealed, account.id)
    if text is None:
        return None
    made, _, seed = text.partition(" ")
    age = visit.authority.clock() - float(made)
    return totp.read_seed(seed) if 0 <= age <= SECONDS else None


def added(visit: Visit, account: Account, kind: str) -> list[str] | None:
    """Do what follows when a factor was added: new recovery codes, if there are none; they are returned."""
    factors = visit.authority.factors
    has = factors.note(account.id)
    visit.authority.audit.note("mfa.add", visit, account, kind=kind)
    return factors.recovery.renew(account.id) if has and not factors.recovery.left(account.id) else None
