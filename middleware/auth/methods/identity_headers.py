"""The headers in which proxies name users. No client may set one of them, whether it is read here or by the app."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .header_names import environ_key

if TYPE_CHECKING:
    from ..visit import Visit


class Headers(NamedTuple):
    """The headers of one kind of proxy, ``''`` where it has none; and how it separates groups."""

    user: str
    groups: str = ""
    display: str = ""
    email: str = ""
    separator: str = ","


PRESETS: dict[str, Headers] = {
    "authelia": Headers("Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email"),
    "authentik": Headers("X-authentik-username", "X-authentik-groups", "X-authentik-name", "X-authentik-email", "|"),
    "oauth2-proxy": Headers("X-Forwarded-User", "X-Forwarded-Groups", "", "X-Forwarded-Email"),
    "oauth2-proxy-nginx": Headers("X-Auth-Request-User", "X-Auth-Request-Groups", "", "X-Auth-Request-Email"),
    "tailscale": Headers("Tailscale-User-Login", "", "Tailscale-User-Name"),
    "custom": Headers(""),
}
"""What known proxies send. ``oauth2-proxy`` stands in front itself; ``-nginx`` answers nginx's ``auth_request``."""

SIGNED = {
    "google-iap": "X-Goog-IAP-JWT-Assertion",
    "cloudflare": "Cf-Access-Jwt-Assertion",
    "aws-alb": "X-Amzn-Oidc-Data",
}
"""The one header of proxies that sign what they say (``assertion``)."""

_FURTHER = (
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Access-Token",
    "X-Auth-Request-Preferred-Username",
    "X-Auth-Request-Access-Token",
    "X-authentik-uid",
    "Tailscale-User-Profile-Pic",
    "X-Webauth-User",
    "X-Remote-User",
    "Cf-Access-Authenticated-User-Email",
    "X-Goog-Authenticated-User-Email",
    "X-Goog-Authenticated-User-Id",
    "X-Amzn-Oidc-Identity",
    "X-Amzn-Oidc-Accesstoken",
    "X-Client-Verify",
)

FORGEABLE = frozenset(
    environ_key(name)
    for name in (*_FURTHER, *SIGNED.values(), *(name for preset in PRESETS.values() for name in preset[:4]))
    if name
)
"""The environ keys of all these headers."""


def strip_identity_headers(visit: Visit) -> None:
    """Take all of them out of the environ: for sites that believe no header."""
    for key in FORGEABLE.intersection(visit.environ):
        del visit.environ[key]
