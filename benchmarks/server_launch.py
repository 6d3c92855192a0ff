"""Starts those servers that have no command, or none with all the options: ``server_launch.py NAME PORT THREADS``."""

from __future__ import annotations

import os
import sys

from server_apps import app

HOST = "127.0.0.1"


def cheroot(port: int, threads: int) -> None:
    from cheroot.wsgi import Server

    server = Server((HOST, port), app, numthreads=threads, max=threads, timeout=90, request_queue_size=2048)
    if certificate := os.environ.get("BENCHMARK_CERTIFICATE"):
        from cheroot.ssl.builtin import BuiltinSSLAdapter

        server.ssl_adapter = BuiltinSSLAdapter(certificate, os.environ["BENCHMARK_KEY"])
    server.start()


def paste(port: int, threads: int) -> None:
    from paste import httpserver

    httpserver.WSGIHandler.log_message = lambda *arguments: None
    httpserver.serve(app, HOST, str(port), threadpool_workers=threads, request_queue_size=2048)


def bjoern(port: int, threads: int) -> None:
    import bjoern as server

    server.run(app, HOST, port)


if __name__ == "__main__":
    _, name, port_, threads_ = sys.argv
    {"cheroot": cheroot, "paste": paste, "bjoern": bjoern}[name](int(port_), int(threads_))
