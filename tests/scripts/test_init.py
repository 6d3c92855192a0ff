"""An INI file around an application that exists."""

from __future__ import annotations

import io
import os
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from running_server import RunningServer

from wheatpaste.config import ini
from wheatpaste.scripts.main import main

FLASK = {
    "shop.py": """
        from flask import Flask

        app = Flask(__name__)


        @app.get("/")
        def home():
            return "from flask"
        """
}
FLASK_FACTORY = {
    "shop/__init__.py": """
        from flask import Flask


        def create_app(test_config=None):
            app = Flask(__name__)
            app.add_url_rule("/", view_func=lambda: "from a factory")
            return app
        """
}
DJANGO = {
    "manage.py": """
        import os

        if __name__ == "__main__":
            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "library.settings")
        """,
    "library/__init__.py": "",
    "library/settings.py": """
        SECRET_KEY = "of the project itself"
        ALLOWED_HOSTS = ["*"]
        ROOT_URLCONF = "library.urls"
        WSGI_APPLICATION = "library.wsgi.application"
        """,
    "library/urls.py": """
        from django.http import HttpResponse
        from django.urls import path

        urlpatterns = [path("", lambda request: HttpResponse("from django"))]
        """,
    "library/wsgi.py": """
        import os

        from django.core.wsgi import get_wsgi_application

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "library.settings")
        application = get_wsgi_application()
        """,
}
PYRAMID = {
    "wiki/__init__.py": """
        from pyramid.config import Configurator
        from pyramid.response import Response


        def main(global_config, **settings):
            key = settings["session.secret"]
            config = Configurator(settings=settings)
            config.add_route("home", "/")
            config.add_view(lambda request: Response(f"from pyramid {len(key)}"), route_name="home")
            return config.make_wsgi_app()
        """
}
PYRAMID_WITH_FILE = {
    **PYRAMID,
    "development.ini": """
        [app:main]
        use = egg:wiki-that-is-not-installed
        session.secret = from its own file
        pyramid.reload_templates = true
        """,
}
PYRAMID_IN_USE = {
    **PYRAMID,
    "development.ini": """
        [app:main]
        use = call:wiki:main
        session.secret = this one stands in its own file
        """,
}
BOTTLE = {
    "poll.py": """
        import bottle

        app = bottle.Bottle()
        app.route("/", callback=lambda: "from bottle")
        """
}
PROJECTS = {
    "Flask": (FLASK, [], "from flask"),
    "a Flask factory": (FLASK_FACTORY, [], "from a factory"),
    "Django": (DJANGO, [], "from django"),
    "Pyramid": (PYRAMID, [], "from pyramid 64"),
    "Pyramid with a file of its own": (PYRAMID_WITH_FILE, [], "from pyramid 17"),
    "Pyramid with a file that works": (PYRAMID_IN_USE, ["deploy/site.ini"], "from pyramid 31"),
    "Bottle": (BOTTLE, [], "from bottle"),
    "module:object": (BOTTLE, ["--app", "poll:app"], "from bottle"),
    "production": (FLASK, ["--from", "production"], "from flask"),
    "a file in another folder": (FLASK, ["deploy/site.ini"], "from flask"),
}


class Answer(NamedTuple):
    code: int
    out: str
    errors: str


Ask = Callable[..., Answer]
Write = Callable[[dict[str, str]], Path]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a project into a folder of its own, and goes there."""

    def write(files: dict[str, str]) -> Path:
        folder = tmp_path / "project"
        (folder / "deploy").mkdir(parents=True)
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")
        monkeypatch.chdir(folder)
        return folder

    return write


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs ``wheatpaste init``; with ``answers`` at a terminal."""

    def run(*words: str, answers: str | None = None) -> Answer:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.StringIO() if answers is None else Terminal(answers))
            if answers is not None:
                patch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
            return Answer(main(["init", *words]), *capsys.readouterr())

    return run


def written(path: Path) -> dict[str, dict[str, str]]:
    return {
        header: {key: option.text for key, option in section.options.items()}
        for header, section in ini.read_path(str(path)).sections.items()
    }


def target_of(words: list[str]) -> str:
    return next((word for word in words if word.endswith(".ini")), "site.ini")


@pytest.mark.parametrize(("files", "words", "expected"), PROJECTS.values(), ids=PROJECTS)
def test_what_it_writes_is_checked_without_a_word(
    project: Write, ask: Ask, capsys: pytest.CaptureFixture[str], files: dict[str, str], words: list[str], expected: str
) -> None:
    project(files)
    words = words if "--app" in words else [*words, "--app", "."]
    answer = ask(*words)
    assert answer.code == 0, answer.errors
    target = target_of(words)
    assert answer.out.startswith(f"Wrote {target}, which serves ")
    assert f"wheatpaste serve {target}" in answer.out
    assert main(["check", target]) == 0
    out, err = capsys.readouterr()
    assert "warning" not in out + err


@pytest.mark.slow
@pytest.mark.parametrize(("files", "words", "expected"), PROJECTS.values(), ids=PROJECTS)
def test_what_it_writes_is_served(
    project: Write,
    ask: Ask,
    running_server: Callable[..., RunningServer],
    tmp_path: Path,
    files: dict[str, str],
    words: list[str],
    expected: str,
) -> None:
    folder = project(files)
    words = words if "--app" in words else [*words, "--app", "."]
    assert ask(*words).code == 0
    # Served from another working directory: the file says itself where the app is.
    server = running_server(folder / target_of(words), cwd=tmp_path)
    answer = server.request("GET", "/")
    assert (answer.status, answer.text) == (200, expected)
    assert server.request("GET", "/health/livez").status == 200


def test_the_file_says_where_python_finds_the_app(project: Write, ask: Ask) -> None:
    folder = project(FLASK)
    ask("--app", "shop:app")
    assert written(folder / "site.ini")["wheatpaste"] == {"python_path": "%(here)s"}
    ask("deploy/site.ini", "--app", "shop:app")
    assert written(folder / "deploy/site.ini")["wheatpaste"] == {"python_path": "%(here)s/.."}
    ask("other.ini", "--app", "wsgiref.simple_server:demo_app")
    assert "wheatpaste" not in written(folder / "other.ini")


def test_a_file_of_the_project_is_referred_to_from_where_the_new_one_stands(project: Write, ask: Ask) -> None:
    folder = project(PYRAMID_IN_USE)
    ask("site.ini", "--app", ".")
    ask("deploy/site.ini", "--app", ".")
    assert written(folder / "site.ini")["app:site"] == {"use": "config:development.ini"}
    assert written(folder / "deploy/site.ini")["app:site"] == {"use": "config:../development.ini"}


def test_comments_lead_through_the_file(project: Write, ask: Ask) -> None:
    project(FLASK)
    text = ask("--app", ".", "--stdout").out
    assert "# The application: shop:app (Flask).\n[app:site]\nuse = egg:wheatpaste#wsgi\napp = shop:app\n" in text
    assert "development.ini" not in text
    assert "wheatpaste serve site.ini" in text
    assert "# [app:files]\n# use = egg:wheatpaste#static\n" in text
    assert "# /static = files\n" in text
    assert "YOUR APPLICATION" not in text


def test_a_secret_that_is_made_up_is_for_its_owner_alone(project: Write, ask: Ask) -> None:
    folder = project(PYRAMID)
    answer = ask("--app", ".")
    secret = written(folder / "site.ini")["app:site"]["session.secret"]
    assert re.fullmatch(r"[0-9a-f]{64}", secret)
    assert (folder / "site.ini").stat().st_mode & 0o777 == 0o600
    assert "only you can read it" in answer.out
    assert secret not in answer.out


def test_a_file_without_secrets_has_the_usual_rights(project: Write, ask: Ask) -> None:
    folder = project(FLASK)
    before = os.umask(0o027)
    try:
        ask("--app", ".")
    finally:
        os.umask(before)
    assert (folder / "site.ini").stat().st_mode & 0o777 == 0o640


def test_nothing_is_overwritten_unless_told_to(project: Write, ask: Ask) -> None:
    folder = project(FLASK)
    (folder / "site.ini").write_text("mine")
    answer = ask("--app", ".")
    assert (answer.code, answer.out) == (1, "")
    assert "--force overwrites it" in answer.errors
    assert (folder / "site.ini").read_text() == "mine"
    assert ask("--app", ".", "--force").code == 0
    assert "[app:site]" in (folder / "site.ini").read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["deploy", "shop.py", "site.ini"]


REFUSED = {
    "a folder that is not there": (["no/such/site.ini"], 1, "there is no folder"),
    "a folder instead of a file": (["deploy"], 1, "is a folder"),
    "an application that is not there": (["--app", "shp:app"], 1, "there is no module shp"),
    "a name that is misspelt": (["--app", "shop:ap"], 1, "did you mean 'app'?"),
    "an unknown starter": (["--from", "staging"], 2, "--from"),
}


@pytest.mark.parametrize(("words", "code", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_written_is_refused(project: Write, ask: Ask, words: list[str], code: int, message: str) -> None:
    folder = project(FLASK)
    answer = ask(*([] if "--app" in words else ["--app", "."]), *words)
    assert (answer.code, answer.out) == (code, "")
    assert message in answer.errors
    assert sorted(path.name for path in folder.iterdir()) == ["deploy", "shop.py"]


def test_without_a_terminal_the_application_has_to_be_named(project: Write, ask: Ask) -> None:
    project(FLASK)
    answer = ask()
    assert (answer.code, answer.out) == (2, "")
    assert "say which application: --app module:object; here it could be --app shop:app (Flask)" in answer.errors


def test_at_a_terminal_it_asks_two_questions(project: Write, ask: Ask) -> None:
    folder = project(FLASK)
    answer = ask(answers="shop:app\nmine.ini\n")
    assert answer.code == 0
    assert "shop:app (Flask), found in shop.py, line 3" in answer.errors
    assert written(folder / "mine.ini")["app:site"]["app"] == "shop:app"


def test_at_a_terminal_what_was_found_is_the_default(project: Write, ask: Ask) -> None:
    folder = project(FLASK_FACTORY)
    assert ask(answers="\n\n").code == 0
    assert written(folder / "site.ini")["app:site"]["factory"] == "true"


def test_at_a_terminal_an_answer_is_waited_for_until_the_input_ends(project: Write, ask: Ask) -> None:
    project({})
    answer = ask(answers="\n\n")
    assert answer.code == 130
    assert answer.errors.count("Which application?") == 3
