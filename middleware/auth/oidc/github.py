"""GitHub, which knows OAuth 2 and no OpenID Connect: no ID token says who somebody is, its own interface does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from .failures import Refused, Unreachable, Untrue
from .id_tokens import Logout
from .options import GITHUB, OidcOptions
from .outbound import Outbound
from .profile import Profile, address_in
from .provider import Granted, Request, answer_of_token, granted_in

_SCOPES = ("read:user", "user:email")
_YEAR = 365 * 86400.0


class GitHub:
    """A login at GitHub, or at an Enterprise Server (``issuer`` is its address). Has the methods of ``Provider``.

    Who a user is stands in its number: names and addresses there change hands. Groups are its organisations, where
    ``groups_claim = organizations``.
    """

    def __init__(
        self,
        name: str,
        options: OidcOptions,
        outbound: Outbound,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.options = options
        self.issuer = options.provider.rstrip("/")
        self._clock = clock
        self._outbound = outbound
        self._api = "https://api.github.com" if self.issuer == GITHUB else f"{self.issuer}/api/v3"

    def address_of_login(self, request: Request) -> str:
        """Where to send the browser."""
        scopes = self.options.scopes if "openid" not in self.options.scopes else _SCOPES
        fields = {
            "client_id": self.options.client_id,
            "redirect_uri": request.return_to,
            "scope": " ".join((*scopes, *(("read:org",) if self._wants_groups else ()))),
            "state": request.state,
            "code_challenge": request.challenge,
            "code_challenge_method": "S256",
        }
        if prompt := self.options.prompt or request.prompt:
            fields["prompt"] = prompt
        return f"{self.issuer}/login/oauth/authorize?{urlencode(fields)}"

    def check_sender(self, issuer: str | None) -> None:
        """Whether an answer that names ``issuer`` is of GitHub, which may begin to name itself."""
        if issuer is not None and issuer not in (self.issuer, f"{self.issuer}/login/oauth"):
            raise Untrue("answer of another issuer")

    def exchange(self, code: str, request: Request) -> tuple[Granted, Profile]:
        """Who has logged in, for the code that the browser brought."""
        reply = self._outbound.post(
            f"{self.issuer}/login/oauth/access_token",
            {
                "client_id": self.options.client_id,
                "client_secret": self.options.client_secret or "",
                "code": code,
                "redirect_uri": request.return_to,
                "code_verifier": request.verifier,
            },
        )
        document = answer_of_token(reply)
        granted = granted_in(document, self._clock())
        if "expires_in" not in document:
            granted = granted._replace(until=self._clock() + _YEAR)
        granted = granted._replace(refresh="", id_token="")
        return granted, self._profile(granted.access)

    def renew(self, granted: Granted, subject: str) -> tuple[Granted, Profile]:
        """What GitHub says now of a user who logged in before."""
        profile = self._profile(granted.access)
        if profile.subject != subject:
            raise Untrue("of another user")
        return granted, profile

    def address_of_logout(self, id_token: str, return_to: str, state: str) -> str | None:
        """None: GitHub cannot be told of a logout."""
        return None

    def logout_in(self, token: str) -> Logout:
        """Raises ``Untrue``: GitHub tells nobody of a logout."""
        raise Untrue("no provider of logout tokens")

    @property
    def _wants_groups(self) -> bool:
        return bool(self.options.groups_claim or self.options.allow_groups)

    def _profile(self, access: str) -> Profile:
        user = self._ask("/user", access)
        number, login, display = user.get("id"), user.get("login"), user.get("name")
        if not isinstance(number, int) or isinstance(number, bool) or not isinstance(login, str):
            raise Untrue("no user")
        email, is_verified = self._address(access)
        return Profile(
            issuer=self.issuer,
            subject=str(number),
            name=login[:100],
            display=display[:200] if isinstance(display, str) and display.isprintable() else "",
            email=email,
            email_verified=is_verified,
            groups=self._organizations(access) if self._wants_groups else None,
        )

    def _address(self, access: str) -> tuple[str, bool]:
        # The address in the profile is whatever its user has written there: only this list says what is verified.
        listed = self._ask("/user/emails", access, many=True)["items"]
        for each in listed[:100]:
            if isinstance(each, Mapping) and each.get("primary") is True:
                return address_in({"email": each.get("email"), "email_verified": each.get("verified")})
        return "", False

    def _organizations(self, access: str) -> frozenset[str]:
        listed = self._ask("/user/orgs?per_page=100", access, many=True)["items"]
        names = (each.get("login") for each in listed[:100] if isinstance(each, Mapping))
        return frozenset(each for each in names if isinstance(each, str) and each.isprintable())

    def _ask(self, path: str, access: str, *, many: bool = False) -> dict[str, Any]:
        reply = self._outbound.get(
            self._api + path,
            {"Authorization": f"Bearer {access}", "Accept": "application/vnd.github+json"},
        )
        if reply.status == 401:
            raise Refused("access token refused")
        if reply.status != 200:
            raise Unreachable(f"status {reply.status} to {path.partition('?')[0]}")
        return {"items": reply.listing()} if many else reply.document()
