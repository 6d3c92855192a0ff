from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recording_factories import Record

from wheatpaste.config.composition import Composition
from wheatpaste.config.origin import BuildSite, building
from wheatpaste.config.problems import ConfigError

WriteIni = Callable[..., Path]


@pytest.fixture
def build(write_ini: WriteIni) -> Callable[..., Any]:
    """Writes an INI and builds its main app, or another kind of object."""

    def make(text: str, kind: Any = "app") -> Any:
        return Composition.load(f"config:{write_ini(text)}", kind=kind).build()

    return make


Build = Callable[..., Any]


def notes(error: BaseException) -> str:
    return "\n".join(getattr(error, "__notes__", ()))


@pytest.mark.parametrize(
    ("factory", "what"),
    [
        ("returns_none", "returned None"),
        ("coroutine_factory", "returned a coroutine"),
        ("returns_text", "returned str, which cannot be called"),
    ],
)
@pytest.mark.parametrize("kind", ["app", "filter", "server"])
def test_a_factory_that_returns_no_such_thing_is_named(build: Build, factory: str, what: str, kind: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(f"[{kind}:main]\nuse = call:recording_factories:{factory}\n", kind)
    (problem,) = caught.value.problems
    assert what in problem.what
    assert f"recording_factories:{factory}" in problem.what
    assert (problem.section, problem.line) == (f"{kind}:main", 2)


def test_a_filter_that_returns_no_app_is_named(build: Build) -> None:
    text = "[filter-app:main]\npaste.filter_app_factory = recording_factories:filter_that_forgets\n"
    text += "next = call:recording_factories:app_factory\n"
    with pytest.raises(ConfigError, match=r"site\.ini:2: \[filter-app:main\].*returned None"):
        build(text)


def test_a_factory_s_exception_keeps_its_type_and_says_where(build: Build) -> None:
    text = "[composite:main]\nuse = call:recording_factories:composite_factory\n/ = broken\n\n"
    text += "[app:broken]\nuse = call:recording_factories:raises\n"
    with pytest.raises(RuntimeError, match="the factory broke") as caught:
        build(text)
    first, second = notes(caught.value).splitlines()
    assert first.startswith("while building [app:broken], ")
    assert first.endswith("site.ini:5")
    assert second.startswith("while building [composite:main], ")


def test_a_keyword_that_a_factory_does_not_take_names_the_keys_it_got(build: Build) -> None:
    with pytest.raises(TypeError) as caught:
        build("[app:main]\nuse = call:recording_factories:picky\ncolour = red\nsize = 3\n")
    assert "was called with the keys: colour, size" in notes(caught.value)


def test_a_TypeError_from_inside_a_factory_gets_no_talk_of_keys(build: Build) -> None:
    with pytest.raises(TypeError) as caught:
        build("[app:main]\nuse = call:recording_factories:type_error_inside\n")
    assert "keys" not in notes(caught.value)


def test_a_missing_module_says_where_it_is_named(build: Build) -> None:
    with pytest.raises(ModuleNotFoundError) as caught:
        build("[app:main]\nuse = call:no_such_module:app\n")
    assert "call:no_such_module:app for [app:main]" in notes(caught.value)
    assert "site.ini:2" in notes(caught.value)


def test_a_missing_attribute_names_the_nearest(build: Build) -> None:
    with pytest.raises(AttributeError) as caught:
        build("[app:main]\npaste.app_factory = recording_factories:app_factroy\n")
    assert "did you mean 'app_factory'?" in notes(caught.value)
    assert "site.ini:2" in notes(caught.value)


def test_an_import_that_exits_is_a_problem_not_an_exit(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "exiting_module.py").write_text("import sys\nsys.exit(2)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=r"importing exiting_module called sys\.exit\(2\)"):
        build("[app:main]\nuse = call:exiting_module:app\n")


def test_a_factory_that_exits_is_a_problem_not_an_exit(build: Build) -> None:
    with pytest.raises(ConfigError, match=r"called sys\.exit\(3\)"):
        build("[app:main]\nuse = call:recording_factories:exits\n")


def test_factories_learn_where_their_section_stands(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    import recording_factories

    sites: list[BuildSite | None] = []

    def spy(global_conf: dict[str, Any], **local_conf: Any) -> Record:
        sites.append(building.get())
        return Record("spy", global_conf, local_conf)

    monkeypatch.setattr(recording_factories, "spy", spy, raising=False)
    build("[DEFAULT]\nhome = /\n[app:main]\nuse = call:recording_factories:spy\ncolour = red\n")
    (site,) = sites
    assert site is not None
    assert (site.origin.section, site.origin.line) == ("app:main", 3)
    assert {key: origin.line for key, origin in site.origins.items()} == {"colour": 5}
    assert site.inherited["home"].line == 2
    assert building.get() is None


def test_factories_get_exact_dicts_and_strings(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    import recording_factories

    seen: list[Any] = []

    def spy(global_conf: Any, **local_conf: Any) -> Record:
        seen.extend([global_conf, local_conf])
        return Record("spy", global_conf, local_conf)

    monkeypatch.setattr(recording_factories, "spy", spy, raising=False)
    build("[DEFAULT]\nhome = %(here)s\n[app:main]\nuse = call:recording_factories:spy\ncolour = red\n")
    assert {type(conf) for conf in seen} == {dict}
    assert {type(text) for conf in seen for text in (*conf, *conf.values())} == {str}


def test_each_reference_builds_anew(build: Build) -> None:
    text = "[composite:main]\nuse = call:recording_factories:composite_factory\n/a = x\n/b = x\n"
    first, second = build(text + "[app:x]\nuse = call:recording_factories:app_factory\n").inner
    assert first is not second


def test_what_was_edited_before_building_counts(write_ini: WriteIni) -> None:
    path = write_ini(
        """
        [pipeline:main]
        pipeline = f a
        [filter:f]
        use = call:recording_factories:filter_factory
        [app:a]
        use = call:recording_factories:app_factory
        colour = red
        [filter:extra]
        use = call:recording_factories:filter_factory
        extra = yes
        """
    )
    made = Composition.load(f"config:{path}")
    assert made.root.app is not None
    made.root.app.local_conf["colour"] = "blue"
    made.root.filters.insert(0, Composition.load(f"config:{path}#extra", kind="filter").root)
    record = made.build()
    assert record.local_conf == {"extra": "yes"}
    assert record.inner[0].inner[0].local_conf == {"colour": "blue"}


def test_a_broken_composition_is_not_built(write_ini: WriteIni) -> None:
    path = write_ini("[app:main]\nuse = nowhere\n")
    made = Composition.load(f"config:{path}", collect=True)
    with pytest.raises(ConfigError, match="nowhere"):
        made.build()
