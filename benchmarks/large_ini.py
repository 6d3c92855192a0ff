"""What 1,000 sections cost: ``python benchmarks/large_ini.py [--json] [--rounds N]``.

The file has 333 apps, 333 filters, 333 pipelines of one of each, and a map that mounts the pipelines: 1,000 sections
of 2 to 6 keys, some of which use variables. Both loaders read this same file with all that it imports imported before,
and build everything in it: the same URLMap, apps and filters. It is the processor's time, so that other programs
disturb less. One round measures each once, one after another; the median of the rounds counts.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

from findings import Aim, Findings, arguments, progress, ratio, table
from paste.deploy import loadapp as paste_loadapp

from wheatpaste.config.check import check_composition, check_file
from wheatpaste.config.composition import Composition
from wheatpaste.config.loadwsgi import loadapp

GROUPS = 333
MODULE = """
def make_app(global_conf, **settings):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Length", "0")])
        return []
    return app

def make_filter(global_conf, **settings):
    return lambda app: lambda environ, start_response: app(environ, start_response)
"""


def write(folder: Path) -> Path:
    """Write the file and the module that it names."""
    (folder / "parts_of_large_ini.py").write_text(MODULE)
    parts = ["[DEFAULT]\ndata = %(here)s/data\ndebug = false\n"]
    for number in range(GROUPS):
        parts.append(
            f"[app:shop{number}]\npaste.app_factory = parts_of_large_ini:make_app\ntitle = Shop {number}\n"
            f"database = sqlite:///%(data)s/shop{number}.db\ncurrency = EUR\nlanguages =\n    en\n    de\n    fr\n"
        )
        parts.append(
            f"[filter:gate{number}]\npaste.filter_factory = parts_of_large_ini:make_filter\nrealm = %(data)s\n"
        )
        parts.append(f"[pipeline:site{number}]\npipeline = gate{number} shop{number}\n")
    mounts = "".join(f"/site{number} = site{number}\n" for number in range(GROUPS))
    parts.append(f"[composite:main]\nuse = egg:wheatpaste#urlmap\n{mounts}")
    path = folder / "large.ini"
    path.write_text("\n".join(parts))
    return path


def ours(path: str) -> Any:
    """Load, check and build, as ``serve`` does."""
    composition = Composition.load(f"config:{path}", collect=True)
    problems = check_composition(composition)
    assert problems == [], problems
    return composition.build()


def measure(path: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of processor time for each way, one figure for each round."""
    ways: dict[str, Callable[[str], Any]] = {
        "wheatpaste, checked and loaded": ours,
        "wheatpaste, checked": check_file,
        "wheatpaste, loaded": lambda path: loadapp(f"config:{path}"),
        "PasteDeploy, loaded": lambda path: paste_loadapp(f"config:{path}"),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way(path)
    for round_ in range(rounds):
        progress(f"round {round_ + 1} of {rounds}")
        for name, way in ways.items():
            begun = process_time()
            way(path)
            times[name].append(process_time() - begun)
    return times


def main() -> int:
    options = arguments(__doc__, 11).parse_args()
    with tempfile.TemporaryDirectory(prefix="large-ini-") as folder:
        sys.path.insert(0, folder)
        path = str(write(Path(folder)))
        times = measure(path, options.rounds)
    median = {name: statistics.median(each) for name, each in times.items()}
    checked, checked_alone, loaded, theirs = times.values()
    faster = ratio(theirs, checked)
    rows = [[name, f"{median[name] * 1e3:,.1f}", f"{ratio(each, theirs):.3f}"] for name, each in times.items()]
    Findings(
        text=table(["1,000 sections", "ms of processor time", "to PasteDeploy's"], rows),
        rows=[
            (
                "an INI of 1,000 sections, checked and loaded",
                f"{statistics.median(checked) * 1e3:,.0f} ms",
                f"PasteDeploy {statistics.median(theirs) * 1e3:,.0f} ms, to load it",
            )
        ],
        aims=[
            Aim(
                "1,000 sections loaded and checked in a tenth of the time that PasteDeploy takes to load them",
                f"{faster:.1f} times faster; the check alone {ratio(theirs, checked_alone):.1f} times, "
                f"the load alone {ratio(theirs, loaded):.1f} times",
                faster >= 10,
            )
        ],
        figures={"seconds": median, "PasteDeploy's load to ours": faster},
    ).print(as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
