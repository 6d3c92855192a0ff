"""Code that fails, written to a file of its own, and the record of its failure."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wheatpaste.middleware.errors.collect.capture import collect
from wheatpaste.middleware.errors.collect.settings import Collecting
from wheatpaste.middleware.errors.record import ErrorRecord, Frame, Shown


def failure_of(call: Callable[..., object], *arguments: object) -> BaseException:
    """What the call raises."""
    try:
        call(*arguments)
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


class Project:
    """A folder of code that counts as the project."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str | bytes, name: str = "shop.py") -> Path:
        """A file of the project, indented as the test's own code is."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).lstrip("\n").encode())
        return path

    def failure(self, text: str | bytes, name: str = "shop.py", **names: Any) -> BaseException:
        """What running the code raises; ``names`` are globals of it."""
        path = self.write(text, name)
        code = compile(path.read_bytes(), str(path), "exec")
        module = {"__name__": name.removesuffix(".py").replace("/", "."), "__file__": str(path), **names}
        error = failure_of(exec, code, module)
        assert error.__traceback__ is not None
        # Not the frame of this helper.
        return error.with_traceback(error.__traceback__.tb_next)

    def collect(self, error: BaseException, **settings: Any) -> ErrorRecord:
        """The record of an error, for which this folder is the project."""
        return collect(error, settings=Collecting(project=(str(self.folder),), **settings))

    def record(self, text: str | bytes, name: str = "shop.py", **names: Any) -> ErrorRecord:
        """The record of what running the code raises."""
        return self.collect(self.failure(text, name, **names))

    def frame(self, text: str | bytes, name: str = "shop.py", **names: Any) -> Frame:
        """The frame in focus of what running the code raises."""
        frame = self.record(text, name, **names).focus
        assert frame is not None
        return frame


def texts_of(shown: tuple[Shown, ...]) -> dict[str, str]:
    """Names and texts."""
    return {each.name: each.text for each in shown}


def marked(frame: Frame) -> str:
    """The source that the span of a frame marks, lines joined by line feeds."""
    span = frame.span
    assert span is not None
    lines = {line.number: line.text for line in frame.lines}
    if span.line == span.end_line:
        return lines[span.line][span.column : span.end_column]
    middle = [lines[number] for number in range(span.line + 1, span.end_line)]
    return "\n".join([lines[span.line][span.column :], *middle, lines[span.end_line][: span.end_column]])
