"""Changes are seen by stamps that were taken before the reading."""

from __future__ import annotations

import os
import select
from importlib.util import find_spec
from pathlib import Path

import pytest
from prerequisites import lacking

from wheatpaste.protocol.file_stamps import stamp_of
from wheatpaste.server.file_watch import FileWatch, Nudge


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site.ini"
    path.write_text("a")
    return path


def test_a_file_that_stays_is_no_change(file: Path) -> None:
    watch = FileWatch()
    watch.add(str(file), stamp_of(str(file)))
    assert watch.changed() == []


@pytest.mark.parametrize("how", ["write", "replace", "delete", "touch"])
def test_a_change_is_seen_once(file: Path, how: str) -> None:
    watch = FileWatch()
    watch.add(str(file), stamp_of(str(file)))
    if how == "write":
        file.write_text("abc")
    elif how == "replace":
        fresh = file.with_suffix(".new")
        fresh.write_text("b")
        os.utime(fresh, ns=(0, file.stat().st_mtime_ns))
        fresh.rename(file)
    elif how == "delete":
        file.unlink()
    else:
        os.utime(file, ns=(0, 0))
    assert watch.changed() == [str(file)]
    assert watch.changed() == []


def test_a_file_that_appears_is_a_change(tmp_path: Path) -> None:
    watch = FileWatch()
    path = tmp_path / "later.ini"
    watch.add(str(path), stamp_of(str(path)))
    assert watch.changed() == []
    path.write_text("")
    assert watch.changed() == [str(path)]


def test_a_change_between_reading_and_watching_is_seen(file: Path) -> None:
    before = stamp_of(str(file))
    file.write_text("changed since")
    watch = FileWatch()
    watch.add(str(file), before)
    assert watch.changed() == [str(file)]


def test_what_is_forgotten_changes_unseen(file: Path) -> None:
    watch = FileWatch()
    watch.add(str(file), stamp_of(str(file)))
    watch.forget([str(file), "/never/watched"])
    file.write_text("changed")
    assert watch.changed() == []
    assert not watch.folders


def test_a_nudge_comes_when_something_changes(file: Path) -> None:
    if find_spec("watchfiles") is None:
        lacking("watchfiles")
    nudge = Nudge()
    nudge.watch([str(file.parent), "/no/such/folder"])
    try:
        for attempt in range(100):  # the watching starts in a thread of its own
            file.write_text(str(attempt))
            if select.select([nudge.reading], [], [], 0.1)[0]:
                break
        else:
            pytest.fail("no nudge came")
        nudge.clear()
    finally:
        nudge.close()
