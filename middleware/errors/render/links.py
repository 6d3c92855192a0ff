"""Where the page for developers leads to: addresses of this site, and a person's editor."""

from __future__ import annotations

from dataclasses import dataclass

from .editor import Editor


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """What stands around a page. Addresses are absolute paths of the same site; None means that there is none.

    ``errors`` are the pages of kept errors. Below it the page asks for ``ID/source?frame=0.3&all=function`` (or
    ``all=file``, ``0.3`` being the index of the exception and of its frame), and reads from JSON ``{"lines":
    [{"number": 1, "text": "…"}, …]}``. ``console`` and ``replay`` are where their scripts send to; with them
    ``static/console.js`` and ``static/replay.js`` become part of the page.
    """

    errors: str | None = None
    editor: Editor | None = None
    console: str | None = None
    replay: str | None = None

    def __post_init__(self) -> None:
        for name in ("errors", "console", "replay"):
            address = getattr(self, name)
            # A mount's path comes from the request, and ``//evil.example`` would be another site.
            if address is not None and (address[:1] != "/" or address[1:2] in ("/", "\\")):
                object.__setattr__(self, name, None)
