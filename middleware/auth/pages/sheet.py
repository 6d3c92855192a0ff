"""A page of ours: a template, filled in for a visit, with the headers that keep it to its user."""

from __future__ import annotations

import secrets
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....protocol.answer import Answer
from ....protocol.hosts import read_host
from ....protocol.paths import uri_path
from ..answers import html
from .files import FILES, theme_of
from .language import Catalogue, catalogue_for
from .moments import Moments
from .ways import can_change_password, editable, takes_tokens

if TYPE_CHECKING:
    from jinja2 import Environment

    from ..identity import Identity
    from ..visit import Visit

_STRICT_TRANSPORT = ("Strict-Transport-Security", "max-age=31536000")


def sheet(
    visit: Visit,
    template: str,
    status: str = "200 OK",
    *,
    user: Identity | None = None,
    has_script: bool = False,
    onward: str | None = None,
    **values: Any,
) -> Answer:
    """The page that ``template`` makes of ``values``.

    Every page has ``_`` (the catalogue), ``url``, ``token``, ``site`` and ``user``. ``has_script``: it offers passkeys.
    ``onward`` is where the browser goes by itself, which may be another site.
    """
    authority = visit.authority
    token, cookies = authority.forms.issue(visit.environ)
    nonce = secrets.token_urlsafe(16) if has_script else None
    words = words_of(visit)
    theme = theme_of(authority.site.templates)

    def url(name: str = "") -> str:
        return authority.url(visit, name)

    page = _environment(authority.site.templates).get_template(template)
    text = page.render(
        {
            "_": words,
            "language": words.language,
            "url": url,
            "token": token,
            "nonce": nonce,
            "site": site_name(visit),
            "user": user,
            "menu": () if user is None else _menu(visit, user),
            "onward": onward,
            "style": url(f"static/{FILES.style}"),
            "theme": None if theme is None else url(f"static/{theme.name}"),
            "script": url(f"static/{FILES.script}"),
            "moments": Moments(words, authority.clock()),
            "home": uri_path(visit.script_name) + "/",
            **values,
        }
    )
    headers = [*cookies]
    if authority.is_public_secure:
        headers.append(_STRICT_TRANSPORT)
    return html(status, text, script_nonce=nonce, headers=headers)


def _menu(visit: Visit, user: Identity) -> list[str]:
    """The pages of the account that this user has."""
    authority = visit.authority
    found = ["account", "account/security", "account/devices"]
    if user.account is not None and editable(authority, user.account):
        found.append("account/profile")
    if user.account is not None and can_change_password(authority, user.account):
        found.append("account/password")
    if authority.providers:
        found.append("account/providers")
    if takes_tokens(authority):
        found.append("account/tokens")
    return found


def words_of(visit: Visit) -> Catalogue:
    """The language of a visit."""
    return catalogue_for(visit.header("Accept-Language"), visit.authority.site.templates)


def site_name(visit: Visit) -> str:
    """What the site is called: its title, or the host under which the browser sees it."""
    site = visit.authority.site
    if site.title:
        return site.title
    host = read_host(visit.environ.get("HTTP_HOST", "")) if site.public_url is None else None
    if site.public_url is not None:
        return site.public_url.partition("://")[2].rstrip("/")
    return str(host or visit.environ.get("SERVER_NAME", ""))


@lru_cache(maxsize=8)
def _environment(folder: Path | None) -> Environment:
    from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined

    ours = PackageLoader(__package__, "templates")
    loader = ours if folder is None else ChoiceLoader([FileSystemLoader(folder), ours])
    return Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
