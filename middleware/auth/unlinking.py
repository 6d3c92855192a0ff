"""A user of a provider is no longer an account here: what came of it ends, too."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from .account import Account
from .identities import Link

if TYPE_CHECKING:
    from .authority import Authority


def unlink(authority: Authority, account: Account, link: Link, *, keep_one_of: Collection[str] | None = None) -> bool:
    """Remove a link of an account, the groups that the provider gave it, and the sessions that began by it.

    Whether that was done: with ``keep_one_of``, issuers, not unless a user of one of them stays linked. Sessions that
    are in cookies alone are left to the caller. Raises ``StoreError``.
    """
    if not authority.identities.unlink(account.id, link.issuer, link.subject, keep_one_of=keep_one_of):
        return False
    if all(each.provider != link.provider for each in authority.identities.of(account.id)):
        authority.users.sync_groups(account.id, (), f"oidc:{link.provider}")
    if authority.sessions.can_list:
        authority.sessions.end_by_provider(link.issuer, None, link.subject)
    return True
