"""Where statements begin and end, so that no window of source cuts one in two.

A file of a few thousand lines takes its time to be parsed, so it is done once, and only for the project's own; the
block of one function is enough for others.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from types import CodeType

_MOST_LINES = 3000  # of what is parsed at once
_MOST_STATEMENT = 30  # lines; of a longer one only what is near the failing line is shown

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_KNOWN = frozenset("\n\\'\"abfnrtvxNuU01234567")

Block = tuple[int, int]
_Range = tuple[int, int, ast.stmt]


class Statements:
    """The statements of one source. Lines count from 1, ranges include their ends."""

    __slots__ = ("_lines", "_ranges")

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._ranges: list[Block] | None = None  # of the whole file, without its tree: that takes a hundred times more

    def at(self, line: int, column: int | None, block: Block | None, *, whole: bool) -> ast.stmt | None:
        """The innermost statement on this line: of the function, or with ``whole`` of the file.

        ``column``, in bytes of UTF-8, tells those apart that share the line.
        """
        found, latest = None, 0
        known = self._in(block) if block is not None else []
        if not known and whole:  # the code of a module, or a function that begins within a statement
            known = self._in(None)
        for first, last, statement in known:
            if not first <= line <= last or first < latest:
                continue
            if column is None or _begins_before(statement, line, column):
                found, latest = statement, first
        return found

    def around(self, line: int, context: int, block: Block | None, *, whole: bool, end: int = 0) -> Block:
        """``context`` lines before and after a line (and up to ``end``), widened so as not to cut a statement.

        Outside the function statements are known only with ``whole``.
        """
        first, last = max(line - context, 1), min(max(line, end) + context, len(self._lines))
        for begin, finish in self._whole() if whole else self._of(block):
            if begin <= line <= finish:
                if finish - begin < 2 * _MOST_STATEMENT:
                    first, last = min(first, begin), max(last, finish)
            elif begin < first <= finish:
                first = begin if first - begin <= _MOST_STATEMENT else finish + 1
            elif begin <= last < finish:
                last = finish if finish - last <= _MOST_STATEMENT else begin - 1
        return first, max(last, line)

    def _whole(self) -> list[Block]:
        if self._ranges is None:
            self._ranges = [each[:2] for each in self._in(None)]
        return self._ranges

    def _of(self, block: Block | None) -> list[Block]:
        return [each[:2] for each in self._in(block)] if block is not None else []

    def _in(self, block: Block | None) -> list[_Range]:
        first, last = block or (1, len(self._lines))
        return _statements(self, first, last) if last - first < _MOST_LINES else []

    def parse(self, first: int, last: int) -> list[_Range]:
        """Each statement between two lines, outer ones before inner ones; none if they cannot be parsed alone."""
        body = _parsed(self._lines[first - 1 : last], first)
        return [(*extent(statement), statement) for statement in _flat(body)]


@lru_cache(maxsize=64)
def _statements(source: Statements, first: int, last: int) -> list[_Range]:
    return source.parse(first, last)


def block_of(code: CodeType) -> Block | None:
    """The first and last line of a function, its decorators included; None for a module's own code."""
    if code.co_name == "<module>":
        return None
    first = last = code.co_firstlineno
    codes = [code]
    while codes:
        each = codes.pop()
        # PEP 657; the interpreter may have been told to leave it out, and then there are lines at least.
        ends = (end for _, end, _, _ in each.co_positions())
        lines = (line for _, _, line in each.co_lines())
        last = max(last, max((line for line in chain(ends, lines) if line is not None), default=last))
        codes += [constant for constant in each.co_consts if isinstance(constant, CodeType)]
    return first, last


def extent(statement: ast.stmt) -> Block:
    """The lines of a simple statement, or of the header of a compound one."""
    first = statement.lineno
    decorators = getattr(statement, "decorator_list", None)
    if decorators:
        first = min(first, decorators[0].lineno)
    body = getattr(statement, "body", None) or getattr(statement, "cases", None)
    if not body:
        return first, statement.end_lineno or first
    inner = body[0].pattern.lineno if isinstance(body[0], ast.match_case) else extent(body[0])[0]
    return first, max(first, min(inner - 1, statement.end_lineno or first)) if inner > statement.lineno else first


def _begins_before(statement: ast.stmt, line: int, column: int) -> bool:
    return line != statement.lineno or statement.col_offset <= column


def expressions_in(statement: ast.stmt) -> list[ast.expr]:
    """The expressions that run with a statement: all of a simple one, those in the header of a compound one."""
    return [child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.expr)] + [
        item.context_expr for item in getattr(statement, "items", ())
    ]


def _parsed(lines: list[str], first: int) -> list[ast.stmt]:
    text = without_warnings("\n".join(lines))
    indented = text[:1] in (" ", "\t")
    try:
        # An indented block is no program. Behind this line it is one, and keeps its columns.
        tree = ast.parse(f"if 1:\n{text}\n" if indented else f"{text}\n")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    body = tree.body[0].body if indented and isinstance(tree.body[0], ast.If) else tree.body
    offset = first - 1 - (1 if indented else 0)
    if offset:
        for statement in body:
            ast.increment_lineno(statement, offset)
    return body


def without_warnings(text: str) -> str:
    """The source without escapes that Python does not know, of which it would warn once more; columns stay."""
    return _ESCAPE.sub(_known_escape, text)


def _known_escape(found: re.Match[str]) -> str:
    return found[0] if found[1] in _KNOWN else f"/{found[1]}"


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    waiting = body[::-1]
    while waiting:
        statement = waiting.pop()
        yield statement
        for name in ("body", "orelse", "finalbody"):
            waiting += getattr(statement, name, ())
        for branch in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            waiting += branch.body
