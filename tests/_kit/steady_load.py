"""Clients that ask without pause, some on a new connection each time, some on one that is kept, and count."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections import Counter
from types import TracebackType

_CLOSED = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)


class SteadyLoad:
    """``with SteadyLoad(port) as load:`` asks for ``/`` until the block ends.

    ``answers`` counts the bodies of answers with status 200, ``failures`` everything else. A kept connection that the
    server closes while it is idle is no failure: the client asks again on a new one, as RFC 9112 9.3.1 has it. Nor is
    a connection that was never there: ``turned_away`` counts those that nobody listened for. ``slowest`` is the longest
    that an answer took, in seconds. ``tls`` is the client's side of TLS, if that is spoken.
    """

    def __init__(
        self, port: int, *, fresh: int = 2, kept: int = 2, path: str = "/", tls: ssl.SSLContext | None = None
    ) -> None:
        self.answers: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.asked_again = 0
        self.slowest = 0.0
        self.turned_away = 0
        self._tls = tls
        self._port = port
        self._path = path
        self._over = threading.Event()
        self._lock = threading.Lock()
        kinds = [self._ask_anew] * fresh + [self._ask_on_one] * kept
        self._threads = [threading.Thread(target=kind, daemon=True) for kind in kinds]

    def __enter__(self) -> SteadyLoad:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    def seen(self, body: str) -> int:
        """How often that body came so far."""
        with self._lock:
            return self.answers[body]

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls is not None:
            return http.client.HTTPSConnection("127.0.0.1", self._port, timeout=20, context=self._tls)
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)

    def _ask_anew(self) -> None:
        while not self._over.is_set():
            connection = self._connect()
            try:
                self._ask(connection)
            except ConnectionRefusedError:
                self._turn_away()
            except Exception as error:
                self._fail(repr(error))
            finally:
                connection.close()

    def _ask_on_one(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._over.is_set():
            is_new = connection is None
            connection = connection or self._connect()
            try:
                if not self._ask(connection):
                    connection = None
            except ConnectionRefusedError:
                self._turn_away()
                connection = None
            except Exception as error:
                if is_new or not isinstance(error, _CLOSED):
                    self._fail(repr(error))
                with self._lock:
                    self.asked_again += 1
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> bool:
        """Ask once; whether the connection is kept."""
        begun = time.monotonic()
        connection.request("GET", self._path)
        answer = connection.getresponse()
        body = answer.read().decode("latin-1")
        with self._lock:
            self.slowest = max(self.slowest, time.monotonic() - begun)
            if answer.status == 200:
                self.answers[body] += 1
            else:
                self.failures[f"{answer.status} {body[:200]}"] += 1
        if answer.will_close:
            connection.close()
        return not answer.will_close

    def _turn_away(self) -> None:
        with self._lock:
            self.turned_away += 1
        self._over.wait(0.05)

    def _fail(self, text: str) -> None:
        with self._lock:
            self.failures[text] += 1
