"""What dispatch costs, beside its peers: ``python benchmarks/dispatch.py [--json] [--rounds N]``.

Each map mounts the same apps below the same prefixes, ``/mount/0`` to ``/mount/N-1``. A request goes to the mount that
is last in the peer's own order of search, two segments below it. One round times each map once, one after another, so
that whatever else the machine does falls on all of them; the median of the rounds counts. Both peers write into the
environ that they are given: each call gets a fresh one, and the cost of making it is measured and taken off.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
from collections.abc import Callable
from time import perf_counter
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


def leaf(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    return []


def paths(size: int) -> list[str]:
    return [f"/mount/{number}" for number in range(size)]


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


MAPS: dict[str, Callable[[int], Any]] = {
    "wheatpaste URLMap": ours,
    "wheatpaste URLMap, by host": ours_with_hosts,
    "werkzeug DispatcherMiddleware": werkzeug,
    "paste.urlmap": paste,
}


def time_calls(app: Any, path: str, raw: str, number: int) -> float:
    """Seconds for one call, without making its environ."""
    environs = [{**ENVIRON, "PATH_INFO": path, "REQUEST_URI": raw} for _ in range(number)]
    begin = perf_counter()
    for environ in environs:
        app(environ, None)
    return (perf_counter() - begin) / number


def measure(rounds: int) -> dict[str, dict[int, float]]:
    """Microseconds for each map and size."""
    apps = {(name, size): make(size) for name, make in MAPS.items() for size in SIZES}
    times: dict[tuple[str, int], list[float]] = {key: [] for key in apps}
    for _ in range(rounds):
        for (name, size), app in apps.items():
            path = f"/mount/{size - 1}/articles/index.html"
            number = max(20, 200_000 // size) if name == "paste.urlmap" else 2_000
            times[name, size].append(time_calls(app, path, f"{path}?page=2", min(number, 2_000)))
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
