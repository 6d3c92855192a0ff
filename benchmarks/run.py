"""All figures, peers side by side: ``python benchmarks/run.py [--only NAME] [--quick] [--json FILE] [--write]``.

Needs nothing but Python: what is measured is the wheel, built from the files that git knows, in a fresh virtual
environment with its peers (``build/bench``). The benchmarks run one after another, each in a process of its own. With
``--write`` the figures go into docs/benchmarks.md and the README; without it the tables are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from findings import Aim, Findings
from report import Measured, page, place_between

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "bench"
PEERS = ("Paste", "PasteDeploy", "WebOb", "waitress", "Werkzeug", "whitenoise", "servestatic", "gunicorn", "pyramid")


class Benchmark(NamedTuple):
    """A script beside this one, what it is about, and how many rounds it takes."""

    name: str
    title: str
    rounds: int
    quick: int

    @property
    def script(self) -> Path:
        return Path(__file__).with_name(f"{self.name}.py")


BENCHMARKS = (
    Benchmark("dispatch", "Dispatch", rounds=51, quick=2),
    Benchmark("static_files", "Static files", rounds=21, quick=1),
    Benchmark("large_ini", "A large INI", rounds=15, quick=1),
    Benchmark("commands", "Checking a small INI", rounds=41, quick=1),
    Benchmark("startup", "From the command to the first answer", rounds=31, quick=1),
)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def build_environment(work: Path) -> Path:
    """Build the wheel, install it with its peers into a fresh environment, and return that environment's Python."""
    say("building the wheel and an environment for it")
    shutil.rmtree(work, ignore_errors=True)
    source, wheels, environment = work / "source", work / "dist", work / "venv"
    copy_source(source)
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(wheels), str(source)], check=True)
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([*pip, "install", f"{wheel}[bench]"], check=True)
    return python


def copy_source(target: Path) -> None:
    """Copy the files that git knows; what else lies around must not ship."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        skipped = shutil.ignore_patterns(".*", "build", "dist", "__pycache__", "*.egg-info")
        shutil.copytree(ROOT, target, ignore=skipped)
        return
    for name in filter(None, os.fsdecode(listed).split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)


def measure(benchmark: Benchmark, python: Path, rounds: int) -> Findings:
    """Run one benchmark. Raises ``CalledProcessError`` when it fails."""
    say(f"{benchmark.title} ({rounds} rounds)")
    argv = [str(python), str(benchmark.script), "--json", "--rounds", str(rounds)]
    found = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout)
    return Findings(
        text=found["text"],
        rows=[tuple(row) for row in found["rows"]],
        aims=[Aim(**aim) for aim in found["aims"]],
        figures=found["figures"],
    )


def versions(python: Path) -> dict[str, str]:
    """What is installed beside that Python."""
    code = "import json, sys; from importlib.metadata import version; print(json.dumps([*map(version, sys.argv[1:])]))"
    names = ("wheatpaste", *PEERS)
    done = subprocess.run([str(python), "-c", code, *names], stdout=subprocess.PIPE, check=True)
    return dict(zip(names, json.loads(done.stdout), strict=True))


def docstring(script: Path) -> str:
    """How a benchmark measures: its docstring without the first paragraph, which names the command."""
    text = script.read_text(encoding="utf-8").split('"""')[1]
    return text.partition("\n\n")[2].strip()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measure all figures, peers side by side.")
    parser.add_argument("--only", action="append", choices=[each.name for each in BENCHMARKS], help="this one alone")
    parser.add_argument(
        "--quick", action="store_true", help="a round or two: shows that it runs, the figures are loose"
    )
    parser.add_argument("--here", action="store_true", help="measure what is installed beside this Python")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all figures to this file")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md and the README's table")
    options = parser.parse_args(argv)
    if options.write and (options.only or options.quick or options.here):
        parser.error("--write takes all benchmarks, at full length and from the wheel")
    chosen = [each for each in BENCHMARKS if not options.only or each.name in options.only]
    python = Path(sys.executable) if options.here else build_environment(WORK)
    installed = {} if options.here else versions(python)
    measured = [
        Measured(
            each.name,
            each.title,
            docstring(each.script),
            measure(each, python, each.quick if options.quick else each.rounds),
        )
        for each in chosen
    ]
    if options.json:
        figures = {each.name: each.findings.figures for each in measured}
        options.json.write_text(json.dumps({"versions": installed, **figures}, indent=1) + "\n", encoding="utf-8")
    if options.write:
        write(measured, installed)
    else:
        for each in measured:
            print(f"## {each.title}\n\n{each.findings.text}\n")
    for each in measured:
        for aim in each.findings.aims:
            say(f"{'reached' if aim.met else 'MISSED '}  {aim.aim}: {aim.found}")
    return 0


def write(measured: Sequence[Measured], installed: dict[str, str]) -> None:
    """Write the page and the README's table."""
    (ROOT / "docs" / "benchmarks.md").write_text(page(measured, installed), encoding="utf-8")
    readme = ROOT / "README.md"
    readme.write_text(place_between(readme.read_text(encoding="utf-8"), "figures", measured), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
