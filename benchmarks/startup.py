"""From the command to the first 200, and memory then: ``python benchmarks/startup.py [--json] [--rounds N]``.

The first three serve the same INI: one plain app factory, and a server with four threads. That is our own for us, and
Waitress for `pserve`; Gunicorn brings its own, with one worker. The last serves the bare app by the same Waitress,
without any INI. One round starts each once, one after another; the median of the rounds counts. Memory is that of all
processes of a server: PSS counts what processes share once, RSS as often as it is shared.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path

from findings import Aim, Findings, arguments, progress, ratio, table
from processes import Started, free_port, start

MODULE = """\
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"ok\\n"]


def make_app(global_conf):
    return app
"""
INI = """\
[server:main]
use = egg:{server}#main
host = 127.0.0.1
port = {port}
threads = 4

[app:main]
paste.app_factory = hello:make_app
"""
OURS = "wheatpaste serve x.ini"
PSERVE = "pserve x.ini"
GUNICORN = "gunicorn --paste x.ini"
WAITRESS = "waitress-serve hello:app"
COMMANDS = {
    OURS: ["wheatpaste", "serve", "x.ini"],
    PSERVE: ["pserve", "x.ini"],
    GUNICORN: ["gunicorn", "--paste", "x.ini", "--bind", "127.0.0.1:{port}"],
    WAITRESS: ["waitress-serve", "--listen", "127.0.0.1:{port}", "--threads", "4", "hello:app"],
}


def measure(folder: Path, rounds: int) -> dict[str, list[Started]]:
    bin_ = Path(sys.executable).parent
    # Not all of them look for modules beside the INI. Whatever is not compiled yet is kept compiled by the first round.
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": ""}
    found: dict[str, list[Started]] = {name: [] for name in COMMANDS}
    # One round more: the first one writes and reads what the others find in the system's cache.
    for round_ in range(rounds + 1):
        progress(f"round {round_} of {rounds}")
        for name, (command, *words) in COMMANDS.items():
            port = free_port()
            server = "wheatpaste" if name == OURS else "waitress"
            (folder / "x.ini").write_text(INI.format(port=port, server=server))
            argv = [str(bin_ / command), *(word.format(port=port) for word in words)]
            found[name].append(start(argv, port, cwd=folder, environment=environment))
    return {name: each[1:] for name, each in found.items()}


def main() -> int:
    options = arguments(__doc__, 21).parse_args()
    with tempfile.TemporaryDirectory(prefix="startup-") as folder:
        (Path(folder) / "hello.py").write_text(MODULE)
        found = measure(Path(folder), options.rounds)
    median = {
        name: Started(*(statistics.median(values) for values in zip(*runs, strict=True)))
        for name, runs in found.items()
    }

    def to(peer: str, what: str) -> float:
        return ratio([getattr(each, what) for each in found[OURS]], [getattr(each, what) for each in found[peer]])

    rows = [
        [
            f"`{name}`",
            f"{each.wall * 1e3:.0f}",
            f"{each.processor * 1e3:.0f}",
            f"{each.pss / 1e6:.1f}",
            f"{each.rss / 1e6:.1f}",
            f"{each.processes:.0f}",
        ]
        for name, each in median.items()
    ]
    head = ["command", "to the first 200, ms", "processor time, ms", "PSS, MB", "RSS, MB", "processes"]
    ratios = {peer: {what: to(peer, what) for what in Started._fields[:3]} for peer in (PSERVE, GUNICORN, WAITRESS)}
    aims = [
        Aim(
            f"{what}: {aim}",
            f"{ratios[peer][field]:.2f}",
            ratios[peer][field] <= limit,
        )
        for what, field in (("to the first 200", "wall"), ("memory then", "pss"))
        for aim, peer, limit in (
            ("ahead of `pserve`", PSERVE, 1.0),
            ("ahead of `gunicorn --paste`", GUNICORN, 1.0),
            ("within 1.5 of `waitress-serve` on the bare app", WAITRESS, 1.5),
        )
    ]
    short = {PSERVE: "`pserve`", GUNICORN: "`gunicorn --paste`", WAITRESS: "`waitress-serve` (bare app)"}
    Findings(
        text=table(head, rows)
        + "\n\nOurs to theirs: "
        + "; ".join(
            f"{short[peer]} {each['wall']:.2f} in time, {each['processor']:.2f} in processor time, "
            f"{each['pss']:.2f} in memory"
            for peer, each in ratios.items()
        )
        + ".",
        rows=[
            (
                "from `wheatpaste serve` to the first 200",
                f"{median[OURS].wall * 1e3:.0f} ms",
                ", ".join(f"{name} {median[peer].wall * 1e3:.0f} ms" for peer, name in short.items()),
            ),
            (
                "memory then",
                f"{median[OURS].pss / 1e6:.1f} MB",
                ", ".join(f"{name} {median[peer].pss / 1e6:.1f} MB" for peer, name in short.items()),
            ),
        ],
        aims=aims,
        figures={"medians": {name: each._asdict() for name, each in median.items()}, "ours to theirs": ratios},
    ).print(as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
