"""``wsgi.file_wrapper``: files that the operating system sends by itself where it can (PEP 3333)."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable
from typing import Any


class FileWrapper:
    """The iterable that apps get for an open file; the server looks for its type and spares itself the iteration."""

    def __init__(self, filelike: Any, blksize: int = 8192) -> None:
        self.filelike = filelike
        self.blksize = blksize
        close: Callable[[], object] | None = getattr(filelike, "close", None)
        if close is not None:
            self.close = close

    def __iter__(self) -> FileWrapper:
        return self

    def __next__(self) -> bytes:
        data: bytes = self.filelike.read(self.blksize)
        if data:
            return data
        raise StopIteration

    def extent(self) -> tuple[int, int, int] | None:
        """Descriptor, position and remaining bytes, where this is a regular file; None for everything else."""
        filelike = self.filelike
        if isinstance(filelike, io.TextIOBase):
            return None
        try:
            fd = filelike.fileno()
            position = filelike.tell()
            status = os.fstat(fd)
        except (AttributeError, OSError, ValueError):
            return None
        if type(fd) is not int or not stat.S_ISREG(status.st_mode):
            return None
        # Decompressing and other readers have a descriptor, too, but what they read is not what the file holds.
        if not isinstance(getattr(filelike, "raw", filelike), io.FileIO):
            inner = getattr(filelike, "file", None)  # tempfile's wrapper
            if inner is None or not isinstance(getattr(inner, "raw", inner), io.FileIO):
                return None
        return fd, position, max(status.st_size - position, 0)


class IteratedFileWrapper(FileWrapper):
    """The same for a server that is told not to let the system send files: not being the type itself, it is read."""
