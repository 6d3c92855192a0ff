"""What whoever may not go on is told, and what would help: a login, a second factor, a token with more scopes.

A browser's window is sent to a page; everybody else gets the status, all challenges and a problem document (RFC 9110
section 11, RFC 6750 section 3, RFC 9470, RFC 9457).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from ...protocol.answer import Answer
from ...protocol.csrf import provenance
from ...protocol.paths import uri_path, uri_query
from ...protocol.wsgi import Headers
from .answers import problem, see_other
from .asker import navigates
from .identity import BY_APP
from .method import Failed
from .methods.auth_params import quoted
from .return_to import safe_target

if TYPE_CHECKING:
    from .identity import Identity
    from .visit import Visit

PASSWORD_FIRST = Failed("password has to be changed", description="The password has to be changed first.")
"""A session that counts for nothing until its user has chosen a new password."""

SECOND_FIRST = Failed("second factor needed", description="A second factor has to be shown first.")
"""A session that counts for nothing until its user has shown a second factor, or has set one up."""

PAGE_OF_STEP = {PASSWORD_FIRST: "password", SECOND_FIRST: "second"}
"""The page where what has to come first is done."""

_SAFE = ("GET", "HEAD")
_STEP_UP = re.compile(r'\berror="?insufficient_user_authentication"?', re.IGNORECASE)
_MAX_AGE = re.compile(r'\bmax_age="?(\d{1,9})"?', re.IGNORECASE)
_ACR = re.compile(r'\bacr_values="([^"]*)"', re.IGNORECASE)


def first_step(visit: Visit, identity: Identity) -> Failed | None:
    """What the user of a session has to do before it counts, also where that came up while it lasted; None for nothing.

    Not asked are who acts in the name of the user, and, for a second factor, whom the app itself has signed in.
    """
    account = identity.account
    if account is None or identity.actor is not None:
        return None
    if (
        not identity.has_shown_two_factors
        and BY_APP not in identity.amr
        and visit.authority.needs_second_factor(account)
    ):
        return SECOND_FIRST
    # Whoever has set that password knows it: until it is another one, it opens the page for that alone.
    return PASSWORD_FIRST if account.must_change_password else None


def unauthenticated(visit: Visit) -> Answer:
    """The answer to who has not shown who it is."""
    if is_interactive(visit) and navigates(visit.environ):
        step = visit.failed.get("session")
        return see_other(login_url(visit, "login" if step is None else PAGE_OF_STEP.get(step, "login")))
    failed = next(iter(visit.failed.values()), None)
    headers = [("WWW-Authenticate", each) for each in _challenges(visit)]
    if failed is not None and failed.retry_after is not None:
        headers.append(("Retry-After", str(failed.retry_after)))
    if not headers:
        # RFC 9110 section 15.5.2: there has to be one; this one says that it is done elsewhere, on a page.
        headers = [("WWW-Authenticate", f"Cookie realm={quoted(visit.authority.site.realm)}")]
    detail = "Show who you are." if failed is None else failed.description or "What you showed does not count."
    members = {"login": visit.authority.url(visit, "login")} if is_interactive(visit) else {}
    return problem("401 Unauthorized", detail, [*headers, ("Vary", "Cookie, Authorization")], **members)


def forbidden(visit: Visit, detail: str = "This is not for you.") -> Answer:
    """The answer to who is known and may not: final."""
    if navigates(visit.environ):
        return visit.authority.message(visit, "403 Forbidden", detail)
    return problem("403 Forbidden", detail)


def remedied(visit: Visit, remedies: Collection[str], max_age: float | None = None) -> Answer:
    """The answer to who may not go on, by what would help; ``max_age`` is how old a login may be that is fresh."""
    if not remedies:
        return forbidden(visit)
    identity = visit.identity
    if identity is None:
        return unauthenticated(visit)
    scopes = sorted(each.removeprefix("scope:") for each in remedies if each.startswith("scope:"))
    if scopes and identity.scopes is not None:
        names = " ".join(scopes)
        challenge = f'Bearer realm={quoted(visit.authority.site.realm)}, error="insufficient_scope", scope="{names}"'
        return problem("403 Forbidden", f"The token needs: {names}.", [("WWW-Authenticate", challenge)])
    if identity.method != "session":
        return forbidden(visit)
    if "mfa" in remedies:
        return step_up(visit, "mfa")
    if any(each.startswith("fresh") for each in remedies):
        return step_up(visit, "fresh", max_age)
    return forbidden(visit)


def leads_to_a_step(visit: Visit, remedies: Collection[str]) -> bool:
    """Whether :func:`remedied` sends the browser to a page where its user shows more, or the same once more."""
    identity = visit.identity
    return (
        identity is not None
        and identity.method == "session"
        and any(each == "mfa" or each.startswith("fresh") for each in remedies)
        and navigates(visit.environ)
    )


def step_up(visit: Visit, wanted: str, max_age: float | None = None) -> Answer:
    """The answer to who has to show more (``mfa``), or the same once more (``fresh``): RFC 9470."""
    if navigates(visit.environ):
        page = "confirm" if wanted == "fresh" else "second"
        return see_other(f"{visit.authority.url(visit, page)}?{urlencode({'next': here(visit)})}")
    asked = 'acr_values="mfa"' if wanted == "mfa" else f"max_age={int(max_age or 600)}"
    challenge = f'Bearer realm={quoted(visit.authority.site.realm)}, error="insufficient_user_authentication", {asked}'
    return problem("401 Unauthorized", "Show once more who you are.", [("WWW-Authenticate", challenge)])


def wanted_step(headers: Headers) -> str | None:
    """What an app's 401 asks a signed-in user for (RFC 9470): ``mfa``, ``fresh``, or None for nothing of the kind."""
    for name, value in headers:
        if name.lower() == "www-authenticate" and _STEP_UP.search(value):
            acr = _ACR.search(value)
            return "fresh" if _MAX_AGE.search(value) or acr is None else "mfa"
    return None


def is_interactive(visit: Visit) -> bool:
    """Whether people can sign in on a page here."""
    site = visit.authority.site
    return "session" in site.methods and bool(site.login)


def login_url(visit: Visit, page: str = "login") -> str:
    """The login page, or another one, which leads back to where the browser wanted to go."""
    return f"{visit.authority.url(visit, page)}?{urlencode({'next': here(visit)})}"


def here(visit: Visit) -> str:
    """Where the browser wanted to go, as a path. A form that was sent cannot be asked for: then the form's page."""
    environ = visit.environ
    if visit.method in _SAFE:
        query = environ.get("QUERY_STRING", "")
        target = uri_path(visit.script_name + visit.path) + (f"?{uri_query(query)}" if query else "")
    else:
        referrer = urlsplit(environ.get("HTTP_REFERER", ""))
        known = provenance(environ) == "own" and referrer.netloc == environ.get("HTTP_HOST")
        target = (referrer.path + (f"?{referrer.query}" if referrer.query else "")) if known else ""
    return safe_target(target) or uri_path(visit.script_name) + "/"


def _challenges(visit: Visit) -> list[str]:
    return [each for method in visit.authority.methods for each in method.challenges(visit)]
