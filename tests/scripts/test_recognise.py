"""Applications recognised by their files."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from wheatpaste.scripts.applications import Unrecognised
from wheatpaste.scripts.recognise import applications_in, recognise

WSGI = ("use", "egg:wheatpaste#wsgi")


@pytest.fixture
def project(tmp_path: Path):
    """Writes files below a folder, and returns it: ``project({"app.py": "…"})``."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        return tmp_path

    return write


OBJECTS = {
    "a Flask object": ("from flask import Flask\napp = Flask(__name__)", "Flask"),
    "a Flask object of an imported module": ("import flask\napp = flask.Flask(__name__)", "Flask"),
    "a Flask object under another name": ("import flask as f\napp = f.Flask(__name__)", "Flask"),
    "a class imported under another name": ("from flask import Flask as F\napp: F = F(__name__)", "Flask"),
    "a Bottle object": ("import bottle\napp = bottle.default_app()", "Bottle"),
    "Pyramid's router": ("from pyramid.config import Configurator\napp = Configurator().make_wsgi_app()", "Pyramid"),
    "an object that is made under a condition": (
        "try:\n    import flask\nfinally:\n    app = flask.Flask('x')",
        "Flask",
    ),
}


@pytest.mark.parametrize(("source", "framework"), OBJECTS.values(), ids=OBJECTS)
def test_an_object_is_recognised_by_what_makes_it(project, source: str, framework: str) -> None:
    found = recognise(".", project({"shop.py": source}))
    assert found.framework == framework
    assert found.settings == (WSGI, ("app", "shop:app"))
    assert found.root == project({})


def test_a_factory_is_recognised_by_its_name_and_what_it_makes(project) -> None:
    folder = project({"shop/__init__.py": "from flask import Flask\ndef create_app(test=None):\n    return Flask('x')"})
    assert recognise(".", folder).settings == (WSGI, ("app", "shop:create_app"), ("factory", "true"))


def test_a_factory_that_wants_arguments_is_not_offered(project) -> None:
    folder = project({"shop.py": "from flask import Flask\ndef create_app(config):\n    return Flask('x')"})
    assert applications_in(folder) == []
    with pytest.raises(Unrecognised, match=r"cannot be called without arguments \(config\)"):
        recognise("shop:create_app", folder)


def test_objects_come_before_factories_and_usual_names_before_others(project) -> None:
    source = "from flask import Flask\nother = Flask('x')\n"
    folder = project(
        {
            "a.py": source,
            "b/c/__init__.py": "from flask import Flask\napp = Flask('x')",
            "d.py": "from flask import Flask\ndef create_app():\n    return Flask('x')",
            "wsgi.py": "from flask import Flask\napp = Flask('x')",
        }
    )
    assert [each.name for each in applications_in(folder)] == ["wsgi:app", "c:app", "a:other", "d:create_app"]


DJANGO = {
    "manage.py": """
        import os

        def main():
            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "library.settings")
        """,
    "library/__init__.py": "",
}


@pytest.mark.parametrize(
    "files",
    [
        {"library/settings.py": 'WSGI_APPLICATION = "library.wsgi.application"'},
        {
            "library/settings/__init__.py": "from .base import *",
            "library/settings/base.py": 'WSGI_APPLICATION = "library.wsgi.application"',
        },
        {"library/settings.py": "", "library/wsgi.py": "application = None"},
    ],
    ids=["its settings name it", "one module of its settings names it", "its wsgi module has the usual name"],
)
def test_a_django_project_is_recognised_by_manage_py(project, files: dict[str, str]) -> None:
    folder = project({**DJANGO, **files})
    for named in (".", "manage.py"):
        found = recognise(named, folder)
        assert (found.framework, found.root) == ("Django", folder)
        assert found.settings == (WSGI, ("app", "library.wsgi:application"))


PYRAMID = {
    "wiki/__init__.py": """
        from pyramid.config import Configurator

        def main(global_config, **settings):
            key = settings["session.secret"]
            name = settings["site.name"]
            return Configurator(settings=settings).make_wsgi_app()
        """
}


def test_a_pyramid_project_is_mounted_by_its_factory_with_a_secret_of_its_own(project) -> None:
    folder = project(PYRAMID)
    found, again = recognise(".", folder), recognise("wiki:main", folder)
    assert (found.framework, again.framework) == ("Pyramid", "Pyramid")
    assert found.holds_secret
    settings = dict(found.settings)
    assert list(settings) == ["paste.app_factory", "session.secret"]
    assert settings["paste.app_factory"] == "wiki:main"
    assert len(settings["session.secret"]) == 64
    assert settings["session.secret"] != dict(again.settings)["session.secret"]


def test_a_pyramid_project_is_mounted_by_its_own_file_where_that_works(project) -> None:
    folder = project({**PYRAMID, "development.ini": "[app:main]\nuse = egg:pyramid#main\n"})
    found = recognise(".", folder)
    assert found.settings == (("use", "config:development.ini"),)


def test_the_settings_of_a_pyramid_project_that_is_not_installed_are_taken_over(project) -> None:
    folder = project({**PYRAMID, "development.ini": "[app:main]\nuse = egg:no-such-wiki\npyramid.includes = a b\n"})
    found = recognise(".", folder)
    assert found.settings == (("paste.app_factory", "wiki:main"), ("pyramid.includes", "a b"))


NAMED = {
    "a WSGI function": ("def app(environ, start_response): ...", "shop:app", (WSGI, ("app", "shop:app"))),
    "a function without arguments": (
        "def app(): ...",
        "shop:app",
        (WSGI, ("app", "shop:app"), ("factory", "true")),
    ),
    "a call": ("app = something()", "shop:app()", (WSGI, ("app", "shop:app"), ("factory", "true"))),
    "an object of unknown make": ("app = something()", "shop:app", (WSGI, ("app", "shop:app"))),
    "a paste.deploy factory": (
        "def app(global_conf, title, *, size, colour=1, **more): ...",
        "shop:app",
        (("paste.app_factory", "shop:app"), ("title", "CHANGE-ME"), ("size", "CHANGE-ME")),
    ),
    "a class that is an application once made": (
        "class App:\n    def __call__(self, environ, start_response): ...",
        "shop:App",
        (WSGI, ("app", "shop:App"), ("factory", "true")),
    ),
    "a name that another module provides": (
        "from wsgiref.simple_server import demo_app as app",
        "shop:app",
        (WSGI, ("app", "shop:app")),
    ),
    "a module alone": (
        "from flask import Flask\napplication = Flask('x')",
        "shop",
        (WSGI, ("app", "shop:application")),
    ),
    "a file": ("application = something()", "shop.py", (WSGI, ("app", "shop:application"))),
}


@pytest.mark.parametrize(("source", "text", "settings"), NAMED.values(), ids=NAMED)
def test_what_is_named_is_mounted_by_what_it_is(project, source: str, text: str, settings) -> None:
    assert recognise(text, project({"shop.py": source})).settings == settings


def test_a_module_of_an_installed_package_needs_no_folder(project) -> None:
    found = recognise("wsgiref.simple_server:demo_app", project({}))
    assert found.root is None
    assert found.settings == (WSGI, ("app", "wsgiref.simple_server:demo_app"))


def test_a_package_below_src_is_imported_from_there(project) -> None:
    folder = project({"src/shop/__init__.py": "", "src/shop/web.py": "def app(environ, start_response): ..."})
    assert recognise("shop.web:app", folder).root == folder / "src"


REFUSED = {
    "a name that is misspelt": ("shop:ap", "defines no 'ap'; did you mean 'app'?"),
    "a module that is not there": ("shopp:app", "there is no module shopp"),
    "a file that is not there": ("nothing.py", "there is no file or folder nothing.py"),
    "an INI file": ("site.ini", "is an INI file already"),
    "a file without an application": ("empty.py", "no application was recognised"),
    "a file that is no Python": ("broken.py", "is no Python file that can be read"),
    "words": ("my app", "write module:object"),
    "an asynchronous application": ("api:app", "WSGI is served here"),
    "a coroutine function": ("api:handler", "is asynchronous"),
    "a folder without an application": ("none", "no application was recognised in"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_mounted_is_refused_with_a_reason(project, text: str, message: str) -> None:
    folder = project(
        {
            "shop.py": "app = something()",
            "site.ini": "",
            "empty.py": "",
            "broken.py": "def (",
            "none/readme.txt": "",
            "api.py": "from fastapi import FastAPI\napp = FastAPI()\nasync def handler(environ, start_response): ...",
        }
    )
    with pytest.raises(Unrecognised) as caught:
        recognise(text, folder)
    assert message in str(caught.value)


def test_nothing_of_the_application_runs(project) -> None:
    folder = project({"shop.py": "from flask import Flask\napp = Flask('x')\nopen('ran', 'w')\nraise SystemExit"})
    assert recognise(".", folder).name == recognise("shop:app", folder).name == "shop:app"
    assert not (folder / "ran").exists()
    assert not Path("ran").exists()


def test_environments_and_tests_are_not_searched(project) -> None:
    source = "from flask import Flask\napp = Flask('x')"
    files = {".hidden/a.py": source, "tests/b.py": source, "place/pyvenv.cfg": "", "place/lib/c.py": source}
    assert applications_in(project({**files, "test_d.py": source})) == []
