"""``[auth:main:header]``: which proxy names users, and in which headers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ....config.mounts import KeyProblem
from ....config.options import OptionError, component, each, option
from ..oidc.addresses import address_complaint
from .guests import Whose, amr_complaint
from .header_names import header_complaint, kept_by
from .identity_headers import PRESETS, SIGNED, Headers

if TYPE_CHECKING:
    from ....config.surroundings import Surroundings

_BALANCER = re.compile(r"arn:aws[a-z-]*:elasticloadbalancing:([a-z0-9-]+):\d+:loadbalancer/[\w/.-]+")


def _header_complaint(name: str) -> str | None:
    return header_complaint(name) if name else None  # an empty one says that there is none


def region_of(balancer: str) -> str | None:
    """The region in the ARN of a load balancer of AWS; None for what is none."""
    found = _BALANCER.fullmatch(balancer)
    return None if found is None else found[1]


@component
class HeaderOptions:
    """Users whom a trusted proxy names in a header."""

    preset: Literal[
        "authelia",
        "authentik",
        "oauth2-proxy",
        "oauth2-proxy-nginx",
        "tailscale",
        "custom",
        "google-iap",
        "cloudflare",
        "aws-alb",
    ] = option(
        doc="Which proxy it is; decides which headers are read. The proxy has to set or remove every one of them.",
        sample="authelia",
    )
    user: str | None = option(default=None, doc="The header with the user's name.", check=_header_complaint)
    groups: str | None = option(default=None, doc="The header with the groups.", check=_header_complaint)
    display: str | None = option(default=None, doc="The header with the full name.", check=_header_complaint)
    email: str | None = option(default=None, doc="The header with the mail address.", check=_header_complaint)
    separator: str | None = option(default=None, doc="What stands between two groups.")
    accounts: Whose = option(
        default="none",
        doc="Whether the name is one of our own users as well: never, where there is such a user, or it has to be.",
    )
    amr: tuple[str, ...] = option(
        default=(),
        doc="What the proxy demands of its users, in the words of RFC 8176: mfa, pwd, otp, hwk.",
        check=each(amr_complaint),
    )
    secret_header: str | None = option(
        default=None, doc="A header by which the proxy shows a secret as well.", check=_header_complaint
    )
    secret: str | None = option(default=None, doc="What stands in that header.", secret=True)
    underscores_dropped: bool = option(
        default=False,
        doc="The proxy drops header names with an underscore, as nginx does; needed where the server does not.",
    )
    audience: tuple[str, ...] = option(
        default=(),
        doc="Whom a signed header is for: the audience of IAP or Access, or the ARN of the load balancer.",
        sample="/projects/1234/global/backendServices/5678",
    )
    issuer: str | None = option(
        default=None,
        doc="Who signs: the address of the team at Cloudflare; the provider behind a load balancer of AWS.",
        check=address_complaint,
        sample="https://team.cloudflareaccess.com",
    )
    user_claim: str | None = option(
        default=None, doc="The claim of a signed header that has the name; email, if not said."
    )
    keys_url: str | None = option(
        default=None,
        doc="Where the keys of signed headers are, if elsewhere than usual.",
        check=address_complaint,
    )
    ca_file: Path | None = option(default=None, doc="Certificates to trust there instead of the system's (PEM).")

    def __post_init__(self) -> None:
        if self.is_signed:
            self._check_signed()
            return
        for name in ("audience", "issuer", "user_claim", "keys_url", "ca_file"):
            if getattr(self, name):
                raise OptionError("HeaderOptions", name, f"has no meaning with {self.preset}, which signs nothing")
        if self.preset == "custom" and not self.user:
            raise OptionError("HeaderOptions", "user", "must name the header where the preset is custom")
        if bool(self.secret_header) != bool(self.secret):
            missing = "secret" if self.secret_header else "secret_header"
            raise OptionError("HeaderOptions", missing, "is missing: secret_header and secret come together")
        if self.secret is not None and len(self.secret) < 16:
            raise OptionError("HeaderOptions", "secret", "must have at least 16 characters")

    @property
    def is_signed(self) -> bool:
        """Whether the proxy signs what it says."""
        return self.preset in SIGNED

    def _check_signed(self) -> None:
        for name in ("user", "groups", "display", "email", "separator", "secret_header", "secret"):
            if getattr(self, name):
                raise OptionError("HeaderOptions", name, f"has no meaning with {self.preset}: what counts is signed")
        if not self.audience:
            raise OptionError("HeaderOptions", "audience", "is missing: what was signed for others must not count")
        if self.preset == "cloudflare" and self.issuer is None:
            raise OptionError("HeaderOptions", "issuer", "must be the address of the team")
        if self.preset == "aws-alb" and None in map(region_of, self.audience):
            raise OptionError("HeaderOptions", "audience", "must be the ARN of the load balancer")

    def problems(self, stack: Surroundings) -> Iterator[KeyProblem]:
        """What a check says: a server of ours that was told to keep underscores."""
        if not self.is_signed and not self.underscores_dropped and kept_by(stack.server):
            yield KeyProblem(
                "preset",
                "the server keeps header names with an underscore, by which clients could name a user",
                "let it drop them, or say that the proxy does with `underscores_dropped = true`",
            )

    @property
    def headers(self) -> Headers:
        """The headers that count."""
        preset = PRESETS[self.preset]
        return Headers(
            self.user or preset.user,
            preset.groups if self.groups is None else self.groups,
            preset.display if self.display is None else self.display,
            preset.email if self.email is None else self.email,
            self.separator or preset.separator,
        )
