"""Build what a node describes: the only code that imports a deployer's code and calls factories.

An exception keeps its type and gains a note, "while building [app:x], site.ini:14". What PasteDeploy would let through
and the first request would trip over (a factory that returns None or a coroutine) is a ``ConfigError`` here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .built import remember
from .node import Node, Values
from .origin import BuildSite, Origin, building
from .problems import ConfigError, Problem, did_you_mean


def build(node: Node) -> Any:
    """Make the object: a WSGI app, a ``filter(app)``, a ``serve(app)``.

    Raises ``ConfigError`` where the configuration is to blame, otherwise whatever the import or the factory raises.
    """
    shape = node.shape
    if shape == "factory":
        return _call(node)
    if shape == "foreign":
        made = node.foreign.create()
        if node.kind != "server":
            remember(made)
        return made
    if shape == "missing" or node.app is None:
        raise ConfigError(_problem(node, f"{node.name!r} cannot be built", "correct the problems above first"))
    if shape == "filtered" and node.kind != "app":
        return _compose(node.filters[0], node.filters[0].create(), node.app.create())
    if shape == "pipeline":
        # The app first, then the filters as listed: the order in which PasteDeploy calls their factories.
        app = node.app.create()
        wraps = [(each, each.create()) for each in node.filters]
    elif shape == "filtered":
        wraps = [(each, each.create()) for each in node.filters]
        app = node.app.create()
    else:
        app = node.app.create()
        wraps = [(each, each.create()) for each in node.filters]
    for each, wrap in reversed(wraps):
        app = _wrap(each, wrap, app)
    return app


def _compose(node: Node, outer: Any, inner: Any) -> Callable[[Any], Any]:
    def both(app: Any) -> Any:
        return _wrap(node, outer, inner(app))

    return both


def _wrap(node: Node, wrap: Any, app: Any) -> Any:
    with _Annotated(node):
        wrapped = wrap(app)
    return _checked(node, wrapped, "app", "its filter")


def _call(node: Node) -> Any:
    factory = _load(node)
    protocol = node.protocol
    with _Annotated(node):
        if protocol in ("paste.composite_factory", "paste.composit_factory"):
            made = _factory(node, factory, node.loader, node.global_conf)
        elif protocol in ("paste.filter_app_factory", "paste.server_runner"):
            # Called when the app is known. PasteDeploy does the same.
            return Late(node, factory)
        elif protocol in ("paste.app_factory", "paste.filter_factory", "paste.server_factory"):
            made = _factory(node, factory, node.global_conf)
        else:
            raise ConfigError(_problem(node, f"there is no protocol {protocol!r}", "use one of paste.app_factory, …"))
    return _checked(node, made, node.kind, "its factory")


class Late:
    """A filter or server whose factory takes the app itself, and so is called with it."""

    def __init__(self, node: Node, factory: Callable[..., Any]) -> None:
        self._node = node
        self._factory = factory

    def __call__(self, app: Any) -> Any:
        """Call the factory around ``app``; a server then runs until it is stopped."""
        node = self._node
        with _Annotated(node):
            made = _factory(node, self._factory, app, node.global_conf)
        return made if node.kind == "server" else _checked(node, made, "app", "its factory")

    def __repr__(self) -> str:
        return f"<{self._node.kind} {self._node.reference} of [{self._node.section}]>"


def _load(node: Node) -> Any:
    reference, target = node.reference, node.target
    if node.given is not None:
        return node.given
    if target is None:
        raise ConfigError(_problem(node, "nothing says what makes it", "write use = …"))
    place = node.reference_origin or node.where
    try:
        return target.load()
    except SystemExit as stop:
        what = f"importing {target.module} called sys.exit({'' if stop.code is None else repr(stop.code)})"
        raise ConfigError(
            _problem(node, what, "a program cannot be mounted: name a module that only defines an app")
        ) from stop
    except AttributeError as error:
        hint = _near_attribute(target.module, target.object)
        error.add_note(f"while importing {reference} for [{node.section}], {place}{hint}")
        raise
    except Exception as error:  # the deployer's import may fail in any way; it only gains a note
        error.add_note(f"while importing {reference} for [{node.section}], {place}")
        raise


def _near_attribute(module: str, attribute: str) -> str:
    import sys

    loaded = sys.modules.get(module)
    if loaded is None:
        return ""
    hint = did_you_mean(attribute.partition(".")[0], [name for name in vars(loaded) if not name.startswith("_")])
    return f"; {hint}" if hint else ""


def _factory(node: Node, factory: Any, *positional: Any) -> Any:
    local = node.local_conf
    try:
        return factory(*positional, **local)
    except TypeError as error:
        # Only when the call itself failed: a TypeError from inside the factory has a deeper traceback.
        trace = error.__traceback__
        if trace is not None and trace.tb_next is None:
            keys = ", ".join(local) or "none"
            error.add_note(f"{node.reference} was called with the keys: {keys}")
        raise


class _Annotated:
    """A block in which the factory of a node knows its place, and what it raises comes to name the section.

    Written out, because a large file enters a thousand of them.
    """

    __slots__ = ("_node", "_token")

    def __init__(self, node: Node) -> None:
        self._node = node

    def __enter__(self) -> None:
        self._token = building.set(site_of(self._node))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        building.reset(self._token)
        node = self._node
        if error is None or isinstance(error, ConfigError):
            return
        if isinstance(error, SystemExit) and node.kind != "server":  # a running server may end so
            what = f"its factory called sys.exit({'' if error.code is None else repr(error.code)})"
            raise ConfigError(_problem(node, what, "a program cannot be mounted: name a factory")) from error
        if isinstance(error, Exception):
            error.add_note(f"while building [{node.section or node.name}], {_short(node.where)}")


def site_of(node: Node) -> BuildSite:
    """Where the keys of a node stand, for its factory and for whoever else reads its section."""
    return BuildSite(
        origin=node.where,
        origins=_Origins(node.values),
        inherited=_Origins(node.globals),
        open=None if node.home is None else node.home.open,
    )


class _Origins(Mapping[str, Origin]):
    """The origins of values, looked up when asked for: that is when something is wrong, mostly never.

    Those that were edited after the loading come from code.
    """

    def __init__(self, values: Values) -> None:
        self._values = values

    def __getitem__(self, key: str) -> Origin:
        text = self._values.plain[key]
        value = self._values.get(key)
        return value.origin if value is not None and value.text == text else Origin(how="code")

    def __iter__(self) -> Iterator[str]:
        return iter(self._values.plain)

    def __len__(self) -> int:
        return len(self._values.plain)


def _checked(node: Node, made: Any, kind: str, maker: str) -> Any:
    if callable(made):
        if kind != "server":
            remember(made)
        return made
    close = getattr(made, "close", None)
    if hasattr(made, "cr_frame") and close is not None:
        close()  # or Python warns that it was never awaited
        what, fix = f"{maker} returned a coroutine", "name a factory that is not async"
    elif made is None:
        what, fix = f"{maker} returned None", f"it must return the {kind}"
    else:
        what, fix = f"{maker} returned {type(made).__name__}, which cannot be called", f"it must return the {kind}"
    raise ConfigError(_problem(node, what, fix))


def _problem(node: Node, what: str, fix: str) -> Problem:
    place = node.reference_origin or node.where
    text = str(node.reference) if node.reference is not None else None
    if text is not None:
        what = f"{text}: {what}"
    return Problem(what=what, fix=fix, file=place.file, line=place.line, section=node.section, code="factory")


def _short(origin: Origin) -> str:
    if origin.file is None:
        return str(origin)
    relative = os.path.relpath(origin.file) if os.path.isabs(origin.file) else origin.file
    shown = relative if len(relative) < len(origin.file) else origin.file
    return f"{shown}:{origin.line}" if origin.line else shown
