"""Requests of ours to providers: few, short, and never longer than it was said.

Redirects are not followed, since an address that was checked would then lead to one that was not. No connection is
kept: one that was made before a fork must not be used after it, and a login is rare enough.
"""

from __future__ import annotations

import http.client
import io
import json
import re
import socket
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from .addresses import address_complaint
from .failures import Unreachable

if TYPE_CHECKING:
    import ssl

    import urllib3

CONNECT = 3.0
READ = 5.0
"""Seconds for the whole of an answer, not for each of its pieces: drops in time would otherwise never end."""
REST = 5.0
"""Seconds for which nobody is asked who has let us wait in vain."""
MOST_BYTES = 1024 * 1024

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=([0-9]{1,9})(?:$|[\s,])")


class Reply(NamedTuple):
    """What a provider has answered. ``max_age`` is how long it may be kept (RFC 9111), where it says so."""

    status: int
    content_type: str
    body: bytes
    max_age: float | None = None

    def document(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ``Unreachable`` for anything else."""
        found = self._read()
        if not isinstance(found, dict):
            raise Unreachable("the answer is no JSON object")
        return found

    def listing(self) -> list[Any]:
        """The body as a JSON array. Raises ``Unreachable`` for anything else."""
        found = self._read()
        if not isinstance(found, list):
            raise Unreachable("the answer is no JSON array")
        return found

    def _read(self) -> Any:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Unreachable("the answer is no JSON") from None


class Outbound:
    """A client for providers. ``ca_file`` holds further certificates to trust. All methods raise ``Unreachable``."""

    def __init__(self, ca_file: Path | None = None, *, connect: float = CONNECT, read: float = READ) -> None:
        self._ca_file = ca_file
        self._connect = connect
        self._read = read
        self._opener: Callable[[], urllib3.PoolManager] | None = None
        self._silent: dict[str, float] = {}

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Reply:
        """The answer to a GET."""
        return self._send("GET", url, None, dict(headers or {}))

    def post(self, url: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Reply:
        """The answer to a form."""
        own = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self._send("POST", url, urlencode(fields).encode("ascii"), own)

    def _send(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        complaint = address_complaint(url)
        if complaint is not None:
            raise Unreachable(f"an address {complaint}")
        host = urlsplit(url).netloc
        if time.monotonic() < self._silent.get(host, 0.0):
            # Each request that waits for somebody who is silent holds up a thread, and anybody can begin a login.
            raise Unreachable(f"{host} did not answer a moment ago")
        if self._opener is None:
            self._opener = _opener(self._ca_file, self._read)
        import urllib3

        sent = {"Accept": "application/json", "User-Agent": "wheatpaste", "Connection": "close", **headers}
        try:
            manager = self._opener()
            response = manager.request(
                method,
                url,
                body=body,
                headers=sent,
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=self._connect, read=self._read),
            )
            try:
                if 300 <= response.status < 400:
                    raise Unreachable("it redirects")
                # decode_content stays off (we ask for no compression): a small body must not become a large one.
                found = response.read(MOST_BYTES + 1, decode_content=False)
            finally:
                response.close()
                manager.clear()
        except (urllib3.exceptions.HTTPError, OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError):
                self._silent[host] = time.monotonic() + REST
            raise Unreachable(f"{type(error).__name__} from {host}") from error
        if len(found) > MOST_BYTES:
            raise Unreachable("the answer is too large")
        age = _MAX_AGE.search(response.headers.get("Cache-Control", "").lower())
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return Reply(response.status, kind, found, None if age is None else float(age[1]))


def _opener(ca_file: Path | None, seconds: float) -> Callable[[], urllib3.PoolManager]:
    """Makes the pool of one request."""
    import urllib3
    from urllib3.connection import HTTPConnection, HTTPSConnection

    class Response(http.client.HTTPResponse):
        """A response whose head and body have to come within a time."""

        def __init__(self, sock: socket.socket, *args: Any, **more: Any) -> None:
            super().__init__(sock, *args, **more)
            self.fp = io.BufferedReader(_Timely(self.fp, sock, time.monotonic() + seconds))

    class Plain(HTTPConnection):
        response_class = Response

    class Secure(HTTPSConnection):
        response_class = Response

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **{**more, "ssl_context": trusted()})

    @cache
    def trusted() -> ssl.SSLContext:
        import ssl

        return ssl.create_default_context(cafile=ca_file)  # takes a while, so it is done once

    def open_pool() -> urllib3.PoolManager:
        manager = urllib3.PoolManager(num_pools=1)
        manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
        return manager

    return open_pool


class _Timely(io.RawIOBase):
    """What a socket brings until a moment (of the monotonic clock)."""

    def __init__(self, inner: Any, sock: socket.socket, until: float) -> None:
        self._inner = inner
        self._sock = sock
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        data = self._inner.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
        super().close()
