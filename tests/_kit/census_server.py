"""A process with two engines, one of which speaks TLS, that counts what it holds when asked.

``python census_server.py CERTIFICATE POLLER`` tells its addresses in a line of JSON, and ends with its standard input.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine_in_thread import EngineInThread

from wheatpaste.config.records import replace
from wheatpaste.server.settings import Deadlines, Limits, Settings
from wheatpaste.server.tls.certificates import Certificate
from wheatpaste.server.tls.contexts import make_tls

BLOB = hashlib.shake_256(b"wheatpaste").digest(3_000_000)


class CensusApp:
    """What a site may do with requests: small and large answers, uploads, files, waiting, failing."""

    def __init__(self) -> None:
        self.engines: list[EngineInThread] = []
        self._file = tempfile.NamedTemporaryFile(prefix="wheatpaste-")  # noqa: SIM115 - lives as long as the process
        self._file.write(BLOB)
        self._file.flush()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path == "/census":
            return self._whole(json.dumps(self.census()).encode(), start_response)
        if path == "/digest":
            return self._whole(hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode(), start_response)
        if path == "/unread":
            return self._whole(b"unread", start_response)
        if path == "/nap":
            time.sleep(0.02)
            return self._whole(b"awake", start_response)
        if path == "/fail":
            raise ValueError("on purpose")
        if path == "/file":
            start_response("200 OK", [("Content-Length", str(len(BLOB)))])
            return environ["wsgi.file_wrapper"](open(self._file.name, "rb"))
        if path == "/pieces":
            return self._pieces(start_response)
        if path == "/blob":
            return self._whole(BLOB, start_response)
        return self._whole(b"hello", start_response)

    def _whole(self, body: bytes, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    def _pieces(self, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        for at in range(0, len(BLOB), 200_000):
            yield BLOB[at : at + 200_000]

    def census(self) -> dict[str, Any]:
        """What the process holds at this moment."""
        gc.collect()
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
        return {
            "threads": threading.active_count(),
            "descriptors": len(os.listdir("/proc/self/fd")),
            "resident": pages * os.sysconf("SC_PAGE_SIZE"),
            "objects": len(gc.get_objects()),
            "engines": [each.engine.snapshot() for each in self.engines],
        }


def main(certificate: str, poller: str) -> None:
    """Serve until there is nobody left who wants it."""
    app = CensusApp()
    told = Settings(
        limits=Limits(body_memory=100_000, output_memory=300_000),
        deadlines=Deadlines(head=2, body_grace=3, keep_alive=5, write=3, handshake=2),
        threads=4,
        poller=poller,
    )
    app.engines.append(EngineInThread(app, told))
    app.engines.append(
        EngineInThread(app, replace(told, tls=make_tls([Certificate(Path(certificate))]), url_scheme="https"))
    )
    print(json.dumps({"plain": app.engines[0].tcp, "tls": app.engines[1].tcp}), flush=True)
    sys.stdin.read()
    for each in app.engines:
        each.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
