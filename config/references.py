"""References to what makes an object: ``egg:Dist#name``, ``call:module:object``, ``config:file.ini#name``.

The only module that knows entry points. It reads ``entry_points.txt`` itself, which takes less than a millisecond where
importing :mod:`importlib.metadata` takes forty, and asks that module only about what it does not find.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple

Scheme = Literal["config", "egg", "call", "module", "name"]

_OBJECT = r"(?P<module>[\w.]+)\s*(?::\s*(?P<object>[\w.]+)\s*)?(?:\[.*\]\s*)?$"


class BadReference(ValueError):
    """A reference that cannot be understood; the message completes "key = value: …"."""

    def __init__(self, what: str, fix: str = "", code: str = "bad-reference") -> None:
        self.what, self.fix, self.code = what, fix, code
        super().__init__(f"{what}; {fix}" if fix else what)


def is_uri(name: str | None) -> bool:
    """Whether a name has a scheme. A Windows path (``C:\\x.ini``) has, too: it means a file."""
    if name is None or ":" not in name:
        return False
    scheme = name.partition(":")[0]
    return scheme.isascii() and scheme.isalpha()


class Reference(NamedTuple):
    """A reference, taken apart.

    ======== ==========================  =======================================================
    scheme   written                     fields
    ======== ==========================  =======================================================
    config   ``config:file.ini#name``    ``path`` (absolute), ``entry`` (the name, or None)
    egg      ``egg:Dist#name``           ``distribution``, ``entry``
    call     ``call:module:object``      ``module``, ``object``
    module   ``module:object``           ``module``, ``object`` (the value of ``paste.app_factory``)
    name     ``name``                    ``entry``: a section of the same file
    ======== ==========================  =======================================================
    """

    scheme: str
    text: str
    distribution: str = ""
    module: str = ""
    object: str = ""
    path: str = ""
    entry: str | None = None

    @classmethod
    def parse(cls, text: str, relative_to: str | None = None) -> Reference:
        """Take a name or URI apart. ``relative_to`` is the directory that relative paths start from.

        Raises ``BadReference`` for an unknown scheme, a ``call:`` without its second colon, and a relative path without
        ``relative_to``. A scheme registered by a third party comes back with all after it in ``path``.
        """
        if not is_uri(text):
            return cls(scheme="name", text=text, entry=text)
        uri, fragment, name = text.partition("#")
        entry = name if fragment else None
        if uri[1:3] in (":\\", ":/"):  # a drive of Windows
            return cls(scheme="config", text=text, path=config_path(uri, relative_to, text), entry=entry)
        scheme, _, rest = uri.partition(":")
        scheme = scheme.lower()
        if scheme == "config":
            return cls(scheme="config", text=text, path=config_path(rest, relative_to, text), entry=entry)
        if scheme == "egg":
            return cls(scheme="egg", text=text, distribution=rest.strip(), entry=entry)
        if scheme == "call":
            module, colon, attribute = rest.partition(":")
            if not colon or not module.strip() or not attribute.strip():
                raise BadReference("this is not call:module:object", "write call:package.module:object")
            return cls(scheme="call", text=text, module=module.strip(), object=attribute.strip(), entry=entry)
        raise BadReference(
            f"there is no scheme {scheme!r}",
            "write config:file.ini, egg:Distribution#name or call:module:object",
            "unknown-scheme",
        )

    @staticmethod
    @lru_cache(maxsize=256)  # a large file names few factories, each many times
    def parse_module(text: str) -> Reference:
        """Take the value of a protocol key apart: ``package.module:attribute``, or a module alone."""
        module, _, attribute = text.partition(":")
        if module.replace(".", "_").isidentifier() and attribute.isidentifier():  # as nearly all of them
            return Reference(scheme="module", text=text, module=module, object=attribute)
        found = re.match(_OBJECT, text.strip())
        if found is None:
            raise BadReference("this is not module:object", "write package.module:object")
        return Reference(scheme="module", text=text, module=found["module"], object=found["object"] or "")

    def load(self) -> Any:
        """Import the module and return the object. Raises what the import raises, or ``AttributeError``."""
        return load_object(self.module, self.object)

    def __str__(self) -> str:
        return self.text


def config_path(path: str, relative_to: str | None, uri: str) -> str:
    """The file that a ``config:`` URI names, as PasteDeploy computes it."""
    absolute = os.path.isabs(path)
    path = path.replace("\\", "/")
    if not absolute:
        if not relative_to:
            raise BadReference(
                f"the relative path of {uri!r} starts from no directory", "write an absolute path", "relative-path"
            )
        path = relative_to.replace("\\", "/").removesuffix("/") + "/" + path
    if path.startswith("///"):
        path = path[2:]
    if "%" in path:
        from urllib.parse import unquote  # three milliseconds, for names that hardly any file has

        path = unquote(path)
    return path.strip()


def load_object(module: str, attributes: str) -> Any:
    """Import ``module`` and follow the dotted ``attributes``; without any, the module itself."""
    # __import__ rather than importlib: the same import system, without importing that package.
    __import__(module)
    found: Any = sys.modules[module]
    for name in attributes.split(".") if attributes else ():
        found = getattr(found, name)
    return found


class EntryPoint(NamedTuple):
    """An entry point: ``value`` is "module:attribute". ``alias``: an old name, answered by ours."""

    distribution: str
    group: str
    name: str
    value: str
    alias: bool = False

    @property
    def reference(self) -> Reference:
        """Its value, taken apart."""
        return Reference.parse_module(self.value)

    def load(self) -> Any:
        """Import and return the object."""
        return self.reference.load()


class Distribution:
    """An installed distribution: ``name`` and ``version`` as its metadata folder's name has them, and that ``path``."""

    __slots__ = ("_groups", "name", "path", "version")

    def __init__(self, name: str, version: str, path: str, groups: dict[str, dict[str, str]] | None = None) -> None:
        self.name = name
        self.version = version
        self.path = path
        self._groups = groups

    def __repr__(self) -> str:
        return f"<Distribution {self.name} {self.version} at {self.path}>"

    @property
    def groups(self) -> Mapping[str, Mapping[str, str]]:
        """Its entry points: group → name → "module:attribute"."""
        if self._groups is None:
            self._groups = _read_entry_points(os.path.join(self.path, "entry_points.txt"))
        return self._groups

    def entry_point(self, group: str, name: str) -> EntryPoint | None:
        """One of them, or None."""
        value = self.groups.get(group, {}).get(name)
        return None if value is None else EntryPoint(self.name, group, name, value)

    def entry_points(self, groups: Iterable[str]) -> list[EntryPoint]:
        """All of these groups."""
        return [
            EntryPoint(self.name, group, name, value)
            for group in groups
            for name, value in self.groups.get(group, {}).items()
        ]


def normalise(name: str) -> str:
    """A distribution's name as it is compared: letter case and runs of ``-``, ``_``, ``.`` do not matter."""
    name = name.replace("_", "-").replace(".", "-").lower()
    while "--" in name:
        name = name.replace("--", "-")
    return name


_folders: dict[str, tuple[int, dict[str, Distribution]]] = {}


def _scan(folder: str) -> dict[str, Distribution]:
    """The distributions whose metadata stands in one folder of ``sys.path``, by normalised name."""
    try:
        changed = os.stat(folder).st_mtime_ns
    except (OSError, ValueError):
        return {}
    cached = _folders.get(folder)
    if cached is not None and cached[0] == changed:
        return cached[1]
    found: dict[str, Distribution] = {}
    try:
        names = sorted(name for name in os.listdir(folder) if name[-5:].lower() == "-info")
    except OSError:
        names = []
    base = os.path.basename(folder)
    for name in names:
        stem, dot, ending = name.rpartition(".")
        ending = ending.lower()
        if dot and ending in ("dist-info", "egg-info"):
            title, _, version = stem.partition("-")
        elif name.lower() == "egg-info" and base.lower().endswith(".egg"):
            title, _, version = base[:-4].partition("-")
        else:
            continue
        each = Distribution(title, version.partition("-")[0], os.path.join(folder, name))
        if ending == "dist-info":
            found[normalise(title)] = each
        else:
            found.setdefault(normalise(title), each)
    _folders[folder] = (changed, found)
    return found


def _read_entry_points(path: str) -> dict[str, dict[str, str]]:
    groups: dict[str, dict[str, str]] = {}
    try:
        with open(path, encoding="utf-8") as stream:
            lines = stream.read().splitlines()
    except (OSError, UnicodeDecodeError):
        return groups
    group: dict[str, str] = {}
    for line in lines:
        line = line.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and line[-1] == "]":
            group = groups.setdefault(line[1:-1].strip(), {})
        else:
            name, _, value = line.partition("=")
            group.setdefault(name.strip(), value.strip())
    return groups


def find_distribution(name: str, path: Iterable[str] | None = None) -> Distribution | None:
    """The installed distribution of that name, or None. ``path`` defaults to ``sys.path``; the first folder wins."""
    wanted = normalise(name)
    for folder in sys.path if path is None else path:
        found = _scan(folder or os.getcwd()).get(wanted)
        if found is not None:
            return found
    return _elsewhere(name)


def _elsewhere(name: str) -> Distribution | None:
    """Ask importlib.metadata, which knows zip files and the finders of others."""
    from importlib import metadata

    try:
        found = metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError):
        return None
    groups: dict[str, dict[str, str]] = {}
    for each in found.entry_points:
        groups.setdefault(each.group, {}).setdefault(each.name, each.value)
    title = found.metadata["Name"] or name
    return Distribution(title, found.version or "", str(getattr(found, "_path", "")), groups)


def installed(path: Iterable[str] | None = None) -> list[Distribution]:
    """All installed distributions, by name; the first on the path where there are several of one name."""
    found: dict[str, Distribution] = {}
    for folder in sys.path if path is None else path:
        for name, each in _scan(folder or os.getcwd()).items():
            found.setdefault(name, each)
    return [found[name] for name in sorted(found)]
