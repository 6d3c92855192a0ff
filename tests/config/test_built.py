from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import ending_factories
import pytest

from wheatpaste.config.composition import Composition

WriteIni = Callable[..., Path]
Load = Callable[..., Composition]


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    gc.collect()  # compositions of other tests, which nobody has closed
    ending_factories.happened.clear()
    ending_factories.hold.clear()
    yield
    ending_factories.hold.set()


@pytest.fixture
def load(write_ini: WriteIni) -> Load:
    def from_text(text: str, name: str = "site.ini") -> Composition:
        return Composition.load(f"config:{write_ini(text, name)}")

    return from_text


def section(header: str, maker: str, **values: str) -> str:
    kind = "composite" if header.startswith("composite") else header.partition(":")[0]
    group = {"app": "paste.app_factory", "filter": "paste.filter_factory", "composite": "paste.composite_factory"}[kind]
    lines = [f"[{header}]", f"{group} = ending_factories:{maker}", *(f"{k} = {v}" for k, v in values.items())]
    return "\n".join(lines) + "\n"


def closed() -> list[str]:
    return [name for what, name in ending_factories.happened if what == "closed"]


PIPELINE = (
    "[pipeline:main]\npipeline = outer inner site\n"
    + section("filter:outer", "filter", name="outer")
    + section("filter:inner", "filter", name="inner")
    + section("app:site", "app", name="site")
)


def test_what_was_built_last_is_closed_first(load: Load) -> None:
    composition = load(PIPELINE)
    composition.build()
    assert closed() == []
    composition.close()
    assert closed() == ["outer", "inner", "site"]


def test_closing_twice_closes_once(load: Load) -> None:
    composition = load(PIPELINE)
    composition.build()
    composition.close()
    composition.close()
    assert closed() == ["outer", "inner", "site"]


def test_a_composition_that_was_not_built_closes_nothing(load: Load) -> None:
    load(PIPELINE).close()
    assert closed() == []


def test_leaving_the_with_statement_closes(load: Load) -> None:
    with load(PIPELINE) as composition:
        composition.build()
        assert closed() == []
    assert closed() == ["outer", "inner", "site"]


def test_what_is_built_twice_is_closed_twice(load: Load) -> None:
    composition = load(section("app:main", "app", name="site"))
    composition.build()
    composition.build()
    composition.close()
    assert closed() == ["site", "site"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "[filter-app:main]\npaste.filter_app_factory = ending_factories:filter_app\nname = outer\nnext = site\n"
            + section("app:site", "app", name="site"),
            ["outer", "site"],
            id="a filter-app",
        ),
        pytest.param(
            section("app:main", "app", name="site") + "filter-with = outer\n"
            "[filter:outer]\npaste.filter_app_factory = ending_factories:filter_app\nname = outer\n",
            ["outer", "site"],
            id="filter-with",
        ),
        pytest.param(
            section("composite:main", "composite", name="all", one="first", two="second")
            + section("app:first", "app", name="first")
            + section("app:second", "app", name="second"),
            ["all", "second", "first"],
            id="what a composite mounts",
        ),
        pytest.param(
            "[composite:main]\nuse = egg:wheatpaste#urlmap\n/a = first\n/b = second\n"
            + section("app:first", "app", name="first")
            + section("app:second", "app", name="second"),
            ["second", "first"],
            id="what our urlmap mounts",
        ),
        pytest.param(
            section("app:main", "with_attribute", name="function"), ["function"], id="a function with a close"
        ),
        pytest.param(section("app:main", "class_as_app"), [], id="a class, which makes bodies"),
        pytest.param(
            "[pipeline:main]\npipeline = through site\n"
            + section("filter:through", "transparent")
            + section("app:site", "app", name="site"),
            ["site"],
            id="a wrapper that hands out its app's attributes",
        ),
        pytest.param(
            "[pipeline:main]\npipeline = nothing site\n"
            + section("filter:nothing", "does_nothing")
            + section("app:site", "app", name="site"),
            ["site"],
            id="a filter that returns its app",
        ),
        pytest.param(
            "[app:main]\nuse = egg:wheatpaste#wsgi\napp = ending_factories:shared\n",
            [],
            id="an app that a module holds",
        ),
    ],
)
def test_it_closes(load: Load, text: str, expected: list[str], caplog: pytest.LogCaptureFixture) -> None:
    with load(text) as composition:
        composition.build()
    assert closed() == expected
    assert caplog.records == []


def test_it_closes_what_a_factory_has_loaded_by_itself(load: Load, write_ini: WriteIni) -> None:
    write_ini(section("app:main", "app", name="other"), "other.ini")
    text = "[pipeline:main]\npipeline = outer site\n" + section("filter:outer", "filter", name="outer")
    with load(text + section("app:site", "composes", other="config:other.ini")) as composition:
        composition.build()
        assert closed() == []
    assert closed() == ["outer", "other"]


@pytest.mark.parametrize("how", ["raises", "exits"])
def test_one_that_fails_to_close_is_logged_and_does_not_stop_the_rest(
    load: Load, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    with load(PIPELINE.replace("name = inner", f"name = inner\nhow = {how}")) as composition:
        composition.build()
    assert closed() == ["outer", "inner", "site"]
    assert [record.getMessage() for record in caplog.records] == ["ending_factories.Wrapper: close() failed"]


def test_an_asynchronous_close_is_logged(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    with load(section("app:main", "asynchronous")) as composition:
        composition.build()
    assert "close() is asynchronous" in caplog.text
    assert closed() == []


def test_those_that_hang_are_left_behind_and_all_others_closed(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    text = PIPELINE.replace("name = outer", "name = outer\nhow = hangs").replace(
        "name = inner", "name = inner\nhow = hangs"
    )
    composition = load(text)
    composition.build()
    began = time.monotonic()
    composition.close(patience=0.4)
    assert time.monotonic() - began < 5
    assert closed() == ["outer", "inner", "site"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.ERROR]
    assert "ending_factories.Wrapper: close() has not returned" in caplog.text


def test_a_build_that_fails_closes_what_was_built_before(load: Load) -> None:
    text = section("composite:main", "composite", name="all", one="first", two="broken")
    text += section("app:first", "app", name="first") + section("app:broken", "fails")
    composition = load(text)
    with pytest.raises(RuntimeError, match="this factory fails"):
        composition.build()
    assert closed() == ["first"]
    composition.close()
    assert closed() == ["first"]


def test_a_build_that_fails_leaves_what_was_built_earlier(load: Load) -> None:
    composition = load(PIPELINE)
    composition.build()
    del composition.root.filters[1].local_conf["name"]
    with pytest.raises(TypeError):
        composition.build()
    assert closed() == ["site"]
    composition.close()
    assert closed() == ["site", "outer", "inner", "site"]


def test_what_two_compositions_share_is_closed_with_the_last(load: Load) -> None:
    text = section("app:main", "same_again")
    old, new = load(text), load(text)
    old.build()
    new.build()
    old.close()
    assert closed() == []
    new.close()
    assert closed() == ["shared"]


def test_a_build_that_fails_leaves_what_another_composition_uses(load: Load) -> None:
    serving = load(section("app:main", "same_again"))
    serving.build()
    refused = load(
        section("composite:main", "composite", name="all", one="first", two="broken")
        + section("app:first", "same_again")
        + section("app:broken", "fails")
    )
    with pytest.raises(RuntimeError):
        refused.build()
    assert closed() == []
    serving.close()
    assert closed() == ["shared"]


def test_with_the_loader_of_PasteDeploy_the_app_itself_is_closed(load: Load) -> None:
    with load("[wheatpaste]\nloader = pastedeploy\n" + PIPELINE) as composition:
        composition.build()
    assert closed() == ["outer"]
