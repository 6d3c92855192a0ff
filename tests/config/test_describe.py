"""What is installed, and what each takes."""

from __future__ import annotations

import configparser
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from wheatpaste.config.composition import Composition
from wheatpaste.config.describe import Described, catalogue, first_sentence, look_up, suggestion

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def known() -> list[Described]:
    return catalogue()


def one(known: list[Described], text: str) -> Described:
    (found,) = look_up(text, known)
    return found


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], list[Described]]:
    """Installs a distribution called Garden with one module, and returns the catalogue."""

    def install(entry_points: str, module: str) -> list[Described]:
        info = tmp_path / "garden-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Garden\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(textwrap.dedent(entry_points))
        (tmp_path / "garden_of_tests.py").write_text(textwrap.dedent(module))
        monkeypatch.syspath_prepend(str(tmp_path))
        return catalogue()

    return install


def test_every_entry_point_of_ours_is_described(known: list[Described]) -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    declared = {
        (group, line.split("=")[0].strip())
        for group, lines in setup["options.entry_points"].items()
        if group.startswith("paste.")
        for line in lines.strip().splitlines()
    }
    assert {(each.protocol, each.name) for each in known if each.ours} == declared
    assert [each.use for each in known if each.ours and (each.note or not each.summary)] == []


def test_options_of_ours_come_from_their_declarations(known: list[Described]) -> None:
    keys = {key.name: key for key in one(known, "static").keys}
    assert keys["max_age"].kind.startswith("duration")
    assert keys["max_age"].default == "1m"
    assert keys["listing"].default == "false"
    assert keys["listing"].doc
    assert one(known, "wsgi").keys[0].required
    perms = next(key for key in one(known, "egg:wheatpaste#main").keys if key.name == "unix_socket_perms")
    assert perms.default == "600"


def test_every_sample_of_ours_loads(known: list[Described], write_ini: Callable[..., Path]) -> None:
    for each in known:
        if each.component is None:
            continue
        path = write_ini(each.sample, f"{each.kind}-{each.distribution}-{each.name}.ini")
        kind = "app" if each.kind == "composite" else each.kind
        node = Composition.load(f"config:{path}#{each.name}", kind=kind).root
        assert node.protocol == each.protocol, each.use
        assert each.reader is not None
        reading = each.reader.read(node.local_conf, node.global_conf, importing=False)
        assert reading.problems == [] or all(problem.severity == "warning" for problem in reading.problems), each.use


def test_the_sample_of_another_distribution_loads(known: list[Described], write_ini: Callable[..., Path]) -> None:
    each = one(known, "egg:pypiserver#main")
    path = write_ini(each.sample)
    assert Composition.load(f"config:{path}#main").root.protocol == "paste.app_factory"


def test_an_old_name_is_listed_as_what_it_means_now(known: list[Described]) -> None:
    old = one(known, "egg:Paste#static")
    assert old.stands_for == "egg:wheatpaste#static"
    assert "document_root" in next(key.also for key in old.keys if key.name == "root")


def test_keys_of_other_programs_are_told_from_options(known: list[Described]) -> None:
    keys = {key.name: key for key in one(known, "egg:Paste#http").keys}
    assert keys["threadpool_spawn_if_under"].ignored
    assert keys["protocol_version"].translated
    assert "keep_alive_requests" in keys["protocol_version"].doc
    assert not keys["threads"].translated


def test_old_names_are_listed_whether_or_not_paste_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wheatpaste.config.references.installed", lambda path=None: [])
    assert one(catalogue(), "egg:Paste#urlmap").kind == "composite"


FACTORIES = """
    raise SystemExit("nobody may import this")

    def make(
        global_conf, colour, size=3, label='a b', on=True, nothing=None, limit=2 * 1024, *, deep, wide=None, **more
    ):
        '''Make a garden. With flowers.

        Many.
        '''

    class Fence:
        '''Keep deer out.'''
        def __init__(self, app, global_conf, height): ...

    from garden_elsewhere import unknown
    again = make
    """
ENTRY_POINTS = """
    [paste.app_factory]
    main = garden_of_tests:make
    again = garden_of_tests:again
    lost = garden_of_tests:nothing
    away = garden_of_tests:unknown

    [paste.filter_app_factory]
    fence = garden_of_tests:Fence
    """


def test_others_are_read_from_their_source_and_never_imported(installed) -> None:
    known = installed(ENTRY_POINTS, FACTORIES)
    each = one(known, "egg:Garden")
    assert (each.summary, each.any_key) == ("Make a garden.", True)
    assert [(key.name, key.default, key.required) for key in each.keys] == [
        ("colour", None, True),
        ("size", "3", False),
        ("label", "a b", False),
        ("on", "true", False),
        ("nothing", "", False),
        ("limit", "2 * 1024", False),
        ("deep", None, True),
        ("wide", "", False),
    ]
    assert each.sample == "[app:main]\nuse = egg:garden#main\ncolour = COLOUR\ndeep = DEEP"
    assert "garden_of_tests" not in sys.modules


def test_a_class_is_described_by_its_constructor(installed) -> None:
    fence = one(installed(ENTRY_POINTS, FACTORIES), "egg:Garden#fence")
    assert (fence.kind, fence.summary, [key.name for key in fence.keys]) == ("filter", "Keep deer out.", ["height"])


def test_a_second_name_of_a_function_is_followed(installed) -> None:
    assert one(installed(ENTRY_POINTS, FACTORIES), "egg:garden#again").summary == "Make a garden."


@pytest.mark.parametrize("name", ["lost", "away"])
def test_what_the_source_does_not_tell_is_admitted(installed, name: str) -> None:
    each = one(installed(ENTRY_POINTS, FACTORIES), f"egg:garden#{name}")
    assert each.note == "Its source does not tell what it takes."
    assert each.keys == ()


def test_what_cannot_work_any_more_is_said_to_be_so(known: list[Described]) -> None:
    assert "does not work on Python 3" in one(known, "egg:Paste#cowbell").note


def test_a_bare_name_means_ours_first(known: list[Described]) -> None:
    assert [each.use for each in look_up("static", known)] == ["egg:wheatpaste#static"]
    assert [each.use for each in look_up("gzip", known)] == ["egg:Paste#gzip"]


@pytest.mark.parametrize("word", ["filter", "filters", "Filters"])
def test_a_kind_means_all_of_it(known: list[Described], word: str) -> None:
    assert {each.kind for each in look_up(word, known)} == {"filter"}


@pytest.mark.parametrize("word", ["pyramid", "Pyramid", "egg:pyramid"])
def test_a_distribution_means_all_that_it_has(known: list[Described], word: str) -> None:
    assert {each.use for each in look_up(word, known)} == {"egg:pyramid#cherrypy", "egg:pyramid#wsgiref"}


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("statc", "did you mean 'static'?"),
        ("egg:wheatpaste#statc", "did you mean 'egg:wheatpaste#static'?"),
        ("pyramit", "did you mean 'pyramid'?"),
        ("egg:pyramid#wsgirf", "did you mean 'egg:pyramid#wsgiref'?"),
        ("xyzzy", ""),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(known: list[Described], word: str, hint: str) -> None:
    assert look_up(word, known) == []
    assert suggestion(word, known) == hint


def test_an_old_name_that_is_not_installed_is_answered_with_advice() -> None:
    assert "remove it" in suggestion("egg:Paste#cowbell", [])


def test_plain_data_holds_no_objects(known: list[Described]) -> None:
    import json

    data = json.loads(json.dumps([each.as_data() for each in known]))
    assert {"kind", "name", "use", "options", "sample"} <= set(data[0])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("One. Two.", "One."), ("One\nline.\n\nMore", "One line."), ("", ""), ("No stop", "No stop")],
)
def test_a_summary_is_the_first_sentence(text: str, sentence: str) -> None:
    assert first_sentence(text) == sentence
