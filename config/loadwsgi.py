"""PasteDeploy's Python API: ``loadapp``, ``loadfilter``, ``loadserver``, ``appconfig`` and what stands behind them.

The names, arguments and attributes are those of ``paste.deploy.loadwsgi``, so that software written for it runs on this
loader; new code reads a configuration with :class:`~wheatpaste.config.composition.Composition`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .composition import Composition
from .evaluate import Resolver
from .node import (
    APP,
    FILTER,
    FILTER_APP,
    FILTER_WITH,
    PIPELINE,
    SERVER,
    AttrDict,
    Node,
    ObjectType,
    Shape,
    Values,
)
from .origin import Origin
from .parser import NicerConfigParser, ini_file
from .problems import config_error
from .references import BadReference, Reference, config_path
from .scope import Scope

__all__ = [
    "APP",
    "FILTER",
    "FILTER_APP",
    "FILTER_WITH",
    "PIPELINE",
    "SERVER",
    "AttrDict",
    "ConfigLoader",
    "EggLoader",
    "FuncLoader",
    "LoaderContext",
    "NicerConfigParser",
    "appconfig",
    "loadapp",
    "loadcontext",
    "loadfilter",
    "loadobj",
    "loadserver",
]

Conf = Mapping[str, Any] | None


def loadapp(uri: str, name: str | None = None, relative_to: str | None = None, global_conf: Conf = None) -> Any:
    """Build the WSGI app that ``uri`` names. Raises ``ConfigError`` and whatever factories raise.

    The app is what its factory returns, and its end is the caller's. Whoever wants apps and filters closed builds with
    ``with Composition.load(uri) as composition: app = composition.build()``.
    """
    return loadobj(APP, uri, name, relative_to, global_conf)


def loadfilter(uri: str, name: str | None = None, relative_to: str | None = None, global_conf: Conf = None) -> Any:
    """Build the filter, a callable ``filter(app) -> app``. Raises as :func:`loadapp`."""
    return loadobj(FILTER, uri, name, relative_to, global_conf)


def loadserver(uri: str, name: str | None = None, relative_to: str | None = None, global_conf: Conf = None) -> Any:
    """Build the server, a callable ``serve(app)`` that runs until it is stopped. Raises as :func:`loadapp`."""
    return loadobj(SERVER, uri, name, relative_to, global_conf)


def appconfig(uri: str, name: str | None = None, relative_to: str | None = None, global_conf: Conf = None) -> AttrDict:
    """The configuration of an app, unbuilt: global values overlaid by local ones."""
    conf: AttrDict = loadcontext(APP, uri, name, relative_to, global_conf).config()
    return conf


def loadobj(
    object_type: ObjectType, uri: str, name: str | None = None, relative_to: str | None = None, global_conf: Conf = None
) -> Any:
    """Build the object of this type that ``uri`` names."""
    return _load(object_type, uri, name, relative_to, global_conf).build()


def loadcontext(
    object_type: ObjectType, uri: str, name: str | None = None, relative_to: str | None = None, global_conf: Conf = None
) -> Any:
    """The node (or the context of a third-party loader) that ``uri`` names, unbuilt; ``create()`` builds it."""
    root = _load(object_type, uri, name, relative_to, global_conf).root
    return root if root.foreign is None else root.foreign


def _load(
    object_type: ObjectType, uri: str, name: str | None, relative_to: str | None, global_conf: Conf
) -> Composition:
    return Composition.load(
        uri,
        kind=object_type.kind,
        name=name,
        relative_to=relative_to,
        global_conf=global_conf,
        given_by="code",
        loaders=_third_party(),
    )


class ConfigLoader(Scope):
    """The loader of one INI file. Subclasses that override ``get_context`` are asked for each name within it, too."""

    _from_file: type[ConfigLoader]

    def __init__(self, filename: str) -> None:
        resolver = Resolver(loaders=_third_party())
        filename = filename.strip()
        file = resolver.file(filename)
        errors = [problem for problem in resolver.problems if problem.severity == "error"]
        if errors or file is None:
            raise config_error(errors)
        super().__init__(resolver, file, filename)
        self._watch()

    def _watch(self) -> None:
        if type(self).get_context is not _ConfigLoader.get_context:
            self.hook = self.get_context

    @property
    def parser(self) -> Any:
        """The file as a ``ConfigParser``."""
        return super().parser

    @parser.setter
    def parser(self, parser: Any) -> None:
        # A subclass that brings its own parser does not call __init__.
        self.__dict__.setdefault("filename", getattr(parser, "filename", ""))
        self._parser = parser

    def _ready(self) -> None:
        if "resolver" not in self.__dict__:
            parser = self._parser
            resolver = Resolver(loaders=_third_party())
            super().__init__(resolver, ini_file(parser, self.filename or ""), self.filename)
            self._parser = parser
            self._watch()

    def get_context(self, object_type: ObjectType, name: str | None = None, global_conf: Conf = None) -> Node:
        """The node that ``name`` means. Raises ``ConfigError``."""
        self._ready()
        return super().get_context(object_type, name, global_conf)

    def find_config_section(self, object_type: ObjectType, name: str | None = None) -> str:
        """The header of the section that ``name`` means. Raises ``ConfigError``."""
        self._ready()
        return super().find_config_section(object_type, name)

    def update_defaults(self, new_defaults: Mapping[str, Any], overwrite: bool = True) -> None:
        """Add variables as if they stood in ``[DEFAULT]``."""
        self._ready()
        super().update_defaults(new_defaults, overwrite)


class EggLoader(Scope):
    """The loader of one distribution: names are those of its entry points."""

    def __init__(self, spec: str) -> None:
        super().__init__(Resolver(loaders=_third_party()), None, distribution=spec)
        self.spec = spec

    def find_egg_entry_point(self, object_type: ObjectType, name: str | None = None) -> tuple[Any, str, str]:
        """The object, its protocol and its name. Raises ``ConfigError`` and what the import raises."""
        node = self.get_context(object_type, name)
        return node.object, node.protocol or "", node.name


class FuncLoader(Scope):
    """The loader of one ``module:object``."""

    def __init__(self, spec: str) -> None:
        try:
            self._reference = Reference.parse(f"call:{spec}")
        except BadReference as error:
            raise LookupError(str(error)) from None
        super().__init__(Resolver(loaders=_third_party()), None)
        self.spec = spec

    def get_context(self, object_type: ObjectType, name: str | None = None, global_conf: Conf = None) -> Node:
        """The node of the object, whatever ``name`` says."""
        node = self.resolver.resolve(object_type.kind, f"call:{self.spec}", None, None, Values.wrap(global_conf))
        return node


class LoaderContext(Node):
    """A node made by hand around an object that is already there."""

    def __init__(
        self,
        obj: Any,
        object_type: ObjectType,
        protocol: str | None,
        global_conf: dict[str, Any],
        local_conf: dict[str, Any],
        loader: Any,
        distribution: Any = None,
        entry_point_name: str | None = None,
    ) -> None:
        shapes: dict[str, Shape] = {"pipeline": "pipeline", "filter_app": "filter-app", "filtered_with": "filtered"}
        super().__init__(
            kind=object_type.kind,
            shape=shapes.get(object_type.name, "factory"),
            name=entry_point_name or str(getattr(obj, "__name__", object_type.name)),
            where=Origin(how="code"),
            protocol=protocol,
            home=Scope(Resolver(loaders=_third_party()), None),
        )
        self.given = obj
        self.given_loader = loader
        self.given_distribution = distribution
        self.values = Values.wrap(local_conf)
        self.globals = Values.wrap(global_conf)


def _loadconfig(
    object_type: ObjectType, uri: str, path: str, name: str, relative_to: str | None, global_conf: Conf
) -> Any:
    loader = ConfigLoader(config_path(path, relative_to, uri))
    if global_conf:
        loader.update_defaults(global_conf, overwrite=False)
    return loader.get_context(object_type, name, global_conf)


def _loadegg(
    object_type: ObjectType, uri: str, spec: str, name: str, relative_to: str | None, global_conf: Conf
) -> Any:
    return EggLoader(spec).get_context(object_type, name, global_conf)


def _loadfunc(
    object_type: ObjectType, uri: str, spec: str, name: str, relative_to: str | None, global_conf: Conf
) -> Any:
    return FuncLoader(spec).get_context(object_type, name, global_conf)


_OURS: dict[str, Callable[..., Any]] = {"config": _loadconfig, "egg": _loadegg, "call": _loadfunc}
_loaders: dict[str, Callable[..., Any]] = dict(_OURS)
_ConfigLoader = ConfigLoader


def _third_party() -> dict[str, Callable[..., Any]]:
    """The schemes that others registered, and ``config`` too once they put their own class in place of ConfigLoader."""
    found = {scheme: function for scheme, function in _loaders.items() if _OURS.get(scheme) is not function}
    if ConfigLoader is not _ConfigLoader:
        found.setdefault("config", _loadconfig)
    return found
