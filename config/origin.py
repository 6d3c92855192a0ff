"""Where a value came from, and what stands around a factory while it is being built.

The loader sets :data:`building` around each factory call, so that our own factories can name file and
line in their problems. Without it (plain PasteDeploy, ``pserve``, gunicorn) they re-read ``__file__``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from .ini import IniFile
    from .mention import Mention
    from .problems import Problem

How = Literal["section", "default", "set", "get", "inherited", "command line", "environment", "code", "built in"]


class Origin(NamedTuple):
    """A place in a file, or the name of what stands there instead of one."""

    file: str | None = None
    line: int | None = None
    section: str | None = None
    how: How = "section"

    def __str__(self) -> str:
        place = self.how if self.file is None else f"{self.file}:{self.line}" if self.line else self.file
        return place if self.file is None or self.how in ("section", "code") else f"{place} ({self.how})"


class BuildSite(NamedTuple):
    """The section that a factory is being called for.

    ``origins`` names the place of each local key, ``inherited`` that of each global key. ``open(path, mention)`` reads
    a file as the load has read it, with all that it extends, and says what is wrong with it (``Resolver.open``).
    """

    origin: Origin
    origins: Mapping[str, Origin] = MappingProxyType({})
    inherited: Mapping[str, Origin] = MappingProxyType({})
    open: Callable[[str, Mention], tuple[IniFile | None, list[Problem]]] | None = None


building: ContextVar[BuildSite | None] = ContextVar("wheatpaste_building", default=None)
