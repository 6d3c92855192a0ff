"""The command line's front: commands, help, suggestions and exit codes."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wheatpaste import __version__
from wheatpaste.scripts.main import COMMANDS, Command, main


@pytest.mark.parametrize("words", [["--version"], ["-V"], ["version"]], ids=" ".join)
def test_it_says_its_version(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert capsys.readouterr().out.startswith(f"wheatpaste {__version__} ")


@pytest.mark.parametrize(
    ("words", "code"), [([], 2), (["help"], 0), (["--help"], 0)], ids=["nothing", "help", "--help"]
)
def test_it_lists_its_commands(words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == code
    out = capsys.readouterr().out
    assert all(f"  {command.name} " in out and command.sentence in out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_each_command_says_what_it_takes(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", command.name]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: wheatpaste {command.name}")
    assert command.sentence.split()[0] in out


@pytest.mark.parametrize("words", [["check", "x.ini"], ["serve", "shop:app"]], ids=" ".join)
def test_a_working_directory_that_is_gone_is_a_sentence(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert main(words) == 1
    assert capsys.readouterr().err == (
        "wheatpaste: the working directory cannot be found (No such file or directory); go to another\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["sevre"], "no such command: sevre; did you mean 'serve'?", id="a command misspelt"),
        pytest.param(["help", "sevre"], "did you mean 'serve'?", id="help for a command misspelt"),
        pytest.param(["nosuch.ini"], "no such file: nosuch.ini", id="a file that is missing"),
        pytest.param([os.sep], f"{os.sep} is a directory", id="a directory"),
        pytest.param(["--prot"], "no such option: --prot", id="an option of nothing"),
        pytest.param(["serve"], "wheatpaste serve: the following arguments are required: TARGET (see", id="no target"),
        pytest.param(["serve", "x.ini", "--prot=1"], "unrecognized arguments: --prot=1", id="an option misspelt"),
        pytest.param(["serve", "x.ini", "--max-bdy", "1"], "did you mean --max-body?", id="an option nearly right"),
        pytest.param(["serve", "nosuch.ini"], "the file nosuch.ini does not exist", id="a target that is missing"),
    ],
)
def test_a_mistake_in_the_usage_is_a_sentence_and_exit_code_2(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_commands_are_imported_when_they_are_chosen() -> None:
    code = "import sys, wheatpaste.scripts.main as m; m.main(['--version']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    light = {"wheatpaste.config", "wheatpaste.config.records"}
    assert not [
        name for name in loaded if name.startswith("wheatpaste.") and "scripts" not in name and name not in light
    ]
    assert not {f"wheatpaste.scripts.{command.module}" for command in COMMANDS} & set(loaded)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_each_command_has_its_two_functions(command: Command) -> None:
    module = importlib.import_module(f"wheatpaste.scripts.{command.module}")
    assert callable(module.arguments)
    assert callable(module.run)


@pytest.mark.slow
class TestInAProcess:
    def test_a_reader_that_leaves_is_no_error(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "wheatpaste", "help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(20) == 141
        assert process.stderr is not None
        assert process.stderr.read() == b""
        process.stderr.close()

    def test_it_runs_as_a_module(self) -> None:
        done = subprocess.run([sys.executable, "-m", "wheatpaste", "--version"], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")

    def test_an_app_s_exception_is_shown_without_our_frames(self, tmp_path: Path) -> None:
        (tmp_path / "bad.py").write_text("raise RuntimeError('of the app')\n")
        done = subprocess.run(
            [sys.executable, "-m", "wheatpaste", "request", "bad:app", "/"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert done.returncode == 1
        assert done.stderr == "bad.py:1\n    raise RuntimeError('of the app')\nRuntimeError: of the app\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux and the BSDs have a device that is always full")
@pytest.mark.parametrize(
    "words",
    [["--version"], ["describe"], ["request", "egg:wheatpaste#echo", "/?size=100000"]],
    ids=["what waits in a buffer", "more than a buffer", "the body of a reply"],
)
def test_a_full_disk_is_a_sentence(words: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "wheatpaste", *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "the standard output cannot be written" in line
