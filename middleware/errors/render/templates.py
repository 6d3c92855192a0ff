"""The templates of the pages, and the styles and scripts that go into them."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

from ....protocol.printable import printable

_PACKAGE = __package__.rpartition(".")[0]


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The environment of all pages: everything is escaped, and what cannot be seen is named instead."""
    return Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=_seen,
    )


def template(name: str) -> Template:
    """The template of this name, compiled once in a process."""
    return environment().get_template(name)


@lru_cache(maxsize=32)
def static(name: str) -> str:
    """The text of a style or script."""
    return files(_PACKAGE).joinpath("static", name).read_text(encoding="utf-8")


def _seen(value: Any) -> Any:
    return value if type(value) is not str or value.isprintable() else printable(value)


def _template(name: str) -> str:
    return files(_PACKAGE).joinpath("templates", name).read_text(encoding="utf-8")
