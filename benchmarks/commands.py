"""What ``wheatpaste check`` of a small INI takes as a whole process: ``python benchmarks/commands.py``.

Beside it stands an interpreter that does nothing, which is the part that no Python program can save. One round runs
each once, one after another; the median of the rounds counts. Processor time is what a machine with nothing else to do
would take.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path

from findings import Aim, Findings, arguments, progress, table
from processes import Run, run

INI = """\
[server:main]
use = egg:wheatpaste#main
host = 127.0.0.1
port = 8080

[composite:main]
use = egg:wheatpaste#urlmap
/ = files
/shop = shop
/healthz = health

[app:shop]
use = egg:wheatpaste#wsgi
app = shop:app

[app:files]
use = egg:wheatpaste#static
root = %(here)s/public

[app:health]
use = egg:wheatpaste#health
"""
SHOP = """\
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""


def measure(folder: Path, rounds: int) -> dict[str, list[Run]]:
    bin_ = Path(sys.executable).parent
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "wheatpaste check site.ini": [str(bin_ / "wheatpaste"), "check", "site.ini"],
        "wheatpaste --version": [str(bin_ / "wheatpaste"), "--version"],
    }
    times: dict[str, list[Run]] = {name: [] for name in commands}
    # One round more: the first one writes and reads what the others find in the system's cache.
    for round_ in range(rounds + 1):
        progress(f"round {round_} of {rounds}")
        for name, argv in commands.items():
            times[name].append(run(argv, cwd=folder, environment=os.environ))
    return {name: each[1:] for name, each in times.items()}


def main() -> int:
    options = arguments(__doc__, 31).parse_args()
    with tempfile.TemporaryDirectory(prefix="commands-") as folder:
        place = Path(folder)
        (place / "public").mkdir()
        (place / "site.ini").write_text(INI)
        (place / "shop.py").write_text(SHOP)
        times = measure(place, options.rounds)
    wall = {name: statistics.median(each.wall for each in runs) for name, runs in times.items()}
    processor = {name: statistics.median(each.processor for each in runs) for name, runs in times.items()}
    check = "wheatpaste check site.ini"
    Findings(
        text=table(
            ["whole process", "ms", "ms of processor time"],
            ([f"`{name}`", f"{wall[name] * 1e3:.0f}", f"{processor[name] * 1e3:.0f}"] for name in times),
        ),
        rows=[
            (
                "`wheatpaste check` of a small INI, the whole process",
                f"{wall[check] * 1e3:.0f} ms",
                f"`python -c pass` {wall['python -c pass'] * 1e3:.0f} ms",
            )
        ],
        aims=[
            Aim(
                "a small INI checked within 150 ms, from the start of the process to its end",
                f"{wall[check] * 1e3:.0f} ms ({processor[check] * 1e3:.0f} ms of processor time)",
                wall[check] <= 0.150,
            )
        ],
        figures={"seconds": wall, "processor seconds": processor},
    ).print(as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
