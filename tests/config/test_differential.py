"""Our loader against PasteDeploy: the same files must compose the same tree and build the same objects.

What PasteDeploy refuses, or builds as a broken object, is not compared: there ours deliberately does more.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import recording_factories
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from recording_factories import Record

from wheatpaste.config.composition import Composition, Node
from wheatpaste.config.problems import ConfigError

INIS = Path(__file__).parent / "inis"


@pytest.fixture(scope="module", autouse=True)
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A distribution called Kit, installed for the tests of this file."""
    folder = tmp_path_factory.mktemp("site")
    recording_factories.install(folder, "Kit")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setattr(theirs(), "importlib_metadata", quick_metadata())
        yield


def quick_metadata() -> Any:
    """importlib.metadata that reads each distribution once: PasteDeploy asks again for every reference."""

    @functools.cache
    def distribution(name: str) -> Any:
        found = importlib.metadata.distribution(name)
        return SimpleNamespace(entry_points=list(found.entry_points))

    return SimpleNamespace(distribution=distribution, EntryPoint=importlib.metadata.EntryPoint)


def theirs() -> Any:
    return importlib.import_module("paste.deploy.loadwsgi")


def their_tree(context: Any) -> Any:
    """What PasteDeploy's context says, as plain data."""
    shape = context.object_type.name
    confs = (dict(context.global_conf), dict(context.local_conf))
    if shape == "pipeline":
        return (shape, *confs, [their_tree(each) for each in context.filter_contexts], their_tree(context.app_context))
    if shape in ("filter_app", "filtered_with"):
        return (shape, *confs, [their_tree(context.filter_context)], their_tree(context.next_context))
    protocol = context.protocol or f"paste.{shape.replace('application', 'app')}_factory"
    # A filter-app with a call: gets a protocol that does not exist; we take a filter factory.
    protocol = protocol.replace("composit_", "composite_").replace("filter-app_", "filter_")
    return (protocol, *confs, context.object)


def our_tree(node: Node) -> Any:
    """What our node says, in the same form."""
    confs = (dict(node.global_conf), dict(node.local_conf))
    for key, value in (*node.values.items(), *node.globals.items()):
        assert type(value.text) is str, f"{key} is not exactly a str"
    if node.shape in ("pipeline", "filter-app", "filtered"):
        assert node.app is not None
        return (node.object_type.name, *confs, [our_tree(each) for each in node.filters], our_tree(node.app))
    assert node.protocol is not None
    return (node.protocol.replace("composit_", "composite_"), *confs, node.object)


def compare(uri: str, kind: str, global_conf: dict[str, str] | None) -> str:
    """Load both ways and compare. Returns which way it went, so that a test can see that it compared something."""
    loader = theirs()
    limit = sys.getrecursionlimit()
    types = {"app": loader.APP, "filter": loader.FILTER, "server": loader.SERVER}
    try:
        sys.setrecursionlimit(depth() + 200)
        context = loader.loadcontext(types[kind], uri, global_conf=None if global_conf is None else dict(global_conf))
        expected = their_tree(context)
    except (Exception, RecursionError):
        sys.setrecursionlimit(limit)
        # It must be a ConfigError, or one of the repairs; never anything else.
        try:
            Composition.load(uri, kind=kind, global_conf=global_conf)  # type: ignore[arg-type]
        except ConfigError:
            return "both refuse"
        return "repaired"
    finally:
        sys.setrecursionlimit(limit)
    made = Composition.load(uri, kind=kind, global_conf=global_conf)  # type: ignore[arg-type]
    assert our_tree(made.root) == expected
    try:
        built = loader.loadobj(types[kind], uri, global_conf=None if global_conf is None else dict(global_conf))
    except (Exception, RecursionError):
        return "same tree"
    if kind == "app" and not isinstance(built, Record):
        return "same tree"
    mine = Composition.load(uri, kind=kind, global_conf=global_conf).build()  # type: ignore[arg-type]
    if kind != "app":
        built, mine = built("an app"), mine("an app")
    if has_function(built):
        return "same tree"
    assert mine == built
    return "same object"


def depth() -> int:
    """How many frames there are: PasteDeploy runs into the limit at every loop, which is quicker with a low one."""
    frame, count = sys._getframe(), 0
    while frame.f_back is not None:
        frame, count = frame.f_back, count + 1
    return count


def has_function(record: Any) -> bool:
    """Whether a filter stands somewhere in place of an app: what PasteDeploy makes of some filter-withs."""
    if isinstance(record, Record):
        return any(has_function(each) for each in record.inner)
    return callable(record)


def real_files() -> list[Any]:
    cases = []
    for path in sorted(INIS.glob("*.ini")):
        for kind, prefixes in {
            "app": ("app", "application", "composite", "composit", "pipeline", "filter-app"),
            "filter": ("filter",),
            "server": ("server",),
        }.items():
            for line in path.read_text(encoding="utf-8").splitlines():
                prefix, _, name = line.strip("[]").partition(":")
                if line.startswith("[") and prefix in prefixes:
                    cases.append(pytest.param(f"config:{path}#{name}", kind, id=f"{kind} {name} of {path.name}"))
    return cases


@pytest.mark.parametrize(("uri", "kind"), real_files())
@pytest.mark.parametrize(
    "global_conf", [None, {"debug": "no", "extra": "1"}], ids=["without variables", "with variables"]
)
def test_a_file_of_the_real_world_composes_and_builds_the_same(uri: str, kind: str, global_conf: Any) -> None:
    assert compare(uri, kind, global_conf) in ("same object", "same tree")


NAMES = ("a", "b", "c", "main")
KEYS = ("x", "y", "z", "name with space", "dotted.key")
PIECES = ("1", "two words", "", "%(x)s", "%(y)s", "%(z)s", "%%", "%(here)s", "%(__file__)s", "/", "ü", "%(missing)s")


class Writer:
    """Writes random INI files. Shrinking one would take minutes and yield little: the seed and the files are shown."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def text(self) -> str:
        if self.random.random() < 0.3:
            return self.random.choice(PIECES)
        return "".join(self.random.choices(PIECES[:-1], k=self.random.randint(0, 3)))

    def keys(self, most: int, form: str = "{} = {}") -> list[str]:
        return [form.format(key, self.text()) for key in self.random.sample(KEYS, self.random.randint(0, most))]

    def use(self, kind: str) -> str:
        entries = {"app": ("app", "other", "composite"), "filter": ("filter", "wrap"), "server": ("server", "main")}
        choice = self.random.choice
        return choice(
            [
                f"use = egg:Kit#{choice(entries[kind])}",
                f"use = {choice(NAMES)}",
                f"use = config:{choice(('one', 'two'))}.ini#{choice(NAMES)}",
                f"use = call:recording_factories:{kind}_factory",
                f"paste.{kind}_factory = recording_factories:{kind}_factory",
            ]
        )

    def section(self, prefix: str, name: str) -> str:
        choice, kinds = self.random.choice, {"filter": "filter", "filter-app": "filter", "server": "server"}
        lines = [f"[{prefix}:{name}]"]
        if prefix == "pipeline":
            filters = self.random.choices((*NAMES, "egg:Kit#wrap"), k=self.random.randint(0, 2))
            lines.append(f"pipeline = {' '.join([*filters, choice((*NAMES, 'egg:Kit#app'))])}")
        else:
            lines += [self.use(kinds.get(prefix, "app")), *self.keys(3)]
            if self.random.random() < 0.3:
                lines.append(f"get {choice(KEYS)} = {choice((*KEYS, 'here'))}")
        if prefix == "filter-app":
            lines.append(f"next = {choice(NAMES)}")
        lines += self.keys(2, "set {} = {}")
        if self.random.random() < 0.25:
            lines.append(f"filter-with = {choice(NAMES)}")
        return "\n".join(lines)

    def file(self) -> str:
        parts = ["[DEFAULT]", *self.keys(2)]
        if self.random.random() < 0.2:
            parts += self.keys(1, "set {} = {}")
        for name in NAMES:
            prefixes = ("app", "app", "app", "composite", "pipeline", "filter-app", "application")
            parts += [self.section(self.random.choice(prefixes), name), self.section("filter", name)]
        return "\n".join([*parts, self.section("server", "main")])

    def variables(self) -> dict[str, str] | None:
        if self.random.random() < 0.5:
            return None
        return {key: self.random.choice(("v", "100%%")) for key in self.random.sample(KEYS, self.random.randint(0, 2))}


def test_random_pairs_of_files_compose_and_build_the_same(tmp_path_factory: pytest.TempPathFactory) -> None:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=300,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(seed=st.integers(0, 2**32))
    def run(seed: int) -> None:
        writer = Writer(seed)
        folder = tmp_path_factory.mktemp("pair")
        texts = {name: writer.file() for name in ("one.ini", "two.ini")}
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        conf = writer.variables()
        for kind, name in (("app", "main"), ("app", "a"), ("filter", "b"), ("server", "main")):
            try:
                seen[compare(f"config:{folder}/one.ini#{name}", kind, conf)] += 1
            except BaseException:
                note("\n\n".join(f"## {each}\n{text}" for each, text in texts.items()))
                note(f"{kind} {name} with {conf}")
                raise

    run()
    # Files that nobody can load would compare nothing.
    assert seen["same object"] > 100
