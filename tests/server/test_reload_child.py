"""What the reloader's child says of the files that it has read, and when."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wheatpaste.protocol.file_stamps import stamp_of
from wheatpaste.server import reload_child
from wheatpaste.server.reload_child import ReloadChild


class Told:
    """A child's life, and what it has reported."""

    def __init__(self, path: Path) -> None:
        self._path = path  # and no pipe, which could be full before anybody reads
        report = os.open(path, os.O_WRONLY | os.O_CREAT)
        self._descriptors = report, *os.pipe()
        self.child = ReloadChild([], report, self._descriptors[1], None)

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._path.read_text("ascii").splitlines()]

    def close(self) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    with contextlib.closing(Told(tmp_path / "report")) as told:
        yield told


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The file of a module that was imported a moment ago."""
    path = tmp_path / "fresh_ware.py"
    path.write_text("")
    made = types.ModuleType("fresh_ware")
    made.__file__ = str(path)
    monkeypatch.setitem(sys.modules, "fresh_ware", made)
    return str(path)


def test_modules_are_reported_once_and_before_anybody_is_served(told: Told, module: str) -> None:
    told.child.built()
    told.child.ready()
    watch, ready = told.messages()
    assert tuple(watch["watch"][module]) == stamp_of(module)
    assert ready == {"state": "ready"}


def test_nobody_is_served_before_what_another_thread_has_begun_to_report_is_told(
    told: Told, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the file would be changed by who has seen it answer, and only then looked at: the change would be missed."""
    looking, go_on = threading.Event(), threading.Event()

    def slow_stamp_of(path: str) -> Any:
        if path == module:
            looking.set()
            assert go_on.wait(20)
        return stamp_of(path)

    monkeypatch.setattr(reload_child, "stamp_of", slow_stamp_of)
    following = threading.Thread(target=told.child.built)
    following.start()
    assert looking.wait(20)
    serving = threading.Thread(target=told.child.ready)
    serving.start()
    serving.join(0.2)
    go_on.set()
    for thread in (following, serving):
        thread.join(20)
    watch, ready = told.messages()
    assert module in watch["watch"]
    assert ready == {"state": "ready"}
