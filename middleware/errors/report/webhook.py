"""Reports posted to a URL as JSON, on a thread of their own.

Such URLs often hold a token, so none is ever logged: only the host is. Where the URL leads is the deployer's choice; an
answer can lead on to the same host alone.
"""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from ...delivery.queue import DeliveryQueue, Refused
from ..record import ErrorRecord
from ..render.log_line import as_line
from ..render.outline import where
from .addresses import webhook_complaint

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

_TIMEOUT = 10.0
_LATER = frozenset({408, 425, 429})


class WebhookReporter:
    """Posts each record to ``url``; ``timeout`` in seconds bounds connecting and each answer."""

    def __init__(self, url: str, *, timeout: float = _TIMEOUT, clock: Callable[[], float] = time.monotonic) -> None:
        complaint = webhook_complaint(url)
        if complaint is not None:
            raise ValueError(complaint)
        parts = urlsplit(url)
        self._headers = {"Content-Type": "application/json", "User-Agent": "wheatpaste"}
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        self._url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
        self._timeout = timeout
        self._queue: DeliveryQueue[ErrorRecord] = DeliveryQueue(
            self._post, f"errors to the webhook at {parts.hostname}", clock=clock
        )

    def report(self, record: ErrorRecord) -> None:
        """Let one record be posted."""
        self._queue.put(record)

    def close(self) -> None:
        """Post what waits."""
        self._queue.close()

    def _post(self, record: ErrorRecord) -> None:
        from http.client import HTTPException
        from urllib.error import HTTPError, URLError
        from urllib.request import Request

        body = json.dumps(payload(record)).encode("ascii")
        request = Request(self._url, data=body, headers=self._headers, method="POST")
        # What these faults say may hold the URL, so it is said anew.
        fault: Exception
        try:
            with _opener(self._url).open(request, timeout=self._timeout) as response:
                response.read(1024)
                return
        except HTTPError as error:
            with error:
                final = error.code < 500 and error.code not in _LATER
            fault = Refused(f"it answered {error.code}") if final else OSError(f"it answered {error.code}")
        except URLError as error:
            fault = OSError(_reason(error.reason))
        except (OSError, HTTPException) as error:
            fault = OSError(_reason(error))
        raise fault from None


def _reason(fault: object) -> str:
    said = getattr(fault, "strerror", None) if isinstance(fault, OSError) else None
    return str(said or type(fault).__name__)


def payload(record: ErrorRecord) -> dict[str, Any]:
    """What is posted. ``text`` is what chats show (Slack, Mattermost, Rocket.Chat and others take it as it is)."""
    request = record.request
    return {
        "text": as_line(record),
        "error_id": record.id,
        "group": record.group,
        "headline": record.headline,
        "where": where(record),
        "time": record.time,
        "method": request.method if request is not None else "",
        "url": request.url if request is not None else "",
        "record": record.to_data(),
    }


def _opener(url: str) -> OpenerDirector:
    from urllib import request as urllib_request
    from urllib.error import HTTPError

    home = _origin(url)

    class SameHost(urllib_request.HTTPRedirectHandler):
        """Posts again where the same host sends it (307 and 308, RFC 9110 section 15.4); everything else ends here."""

        def redirect_request(self, request: Any, file: Any, code: int, message: str, headers: Any, address: str) -> Any:
            if code not in (307, 308) or _origin(address) != home:
                raise HTTPError("", code, "", headers, file)
            return urllib_request.Request(address, data=request.data, headers=request.headers, method="POST")

    # Neither file: nor ftp: nor data:, whatever a redirect says.
    opener = urllib_request.OpenerDirector()
    for handler in (
        urllib_request.ProxyHandler(),
        urllib_request.HTTPHandler(),
        urllib_request.HTTPSHandler(),
        urllib_request.HTTPDefaultErrorHandler(),
        urllib_request.HTTPErrorProcessor(),
        SameHost(),
    ):
        opener.add_handler(handler)
    return opener


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
