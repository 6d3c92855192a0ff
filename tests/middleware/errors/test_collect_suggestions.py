"""What is known about a mistake beyond its message: facts, never guesses."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest
from failing_code import Project

from wheatpaste.middleware.errors.collect import suggestions
from wheatpaste.middleware.errors.collect.capture import collect
from wheatpaste.middleware.errors.collect.nearness import near


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def said(project: Project, text: str, **names: Any) -> tuple[str, ...]:
    return project.record(text, **names).raised.suggestions


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        pytest.param("customer = 1\ncustmer\n", ["There is customer."], id="a name nearby"),
        pytest.param("def f(customer):\n    custmer\nf(1)\n", ["There is customer."], id="an argument nearby"),
        pytest.param("pritn(1)\n", ["There is print."], id="a function of Python's"),
        pytest.param("xyzzy_quux\n", [], id="nothing nearby"),
        pytest.param("x = y\n", [], id="a name of one letter"),
        pytest.param("json.dumps(1)\n", ["json is a module of Python's own; it is not imported here."], id="a module"),
        pytest.param(
            "urllib2.urlopen\n",
            ["urllib2 is a name of Python 2; the module is called urllib.request now."],
            id="a module of Python 2",
        ),
        pytest.param(
            "class C:\n    total = 1\n    def f(self):\n        return total\nC().f()\n",
            ["self.total exists."],
            id="an attribute of self",
        ),
        pytest.param(
            "total = 1\ndef f():\n    total += 1\nf()\n",
            ["total belongs to f alone, because it is assigned there; nothing was assigned yet."],
            id="a name that is assigned later",
        ),
    ],
)
def test_d15_names(project: Project, text: str, sentences: list[str]) -> None:
    assert [each for each in said(project, text) if each != "There is C."] == sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        pytest.param("class C:\n    total = 1\nC().totla\n", ["C has total."], id="of the class"),
        pytest.param("class C:\n    total = 1\nC.totla\n", ["C has total."], id="of a class itself"),
        pytest.param("class C: pass\nc = C()\nc.total = 1\nc.totla\n", ["C has total."], id="of the object"),
        pytest.param("class C: __slots__ = ['total']\nC().totla\n", ["C has total."], id="of a slot"),
        pytest.param("[].apend(1)\n", ["list has append."], id="of a list"),
        pytest.param("import os\nos.getcdw()\n", ["There is getcwd."], id="of a module"),
        pytest.param("None.total\n", [], id="of None"),
        pytest.param("raise AttributeError('made by hand')\n", [], id="of nothing"),
    ],
)
def test_d15_attributes(project: Project, text: str, sentences: list[str]) -> None:
    assert [each for each in said(project, text) if not each.startswith("There is getcwdb")] == sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        pytest.param("o = {'total': None}\no['total'] * 2\n", ["o['total'] is None."], id="a part of the statement"),
        pytest.param("a = None; b = 1\nb + a\n", ["a is None."], id="a variable"),
        pytest.param("a = None\nlen(a.b)\n", ["a is None."], id="what was asked for an attribute"),
        pytest.param("a = b = None\nlen(b)\n", ["b is None."], id="not what the statement does not name"),
        pytest.param("a = None\na or 1 / 0\n", [], id="not where the message does not speak of it"),
        pytest.param("def f(): pass\nf().b\n", [], id="not what would have to be called"),
    ],
)
def test_d15_what_is_none(project: Project, text: str, sentences: list[str]) -> None:
    assert list(said(project, text)) == sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        pytest.param("d = {'total': 1}\nd['totla']\n", ["d has 'total'."], id="a key nearby"),
        pytest.param("d = {1: 1}\nd['1']\n", ["d has the number 1; asked for was the text '1'."], id="a number"),
        pytest.param("d = {'1': 1}\nd[1]\n", ["d has the text '1'; asked for was the number."], id="a text"),
        pytest.param("d = {}\nd['total']\n", ["d is empty."], id="nothing in it"),
        pytest.param("d = {'xyzzy': 1}\nd['total']\n", [], id="no key nearby"),
        pytest.param("def f(d): return d['totla']\nf({'total': 1})\n", ["d has 'total'."], id="in a function"),
        pytest.param("other = {'total': 1}\nd = {'x': 1}\nd['totla']\n", [], id="not of another mapping"),
        pytest.param(
            "import os\nos.environ['PAHT']\n",
            ["The environment has no variable PAHT.", "There is PATH."],
            id="a variable of the environment",
        ),
    ],
)
def test_d15_keys(project: Project, text: str, sentences: list[str]) -> None:
    assert list(said(project, text)) == sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        pytest.param("from json import dmups\n", ["json has dumps."], id="a name nearby"),
        pytest.param("import jsno\n", ["There is json.", "There is _json."], id="a module nearby"),
        pytest.param("import json.decodr\n", ["json has the module decoder."], id="a module in a package"),
        pytest.param(
            "import socket.tcp\n", ["socket is a module, not a package; it has no modules below it."], id="no package"
        ),
        pytest.param(
            "import ConfigParser\n",
            ["ConfigParser is a name of Python 2; the module is called configparser now."],
            id="a module of Python 2",
        ),
        pytest.param("import xyzzy_quux\n", [], id="nothing nearby"),
    ],
)
def test_d15_imports(project: Project, text: str, sentences: list[str]) -> None:
    assert list(said(project, text))[: len(sentences) or None] == sentences


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("fitz", "fitz is part of the distribution PyMuPDF, which is not installed."),
        ("cv2.gapi", "cv2 is part of the distribution opencv-python, which is not installed."),
        ("asyncore", "asyncore was part of Python until it was removed in 3.12; this is "),
    ],
)
def test_d15_a_module_that_is_not_there_is_found_by_what_installs_it(name: str, sentence: str) -> None:
    (found,) = collect(ModuleNotFoundError("no", name=name)).raised.suggestions
    assert found.startswith(sentence)


def test_d15_modules_that_import_each_other_in_a_circle_are_named(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("import circle_b\nvalue = 1\n", "circle_a.py")
    project.write("from circle_a import value\n", "circle_b.py")
    monkeypatch.syspath_prepend(str(project.folder))
    try:
        sentences = said(project, "import circle_a\n")
    finally:
        sys.modules.pop("circle_b", None)
    assert sentences[0] == "circle_a was still being imported: modules import each other in a circle."


def test_d15_a_file_that_hides_a_module_of_python_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project.write("x = 1\n", "colorsys.py")
    monkeypatch.syspath_prepend(str(project.folder))
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    try:
        sentences = said(project, "import colorsys\ncolorsys.rgb_to_hsv\n")
    finally:
        sys.modules.pop("colorsys", None)
    assert sentences == (f"colorsys is {path} here, which hides Python's own module of that name.",)


def test_d15_files(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    assert said(project, "open('nowhere/a.txt')\n") == (
        f"The path is relative; the working directory is {project.folder}.",
        f"The folder {project.folder}/nowhere does not exist.",
    )
    assert said(project, f"open('{project.folder}/a.txt')\n") == ()


def test_d15_recursion(project: Project) -> None:
    limit = f"{sys.getrecursionlimit():,}"
    sentences = said(project, "def f(): f()\nf()\n")
    assert sentences == (f"Calls may be nested {limit} deep (sys.getrecursionlimit()).",)


def test_d15_decoding(project: Project) -> None:
    sentences = said(project, "b'caf\\xe9'.decode()\n")
    assert sentences == ("In Windows-1252, which Latin-1 texts usually are, that byte is 'é'.",)


def test_d15_suggestions_hold_no_secret(project: Project) -> None:
    record = project.record("password = 'swordfish1'\nd = {'swordfish1': 1}\nd['swordfish2']\n")
    assert record.raised.suggestions
    assert "swordfish1" not in repr(record)


HOSTILE = """
class Hostile:
    def __getattribute__(self, name): raise AttributeError(name)
    def __dir__(self): raise RuntimeError
    __class__ = property(lambda self: 1 / 0)
class Sly(dict):
    def keys(self): raise RuntimeError
    def __iter__(self): raise RuntimeError
    def __contains__(self, key): raise RuntimeError
    def __getitem__(self, key): raise KeyError(key)
"""


@pytest.mark.parametrize("failing", ["Hostile().total", "Sly(total=1)['totla']", "sly = Sly(total=1); sly['totla']"])
def test_d15_hostile_objects_are_not_asked(project: Project, failing: str) -> None:
    record = project.record(f"{HOSTILE}\n{failing}\n")
    assert record.raised.name in ("AttributeError", "KeyError")


def test_d15_providers_can_be_added_and_may_fail(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(error: BaseException, steps: Any, statement: str) -> list[str]:
        raise RuntimeError("no idea")

    def knows(error: BaseException, steps: Any, statement: str) -> list[str]:
        return [f"{statement} cannot be.", "password=swordfish1"]

    monkeypatch.setattr(suggestions, "providers", [fails, knows])
    assert said(project, "1 / 0\n") == ("1 / 0 cannot be.", "password=[redacted: str, 10 chars]")


@pytest.mark.parametrize(
    ("name", "candidates", "found"),
    [
        ("totla", ["total", "title", "x"], ["total"]),
        ("user_name", ["username", "user_names", "userName"], ["userName", "username"]),
        ("Total", ["total"], ["total"]),
        ("total", ["total"], []),
        ("x", ["y"], []),
        ("", ["a"], []),
        ("a" * 100, ["a" * 101], []),
        ("customer", ["custom", "costumer", "consumer", "customise"], ["costumer", "custom"]),
    ],
)
def test_d15_near_names_are_slips(name: str, candidates: list[str], found: list[str]) -> None:
    assert near(name, candidates) == found


def test_d15_looking_for_near_names_takes_no_time() -> None:
    candidates = [f"customer_{number}_name" for number in range(100_000)]
    near("customer_name", candidates)
    began = time.process_time()
    assert near("customer_nmae", candidates)
    assert time.process_time() - began < 0.5
