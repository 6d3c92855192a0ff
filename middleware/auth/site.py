"""``[auth:main]``: what holds for the whole of a site's authentication."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from ...config.options import component, each, option
from ...protocol.peers import network_complaint
from .audit import destination_complaint

METHODS = ("session", "bearer", "digest", "basic", "jwt", "header", "tkt", "certificate")
"""The words of ``methods``, in the order in which their challenges are sent: the strongest first."""

_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
_STATUS = re.compile(r"4\d\d")


def mount_complaint(path: str) -> str | None:
    """What is wrong with a path for the filter's own pages, as a phrase, or None."""
    if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        return "must be a plain path such as /-/auth, without a slash at its end"
    return None


def public_url_complaint(url: str) -> str | None:
    """What is wrong with the address under which browsers reach a site, as a phrase, or None."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        return "must be what a browser's address line begins with, such as https://wiki.example.org"
    if parts.path not in ("", "/"):
        return "must be scheme and host alone, without a path: mounts are known from each request"
    if (
        parts.scheme == "http"
        and parts.hostname not in ("localhost", "127.0.0.1", "::1")
        and not (parts.hostname.endswith(".localhost"))
    ):
        return "must begin with https:// unless the host is this machine: passwords and cookies could be read"
    return None


def _method_complaint(word: str) -> str | None:
    return None if word in METHODS else f"must be of: {', '.join(METHODS)}"


def _login_complaint(word: str) -> str | None:
    if word in ("password", "passkey") or re.fullmatch(r"oidc:[A-Za-z0-9_-]+", word):
        return None
    return "must be password, passkey or oidc:NAME with a section [auth:main:oidc:NAME]"


def _status_complaint(status: str) -> str | None:
    return None if _STATUS.fullmatch(status) else "must be a status between 400 and 499"


def realm_complaint(realm: str) -> str | None:
    """What is wrong with the name of a protected space, as a phrase, or None."""
    # Many clients of Digest repeat a quote as it is, and so send what nobody can read.
    if not realm or not realm.isprintable() or set(realm) & set('"\\'):
        return "must be printable text without quotes and backslashes, which clients send back wrong"
    return None


@component
class Site:
    """What holds for all logins of a site."""

    secret: str | None = option(
        default=None,
        doc="The key of all signatures and of what is kept encrypted; `wheatpaste auth FILE init` makes a file for it.",
        secret=True,
        sample="%(here)s/auth.key",
    )
    public_url: str | None = option(
        default=None,
        doc="Scheme and host under which browsers reach the site. Passkeys and OpenID providers need it.",
        check=public_url_complaint,
        sample="https://wiki.example.org",
    )
    mount: str = option(default="/-/auth", doc="Where the pages for login and account are.", check=mount_complaint)
    methods: tuple[str, ...] = option(
        default=("session",), doc="How requests may show who makes them.", check=each(_method_complaint)
    )
    login: tuple[str, ...] = option(
        default=("password",), doc="What the login page offers, in this order.", check=each(_login_complaint)
    )
    default: Literal["app", "authenticated", "deny"] = option(
        default="app",
        doc="What holds where no rule matches: the app decides by the status it answers, a login, or nobody.",
    )
    intercept: tuple[str, ...] = option(
        default=("401",),
        doc="Statuses of the app that mean that it wants to know who asks.",
        check=each(_status_complaint),
    )
    intercept_prechallenged: bool = option(
        default=False, doc="Take over also where the app sends a challenge of its own (WWW-Authenticate)."
    )
    trusted_proxies: tuple[str, ...] = option(
        default=(),
        doc="Networks of the proxies whose identity headers and forward-auth requests are believed; unix for sockets.",
        check=each(network_complaint),
        inherits=True,
        sample="127.0.0.1 ::1",
    )
    trusted_origins: tuple[str, ...] = option(
        default=(), doc="Other origins whose pages may send forms to ours.", sample="https://www.example.org"
    )
    accept_server_user: bool = option(
        default=False, doc="Believe the REMOTE_USER that the server sets, such as Apache's own login."
    )
    allow_insecure: bool = option(
        default=False,
        doc="Take passwords and tokens that come with each request over plain http from other machines, too.",
    )
    realm: str = option(
        default="wheatpaste",
        doc="The name of the protected space in challenges.",
        check=realm_complaint,
        sample="Wiki",
    )
    title: str = option(default="", doc="The site's name on the pages; empty takes its host.", sample="Our wiki")
    audit: str = option(
        default="log:",
        doc="Where events are written: log: (the logger wheatpaste.middleware.auth.audit), json:PATH, or none.",
        check=destination_complaint,
        sample="json:%(here)s/audit.log",
    )
    save_posts: int = option(
        default=65536, doc="Bytes of a form that an ended session may interrupt and a new login resumes; 0 for none."
    )
    templates: Path | None = option(default=None, doc="A folder with templates that replace ours of the same name.")
