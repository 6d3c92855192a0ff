"""INI files that are made to exhaust memory, time or the stack end in a problem that says so."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from wheatpaste.config.check import check_file
from wheatpaste.config.composition import Composition
from wheatpaste.config.sources import Flaw, Sources
from wheatpaste.config.values import Seconds, Size, parse

WriteIni = Callable[..., Path]

MANY = "%(large)s" * 14
DOUBLING = "".join(f"v{n} = %(v{n - 1})s%(v{n - 1})s\n" for n in range(1, 41))
FORTY_LARGE = "".join(f"v{n} = {MANY}\n" for n in range(40))
APP = "[app:main]\nuse = egg:wheatpaste#echo\n"
HOSTILE = {
    "doubling": (f"[DEFAULT]\nv0 = x\n{DOUBLING}{APP}", "without end"),
    "many large values in DEFAULT": (f"[DEFAULT]\nlarge = {'x' * 1_000_000}\n{FORTY_LARGE}{APP}", "MB together"),
    "many large values in a section": (f"[DEFAULT]\nlarge = {'x' * 1_000_000}\n{APP}{FORTY_LARGE}", "MB together"),
}


@pytest.mark.parametrize(("text", "phrase"), HOSTILE.values(), ids=list(HOSTILE))
def test_interpolation_stays_within_bounds(write_ini: WriteIni, text: str, phrase: str) -> None:
    path = write_ini(text)
    tracemalloc.start()
    try:
        made = Composition.load(f"config:{path}", collect=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert phrase in "\n".join(problem.what for problem in made.problems)
    assert peak < 300 * 2**20


def test_a_long_chain_of_files_that_extend_each_other_is_too_deep_not_a_crash(tmp_path: Path) -> None:
    for number in range(400):
        (tmp_path / f"{number}.ini").write_text(
            f"[wheatpaste]\nextends = {number + 1}.ini\n{APP if not number else ''}"
        )
    (tmp_path / "400.ini").write_text("")
    made = Composition.load(f"config:{tmp_path}/0.ini", collect=True)
    assert [problem.code for problem in made.problems] == ["too-deep"]


def test_a_file_that_is_reached_on_very_many_ways_counts_once_as_a_place(tmp_path: Path) -> None:
    for number in range(40):
        lines = f"[wheatpaste]\nextends = {number + 1}.ini\n    {number + 1}.ini\n"
        (tmp_path / f"{number}.ini").write_text(lines + (APP if not number else ""))
    (tmp_path / "40.ini").write_text("[DEFAULT]\na = 1\n")
    made = Composition.load(f"config:{tmp_path}/0.ini", collect=True)
    assert not made.problems
    assert made.root.globals["a"].text == "1"


@pytest.mark.parametrize(("text", "kind"), [("9" * 350, Seconds), ("9" * 350, Size), ("9" * 308 + "GB", Size)])
def test_a_number_that_is_too_large_is_refused(text: str, kind: object) -> None:
    with pytest.raises(ValueError, match="larger than any"):
        parse(text, kind)


def test_a_module_nested_without_end_is_missing_not_a_crash() -> None:
    flaw = Sources().look_up(".".join(["package"] * 10_000), "app")
    assert isinstance(flaw, Flaw)
    assert flaw.code == "missing-module"


def test_a_value_from_the_environment_is_not_quoted(write_ini: WriteIni, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED", "correct-horse")
    for text in (f"{APP}max_size = %(ENV_PLANTED)s\n", f"[DEFAULT]\nx = %(ENV_PLANTED)s\n{APP}max_size = %(x)s\n"):
        found = check_file(str(write_ini(text)))
        shown = "\n".join(map(str, found))
        assert "max_size" in shown
        assert "correct-horse" not in shown


@pytest.mark.parametrize(
    "line", ["[app:a{0}]\nuse = a{1}\n", "[filter:a{0}]\nuse = egg:wheatpaste#translogger\nfilter-with = a{1}\n"]
)
def test_sections_in_a_very_long_row_are_looked_at_a_few_times_each(write_ini: WriteIni, line: str) -> None:
    row = "".join(line.format(number, number + 1) for number in range(3000))
    key = "use = a0" if line.startswith("[app") else "use = egg:wheatpaste#echo\nfilter-with = a0"
    began = time.process_time()
    found = check_file(str(write_ini(f"[app:main]\n{key}\n{row}")))
    assert "too-deep" in {problem.code for problem in found}
    assert time.process_time() - began < 20
