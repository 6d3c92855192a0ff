"""The app that TARGET names, built for a command that works in process, with the logging that its file asks for."""

from __future__ import annotations

import gc
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..config.built import Built, recording
from .logs import set_up_logging
from .target import Target, find_target

if TYPE_CHECKING:
    from ..config.composition import Composition


@dataclass(frozen=True, slots=True)
class Loaded:
    """A target and its app. ``composition`` is None where the target is an object of Python.

    ``built`` is all that was built, the other apps that were asked for, too.
    """

    target: Target
    app: Any
    composition: Composition | None
    variables: Mapping[str, str]
    built: Built = field(default_factory=Built)

    def close(self) -> None:
        """Close what was built."""
        self.built.close()

    @property
    def apps(self) -> Apps:
        """The apps of the file by their sections' names."""
        return Apps(self)


def load(options: Namespace) -> Loaded:
    """Build the app of ``options.target``. Raises ``ConfigError``, and what imports and factories raise."""
    gc.enable()
    target = find_target(options.target)
    variables = dict(options.variables)
    built = Built()
    if target.is_python:
        set_up_logging(None, {})
        with recording(built):
            return Loaded(target, target.load_object(), None, variables, built)
    composition = target.compose(name=options.app_name, variables=variables)
    composition.extend_sys_path()
    set_up_logging(composition, variables)
    with recording(built):
        return Loaded(target, composition.build(), composition, variables, built)


class Apps(Mapping[str, Any]):
    """The apps of a file by name: each is built when it is asked for, and stands beside those inside of others."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._made: dict[str, Any] = {}
        composition = loaded.composition
        file = composition.file if composition is not None else None
        prefixes = () if composition is None else _prefixes()
        self._names = list(dict.fromkeys(file.names(prefixes))) if file is not None else []

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            from ..config.problems import did_you_mean

            raise KeyError(f"{name}; {did_you_mean(name, self._names)}".rstrip("; "))
        if name not in self._made:
            loaded = self._loaded
            with recording(loaded.built):
                self._made[name] = loaded.target.compose(name=name, variables=loaded.variables).build()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"<apps: {', '.join(self._names)}>"


def _prefixes() -> tuple[str, ...]:
    from ..config.node import APP

    return APP.prefixes
