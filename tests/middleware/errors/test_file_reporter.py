"""The file of reports: lines of JSON, private, rotated, shared by processes, and patient with disks."""

from __future__ import annotations

import dataclasses
import errno
import json
import multiprocessing
import os
import resource
import stat
import time
from collections import Counter
from pathlib import Path

import pytest
from error_samples import SAMPLES, rich, simple

from wheatpaste.middleware.errors.record import ErrorRecord
from wheatpaste.middleware.errors.report.file import FileReporter, as_json_line


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def numbered(number: int) -> ErrorRecord:
    return dataclasses.replace(simple(), id=f"ID-{number}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "errors.jsonl"


@pytest.mark.parametrize("name", SAMPLES)
def test_row_40_a_line_is_the_whole_record(name: str, path: Path) -> None:
    record = SAMPLES[name]()
    FileReporter(path).report(record)
    (line,) = lines(path)
    told = line.pop("line")
    assert record.id in str(told)
    assert ErrorRecord.from_data(line) == record


def test_row_40_only_its_owner_reads_it(path: Path) -> None:
    before = os.umask(0)
    try:
        FileReporter(path).report(simple())
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_was_there_keeps_its_permissions_through_rotation(path: Path) -> None:
    path.write_text("")
    path.chmod(0o640)
    reporter = FileReporter(path, size=1000)
    for number in range(3):
        reporter.report(numbered(number))
    assert [stat.S_IMODE(each.stat().st_mode) for each in sorted(path.parent.iterdir())] == [0o640] * 3


def test_row_40_it_is_rotated_by_size(path: Path) -> None:
    size = 3 * len(as_json_line(numbered(0)))
    reporter = FileReporter(path, size=size, files=2)
    for number in range(10):
        reporter.report(numbered(number))
    found = {each.name: [line["id"] for line in lines(each)] for each in path.parent.iterdir()}
    assert found == {
        "errors.jsonl": ["ID-9"],
        "errors.jsonl.1": ["ID-6", "ID-7", "ID-8"],
        "errors.jsonl.2": ["ID-3", "ID-4", "ID-5"],
    }


def test_without_rotated_files_it_begins_anew(path: Path) -> None:
    reporter = FileReporter(path, size=1000, files=0)
    for number in range(3):
        reporter.report(numbered(number))
    assert [line["id"] for line in lines(path)] == ["ID-2"]
    assert list(path.parent.iterdir()) == [path]


def test_a_rotation_after_which_nothing_can_be_opened_closes_no_file_of_others(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its number is free as soon as it is closed, and may be that of what another thread opens."""
    reporter = FileReporter(path, size=1000)
    reporter.report(numbered(0))
    others: list[int] = []
    replace = os.replace

    def replace_and_lock_up(*names: str) -> None:
        replace(*names)
        path.mkdir()  # so that no file can be made in its place

    def close_and_open_another(descriptor: int) -> None:
        close(descriptor)
        others.append(os.open(os.devnull, os.O_RDONLY))

    close = os.close
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace_and_lock_up)
        patch.setattr(os, "close", close_and_open_another)
        reporter.report(numbered(1))
    assert "cannot be written, and is tried again" in caplog.text
    for other in others:
        os.close(other)  # raises where it is closed already


def _write_many(path: Path, process: int) -> None:
    reporter = FileReporter(path, size=200_000, files=200)
    for number in range(60):
        reporter.report(dataclasses.replace(rich(), id=f"{process}-{number}"))


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_row_40_processes_that_share_it_lose_and_mix_nothing(path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write_many, args=(path, number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    found = Counter(line["id"] for each in path.parent.iterdir() for line in lines(each))
    assert found == Counter(f"{process}-{number}" for process in range(4) for number in range(60))
    assert len(list(path.parent.iterdir())) > 2


def test_row_18_a_path_that_cannot_be_written_is_said_once_and_tried_again(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    there = path / "below" / "errors.jsonl"
    reporter = FileReporter(there)
    for number in range(3):
        reporter.report(numbered(number))
    assert len(caplog.records) == 1
    assert "cannot be written, and is tried again (FileNotFoundError" in caplog.text
    there.parent.mkdir(parents=True)
    reporter.report(numbered(3))
    assert [line["id"] for line in lines(there)] == ["ID-0", "ID-1", "ID-2", "ID-3"]
    assert len(caplog.records) == 2
    assert "is written again" in caplog.text


def test_row_18_what_is_kept_for_later_has_a_bound(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    there = path / "errors.jsonl"
    reporter = FileReporter(there)
    for number in range(70):
        reporter.report(numbered(number))
    path.mkdir()
    reporter.report(numbered(70))
    assert [line["id"] for line in lines(there)] == [f"ID-{number}" for number in range(20, 71)]
    assert "20 reports were lost meanwhile" in caplog.text


def test_c7_a_full_disk_keeps_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    reporter = FileReporter("/dev/full")
    began = time.monotonic()
    for number in range(5):
        reporter.report(numbered(number))
    assert time.monotonic() - began < 10
    assert len(caplog.records) == 1
    assert os.strerror(errno.ENOSPC) in caplog.text


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_line_that_was_cut_short_spoils_no_other(path: Path) -> None:
    """A disk that fills up in the middle of a line, by a limit on the size of files, in a process that has one."""

    def fill() -> None:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        reporter = FileReporter(path)
        reporter.report(numbered(0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, resource.RLIM_INFINITY))
        reporter.report(numbered(1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        reporter.report(numbered(2))

    process = multiprocessing.get_context("fork").Process(target=fill)
    process.start()
    process.join(30)
    assert process.exitcode == 0
    first, torn, *rest = path.read_text().splitlines()
    assert len(torn) == 100
    assert [json.loads(line)["id"] for line in (first, *rest)] == ["ID-0", "ID-1", "ID-2"]


def test_a_pipe_without_a_reader_does_not_block(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(path)
    FileReporter(path).report(simple())  # which nobody would ever end else
    assert "cannot be written" in caplog.text


def test_what_is_no_ordinary_file_is_not_rotated(path: Path) -> None:
    path.symlink_to("/dev/null")
    reporter = FileReporter(path, size=1000)
    for number in range(5):
        reporter.report(numbered(number))
    assert path.is_symlink()
    assert list(path.parent.iterdir()) == [path]


def test_a_rotation_that_another_process_is_at_is_left_to_it(path: Path) -> None:
    import fcntl

    reporter = FileReporter(path, size=1000)
    reporter.report(numbered(0))
    with path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        reporter.report(numbered(1))  # for whose end the lock would wait
    assert [line["id"] for line in lines(path)] == ["ID-0", "ID-1"]
    reporter.report(numbered(2))
    assert [line["id"] for line in lines(path)] == ["ID-2"]
