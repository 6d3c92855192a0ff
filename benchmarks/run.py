"""All figures, peers side by side: ``python benchmarks/run.py [--only NAME] [--quick] [--json FILE] [--write]``.

Needs Python, and wrk for the servers (``--only server:hello`` is one of their scenarios). What is measured is the
wheel, built from the files that git knows, in a fresh virtual environment with its peers (``build/bench``). The
benchmarks run one after another, each in a process of its own. With ``--write`` the figures go into docs/benchmarks.md
and the README; without it the tables are printed.
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
SERVERS = ("granian", "waitress", "cheroot", "gunicorn", "gevent", "uWSGI", "bjoern")
COMPILED = ("uWSGI", "bjoern")
"""Servers that are only to be had as source: measured where a compiler, and libev-dev for bjoern, are there."""
PEERS = (
    "Paste",
    "PasteDeploy",
    "WebOb",
    *SERVERS,
    "Werkzeug",
    "Django",
    "starlette",
    "whitenoise",
    "servestatic",
    "pyramid",
    "repoze.who",
    "Flask-Login",
)


class Benchmark(NamedTuple):
    """A script beside this one, what it is about, and how many rounds it takes."""

    name: str
    title: str
    rounds: int
    quick: int
    parts: bool = False
    """Whether it takes ``--scenario NAME`` and ``--quick``."""

    @property
    def script(self) -> Path:
        return Path(__file__).with_name(f"{self.name}.py")


BENCHMARKS = (
    Benchmark("server", "The server", rounds=3, quick=1, parts=True),
    Benchmark("dispatch", "Dispatch", rounds=51, quick=2),
    Benchmark("errors", "Errors", rounds=21, quick=2),
    Benchmark("auth", "Authentication", rounds=21, quick=2),
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


def install_compiled(python: Path) -> None:
    """Install the servers that have to be compiled, those that can be."""
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    for name in COMPILED:
        say(f"compiling {name}")
        if subprocess.run([*pip, "install", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            say(f"{name} cannot be compiled here and is left out")


def measure(benchmark: Benchmark, python: Path, quick: bool, parts: Sequence[str]) -> Findings:
    """Run one benchmark, or these parts of it. Raises ``CalledProcessError`` when it fails."""
    rounds = benchmark.quick if quick else benchmark.rounds
    say(f"{benchmark.title} ({rounds} rounds)")
    argv = [str(python), str(benchmark.script), "--json", "--rounds", str(rounds)]
    if benchmark.parts:
        argv += [word for part in parts for word in ("--scenario", part)] + ["--quick"] * quick
    found = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout)
    return Findings(
        text=found["text"],
        rows=[tuple(row) for row in found["rows"]],
        aims=[Aim(**aim) for aim in found["aims"]],
        figures=found["figures"],
    )


def versions(python: Path) -> dict[str, str]:
    """Which of the peers are installed beside that Python."""
    code = (
        "import json; from importlib.metadata import distributions; "
        "print(json.dumps({each.name.lower(): each.version for each in distributions()}))"
    )
    done = subprocess.run([str(python), "-c", code], stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    return {name: found[name.lower()] for name in ("wheatpaste", *PEERS) if name.lower() in found}


def docstring(script: Path) -> str:
    """How a benchmark measures: its docstring without the first paragraph, which names the command."""
    text = script.read_text(encoding="utf-8").split('"""')[1]
    return text.partition("\n\n")[2].strip()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measure all figures, peers side by side.")
    parser.add_argument("--only", action="append", metavar="NAME", help="this one alone; server:hello for a part of it")
    parser.add_argument(
        "--quick", action="store_true", help="a round or two: shows that it runs, the figures are loose"
    )
    parser.add_argument("--here", action="store_true", help="measure what is installed beside this Python")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all figures to this file")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md and the README's table")
    options = parser.parse_args(argv)
    if options.write and (options.only or options.quick or options.here):
        parser.error("--write takes all benchmarks, at full length and from the wheel")
    only = [name.partition(":") for name in options.only or ()]
    known = {each.name: each for each in BENCHMARKS}
    for name, _, part in only:
        if name not in known or (part and not known[name].parts):
            parser.error(f"there is no {name}{':' * bool(part)}{part}; there are: {', '.join(known)}, server:hello")
    chosen = [each for each in BENCHMARKS if not only or each.name in {name for name, _, _ in only}]
    python = Path(sys.executable) if options.here else build_environment(WORK)
    if not options.here and any(each.name == "server" for each in chosen):
        install_compiled(python)
    installed = {} if options.here else versions(python)
    measured = [
        Measured(
            each.name,
            each.title,
            docstring(each.script),
            measure(each, python, options.quick, [part for name, _, part in only if part and name == each.name]),
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
