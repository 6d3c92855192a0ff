"""Puts the wiki together."""

from pathlib import Path
from typing import Any

import jinja2
from pyramid.config import Configurator
from pyramid.csrf import CookieCSRFStoragePolicy
from pyramid.interfaces import IRendererInfo
from pyramid.router import Router

from .pages import open_tree


def main(global_config: dict[str, str], **settings: str) -> Router:
    """The usual Pyramid factory. ``state`` in the global configuration names a folder that the app may write to."""
    tree = open_tree(Path(global_config["state"]) / "wiki" / "pages.json")
    config = Configurator(settings=settings, root_factory=lambda request: tree)
    config.set_csrf_storage_policy(CookieCSRFStoragePolicy(cookie_name="wiki_csrf", samesite="Lax"))
    config.set_default_csrf_options(require_csrf=True)
    config.add_renderer(".html", JinjaTemplate)
    config.add_static_view("static", "pyramid_wiki:static")
    config.add_route("home", "/")
    config.add_route("search", "/search")
    config.add_route("cellar", "/cellar")
    config.add_route("pages", "/pages*traverse")
    config.scan(".views")
    return config.make_wsgi_app()


templates = jinja2.Environment(loader=jinja2.PackageLoader("pyramid_wiki"), autoescape=True, trim_blocks=True)


class JinjaTemplate:
    """A Pyramid renderer: what a view returned goes into a template of the package."""

    def __init__(self, info: IRendererInfo) -> None:
        self.template = templates.get_template(info.name)

    def __call__(self, value: dict[str, Any], system: dict[str, Any]) -> str:
        return self.template.render({**system, **value})
