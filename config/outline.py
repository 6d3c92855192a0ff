"""What a composition amounts to: filters around apps, and what each composite mounts where.

The tree of nodes says how the sections refer to each other; this says what a request meets. ``show``,
``explain`` and the start lines of ``serve`` read it. Nothing is imported but components of our own: what another's
composite mounts is guessed from the names in its section, and marked as a guess, until it was built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .build import site_of
from .composition import Composition
from .mounts import Mount
from .node import APP, FILTER, Node, Value
from .origin import Origin
from .reader import Reader, Reading
from .references import normalise
from .values import is_reference

if TYPE_CHECKING:
    from .parts import PartReading

_OURS = "wheatpaste"


@dataclass(slots=True, kw_only=True)
class Stack:
    """An app with the filters around it, outermost first, and what it mounts if it is a composite.

    ``via`` are the nodes that put them together (pipelines, filter-apps, ``filter-with``), outermost first.
    """

    app: Node
    filters: list[Node] = field(default_factory=list)
    via: list[Node] = field(default_factory=list)
    mounts: list[Mounted] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name under which the whole was asked for."""
        return (self.via[0] if self.via else self.app).name

    def walk(self) -> Iterator[Stack]:
        """This stack and all that are mounted in it."""
        yield self
        for mounted in self.mounts:
            yield from mounted.stack.walk()

    @property
    def size(self) -> int:
        """How many mounts there are in it, at any depth."""
        return sum(1 + mounted.stack.size for mounted in self.mounts)


@dataclass(slots=True, kw_only=True)
class Mounted:
    """A stack where a composite has it.

    ``origin`` is the place of the key. ``guess``: the composite is not ours, and its section only looks as if.
    ``fallback``: named by an option (``not_found_app``) for what no mount takes.
    """

    mount: Mount
    stack: Stack
    origin: Origin
    guess: bool = False
    fallback: bool = False


def outline(composition: Composition) -> Stack:
    """The outline of a composition's app. Missing apps stand in it as nodes of shape ``missing``."""
    return stack_of(composition.root, composition)


def stack_of(node: Node, composition: Composition) -> Stack:
    """The outline of one node."""
    stack = Stack(app=node)
    while node.shape in ("pipeline", "filter-app", "filtered") and node.app is not None:
        stack.via.append(node)
        for each in node.filters:
            stack.filters.extend(_flat(each))
        node = node.app
    stack.app = node
    if node.is_composite:
        stack.mounts = list(_mounts(node, composition))
    return stack


def reader_of(node: Node) -> Reader | None:
    """How the node's section is read, if its factory is one of ours; it is imported for that."""
    factory = own_factory(node)
    reader: Reader | None = getattr(factory, "reader", None)
    return reader


def reading_of(node: Node, *, importing: bool = False) -> Reading | None:
    """What the node's section comes to, if its factory is one of ours. With ``importing`` as for its factory."""
    reader = reader_of(node)
    return (
        None if reader is None else reader.read(node.local_conf, node.global_conf, site_of(node), importing=importing)
    )


def parts_of(node: Node) -> Mapping[str, PartReading]:
    """The sections that belong to the node's own, by name, without importing what they name."""
    reader = reader_of(node)
    reading = None if reader is None or reader.parts is None else reading_of(node)
    return {} if reading is None else reading.parts


def own_factory(node: Node) -> Any:
    """The node's factory if it is one of ours, otherwise None."""
    if node.entry_point is not None:
        if node.entry_point.alias or normalise(node.entry_point.distribution) == _OURS:
            return _loaded(node.entry_point)
    elif node.reference is not None and node.reference.module.split(".")[0] == _OURS:
        return _loaded(node.reference)
    return None


def _loaded(target: Any) -> Any:
    try:
        return target.load()
    except (ImportError, AttributeError):
        # A name that we do not have: check says so, an outline goes on without it.
        return None


def _flat(node: Node) -> list[Node]:
    """A filter that is itself filtered, as the filters that it comes to."""
    around, last = node.unfold()
    return [*around, last]


def _mounts(node: Node, composition: Composition) -> Iterator[Mounted]:
    reader = reader_of(node)
    if reader is None:
        yield from _asked(node, composition) if node.asked else _guesses(node, composition)
        return
    reading = reader.read(node.local_conf, node.global_conf, importing=False)
    for mount in reading.mounts:
        origin = _origin(node, mount.key)
        yield Mounted(mount=mount, stack=_child(node, mount.reference, origin, composition), origin=origin)
    for option in reader.options:
        name = reading.values.get(option.name)
        if isinstance(name, str) and is_reference(option.kind):
            origin = _origin(node, option.name)
            stack = _child(node, name, origin, composition)
            yield Mounted(mount=Mount(option.name, name), stack=stack, origin=origin, fallback=True)


def _child(node: Node, name: str, origin: Origin, composition: Composition) -> Stack:
    return stack_of(node.child(name, origin), composition)


def _origin(node: Node, key: str) -> Origin:
    value: Value | None = node.values.get(key) or node.globals.get(key)
    return node.where if value is None else value.origin


def _asked(node: Node, composition: Composition) -> Iterator[Mounted]:
    """What the factory fetched when it was built: each app, with the filters that it fetched for the same key."""
    by_key: dict[str, list[Node]] = {}
    for each in node.asked:
        origin = each.mentioned or node.where
        key = next((key for key, value in node.values.items() if _holds(value, origin)), each.name)
        by_key.setdefault(key, []).append(each)
    for key, fetched in by_key.items():
        words = node.values[key].text.split() if key in node.values else []
        # Listed outermost first; they may be fetched in any order.
        filters = [each for each in fetched if each.kind == "filter"]
        filters.sort(key=lambda each: words.index(each.name) if each.name in words else 0)
        for app in (each for each in fetched if each.kind == "app"):
            stack = stack_of(app, composition)
            stack.filters[:0] = [one for each in filters for one in _flat(each)]
            mount = Mount(key, app.name, path=_path(key))
            yield Mounted(mount=mount, stack=stack, origin=app.mentioned or node.where)


def _holds(value: Value, origin: Origin) -> bool:
    option = value.option
    return option is not None and option.file == origin.file and origin.line in option.lines


def _path(key: str) -> str | None:
    return key.rstrip("/") if key.startswith("/") else None


def _guesses(node: Node, composition: Composition) -> Iterator[Mounted]:
    """Values whose words all name sections: filters and, last, an app."""
    apps, filters = _names(composition, APP.prefixes), _names(composition, FILTER.prefixes)
    for key, value in node.values.items():
        words = value.text.split()
        if not words or words[-1] not in apps or any(word not in filters for word in words[:-1]):
            continue
        stack = _child(node, words[-1], value.origin, composition)
        around = [node.child(word, value.origin, kind="filter") for word in words[:-1]]
        stack.filters[:0] = [each for one in around for each in _flat(one)]
        yield Mounted(mount=Mount(key, value.text, path=_path(key)), stack=stack, origin=value.origin, guess=True)


def _names(composition: Composition, prefixes: tuple[str, ...]) -> set[str]:
    file = composition.file
    return set() if file is None else set(file.names(prefixes))
