"""``invite/TOKEN`` and ``reset/TOKEN``: a password is set by who has a link that was made for that.

The page of a link may be looked at any number of times; sending its form uses the link up. Whoever has set a password
so is where everybody is who knows it: a second factor is asked for as ever. Where passkeys are enough to sign in, an
invitation can be accepted with one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....protocol.answer import Answer
from ..account import OWN, Account
from ..accounts.naming import mailbox
from ..factors.passkeys import NoPasskey
from ..identity import MFA
from ..links import Kind, LinkInfo
from .adding import added, signs_in_by_passkey
from .enrol import NO_PASSKEY
from .form import Fields, Page
from .messages import message
from .password import password_problem, set_password
from .sheet import sheet
from .ways import can_ask_for_password

if TYPE_CHECKING:
    from ..visit import Visit

VOID = "This link is not valid any more: it was used already, or is too old. Ask for a new one."


class LinkPage(Page):
    """The page of links of one kind."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(self._show, self._take)
        self._kind = kind

    def __call__(self, visit: Visit) -> Answer:
        """Answer a visit, and tell nobody its address."""
        return kept_to_itself(super().__call__(visit))

    def _show(self, visit: Visit) -> Answer:
        account = self._account(visit)
        return self._void(visit) if account is None else self._form(visit, account)

    def _take(self, visit: Visit, fields: Fields) -> Answer:
        authority = visit.authority
        account = self._account(visit)
        if account is None:
            return self._void(visit)
        if fields.get("credential"):
            return self._take_passkey(visit, account, fields)
        problem = password_problem(visit, account, fields)
        if problem is not None:  # the link stays
            return self._form(visit, account, problem=problem)
        link = authority.links.take(self._kind, _token(visit))
        if link is None:
            return self._void(visit)
        problem = set_password(visit, account, fields)
        if problem is not None:
            return message(visit, "503 Service Unavailable", problem)
        _confirm(visit, account, link)
        changed: Account = authority.directory.get(account.id) or account
        event = "password.reset" if self._kind == "reset" else "password.change"
        authority.audit.note(event, visit, changed, reason=f"{self._kind} link")
        if authority.sessions.can_list:
            authority.sessions.end_all(account.id)
        return authority.logins.first_factor(visit, changed, ("pwd",))

    def _take_passkey(self, visit: Visit, account: Account, fields: Fields) -> Answer:
        authority = visit.authority
        passkeys = authority.factors.passkeys
        if passkeys is None or not (self._kind == "invite" and may_add_passkey(visit, account)):
            return self._void(visit)
        try:
            info = passkeys.add(account, fields["credential"], "", verified=True)
        except (NoPasskey, ValueError) as error:
            authority.audit.note("mfa.fail", visit, account, reason="passkey not added", detail=str(error))
            return self._form(visit, account, problem=NO_PASSKEY)
        link = authority.links.take(self._kind, _token(visit))
        if link is None:
            passkeys.remove(account.id, info.id)
            return self._void(visit)
        _confirm(visit, account, link)
        codes = added(visit, account, "passkey")
        changed: Account = authority.directory.get(account.id) or account
        # Its device has made sure who it is, as at each login with it.
        answer = authority.logins.first_factor(visit, changed, ("swk" if info.is_synced else "hwk", "user", MFA))
        if codes is None:
            return answer
        return sheet(visit, "codes.html", codes=codes, target=dict(answer.headers)["Location"], section=None)

    def _account(self, visit: Visit) -> Account | None:
        return account_of_link(visit, self._kind, _token(visit))

    def _form(self, visit: Visit, account: Account, *, problem: str | None = None) -> Answer:
        with_passkey = self._kind == "invite" and may_add_passkey(visit, account)
        return sheet(
            visit,
            "invitation.html",
            "200 OK" if problem is None else "422 Unprocessable Content",
            kind=self._kind,
            token_of_link=_token(visit),
            has_script=with_passkey,
            with_passkey=with_passkey,
            with_password="password" in visit.authority.site.login or not with_passkey,
            account=account,
            policy=visit.authority.passwords.policy,
            here=visit.authority.url(visit, f"{self._kind}/{_token(visit)}"),
            problem=problem,
        )

    def _void(self, visit: Visit) -> Answer:
        authority = visit.authority
        is_theirs_to_ask = self._kind == "reset" and can_ask_for_password(authority)
        retry = authority.url(visit, "forgot") if is_theirs_to_ask else None
        return message(visit, "404 Not Found", VOID, retry=retry)


def account_of_link(visit: Visit, kind: Kind, token: str) -> Account | None:
    """Whose link it is, if it counts and they may sign in."""
    authority = visit.authority
    link = authority.links.peek(kind, token)
    account: Account | None = None if link is None else authority.directory.get(link.account)
    if link is None or account is None or account.disabled:
        return None
    if link.address and not _still_gets_mail(account, link):  # whoever reads that mail now may be somebody else
        return None
    return None if is_outlived(visit, account, link) else account


def kept_to_itself(answer: Answer) -> Answer:
    """The page of a link, which tells nobody its address."""
    # The origin alone: without any referrer the Origin of a form would be null, as that of another site's.
    headers = [each for each in answer.headers if each[0] != "Referrer-Policy"]
    return Answer(status=answer.status, headers=[*headers, ("Referrer-Policy", "strict-origin")], body=answer.body)


def _confirm(visit: Visit, account: Account, link: LinkInfo) -> None:
    """Whoever has opened a link that was mailed gets the mail of that address."""
    if link.address and account.source == OWN and not account.email_verified:
        visit.authority.users.set_email(account.id, account.email, verified=True)


def is_outlived(visit: Visit, account: Account, link: LinkInfo) -> bool:
    """Whether the password was changed since a link was made, wherever: pages void links then, others may not."""
    if account.source != OWN:
        return False
    changed = visit.authority.users.info(account.id).password_changed
    return changed is not None and changed > link.created


def _still_gets_mail(account: Account, link: LinkInfo) -> bool:
    is_same = mailbox(account.email) == mailbox(link.address)
    return is_same and (account.email_verified or link.kind == "invite")


def may_add_passkey(visit: Visit, account: Account) -> bool:
    """Whether who has an invitation may accept it with a passkey: not where it would stand in for another factor."""
    has_some = visit.authority.factors.passkeys is not None
    return has_some and signs_in_by_passkey(visit) and not account.has_second_factor


def _token(visit: Visit) -> str:
    return visit.path.rpartition("/")[2]


ROUTES = {"invite/*": LinkPage("invite"), "reset/*": LinkPage("reset")}
