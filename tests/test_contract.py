"""The law for every registered component: how it treats apps that wrap around nothing gently, and how it is declared.

Whoever registers a component in ``setup.cfg`` is tested here. A composite, or a component with required options, also
needs a row in ``SECTIONS``.
"""

from __future__ import annotations

import ast
import configparser
import importlib
import inspect
import logging
import re
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest
from hostile import FAILING, WELL, Hostile, Planned, replaced, replaced_late

from wheatpaste.config.describe import catalogue, described_parts
from wheatpaste.config.options import Option, order_of
from wheatpaste.config.reader import Reader
from wheatpaste.config.unused import CHAPTERS
from wheatpaste.config.values import name_of, to_text
from wheatpaste.testing import Client

ROOT = Path(__file__).resolve().parent.parent

# What a section must hold so that a component can be made. `inner` is the app of the test, `refusing` one that knows
# nothing, `{folder}` a folder with a file in it.
SECTIONS: dict[str, dict[str, str]] = {
    "AuthKit": {
        "setup.method": "basic, cookie",
        "basic.authenticate.user.data": "ada:lovelace",
        "cookie.secret": "c51f0be93a7d42e8916b0f3ad5e7c284",
    },
    "Cascade": {"app1": "refusing", "app2": "inner"},
    "ErrorDocument": {"404": "/errors/404"},
    "PackageResources": {"egg": "pytest", "resource_name": "_pytest/mark"},
    "Redirect": {"to": "/elsewhere"},
    "RequireFilter": {"rule": "everyone"},
    "Static": {"root": "{folder}"},
    "TransLogger": {"setup_console_handler": "false"},
    "URLMap": {"/": "inner"},
    "Wsgi": {"app": "wsgiref.simple_server:demo_app"},
}

# Their purpose is that the errors of an app go no further while nothing was sent.
ANSWERS_ERRORS = {"CatchErrors"}


def _entry_points() -> list[tuple[str, str, str]]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    found = []
    for group, text in parser["options.entry_points"].items():
        if group.startswith("paste."):
            for line in text.split("\n"):
                if line.strip():
                    name, _, target = line.partition("=")
                    found.append((group, name.strip(), target.strip()))
    return found


ENTRY_POINTS = _entry_points()
MODULES = sorted({target.partition(":")[0] for _, _, target in ENTRY_POINTS})


def _factories() -> dict[str, Any]:
    """Every factory of a registered module: the registered ones and those that stand for old names."""
    found = {}
    for name in MODULES:
        module = importlib.import_module(name)
        for attribute, value in vars(module).items():
            if isinstance(getattr(value, "reader", None), Reader) and hasattr(value, "protocol"):
                found[f"{name.removeprefix('wheatpaste.')}:{attribute}"] = value
    return found


FACTORIES = _factories()
WRAPPERS = {
    name: factory
    for name, factory in FACTORIES.items()
    if factory.protocol in ("paste.filter_factory", "paste.composite_factory")
}
APPS = {name: factory for name, factory in FACTORIES.items() if factory.protocol == "paste.app_factory"}


def _readers() -> dict[str, Reader]:
    """How each section is read: those of the factories, and once those that belong to them."""
    found: dict[str, Reader] = {}
    seen: set[int] = set()
    for name, factory in FACTORIES.items():
        reader: Reader = factory.reader
        found[name] = reader
        if reader.parts is not None and id(reader.parts) not in seen:
            seen.add(id(reader.parts))
            for part in reader.parts.parts:
                found[f"{name} [{part.header(reader.parts.head(reader), 'NAME')}]"] = part.reader(reader.component)
    return found


READERS = _readers()
OPTIONS = {f"{name} {option.name}": (reader, option) for name, reader in READERS.items() for option in reader.options}


def by_name(things: dict[str, Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("factory", list(things.values()), ids=list(things))


def by_app(things: dict[str, Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("answer", list(things.values()), ids=list(things))


every_factory = by_name(FACTORIES)
every_reader = pytest.mark.parametrize("reader", list(READERS.values()), ids=list(READERS))
every_wrapper = by_name(WRAPPERS)
every_app = by_name(APPS)
every_option = pytest.mark.parametrize(("reader", "option"), list(OPTIONS.values()), ids=list(OPTIONS))


@pytest.fixture(autouse=True)
def _same_loggers_afterwards() -> Iterator[None]:
    logger = logging.getLogger("wsgi")
    before = (list(logger.handlers), logger.propagate, logger.level)
    yield
    logger.handlers[:], logger.propagate = before[0], before[1]
    logger.setLevel(before[2])


@pytest.fixture
def section(tmp_path: Path) -> Callable[[Any], dict[str, str]]:
    """The texts of a section with which a factory can be called."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file.txt").write_text("file")

    def of(factory: Any) -> dict[str, str]:
        texts = SECTIONS.get(factory.component.__name__, {})
        parts = factory.reader.parts
        if parts is not None:
            # Those of its sections without which it cannot be made, in a file of their own.
            path = tmp_path / "parts.ini"
            samples = "\n".join(part.sample for part in described_parts(factory.reader) if part.required)
            path.write_text(samples.replace("[auth:main]", f"[auth:main]\nsecret = {secrets.token_hex(32)}"))
            texts = {**texts, parts.file: str(path)}
        return {key: text.replace("{folder}", str(folder)) for key, text in texts.items()}

    return of


class Loader:
    """Gives composites the apps of the test."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def get_app(self, name: str, global_conf: Any = None) -> Any:
        return self._inner if name == "inner" else refusing


def refusing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Knows nothing, and leaves the environ in disorder."""
    environ["PATH_INFO"] = "/changed"
    environ["refusing.was_here"] = True
    environ["wsgi.input"].read(1)
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"not here"]


def wrap(factory: Any, texts: dict[str, str], inner: Any) -> Any:
    if factory.protocol == "paste.composite_factory":
        return factory(Loader(inner), {}, **texts)
    return factory({}, **texts)(inner)


Section = Callable[[Any], dict[str, str]]


# The law for __call__ -----------------------------------------------------------------------------------------------


@every_wrapper
@by_app(WELL)
def test_an_answer_comes_through_whole(factory: Any, answer: Any, section: Section) -> None:
    bare = Client(validator(Hostile(answer)), lint=True).get("/a/b?c=d")
    inner = Hostile(answer)
    through = Client(wrap(factory, section(factory), validator(inner)), lint=True).get("/a/b?c=d")
    assert through.status_line == bare.status_line
    assert through.body == bare.body
    assert not Counter(bare.headers.items()) - Counter(through.headers.items())
    assert [body.closed for body in inner.watched] == [1] * len(inner.watched)


@every_wrapper
@by_app(FAILING)
def test_an_error_travels_and_the_body_is_closed_once(factory: Any, answer: Any, section: Section) -> None:
    inner = Hostile(answer)
    client = Client(wrap(factory, section(factory), inner), lint=True)
    late = answer in (FAILING["after the first piece"], FAILING["exc_info after the first piece"])
    if factory.component.__name__ in ANSWERS_ERRORS and not late:
        # Nothing was sent, or the whole reply, which stays what it is.
        assert client.get("/").status == (200 if answer is FAILING["in close()"] else 500)
    else:
        with pytest.raises(Planned):
            client.get("/")
    assert [body.closed for body in inner.watched] == [1] * len(inner.watched)


@every_wrapper
def test_what_came_before_an_error_is_delivered(factory: Any, section: Section) -> None:
    app = wrap(factory, section(factory), Hostile(FAILING["after the first piece"]))
    response = Client(app).get("/", stream=True)
    pieces = iter(response)
    assert next(pieces) == b"one"
    with pytest.raises(Planned):
        next(pieces)


@every_wrapper
def test_a_stream_stays_a_stream_and_a_client_may_leave(factory: Any, section: Section) -> None:
    inner = Hostile(WELL["a stream"])
    response = Client(wrap(factory, section(factory), inner), lint=True).get("/", stream=True)
    assert next(iter(response)) == b"one"
    (body,) = inner.watched
    assert (body.taken, body.closed) == (1, 0)
    response.close()
    assert (body.taken, body.closed) == (1, 1)


@every_wrapper
def test_two_requests_at_a_time_do_not_meet(factory: Any, section: Section) -> None:
    inner = Hostile(WELL["start_response with the first piece"])
    client = Client(wrap(factory, section(factory), inner), lint=True)
    first = client.get("/", stream=True)
    second = client.get("/", stream=True)
    pieces = zip(first, second, strict=True)
    assert list(pieces) == [(piece, piece) for piece in (b"one", b"two", b"six")]
    first.close()
    second.close()
    assert [body.closed for body in inner.watched] == [1, 1]


@every_wrapper
@by_app({"at once": replaced, "late": replaced_late})
def test_exc_info_reaches_the_server(factory: Any, answer: Any, section: Section) -> None:
    calls: list[tuple[str, Any]] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        calls.append((status, exc_info))
        return lambda data: None

    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    body = wrap(factory, section(factory), Hostile(answer))(environ, start_response)
    assert b"".join(body) == b"onetwosix"
    body.close()
    status, exc_info = calls[-1]
    assert status.startswith("500")
    assert isinstance(exc_info[1], Planned)


@every_wrapper
def test_a_file_for_the_server_stays_itself(factory: Any, section: Section) -> None:
    inner = Hostile(WELL["a file"])
    response = Client(wrap(factory, section(factory), inner)).get("/")
    assert type(response.iterable) is FileWrapper
    assert response.iterable is inner.bodies[0]


@every_wrapper
def test_a_plain_request_arrives_as_it_came(factory: Any, section: Section) -> None:
    inner = Hostile(WELL["a list"])
    request = {"headers": {"X-A": "a", "Cookie": "b=c", "Host": "Host.test:81"}, "body": b"body"}
    sent = dict(Client(Hostile(WELL["a list"])).post("/a%20b/c?d=e", **request).environ)
    Client(wrap(factory, section(factory), inner)).post("/a%20b/c?d=e", **request)
    (got,) = inner.environs
    assert got["wsgi.input"].read() == b"body"
    streams = {"wsgi.input", "wsgi.errors", "wsgi.input_terminated"}
    ours = {key for key in got if COMPATIBLE_KEY.fullmatch(key)}
    assert {key: got[key] for key in got.keys() - streams - ours} == {key: sent[key] for key in sent.keys() - streams}
    assert ours <= documented_keys(COMPATIBLE_KEY)


@every_wrapper
@pytest.mark.parametrize("method", ["GET", "POST", "BREW"])
@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
def test_every_method_comes_through(factory: Any, method: str, section: Section) -> None:
    inner = Hostile(WELL["a list"])
    Client(wrap(factory, section(factory), inner), lint=True).request(method, "/")
    assert inner.environs[0]["REQUEST_METHOD"] == method


@every_app
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    ["/", "/file.txt", "/a/b/", "/%00", "/..", "/a/../../etc/passwd", "/%ff%fe", "/a%2Fb", "//evil.test", "/%0d%0aA:b"],
)
def test_an_app_answers_whatever_it_is_asked(factory: Any, method: str, path: str, section: Section) -> None:
    app = factory({}, **section(factory))
    response = Client(app, script_name="/mount", lint=True).request(method, path)
    assert response.status < 500
    if method == "HEAD":
        assert response.status == Client(app, script_name="/mount").get(path).status


@by_name({name: factory for name, factory in FACTORIES.items() if hasattr(factory.component, "close")})
@pytest.mark.parametrize("used", [True, False], ids=["used", "unused"])
def test_closing_it_once_more_is_harmless(factory: Any, used: bool, section: Section) -> None:
    app = factory({}, **section(factory)) if factory in APPS.values() else wrap(factory, section(factory), refusing)
    if used:
        Client(app, lint=True).get("/")
    app.close()
    app.close()


# How a component is declared -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("group", "name", "target"), ENTRY_POINTS, ids=[f"{each[0]} {each[1]}" for each in ENTRY_POINTS]
)
def test_an_entry_point_names_a_factory_of_its_group(group: str, name: str, target: str) -> None:
    factory = FACTORIES[target.removeprefix("wheatpaste.")]
    assert factory.protocol == group


@every_reader
def test_a_component_says_what_it_does(reader: Reader) -> None:
    first = inspect.cleandoc(reader.component.__doc__ or "").split("\n\n")[0]
    assert re.match(r"[A-Z`].*[.:]", first, re.DOTALL), first
    module = sys.modules[reader.component.__module__]
    assert module.__doc__


@every_factory
def test_the_prefix_of_sections_that_belong_to_it_is_known_to_a_check(factory: Any) -> None:
    parts = factory.reader.parts
    # The section of an app is one that a check knows in any case.
    assert parts is None or parts.prefix in {*CHAPTERS, "app"}


@every_factory
def test_each_section_that_belongs_to_it_has_a_sample(factory: Any, section: Section, tmp_path: Path) -> None:
    for part in described_parts(factory.reader):
        samples = [each.sample for each in described_parts(factory.reader) if each.required or each is part]
        (tmp_path / "all.ini").write_text("\n".join(samples), encoding="utf-8")
        texts = {**section(factory), factory.reader.parts.file: str(tmp_path / "all.ini")}
        assert factory.reader.read(texts, {}, importing=False).errors == [], part.header


@every_factory
def test_an_order_names_filters_of_ours(factory: Any) -> None:
    order = order_of(factory.component)
    assert order.after | order.before <= {name for group, name, _ in ENTRY_POINTS if group == "paste.filter_factory"}


@every_option
def test_an_option_has_a_sentence_for_the_deployer(reader: Reader, option: Option) -> None:
    # It may begin with one of the values that it explains.
    assert re.fullmatch(r"\S.{10,200}\.", option.doc), option.doc
    assert option.doc[0].isupper() or option.doc.split()[0] in map(str, get_args(option.kind)), option.doc
    assert name_of(option.kind)


@every_option
def test_a_default_passes_its_own_check_and_reads_back_from_its_text(reader: Reader, option: Option) -> None:
    if option.required and option.name not in reader.defaults:
        return
    default = reader.defaults.get(option.name, option.default)
    assert option.complaint(default) is None
    reading = reader.read({option.name: to_text(default, option.kind)}, {})
    about = [problem for problem in reading.errors if problem.key == option.name]
    assert about == []
    assert reading.values[option.name] == default


@every_factory
def test_an_unknown_option_is_named_with_what_was_meant(factory: Any, section: Section) -> None:
    reader: Reader = factory.reader
    for option in reader.options:
        wrong = f"{option.name}x"
        problems = reader.read({**section(factory), wrong: "1"}, {}).problems
        (problem,) = [each for each in problems if each.key == wrong]
        assert f"did you mean {option.name!r}" in problem.fix
        assert problem.severity == reader.unknown
    if not reader.options and not reader.extra:
        (problem,) = reader.read({"anything": "1"}, {}).problems
        assert (problem.key, problem.code) == ("anything", "unknown-option")


@every_factory
def test_the_sample_section_of_the_test_is_right(factory: Any, section: Section) -> None:
    assert factory.reader.read(section(factory), {}).errors == []


@every_factory
def test_a_repr_names_the_options_and_keeps_secrets(factory: Any, section: Section) -> None:
    secrets = [option.name for option in factory.reader.options if option.secret]
    if factory.protocol == "paste.server_runner":
        made = factory.make({}, **section(factory))
    elif factory in APPS.values():
        made = factory({}, **section(factory))
    else:
        texts = {**section(factory), **dict.fromkeys(secrets, "https://hunter2-hunter2-hunter2.test/")}
        made = wrap(factory, texts, refusing)
    assert "hunter2" not in repr(made)


@pytest.mark.parametrize(
    ("group", "name", "target"), ENTRY_POINTS, ids=[f"{each[0]} {each[1]}" for each in ENTRY_POINTS]
)
def test_describe_tells_everything(group: str, name: str, target: str) -> None:
    (described,) = [each for each in catalogue() if each.ours and each.name == name and each.protocol == group]
    assert described.target == target
    assert described.summary
    assert described.note == ""
    assert f"use = egg:wheatpaste#{name}" in described.sample
    for key in described.keys:
        assert key.ignored or (key.kind and key.doc), key


# Environ keys ---------------------------------------------------------------------------------------------------------

# Groups of entry points look alike and are none.
OUR_KEY = re.compile(r"(?!paste\.\w+_(?:factory|runner)$)(?:wheatpaste|paste)\.[a-z_.]+")
COMPATIBLE_KEY = re.compile(r"(?:wheatpaste|paste|authkit)\.[a-z_.]+")
# Not config: it never sees a request.
PACKAGE = sorted(
    path for room in ("protocol", "middleware", "apps", "server", "scripts") for path in (ROOT / room).rglob("*.py")
)


def documented_keys(form: re.Pattern[str] = OUR_KEY) -> set[str]:
    """The keys of this form that have a row in the reference."""
    text = (ROOT / "docs" / "reference" / "environ.md").read_text(encoding="utf-8")
    return {key for key in re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE) if form.fullmatch(key)}


def constants_of(tree: ast.Module) -> dict[str, str]:
    """The texts that a module names at its top."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found.update({target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)})
    return found


def keys_used(
    source: str, imported: Callable[[ast.ImportFrom], dict[str, str]] = lambda node: {}
) -> set[tuple[str, bool]]:
    """Each of our environ keys that a module touches, and whether it writes it."""
    tree = ast.parse(source)
    constants = constants_of(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            theirs = imported(node)
            constants |= {
                alias.asname or alias.name: theirs[alias.name] for alias in node.names if alias.name in theirs
            }

    def text_of(node: ast.expr) -> str:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        return constants.get(node.id, "") if isinstance(node, ast.Name) else ""

    found = set()
    for node in ast.walk(tree):
        keys: list[ast.expr | None] = []
        holder, writes = "", False
        if isinstance(node, ast.Subscript):
            keys, holder, writes = [node.slice], ast.unparse(node.value), isinstance(node.ctx, ast.Store)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("get", "pop", "setdefault"):
                keys, holder, writes = [*node.args[:1]], ast.unparse(node.func.value), node.func.attr == "setdefault"
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            keys, holder = [node.left], ast.unparse(node.comparators[0])
        elif isinstance(node, ast.Dict):
            keys, writes = node.keys, True
        if not holder.endswith("modules"):
            texts = (text_of(key) for key in keys if key is not None)
            found |= {(text, writes) for text in texts if OUR_KEY.fullmatch(text)}
    return found


def _imported_by(path: Path) -> Callable[[ast.ImportFrom], dict[str, str]]:
    def constants(node: ast.ImportFrom) -> dict[str, str]:
        if not node.level or not node.module:
            return {}
        target = path.parents[node.level - 1].joinpath(*node.module.split(".")).with_suffix(".py")
        return constants_of(ast.parse(target.read_text(encoding="utf-8"))) if target.is_file() else {}

    return constants


def _used(path: Path) -> set[tuple[str, bool]]:
    return keys_used(path.read_text(encoding="utf-8"), _imported_by(path))


def test_the_search_for_environ_keys_finds_them() -> None:
    source = """
from .trace import KEY as TRACE
NAME = "paste.named"
environ["wheatpaste.written"] = 1
environ.get("wheatpaste.got")
self.environ.setdefault(NAME, 1)
"paste.asked" in environ
environ[TRACE]
{**environ, "wheatpaste.copied": 1}
logging.getLogger("wheatpaste.logger")
sys.modules.get("paste.module")
{"paste.app_factory": 1}
"""
    assert keys_used(source, lambda node: {"KEY": "wheatpaste.imported"}) == {
        ("wheatpaste.written", True),
        ("wheatpaste.got", False),
        ("paste.named", True),
        ("paste.asked", False),
        ("wheatpaste.imported", False),
        ("wheatpaste.copied", True),
    }


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_environ_key_is_documented(path: Path) -> None:
    used = _used(path)
    assert {key for key, _ in used} <= documented_keys()
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert [key for key, writes in used if writes and key not in doc] == [], "not in the module's docstring"


def test_every_documented_key_is_used() -> None:
    assert documented_keys() == {key for path in PACKAGE for key, _ in _used(path)}
