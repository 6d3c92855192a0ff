"""The HTML pages of the apps, made from the templates beside this module.

Jinja2 is imported by the first page: most processes never show one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

# These pages need nothing but their own style; whatever else found its way into one must not run.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)

HTML = "text/html; charset=utf-8"


def render(template: str, **values: Any) -> bytes:
    """The page as UTF-8. Every value is escaped where it is put in."""
    return _environment().get_template(template).render(values).encode("utf-8", "replace")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from importlib.resources import files

    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def load(name: str) -> str:
        return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")

    return Environment(
        loader=FunctionLoader(load), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
