"""The house: who imports whom, and what may stand where."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = {
    "config": set(),
    "protocol": set(),
    "middleware": {"config", "protocol"},
    "apps": {"config", "protocol"},
    "server": {"config", "protocol"},
    # The command line uses the test client, which stands at the root.
    "scripts": {"config", "protocol", "middleware", "apps", "server", "testing"},
}
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
BANNED_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "base", "core", "manager", "managers"}


def imports(path: Path) -> Iterator[tuple[ast.stmt, str, int]]:
    """Each import of a module: the statement, the dotted name and the number of leading dots."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name, 0
        elif isinstance(node, ast.ImportFrom):
            if node.module:
                yield node, node.module, node.level
            else:
                for alias in node.names:
                    yield node, alias.name, node.level


def absolute(path: Path, name: str, level: int) -> str:
    """The module that a relative import means, as a path below the root: ``config.options``."""
    package = path.relative_to(ROOT).parent.parts
    return ".".join((*package[: len(package) - (level - 1)], *name.split(".")))


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_room_imports_only_the_rooms_below_it(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    for node, name, level in imports(path):
        if not level:
            continue
        target = absolute(path, name, level).split(".")[0]
        allowed = {room, *ROOMS[room]}
        assert target in allowed or target == "__version__", f"{relative(path)}:{node.lineno} imports {target}"


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_imports_inside_the_package_are_relative(path: Path) -> None:
    for node, name, level in imports(path):
        first = name.split(".")[0]
        assert level or first not in {*ROOMS, "wheatpaste"}, f"{relative(path)}:{node.lineno} imports {name}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """At import time: what stands inside functions or under TYPE_CHECKING waits until both exist."""
    graph: dict[str, set[str]] = {}
    known = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in MODULES}
    for module, path in known.items():
        graph[module] = set()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.level:
                names = [node.module] if node.module else [alias.name for alias in node.names]
                for name in names:
                    target = absolute(path, name, node.level)
                    candidates = [target, *(f"{target}.{alias.name}" for alias in node.names)]
                    graph[module].update(each for each in candidates if each in known)
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " → ".join((*trail, module))
        if module in done:
            return
        for target in sorted(graph[module]):
            visit(target, (*trail, module))
        done.add(module)

    for module in graph:
        visit(module, ())


def test_only_three_modules_stand_at_the_root() -> None:
    """A module at the root ships in the wheel."""
    assert sorted(path.name for path in ROOT.glob("*.py")) == ["__init__.py", "__main__.py", "testing.py"]


def test_no_folder_at_the_root_hides_a_module_of_the_standard_library() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()}
    assert not folders & set(sys.stdlib_module_names)


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_module_is_named_for_what_it_is(path: Path) -> None:
    assert path.stem not in BANNED_NAMES


@pytest.mark.parametrize("path", [each for each in MODULES if each.name != "__init__.py"], ids=relative)
def test_a_module_opens_with_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_every_test_module_belongs_to_a_room() -> None:
    folders = {path.parent.relative_to(ROOT / "tests").parts[:1] for path in (ROOT / "tests").rglob("test_*.py")}
    assert {parts[0] for parts in folders if parts} <= {*ROOMS, "programs"}
