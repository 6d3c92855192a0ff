"""What catching errors and showing them costs: ``python benchmarks/errors.py [--json] [--rounds N]``.

A healthy request passes through the filter: an app that returns a list, and one that yields its body; what counts is
what comes on top of the bare app. Then four errors are raised in an app, and the whole request for the page is timed:
catching, collecting, rendering, and (ours) keeping it in the inbox and logging it. Django's and Starlette's pages and
cgitb's are made by their own functions, as they have no filter of WSGI. Processor time; one round times each once, one
after another, and the median of the rounds counts. At last 10,000 errors of 50 kinds are caught, and the memory is
looked at.
"""

from __future__ import annotations

import gc
import io
import json
import logging
import os
import statistics
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import process_time
from types import ModuleType
from typing import Any

from dispatch import ENVIRON, HEADERS, start_response
from findings import Aim, Findings, arguments, progress, table

from wheatpaste.middleware.errors.catch_errors import CatchErrors

App = Callable[[dict[str, Any], Any], Any]
OURS = "wheatpaste"
REPEATS = 2_000  # healthy requests per round
MANY, FEW = 10_000, 300  # errors for the memory; few in a round to try it out


# Apps -----------------------------------------------------------------------------------------------------------------


def returning(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", HEADERS)
    return [b"ok"]


def yielding(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", HEADERS)
    yield b"ok"


def small() -> None:
    order = {"id": 42, "lines": ["apples", "pears"]}
    total(order)


def total(order: dict[str, Any]) -> int:
    return sum(price(line) for line in order["lines"])


def price(line: str) -> int:
    prices = {"apples": 3}
    return prices[line]


def deep(left: int = 950) -> int:
    return deep(left - 1) if left else 1 // left


def group() -> None:
    failures = []
    for number in range(50):
        try:
            int(f"line {number}")
        except ValueError as error:
            failures.append(error)
    raise ExceptionGroup("50 lines cannot be read", failures)


NUMBERS = list(range(1_000_000))


def large() -> None:
    numbers = NUMBERS
    raise ValueError(len(numbers))


CASES: dict[str, Callable[[], object]] = {
    "three frames": small,
    "a recursion of 950": deep,
    "a group of 50": group,
    "a local of 1,000,000 items": large,
}


def failing(case: Callable[[], object]) -> App:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        case()
        return []

    return app


# Filters --------------------------------------------------------------------------------------------------------------


def ours(app: App) -> App:
    made: App = CatchErrors(app)
    return made


def ours_in_debug(app: App) -> App:
    made: App = CatchErrors(app, debug=True)
    return made


def pastes(app: App) -> App:
    from paste.exceptions.errormiddleware import ErrorMiddleware

    made: App = ErrorMiddleware(app, debug=True)
    return made


def werkzeugs(app: App) -> App:
    from werkzeug.debug import DebuggedApplication

    made: App = DebuggedApplication(app)
    return made


FILTERS: dict[str, Callable[[App], App]] = {
    OURS: ours,
    f"{OURS}, debug": ours_in_debug,
    "Paste": pastes,
    "werkzeug": werkzeugs,
}
PEERS = ("Paste", "werkzeug")


def by_request(make: Callable[[App], App], case: Callable[[], object]) -> Callable[[], int]:
    app = make(failing(case))

    def ask() -> int:
        body = app(fresh(), start_response)
        size = sum(map(len, body))
        close = getattr(body, "close", None)
        if close is not None:
            close()
        return size

    return ask


def by_function(page: Callable[[BaseException], str], case: Callable[[], object]) -> Callable[[], int]:
    def ask() -> int:
        try:
            case()
        except (ArithmeticError, ExceptionGroup, LookupError, ValueError) as error:
            return len(page(error).encode("utf-8", "replace"))
        raise AssertionError("it has not failed")

    return ask


def djangos() -> Callable[[BaseException], str]:
    import django
    from django.conf import settings
    from django.test import RequestFactory
    from django.views.debug import technical_500_response

    if not settings.configured:
        urls = ModuleType("urls")
        urls.urlpatterns = []  # type: ignore[attr-defined]
        settings.configure(DEBUG=True, ALLOWED_HOSTS=["*"], SECRET_KEY="of a benchmark", ROOT_URLCONF=urls)
        django.setup()
    request = RequestFactory().get("/")
    return lambda error: technical_500_response(request, type(error), error, error.__traceback__).content.decode()


def starlettes() -> Callable[[BaseException], str]:
    from starlette.middleware.errors import ServerErrorMiddleware

    return ServerErrorMiddleware(app=lambda *given: None, debug=True).generate_html  # type: ignore[arg-type,return-value]


def cgitbs() -> Callable[[BaseException], str]:
    import cgitb

    return lambda error: cgitb.html((type(error), error, error.__traceback__))


def makers() -> dict[str, Callable[[Callable[[], object]], Callable[[], int]]]:
    """How each makes a page of a case."""
    pages = {OURS: ours_in_debug, **{name: FILTERS[name] for name in PEERS}}
    found: dict[str, Any] = {name: lambda case, make=make: by_request(make, case) for name, make in pages.items()}
    for name, function in (("Django", djangos), ("Starlette", starlettes), ("cgitb", cgitbs)):
        try:
            page = function()
        except ImportError:  # cgitb has left the standard library
            continue
        found[name] = lambda case, page=page: by_function(page, case)
    return found


def fresh() -> dict[str, Any]:
    environ = dict(ENVIRON, PATH_INFO="/order/42")
    environ["HTTP_HOST"] = "localhost:8080"
    environ["wsgi.input"], environ["wsgi.errors"] = io.BytesIO(), io.StringIO()
    return environ


# Measuring ------------------------------------------------------------------------------------------------------------


def healthy(app: App) -> float:
    """Processor time of one request, in µs, environ and all."""
    gc.collect()
    began = process_time()
    for _ in range(REPEATS):
        body = app(fresh(), start_response)
        for _piece in body:
            pass
        close = getattr(body, "close", None)
        if close is not None:
            close()
    return (process_time() - began) / REPEATS * 1e6


def measure_healthy(rounds: int) -> dict[str, dict[str, float]]:
    """By kind of app and filter: µs on top of the bare app."""
    found: dict[str, dict[str, float]] = {}
    for kind, app in (("a list", returning), ("a generator", yielding)):
        apps: dict[str, App] = {"bare": app, **{name: make(app) for name, make in FILTERS.items()}}
        times: dict[str, list[float]] = {name: [] for name in apps}
        for number in range(rounds):
            progress(f"healthy requests, {kind}: round {number + 1} of {rounds}")
            for name, each in apps.items():
                times[name].append(healthy(each))
        found[kind] = {
            name: statistics.median(one - bare for one, bare in zip(times[name], times["bare"], strict=True))
            for name in FILTERS
        }
    return found


def measure_pages(rounds: int) -> dict[str, dict[str, tuple[float, int]]]:
    """By case and maker: milliseconds and bytes."""
    found: dict[str, dict[str, tuple[float, int]]] = {}
    made = makers()
    for title, case in CASES.items():
        asking = {name: make(case) for name, make in made.items()}
        times: dict[str, list[float]] = {name: [] for name in asking}
        sizes: dict[str, int] = {}
        for number in range(rounds + 1):
            progress(f"{title}: round {number} of {rounds}")
            for name, ask in asking.items():
                gc.collect()
                began = process_time()
                sizes[name] = ask()
                if number:  # the first one imports and compiles
                    times[name].append((process_time() - began) * 1e3)
        found[title] = {name: (statistics.median(times[name]), sizes[name]) for name in asking}
    return found


def measure_memory(many: int) -> tuple[float, float]:
    """Megabytes of a fresh process after a tenth of the errors, and after all of them."""
    ran = subprocess.run([sys.executable, __file__, "--memory", str(many)], stdout=subprocess.PIPE, check=True)
    early, late = json.loads(ran.stdout)
    return early, late


def fail_often(many: int) -> list[float]:
    kinds = [_kind(number) for number in range(50)]
    app = ours_in_debug(lambda environ, start_response: kinds[environ["wanted"] % 50](environ["wanted"]))
    after = []
    for number in range(many):
        environ = fresh()
        environ["wanted"] = number
        for _piece in app(environ, start_response):
            pass
        if number + 1 in (many // 10, many):
            gc.collect()
            after.append(_resident())
            progress(f"memory after {number + 1} errors: {after[-1]:.1f} MB")
    return after


def _kind(number: int) -> Callable[[int], Any]:
    names: dict[str, Any] = {}
    exec(f"def fails_{number}(wanted):\n    raise ValueError(f'this is number {{wanted}}')\n", names)
    made: Callable[[int], Any] = names[f"fails_{number}"]
    return made


def _resident() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024


# Telling --------------------------------------------------------------------------------------------------------------


def findings(rounds: int) -> Findings:
    on_top = measure_healthy(rounds)
    pages = measure_pages(max(2, rounds // 3))
    many = MANY if rounds > 3 else FEW
    early, late = measure_memory(many)
    worst = max(each[OURS][0] for each in pages.values())
    largest = max(each[OURS][1] for each in pages.values())
    cost = on_top["a list"][OURS]
    names = list(next(iter(pages.values())))
    text = "\n\n".join(
        [
            "On top of a healthy request, µs of processor time:",
            table(
                ["filter", *on_top],
                [[name, *(f"{each[name]:.2f}" for each in on_top.values())] for name in FILTERS],
            ),
            "A page for developers, ms of processor time and kB:",
            table(
                ["error", *names],
                [
                    [title, *(f"{each[name][0]:.1f} ms, {each[name][1] / 1000:,.0f} kB" for name in names)]
                    for title, each in pages.items()
                ],
            ),
            f"Memory of the process after {many // 10:,} errors {early:.1f} MB, after {many:,} errors {late:.1f} MB.",
        ]
    )
    lowest = all(each[OURS] <= min(each[name] for name in PEERS) for each in on_top.values())
    return Findings(
        text=text,
        rows=_rows(on_top, pages, names),
        aims=[
            Aim("an error filter on top of a healthy request: at most 0.6 µs", f"{cost:.2f} µs", cost <= 0.6),
            Aim("the lowest of all", "for lists and generators" if lowest else "not for all", lowest),
            Aim("any page for developers in at most 50 ms", f"{worst:.0f} ms", worst <= 50),
            Aim("and at most 1 MB", f"{largest / 1000:,.0f} kB", largest <= 1_000_000),
            Aim(
                f"memory is flat after {many:,} errors", f"{late - early:+.1f} MB from {many // 10:,}", late - early < 3
            ),
        ],
        figures={
            "healthy": on_top,
            "pages": {title: {name: list(each[name]) for name in names} for title, each in pages.items()},
            "memory": [early, late],
        },
    )


def _rows(
    on_top: dict[str, dict[str, float]], pages: dict[str, dict[str, tuple[float, int]]], names: Sequence[str]
) -> list[tuple[str, str, str]]:
    others = [name for name in names if name != OURS]
    rows = [
        (
            f"error filter on top of a healthy request ({kind}), µs",
            f"{each[OURS]:.2f}",
            ", ".join(f"{name} {each[name]:.2f}" for name in PEERS),
        )
        for kind, each in on_top.items()
    ]
    rows += [
        (
            f"error page, {title}, ms (kB)",
            f"{each[OURS][0]:.1f} ({each[OURS][1] / 1000:,.0f})",
            ", ".join(f"{name} {each[name][0]:.1f} ({each[name][1] / 1000:,.0f})" for name in others),
        )
        for title, each in pages.items()
    ]
    return rows


def main() -> int:
    parser = arguments(__doc__, 15)
    parser.add_argument("--memory", type=int, metavar="N", help="fail so often, and print the memory as JSON")
    options = parser.parse_args()
    # Everybody's report goes nowhere: what a terminal costs is nobody's merit.
    logging.basicConfig(stream=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - until the process ends
    if options.memory:
        print(json.dumps(fail_often(options.memory)))
        return 0
    sys.setrecursionlimit(3_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        findings(options.rounds).print(as_json=options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
