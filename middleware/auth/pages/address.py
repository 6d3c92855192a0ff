"""``email/TOKEN``: a user confirms a mail address, by the link that was mailed to it.

The user has to be signed in, too: whoever reads a mail that went to a mistyped address is not to decide whose it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from ....protocol.answer import Answer
from ..account import Account
from ..answers import see_other
from ..identity import Identity
from ..links import SECONDS
from ..sessions.device import device_name
from .form import Fields, UserPage, account_of
from .invitation import VOID, is_outlived, kept_to_itself
from .messages import message
from .sheet import sheet, words_of
from .ways import editable

if TYPE_CHECKING:
    from ..links import LinkInfo
    from ..visit import Visit


class AddressPage(UserPage):
    """The page of links that confirm an address."""

    def __init__(self) -> None:
        super().__init__(_show, _take)

    def __call__(self, visit: Visit) -> Answer:
        """Answer a visit, and tell nobody its address."""
        return kept_to_itself(super().__call__(visit))


def send_link(visit: Visit, account: Account, address: str) -> bool:
    """Mail a link to an address that is to be the account's; whether that could be done."""
    authority = visit.authority
    post = authority.post
    if post is None or not post.may_confirm(account, address):
        return False
    token = authority.links.create("email", account.id, address=address, voids="its kind")
    return bool(
        post.outbox.write(
            "email",
            address,
            account,
            seconds=SECONDS["email"],
            language=words_of(visit).language,
            link=f"{authority.absolute_url(visit, 'email')}/{token}",
            address=visit.address,
            device=device_name(visit.header("User-Agent")),
        )
    )


def _show(visit: Visit, user: Identity) -> Answer:
    link = visit.authority.links.peek("email", _token(visit))
    if not _is_for(link, visit, user):
        return message(visit, "404 Not Found", VOID)
    here = visit.authority.url(visit, f"email/{_token(visit)}")
    return sheet(visit, "address.html", account=account_of(user), address=link.address, here=here)


def _take(visit: Visit, user: Identity, fields: Fields) -> Answer:
    authority = visit.authority
    account = account_of(user)
    # Whose it is comes first: who is not meant uses nothing up.
    if not _is_for(authority.links.peek("email", _token(visit)), visit, user):
        return message(visit, "404 Not Found", VOID)
    link = authority.links.take("email", _token(visit))
    if link is None:
        return message(visit, "404 Not Found", VOID)
    authority.users.set_email(account.id, link.address, verified=True)
    is_new = link.address != account.email
    authority.audit.note("user.change", visit, account, changed="email" if is_new else None, done="address confirmed")
    return see_other(f"{authority.url(visit, 'account/profile')}?changed=1")


def _is_for(link: LinkInfo | None, visit: Visit, user: Identity) -> TypeGuard[LinkInfo]:
    account = account_of(user)
    is_theirs = link is not None and link.account == account.id and not is_outlived(visit, account, link)
    return is_theirs and "email" in editable(visit.authority, account)


def _token(visit: Visit) -> str:
    return visit.path.rpartition("/")[2]


ROUTES = {"email/*": AddressPage()}
