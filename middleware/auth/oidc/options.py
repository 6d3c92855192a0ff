"""``[auth:main:oidc:NAME]``: a provider at which users log in."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Literal

from ....config.options import OptionError, at_least, between, component, each, option
from ....config.values import Seconds
from .addresses import address_complaint
from .keys import ALGORITHMS, USUAL_ALGORITHMS

GITHUB = "https://github.com"
_OPENID_ALONE = (
    *("client_key", "client_key_id", "client_key_algorithm", "algorithms", "response_mode", "username"),
    *("display_claim", "trust_mfa", "max_age", "acr_values", "require_acr", "require_amr", "logout"),
    "old_logout_tokens",
)
"""What GitHub has nothing for. A demand on the login would otherwise be one that nobody looks at."""


def _issuer_complaint(issuer: str) -> str | None:
    complaint = address_complaint(issuer)
    if complaint is None and "?" in issuer:
        return "must not hold a query"
    return complaint


def algorithm_complaint(word: str) -> str | None:
    """What is wrong with the name of a signature algorithm; those with a shared secret are not allowed."""
    if word in ALGORITHMS:
        return None
    return f"must be of: {', '.join(ALGORITHMS)}"


def _not_blank(text: str) -> str | None:
    return None if text.strip() else "must not be empty"


@component
class OidcOptions:
    """A provider at which users log in, by OpenID Connect or as GitHub has it."""

    issuer: str = option(
        default="",
        doc="The provider, to the letter as it names itself in its configuration.",
        check=lambda issuer: _issuer_complaint(issuer) if issuer else None,
        sample="https://id.example.org/realms/corp",
    )
    preset: Literal["openid", "github"] = option(
        default="openid",
        doc="What kind of provider it is: one with OpenID Connect, or GitHub with an interface of its own.",
    )
    client_id: str = option(doc="The name under which the provider knows this site.", check=_not_blank, sample="wiki")
    client_secret: str | None = option(
        default=None, doc="What the provider gave out together with the name.", secret=True, sample="from-the-provider"
    )
    client_auth: Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "none"] = option(
        default="client_secret_basic", doc="How this site shows the provider that it is the one (OpenID Core, 9)."
    )
    client_key: Path | None = option(
        default=None, doc="A private key (PEM) for client_auth = private_key_jwt; nobody else may read it."
    )
    client_key_id: str | None = option(default=None, doc="The kid under which the provider knows its public key.")
    client_key_algorithm: str = option(
        default="RS256", doc="The signature algorithm of that key.", check=algorithm_complaint
    )
    scopes: tuple[str, ...] = option(default=("openid", "profile", "email"), doc="What the provider is asked for.")
    algorithms: tuple[str, ...] = option(
        default=USUAL_ALGORITHMS, doc="Signatures of ID tokens that are believed.", check=each(algorithm_complaint)
    )
    response_mode: Literal["query", "form_post"] = option(
        default="query", doc="How the answer comes back: in the address, or as a form (needs https)."
    )
    username: str = option(default="preferred_username", doc="The claim that new users get their names by.")
    display_claim: str = option(default="name", doc="The claim that has the full name.")
    groups_claim: str = option(
        default="", doc="The claim that has the groups; dots lead into objects (realm_access.roles).", sample="groups"
    )
    allow_groups: tuple[str, ...] = option(
        default=(), doc="Groups of the provider of which a user must have one; empty lets all in.", sample="wiki-users"
    )
    provision: Literal["deny", "link", "create"] = option(
        default="link",
        doc="Who is let in: users that were linked before; also those with the mail address of one; also new ones.",
    )
    linking: bool = option(
        default=True,
        doc="Whether users may connect a login there with their accounts themselves, on their account page.",
    )
    trust_email: bool = option(
        default=False,
        doc="Link by mail address where the provider says that it is verified; whoever runs it can then be any user.",
    )
    trust_mfa: bool = option(
        default=False, doc="Take a login for one with two factors where the provider says so (amr: mfa)."
    )
    max_age: Seconds | None = option(
        default=None, doc="How long ago the login at the provider may be; 0 asks for one each time.", check=at_least(0)
    )
    acr_values: tuple[str, ...] = option(default=(), doc="Classes of login that the provider is asked for.")
    require_acr: tuple[str, ...] = option(default=(), doc="Classes of login of which one is demanded (acr).")
    require_amr: tuple[str, ...] = option(default=(), doc="Methods of login that are all demanded (amr).")
    prompt: str = option(default="", doc="What the provider is to ask its user: login, consent, select_account.")
    refresh: Seconds = option(
        default=300.0, doc="How often a session asks the provider whether it still holds.", check=at_least(30)
    )
    leeway: Seconds = option(default=60.0, doc="How much clocks may differ.", check=between(0, 300))
    logout: bool = option(default=True, doc="Whether a logout here is one at the provider, too.")
    old_logout_tokens: bool = option(
        default=False, doc="Take logout tokens without typ = logout+jwt, of providers that do not know it yet."
    )
    title: str = option(default="", doc="What the button on the login page says.", sample="Example Corp")
    ca_file: Path | None = option(default=None, doc="Certificates to trust instead of the system's (PEM).")

    def __post_init__(self) -> None:
        if self.preset == "openid" and not self.issuer:
            raise OptionError("OidcOptions", "issuer", "must be given")
        if self.preset == "openid" and "openid" not in self.scopes:
            raise OptionError("OidcOptions", "scopes", "must have openid among them")
        if self.client_auth in ("client_secret_basic", "client_secret_post") and not self.client_secret:
            raise OptionError("OidcOptions", "client_secret", f"must be given for client_auth = {self.client_auth}")
        if self.client_auth == "private_key_jwt" and self.client_key is None:
            raise OptionError("OidcOptions", "client_key", "must be given for client_auth = private_key_jwt")
        if self.preset == "github":
            self._check_github()
        elif self.allow_groups and not self.groups_claim:
            raise OptionError("OidcOptions", "allow_groups", "needs groups_claim, or nobody would get in")

    def _check_github(self) -> None:
        if self.client_auth not in ("client_secret_basic", "client_secret_post"):
            raise OptionError("OidcOptions", "client_auth", "must be left out: GitHub knows a secret alone")
        for member in fields(self):
            if member.name in _OPENID_ALONE and getattr(self, member.name) != member.default:
                raise OptionError("OidcOptions", member.name, "has no meaning with github, which says nothing of it")

    @property
    def provider(self) -> str:
        """The issuer, also where the preset implies it."""
        return self.issuer or GITHUB
