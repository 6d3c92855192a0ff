"""The tree that a configuration composes: nodes, and values that know where they came from.

Nothing here reads a file or imports a factory. A :class:`Node` also is what PasteDeploy calls a LoaderContext, with
the attributes that software which edits a pipeline before building it relies on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from .ini import IniFile, Option
from .origin import How, Origin
from .problems import Problem
from .records import record
from .references import EntryPoint, Reference

if TYPE_CHECKING:
    from .mention import Mention

Kind = Literal["app", "filter", "server"]
Shape = Literal["factory", "pipeline", "filter-app", "filtered", "missing", "foreign"]


class Lost(NamedTuple):
    """A value that did not win: its text, where it stands, and why it lost."""

    text: str
    origin: Origin
    why: str


class Value:
    """One effective value: ``text`` as the factory gets it, ``origin``, and what ``lost`` against it.

    ``environment`` names the environment variables that the text was made from (it may then be a secret).
    ``option`` is the line of the INI behind it, None for values that the command line or code gave.
    """

    __slots__ = ("environment", "how", "lost", "option", "section", "text")

    def __init__(
        self,
        text: str,
        option: Option | None = None,
        section: str | None = None,
        how: How = "section",
        lost: tuple[Lost, ...] = (),
        environment: tuple[str, ...] = (),
    ) -> None:
        self.text = text
        self.option = option
        self.section = section
        self.how: How = how
        self.lost = lost
        self.environment = environment

    @property
    def origin(self) -> Origin:
        """Where the value was written, or who gave it."""
        if self.option is None:
            return Origin(section=self.section, how=self.how)
        return Origin(self.option.file, self.option.line, self.section, self.how)

    @property
    def line(self) -> int | None:
        """The line of its key, if a file has one."""
        return None if self.option is None else self.option.line

    def beating(self, *lost: Lost) -> Value:
        """The same value, having won against these as well."""
        return Value(self.text, self.option, self.section, self.how, self.lost + lost, self.environment)

    def inherited(self) -> Value:
        """The same value as seen from a section that took it over with ``use``."""
        how = self.how if self.how in ("set", "get") else "inherited"
        return Value(self.text, self.option, self.section, how, self.lost, self.environment)

    def defeated(self, why: str) -> Lost:
        """This value as one that lost."""
        return Lost(self.text, self.origin, why)

    def __repr__(self) -> str:
        return f"<Value {self.text!r} from {self.origin}>"


class Values(dict[str, Value]):
    """Values by key. ``plain`` is the same as an ordinary, editable dict of text: what the factory will get.

    Two nodes share one of these where PasteDeploy shares a dict: an ``egg:`` or ``call:`` has the globals of the
    section that names it, so that a later ``set`` reaches it.
    """

    # Without a constructor of their own: a large file makes thousands of them.
    _plain: dict[str, Any] | None = None

    @classmethod
    def wrap(
        cls, plain: Mapping[str, Any] | None, known: Mapping[str, Value] | None = None, how: How = "code"
    ) -> Values:
        """Values for a dict that a caller passed; the dict itself (if it is one) stays their ``plain``.

        A value equal to the one ``known`` under its key keeps the origin known there.
        """
        if not plain:
            return cls()
        known = known or {}
        made = cls()
        made._plain = plain if type(plain) is dict else dict(plain)
        for key, text in plain.items():
            before = known.get(key)
            made[key] = before if before is not None and before.text == text else Value(text, how=how)
        return made

    @property
    def plain(self) -> dict[str, Any]:
        """The texts alone, made once and then kept: edits stay."""
        if self._plain is None:
            self._plain = {key: value.text for key, value in self.items()}
        return self._plain

    def put(self, other: Mapping[str, Value]) -> None:
        """Update, in the plain dict too if there is one already."""
        self.update(other)
        if self._plain is not None:
            self._plain.update({key: value.text for key, value in other.items()})


@record
class ObjectType:
    """One of PasteDeploy's object types: which entry-point groups and section prefixes belong to it."""

    name: str
    kind: Kind = "app"
    egg_protocols: tuple[tuple[str, ...], ...] = ()
    config_prefixes: tuple[tuple[str, ...], ...] = ()

    @property
    def protocols(self) -> tuple[str, ...]:
        """All its entry-point groups."""
        return tuple(name for group in self.egg_protocols for name in group)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """All its section prefixes."""
        return tuple(name for group in self.config_prefixes for name in group)

    def invoke(self, context: Any) -> Any:
        """Build the object that ``context`` describes."""
        return context.create()


APP = ObjectType(
    "application",
    "app",
    (("paste.app_factory",), ("paste.composite_factory",), ("paste.composit_factory",)),
    (("app", "application"), ("composite", "composit"), ("pipeline",), ("filter-app",)),
)
FILTER = ObjectType("filter", "filter", (("paste.filter_factory", "paste.filter_app_factory"),), (("filter",),))
SERVER = ObjectType("server", "server", (("paste.server_factory", "paste.server_runner"),), (("server",),))
PIPELINE = ObjectType("pipeline")
FILTER_APP = ObjectType("filter_app")
FILTER_WITH = ObjectType("filtered_with")

TYPES: dict[Kind, ObjectType] = {"app": APP, "filter": FILTER, "server": SERVER}
_SHAPED: dict[str, ObjectType] = {"pipeline": PIPELINE, "filter-app": FILTER_APP, "filtered": FILTER_WITH}


class Home(Protocol):
    """What a node needs of the scope that made it."""

    def build(self, node: Node) -> Any:
        """Make the object that ``node`` describes."""

    def child(self, node: Node, name: str, origin: Origin | None, kind: Kind, passed: Values | None) -> Node:
        """The node that ``node``'s factory would get for ``name``."""

    def loader_for(self, node: Node) -> Any:
        """The ``loader`` that ``node``'s composite factory receives."""

    def open(self, path: str, mention: Mention) -> tuple[IniFile | None, list[Problem]]:
        """A file with all that it extends, and what is wrong with it."""


class Node:
    """One app, filter or server of a composition, with all that is in it.

    ``kind``
        ``app``, ``filter`` or ``server``.
    ``shape``
        ``factory`` (a ``reference`` called with ``globals`` and ``values``), ``pipeline`` and ``filter-app``
        (``filters``, outermost first, around ``app``), ``filtered`` (the same from ``filter-with``; for a filter
        ``app`` is the filtered filter), ``missing`` (a mistake is among the problems) or ``foreign`` (made by a
        third-party loader).
    ``name``
        As asked for: the section's name, or the entry point's.
    ``section``, ``where``
        The header (``app:main``) and its place; for a bare ``egg:`` or ``call:`` the section and place that name it.
    ``reference``, ``reference_origin``
        What makes it and the place of the key (``use``, ``paste.app_factory``, …) that says so.
    ``protocol``
        ``paste.app_factory`` and so on; None unless ``shape`` is ``factory``.
    ``entry_point``
        What an ``egg:`` reference resolved to; its ``alias`` is true where an old name means one of ours.
    ``values``, ``globals``
        The effective local and global values. They say what the files say; a build takes ``local_conf`` and
        ``global_conf``, the same as plain dicts that may be edited first.
    ``bases``
        The places of the sections it took over with ``use``, nearest first, with their headers.
    ``mentioned``
        The place of the word that refers to this node: an item of a pipeline, ``next``, ``filter-with``, a mount.
    ``asked``
        What a composite's factory asked its loader for while it was built, in that order; empty before.
    ``ready``
        What a check has evaluated for the factory already, by kind and name: the loader hands each out once.
    """

    # Written out, because a large file makes a thousand of them.
    def __init__(
        self,
        *,
        kind: Kind,
        shape: Shape,
        name: str,
        where: Origin,
        section: str | None = None,
        reference: Reference | None = None,
        reference_origin: Origin | None = None,
        protocol: str | None = None,
        values: Values | None = None,
        globals: Values | None = None,
        mentioned: Origin | None = None,
        home: Home | None = None,
        trail: tuple[Any, ...] = (),
        foreign: Any = None,
    ) -> None:
        self.kind: Kind = kind
        self.shape: Shape = shape
        self.name = name
        self.where = where
        self.section = section
        self.reference = reference
        self.reference_origin = reference_origin
        self.protocol = protocol
        self.entry_point: EntryPoint | None = None
        self.values = Values() if values is None else values
        self.globals = Values() if globals is None else globals
        self.filters: list[Node] = []
        self.app: Node | None = None
        self.bases: list[Origin] = []
        self.mentioned = mentioned
        self.asked: list[Node] = []
        self.ready: dict[tuple[Kind, str], list[Node]] = {}
        self.home = home
        self.fallbacks: list[Home] = []
        self.trail = trail
        self.foreign = foreign
        self.given: Any = None
        self.given_loader: Any = None
        self.given_distribution: Any = None
        self._by_line: dict[tuple[str | None, int | None], str] | None = None
        self._by_word: dict[str, tuple[str, int]] | None = None

    def __repr__(self) -> str:
        return f"<Node {self.kind} {self.name}, {self.shape}, at {self.where}>"

    def walk(self) -> Iterator[Node]:
        """This node and all within it, outermost first. What composites mount is not among them: see :meth:`child`."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            if node.app is not None:
                waiting.append(node.app)
            if node.filters:
                waiting.extend(reversed(node.filters))

    def unfold(self) -> tuple[list[Node], Node]:
        """The filters in the order in which a request meets them, and what they are around."""
        filters: list[Node] = []
        node = self
        while node.shape in ("pipeline", "filter-app", "filtered") and node.app is not None:
            for each in node.filters:
                around, last = each.unfold()
                filters += (*around, last)
            node = node.app
        return filters, node

    @property
    def target(self) -> Reference | None:
        """The object of Python that makes it, by whichever name it is referred to; None where there is none."""
        return self.reference if self.entry_point is None else self.entry_point.reference

    @property
    def is_composite(self) -> bool:
        """Whether its factory is given a loader, with which it can fetch apps that it mounts."""
        return self.protocol in ("paste.composite_factory", "paste.composit_factory")

    def child(
        self, name: str, origin: Origin | None = None, *, kind: Kind = "app", passed: Values | None = None
    ) -> Node:
        """The node that this composite's factory would get from its loader for ``name``, a section's name or a URI.

        ``origin`` is the place of the key that mentions it, for messages. ``passed`` are the global values that the
        factory passes on; its own, unless told. Problems join those of the composition; in their place the node has
        ``shape == "missing"``.
        """
        if self.home is None:
            raise LookupError(f"{self.name} was made without a configuration file")
        return self.home.child(self, name, origin, kind, passed)

    def keys_by_line(self) -> dict[tuple[str | None, int | None], str]:
        """Which local key stands at a (file, line); made once, for composites with thousands of mounts."""
        if self._by_line is None:
            self._by_line = {
                (value.option.file, line): key
                for key, value in self.values.items()
                if value.option is not None
                for line in value.option.lines
            }
        return self._by_line

    def keys_by_word(self) -> dict[str, tuple[str, int]]:
        """Which local key, and at which line, mentions a word first; made once."""
        if self._by_word is None:
            found: dict[str, tuple[str, int]] = {}
            for key, value in self.values.items():
                if value.option is not None:
                    found.setdefault(value.text, (key, value.option.line))
                    for word, line in value.option.words():
                        found.setdefault(word, (key, line))
            self._by_word = found
        return self._by_word

    def create(self) -> Any:
        """Build it: import, call factories, put filters around apps."""
        if self.home is None:
            raise LookupError(f"{self.name} was made without a configuration file")
        return self.home.build(self)

    # What follows are PasteDeploy's names for the same things.

    @property
    def local_conf(self) -> dict[str, Any]:
        """The keyword arguments of the factory; edit it before :meth:`create`."""
        return self.values.plain

    @local_conf.setter
    def local_conf(self, conf: dict[str, Any]) -> None:
        self.values = Values.wrap(conf, self.values)

    @property
    def global_conf(self) -> dict[str, Any]:
        """The global configuration of the factory; edit it before :meth:`create`."""
        return self.globals.plain

    @global_conf.setter
    def global_conf(self, conf: dict[str, Any]) -> None:
        self.globals = Values.wrap(conf, self.globals)

    @property
    def object_type(self) -> ObjectType:
        """PasteDeploy's object type: PIPELINE and so on by shape, otherwise by kind."""
        return _SHAPED.get(self.shape) or TYPES[self.kind]

    @property
    def object(self) -> Any:
        """The factory itself, imported when asked for; None where there is none."""
        if self.given is not None or self.reference is None:
            return self.given
        return (self.entry_point or self.reference).load()

    @property
    def loader(self) -> Any:
        """What a composite factory receives as ``loader``."""
        if self.given_loader is not None or self.home is None:
            return self.given_loader
        return self.home.loader_for(self)

    @property
    def distribution(self) -> Any:
        """The ``importlib.metadata`` distribution of an ``egg:`` reference, or None."""
        if self.entry_point is None:
            return self.given_distribution
        from importlib.metadata import distribution

        return distribution(self.entry_point.distribution)

    @property
    def entry_point_name(self) -> str | None:
        """The entry point's name of an ``egg:`` reference, or None."""
        return None if self.entry_point is None else self.entry_point.name

    @property
    def app_context(self) -> Node | None:
        """The app at the end of a pipeline."""
        return self.app

    @app_context.setter
    def app_context(self, node: Node) -> None:
        self.app = node

    next_context = app_context

    @property
    def filter_contexts(self) -> list[Node]:
        """The filters of a pipeline, outermost first; a list that may be edited."""
        return self.filters

    @filter_contexts.setter
    def filter_contexts(self, nodes: list[Node]) -> None:
        self.filters = nodes

    @property
    def filter_context(self) -> Node | None:
        """The filter of a filter-app or a filter-with."""
        return self.filters[0] if self.filters else None

    @filter_context.setter
    def filter_context(self, node: Node) -> None:
        self.filters[:1] = [node]

    def config(self) -> AttrDict:
        """Global values overlaid by local ones, as ``appconfig`` returns them."""
        conf = AttrDict(self.global_conf)
        conf.update(self.local_conf)
        conf.local_conf = self.local_conf
        conf.global_conf = self.global_conf
        conf.context = self
        return conf


class AttrDict(dict[str, Any]):
    """What ``appconfig`` returns: a dict with ``local_conf``, ``global_conf`` and ``context`` beside its items."""

    local_conf: dict[str, Any]
    global_conf: dict[str, Any]
    context: Any
