"""Replay as the filter sees it: listens to requests, keeps those that fail, and answers its own address.

Where in the stack: around the catcher, inside the filter's own pages. Writes ``wheatpaste.replay``. Only requests that
may see the details of their errors are listened to; ``paste.throw_errors`` says that somebody further out catches.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from ....protocol.shelf import OwnShelf, Shelf, inherited
from ....protocol.wsgi import Body, Environ, StartResponse, WSGIApp
from ..record import ErrorRecord
from .endpoint import ReplayEndpoint
from .heard import CameRequest, Heard
from .heard_body import NotWhole
from .kept import PROCESS, Kept, KeptRequests, place_of
from .run import KEY, Attempt
from .watched import files_of


class Replay:
    """Replay of one filter.

    ``refusal`` says why a request sees no details. Requests lie on ``shelf``: the one that a reloader holds, and
    otherwise in memory, until the filter is closed. ``process`` tells this process from others that share the shelf.
    """

    def __init__(
        self,
        refusal: Callable[[Environ], str | None],
        *,
        shelf: Shelf | None = None,
        clock: Callable[[], float] = time.time,
        process: str = PROCESS,
    ) -> None:
        self._refusal = refusal
        self._stays = shelf or inherited()
        self._kept = KeptRequests(self._stays or OwnShelf(), clock=clock)
        self._clock = clock
        self._process = process
        self._since = clock()

    def around(self, app: WSGIApp) -> WSGIApp:
        """Listen to the requests to an app, which tells :meth:`witness` of its failures."""

        def listening(environ: Environ, start_response: StartResponse) -> Body:
            if not environ.get("paste.throw_errors") and self._refusal(environ) is None:
                environ[KEY] = Heard(environ)
            return app(environ, start_response)

        return listening

    def endpoint(self, app: WSGIApp) -> WSGIApp:
        """What the page sends to; requests are run through ``app``."""
        return ReplayEndpoint(self._kept, app, since=self._since, process=self._process)

    def is_listening(self, environ: Environ) -> bool:
        """Whether the page of a failure of this request has to do with replay."""
        return isinstance(environ.get(KEY), Heard)

    def is_running(self, environ: Environ) -> bool:
        """Whether this request is one that is run again, so that nobody sees its page."""
        return isinstance(environ.get(KEY), Attempt)

    def knows(self, id: str) -> bool:
        """Whether the request of this error is kept, or it is known why not."""
        return self._kept.find(id) is not None

    def witness(self, error: BaseException, environ: Environ, record: ErrorRecord) -> None:
        """Keep the request of a failure."""
        handle = environ.get(KEY)
        if isinstance(handle, Attempt):
            handle.failures.append(record)
            self._keep(record, handle.request.environ, handle.request)
        elif isinstance(handle, Heard):
            try:
                self._keep(record, handle.came, handle.request(in_progress=record.phase == "reported"))
            except NotWhole as why:
                self._keep(record, handle.came, None, str(why))

    def close(self) -> None:
        """Let go of what is kept, unless the process that comes after this one is to have it."""
        if self._stays is None:
            self._kept.clear()

    def _keep(self, record: ErrorRecord, came: Mapping[str, str], request: CameRequest | None, why: str = "") -> None:
        self._kept.keep(
            Kept(
                id=record.id,
                group=record.group,
                place=place_of(came),
                time=self._clock(),
                process=self._process,
                files=files_of(record),
                request=request,
                why=why,
            )
        )
