"""Code runs in a frame, and what it prints and comes to is text.

As in Python's own prompt an expression is shown by its repr, and ``_`` is the last of them. A frame's variables are a
copy: what is assigned stays at this prompt and never changes the frame, which is over anyway.
"""

from __future__ import annotations

import ast
import codeop
import contextlib
import io
import sys
import threading
import traceback
from types import FrameType
from typing import Any, NamedTuple, TextIO

from .live import LiveError

# What is printed goes where the process prints, so one at a time says where that is.
_one_at_a_time = threading.Lock()

MOST_OUTPUT = 100_000  # characters
_NAME = "<console>"


class Outcome(NamedTuple):
    """What a command came to: its output, and whether more lines are wanted before it can run."""

    output: str
    incomplete: bool = False
    failed: bool = False


def run(error: LiveError, frame_id: str, code: str) -> Outcome:
    """Run code in a frame of an error. Raises ``KeyError`` for a frame that there is not.

    What the code raises is output, ``SystemExit`` and ``KeyboardInterrupt`` too.
    """
    frame = error.frames[frame_id]
    try:
        compiled = codeop.compile_command(code, _NAME, "exec")
    except (SyntaxError, ValueError, OverflowError, MemoryError) as wrong:
        return Outcome("".join(traceback.format_exception_only(wrong)), failed=True)
    if compiled is None:
        return Outcome("", incomplete=True)
    with _one_at_a_time:
        variables = variables_of(error, frame_id)
        output = _Output()
        with contextlib.ExitStack() as stack:
            stack.enter_context(_printing_to(output))
            try:
                for context in error.contexts:
                    stack.enter_context(context)
                _run(ast.parse(code, _NAME), frame, variables)
            except BaseException as raised:  # noqa: BLE001 - whatever is typed at a prompt must not end the server
                _tell(raised, output)
                return Outcome(output.getvalue(), failed=True)
        return Outcome(output.getvalue())


def evaluate(error: LiveError, frame_id: str, expression: str) -> Any:
    """The value of an expression in a frame. Raises ``KeyError`` for an unknown frame, and what the expression does."""
    compiled = compile(expression.strip(), _NAME, "eval")
    with _one_at_a_time, contextlib.ExitStack() as stack:
        variables = variables_of(error, frame_id)
        for context in error.contexts:
            stack.enter_context(context)
        return eval(compiled, _Names(error.frames[frame_id].f_globals, variables), variables)


def variables_of(error: LiveError, frame_id: str) -> dict[str, Any]:
    """The variables at the prompt of a frame. Raises ``KeyError``."""
    return error.namespaces.setdefault(frame_id, dict(error.frames[frame_id].f_locals))


def _run(tree: ast.Module, frame: FrameType, variables: dict[str, Any]) -> None:
    # Functions that are defined at the prompt look their names up in globals: let them find the variables there.
    names = _Names(frame.f_globals, variables)
    if not tree.body:
        return
    *before, last = tree.body
    if not isinstance(last, ast.Expr):
        before, final = [*before, last], None
    else:
        final = ast.Expression(last.value)
    if before:
        exec(compile(ast.Module(before, []), _NAME, "exec"), names, variables)
    if final is not None:
        value = eval(compile(final, _NAME, "eval"), names, variables)
        if value is not None:
            variables["_"] = value
            sys.stdout.write(f"{value!r}\n")


class _Names(dict[str, Any]):
    """The globals of a frame and its variables, for code that knows globals alone. Assigned globals stay here."""

    def __init__(self, outer: dict[str, Any], variables: dict[str, Any]) -> None:
        super().__init__(outer)
        self._outer, self._variables = outer, variables

    def __missing__(self, name: str) -> Any:
        return self._variables[name]


def _tell(raised: BaseException, output: _Output) -> None:
    # Our own frames come first, and are of no interest.
    step = raised.__traceback__
    while step is not None and step.tb_frame.f_code.co_filename != _NAME:
        step = step.tb_next
    try:
        output.write("".join(traceback.format_exception(type(raised), raised, step)))
    except Exception as fault:  # noqa: BLE001 - an exception whose repr raises is one that people look into here
        output.write(f"{type(raised).__name__}, which cannot be shown ({type(fault).__name__})\n")


class _Output(io.StringIO):
    """Keeps the first hundred thousand characters."""

    def write(self, text: str, /) -> int:
        left = MOST_OUTPUT - self.tell()
        if left > 0:
            super().write(text if len(text) <= left else f"{text[:left]}\n… cut off here\n")
        return len(text)


@contextlib.contextmanager
def _printing_to(output: TextIO) -> Any:
    """What this thread prints goes to ``output``, and what the others print where it went."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (_OfThread(output, stream) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class _OfThread(io.TextIOBase):
    def __init__(self, output: TextIO, others: TextIO) -> None:
        self._thread = threading.get_ident()
        self._output, self._others = output, others

    def write(self, text: str, /) -> int:
        return (self._output if threading.get_ident() == self._thread else self._others).write(text)

    def flush(self) -> None:
        self._others.flush()

    def isatty(self) -> bool:
        return False
