"""The types of PEP 3333, named once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Protocol, TypeAlias

Environ: TypeAlias = dict[str, Any]
ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]
Headers: TypeAlias = list[tuple[str, str]]
Write: TypeAlias = Callable[[bytes], object]
Body: TypeAlias = Iterable[bytes]


class StartResponse(Protocol):
    """``start_response(status, headers, exc_info=None) -> write``."""

    def __call__(self, status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Write:
        """Begin the response, or replace it while nothing was sent."""


WSGIApp: TypeAlias = Callable[[Environ, StartResponse], Body]
