"""What the source of a module tells for sure; silence wherever only running it could tell."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path

import pytest

from wheatpaste.config.sources import Flaw, Found, Sources

Shop = Callable[..., Sources]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Writes modules (``name="source"``; ``a__b`` is ``a/b``) and returns what looks them up."""

    def make(**modules: str) -> Sources:
        for name, text in modules.items():
            path = tmp_path / (name.replace("__", "/").replace("/init/", "/__init__") + ".py")
            path = path.with_name("__init__.py") if path.name == "init.py" else path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Sources([str(tmp_path)])

    return make


MISSING = {
    "a module": ("shop.nothing", "make", "there is no module 'shop.nothing'"),
    "a top-level module": ("shoop", "make", "there is no module 'shoop'"),
    "a module below a module": ("shop.views.inner", "make", "shop.views is a module, not a package"),
    "a name in a module": ("shop.views", "mkae", "shop.views has no 'mkae'"),
    "a name in a package": ("shop", "make", "shop has no 'make'"),
    "a module in a namespace": ("room.nothing", "make", "there is no module 'room.nothing'"),
}


@pytest.mark.parametrize(("module", "name", "what"), MISSING.values(), ids=MISSING)
def test_it_misses(module: str, name: str, what: str, shop: Shop) -> None:
    sources = shop(shop__init="", shop__views="def make(conf): ...", room__inside="make = 1")
    found = sources.look_up(module, name)
    assert isinstance(found, Flaw)
    assert found.what == what


def test_it_finds_modules_in_folders_without_an_init(shop: Shop) -> None:
    sources = shop(garden__shed__tools="def make(conf): ...")
    assert isinstance(sources.look_up("garden.shed.tools", "make"), Found)
    missed = sources.look_up("garden.shed.tolos", "make")
    assert isinstance(missed, Flaw)
    assert missed.what == "there is no module 'garden.shed.tolos'"


def test_it_names_what_there_is_instead(shop: Shop) -> None:
    found = shop(tools="def make(): ...\n_hidden = 1\nimport os\n").look_up("tools", "mkae")
    assert isinstance(found, Flaw)
    assert found.near == ("make",)


def test_it_finds_a_module_that_is_no_python(shop: Shop) -> None:
    found = shop(tools="def make(:\n").look_up("tools", "make")
    assert isinstance(found, Flaw)
    assert "tools.py:1 is no valid Python" in found.what


DEFINITIONS = {
    "a function": "def make(conf): ...",
    "a class": "class make: ...",
    "an async function": "async def make(conf): ...",
    "another name for it": "def other(conf): ...\nmake = other",
    "an import": "from definitions import other as make",
    "an import of an import": "from passing import again as make",
    "a call": "make = object()",
}


@pytest.mark.parametrize("source", DEFINITIONS.values(), ids=DEFINITIONS)
def test_it_follows_to(source: str, shop: Shop) -> None:
    sources = shop(tools=source, definitions="def other(conf): ...", passing="from definitions import other as again")
    found = sources.look_up("tools", "make")
    assert isinstance(found, Found)
    assert isinstance(found.node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef | ast.Call)


def test_it_follows_relative_imports(shop: Shop) -> None:
    sources = shop(
        pack__init="from .inner import make\n",
        pack__inner="from .deep.down import make\n",
        pack__deep__init="",
        pack__deep__down="from ..beside import made as make\n",
        pack__beside="def made(conf): ...",
    )
    found = sources.look_up("pack", "make")
    assert isinstance(found, Found)
    assert found.file.endswith("beside.py")


DOUBTS = {
    "a star import": "from os.path import *",
    "a __getattr__ of the module": "def __getattr__(name): ...",
    "exec": "exec('make = 1')",
    "globals()": "globals()['make'] = 1",
    "a module that replaces itself": "import sys\nsys.modules[__name__] = object()",
    "a definition under a condition": "if len('x'):\n    def make(): ...",
    "two definitions": "def make(): ...\ndef make(conf): ...",
    "a definition in try": "try:\n    from fast import make\nexcept ImportError:\n    def make(conf): ...",
    "a name that a function makes": "def setup():\n    global make\n    make = 1\nsetup()",
    "a loop variable": "for make in (1, 2): ...",
    "a with": "with open(__file__) as make: ...",
    "tuples": "(make, other), *rest = (1, 2), 3",
    "an assignment expression": "print(make := 1)",
    "a match": "match 5:\n    case make: ...",
    "an annotation with a value": "make: int = 5",
    "an import of a module": "import os.path as make",
    "an alias of a builtin": "make = str",
    "an import that would fail": "from nowhere_at_all import make",
    "an import of what is not there": "from os import nothing_at_all as make",
    "a circle of names": "other = make\nmake = other",
    "a circle of imports": "from tools import make",
}


@pytest.mark.parametrize("source", DOUBTS.values(), ids=DOUBTS)
def test_it_says_nothing_about(source: str, shop: Shop) -> None:
    assert shop(tools=source).look_up("tools", "make") is None


def test_it_says_nothing_about_submodules_used_as_attributes(shop: Shop) -> None:
    assert shop(pack__init="", pack__inner="").look_up("pack", "inner") is None


def test_it_says_nothing_about_packages_that_search_elsewhere(shop: Shop) -> None:
    assert shop(pack__init="__path__.append('/somewhere')\n").look_up("pack.inner", "make") is None


@pytest.mark.parametrize(("module", "name"), [("sys", "path"), ("_json", "nothing"), ("math", "nothing"), ("os", "")])
def test_it_says_nothing_about_modules_without_source(module: str, name: str) -> None:
    assert Sources().look_up(module, name) is None


@pytest.mark.parametrize("package", ["flask", "json", "email", "logging", "webob", "werkzeug", "jinja2", "xml.etree"])
def test_whatever_can_be_imported_is_not_missed(package: str) -> None:
    sources = Sources()
    names = [package]
    names += [f"{package}.{each.name}" for each in pkgutil.iter_modules(importlib.import_module(package).__path__)]
    missed = []
    for name in names:
        try:
            module = importlib.import_module(name)
        except (ImportError, SystemExit):
            continue
        missed += [(name, each) for each in vars(module) if isinstance(sources.look_up(name, each), Flaw)]
    assert missed == []
