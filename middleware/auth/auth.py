"""``egg:wheatpaste#auth``: a login in front of an app, through the 401 that it answers.

Where in the stack: around all that is to be protected, inside what rewrites addresses and whatever reports errors.

Reads the headers and cookies of its methods. Writes ``REMOTE_USER``, ``AUTH_TYPE``, ``REMOTE_USER_TOKENS`` and
``REMOTE_USER_DATA``, which it removes first, whoever has set them; ``wheatpaste.identity`` (plain data),
``wheatpaste.allowed``, ``wheatpaste.login``, ``wheatpaste.logout``, ``wheatpaste.csrf_token``,
``wheatpaste.csrf_complaint``, ``wheatpaste.auth_events`` (functions), ``wheatpaste.login_url``,
``wheatpaste.logout_url``; ``wheatpaste.visit`` for the parts of its own that stand further in.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from ...protocol.answer import Answer
from ...protocol.trace import Trace
from ...protocol.wsgi import Body, Environ, Headers, StartResponse, WSGIApp
from ..http_exceptions import HTTPExceptions
from ..storage.store import StoreError
from .allowed import note_denial
from .answers import problem
from .asker import navigates
from .authority import Authority
from .desk import Desk
from .identity import Identity
from .interception import Interception
from .method import Failed
from .refusals import first_step, forbidden, leads_to_a_step, remedied, step_up, unauthenticated, wanted_step
from .visit import Visit

if TYPE_CHECKING:
    from .rules import Verdict

log = logging.getLogger(__name__)

VISIT = "wheatpaste.visit"

FORGEABLE = (
    "REMOTE_USER",
    "AUTH_TYPE",
    "REMOTE_USER_TOKENS",
    "REMOTE_USER_DATA",
    "wheatpaste.identity",
    "wheatpaste.allowed",
    VISIT,
)
"""What only the filter may say; it goes before anything else is looked at."""

_ACTION = "x-auth-action"


class Guard:
    """What the filter does with each request, for one authority."""

    def __init__(self, app: WSGIApp, authority: Authority) -> None:
        self._app = HTTPExceptions(app)
        self._authority = authority
        self._mount = authority.site.mount
        self._below = authority.site.mount + "/"
        self._intercepted = frozenset(authority.site.intercept)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Let the request through to the app, or answer it."""
        visit = Visit(self._authority, environ)
        try:
            answer = self._before(visit)
            if visit.resumed is not None:
                environ, headers = visit.resumed, visit.headers
                visit = Visit(self._authority, environ)
                visit.headers = headers
                visit.form = environ["wsgi.input"].getvalue()  # it may have to wait once more
                answer = self._before(visit)
        except StoreError as error:
            log.error("nobody is let in while the store cannot be used: %s", error)
            answer = _UNAVAILABLE
        if answer is not None:
            return answer.send(environ, start_response, visit.headers)
        decide, finish = partial(self.replacement, visit), partial(self.finished, visit)
        return Interception(environ, start_response, decide, finish).run(self._app)

    def _before(self, visit: Visit) -> Answer | None:
        environ, authority = visit.environ, self._authority
        server_user = environ.get("REMOTE_USER") if authority.site.accept_server_user else None
        for key in FORGEABLE:
            environ.pop(key, None)
        for strip in authority.strippers:
            strip(visit)
        path = visit.path
        if path.startswith(self._below) or path == self._mount:
            return authority.page(visit, path[len(self._below) :])
        page = authority.well_known.get(path)
        if page is not None:
            return page(visit)
        answer = identify(visit, server_user)
        if answer is not None:
            return answer
        if visit.identity is None and visit.method == "POST":
            authority.receive(visit)
        decision = authority.decide(visit)
        if decision is None or decision.allowed:
            if decision is not None:
                keep_to_scopes(visit, decision)
            return None
        if decision.refusal is not None:
            return authority.message(visit, "400 Bad Request", decision.refusal)
        note_denial(visit, decision.remedies, decision.reason)
        kept = None
        if visit.identity is None:
            kept = self._kept(visit) if decision.remedies else None
        elif leads_to_a_step(visit, decision.remedies):
            authority.keep_for_step(visit)
        return kept or remedied(visit, decision.remedies, decision.max_age)

    def replacement(self, visit: Visit, status: str, headers: Headers) -> Answer | None:
        """The answer in place of the app's, None where it stays."""
        code = status[:3]
        if code not in self._intercepted:
            return None
        answer = self._in_place_of(visit, code, headers)
        if answer is not None and any(name.lower() == _ACTION for name, _ in headers):
            _act(visit, headers)
        return answer

    def _in_place_of(self, visit: Visit, code: str, headers: Headers) -> Answer | None:
        own = [(name, value) for name, value in headers if name.lower() == "www-authenticate"]
        identity = visit.identity
        if identity is None:
            if own and wanted_step(own) is None and not self._authority.site.intercept_prechallenged:
                return None
            return self._kept(visit) or asked_for(visit)
        wanted = wanted_step(own)
        if wanted is not None and identity.method == "session" and navigates(visit.environ):
            if wanted == "mfa" and identity.has_shown_two_factors:
                return forbidden(visit)  # there is nothing more to show, and the page for it would lead back here
            # What the app has read is gone; a form that has waited before was received whole.
            if visit.form is not None and not self._waits(visit):
                return _UNAVAILABLE
            return step_up(visit, wanted)
        if code != "401" or own:
            return None  # it is known who asks, and the app does not want them
        # An app that asks a user who is signed in for a login means: not you. Another login would go round in circles.
        return forbidden(visit)

    def finished(self, visit: Visit, headers: Headers) -> Headers:
        """The headers that leave: those of the reply, what was found out about its visitor, and no orders to us."""
        for name, _ in headers:
            if name.lower() == _ACTION:
                _act(visit, headers)
                headers = [each for each in headers if each[0].lower() != _ACTION]
                break
        return [*_private(headers), *visit.headers] if visit.headers else headers

    def _waits(self, visit: Visit) -> bool:
        """Let a form wait for a step, if it can; whether that could be decided."""
        try:
            self._authority.keep_for_step(visit)
        except StoreError as error:
            log.error("a form cannot be kept while the store cannot be used: %s", error)
            return False
        return True

    def _kept(self, visit: Visit) -> Answer | None:
        try:
            return self._authority.interrupt(visit)
        except StoreError as error:
            log.error("a form cannot be kept while the store cannot be used: %s", error)
            return _UNAVAILABLE


def identify(visit: Visit, server_user: str | None = None) -> Answer | None:
    """Find out who makes the request, by each method in turn, and write it into the environ.

    Returns the answer where the request cannot go on with what it shows.
    """
    for method in visit.authority.methods:
        found = method.identify(visit)
        if found is None:
            continue
        if isinstance(found, Failed):
            visit.failed[method.name] = found
            if found.status != 401:
                return _failed(visit, found)
            continue
        step = first_step(visit, found) if method.name == "session" else None
        if step is not None:
            visit.failed[method.name] = step
            continue
        _enter(visit, found)
        return None
    if server_user:
        _enter(visit, Identity(id=f"server:{server_user}", name=server_user, method="server"))
    else:
        _enter(visit, None)
    return None


def keep_to_scopes(visit: Visit, verdict: Verdict) -> None:
    """Let a request go on as nobody's where its API token is for something else, as the rules name scopes."""
    identity, rules = visit.identity, visit.authority.rules
    if identity is None or identity.scopes is None or rules is None or rules.takes_token(verdict, identity):
        return
    visit.failed[identity.method] = Failed(
        "token for something else", description="The token is not for this.", status=403
    )
    for key in FORGEABLE:
        visit.environ.pop(key, None)
    Trace.of(visit.environ).identity = None
    _enter(visit, None)


def asked_for(visit: Visit) -> Answer:
    """The answer where somebody has to be known: a login, but 403 to a token that is for something else."""
    elsewhere = next((each for each in visit.failed.values() if each.status == 403), None)
    return unauthenticated(visit) if elsewhere is None else forbidden(visit, elsewhere.description)


def _enter(visit: Visit, identity: Identity | None) -> None:
    environ, authority = visit.environ, visit.authority
    visit.identity = identity
    desk = Desk(visit)
    environ[VISIT] = visit
    environ["wheatpaste.allowed"] = authority.allowed(visit)
    environ["wheatpaste.login"] = desk.login
    environ["wheatpaste.logout"] = desk.logout
    environ["wheatpaste.csrf_token"] = desk.csrf_token
    environ["wheatpaste.csrf_complaint"] = desk.csrf_complaint
    environ["wheatpaste.auth_events"] = desk.auth_events
    mount = authority.url(visit)
    environ["wheatpaste.login_url"] = f"{mount}/login"
    environ["wheatpaste.logout_url"] = f"{mount}/logout"
    if identity is not None:
        known = identity.as_dict()
        environ["REMOTE_USER"] = identity.name
        environ["AUTH_TYPE"] = identity.method
        environ["REMOTE_USER_TOKENS"] = ",".join(known["roles"])
        environ["REMOTE_USER_DATA"] = str(identity.claims.get("userdata", ""))
        environ["wheatpaste.identity"] = known
        Trace.of(environ).identity = known
    for each in authority.enterers:
        each(visit)


def _act(visit: Visit, headers: Headers) -> None:
    """Do what an app that cannot call functions says in a header (``X-Auth-Action: logout``), which never leaves."""
    if any(name.lower() == _ACTION and value.strip().lower() == "logout" for name, value in headers):
        Desk(visit).logout()


def _private(headers: Headers) -> Headers:
    """A reply that carries cookies of ours is for one person, whatever the app says of caches."""
    control = next((value.lower() for name, value in headers if name.lower() == "cache-control"), "")
    if "no-store" in control or "private" in control:
        return headers
    others = [each for each in headers if each[0].lower() != "cache-control"]
    return [*others, ("Cache-Control", "private")]


def _failed(visit: Visit, failed: Failed) -> Answer:
    status = {400: "400 Bad Request", 403: "403 Forbidden", 429: "429 Too Many Requests"}.get(failed.status)
    headers: Headers = [] if failed.retry_after is None else [("Retry-After", str(failed.retry_after))]
    if failed.error:  # RFC 6750 section 3: what was wrong with a token stands in the challenge, whatever the status
        shown = [each for each in visit.authority.methods if each.name in visit.failed]
        headers += [("WWW-Authenticate", each) for method in shown for each in method.challenges(visit)]
    return problem(status or "503 Service Unavailable", failed.description or "This cannot be taken.", headers)


_UNAVAILABLE = problem(
    "503 Service Unavailable", "It cannot be told at the moment who may do what.", [("Retry-After", "10")]
)
