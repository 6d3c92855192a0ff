"""What an app may ask and do by functions in its environ, without an import of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...protocol.csrf import forgery
from .identity import BY_APP
from .interrupted import RESUMED
from .names import is_only_like

if TYPE_CHECKING:
    from .visit import Visit


class Desk:
    """The functions of one request: ``wheatpaste.login``, ``wheatpaste.csrf_token`` and others of their names."""

    __slots__ = ("_visit",)

    def __init__(self, visit: Visit) -> None:
        self._visit = visit

    def login(self, user: str, *, remember: bool = False) -> None:
        """Sign a user in, whom the app has checked itself: by name. Goes with the reply of this request.

        Raises ``LookupError`` where no source knows the user, or it is disabled, and ``RuntimeError`` where the site
        has no sessions, so that nothing would come of it.
        """
        visit = self._visit
        if "session" not in visit.authority.site.methods:
            raise RuntimeError("this site has no sessions: its methods lack session (in AuthKit's words: cookie)")
        account = visit.authority.directory.find(user)
        if account is None or account.disabled or is_only_like(account.name, user):
            raise LookupError(f"there is no user {user!r} who can sign in")
        visit.authority.sessions.begin(visit, account, (BY_APP,), remember=remember)
        visit.authority.audit.note("login.ok", visit, account, amr=BY_APP)

    def logout(self) -> None:
        """End the session of this request, or its ticket, where the site has any."""
        visit = self._visit
        if not {"session", "tkt"} & {*visit.authority.site.methods}:
            return
        visit.authority.sessions.end(visit)
        visit.authority.audit.note("logout", visit, None if visit.identity is None else visit.identity.account)

    def csrf_token(self) -> str:
        """A token for a form of the app that :meth:`csrf_complaint` knows; it belongs to the session."""
        return self._visit.authority.app_tokens.make(self._binding())

    def csrf_complaint(self, token: str | None) -> str | None:
        """What is wrong with a token that came with a form, as a sentence, or None.

        Who is not signed in has no session that a token could belong to, and anybody can get one: where a browser says
        that another site's page has sent the form, no token counts.
        """
        if self._visit.environ.get(RESUMED):
            # The token belongs to the session that had ended. That a page of this site has sent the form, and that its
            # user wants it to go on, was found out otherwise.
            return None
        authority = self._visit.authority
        complaint: str | None = authority.app_tokens.complaint(token, self._binding())
        return forgery(self._visit.environ, authority.site.trusted_origins) or complaint

    def auth_events(self) -> dict[str, int]:
        """How often each event of the audit log has happened in this process: for a status page of the app."""
        return self._visit.authority.audit.counts()

    def _binding(self) -> str:
        identity = self._visit.identity
        return "" if identity is None else f"{identity.id}\0{identity.session or ''}"
