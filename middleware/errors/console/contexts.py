"""The request is made current again while code runs at a prompt, as each framework knows it.

Flask, and whoever follows Werkzeug's protocol, hands its contexts to ``werkzeug.debug.preserve_context`` of the environ
when a request fails; this writes that key. Pyramid has a stack for the thread.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from types import FrameType
from typing import Any

from ....protocol.wsgi import Body, Environ, StartResponse, WSGIApp
from .live import Context

KEY = "werkzeug.debug.preserve_context"


class PreservedContexts:
    """Stands around an app and takes the contexts that it leaves when it fails."""

    def __init__(self, app: WSGIApp) -> None:
        self._app = app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Call the app."""
        # Its list is found again by the method that fills it: copies of the environ share that.
        environ[KEY] = [].append
        return self._app(environ, start_response)


def contexts_of(environ: Environ, frames: Iterable[FrameType]) -> list[Context]:
    """The contexts of a request that has failed, in the order in which they are to be entered."""
    kept = getattr(environ.get(KEY), "__self__", None)
    found: list[Context] = [each for each in kept if hasattr(each, "__enter__")] if isinstance(kept, list) else []
    if "pyramid.threadlocal" in sys.modules:
        request = next((each for frame in frames if (each := _pyramid_request(frame)) is not None), None)
        if request is not None:
            found.append(_Pyramid(request))
    return found


def _pyramid_request(frame: FrameType) -> Any:
    request = frame.f_locals.get("request")
    is_pyramid = any(kind.__module__.startswith("pyramid.") for kind in type(request).__mro__)
    return request if is_pyramid and "registry" in vars(request) else None


class _Pyramid(contextlib.AbstractContextManager["_Pyramid"]):
    """May be entered again and again, which a generator's context may not."""

    def __init__(self, request: Any) -> None:
        self._request = request

    def __enter__(self) -> _Pyramid:
        manager = sys.modules["pyramid.threadlocal"].manager
        manager.push({"request": self._request, "registry": self._request.registry})
        return self

    def __exit__(self, *raised: object) -> None:
        sys.modules["pyramid.threadlocal"].manager.pop()
