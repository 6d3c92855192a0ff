"""Open the files of logging handlers anew, after somebody has moved them away (logrotate)."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from logging import FileHandler


def reopen_log_files(owner: tuple[int, int] | None = None) -> None:
    """Open the file of each handler of each logger anew; those that cannot be opened go on writing to the old one.

    ``owner`` (user and group by number) gets the files that this creates, so that workers of that user can open them.
    """
    for handler in _file_handlers():
        with contextlib.suppress(OSError):
            _reopen(handler, owner)


def _reopen(handler: FileHandler, owner: tuple[int, int] | None) -> None:
    handler.acquire()
    try:
        before = handler.stream
        if before is None:  # it opens its file when there is something to write
            return
        before.flush()
        handler.stream = handler._open()
        if owner is not None:
            os.fchown(handler.stream.fileno(), *owner)
        before.close()
        if hasattr(handler, "_statstream"):
            handler._statstream()  # WatchedFileHandler remembers which file it has open
    finally:
        handler.release()


def _file_handlers() -> Iterator[FileHandler]:
    loggers: list[object] = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    seen: set[int] = set()
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):  # some are placeholders without any
            if isinstance(handler, FileHandler) and id(handler) not in seen:
                seen.add(id(handler))
                yield handler
