"""Opening the files of logging handlers anew after they were moved away."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler, WatchedFileHandler
from pathlib import Path

import pytest

from wheatpaste.server.processes.log_files import reopen_log_files


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("wheatpaste.tests.log_files")
    logger.propagate = False
    yield logger
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = True


@pytest.mark.parametrize("kind", [logging.FileHandler, WatchedFileHandler, RotatingFileHandler])
def test_what_is_written_later_goes_to_a_new_file(
    kind: type[logging.FileHandler], tmp_path: Path, logger: logging.Logger
) -> None:
    path = tmp_path / "app.log"
    logger.addHandler(kind(path))
    logger.error("before")
    path.rename(tmp_path / "app.log.1")
    reopen_log_files()
    logger.error("after")
    assert (tmp_path / "app.log.1").read_text() == "before\n"
    assert path.read_text() == "after\n"


def test_a_file_that_cannot_be_opened_leaves_the_old_one(tmp_path: Path, logger: logging.Logger) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    logger.addHandler(logging.FileHandler(folder / "app.log"))
    logger.error("before")
    folder.rename(tmp_path / "moved")
    reopen_log_files()
    logger.error("after")
    assert (tmp_path / "moved" / "app.log").read_text() == "before\nafter\n"


def test_a_file_that_is_opened_when_needed_is_left_alone(tmp_path: Path, logger: logging.Logger) -> None:
    logger.addHandler(logging.FileHandler(tmp_path / "app.log", delay=True))
    reopen_log_files()
    assert not (tmp_path / "app.log").exists()
    logger.error("written")
    assert (tmp_path / "app.log").read_text() == "written\n"
