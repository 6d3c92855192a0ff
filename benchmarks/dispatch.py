"""What dispatch costs, beside its peers: ``python benchmarks/dispatch.py [--json] [--rounds N]``.

Each map mounts the smallest app below ``/mount-0`` to ``/mount-N-1``. A request goes to the mount that is last in the
peers' order of search, three segments below it; a second table varies how far below. What is timed is one whole
request: a fresh environ (as servers make it, and both peers write into it), dispatch, and the app's answer; the row "no
map" is the same without dispatch. It is the processor's time, so that other programs disturb less. One round times each
map once, one after another, so that whatever disturbs falls on all of them; the median of the rounds counts.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from operator import truediv
from time import process_time
from typing import Any

from findings import Aim, Findings, arguments, progress
from paste.urlmap import URLMap as PasteURLMap
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from wheatpaste.middleware.urlmap import URLMap

SIZES = (10, 100, 1_000, 10_000)
BELOW = (0, 1, 3, 5, 8)
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


def path_to(size: int, below: int) -> str:
    """The last mount, and so many segments below it."""
    return f"/mount-{size - 1}" + "".join(
        ("/articles", "/2026", "/autumn-leaves")[number % 3] for number in range(below)
    )


def measure(cases: Sequence[tuple[int, int]], rounds: int) -> dict[str, list[list[float]]]:
    """Seconds for each map: a list for each case (mounts, segments below), with one figure for each round."""
    apps = {(name, size): make(size) for name, make in MAPS.items() for size in {size for size, _ in cases}}
    times: dict[str, list[list[float]]] = {name: [[] for _ in cases] for name in MAPS}
    for round_ in range(rounds):
        progress(f"round {round_ + 1} of {rounds}")
        for place, (size, below) in enumerate(cases):
            for name in MAPS:
                number = max(20, 20_000 // size) if name == "paste.urlmap" else 2_000
                times[name][place].append(time_requests(apps[name, size], path_to(size, below), number))
    return times


def microseconds(times: dict[str, list[list[float]]]) -> dict[str, list[float]]:
    return {name: [statistics.median(case) * 1e6 for case in cases] for name, cases in times.items()}


def ratios(times: dict[str, list[list[float]]]) -> list[float]:
    """Ours to Werkzeug's: the median of the rounds' own ratios, which both had the same neighbours."""
    pairs = zip(times["wheatpaste URLMap"], times["werkzeug DispatcherMiddleware"], strict=True)
    return [statistics.median(map(truediv, mine, theirs)) for mine, theirs in pairs]


def table(times: dict[str, list[list[float]]], columns: Sequence[str]) -> str:
    lines = [f"| µs for one request | {' | '.join(columns)} |", "| --- |" + " ---: |" * len(columns)]
    for name, cases in microseconds(times).items():
        lines.append(f"| {name} | {' | '.join(f'{case:,.2f}' for case in cases)} |")
    lines.append(f"| wheatpaste URLMap to werkzeug | {' | '.join(f'{ratio:.2f}' for ratio in ratios(times))} |")
    return "\n".join(lines)


def main() -> int:
    options = arguments(__doc__, 51).parse_args()
    by_size = measure([(size, 3) for size in SIZES], options.rounds)
    by_path = measure([(1_000, below) for below in BELOW], options.rounds)
    mine = by_size["wheatpaste URLMap"]
    flat = statistics.median(map(truediv, mine[-1], mine[0]))
    to_werkzeug = ratios(by_size)
    medians = {name: f"{few:.1f} / {many:,.1f} µs" for name, (few, *_, many) in microseconds(by_size).items()}
    Findings(
        text=f"{table(by_size, [f'{size:,} mounts' for size in SIZES])}\n\n"
        f"wheatpaste at 10,000 mounts to 10: {flat:.2f}. At 1,000 mounts, by the length of the path:\n\n"
        f"{table(by_path, [f'{below} segments below' for below in BELOW])}",
        rows=[
            (
                "a request among 10 / 10,000 mounts",
                medians["wheatpaste URLMap"],
                f"werkzeug's DispatcherMiddleware {medians['werkzeug DispatcherMiddleware']}, "
                f"`paste.urlmap` {medians['paste.urlmap']}",
            )
        ],
        aims=[
            Aim("dispatch as fast among 10,000 mounts as among 10", f"{flat:.2f} to 1", flat <= 1.15),
            Aim(
                "three segments below mounts within 1.5 of werkzeug's dispatch, which knows no hosts, guards no paths",
                ", ".join(f"{each:.2f}" for each in to_werkzeug) + f" at {', '.join(f'{size:,}' for size in SIZES)}",
                max(to_werkzeug) <= 1.5,
            ),
        ],
        figures={
            "mounts": SIZES,
            "microseconds by mounts": microseconds(by_size),
            "to werkzeug by mounts": to_werkzeug,
            "10,000 mounts to 10": flat,
            "segments below the mount": BELOW,
            "microseconds by segments": microseconds(by_path),
            "to werkzeug by segments": ratios(by_path),
        },
    ).print(as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
