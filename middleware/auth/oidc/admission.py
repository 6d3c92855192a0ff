"""Which account a user of a provider gets, if any: one that is linked, one that may be linked, or a new one."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ...storage.store import Conflict
from ..account import NOBODY, Account
from ..accounts.naming import name_complaint
from .options import OidcOptions
from .profile import Profile

if TYPE_CHECKING:
    from ..accounts.local_users import LocalUsers
    from ..accounts.options import GroupOptions
    from ..audit import Audit
    from ..identities import Identities


class Outcome(NamedTuple):
    """The account, or the reason why there is none: words for the audit log."""

    account: Account | None = None
    reason: str = ""


class Accounts(Protocol):
    """Where accounts of all sources are found by their ids."""

    def get(self, account_id: str) -> Account | None:
        """The account with this id."""


class Admission:
    """Finds, links and makes the accounts of providers' users. Methods raise ``StoreError``."""

    def __init__(
        self, identities: Identities, directory: Accounts, users: LocalUsers | None, groups: GroupOptions, audit: Audit
    ) -> None:
        self._identities = identities
        self._directory = directory
        self._users = users
        self._groups = groups
        self._audit = audit

    def admit(self, provider: str, options: OidcOptions, profile: Profile) -> Outcome:
        """The account of somebody whom the provider ``provider`` (its section's name) vouches for."""
        if not may_enter(options, profile.groups or NOBODY):
            return Outcome(reason="not in an allowed group")
        link = self._identities.find(profile.issuer, profile.subject)
        account = None if link is None else self._directory.get(link.account)
        if link is not None and account is None:
            return Outcome(reason="user gone")
        if account is None:
            account = self._linked(provider, options, profile) or self._made(provider, options, profile)
        if account is None:
            return Outcome(reason="user of the provider not known here")
        if account.disabled:
            return Outcome(reason="user disabled")
        self._identities.used(profile.issuer, profile.subject, profile.label)
        self.set_groups(provider, account.id, profile.groups or NOBODY)
        return Outcome(self._directory.get(account.id) or account)

    def set_groups(self, provider: str, account_id: str, theirs: frozenset[str]) -> None:
        """Put an account into our groups that the provider's groups mean, and out of those that they did mean."""
        if self._users is not None:
            self._users.sync_groups(account_id, self._groups.ours(provider, theirs), f"oidc:{provider}")

    def _linked(self, provider: str, options: OidcOptions, profile: Profile) -> Account | None:
        if options.provision == "deny" or not options.trust_email or not profile.email_verified or not profile.email:
            return None
        if self._users is None:
            return None
        # On both sides somebody has to have seen that the address is theirs: otherwise a user of ours could put the
        # address of another into the own account, and have that other log in there.
        found = [each for each in self._users.with_email(profile.email) if each.email_verified and not each.disabled]
        if len(found) != 1:
            return None
        account = found[0]
        if any(each.issuer == profile.issuer for each in self._identities.of(account.id)):
            return None  # the provider has given the address of one of its users to another
        link = self._identities.link(profile.issuer, profile.subject, account.id, provider, profile.label)
        if link.account != account.id:
            return self._directory.get(link.account)
        self._audit.note("identity.link", None, account, provider=provider)
        return account

    def _made(self, provider: str, options: OidcOptions, profile: Profile) -> Account | None:
        if options.provision != "create" or self._users is None:
            return None
        made = self._create(provider, options, profile)
        if made is None:
            return None
        link = self._identities.link(profile.issuer, profile.subject, made.id, provider, profile.label)
        if link.account != made.id:
            # Two browsers of one new user came at once: one account is enough.
            self._users.delete(made.id)
            return self._directory.get(link.account)
        self._audit.note("user.create", None, made, provider=provider)
        return made

    def _create(self, provider: str, options: OidcOptions, profile: Profile) -> Account | None:
        if self._users is None:
            return None
        for name in names_for(provider, profile):
            try:
                return self._users.create(
                    name,
                    display=profile.display,
                    email=profile.email,
                    email_verified=profile.email_verified and options.trust_email,
                )
            except Conflict:
                continue  # a name is never shared, and whoever had it first keeps it
        return None


def may_enter(options: OidcOptions, groups: frozenset[str]) -> bool:
    """Whether somebody with these groups of the provider is let in."""
    return not options.allow_groups or not groups.isdisjoint(options.allow_groups)


def names_for(provider: str, profile: Profile) -> list[str]:
    """The names that a new user may get, the best one first; the last is nobody else's."""
    mark = hashlib.sha256(f"{profile.issuer}\0{profile.subject}".encode("utf-8", "surrogatepass")).hexdigest()[:10]
    wished = [profile.name, profile.email.partition("@")[0]]
    base = next((each for each in wished if each and name_complaint(each) is None), "")
    names = [base, f"{base}-{provider}", f"{base}-{mark}"] if base else []
    return [each for each in (*names, f"user-{mark}") if name_complaint(each) is None]
