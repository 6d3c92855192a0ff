"""A site in debug mode whose app fails until it is mended, as the developer's browser meets it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

from wheatpaste.middleware.errors.answer import STATUS
from wheatpaste.middleware.errors.audience import Audience
from wheatpaste.middleware.errors.catch import Catcher
from wheatpaste.middleware.errors.desk import Desk
from wheatpaste.middleware.errors.inbox.memory import MemoryInbox
from wheatpaste.middleware.errors.record import ErrorRecord
from wheatpaste.middleware.errors.replay.replay import Replay
from wheatpaste.middleware.errors.site import ErrorSite
from wheatpaste.protocol.answer import Answer
from wheatpaste.protocol.shelf import OwnShelf, Shelf
from wheatpaste.testing import Client, Response

TEXT = [("Content-Type", "text/plain")]
OWN_PAGE = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}

Mended = Callable[[dict[str, Any], Any], Iterable[bytes]]


class FailingApp:
    """Fails with a KeyError after it has read ``reads`` bytes of the body (-1: all), until ``mended`` is another app.

    ``seen`` are the environs that it has got, ``bodies`` what it has read.
    """

    def __init__(self, reads: int = -1) -> None:
        self.reads = reads
        self.seen: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.mended: Mended | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.seen.append(dict(environ))
        self.bodies.append(environ["wsgi.input"].read(self.reads) if self.reads else b"")
        if self.mended is None:
            raise KeyError("pears")
        return self.mended(environ, start_response)


def well(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """What a mended app answers."""
    start_response("200 OK", TEXT)
    return [b"well"]


class ReplaySite:
    """One process that serves ``app``. With the same ``shelf`` and another ``process`` it is the one after a reload."""

    def __init__(
        self,
        app: Any,
        *,
        shelf: Shelf | None = None,
        process: str = "first",
        audience: Audience | None = None,
        clock: Callable[[], float] | None = None,
        around: Callable[[Any], Any] = lambda site: site,
    ) -> None:
        self.app = app
        clocks = {} if clock is None else {"clock": clock}
        self.shelf = shelf or OwnShelf()
        refusal = (audience or Audience()).refusal
        self.replay = Replay(refusal, shelf=self.shelf, process=process, **clocks)
        self.inbox = MemoryInbox()
        desk = Desk(keeper=self.inbox, witnesses=(self.replay.witness,))
        catcher = Catcher(lambda *request: self.app(*request), desk, _page)
        site = ErrorSite(
            self.replay.around(catcher), "/.errors", refusal, inbox=_inbox, replay=self.replay.endpoint(catcher)
        )
        self.client = Client(around(site))

    def fail(self, method: str = "GET", path: str = "/", **how: Any) -> str:
        """The id of the error with which a request fails."""
        answer = self.client.request(method, path, **how)
        assert answer.status == 500, answer.text
        return answer.headers["X-Error-ID"]

    def body_of(self, id: str) -> bytes:
        """The whole body of the request, as an app that reads all of it gets it."""
        self.app = app = FailingApp()
        self.run(id, confirmed=True)
        return app.bodies[0]

    def state(self, id: str, **how: Any) -> dict[str, Any]:
        """What the page learns of its request."""
        told: dict[str, Any] = self.client.get(f"/.errors/replay?{urlencode({'error': id})}", **how).json()
        return told

    def post(self, id: Any, *, headers: dict[str, str | None] | None = None, **more: Any) -> Response:
        """The page asks for the request to be run again."""
        how = {key: more.pop(key) for key in ("environ", "path", "method") if key in more}
        sent = {name: text for name, text in {**OWN_PAGE, **(headers or {})}.items() if text is not None}
        method, path = how.pop("method", "POST"), how.pop("path", "/.errors/replay")
        return self.client.request(method, path, body=json.dumps({"error": id, **more}).encode(), headers=sent, **how)

    def run(self, id: str, **more: Any) -> dict[str, Any]:
        """What came of it."""
        answer = self.post(id, **more)
        assert answer.status == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told


def _page(record: ErrorRecord, environ: dict[str, Any]) -> Answer:
    return Answer(status=STATUS, headers=list(TEXT), body=b"the page")


def _inbox(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", TEXT)
    return [b"the inbox"]
