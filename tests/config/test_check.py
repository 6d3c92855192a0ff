"""``check``: broken files as documents beside what it says of them, good files without a word, and nothing run."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import recording_factories
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from wheatpaste import appconfig
from wheatpaste.config.check import check_file
from wheatpaste.config.problems import Problem
from wheatpaste.scripts.main import main

ROOT = Path(__file__).resolve().parents[2]
BROKEN = Path(__file__).parent / "broken"
INIS = Path(__file__).parent / "inis"

# True warnings about files that are otherwise as their writers want them.
KNOWN_WARNINGS = {
    "object_store": [("zope_conf", "lost-override")],
    "starter": [("session.secret", "weak-secret")],
    "wiki": [("debug", "public-debug"), (None, "unused-section"), ("beaker.session.key", "lost-override")],
}

Write = Callable[..., Path]


def named(problems: list[Problem]) -> list[tuple[int | None, str | None, str]]:
    """Line, key and code of each problem."""
    return [(problem.line, problem.key, problem.code) for problem in problems]


@pytest.fixture
def kit(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution called Kit, with an entry point of every kind."""
    folder = tmp_path_factory.mktemp("site")
    recording_factories.install(folder, "Kit")
    monkeypatch.syspath_prepend(str(folder))


# -- documents --


@pytest.mark.parametrize("document", sorted(BROKEN.glob("*.ini")), ids=lambda path: path.stem)
def test_a_broken_file_is_answered_with_what_stands_beside_it(
    document: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first line of each document is the command."""
    monkeypatch.chdir(BROKEN)
    words = shlex.split(document.read_text(encoding="utf-8").splitlines()[0])[2:]
    code = main(words)
    out, err = capsys.readouterr()
    assert f"{out}{err}exit code {code}\n" == document.with_suffix(".expected").read_text(encoding="utf-8")


def test_every_expected_text_belongs_to_a_document() -> None:
    assert {path.stem for path in BROKEN.glob("*.expected")} == {path.stem for path in BROKEN.glob("*.ini")}


# -- good files --


@pytest.mark.parametrize("name", ["demo.ini", "development.ini", "production.ini"])
def test_a_shipped_file_has_no_problem(name: str) -> None:
    assert check_file(str(ROOT / "config" / name)) == []


@pytest.mark.parametrize("file", sorted(INIS.glob("*.ini")), ids=lambda path: path.stem)
@pytest.mark.usefixtures("kit")
def test_a_file_as_it_is_found_in_the_wild_has_no_problem(file: Path) -> None:
    found = [(problem.key, problem.code) for problem in check_file(str(file))]
    assert found == KNOWN_WARNINGS.get(file.stem, [])


GOOD = {
    "sections of other tools, some with names close to ours": """
        [app:main]
        use = egg:wheatpaste#echo

        [loggers]
        keys = root
        [logger_root]
        level = INFO
        [handler_console]
        class = StreamHandler
        [formatter_generic]
        format = %(asctime)s %(message)s
        [uwsgi]
        http = :8080
        [alembic]
        script_location = migrations
        [pserve]
        watch_files = *.py
        [celery]
        broker_url = redis://
        [filters]
        keys = quiet
        [service:web]
        command = run
        [logger:app]
        level = WARN
        [pytest]
        addopts = -q
        [apply]
        to = all
        """,
    "a pipeline and a composite that are served by name": """
        [app:main]
        use = egg:wheatpaste#echo

        [composite:admin]
        use = egg:wheatpaste#urlmap
        / = egg:wheatpaste#echo

        [pipeline:slow]
        pipeline = log main

        [filter:log]
        use = egg:wheatpaste#translogger
        """,
    "a second server": """
        [app:main]
        use = egg:wheatpaste#echo

        [server:main]
        use = egg:wheatpaste#main

        [server:other]
        use = egg:wheatpaste#main
        port = 9090
        """,
    "no main at all": """
        [app:one]
        use = egg:wheatpaste#echo

        [app:two]
        use = egg:wheatpaste#echo

        [filter:log]
        use = egg:wheatpaste#translogger
        """,
    "the shorthand without names": """
        [app]
        use = egg:wheatpaste#echo

        [server]
        use = egg:wheatpaste#main
        """,
    "debug mode on a server that only this machine reaches": """
        [DEFAULT]
        debug = true

        [app:main]
        use = egg:wheatpaste#echo

        [server:main]
        use = egg:waitress#main
        listen = 127.0.0.1:8080 [::1]:8080 localhost:80
        """,
    "proxies that the server and a filter trust by one line": """
        [DEFAULT]
        trusted_proxies = 10.0.0.1

        [app:main]
        use = egg:wheatpaste#echo
        filter-with = prefix

        [filter:prefix]
        use = egg:wheatpaste#prefix

        [server:main]
        use = egg:wheatpaste#main
        """,
    "a secret that is one": """
        [app:main]
        paste.app_factory = recording_factories:app_factory
        session.secret = 0f5b3a6d9c1e4a7788aa
        session.key = site
        password = correct horse
        secret = true
        """,
    "an inner mount that the outer map leaves alone": """
        [composite:main]
        use = egg:wheatpaste#urlmap
        / = inner
        /wiki = egg:wheatpaste#echo
        http://example.com/shop = egg:wheatpaste#echo

        [composite:inner]
        use = egg:wheatpaste#urlmap
        /wikipedia = egg:wheatpaste#echo
        /shop = egg:wheatpaste#echo
        """,
    "an inner mount that is shadowed on one way and free on another": """
        [composite:main]
        use = egg:wheatpaste#urlmap
        / = inner
        /wiki = egg:wheatpaste#echo
        /again = inner

        [composite:inner]
        use = egg:wheatpaste#urlmap
        /wiki = egg:wheatpaste#echo
        """,
    "a key of an app that is nearly one of ours": """
        [app:main]
        paste.app_factory = recording_factories:app_factory
        user = root
        Use = nothing
        next = page
        set_cookie = yes
        """,
    "names of sections as values of a composite of others": """
        [composite:main]
        paste.composite_factory = recording_factories:pipeline_factory
        chosen = log site
        other = log config:%(__file__)s#site

        [app:site]
        use = egg:wheatpaste#echo

        [filter:log]
        use = egg:wheatpaste#translogger
        """,
    "a section that a key of somebody's filter names": """
        [pipeline:main]
        pipeline = door egg:wheatpaste#echo

        [filter:door]
        paste.filter_factory = recording_factories:filter_factory
        app_section = login

        [app:login]
        use = egg:wheatpaste#echo
        """,
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_it_says_nothing_about(text: str, write_ini: Write) -> None:
    assert [str(problem) for problem in check_file(str(write_ini(text)))] == []


# -- what is looked at --


def test_objects_that_are_not_imported_are_not_judged(write_ini: Write) -> None:
    path = write_ini("""
        [app:main]
        use = egg:wheatpaste#health
        checks = platform:node platform:python_version
        """)
    assert check_file(str(path)) == []
    assert check_file(str(path), importing=True) == []


def test_it_looks_at_the_app_and_server_that_are_named(write_ini: Write) -> None:
    path = write_ini("""
        [app:main]
        use = egg:wheatpaste#echo

        [app:blog]
        use = egg:wheatpaste#echo
        """)
    assert named(check_file(str(path))) == [(4, None, "unused-section")]
    assert check_file(str(path), app_name="blog") == []
    assert check_file(f"{path}#blog") == []
    assert named(check_file(str(path), server_name="unix")) == [(None, None, "missing-section")]


@pytest.mark.parametrize("folder", ["100% sure", "a%(b)s", "50%%"])
def test_a_folder_may_have_a_percent_sign(folder: str, write_ini: Write) -> None:
    path = write_ini("[app:main]\nuse = egg:wheatpaste#static\nroot = %(here)s/public\n", f"{folder}/site.ini")
    (path.parent / "public").mkdir()
    assert check_file(str(path)) == []
    assert appconfig(f"config:{path}")["root"] == f"{path.parent}/public"


def test_variables_are_those_of_the_command_line(write_ini: Write) -> None:
    path = write_ini("""
        [app:main]
        use = egg:wheatpaste#echo

        [server:main]
        use = egg:wheatpaste#main
        port = %(http_port)s
        """)
    assert named(check_file(str(path))) == [(6, "port", "interpolation-missing")]
    assert check_file(str(path), global_conf={"http_port": "8080"}) == []


def test_a_variable_that_default_beats_is_named(write_ini: Write) -> None:
    path = write_ini("""
        [DEFAULT]
        colour = red

        [app:main]
        use = egg:wheatpaste#echo
        """)
    assert check_file(str(path), global_conf={"colour": "red"}) == []
    assert named(check_file(str(path), global_conf={"colour": "blue"})) == [(2, "colour", "hidden-variable")]


def test_a_mistake_in_what_is_not_served_does_not_stop_the_start(write_ini: Write) -> None:
    path = write_ini("""
        [app:main]
        use = egg:wheatpaste#echo

        [pipeline:other]
        pipeline = egg:NoSuchThing main

        [server:other]
        use = egg:NoSuchServer
        """)
    assert {problem.severity for problem in check_file(str(path))} == {"error"}
    assert {problem.severity for problem in check_file(str(path), serving=True)} == {"warning"}


def test_serving_needs_the_app_that_is_served(write_ini: Write) -> None:
    path = write_ini("""
        [app:blog]
        use = egg:wheatpaste#echo
        """)
    assert check_file(str(path)) == []
    assert named(check_file(str(path), serving=True)) == [(None, None, "missing-section")]


def test_each_file_is_announced_before_it_is_opened(write_ini: Write) -> None:
    other = write_ini("[app:main]\nuse = egg:wheatpaste#echo\n", "other.ini")
    path = write_ini("""
        [composite:main]
        use = egg:wheatpaste#urlmap
        / = config:other.ini
        /gone = config:gone.ini
        """)
    opened: list[str] = []
    check_file(str(path), on_file=opened.append)
    assert opened[0] == str(path)
    assert set(opened) == {str(path), str(other), str(other.with_name("gone.ini"))}


def test_there_is_one_problem_for_each_key(write_ini: Write) -> None:
    path = write_ini("""
        [DEFAULT]
        state = %(nowhere)s

        [composite:main]
        use = egg:wheatpaste#urlmap
        /a = a
        /b = b

        [app:a]
        use = egg:wheatpaste#echo

        [app:b]
        use = egg:wheatpaste#echo
        """)
    assert named(check_file(str(path))) == [(2, "state", "interpolation-missing")]


def test_problems_come_in_the_order_of_their_lines() -> None:
    problems = check_file(str(BROKEN / "everything_at_once.ini"))
    lines = [problem.line for problem in problems]
    assert len(lines) >= 9
    assert lines == sorted(lines, key=lambda line: line or 0)


# -- without running anything --

SPY = """
from pathlib import Path
Path(__file__).with_suffix(".was_run").write_text("")

def make_app(global_conf, colour="red"):
    return None

def make_any(global_conf, **keys):
    return None

def answer(environ, start_response):
    return []
"""


@pytest.fixture
def spy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package whose import leaves a trace."""
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "spied"
    package.mkdir()
    (package / "__init__.py").write_text(SPY)
    (package / "inner.py").write_text(SPY)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "spied"]:
        del sys.modules[name]


REFERENCES = """
    [composite:main]
    use = egg:wheatpaste#urlmap
    / = front
    /call = call:spied.inner:make_any
    /wsgi = wsgi

    [app:front]
    paste.app_factory = spied.inner:make_app
    color = red

    [app:wsgi]
    use = egg:wheatpaste#wsgi
    app = spied:answer
    """


@pytest.mark.usefixtures("spy")
def test_no_module_of_the_deployer_is_imported(write_ini: Write, tmp_path: Path) -> None:
    problems = check_file(str(write_ini(REFERENCES)))
    assert named(problems) == [(9, "color", "unknown-option")]
    assert not list(tmp_path.rglob("*.was_run"))
    assert not [name for name in sys.modules if name.startswith("spied")]


@pytest.mark.parametrize("where", ["lonely.py", "lonely/__init__.py"])
@pytest.mark.parametrize(
    "section", ["use = egg:wheatpaste#wsgi\napp = lonely:app", "paste.app_factory = lonely:app"], ids=["key", "factory"]
)
def test_a_module_that_lies_beside_the_file_is_found_by_its_path(
    section: str, where: str, write_ini: Write, tmp_path: Path
) -> None:
    module = tmp_path / "site" / where
    module.parent.mkdir(parents=True)
    module.write_text("def app(*_, **__): ...\n")
    text = f"[app:main]\n{section}\n"
    beside = write_ini(text, "site/site.ini")
    (problem,) = check_file(str(beside))
    assert problem.what == "lonely:app: there is no module 'lonely'"
    assert problem.fix.startswith("it lies beside this file: write python_path = %(here)s in [wheatpaste]")
    assert check_file(str(write_ini(f"[wheatpaste]\npython_path = %(here)s\n{text}", "site/told.ini"))) == []


@pytest.mark.usefixtures("spy")
def test_modules_are_imported_when_that_is_asked_for(write_ini: Write, tmp_path: Path) -> None:
    problems = check_file(str(write_ini(REFERENCES)), importing=True)
    assert [(problem.line, problem.code) for problem in problems] == [(8, "wrong-signature")]
    assert "color" in problems[0].what
    assert sorted(path.name for path in tmp_path.rglob("*.was_run")) == ["__init__.was_run", "inner.was_run"]


FAILING_IMPORTS = {
    "a module that is not there": (
        "import nowhere_to_be_found\n",
        "ModuleNotFoundError: No module named 'nowhere_to_be_found'",
    ),
    "any exception": ("1 / 0\n", "ZeroDivisionError: division by zero (failing.py:1)"),
    "sys.exit": ("import sys\nsys.exit(3)\n", "importing failing called sys.exit(3)"),
    "a name that is not there": ("def maker(conf): ...\n", "failing has no 'make'; did you mean 'maker'?"),
    "something that cannot be called": ("make = 5\n", "which cannot be called"),
    "a coroutine": ("import functools\nasync def f(conf): ...\nmake = f\n", "is async"),
    "a factory without its argument": ("make = lambda: None\n", "it is called as factory(global_conf, **keys)"),
}


@pytest.mark.parametrize(("source", "said"), FAILING_IMPORTS.values(), ids=FAILING_IMPORTS)
def test_an_import_that_fails_is_a_sentence(
    source: str, said: str, write_ini: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "failing", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "failing.py").write_text(source)
    path = write_ini("""
        [app:main]
        paste.app_factory = failing:make
        """)
    problems = check_file(str(path), importing=True)
    sys.modules.pop("failing", None)
    assert [problem.line for problem in problems] == [2]
    assert said in problems[0].message


@pytest.mark.parametrize(
    ("source", "said"), [FAILING_IMPORTS[name] for name in ("any exception", "sys.exit", "a module that is not there")]
)
def test_so_is_the_import_of_what_a_key_names(
    source: str, said: str, write_ini: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "failing", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "failing.py").write_text(source)
    path = write_ini("""
        [app:main]
        use = egg:wheatpaste#wsgi
        app = failing:app
        """)
    (problem,) = check_file(str(path), importing=True)
    assert (problem.line, problem.key) == (3, "app")
    assert said in problem.message


# -- secrets --

SECRETS = ["Zk3n%9Qx-hidden", "50%off-Zk3n9Qx", "%(Zk3n9Qx)s", "Zk3n9Qx", "db://me:Zk3n9Qx@host/"]
NAMES = ["secret", "session.secret", "db_password", "api_token", "SECRET_KEY", "auth_cookie"]
PASSWORDS_IN_URLS = ["db://me:Zk3n9Qx@host/%s", "db://me:Zk3n9Qx@host/", "http://Zk3n9Qx:@host"]


@pytest.mark.parametrize(
    ("key", "value"),
    [(key, value) for key in NAMES for value in SECRETS]
    + [(key, value) for key in ("use", "host", "port", "level", "to") for value in PASSWORDS_IN_URLS],
)
@pytest.mark.parametrize("uses", ["egg:wheatpaste#echo", "egg:wheatpaste#redirect", "call:nowhere:at_all"])
def test_a_secret_is_never_told(key: str, value: str, uses: str, write_ini: Write) -> None:
    path = write_ini(f"""
        [app:main]
        {"" if key == "use" else f"use = {uses}"}
        {key} = {value}
        """)
    problems = check_file(str(path))
    assert problems or key == "to"
    for problem in problems:
        assert "Zk3n" not in f"{problem} {problem!r}"


# -- any text --

LINES = st.one_of(
    st.sampled_from(
        [
            *(
                f"[{header}]"
                for header in ["app:main", "DEFAULT", "server:main", "pipeline:p", "composite:c", "filter:f"]
            ),
            *(f"[{header}]" for header in ["filter-app:g", "app:a", "wheatpaste", "app", "apps:a", "composite:main"]),
            *(
                f"use = egg:wheatpaste#{name}"
                for name in ["echo", "urlmap", "cascade", "main", "translogger", "static", "wsgi"]
            ),
            *(f"use = egg:Paste#{name}" for name in ["urlmap", "cascade", "http", "static"]),
            *(
                f"use = {name}"
                for name in ["a", "c", "main", "config:x.ini#a", "config:", "call:os:getcwd", "C:/x.ini"]
            ),
            *("pipeline = f a", "pipeline = f p", "next = a", "next = main", "filter-with = f", "require = pip"),
            *("set x = %(y)s", "get z = x", "x = %(ENV_HOME)s", "y = %(x)s%(y)s", "port = %", "= 5", "%(x)s"),
            *("/ = a", "/b = c", "/c = main", "app1 = a", "not_found_app = c", "http://a:b/ = a", "domain d / = a"),
            *(
                "host = 0.0.0.0",
                "debug = true",
                "secret = a",
                "root = .",
                "app = a:b",
                "paste.app_factory = json:dumps",
            ),
            *("extends = x.ini", "extends = ../x.ini", "python_path = a b", "loader = pastedeploy", "aliases = off"),
        ]
    ),
    st.text(max_size=30),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINES, max_size=25))
@example(["[app:main]", "use = egg:", "use = egg:#", "[app:\u0130]", "use = call::"])
def test_no_text_makes_it_raise(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "x.ini"
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    for problem in check_file(str(path)):
        assert problem.what
        assert str(problem)
