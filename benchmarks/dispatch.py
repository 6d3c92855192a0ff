"""What dispatch costs, beside its peers: ``python benchmarks/dispatch.py [--json] [--rounds N]``.

Each map mounts the smallest app below ``/mount-0`` to ``/mount-N-1``. A request goes to the mount that is last in the
peers' order of search, three segments below it. What is timed is one whole request: a fresh environ (as servers make
it, and both peers write into it), dispatch, and the app's answer; the row "no map" is the same without dispatch. It is
the processor's time, so that other programs disturb less. One round times each map once, one after another, so that
whatever disturbs falls on all of them; the median of the rounds counts.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
from collections.abc import Callable
from time import process_time
from typing import Any

from paste.urlmap import URLMap as PasteURLMap
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from wheatpaste.middleware.urlmap import URLMap

SIZES = (10, 100, 1_000, 10_000)
ENVIRON: dict[str, Any] = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "QUERY_STRING": "page=2",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "8080",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_SOFTWARE": "waitress",
    "REMOTE_ADDR": "127.0.0.1",
    "REMOTE_PORT": "54321",
    "HTTP_HOST": "www.example.com:8080",
    "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "HTTP_ACCEPT_ENCODING": "gzip, deflate, br, zstd",
    "HTTP_ACCEPT_LANGUAGE": "en-US,en;q=0.5",
    "HTTP_CONNECTION": "keep-alive",
    "HTTP_COOKIE": "session=0123456789abcdef",
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.input": None,
    "wsgi.errors": None,
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}


HEADERS = [("Content-Type", "text/plain"), ("Content-Length", "2")]


def leaf(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", HEADERS)
    return [b"ok"]


def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
    pass


def paths(size: int) -> list[str]:
    return [f"/mount-{number}" for number in range(size)]


def ours(size: int) -> URLMap:
    return URLMap(dict.fromkeys(paths(size), leaf), not_found_app=leaf)


def ours_with_hosts(size: int) -> URLMap:
    mounts = {("www.example.com", path): leaf for path in paths(size)}
    return URLMap({**mounts, ("*.example.org", "/"): leaf, ("admin.example.com:8443", "/"): leaf, "/": leaf})


def werkzeug(size: int) -> DispatcherMiddleware:
    return DispatcherMiddleware(leaf, dict.fromkeys(paths(size), leaf))


def paste(size: int) -> PasteURLMap:
    urlmap = PasteURLMap(not_found_app=leaf)
    # Assigned one by one it sorts all of them each time: 10,000 would take minutes. The result is the same.
    urlmap.applications = [((None, path), leaf) for path in paths(size)]
    urlmap.sort_apps()
    return urlmap


def no_map(size: int) -> Any:
    return leaf


MAPS: dict[str, Callable[[int], Any]] = {
    "no map": no_map,
    "wheatpaste URLMap": ours,
    "wheatpaste URLMap, by host": ours_with_hosts,
    "werkzeug DispatcherMiddleware": werkzeug,
    "paste.urlmap": paste,
}


def time_requests(app: Any, path: str, number: int) -> float:
    """Seconds for one request."""
    begin = process_time()
    for _ in range(number):
        environ = ENVIRON.copy()
        environ["PATH_INFO"] = path
        environ["REQUEST_URI"] = f"{path}?page=2"
        app(environ, start_response)
    return (process_time() - begin) / number


def measure(rounds: int) -> dict[str, dict[int, float]]:
    """Microseconds for each map and size."""
    apps = {(name, size): make(size) for name, make in MAPS.items() for size in SIZES}
    times: dict[tuple[str, int], list[float]] = {key: [] for key in apps}
    for _ in range(rounds):
        for (name, size), app in apps.items():
            path = f"/mount-{size - 1}/articles/2026/autumn-leaves.html"
            number = max(20, 20_000 // size) if name == "paste.urlmap" else 2_000
            times[name, size].append(time_requests(app, path, number))
    return {name: {size: statistics.median(times[name, size]) * 1e6 for size in SIZES} for name in MAPS}


def table(found: dict[str, dict[int, float]]) -> str:
    lines = ["| µs for one request | " + " | ".join(f"{size:,} mounts" for size in SIZES) + " |"]
    lines.append("| --- |" + " ---: |" * len(SIZES))
    for name, by_size in found.items():
        lines.append(f"| {name} | " + " | ".join(f"{by_size[size]:,.2f}" for size in SIZES) + " |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="What dispatch costs, beside its peers.")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a Markdown table")
    parser.add_argument("--rounds", type=int, default=51, help="how often each map is timed (default: 51)")
    options = parser.parse_args()
    found = measure(options.rounds)
    mine, theirs = found["wheatpaste URLMap"], found["werkzeug DispatcherMiddleware"]
    summary = {
        "python": platform.python_version(),
        "rounds": options.rounds,
        "microseconds": found,
        "times werkzeug": {size: round(mine[size] / theirs[size], 2) for size in SIZES},
        "10,000 mounts against 10": round(mine[SIZES[-1]] / mine[SIZES[0]], 2),
    }
    if options.json:
        print(json.dumps(summary, indent=2))
        return 0
    print(table(found))
    ratios = ", ".join(f"{ratio} at {size:,}" for size, ratio in summary["times werkzeug"].items())
    print(f"\nwheatpaste to werkzeug: {ratios}. 10,000 mounts to 10: {summary['10,000 mounts against 10']}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
