"""Stamps of files: the same while nothing happens, and another after each kind of change."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from wheatpaste.protocol.file_stamps import stamp_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.py"
    path.write_text("a")
    return path


def _replaced(file: Path) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text("b")
    os.utime(fresh, ns=(0, file.stat().st_mtime_ns))
    fresh.rename(file)


def _longer(file: Path) -> None:
    time = file.stat().st_mtime_ns
    file.write_text("ab")
    os.utime(file, ns=(0, time))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda file: os.utime(file, ns=(0, 0)), id="another time"),
        pytest.param(_longer, id="another size at the same time"),
        pytest.param(_replaced, id="another file of the same size and time"),
        pytest.param(Path.unlink, id="gone"),
    ],
)
def test_a_stamp_changes_with_its_file(file: Path, change: Callable[[Path], object]) -> None:
    before = stamp_of(str(file))
    assert stamp_of(str(file)) == before
    change(file)
    assert stamp_of(str(file)) != before


def test_a_file_that_is_not_there_has_no_stamp(tmp_path: Path) -> None:
    assert stamp_of(str(tmp_path / "none.py")) is None
