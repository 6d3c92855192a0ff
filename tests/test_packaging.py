"""What ships: the packages, the entry points, the data, and how little an import costs."""

import configparser
import importlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")
ENTRY_POINTS = [
    (group, *(part.strip() for part in line.split("=", 1)))
    for group, lines in SETUP["options.entry_points"].items()
    for line in lines.strip().splitlines()
]
ROOMS = ("apps", "config", "middleware", "protocol", "scripts", "server")


def test_setup_lists_every_package_of_the_tree() -> None:
    tree = {"wheatpaste"}
    for room in ROOMS:
        for init in (ROOT / room).rglob("__init__.py"):
            tree.add(".".join(("wheatpaste", *init.parent.relative_to(ROOT).parts)))
    assert set(SETUP["options"]["packages"].split()) == tree


@pytest.mark.parametrize(("group", "name", "target"), ENTRY_POINTS, ids=[f"{g}:{n}" for g, n, _ in ENTRY_POINTS])
def test_every_entry_point_resolves(group: str, name: str, target: str) -> None:
    module, _, attribute = target.partition(":")
    assert callable(getattr(importlib.import_module(module), attribute))


@pytest.mark.parametrize(("group", "name", "target"), ENTRY_POINTS, ids=[f"{g}:{n}" for g, n, _ in ENTRY_POINTS])
def test_an_entry_point_stands_in_the_group_of_its_protocol(group: str, name: str, target: str) -> None:
    if not group.startswith("paste."):
        return
    module, _, attribute = target.partition(":")
    assert getattr(importlib.import_module(module), attribute).protocol == group


def test_the_public_names_load_from_the_top() -> None:
    import wheatpaste

    for name in wheatpaste.__all__:
        assert getattr(wheatpaste, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = wheatpaste.no_such_name


def imported_by(code: str) -> set[str]:
    """The modules that a fresh interpreter holds after running ``code``."""
    script = f"{code}\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True, cwd=ROOT / "tests"
    )
    return set(done.stdout.split())


HEAVY = {
    "paste",
    "webob",
    "waitress",
    "httptools",
    "jinja2",
    "asyncio",
    "ssl",
    "wheatpaste.server.engine",
    "logging.config",
    "importlib.metadata",
    "email",
}


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import wheatpaste", set()),
        ("import wheatpaste.config.options, wheatpaste.config.factories", set()),
        ("import wheatpaste.middleware.urlmap, wheatpaste.middleware.cascade", set()),
        ("import wheatpaste.scripts.main", set()),
        ("import wheatpaste.config.loadwsgi", set()),
        ("import wheatpaste.server.http_server", set()),
        ("import wheatpaste.server.serving", set()),
        ("import wheatpaste.server.foreign.waitress_server", set()),
    ],
    ids=[
        "the package",
        "options",
        "mounting",
        "the command line",
        "the loader",
        "the server's options",
        "serving",
        "Waitress' options",
    ],
)
def test_an_import_stays_within_its_budget(code: str, allowed: set[str]) -> None:
    # Some distributions put modules into every interpreter of an environment; those are not ours to pay for.
    assert not (imported_by(code) - imported_by("pass")) & HEAVY - allowed


# WebOb imports cgi, and Pyramid pkg_resources.
_NOT_OURS = ["-W", "ignore::DeprecationWarning", "-W", "ignore:pkg_resources is deprecated:UserWarning"]


# Each module in a process of its own, forked before anything of ours was imported.
_ALONE = """
import os, sys
failed = []
for module in sys.argv[1:]:
    if not (child := os.fork()):
        try:
            __import__(module)
        except BaseException as error:
            print(f"{module}: {error!r}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        failed.append(module)
sys.exit(" ".join(failed) or 0)
"""


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_imports_alone(room: str) -> None:
    modules = []
    for path in sorted((ROOT / room).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        modules.append(".".join(("wheatpaste", *(part for part in parts if part != "__init__"))))
    argv = [sys.executable, "-P", "-W", "error", *_NOT_OURS, "-c", _ALONE, *modules]
    done = subprocess.run(argv, stderr=subprocess.PIPE, text=True, cwd=ROOT / "tests", check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif("WHEATPASTE_WHEEL" not in os.environ, reason="only `make test` builds the wheel")
class TestWheel:
    """The wheel holds what git knows of the package, and nothing else."""

    def names(self) -> set[str]:
        with zipfile.ZipFile(os.environ["WHEATPASTE_WHEEL"]) as wheel:
            return {name for name in wheel.namelist() if ".dist-info/" not in name}

    def test_it_holds_every_module_and_data_file_of_the_rooms(self) -> None:
        wanted = {"wheatpaste/__init__.py", "wheatpaste/__main__.py", "wheatpaste/testing.py", "wheatpaste/py.typed"}
        for room in ROOMS:
            for path in (ROOT / room).rglob("*"):
                is_starter = path.suffix == ".ini" and path.parent == ROOT / "config"  # not all of them ship
                if path.is_file() and "__pycache__" not in path.parts and not is_starter:
                    wanted.add(f"wheatpaste/{path.relative_to(ROOT).as_posix()}")
        wanted |= {"wheatpaste/config/development.ini", "wheatpaste/config/production.ini"}
        assert self.names() == wanted
