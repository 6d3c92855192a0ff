"""The addresses by which browsers go to a provider and come back, and at which a provider tells of logouts.

``oidc/NAME/start``, ``oidc/NAME/callback``, ``oidc/NAME/logout`` and ``oidc/NAME/backchannel`` below the mount, and
``oidc/NAME/link`` for who is signed in and wants to sign in there from now on.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from ....protocol.answer import Answer
from ....protocol.csrf import provenance
from ...storage.store import StoreError
from ..account import NOBODY
from ..answers import problem, see_other
from ..identity import MFA, Identity
from ..logins import Pending
from ..pages.form import UserPage, account_of, query
from ..pages.providers import BACK, arrived, is_asked_for
from ..passwords.throttle import network_of
from ..return_to import safe_target
from .addresses import is_this_machine
from .admission import Admission, may_enter
from .failures import Refused, Unreachable, Untrue
from .fields import form_fields, query_fields
from .id_tokens import Logout, is_same
from .profile import Profile
from .provider import Granted, Provider, Request
from .vouched import MEMBER, Vouched, shown_claims

if TYPE_CHECKING:
    from ..authority import Authority
    from ..visit import Visit
    from .github import GitHub

log = logging.getLogger(__name__)

FEDERATED = "fed"
"""What stands for a login elsewhere, of whose methods nothing is believed."""

_JTI = "auth.oidc.jti"
_BEGUN = "auth.oidc.begun"
_BEGUN_SECONDS = 60.0
_MOST_BEGUN = 60
"""Logins that may begin from one place in a minute: offices and schools are one place."""
_LONGEST_CODE = 4096
_AGAIN = (
    "The login cannot go on: it was begun in another browser, was completed already, or took too long. Begin again."
)
_NOT_NOW = "The login provider cannot be reached just now. Try again in a minute."
_NOT_TRUE = "The login provider's answer could not be verified, so nobody was signed in."
_NOBODY = "You are signed in at the provider, but this site does not let you in."


class ProviderPages:
    """The pages of one provider."""

    def __init__(self, authority: Authority, provider: Provider | GitHub, admission: Admission) -> None:
        self._authority = authority
        self._provider = provider
        self._admission = admission
        self._kind = f"oidc:{provider.name}"
        self._head = f"oidc/{provider.name}"

    def routes(self) -> Mapping[str, Callable[[Visit], Answer]]:
        """The pages by their paths below the mount."""
        linking = {f"{self._head}/link": UserPage(self.link, fresh=True, back=BACK)}
        return {
            **(linking if self._provider.options.linking else {}),
            f"{self._head}/start": self.start,
            f"{self._head}/callback": self.callback,
            f"{self._head}/logout": self.logout,
            f"{self._head}/backchannel": self.backchannel,
        }

    def start(self, visit: Visit) -> Answer:
        """Send the browser to the provider. ``next`` is where it wants to be afterwards."""
        if visit.method not in ("GET", "HEAD"):
            return problem("405 Method Not Allowed", "Follow the link instead.", [("Allow", "GET, HEAD")])
        target = safe_target(query_fields(visit).get("next")) or ""
        if provenance({**visit.environ, "HTTP_ORIGIN": None}, self._authority.site.trusted_origins) == "foreign":
            # Another site could sign somebody in whom the provider does not ask again. A person has to want it.
            return see_other(
                self._authority.url(visit, "login") + ("?" + urlencode({"next": target}) if target else "")
            )
        # Who is signed in and logs in again does so to show it: the provider must not answer from memory.
        options = self._provider.options
        max_age = 0.0 if self._is_signed_in(visit) and options.preset == "openid" else options.max_age
        return self._begin(visit, Pending(self._kind, target), max_age)

    def link(self, visit: Visit, user: Identity) -> Answer:
        """Send the browser to the provider, to connect the login there with the account of who is signed in here.

        Only a link of the account page leads here, and what comes back is for this account and session alone.
        """
        if not is_asked_for(visit, user, self._provider.name, query(visit).get("ticket")):
            return see_other(self._authority.url(visit, BACK))
        account = account_of(user)
        pending = Pending(self._kind, "", account.id, account.epoch, data={"link": user.session or ""})
        # Whoever else has used this browser may be signed in there: the provider shows who, and lets the user choose.
        return self._begin(visit, pending, self._provider.options.max_age, prompt="select_account")

    def _begin(self, visit: Visit, pending: Pending, max_age: float | None, *, prompt: str = "") -> Answer:
        if self._is_one_too_many(visit):
            return self._authority.message(visit, "429 Too Many Requests", "Too many logins were begun from here.")
        complaint = self._host_complaint(visit)
        if complaint is not None:
            log.error("%s: %s", self._kind, complaint)
            return self._authority.message(visit, "500 Internal Server Error", "This site's address is not set up.")
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode("ascii")).digest()
        options = self._provider.options
        request = Request(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=verifier,
            challenge=urlsafe_b64encode(digest).decode("ascii").rstrip("="),
            return_to=self._authority.absolute_url(visit, f"{self._head}/callback"),
            max_age=max_age,
            asked_at=self._authority.clock(),
            prompt=prompt,
        )
        try:
            address = self._provider.address_of_login(request)
        except Unreachable as error:
            return self._cannot(visit, error)
        same_site = "None" if options.response_mode == "form_post" else "Lax"
        pending = pending._replace(data={**pending.data, "request": request._asdict()})
        self._authority.logins.begin(visit, pending, same_site=same_site)
        return see_other(address)

    def callback(self, visit: Visit) -> Answer:
        """Take the provider's answer, which the same browser brings back once."""
        options = self._provider.options
        as_form = options.response_mode == "form_post"
        if visit.method != ("POST" if as_form else "GET"):
            allowed = "POST" if as_form else "GET"
            return problem("405 Method Not Allowed", "That is not how a login comes back.", [("Allow", allowed)])
        fields = form_fields(visit) if as_form else query_fields(visit)
        pending = self._pending(visit, fields.get("state", ""))
        if pending is None:
            self._note_failure(visit, "state wrong")
            return self._authority.message(visit, "400 Bad Request", _AGAIN)
        request = Request(**pending.data["request"])
        try:
            self._provider.check_sender(fields.get("iss"))
            if "error" in fields:
                raise Refused(_word(fields["error"]))
            code = fields.get("code", "")
            if not 0 < len(code) <= _LONGEST_CODE:
                raise Untrue("no code")
            granted, profile = self._provider.exchange(code, request)
        except Unreachable as error:
            return self._cannot(visit, error)
        except Refused as error:
            self._note_failure(visit, str(error))
            return self._authority.message(visit, "403 Forbidden", "The login provider did not sign you in.")
        except Untrue as error:
            log.warning("%s: a login was refused: %s", self._kind, error)
            self._note_failure(visit, str(error))
            return self._authority.message(visit, "403 Forbidden", _NOT_TRUE)
        if "link" in pending.data:
            if not may_enter(options, profile.groups or NOBODY):
                self._note_failure(visit, "not in an allowed group", subject=profile.subject)
                return self._authority.message(visit, "403 Forbidden", _NOBODY)
            return arrived(visit, pending, self._provider.name, profile.issuer, profile.subject, profile.label)
        outcome = self._admission.admit(self._provider.name, options, profile)
        if outcome.account is None:
            self._note_failure(visit, outcome.reason, subject=profile.subject)
            return self._authority.message(visit, "403 Forbidden", _NOBODY)
        return self._authority.logins.first_factor(
            visit,
            outcome.account,
            self._methods(profile),
            target=pending.next,
            data=self._session_data(granted, profile),
        )

    def logout_address(self, visit: Visit) -> str | None:
        """Where to send the browser after its session here has ended, so that the one at the provider ends, too.

        To be asked before the session is ended. None where there is nothing to do.
        """
        authority = self._authority
        vouched = Vouched.read(authority.sessions.data(visit).get(MEMBER), authority.vault)
        if vouched is None or not self._provider.options.logout:
            return None
        state = secrets.token_urlsafe(32)
        back = authority.absolute_url(visit, f"{self._head}/logout")
        address = self._provider.address_of_logout(vouched.granted.id_token, back, state)
        if address is not None:
            authority.logins.begin(visit, Pending(f"{self._kind}:logout", "", data={"state": state}))
        return address

    def logout(self, visit: Visit) -> Answer:
        """Come back from a logout at the provider. Nothing is ended here: that was done before."""
        kind = f"{self._kind}:logout"
        pending = self._authority.logins.peek(visit, kind)
        if pending is not None and is_same(pending.data["state"], query_fields(visit).get("state", "")):
            self._authority.logins.take(visit, kind)
            return self._authority.message(visit, "200 OK", "You are signed out, here and at the login provider.")
        return see_other(self._authority.url(visit, "login"))

    def backchannel(self, visit: Visit) -> Answer:
        """Take what the provider itself says: that a session or a user of its has ended (Back-Channel Logout 1.0)."""
        if visit.method != "POST":
            return problem("405 Method Not Allowed", "Logout tokens are posted.", [("Allow", "POST")])
        token = form_fields(visit).get("logout_token", "")
        try:
            logout = self._provider.logout_in(token)
            self._end(visit, logout)
        except Unreachable as error:
            log.warning("%s: a logout token could not be read: %s", self._kind, error)
            return problem("503 Service Unavailable", "The token cannot be verified just now.", [("Retry-After", "60")])
        except Untrue as error:
            log.warning("%s: a logout token was refused: %s", self._kind, error)
            return problem("400 Bad Request", f"The logout token is not valid: {error}.", error="invalid_request")
        return Answer(
            status="200 OK", headers=[("Content-Type", "text/plain"), ("Cache-Control", "no-store")], body=b""
        )

    def _end(self, visit: Visit, logout: Logout) -> None:
        authority = self._authority
        used = hashlib.sha256(f"{self._provider.issuer}\0{logout.id}".encode("utf-8", "surrogatepass")).hexdigest()
        if not authority.store.add(_JTI, used, b"1", max(1.0, logout.until - authority.clock())):
            raise Untrue("used already")
        try:
            if not authority.sessions.can_list:
                return self._end_user(visit, logout)
            ended = authority.sessions.end_by_provider(self._provider.issuer, logout.sid, logout.subject)
        except StoreError:
            authority.store.delete(_JTI, used)  # the provider will try again
            raise
        for info in ended:
            account = authority.directory.get(info.account)
            authority.audit.note("session.revoke", visit, account, session=info.id, reason="logout at the provider")

    def _end_user(self, visit: Visit, logout: Logout) -> None:
        # Which session is in which browser's cookie is known to nobody: then all of the user's end.
        authority = self._authority
        if logout.subject is None:
            raise Untrue("about a session alone, and those are not listed here")
        link = authority.identities.find(self._provider.issuer, logout.subject)
        account = None if link is None else authority.directory.get(link.account)
        if account is not None:
            authority.sessions.end_all(account.id)
            authority.audit.note("session.revoke", visit, account, reason="logout at the provider")

    def _pending(self, visit: Visit, state: str) -> Pending | None:
        # Looked at first: a link with a wrong state, from wherever, must not end a login that is under way.
        seen = self._authority.logins.peek(visit, self._kind)
        if seen is None or not is_same(seen.data["request"]["state"], state):
            return None
        taken = self._authority.logins.take(visit, self._kind)
        return taken if taken is not None and is_same(taken.data["request"]["state"], state) else None

    def _methods(self, profile: Profile) -> tuple[str, ...]:
        if not self._provider.options.trust_mfa:
            return (FEDERATED,)
        return tuple(dict.fromkeys((FEDERATED, *profile.amr))) if MFA in profile.amr else (FEDERATED,)

    def _session_data(self, granted: Granted, profile: Profile) -> dict[str, object]:
        provider, authority = self._provider, self._authority
        if not authority.sessions.can_list:
            # A session in a cookie has little room, and a token that a browser holds cannot be replaced for sure.
            granted = granted._replace(access="", refresh="", id_token="")
        due = authority.clock() + provider.options.refresh
        vouched = Vouched(provider.name, profile.issuer, profile.subject, granted, min(due, granted.until))
        return {
            "provider": {"issuer": profile.issuer, "sid": granted.sid or None, "subject": profile.subject},
            "claims": shown_claims(provider.name, profile, in_cookie=not authority.sessions.can_list),
            MEMBER: vouched.kept(authority.vault),
        }

    def _is_signed_in(self, visit: Visit) -> bool:
        return isinstance(self._authority.sessions.identify(visit), Identity)

    def _is_one_too_many(self, visit: Visit) -> bool:
        # Each login that is begun takes room in the store, and whoever comes may begin one.
        begun = self._authority.store.count(_BEGUN, network_of(visit.address), 1, _BEGUN_SECONDS)
        if begun.number <= _MOST_BEGUN:
            return False
        visit.headers.append(("Retry-After", str(int(_BEGUN_SECONDS))))
        return True

    def _host_complaint(self, visit: Visit) -> str | None:
        if self._authority.site.public_url is not None:
            return None
        host = urlsplit(self._authority.absolute_url(visit)).hostname or ""
        return None if is_this_machine(host) else "public_url must be set: a client could name any other host"

    def _cannot(self, visit: Visit, error: Unreachable) -> Answer:
        log.warning("%s: the provider cannot be asked: %s", self._kind, error)
        return self._authority.message(visit, "503 Service Unavailable", _NOT_NOW)

    def _note_failure(self, visit: Visit, reason: str, **fields: Any) -> None:
        self._authority.audit.note(
            "login.fail", visit, reason=f"oidc: {reason}", provider=self._provider.name, **fields
        )


def _word(text: str) -> str:
    return text[:60] if text.isascii() and text.isprintable() else "error"
