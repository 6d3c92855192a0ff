"""Method ``bearer``: a token of ours in the header (RFC 6750): ``Authorization: Bearer wpt_…``.

In the header alone: what stands in a URL ends in logs. Basic takes one in the place of a password, too, for git and for
whatever knows nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ....config.options import above, component, option
from ....config.values import Seconds
from ..identity import Identity
from ..method import Failed
from ..names import folded
from ..tokens.api_tokens import ApiTokens
from ..tokens.text import PREFIX, prefix_complaint, read_text
from .auth_params import quoted
from .transport import exposure

if TYPE_CHECKING:
    from ..visit import Visit

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # b64token, RFC 6750 section 2.1
_LONGEST = 8192
_ANYBODY = frozenset({"", "token", "__token__", "x-access-token"})
"""What programs send as the user where the token says it all."""


@component
class BearerOptions:
    """Tokens that users make for programs."""

    prefix: str = option(
        default=PREFIX, doc="What new tokens begin with, for scanners to find them.", check=prefix_complaint
    )
    longest: Seconds | None = option(
        default=None, doc="How long a token may live at most; empty for ever.", check=above(0), sample="365d"
    )
    scopes: tuple[str, ...] = option(
        default=(), doc="What tokens can be made for; empty leaves it to the user.", sample="pages:read pages:write"
    )


class Bearer:
    """The method. ``directory`` has ``get(account_id)``; ``audit`` is told of uses, at most once a minute for each."""

    name = "bearer"

    def __init__(
        self, tokens: ApiTokens, directory: Any, options: BearerOptions | None = None, audit: Any = None
    ) -> None:
        self.options = options if options is not None else BearerOptions()
        self._tokens = tokens
        self._directory = directory
        self._audit = audit

    def identify(self, visit: Visit) -> Identity | Failed | None:
        """Who the token's user is, limited to its scopes."""
        scheme, _, text = visit.header("Authorization").strip().partition(" ")
        if scheme.lower() != "bearer":
            return None
        text = text.strip()
        if not _TOKEN.fullmatch(text) or len(text) > _LONGEST:
            return Failed("malformed token", "invalid_request", "The header holds no token.", 400)
        if read_text(text) is None and any(method.name == "jwt" for method in visit.authority.methods):
            return None
        return self.identify_token(visit, text)

    def identify_password(self, visit: Visit, user: str, password: str) -> Identity | Failed | None:
        """Who is meant by a token in place of a password (Basic); None where it is none, and may be a password.

        ``user`` may be the name of the token's user, or one of the words that programs send where there is none.
        """
        if read_text(password) is None:
            return None
        found = self.identify_token(visit, password)
        if isinstance(found, Identity) and user not in _ANYBODY and folded(user) != folded(found.name):
            return Failed("token of another user")
        return found

    def identify_token(self, visit: Visit, text: str) -> Identity | Failed:
        """Who the user of a token is."""
        exposed = exposure(visit)
        if exposed is not None:
            return exposed
        info = self._tokens.find(text)
        if info is None:
            return _invalid("unknown token")
        complaint = info.complaint(visit.authority.clock())
        if complaint is None and not info.is_for(visit.address):
            complaint = "token from another network"
        account = None if complaint is not None else self._directory.get(info.account)
        if account is None or account.disabled:
            return _invalid(complaint or "user gone or disabled")
        if self._tokens.note_use(info, visit.address) and self._audit is not None:
            self._audit.note("token.use", visit, account, token=info.id)
        return Identity.of(account, self.name, scopes=frozenset(info.scopes), claims={"token": info.id})

    def challenges(self, visit: Visit) -> Sequence[str]:
        """One challenge; what was wrong with a token is in it (RFC 6750 section 3)."""
        challenge = f"Bearer realm={quoted(visit.authority.site.realm)}"
        failed = visit.failed.get(self.name)
        if failed is not None and failed.error:
            challenge += f', error="{failed.error}", error_description={quoted(failed.description)}'
        return (challenge,)


def _invalid(reason: str) -> Failed:
    # Which of them it is stays in the log: who holds a token that was found somewhere learns nothing of its user.
    return Failed(reason, "invalid_token", "The token is unknown, expired or revoked, or not for use from here.")
