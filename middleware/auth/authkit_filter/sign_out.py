"""The page that asks whether to sign out, and does."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from ....protocol.answer import Answer
from ....protocol.paths import uri_path
from ..answers import problem, see_other
from ..auth import identify
from ..desk import Desk
from ..return_to import safe_target
from .login_form import fields_of, fill, page, template

if TYPE_CHECKING:
    from ..authority import Authority
    from ..visit import Visit


class SignOut:
    """The page ``logout`` below the mount: GET asks, POST signs out."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    def __call__(self, visit: Visit) -> Answer:
        """Ask, or sign out."""
        authority = self._authority
        failed = identify(visit)
        if failed is not None:
            return failed
        query = parse_qs(visit.environ.get("QUERY_STRING", ""), max_num_fields=20)
        home = safe_target(query.get("next", [""])[0]) or uri_path(visit.script_name) + "/"
        if visit.method in ("GET", "HEAD"):
            issued = authority.forms.issue(visit.environ)
            nonce = secrets.token_urlsafe(12)
            text = fill(
                template("sign_out.html"), action=authority.url(visit, "logout"), token=issued.token, nonce=nonce
            )
            return page("200 OK", text, "utf-8", issued.headers, nonce)
        if visit.method != "POST":
            return problem("405 Method Not Allowed", "This form is sent with POST.", [("Allow", "GET, HEAD, POST")])
        fields = fields_of(visit.environ) or {}
        refused = authority.forms.refusal(visit.environ, fields.get("token"))
        if refused is not None:
            return problem("403 Forbidden", f"The form was not taken: {refused}.")
        if visit.identity is not None and visit.identity.method == "session":
            Desk(visit).logout()
        return see_other(home)
