"""What components know of the place where they stand, as ``check`` tells it. Those of this test stand in for ours."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from wheatpaste.config.check import check_file
from wheatpaste.config.factories import make_app_factory, make_filter_factory
from wheatpaste.config.mounts import KeyProblem
from wheatpaste.config.options import OptionError, Order, component, option, order_of, parsed
from wheatpaste.config.problems import Problem
from wheatpaste.config.surroundings import Surroundings
from wheatpaste.config.values import Imported

seen: list[tuple[Any, Surroundings]] = []


@component(after=("prefix",), before={"translogger"})
class Between:
    """Stand inside of prefix and outside of translogger."""

    app: Any = field(kw_only=False)


@component
class Careful:
    """Complain of what stands around it."""

    app: Any = field(kw_only=False)
    debug: bool = option(default=False, doc="Show what nobody should see.")
    helper: Imported | None = option(default=None, doc="An object of Python that helps.")
    token: str | None = option(default=None, doc="A secret that nobody may know.", secret=True)

    def __post_init__(self) -> None:
        raise OptionError("Careful", None, "a check that only looks around has no business here")

    def problems(self, stack: Surroundings) -> Iterator[KeyProblem]:
        seen.append((self, stack))
        if self.debug and stack.public:
            yield KeyProblem("debug", f"shows the code to whoever reaches {stack.public}", "turn it off")
        if stack.find("config") is None:
            yield KeyProblem(None, "is of little use without config", "add it", severity="warning")


@component
class Lonely:
    """An app with rules of its own."""

    size: int = option(default=1, doc="How large it is.")

    def problems(self, stack: Surroundings) -> Iterator[KeyProblem]:
        seen.append((self, stack))
        return iter(())


@pytest.fixture(autouse=True)
def ours(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("wheatpaste.middleware.of_this_test")
    module.between = make_filter_factory(Between)
    module.careful = make_filter_factory(Careful, names={"debugging": "debug"})
    module.lonely = make_app_factory(Lonely)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(Careful, "__post_init__", lambda self: None)
    seen.clear()


@pytest.fixture
def check(write_ini: Callable[..., Path]) -> Callable[..., list[Problem]]:
    def of(text: str, **how: Any) -> list[Problem]:
        return check_file(str(write_ini(text)), **how)

    return of


Check = Callable[..., list[Problem]]

FILTERS = """
[filter:between]
paste.filter_factory = wheatpaste.middleware.of_this_test:between
[filter:careful]
paste.filter_factory = wheatpaste.middleware.of_this_test:careful
[filter:prefix]
use = egg:wheatpaste#prefix
prefix = /site
[filter:old]
use = egg:PasteDeploy#prefix
[filter:translogger]
use = egg:wheatpaste#translogger
[filter:config]
use = egg:wheatpaste#config
[app:site]
use = egg:wheatpaste#echo
"""


def told(problems: list[Problem], code: str) -> list[str]:
    return [str(problem.message) for problem in problems if problem.code == code]


# -- order --


@pytest.mark.parametrize(
    ("pipeline", "wrong", "fix"),
    [
        ("prefix between site", "", ""),
        ("between translogger site", "", ""),
        ("prefix config between config translogger site", "", ""),
        ("between site", "", ""),
        ("between prefix site", "'prefix' must come to a request before 'between'", "write prefix between"),
        ("between old site", "'old' must come to a request before 'between'", "write old between"),
        ("between config prefix site", "'prefix' must come to a request before 'between'", "write prefix between"),
        (
            "translogger between site",
            "'between' must come to a request before 'translogger'",
            "write between translogger",
        ),
        ("prefix between old site", "", ""),
        ("translogger between translogger site", "", ""),
    ],
)
def test_the_order_in_a_pipeline(check: Check, pipeline: str, wrong: str, fix: str) -> None:
    problems = check(f"[pipeline:main]\npipeline = {pipeline}\n" + FILTERS, serving=True)
    found = [problem for problem in problems if problem.code == "wrong-order"]
    assert len(found) == bool(wrong)
    for problem in found:
        assert (problem.line, problem.key, problem.section, problem.severity) == (
            2,
            "pipeline",
            "pipeline:main",
            "error",
        )
        assert problem.what.startswith(wrong)
        assert problem.fix == fix


def test_each_pair_is_named_though_all_stand_on_one_line(check: Check) -> None:
    problems = check("[pipeline:main]\npipeline = translogger between prefix site\n" + FILTERS, serving=True)
    assert [problem.fix for problem in problems if problem.code == "wrong-order"] == [
        "write between translogger",
        "write prefix between",
    ]


def test_the_order_of_words_on_lines_of_their_own_names_both_lines(check: Check) -> None:
    problems = check("[pipeline:main]\npipeline =\n    between\n    config\n    prefix\n    site\n" + FILTERS)
    (problem,) = [problem for problem in problems if problem.code == "wrong-order"]
    assert problem.line == 5
    assert problem.what.endswith("which stands around it (line 3)")


@pytest.mark.parametrize(
    "text",
    [
        "[app:main]\nuse = site\nfilter-with = between\n[filter:around]\nuse = between\nfilter-with = prefix\n",
        "[filter-app:main]\nuse = prefix\nnext = inner\n[pipeline:inner]\npipeline = between site\n",
        "[composite:main]\nuse = egg:wheatpaste#urlmap\nfilter-with = prefix\n/a = inner\n"
        "[pipeline:inner]\npipeline = between site\n",
    ],
    ids=["filter-with", "a filter-app", "around a composite"],
)
def test_the_order_is_right_across_sections(check: Check, text: str) -> None:
    assert told(check(text + FILTERS, serving=True), "wrong-order") == []


@pytest.mark.parametrize(
    ("text", "outer"),
    [
        (
            "[filter-app:main]\nuse = between\nnext = inner\n[pipeline:inner]\npipeline = prefix site\n",
            "[filter-app:main]",
        ),
        (
            "[composite:main]\nuse = egg:wheatpaste#urlmap\nfilter-with = between\n/a = inner\n/b = inner\n/c = site\n"
            "[pipeline:inner]\npipeline = prefix site\n",
            "'between'",
        ),
        (
            "[composite:main]\nuse = egg:wheatpaste#urlmap\nfilter-with = between\n/a = deeper\n"
            "[composite:deeper]\nuse = egg:wheatpaste#cascade\napp1 = inner\n"
            "[pipeline:inner]\npipeline = prefix site\n",
            "'between'",
        ),
    ],
    ids=["a filter-app", "around a composite", "two composites deep"],
)
def test_the_order_is_wrong_across_sections(check: Check, text: str, outer: str) -> None:
    problems = check(text + FILTERS, serving=True)
    (problem,) = [problem for problem in problems if problem.code == "wrong-order"]
    assert problem.section == "pipeline:inner"
    assert problem.fix == f"put 'prefix' around {outer}"


def test_the_order_in_what_is_not_served_is_a_warning(check: Check) -> None:
    text = "[app:main]\nuse = egg:wheatpaste#echo\n[pipeline:other]\npipeline = between prefix site\n" + FILTERS
    problems = check(text, serving=True)
    assert [each.severity for each in problems if each.code == "wrong-order"] == ["warning"]
    problems = check(text)
    assert [each.severity for each in problems if each.code == "wrong-order"] == ["error"]


def test_a_component_without_an_order_has_none() -> None:
    assert order_of(Careful) == Order()
    assert order_of(Between) == Order(frozenset({"prefix"}), frozenset({"translogger"}))


# -- rules of a component --

PUBLIC = "[server:main]\nuse = egg:wheatpaste#main\nhost = 0.0.0.0\n"
SITE = "[pipeline:main]\npipeline = prefix careful config translogger site\n" + FILTERS


def test_what_a_component_says_of_its_section_has_the_place_of_the_key(check: Check) -> None:
    text = SITE.replace(":careful\n", ":careful\ndebugging = true\n")
    problems = check(text + PUBLIC, serving=True)
    (problem,) = [problem for problem in problems if problem.code == "surroundings"]
    assert (problem.section, problem.key, problem.line, problem.severity) == ("filter:careful", "debugging", 8, "error")
    assert problem.what == "shows the code to whoever reaches 0.0.0.0"
    assert told(check(text), "surroundings") == []
    assert told(check(text + PUBLIC.replace("0.0.0.0", "127.0.0.1")), "surroundings") == []


def test_what_a_component_says_of_its_section_as_a_whole_has_the_place_of_the_section(check: Check) -> None:
    problems = check(SITE.replace(" config ", " "), serving=True)
    (problem,) = [problem for problem in problems if problem.code == "surroundings"]
    assert (problem.key, problem.line, problem.severity) == (None, 6, "warning")


def test_a_component_sees_the_filters_around_it_and_the_server(check: Check) -> None:
    check(SITE + PUBLIC, serving=True)
    ((careful, stack),) = seen
    assert [each.names for each in stack.outside] == [{"prefix"}]
    assert [each.names for each in stack.inside] == [{"config"}, {"translogger"}]
    assert [each.section for each in stack.inside] == ["filter:config", "filter:translogger"]
    assert stack.public == "0.0.0.0"
    assert stack.server == {"host": "0.0.0.0"}
    assert (careful.debug, careful.helper, careful.token) == (False, None, None)
    assert not hasattr(careful, "app")


def test_a_filter_of_others_has_no_name(check: Check) -> None:
    text = SITE.replace("[filter:config]\nuse = egg:wheatpaste#config", "[filter:config]\nuse = call:os:getcwd")
    check(text, serving=True)
    assert [each.names for each in seen[0][1].inside] == [frozenset(), {"translogger"}]


def test_an_app_in_a_composite_sees_the_filters_around_that(check: Check) -> None:
    text = "[composite:main]\nuse = egg:wheatpaste#urlmap\nfilter-with = prefix\n/ = lonely\n"
    text += "[app:lonely]\npaste.app_factory = wheatpaste.middleware.of_this_test:lonely\nsize = 7\n"
    check(text + FILTERS, serving=True)
    ((lonely, stack),) = [each for each in seen if isinstance(each[0], Lonely)]
    assert [each.names for each in stack.outside] == [{"prefix"}]
    assert (lonely.size, stack.public, stack.server) == (7, None, {})


def test_no_code_is_imported_for_a_component_s_rules(check: Check, tmp_path: Path) -> None:
    (tmp_path / "trap_of_rules.py").write_text("raise SystemExit('imported')\nhelper = None\n")
    text = SITE.replace(":careful\n", ":careful\nhelper = trap_of_rules:helper\n")
    check(f"[wheatpaste]\npython_path = {tmp_path}\n" + text, serving=True)
    ((careful, _),) = seen
    assert careful.helper == "trap_of_rules:helper"
    assert "trap_of_rules" not in sys.modules


def test_a_section_with_mistakes_is_not_asked(check: Check) -> None:
    problems = check(SITE.replace(":careful\n", ":careful\ndebug = perhaps\n"), serving=True)
    assert [problem.key for problem in problems if problem.severity == "error"] == ["debug"]
    assert seen == []


def test_what_is_not_served_is_warned_of(check: Check) -> None:
    text = "[app:main]\nuse = egg:wheatpaste#echo\n" + SITE.replace("pipeline:main", "pipeline:other")
    problems = check(text.replace(":careful\n", ":careful\ndebugging = true\n") + PUBLIC, serving=True)
    (problem,) = [problem for problem in problems if problem.code == "surroundings"]
    assert problem.severity == "warning"


def test_options_alone_are_parsed() -> None:
    made = parsed(Careful, {"debug": True, "helper": "somewhere:else"})
    assert (made.debug, made.helper, made.token) == (True, "somewhere:else", None)
