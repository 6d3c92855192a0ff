"""What was changed of an account is told to its user by mail: with it a thief of a session or a password is noticed.

Told is what the audit log is told, whoever did it, to the address that was confirmed before the change. No mail has a
link that lets anybody in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..pages.language import catalogue_for
from ..sessions.device import device_name

if TYPE_CHECKING:
    from ..account import Account
    from ..site import Site
    from ..visit import Visit
    from .outbox import Outbox

_SECONDS = 86400.0
"""For how long a notice is worth sending."""

PASSWORD = "The password of your account %(name)s was changed."
ADDRESS = "The mail address of your account %(name)s was changed. This one is told no more."
FACTORS = {
    ("mfa.add", "otp"): "An app for codes was added to your account %(name)s.",
    ("mfa.add", "passkey"): "A passkey was added to your account %(name)s.",
    ("mfa.add", "recovery"): "New recovery codes were made for your account %(name)s.",
    ("mfa.remove", "otp"): "The app for codes was removed from your account %(name)s.",
    ("mfa.remove", "passkey"): "A passkey was removed from your account %(name)s.",
    ("mfa.remove", "all"): "All passkeys and second factors were removed from your account %(name)s.",
}
LINKED = "A login at %(provider)s was connected with your account %(name)s."
UNLINKED = "A login at %(provider)s was removed from your account %(name)s."


class Notices:
    """Tells users; :meth:`tell` is to hear of each event of the audit log."""

    def __init__(self, site: Site, outbox: Outbox, language: str) -> None:
        self._site = site
        self._outbox = outbox
        self._language = language

    def tell(self, event: str, visit: Visit | None, account: Account | None, fields: Mapping[str, Any]) -> None:
        """Send a notice, if that is an event to tell of, and there is a confirmed address. Raises nothing."""
        what = sentence_of(event, fields)
        if what is None or account is None or not (account.email and account.email_verified):
            return
        language = self._language
        if visit is not None:
            language = catalogue_for(visit.header("Accept-Language"), self._site.templates).language
        self._outbox.write(
            "notice",
            account.email,
            account,
            seconds=_SECONDS,
            language=language,
            what=what,
            provider=fields.get("provider", ""),
            address="" if visit is None else visit.address,
            device="" if visit is None else device_name(visit.header("User-Agent")),
            by_operator="by" in fields,
        )


def sentence_of(event: str, fields: Mapping[str, Any]) -> str | None:
    """What to tell of an event, None for most."""
    if event in ("password.change", "password.reset"):
        return None if fields.get("reason") == "invite link" else PASSWORD  # its user has just begun
    if event == "user.change":
        return ADDRESS if "email" in str(fields.get("changed", "")).split() else None
    if event in ("identity.link", "identity.unlink"):
        return LINKED if event == "identity.link" else UNLINKED
    return FACTORS.get((event, str(fields.get("kind") or fields.get("what") or "")))
