"""What the page asks, and is told: whether its request can be run again, what has changed, and what came of it.

``GET ?error=ID`` tells; ``POST`` with JSON runs. A request that changes things is run only with ``confirmed``, which
the page sends when the person has said so. Answers name files and errors, and nothing of the request but its method.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

from ....protocol.csrf import intrusion
from ....protocol.peers import is_direct, peer_of, read_address
from ....protocol.shelf import inherited
from ....protocol.wsgi import Body, Environ, StartResponse, WSGIApp
from ..own_page import answer_json, read_json, strangeness
from ..record import ErrorRecord
from .kept import PROCESS, Kept, KeptRequests, place_of
from .run import Outcome, run
from .watched import as_now, changed, files_of, still_old

logger = logging.getLogger(__name__)

_MOST_BYTES = 1000
_MOST_NAMES = 5
_GONE = "it is not kept any more: the last twenty are, for an hour, until the server ends"
_ELSEWHERE = "this process does not have it: each keeps its own, so serve with one"


class ReplayEndpoint:
    """Answers to who may see the details of errors, and is asked by nobody else.

    ``app`` is what requests are run through: the catcher, in front of which there are none of the filter's own pages.
    ``since`` is when this process has read its code, in seconds since 1970.
    """

    def __init__(self, kept: KeptRequests, app: WSGIApp, *, since: float, process: str = PROCESS) -> None:
        self._kept = kept
        self._app = app
        self._since = since
        self._process = process
        self._lock = threading.Lock()
        self._running: set[str] = set()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Answer one request."""
        method = environ.get("REQUEST_METHOD")
        if method in ("GET", "HEAD"):
            why = intrusion(environ)
            if why is not None:
                return _refuse(start_response, why)
            asked = dict(parse_qsl(environ.get("QUERY_STRING", "")[:200]))
            answer = answer_json(start_response, "200 OK", self._state(asked.get("error", ""), environ))
            return [] if method == "HEAD" else answer
        why = strangeness(environ)
        if why is not None:
            return _refuse(start_response, why)
        wanted = read_json(environ, _MOST_BYTES)
        if wanted is None:
            return answer_json(start_response, "400 Bad Request", {"error": "The body is no small JSON object."})
        return self._run(environ, start_response, wanted)

    # --- telling ---

    def _state(self, id: str, environ: Environ) -> dict[str, Any]:
        kept = self._kept.find(id, place_of(environ))
        if kept is None or kept.request is None:
            return {"kept": False, "why": _why_not(kept, environ)}
        files = changed(kept.files)
        here = kept.process == self._process
        return {
            "kept": True,
            "method": kept.request.method,
            "safe": kept.request.is_safe,
            "changed": [each.name for each in files[:_MOST_NAMES]],
            "restarted": not here,
            # In the process that has failed, each change is later than its code.
            "stale": still_old(files, 0 if here else self._since),
            "reloads": inherited() is not None,
        }

    # --- running ---

    def _run(self, environ: Environ, start_response: StartResponse, asked: dict[str, Any]) -> Body:
        kept = self._kept.find(str(asked.get("error", "")), place_of(environ))
        if kept is None or kept.request is None:
            told = {"error": f"The request cannot be run again: {_why_not(kept, environ)}."}
            return answer_json(start_response, "404 Not Found", told)
        if not _is_same_client(kept.request.environ, environ):
            # With its cookies, one would act for somebody else.
            return _refuse(start_response, "the request was sent by another client")
        if not kept.request.is_safe and not is_direct(environ):
            return _refuse(start_response, f"through a proxy, nobody can tell whose {kept.request.method} it was")
        if not kept.request.is_safe and asked.get("confirmed") is not True:
            return _refuse(start_response, f"{kept.request.method} may change things, and nobody has confirmed that")
        with self._alone(kept.id) as alone:
            if not alone:
                return answer_json(start_response, "409 Conflict", {"error": "It is just being run."})
            # Taken before it runs: a change while it does is one that it has not seen.
            files = as_now(kept.files)
            outcome = run(self._app, kept.request, environ)
            if outcome.error is not None:
                files = files_of(outcome.error)
            self._kept.renew(kept, process=self._process, files=files)
        logger.info("the request of error %s was run again: %s", kept.id, _in_words(outcome))
        return answer_json(start_response, "200 OK", _told(kept, outcome))

    @contextmanager
    def _alone(self, id: str) -> Iterator[bool]:
        with self._lock:
            alone = id not in self._running
            self._running.add(id)
        try:
            yield alone
        finally:
            if alone:
                with self._lock:
                    self._running.discard(id)


def _why_not(kept: Kept | None, environ: Environ) -> str:
    if kept is not None:
        return kept.why
    return _ELSEWHERE if environ.get("wsgi.multiprocess") else _GONE


def _told(kept: Kept, outcome: Outcome) -> dict[str, Any]:
    told: dict[str, Any] = {"status": outcome.status, "seconds": round(outcome.seconds, 4), "cut": outcome.cut}
    if outcome.error is None:
        return {**told, "passed": True}
    from ..render.outline import where

    error: ErrorRecord = outcome.error
    same = error.group == kept.group
    return {**told, "passed": False, "id": error.id, "headline": error.headline, "place": where(error), "same": same}


def _in_words(outcome: Outcome) -> str:
    return outcome.status if outcome.error is None else f"it failed, as error {outcome.error.id}"


def _refuse(start_response: StartResponse, why: str) -> Body:
    logger.warning("no request is run again: %s", ascii(why)[1:-1])
    return answer_json(start_response, "403 Forbidden", {"error": f"This is refused: {why}."})


def _is_same_client(kept: Mapping[str, str], environ: Environ) -> bool:
    return _client(dict(kept)) == _client(environ)


def _client(environ: Environ) -> tuple[str, str]:
    return _known(peer_of(environ)), _known(environ.get("REMOTE_ADDR") or "")


def _known(address: str) -> str:
    """An address, all of this machine being one: browsers choose among them."""
    read = read_address(address)
    return "loopback" if read is not None and read.is_loopback else address
