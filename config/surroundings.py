"""What stands around a section, and the rules that only a component knows: about that, and about the order of filters.

A component declares them::

    @component(after=("session",), before=("compress",))
    class Errors:
        def problems(self, stack: Surroundings) -> Iterator[KeyProblem]:
            if self.debug and stack.public:
                yield KeyProblem("debug", f"shows the code to whoever reaches {stack.public}", "turn it off")

Nothing is built for that: ``self`` has the options as they were read, and neither its app nor what ``__post_init__``
makes of them. An option that names an object of Python is text, unless the check imports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from .build import site_of
from .mounts import KeyProblem
from .node import Node
from .options import order_of, parsed
from .origin import Origin
from .problems import Problem, Severity
from .reader import Place, Reader, Reading
from .records import record
from .references import find_distribution

_OURS = __package__.partition(".")[0]


@record
class Neighbour:
    """A filter beside a section: its names among our entry points (none if it is not ours), and where it stands."""

    names: frozenset[str]
    section: str | None
    origin: Origin


@record
class Surroundings:
    """What stands around a section.

    ``outside`` are the filters that a request meets before it, outermost first, also those around the composites that
    mount it; ``inside`` those after it, as far as the next composite. ``public`` is how a person calls the address at
    which other machines reach the server, None where none do. ``server`` has the texts of the server's section, over
    which the command line has been laid. ``hidden_proxy`` is the key of that section which says that a proxy stands
    before a server that does not let its headers through, None where that is not so.
    """

    outside: tuple[Neighbour, ...] = ()
    inside: tuple[Neighbour, ...] = ()
    public: str | None = None
    server: Mapping[str, str] = MappingProxyType({})
    hidden_proxy: str | None = None

    def find(self, name: str) -> Neighbour | None:
        """The filter around it that ``egg:wheatpaste#name`` means, if one does."""
        return next((each for each in (*self.outside, *self.inside) if name in each.names), None)


@record
class Line:
    """Filters as a request meets them, and the app that they are around.

    ``outer`` of them stand around the composite that mounts the rest, and so in other lines, too. What is ``optional``
    stops nobody: it is not started.
    """

    filters: tuple[Node, ...]
    outer: int
    app: Node
    optional: bool


Read = Mapping[Node, tuple[Reader, Reading]]
"""The nodes of ours, and how their sections were read."""


def lines_of(tops: Iterable[tuple[Node, int | None, bool]]) -> list[Line]:
    """The lines that begin with these nodes.

    With each comes the index of the line whose app mounts it, None where nobody does, and whether it is optional.
    """
    lines: list[Line] = []
    for top, mounted_by, optional in tops:
        outside = () if mounted_by is None else lines[mounted_by].filters
        filters, app = top.unfold()
        lines.append(Line((*outside, *filters), len(outside), app, optional))
    return lines


def judge(
    lines: Iterable[Line],
    read: Read,
    key_at: Callable[[Origin], str | None],
    *,
    public: str | None,
    server: Mapping[str, str],
    hidden_proxy: str | None = None,
) -> Iterator[Problem]:
    """What the components of these lines say of themselves, and whether their filters stand in order.

    ``key_at`` tells which key stands at a place.
    """
    for line in lines:
        for outer, inner in _out_of_order(line, read):
            yield _swapped(outer, inner, key_at, optional=line.optional)
        beside = tuple(_neighbour(each, read) for each in line.filters)
        for index, node in enumerate((*line.filters, line.app)):
            if index >= line.outer and node in read:
                stack = Surroundings(beside[:index], beside[index + 1 :], public, server, hidden_proxy)
                yield from _complaints(node, *read[node], stack, line.optional)


def _complaints(node: Node, reader: Reader, reading: Reading, stack: Surroundings, optional: bool) -> Iterator[Problem]:
    if reading.errors:
        return
    here = (Place(site_of(node), {}), reading)
    for part, component, values in _asked(reader, reading):
        found: Iterable[KeyProblem] = component.problems(parsed(component, values), stack)
        for each in found:
            place, read = reading.place_of(part if each.part is None else each.part) or here
            key = read.said.get(each.key or "", each.key)
            severity: Severity = "warning" if optional else each.severity
            yield place.problem(key, each.what, each.fix, severity=severity, code="surroundings")


def _asked(reader: Reader, reading: Reading) -> Iterator[tuple[str | None, Any, Mapping[str, Any]]]:
    """The components that have something to say: the section's own, then those of the sections that belong to it."""
    if hasattr(reader.component, "problems"):
        yield None, reader.component, reading.values
    for name, part in reading.parts.items():
        if hasattr(part.reader.component, "problems"):
            yield name, part.reader.component, part.reading.values


def _out_of_order(line: Line, read: Read) -> Iterator[tuple[Node, Node]]:
    """Pairs of filters of which the second must stand around the first."""
    names = [_names_of(each, read) for each in line.filters]
    for index in range(line.outer, len(line.filters)):
        inner = line.filters[index]
        for further in range(index):
            outer = line.filters[further]
            # Of two of one name, one may stand where it must.
            wanted = _after(outer, read) & names[index]
            wanted -= frozenset().union(*names[:further])
            if not wanted:
                wanted = _before(inner, read) & names[further]
                wanted -= frozenset().union(*names[index + 1 :])
            if wanted:
                yield outer, inner


def _after(node: Node, read: Read) -> frozenset[str]:
    return order_of(read[node][0].component).after if node in read else frozenset()


def _before(node: Node, read: Read) -> frozenset[str]:
    return order_of(read[node][0].component).before if node in read else frozenset()


def _swapped(outer: Node, inner: Node, key_at: Callable[[Origin], str | None], *, optional: bool) -> Problem:
    here, there = inner.mentioned or inner.where, outer.mentioned or outer.where
    together = (here.file, here.section) == (there.file, there.section)
    line = "" if there.file != here.file or there.line in (None, here.line) else f" (line {there.line})"
    return Problem(
        what=f"{_called(inner)} must come to a request before {_called(outer)}, which stands around it{line}",
        fix=f"write {inner.name} {outer.name}" if together else f"put {_called(inner)} around {_called(outer)}",
        file=here.file,
        line=here.line,
        section=here.section,
        key=key_at(here),
        severity="warning" if optional else "error",
        code="wrong-order",
    )


def _called(node: Node) -> str:
    """A filter as its file calls it; that of a filter-app has no name of its own."""
    own = node.section is None or node.section.startswith("filter:")
    return repr(node.name) if own else f"[{node.section}]"


def _neighbour(node: Node, read: Read) -> Neighbour:
    return Neighbour(_names_of(node, read), node.section, node.where)


def _names_of(node: Node, read: Read) -> frozenset[str]:
    return _names(read[node][0].component) if node in read else frozenset()


@cache
def _names(component: type) -> frozenset[str]:
    """The names of our filters that are this component, whichever of its factories a section names."""
    distribution = find_distribution(_OURS)
    entries: list[Any] = [] if distribution is None else distribution.entry_points(["paste.filter_factory"])
    return frozenset(
        each.name
        for each in entries
        if each.reference.module == component.__module__ and each.load().component is component
    )
