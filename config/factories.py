"""Factories of paste.deploy, made from components.

A factory is an object that paste.deploy can call, and that ``check`` and ``describe`` can ask what it takes::

    app_factory = make_app_factory(Health)
    filter_factory = make_filter_factory(Compress)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .mounts import Mount, MountReader
from .options import Option, OptionError
from .origin import BuildSite, building
from .problems import ConfigError
from .reader import Place, Reader, Reading, Texts
from .records import replace


class _Factory:
    """What all factories share: a reader, and problems raised together."""

    protocol: str = ""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.component = reader.component
        self.__doc__ = reader.component.__doc__
        self.__name__ = reader.component.__name__

    def __repr__(self) -> str:
        return f"<{self.protocol} of {self.component.__module__}:{self.component.__name__}>"

    def _read(
        self, global_conf: Texts | None, texts: Texts
    ) -> tuple[Reading, Callable[[OptionError | ConfigError], ConfigError]]:
        conf = global_conf or {}
        site = building.get()
        reading = self.reader.read(texts, conf, site)
        if reading.errors and site is None:
            # Plain PasteDeploy called: look for the lines now that something is wrong.
            site = _site_of(conf, texts)
            reading = self.reader.read(texts, conf, site)
        if reading.errors:
            raise ConfigError(reading.errors)
        if reading.problems:
            import logging  # five milliseconds, which `check` does not need

            for problem in reading.problems:
                logging.getLogger(__name__).warning("%s", problem)

        def refuse(error: OptionError | ConfigError) -> ConfigError:
            if isinstance(error, ConfigError):
                return _placed(error, site or _site_of(conf, texts), conf)
            part = reading.place_of(error.part)
            if part is not None:
                place, read = part
                return ConfigError(place.refusal(error, read.said))
            return ConfigError(Place(site or _site_of(conf, texts), conf).refusal(error, reading.said))

        return reading, refuse


def _site_of(conf: Texts, texts: Texts) -> BuildSite | None:
    from .relocate import site_of  # which reads the file again

    return site_of(conf, texts)


def _placed(error: ConfigError, site: BuildSite | None, conf: Texts) -> ConfigError:
    """The same problems; those that know no place, such as a package that is not installed, get the section's."""
    origin = Place(site, conf).origin(None)
    return ConfigError(
        each if each.file else replace(each, file=origin.file, line=origin.line, section=each.section or origin.section)
        for each in error.problems
    )


class AppFactory(_Factory):
    """``paste.app_factory``: ``factory(global_conf, **local_conf) -> app``."""

    protocol = "paste.app_factory"

    def __init__(self, reader: Reader, finish: Callable[[Any], Any] | None = None) -> None:
        super().__init__(reader)
        self._finish = finish

    def __call__(self, global_conf: Texts | None, **local_conf: str) -> Any:
        """Make the app. Raises ``ConfigError`` with every problem of the section."""
        reading, refuse = self._read(global_conf, local_conf)
        try:
            made = self.component(**reading.values)
        except (OptionError, ConfigError) as error:
            raise refuse(error) from error
        return made if self._finish is None else self._finish(made)


class FilterFactory(_Factory):
    """``paste.filter_factory``: ``factory(global_conf, **local_conf) -> filter(app) -> app``."""

    protocol = "paste.filter_factory"

    def __call__(self, global_conf: Texts | None, **local_conf: str) -> Callable[[Any], Any]:
        """Read the options at once and return the filter. Raises ``ConfigError``."""
        reading, refuse = self._read(global_conf, local_conf)

        def wrap(app: Any) -> Any:
            try:
                return self.component(app, **reading.values)
            except (OptionError, ConfigError) as error:
                raise refuse(error) from error

        return wrap


Assemble = Callable[[Any, dict[str, Any], "Iterable[tuple[Mount, Any]]"], Any]
"""Makes the composite: ``(component, options, [(mount, app), …]) -> app``."""


class CompositeFactory(_Factory):
    """``paste.composite_factory``: ``factory(loader, global_conf, **local_conf) -> app``."""

    protocol = "paste.composite_factory"

    def __init__(self, reader: Reader, assemble: Assemble) -> None:
        super().__init__(reader)
        self._assemble = assemble

    def __call__(self, loader: Any, global_conf: Texts | None, **local_conf: str) -> Any:
        """Build the apps that the section names, then the composite. Raises ``ConfigError``."""
        reading, refuse = self._read(global_conf, local_conf)
        values = dict(reading.values)
        for option in self.reader.options:
            if _names_an_app(option) and isinstance(values.get(option.name), str):
                values[option.name] = loader.get_app(values[option.name], global_conf=global_conf)
        apps = [(mount, loader.get_app(mount.reference, global_conf=global_conf)) for mount in reading.mounts]
        try:
            return self.assemble(values, apps)
        except OptionError as error:
            raise refuse(error) from error

    def assemble(self, values: dict[str, Any], apps: Iterable[tuple[Mount, Any]]) -> Any:
        """The composite around apps that exist already. Raises ``OptionError``."""
        return self._assemble(self.component, values, apps)


class ServerRunner(_Factory):
    """``paste.server_runner``: ``runner(app, global_conf, **local_conf)`` serves until it is stopped."""

    protocol = "paste.server_runner"

    def __call__(self, app: Any, global_conf: Texts | None, **local_conf: str) -> None:
        """Make the server and let it serve ``app``. Raises ``ConfigError``."""
        server, refuse = self.prepare(global_conf, **local_conf)
        try:
            server.serve(app)
        except OptionError as error:  # only binding tells whether an address can be had
            raise refuse(error) from error

    def make(self, global_conf: Texts | None, **local_conf: str) -> Any:
        """Make the server without starting it. Raises ``ConfigError``."""
        return self.prepare(global_conf, **local_conf)[0]

    def prepare(self, global_conf: Texts | None, **local_conf: str) -> tuple[Any, Callable[[OptionError], ConfigError]]:
        """Make the server, and what turns an ``OptionError`` of its ``serve`` into a ``ConfigError`` with its place."""
        reading, refuse = self._read(global_conf, local_conf)
        try:
            return self.component(**reading.values), refuse
        except OptionError as error:
            raise refuse(error) from error


def make_app_factory(component: type, *, finish: Callable[[Any], Any] | None = None, **how: Any) -> AppFactory:
    """The ``paste.app_factory`` of a component that answers by itself; ``how`` goes to :class:`Reader`.

    ``finish`` may turn the component into the app that is served.
    """
    return AppFactory(Reader(component=component, **how), finish)


def make_filter_factory(component: type, **how: Any) -> FilterFactory:
    """The ``paste.filter_factory`` of a component that wraps an app; ``how`` goes to :class:`Reader`."""
    return FilterFactory(Reader(component=component, **how))


def make_composite_factory(component: type, *, mounts: MountReader, assemble: Assemble, **how: Any) -> CompositeFactory:
    """The ``paste.composite_factory`` of a component that holds other apps; ``how`` goes to :class:`Reader`."""
    return CompositeFactory(Reader(component=component, mounts=mounts, **how), assemble)


def make_server_runner(component: type, **how: Any) -> ServerRunner:
    """The ``paste.server_runner`` of a component with a ``serve(app)`` method; ``how`` goes to :class:`Reader`."""
    return ServerRunner(Reader(component=component, **how))


def _names_an_app(option: Option) -> bool:
    from .values import is_reference

    return is_reference(option.kind)
