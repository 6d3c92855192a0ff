"""All pages of a site by their paths below the mount."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from . import account, confirm, enrol, invitation, login, passkeys, password, resume, second, security
from .files import static_file
from .messages import message

if TYPE_CHECKING:
    from ..authority import Authority, Page


def routes(authority: Authority) -> Mapping[str, Page]:
    """The pages that this site has; messages become pages of it from then on."""
    authority.message_page = message
    found: dict[str, Page] = {
        **login.ROUTES,
        **second.ROUTES,
        **confirm.ROUTES,
        **enrol.ROUTES,
        **security.ROUTES,
        **account.ROUTES,
        **password.ROUTES,
        **passkeys.ROUTES,
        **resume.ROUTES,
        "static/*": static_file,
    }
    if authority.tokens is not None:
        found.update(account.TOKEN_ROUTES)
    if authority.links is not None:
        found.update(invitation.ROUTES)
    return found
