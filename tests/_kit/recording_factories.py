"""Factories of every protocol that record what they were called with, and a distribution that names them."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Record:
    """What a factory was called with; callable, as an app must be."""

    def __init__(self, maker: str, global_conf: dict[str, Any], local_conf: dict[str, Any], *inner: Any) -> None:
        self.maker = maker
        self.global_conf = dict(global_conf)
        self.local_conf = dict(local_conf)
        self.inner = inner

    def __call__(self, *args: Any) -> Any:
        return Record(f"called {self.maker}", {}, {}, self, *args)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{self.maker}({self.global_conf}, {self.local_conf}, {self.inner})"


def app_factory(global_conf: dict[str, Any], **local_conf: Any) -> Record:
    return Record("app", global_conf, local_conf)


def other_app_factory(global_conf: dict[str, Any], **local_conf: Any) -> Record:
    return Record("other app", global_conf, local_conf)


def composite_factory(loader: Any, global_conf: dict[str, Any], **local_conf: Any) -> Record:
    """Mounts the value of each key that begins with a slash."""
    apps = [loader.get_app(name, global_conf=global_conf) for key, name in local_conf.items() if key.startswith("/")]
    return Record("composite", global_conf, local_conf, *apps)


def pipeline_factory(loader: Any, global_conf: dict[str, Any], **local_conf: Any) -> Any:
    """A composite whose keys are alternative pipelines, as OpenStack's services have; takes ``chosen``."""
    *filters, app = local_conf["chosen"].split()
    made = loader.get_app(app)
    for wrap in reversed([loader.get_filter(name) for name in filters]):
        made = wrap(made)
    return made


def filter_factory(global_conf: dict[str, Any], **local_conf: Any) -> Any:
    return lambda app: Record("filter", global_conf, local_conf, app)


def filter_app_factory(app: Any, global_conf: dict[str, Any], **local_conf: Any) -> Record:
    return Record("filter app", global_conf, local_conf, app)


def server_factory(global_conf: dict[str, Any], **local_conf: Any) -> Any:
    return lambda app: Record("server", global_conf, local_conf, app)


def server_runner(app: Any, global_conf: dict[str, Any], **local_conf: Any) -> Record:
    return Record("server runner", global_conf, local_conf, app)


class Holder:
    """Something with attributes, for references with dots after the colon."""

    app_factory = staticmethod(app_factory)


def returns_none(global_conf: dict[str, Any], **local_conf: Any) -> None:
    """What a factory that forgot its return statement does."""


async def coroutine_factory(global_conf: dict[str, Any], **local_conf: Any) -> Record:
    return Record("app", global_conf, local_conf)


def returns_text(global_conf: dict[str, Any], **local_conf: Any) -> str:
    return "not an app"


def raises(global_conf: dict[str, Any], **local_conf: Any) -> None:
    raise RuntimeError("the factory broke")


def type_error_inside(global_conf: dict[str, Any], **local_conf: Any) -> Any:
    return len(3)  # type: ignore[arg-type]


def exits(global_conf: dict[str, Any], **local_conf: Any) -> None:
    raise SystemExit(3)


def filter_that_forgets(app: Any, global_conf: dict[str, Any], **local_conf: Any) -> None:
    """What a filter that forgot its return statement does."""


def picky(global_conf: dict[str, Any], colour: str = "red") -> Record:
    return Record("picky", global_conf, {"colour": colour})


ENTRY_POINTS = {
    "paste.app_factory": {
        "main": "app_factory",
        "app": "app_factory",
        "other": "other_app_factory",
        "twice": "app_factory",
    },
    "paste.composite_factory": {"composite": "composite_factory", "twice": "composite_factory"},
    "paste.filter_factory": {"filter": "filter_factory", "main": "filter_factory"},
    "paste.filter_app_factory": {"wrap": "filter_app_factory"},
    "paste.server_factory": {"server": "server_factory"},
    "paste.server_runner": {"main": "server_runner"},
}


def install(folder: Path, *names: str, entry_points: dict[str, dict[str, str]] | None = None) -> None:
    """Write the metadata of distributions that have these factories as entry points, for a folder on ``sys.path``."""
    lines = []
    for group, members in (entry_points or ENTRY_POINTS).items():
        lines.append(f"[{group}]")
        lines += [f"{name} = recording_factories:{target}" for name, target in members.items()]
    for name in names:
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("\n".join(lines))
