"""By which ways an account can be entered, so that nobody takes their last one away."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..account import NOBODY, OWN, Account
from ..passwords.checker import Changeable

if TYPE_CHECKING:
    from ..authority import Authority
    from ..identity import Identity
    from ..visit import Visit


class ProviderName(NamedTuple):
    """A provider: its word in the configuration, and what people call it."""

    name: str
    title: str


def has_password(authority: Authority, account: Account) -> bool:
    """Whether the account can be entered by a password on the login page."""
    if "password" not in authority.site.login:
        return False
    source = authority.directory.source_of(account)
    if source is None:
        return False
    # Other sources verify themselves, or have no users without a password.
    return source.name != "local" or source.password_hash(account) is not None


def can_change_password(authority: Authority, account: Account) -> bool:
    """Whether the account's source keeps passwords that its users can change."""
    return isinstance(authority.directory.source_of(account), Changeable)


def can_ask_for_password(authority: Authority) -> bool:
    """Whether who has forgotten a password can have a link by mail: the site has users of its own, and sends mails."""
    is_ready = authority.post is not None and authority.directory.source(OWN) is not None
    return is_ready and "password" in authority.site.login


def editable(authority: Authority, account: Account) -> frozenset[str]:
    """What the user of the account may change: ``display``, ``email``. Other sources are not ours to write."""
    return authority.editable if account.source == OWN else NOBODY


def takes_tokens(authority: Authority) -> bool:
    """Whether API tokens let anybody in here."""
    return "bearer" in authority.site.methods


def has_another_way(authority: Authority, account: Account) -> bool:
    """Whether the account can be entered without a passkey."""
    if has_password(authority, account):
        return True
    known = set(authority.issuers.values())
    return any(each.issuer in known for each in authority.identities.of(account.id))


def needs_providers(authority: Authority, account: Account) -> bool:
    """Whether the account can be entered by nothing but a login at a provider."""
    if has_password(authority, account):
        return False
    return not ("passkey" in authority.site.login and authority.factors.of(account.id).passkeys)


def provider_of(visit: Visit, user: Identity) -> ProviderName | None:
    """The provider that has vouched for this session's user, if it did."""
    name = user.claims.get("oidc")
    if not isinstance(name, str) or name not in visit.authority.providers:
        return None
    return ProviderName(name, visit.authority.providers[name] or name)
