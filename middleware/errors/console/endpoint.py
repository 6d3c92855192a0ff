"""What the page sends to the console: ``POST`` with JSON, answered with JSON.

``redeem`` exchanges the secret of the printed link for a pass. ``run``, ``complete`` and ``inspect`` work in a frame.
Whatever is refused is answered 403 with a sentence for the developer, and logged. What is run is logged, too, before
it runs.
"""

from __future__ import annotations

import logging
from typing import Any

from ....protocol.csrf import cookies_named
from ....protocol.paths import script_name, uri_path
from ....protocol.secret_texts import redact_text
from ....protocol.wsgi import Body, Environ, StartResponse
from ..own_page import answer_json, read_json, strangeness
from .completion import completions
from .evaluation import run
from .gate import Gate
from .inspection import inspected
from .live import LiveError, LiveErrors

logger = logging.getLogger(__name__)

COOKIE = "wheatpaste-console"
_KEY = "HTTP_X_CONSOLE_KEY"
_MOST_BYTES = 200_000


class ConsoleEndpoint:
    """Answers requests to the console."""

    def __init__(self, gate: Gate, errors: LiveErrors) -> None:
        self._gate = gate
        self._errors = errors

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Answer one request, whose conditions were looked at."""
        why = strangeness(environ)
        if why is not None:
            return refuse(environ, start_response, why)
        asked = read_json(environ, _MOST_BYTES)
        if asked is None:
            return answer_json(
                start_response, "400 Bad Request", {"error": "the body is no JSON object of a usual size"}
            )
        action = asked.get("action")
        if action == "redeem":
            return self._redeem(environ, start_response, asked)
        if self._gate.locked:
            return refuse(environ, start_response, "the console is locked: start the server anew")
        if not self._gate.admits(cookies_named(environ, COOKIE), environ.get(_KEY, "")):
            why = "this browser has no pass: open the link at the terminal"
            return refuse(environ, start_response, why, needs_pass=True)
        error = self._errors.find(str(asked.get("error", "")))
        frame = str(asked.get("frame", ""))
        code = asked.get("code")
        if error is None or frame not in error.frames:
            gone = {"error": "the frames of this error are gone: make it fail again"}
            return answer_json(start_response, "404 Not Found", gone)
        if not isinstance(code, str):
            return answer_json(start_response, "400 Bad Request", {"error": "code is missing"})
        return self._work(start_response, str(action), error, frame, code)

    def _work(self, start_response: StartResponse, action: str, error: LiveError, frame: str, code: str) -> Body:
        if action == "complete":
            return answer_json(start_response, "200 OK", {"words": completions(error, frame, code)})
        if action not in ("run", "inspect"):
            return answer_json(start_response, "400 Bad Request", {"error": "there is no such action"})
        # A line for each command, whatever becomes of it; the terminal must not obey what it holds.
        logger.warning("console, frame %s, %s: %s", frame, action, redact_text(ascii(code)[1:-1])[:500])
        if action == "run":
            return answer_json(start_response, "200 OK", run(error, frame, code)._asdict())
        try:
            return answer_json(start_response, "200 OK", inspected(error, frame, code))
        except BaseException as raised:  # noqa: BLE001 - the developer's own expression, which must not end the server
            text = f"{type(raised).__name__}: {_text(raised)}"
            return answer_json(start_response, "200 OK", {"error": text})

    def _redeem(self, environ: Environ, start_response: StartResponse, asked: dict[str, Any]) -> Body:
        made = self._gate.redeem(str(asked.get("secret", "")))
        if made is None:
            locked = "the console is locked: start the server anew"
            why = locked if self._gate.locked else "this link was used, is old or is wrong: the terminal has the next"
            return refuse(environ, start_response, why)
        logger.warning("the console is open to a browser at %s", environ.get("REMOTE_ADDR") or "this machine")
        # The app never gets to see the cookie: it is for this path alone.
        path = uri_path(script_name(environ) + environ["PATH_INFO"])
        secure = "; Secure" if environ.get("wsgi.url_scheme") == "https" else ""
        cookie = f"{COOKIE}={made.cookie}; Path={path}; HttpOnly; SameSite=Strict{secure}"
        return answer_json(start_response, "200 OK", {"key": made.key}, [("Set-Cookie", cookie)])


def refuse(environ: Environ, start_response: StartResponse, why: str, *, needs_pass: bool = False) -> Body:
    """Answer 403 with a sentence, and log it; ``needs_pass`` tells the page that the pass it has is none any more."""
    logger.warning("console refused to %s: %s", ascii(environ.get("REMOTE_ADDR", ""))[1:-1], ascii(why)[1:-1])
    return answer_json(start_response, "403 Forbidden", {"error": why, "needs_pass": needs_pass})


def _text(raised: BaseException) -> str:
    try:
        return str(raised)
    except Exception:  # noqa: BLE001 - an exception of the developer's
        return "(its text cannot be had)"
