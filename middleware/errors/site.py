"""What the filter answers by itself: the kept errors, the console and replay, below its own path.

Where in the stack: around the catcher. Whoever may not see details gets the app's answer, as if nothing were here.
Writes ``SCRIPT_NAME`` and ``PATH_INFO`` in the environ of its own pages.
"""

from __future__ import annotations

from collections.abc import Callable

from ...protocol.wsgi import Body, Environ, StartResponse, WSGIApp


class ErrorSite:
    """Pages below ``path``: ``console`` and ``replay`` by their names, all else there is of ``inbox``; the rest goes to
    ``app``.
    """

    def __init__(
        self,
        app: WSGIApp,
        path: str,
        refusal: Callable[[Environ], str | None],
        *,
        inbox: WSGIApp | None = None,
        console: WSGIApp | None = None,
        replay: WSGIApp | None = None,
    ) -> None:
        self._app = app
        self._path = path
        self._below = f"{path}/"
        self._refusal = refusal
        self._inbox = inbox
        self._console = console
        self._replay = replay

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Answer what is asked for below the path, and hand on everything else."""
        path: str = environ.get("PATH_INFO", "")
        if not path.startswith(self._path) or (path != self._path and not path.startswith(self._below)):
            return self._app(environ, start_response)
        if self._console is not None and path == f"{self._path}/console":
            # Says itself to whom it does not answer, and writes it down.
            return self._console(environ, start_response)
        if self._refusal(environ) is not None:
            return self._app(environ, start_response)
        if self._replay is not None and path == f"{self._path}/replay":
            return self._replay(environ, start_response)
        if self._inbox is None:
            return self._app(environ, start_response)
        below = {
            **environ,
            "SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + self._path,
            "PATH_INFO": path[len(self._path) :],
        }
        return self._inbox(below, start_response)
