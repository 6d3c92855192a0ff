"""Method ``jwt``: access tokens that other issuers have signed (RFC 9068), as ``Authorization: Bearer`` (RFC 6750).

A token counts when one of the configured issuers has signed it for us: by a key of its set, with an algorithm that is
allowed, for our audience, and now. Nothing that a token says of its own keys is looked at. Its user needs no account
here: who it is, issuer and subject say. Its name has the section's name in front, since ``admin`` over there is not
``admin`` here.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....config.options import OptionError, between, component, each, option
from ....config.values import Seconds
from ....protocol.answer import Answer
from ..account import NOBODY
from ..accounts.options import GroupOptions
from ..accounts.roles import Roles
from ..answers import problem
from ..claims import claim_at
from ..identity import Identity
from ..method import Failed
from ..oidc.addresses import address_complaint
from ..oidc.failures import Unreachable, Untrue
from ..oidc.keys import USUAL_ALGORITHMS, IssuerKeys, require_packages
from ..oidc.metadata import keys_address
from ..oidc.options import algorithm_complaint
from ..oidc.profile import address_in, groups_in, text_at
from ..oidc.renewed import Renewed
from ..oidc.signed import (
    SignedToken,
    check_audience,
    check_times,
    claims_of,
    read_signed,
    seconds_in,
    text_in,
)
from .auth_params import credentials, quoted
from .transport import exposure

if TYPE_CHECKING:
    from ..visit import Visit

log = logging.getLogger(__name__)

WELL_KNOWN = "/.well-known/oauth-protected-resource"
"""Where clients look for what this resource is and who gives tokens for it (RFC 9728)."""

_SCOPE = re.compile(r"[!#-\[\]-~]{1,200}")
_MOST_SCOPES = 200
_WRONG = "The token is not valid here."


def _not_symmetric(algorithms: tuple[str, ...]) -> str | None:
    return each(algorithm_complaint)(algorithms) if algorithms else "must name an algorithm"


def _given(words: tuple[str, ...]) -> str | None:
    return None if words else "must be given: a token for somebody else is none for us"


@component
class JwtOptions:
    """Somebody who signs tokens for this site."""

    issuer: str = option(
        doc="Who signs, to the letter as the tokens say (iss).",
        check=address_complaint,
        sample="https://id.example.org",
    )
    audience: tuple[str, ...] = option(
        doc="What tokens call this site (aud); one of these words.", check=_given, sample="https://api.example.org"
    )
    jwks_url: str | None = option(
        default=None,
        doc="Where the issuer's keys are; without it, where its configuration says.",
        check=address_complaint,
        sample="https://id.example.org/jwks",
    )
    algorithms: tuple[str, ...] = option(
        default=USUAL_ALGORITHMS, doc="Signatures that are believed.", check=_not_symmetric
    )
    types: tuple[str, ...] = option(
        default=("at+jwt",), doc="What tokens say they are (typ); JWT for issuers that do not tell them apart."
    )
    username: str = option(default="sub", doc="The claim that has the user's name.")
    prefix: str | None = option(
        default=None, doc="What stands before the name; without it the section's name and a colon."
    )
    groups_claim: str = option(default="", doc="The claim that has the groups; dots lead into objects.")
    roles_claim: str = option(default="", doc="The claim that has the roles; dots lead into objects.", sample="roles")
    roles: tuple[str, ...] = option(
        default=(), doc="The roles of ours that the issuer may give by roles_claim; no others are taken."
    )
    require_scopes: tuple[str, ...] = option(default=(), doc="Scopes that every token has to have.")
    leeway: Seconds = option(default=60.0, doc="How much clocks may differ.", check=between(0, 300))
    ca_file: Path | None = option(default=None, doc="Certificates to trust instead of the system's (PEM).")

    def __post_init__(self) -> None:
        if self.roles_claim and not self.roles:
            raise OptionError("JwtOptions", "roles", "must name the roles that roles_claim may give")


class JwtIssuer:
    """One issuer; ``name`` is that of its section."""

    def __init__(
        self,
        name: str,
        options: JwtOptions,
        clock: Callable[[], float] = time.time,
    ) -> None:
        from ..oidc.outbound import Outbound  # a client for HTTP, which sites without issuers do not need

        self.name = name
        self.options = options
        self._clock = clock
        client = Outbound(options.ca_file)
        address: Renewed[str] = Renewed(lambda: keys_address(options.issuer, client), clock)
        self._keys = IssuerKeys(lambda: options.jwks_url or address.get(), client, clock)

    def read(self, text: str) -> dict[str, Any]:
        """The claims of a token that holds for us. Raises ``Untrue`` and ``Unreachable``."""
        options = self.options
        token = read_signed(text, self._keys, frozenset(options.algorithms))
        self._check_kind(token)
        claims = token.claims
        if claims.get("iss") != options.issuer:
            raise Untrue("of another issuer")
        check_audience(claims, options.audience)
        check_times(claims, self._clock(), options.leeway, needs_issue_time=False)
        text_in(claims, "sub")
        return claims

    def name_of(self, claims: Mapping[str, Any]) -> str:
        """What the user is called here."""
        prefix = f"{self.name}:" if self.options.prefix is None else self.options.prefix
        return prefix + (text_at(claims, self.options.username) or claims["sub"])

    def roles_of(self, claims: Mapping[str, Any]) -> frozenset[str]:
        """The roles of ours that the token gives."""
        if not self.options.roles_claim:
            return NOBODY
        return (groups_in(claims, self.options.roles_claim) or NOBODY) & frozenset(self.options.roles)

    def _check_kind(self, token: SignedToken) -> None:
        # So that an ID token, or a logout token, of the same issuer is no access token (RFC 8725 section 3.11).
        kind = str(token.head.get("typ", "")).lower().removeprefix("application/")
        if kind not in (each.lower().removeprefix("application/") for each in self.options.types):
            raise Untrue("token of another type")
        if "events" in token.claims or "nonce" in token.claims:
            raise Untrue("token of another type")


class Jwt:
    """The method: tokens of all issuers that have a section ``[auth:main:jwt:NAME]``."""

    name = "jwt"

    def __init__(
        self,
        issuers: Sequence[JwtIssuer],
        groups: GroupOptions | None = None,
        roles: Roles | None = None,
    ) -> None:
        require_packages()
        self._issuers = {each.options.issuer: each for each in issuers}
        self._groups = groups or GroupOptions()
        self._roles = roles or Roles()

    def identify(self, visit: Visit) -> Identity | Failed | None:
        """Who the token is for; None where there is none, or one that is no JWT."""
        text = credentials(visit.header("Authorization"), "Bearer")
        if text is None or text.count(".") != 2:
            return None
        exposed = exposure(visit)
        if exposed is not None:
            return exposed
        try:
            issuer = self._issuers.get(_issuer_in(text))
            if issuer is None:
                raise Untrue("issuer not known")
            return self._identity(issuer, issuer.read(text))
        except Untrue as error:
            return Failed(f"jwt: {error}", "invalid_token", _WRONG)
        except Unreachable as error:
            log.warning("keys of an issuer of tokens cannot be had: %s", error)
            return Failed("jwt: issuer cannot be asked", description="Try again later.", status=503, retry_after=60)

    def challenges(self, visit: Visit) -> Sequence[str]:
        """The challenge, with what was wrong with the token and with where to learn who gives tokens (RFC 9728)."""
        parts = [f"realm={quoted(visit.authority.site.realm)}"]
        failed = visit.failed.get(self.name)
        if failed is not None and failed.error:
            parts.append(f"error={quoted(failed.error)}")
            if failed.description:
                parts.append(f"error_description={quoted(failed.description)}")
            if failed.error == "insufficient_scope":
                parts.append(f"scope={quoted(' '.join(self._wanted_scopes()))}")
        parts.append(f"resource_metadata={quoted(_origin(visit) + WELL_KNOWN)}")
        return ["Bearer " + ", ".join(parts)]

    def metadata(self, visit: Visit) -> Answer:
        """What this resource is, and who gives tokens for it: the page at ``WELL_KNOWN``."""
        if visit.method not in ("GET", "HEAD"):
            return problem("405 Method Not Allowed", "This document is only read.", [("Allow", "GET, HEAD")])
        document = {
            "resource": _origin(visit),
            "authorization_servers": list(self._issuers),
            "bearer_methods_supported": ["header"],
            "resource_name": visit.authority.site.title or visit.authority.site.realm,
        }
        scopes = self._wanted_scopes()
        if scopes:
            document["scopes_supported"] = scopes
        return Answer(
            status="200 OK",
            headers=[
                ("Content-Type", "application/json"),
                ("Cache-Control", "max-age=300"),
                # Clients in browsers read it from anywhere; there is nothing in it that is not public.
                ("Access-Control-Allow-Origin", "*"),
                ("X-Content-Type-Options", "nosniff"),
            ],
            body=json.dumps(document).encode("ascii"),
        )

    def _identity(self, issuer: JwtIssuer, claims: dict[str, Any]) -> Identity | Failed:
        scopes = scopes_in(claims)
        if not scopes.issuperset(issuer.options.require_scopes):
            return Failed("jwt: scope lacking", "insufficient_scope", "The token is not good for this.", 403)
        email, is_verified = address_in(claims)
        roles = issuer.roles_of(claims)
        return Identity(
            id=f"jwt:{issuer.options.issuer}#{claims['sub']}",
            name=issuer.name_of(claims),
            method=self.name,
            display=text_at(claims, "name"),
            email=email if is_verified else "",
            groups=self._groups.ours(issuer.name, groups_in(claims, issuer.options.groups_claim) or NOBODY),
            roles=roles,
            permissions=self._roles.of(roles),
            scopes=scopes,
            auth_time=seconds_in(claims, "auth_time"),
            claims={key: claims[key] for key in ("iss", "sub", "aud", "client_id", "azp", "acr") if key in claims},
        )

    def _wanted_scopes(self) -> list[str]:
        return sorted({scope for each in self._issuers.values() for scope in each.options.require_scopes})


def scopes_in(claims: Mapping[str, Any]) -> frozenset[str]:
    """What a token is good for: ``scope`` (RFC 8693 section 4.2), or ``scp`` as some issuers have it."""
    found = claims.get("scope", claim_at(claims, "scp"))
    if isinstance(found, str):
        found = found.split(" ")
    if not isinstance(found, list):
        return NOBODY
    return frozenset(each for each in found[:_MOST_SCOPES] if isinstance(each, str) and _SCOPE.fullmatch(each))


def _issuer_in(text: str) -> str:
    told = claims_of(text).get("iss")
    if not isinstance(told, str):
        raise Untrue("no issuer")
    return told


def _origin(visit: Visit) -> str:
    address = visit.authority.absolute_url(visit)
    return address[: address.index("/", address.index("//") + 2)]
