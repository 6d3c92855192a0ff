"""What our own Python costs for a request: ``python benchmarks/request_path.py [--browser] [--bytecodes]``.

The engine serves keep-alive requests whose sockets are none: what is timed is everything from a readable connection to
the reply but the system calls, and the threads, of which a fast request needs none. So it is far steadier than a load,
and tells a few percent. With ``--bytecodes`` it counts those, by function, which is steadier still; counting makes
requests slow, so what the forecast does with slow ones (``forecast.py``, ``thread_usage.py``) counts, too.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections import Counter
from types import FrameType
from typing import Any

from server_apps import app
from server_load import BROWSER

from wheatpaste.server.engine.engine import Engine
from wheatpaste.server.engine.worker_thread import WorkerThread
from wheatpaste.server.forecast import Forecast
from wheatpaste.server.http1.base_environ import connection_environ, listener_environ
from wheatpaste.server.http1.heads import HeadReader
from wheatpaste.server.settings import Settings

CONNECTIONS = 32
READABLE = 1


class Path:
    """An engine with connections on which the same request comes again and again."""

    def __init__(self, headers: dict[str, str]) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = f"GET /hello HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n{lines}\r\n".encode()
        listener = socket.create_server(("127.0.0.1", 0))
        settings = Settings()
        self.engine = Engine(app, [listener], settings, handle_signals=False)
        self.thread = WorkerThread("leader")
        self.thread.leading = True
        self.engine.crew.leader = self.thread
        self.engine.watchdog.asleep = False
        reader = HeadReader(listener_environ(listener, settings), settings, Forecast())
        self.pairs = [socket.socketpair() for _ in range(CONNECTIONS)]
        for ours, _ in self.pairs:
            ours.setblocking(False)
            self.engine.welcome(ours, reader, connection_environ(ours, ("127.0.0.1", 50_000)), is_tcp=True)
            connection = self.engine.connections.open[ours.fileno()]
            connection.recv = lambda size: request
            connection.send_now = len

    def serve(self, times: int) -> None:
        """So many requests on each connection, as they come from the poller."""
        engine, thread = self.engine, self.thread
        events, connections, readable = engine.events, engine.connections.open, engine.intake.on_readable
        numbers = [ours.fileno() for ours, _ in self.pairs]
        for _ in range(times):
            events.extend((number, READABLE) for number in numbers)
            engine.exchange.hold_until = engine.clock() + 0.001
            while events:
                number, _ = events.popleft()
                assert readable(thread, connections[number]), "the leader led on"
            engine.exchange.send_held()


def timed(path: Path, batches: int) -> float:
    """Seconds for a request, in the fastest of so many batches: whatever disturbs makes them slower."""
    path.serve(200)
    best = float("inf")
    for _ in range(batches):
        begun = time.thread_time()
        path.serve(20)
        best = min(best, (time.thread_time() - begun) / (20 * CONNECTIONS))
    return best


def counted(path: Path) -> Counter[str]:
    """Bytecodes that are executed for one request on each connection, by function."""
    path.serve(200)
    counts: Counter[str] = Counter()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        counts[f"{frame.f_code.co_qualname} ({frame.f_code.co_filename.rpartition('/')[2]})"] += event == "opcode"
        return trace

    sys.settrace(trace)
    try:
        path.serve(1)
    finally:
        sys.settrace(None)
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--browser", action="store_true", help="with the headers of a browser")
    parser.add_argument("--bytecodes", action="store_true", help="count these instead")
    parser.add_argument("--batches", type=int, default=100)
    options = parser.parse_args()
    path = Path(BROWSER if options.browser else {})
    if not options.bytecodes:
        print(f"{timed(path, options.batches) * 1e6:.2f} µs for a request")
        return 0
    counts = counted(path)
    print(f"{counts.total() / CONNECTIONS:,.0f} bytecodes for a request")
    for name, count in counts.most_common(25):
        print(f"{count / CONNECTIONS:8.1f}  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
