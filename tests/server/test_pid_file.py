"""A pid file names a process that lives, or nobody."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from wheatpaste.server import daemon
from wheatpaste.server.pid_file import AlreadyRunning, PidFile, PidFileError

HOLD = """
import signal, sys
from wheatpaste.server.pid_file import PidFile
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
PidFile(sys.argv[1]).acquire()
print("held", flush=True)
signal.pause()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "site.pid"


def hold(path: Path, *words: str) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLD), str(path), *words], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    process = hold(path)
    yield process
    process.kill()
    process.communicate()


def test_it_holds_the_number_of_the_process(path: Path) -> None:
    pid_file = PidFile(str(path))
    pid_file.acquire()
    assert path.read_text() == f"{os.getpid()}\n"
    assert pid_file.is_held()
    pid_file.release()
    assert not path.exists()


def test_only_one_process_can_take_it(path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(AlreadyRunning, match=f"running already with pid {holder.pid}"):
        PidFile(str(path)).acquire()


def test_a_file_whose_process_was_killed_is_stale_and_can_be_taken(path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    pid_file = PidFile(str(path))
    assert pid_file.exists()
    assert not pid_file.is_held()
    pid_file.acquire()
    pid_file.release()


def test_a_number_that_another_process_has_now_means_nothing(path: Path) -> None:
    path.write_text(f"{os.getppid()}\n")
    assert not PidFile(str(path)).is_held()
    assert daemon.status(PidFile(str(path))).code == 1


def test_a_file_that_somebody_replaced_is_left_alone(path: Path) -> None:
    pid_file = PidFile(str(path))
    pid_file.acquire()
    path.unlink()
    path.write_text("another's")
    pid_file.release()
    assert path.read_text() == "another's"


def test_a_folder_that_is_missing_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PidFileError, match="cannot be written"):
        PidFile(str(tmp_path / "run" / "site.pid")).acquire()


def test_a_full_disk_is_a_sentence_and_leaves_nothing_behind(path: Path) -> None:
    script = (
        "import resource, signal, sys\n"
        "from wheatpaste.server.pid_file import PidFile, PidFileError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "try:\n    PidFile(sys.argv[1]).acquire()\nexcept PidFileError as error:\n    print(error.what)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert "cannot be written" in done.stdout
    assert not path.exists()
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 0  # only there


@pytest.mark.parametrize("text", ["", "abc\n", "-5\n", "0\n", "\N{SUPERSCRIPT TWO}\n"])
def test_what_is_no_number_is_no_pid(path: Path, text: str) -> None:
    path.write_text(text)
    assert PidFile(str(path)).read() is None


@pytest.mark.parametrize("text", ["", "0\n"])
def test_what_names_nobody_is_removed_by_stop(path: Path, text: str) -> None:
    path.write_text(text)
    assert daemon.stop(PidFile(str(path))).code == 1
    assert not path.exists()


class TestControl:
    def test_status_says_that_it_runs(self, path: Path, holder: subprocess.Popen[str]) -> None:
        assert daemon.status(PidFile(str(path))) == daemon.Outcome(0, f"running with pid {holder.pid}")

    def test_status_says_that_nothing_runs(self, path: Path) -> None:
        assert daemon.status(PidFile(str(path))).code == 1

    def test_stop_without_a_file_says_so(self, path: Path) -> None:
        assert daemon.stop(PidFile(str(path))) == daemon.Outcome(1, f"nothing to stop: no pid file {path}")

    def test_stop_removes_a_stale_file(self, path: Path) -> None:
        path.write_text("1\n")
        assert daemon.stop(PidFile(str(path))).code == 1
        assert not path.exists()

    def test_stop_ends_the_process(self, path: Path, holder: subprocess.Popen[str]) -> None:
        assert daemon.stop(PidFile(str(path))) == daemon.Outcome(0, f"stopped pid {holder.pid}")
        assert holder.wait(20) == -15

    def test_stop_kills_what_does_not_end(self, path: Path) -> None:
        stubborn = hold(path, "stubborn")
        outcome = daemon.stop(PidFile(str(path)), timeout=0.2)
        assert outcome.code == 0
        assert "killed" in outcome.message
        assert stubborn.wait(20) == -9
        stubborn.communicate()
        assert not path.exists()
