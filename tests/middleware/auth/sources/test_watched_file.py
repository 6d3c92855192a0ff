"""It shows what is in the file now, and reads it only when it has changed."""

import os
import threading
from pathlib import Path

import pytest

from wheatpaste.middleware.auth.sources.watched_file import Mistake, WatchedFile
from wheatpaste.middleware.storage.store import StoreError

LONG_AGO = 1_700_000_000_123_456_789


class Counting:
    """A file of words that counts how often it is read."""

    def __init__(self, path: Path) -> None:
        self.readings = 0
        self.file: WatchedFile[list[str]] = WatchedFile(path, self._read)

    def _read(self, text: str) -> tuple[list[str], list[Mistake]]:
        self.readings += 1
        return text.split(), []


def test_it_is_read_once_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one", encoding="utf-8")
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    counting = Counting(path)
    assert [counting.file.content() for _ in range(10)] == [["one"]] * 10
    assert counting.readings == 1
    path.write_text("two", encoding="utf-8")
    os.utime(path, ns=(LONG_AGO + 1, LONG_AGO + 1))
    assert counting.file.content() == ["two"]
    assert counting.readings == 2


def test_one_that_was_written_just_now_is_read_again_because_it_could_be_written_once_more(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one", encoding="utf-8")
    counting = Counting(path)
    counting.file.content()
    stamp = path.stat().st_mtime_ns
    path.write_text("two", encoding="utf-8")
    os.utime(path, ns=(stamp, stamp))  # the same tick of the file system's clock, the same size
    assert counting.file.content() == ["two"]


def test_many_who_come_at_once_cause_one_reading(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one", encoding="utf-8")
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    counting = Counting(path)
    threads = [threading.Thread(target=counting.file.content) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counting.readings == 1


def test_one_that_comes_back_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    counting = Counting(path)
    with pytest.raises(StoreError, match="cannot be read"):
        counting.file.content()
    path.write_text("one", encoding="utf-8")
    assert counting.file.content() == ["one"]
