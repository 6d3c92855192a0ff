"""The templates of this package, which escape whatever is put into them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template


@lru_cache(maxsize=16)
def template(name: str) -> Template:
    """A template of the folder ``templates``, compiled once."""
    from importlib.resources import files

    from jinja2 import Environment, StrictUndefined  # costly, and most processes never show an error

    source = files(__package__).joinpath("templates", name).read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source)
