"""Style and script of the pages, under names that change with their contents, so that browsers may keep them."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ....protocol.answer import Answer

if TYPE_CHECKING:
    from ..visit import Visit

_FOR_EVER = [
    ("Cache-Control", "public, max-age=31536000, immutable"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
]
_THEME = "theme.css"


class StaticFile(NamedTuple):
    """A file as browsers get it."""

    name: str
    kind: str
    content: bytes


def _named(name: str, kind: str, content: bytes) -> StaticFile:
    stem, _, suffix = name.rpartition(".")
    return StaticFile(f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{suffix}", kind, content)


class Files:
    """The files that come with the pages; they are read when they are first needed."""

    @property
    def style(self) -> str:
        """The name of the style."""
        return self._file("auth.css", "text/css; charset=utf-8").name

    @property
    def script(self) -> str:
        """The name of the script, which passkeys need."""
        return self._file("passkeys.js", "text/javascript; charset=utf-8").name

    def find(self, name: str) -> StaticFile | None:
        """The file of this name."""
        for file in (
            self._file("auth.css", "text/css; charset=utf-8"),
            self._file("passkeys.js", "text/javascript; charset=utf-8"),
        ):
            if file.name == name:
                return file
        return None

    @lru_cache(maxsize=8)  # noqa: B019  # there is one
    def _file(self, name: str, kind: str) -> StaticFile:
        return _named(name, kind, files(__package__).joinpath("static", name).read_bytes())


FILES = Files()


@lru_cache(maxsize=8)
def theme_of(folder: Path | None) -> StaticFile | None:
    """``theme.css`` of the folder with templates, which comes after our style: colours, a font, a logo."""
    if folder is None or not (folder / _THEME).is_file():
        return None
    return _named(_THEME, "text/css; charset=utf-8", (folder / _THEME).read_bytes())


def static_file(visit: Visit) -> Answer:
    """The answer to ``static/NAME``."""
    authority = visit.authority
    name = visit.path.rpartition("/")[2]
    theme = theme_of(authority.site.templates)
    file = theme if theme is not None and theme.name == name else FILES.find(name)
    if file is None or visit.method not in ("GET", "HEAD"):
        return authority.message(visit, "404 Not Found", "There is no such page here.")
    return Answer(status="200 OK", headers=[("Content-Type", file.kind), *_FOR_EVER], body=file.content)
