"""All pages of a site by their paths below the mount."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from . import (
    account,
    address,
    confirm,
    enrol,
    forgot,
    invitation,
    login,
    passkeys,
    password,
    profile,
    providers,
    resume,
    second,
    security,
)
from .files import static_file
from .messages import message
from .ways import can_ask_for_password, takes_tokens

if TYPE_CHECKING:
    from ..authority import Authority, Page


def routes(authority: Authority) -> Mapping[str, Page]:
    """The pages that this site has; messages become pages of it from then on."""
    authority.message_page = message
    return {
        **login.ROUTES,
        **second.ROUTES,
        **confirm.ROUTES,
        **enrol.ROUTES,
        **security.ROUTES,
        **account.ROUTES,
        **(account.TOKEN_ROUTES if takes_tokens(authority) else {}),
        **(providers.ROUTES if authority.providers else {}),
        **(profile.ROUTES if authority.editable else {}),
        **(address.ROUTES if authority.post is not None and "email" in authority.editable else {}),
        **password.ROUTES,
        **passkeys.ROUTES,
        **invitation.ROUTES,
        **(forgot.ROUTES if can_ask_for_password(authority) else {}),
        **resume.ROUTES,
        "static/*": static_file,
    }
