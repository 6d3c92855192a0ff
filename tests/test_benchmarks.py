"""The benchmarks run, and their page and table come out whole. What they find is not judged here."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from prerequisites import lacking

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
NAMES = ("dispatch", "errors", "auth", "static_files", "large_ini", "commands", "startup")


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that writes the page, which finds its neighbours beside it."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("report", BENCHMARKS / "report.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measured(report: ModuleType, name: str, *, met: bool) -> object:
    import findings

    found = findings.Findings(
        text=f"the figures of {name}",
        rows=[(f"what {name} does", "1 ms", "others 2 ms")],
        aims=[findings.Aim(f"the aim of {name}", "1.00", met)],
    )
    return report.Measured(name, name.title(), f"How ``{name}`` measures.", found)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_measures_ours_beside_its_peers(name: str, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--here", "--quick", "--only", name, "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "| wheatpaste" in done.stdout or "| `wheatpaste" in done.stdout, "our row stands in a table"
    assert done.stdout.count("\n| ") >= 3, "and the peers' rows below its head"
    figures = json.loads(file.read_text(encoding="utf-8"))
    assert figures[name], "the bare numbers are in the file"


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "part", ["hello", "workers", "upload", "idle", "handshakes", "slow_senders", "slow_readers"], ids="server:{}".format
)
def test_a_scenario_measures_our_server_beside_others(part: str, tmp_path: Path) -> None:
    if shutil.which("wrk") is None:
        lacking("wrk")
    file = tmp_path / "figures.json"
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--here", "--quick", "--only", f"server:{part}"]
    done = subprocess.run([*command, "--json", str(file)], capture_output=True, text=True, cwd=tmp_path, timeout=280)
    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_text(encoding="utf-8"))["server"]
    assert list(figures) == [part], "nothing else was measured"
    ours, theirs = figures[part]["wheatpaste"]["0"], figures[part]["granian"]["0"]
    assert ours.keys() == theirs.keys()
    assert "| wheatpaste" in done.stdout
    assert ours["rate"] > 0, done.stderr
    assert not ours["errors"], done.stderr
    if part == "idle":
        assert ours["held"] == 300, "every idle connection was answered and kept"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--batches", "1"], " µs for a request\n"),
        (["--bytecodes", "--browser"], "Response.start (response.py)\n"),
    ],
    ids=["what a request costs", "what it executes"],
)
def test_the_path_of_a_request_is_measured_without_sockets(options: list[str], told: str) -> None:
    command = [sys.executable, str(BENCHMARKS / "request_path.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert told in done.stdout, done.stderr
    assert done.returncode == 0


def test_a_benchmark_that_is_not_there_is_named_with_those_that_are() -> None:
    for name in ("sever", "startup:hello"):
        done = subprocess.run(
            [sys.executable, str(BENCHMARKS / "run.py"), "--only", name], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 2
        assert f"there is no {name}; there are: server, dispatch" in done.stderr


def test_only_a_whole_run_is_written_down() -> None:
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "run.py"), "--write", "--quick"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "--write takes all benchmarks" in done.stderr


def test_the_table_replaces_the_one_between_its_marks_and_nothing_else(report: ModuleType) -> None:
    text = "before\n<!-- figures -->\nold\n<!-- /figures -->\nafter\n"
    once = report.place_between(text, "figures", [measured(report, "one", met=True)])
    assert once.startswith("before\n<!-- figures -->\n\n| | wheatpaste | beside it |")
    assert "| what one does | 1 ms | others 2 ms |" in once
    assert "old" not in once
    assert once.endswith("\n<!-- /figures -->\nafter\n")
    assert report.place_between(once, "figures", [measured(report, "one", met=True)]) == once, (
        "twice is as good as once"
    )


def test_a_text_without_marks_is_refused(report: ModuleType) -> None:
    with pytest.raises(ValueError, match="no <!-- figures -->"):
        report.place_between("<!-- figures -->\n", "figures", [])


def test_the_page_tells_of_a_missed_aim_as_plainly_as_of_one_reached(report: ModuleType) -> None:
    page = report.page(
        [measured(report, "one", met=True), measured(report, "two", met=False)], {"wheatpaste": "9.9", "waitress": "3"}
    )
    assert "| the aim of one | 1.00 | reached |" in page
    assert "| the aim of two | 1.00 | **missed** |" in page
    assert "wheatpaste 9.9, waitress 3" in page
    assert "## Two\n\nHow `two` measures.\n\nthe figures of two\n" in page
