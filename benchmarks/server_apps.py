"""The app that every server of the benchmark serves: ``server_apps:app``; what a path does stands in ``PATHS``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from typing import Any

Start = Callable[[str, list[tuple[str, str]]], Any]
Handler = Callable[[dict[str, Any], Start], Iterable[bytes]]

MIB = 1024 * 1024
TEXT = ("Content-Type", "text/plain")
BINARY = ("Content-Type", "application/octet-stream")
HELLO = b"Hello, world!\n"
LARGE = b"x" * MIB
# How many turns of the loop below take about a millisecond. The benchmark finds it out once, for all servers alike.
LOOPS = int(os.environ.get("BENCHMARK_LOOPS", "20000"))
FILE = os.environ.get("BENCHMARK_FILE", "")


def hello(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", [TEXT, ("Content-Length", str(len(HELLO)))])
    return [HELLO]


def after(seconds: float) -> Handler:
    """An app that waits, as for a database, before it answers."""

    def wait(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        time.sleep(seconds)
        return hello(environ, start_response)

    return wait


def compute(loops: int = LOOPS) -> int:
    total = 0
    for number in range(loops):
        total += number & 7
    return total


def computed(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    compute()
    return hello(environ, start_response)


def large(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", [BINARY, ("Content-Length", str(MIB))])
    return [LARGE]


def upload(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    """Read the body in pieces, as frameworks do, and tell its size."""
    missing = int(environ.get("CONTENT_LENGTH") or 0)
    received = 0
    while missing > received and (data := environ["wsgi.input"].read(min(65536, missing - received))):
        received += len(data)
    body = b"%d\n" % received
    start_response("200 OK", [TEXT, ("Content-Length", str(len(body)))])
    return [body]


def file(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    opened = open(FILE, "rb")  # noqa: SIM115 - the server closes it
    start_response("200 OK", [BINARY, ("Content-Length", str(os.fstat(opened.fileno()).st_size))])
    wrapper = environ.get("wsgi.file_wrapper")
    return wrapper(opened, 65536) if wrapper else iter(lambda: opened.read(65536), b"")


PATHS: dict[str, Handler] = {
    "/hello": hello,
    "/10ms": after(0.010),
    "/50ms": after(0.050),
    "/computed": computed,
    "/large": large,
    "/upload": upload,
    "/file": file,
}


def app(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    return PATHS[environ["PATH_INFO"]](environ, start_response)
