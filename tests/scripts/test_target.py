"""TARGET: a file first, then a URI, then Python."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wheatpaste.config.problems import ConfigError
from wheatpaste.scripts.target import Target, find_target


def built(target: Target) -> Any:
    """The app of a configuration."""
    composition = target.compose()
    composition.extend_sys_path()
    return composition.build()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with an INI file and modules; what a test imports is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "site.ini").write_text("[app:main]\npaste.app_factory = wares:make\n[app:other]\nuse = main\n")
    (tmp_path / "wares.py").write_text(
        "def app(environ, start_response): ...\n"
        "def make(global_conf): return app\n"
        "def create_app(): return app\n"
        "def none(): return None\n"
        "async def asgi(scope, receive, send): ...\n"
        "class Holder:\n    inner = app\n"
        "number = 3\n"
    )
    (tmp_path / "bare.py").write_text("def make_app(): return lambda e, s: []\n")
    (tmp_path / "exits.py").write_text("raise SystemExit(1)\n")
    (tmp_path / "site.py").write_text("def application(environ, start_response): ...\n")
    package = tmp_path / "src" / "pack"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text("from . import sibling\napp = sibling.app\n")
    (package / "sibling.py").write_text("def app(environ, start_response): ...\n")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("site.ini", None, id="a file"),
        pytest.param("./site.ini#other", "other", id="a file and a name"),
        pytest.param("config:site.ini", None, id="a URI"),
        pytest.param("config:site.ini#other", "other", id="a URI and a name"),
    ],
)
def test_a_file_is_a_configuration(folder: Path, text: str, name: str | None) -> None:
    target = find_target(text)
    assert (target.path, target.name, target.is_python) == (str(folder / "site.ini"), name, False)
    assert callable(built(target))


@pytest.mark.parametrize("text", ["egg:wheatpaste#echo", "call:wares:make"])
def test_a_uri_is_loaded(text: str) -> None:
    assert callable(built(find_target(text)))


@pytest.mark.parametrize(
    "text",
    [
        "wares:app",
        "wares",
        "wares:create_app()",
        "wares:Holder.inner",
        "./wares.py",
        "wares.py:app",
        "./wares.py:create_app()",
        "site.py",
        "src/pack/part.py:app",
    ],
)
def test_python_is_imported(text: str) -> None:
    target = find_target(text)
    assert target.is_python
    assert callable(target.load_object())


def test_a_file_that_is_named_as_a_module_of_python_s_own_does_not_replace_it() -> None:
    import site

    find_target("site.py").load_object()
    assert sys.modules["site"] is site


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("site.in", "the file site.in does not exist; did you mean site.ini?", id="a file misspelt"),
        pytest.param("no/site.ini", "there is no folder no", id="a folder that is missing"),
        pytest.param(".", ". is a directory; name the file, such as ./site.ini", id="a directory"),
        pytest.param("/dev/null", "/dev/null is no regular file", id="a device"),
        pytest.param("ware.py:app", "did you mean wares.py?", id="a .py file misspelt"),
        pytest.param("nosuchmodule", "the file nosuchmodule does not exist", id="neither a file nor a module"),
        pytest.param("wares:1+1", "no name of an object", id="an expression"),
    ],
)
def test_what_names_nothing_is_refused_at_once(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_target(text)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("wares:ap", "wares has no 'ap'; did you mean 'app'?", id="an object misspelt"),
        pytest.param("ware:app", "there is no module 'ware'; did you mean 'wares'?", id="a module misspelt"),
        pytest.param("qqq.zzz:app", "there is no module 'qqq'; install what has it", id="a module of nothing"),
        pytest.param("wares.deep:app", "there is no module 'wares.deep'; install", id="a module in no package"),
        pytest.param("wares:none()", "none() is None", id="a factory that returns None"),
        pytest.param("wares:app()", "or write 'app' if that is the app", id="parentheses behind an app"),
        pytest.param("wares:number", "is of type int and cannot be called", id="no app at all"),
        pytest.param("wares:asgi", "is an ASGI app; wheatpaste serves WSGI apps", id="an ASGI app"),
        pytest.param("wares:asgi(1)", "no name of an object", id="a call with arguments"),
        pytest.param("bare", "has neither 'app' nor 'application'; write bare:make_app()", id="only a factory"),
        pytest.param("exits:app", "called sys.exit", id="a module that exits"),
    ],
)
def test_what_is_no_app_is_refused_when_loaded(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_target(text).load_object()
    assert complaint in str(caught.value)


def test_what_an_import_raises_travels(folder: Path) -> None:
    (folder / "raises.py").write_text("import no_such_module_anywhere\n")
    with pytest.raises(ModuleNotFoundError):
        find_target("raises:app").load_object()


def test_a_file_below_a_folder_with_a_number_sign_is_loaded_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = tmp_path / "c#"
    below.mkdir()
    (below / "site.ini").write_text("[app:main]\nuse = egg:wheatpaste#echo\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="# begins the name of a section; rename it, or start in its folder"):
        find_target(str(below / "site.ini"))
    monkeypatch.chdir(below)
    for text in ("site.ini", "site.ini#main"):
        assert find_target(text).compose().root.section == "app:main"


def test_an_object_of_python_has_no_configuration() -> None:
    with pytest.raises(ValueError, match="names no configuration"):
        find_target("wares:app").compose()
