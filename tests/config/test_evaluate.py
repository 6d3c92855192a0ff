from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import recording_factories
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recording_factories import Record

from wheatpaste.config.composition import Composition, Node
from wheatpaste.config.problems import ConfigError, Problem

WriteIni = Callable[..., Path]


@pytest.fixture(scope="module", autouse=True)
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A distribution called Kit, installed for the tests of this file."""
    folder = tmp_path_factory.mktemp("site")
    recording_factories.install(folder, "Kit")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield


@pytest.fixture
def load(write_ini: WriteIni) -> Callable[..., Composition]:
    """Writes an INI and loads ``#name`` of it, collecting problems."""

    def make(text: str, name: str = "main", kind: Any = "app", **options: Any) -> Composition:
        return Composition.load(f"config:{write_ini(text)}#{name}", kind=kind, **{"collect": True, **options})

    return make


Load = Callable[..., Composition]


def codes(made: Composition) -> list[str]:
    return [problem.code for problem in made.problems]


def makers(record: Any) -> list[str]:
    """The factories from the outside in."""
    found = []
    while isinstance(record, Record):
        found.append(record.maker)
        record = record.inner[0] if record.inner else None
    return found


# -- shapes that PasteDeploy cannot build ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            """
            [pipeline:main]
            pipeline = egg:Kit#wrap egg:Kit#app
            filter-with = f
            """,
            ["filter", "filter app", "app"],
            id="a pipeline",
        ),
        pytest.param(
            """
            [filter-app:main]
            use = egg:Kit#wrap
            next = egg:Kit#app
            filter-with = f
            """,
            ["filter", "filter app", "app"],
            id="a filter-app",
        ),
        pytest.param(
            """
            [app:main]
            use = inner
            filter-with = f
            [app:inner]
            use = egg:Kit#app
            filter-with = g
            [filter:g]
            use = egg:Kit#wrap
            """,
            ["filter", "filter app", "app"],
            id="an app that takes over one with a filter-with",
        ),
        pytest.param(
            """
            [app:main]
            use = inner
            filter-with = f
            [pipeline:inner]
            pipeline = egg:Kit#wrap egg:Kit#app
            """,
            ["filter", "filter app", "app"],
            id="an app that takes over a pipeline",
        ),
        pytest.param(
            """
            [filter-app:main]
            use = call:recording_factories:filter_factory
            next = egg:Kit#app
            """,
            ["filter", "app"],
            id="a filter-app made by call:",
        ),
        pytest.param(
            """
            [pipeline:main]
            pipeline = call:recording_factories:filter_factory call:recording_factories:Holder.app_factory
            """,
            ["filter", "app"],
            id="call: in a pipeline, with dots after the colon",
        ),
        pytest.param(
            """
            [app:main]
            use = egg:Kit#app
            filter-with = call:recording_factories:filter_factory
            """,
            ["filter", "app"],
            id="call: as filter-with",
        ),
        pytest.param(
            """
            [filter-app:main]
            use = egg:Kit#wrap
            next = call:recording_factories:app_factory
            """,
            ["filter app", "app"],
            id="call: as next",
        ),
        pytest.param(
            """
            [composite:main]
            use = egg:Kit#composite
            /x = call:recording_factories:app_factory
            """,
            ["composite", "app"],
            id="call: as a mount",
        ),
        pytest.param("[app]\nuse = egg:Kit#app", ["app"], id="a bare [app]"),
        pytest.param("[pipeline]\npipeline = egg:Kit#wrap egg:Kit#app", ["filter app", "app"], id="a bare [pipeline]"),
        pytest.param("\ufeff[app:main]\nuse = egg:Kit#app", ["app"], id="a byte order mark"),
    ],
)
def test_it_builds(load: Load, text: str, expected: list[str]) -> None:
    made = load(textwrap.dedent(text) + "\n[filter:f]\nuse = egg:Kit#filter\n")
    assert not [problem for problem in made.problems if problem.severity == "error"]
    assert makers(made.build()) == expected


def test_a_bare_server_is_the_main_server(load: Load) -> None:
    made = load("[server]\nuse = egg:Kit#server\n", kind="server")
    assert made.build()("an app").maker == "server"


def test_main_wins_over_the_bare_header(load: Load) -> None:
    made = load("[app]\nuse = egg:Kit#other\n[app:main]\nuse = egg:Kit#app\n")
    assert makers(made.build()) == ["app"]


def test_a_filter_taken_over_with_two_filter_withs_stays_a_filter(load: Load) -> None:
    made = load(
        """
        [filter:main]
        use = inner
        filter-with = outer
        [filter:inner]
        use = egg:Kit#wrap
        filter-with = middle
        [filter:middle]
        use = egg:Kit#wrap
        [filter:outer]
        use = egg:Kit#filter
        """,
        kind="filter",
    )
    assert makers(made.build()("an app")) == ["filter", "filter app", "filter app"]


def test_names_of_a_composite_from_another_file_are_looked_up_here_first_then_there(
    write_ini: WriteIni, load: Load
) -> None:
    write_ini(
        """
        [composite:site]
        use = egg:Kit#composite
        /here = both
        /there = only_there
        [app:both]
        use = egg:Kit#other
        [app:only_there]
        use = egg:Kit#other
        where = there
        """,
        "base.ini",
    )
    made = load(
        """
        [composite:main]
        use = config:base.ini#site
        /own = both
        [app:both]
        use = egg:Kit#app
        """
    )
    record = made.build()
    assert [each.maker for each in record.inner] == ["app", "other app", "app"]
    assert [made.root.child(name).values.get("where") is None for name in ("both", "only_there")] == [True, False]


# -- loops -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "places"),
    [
        pytest.param("[app:main]\nuse = main\n", ["site.ini:2"], id="a section that uses itself"),
        pytest.param(
            "[app:main]\nuse = b\n[app:b]\nuse = main\n", ["[app:b]", "site.ini:2", "site.ini:4"], id="two sections"
        ),
        pytest.param("[pipeline:main]\npipeline =\n  main\n", ["site.ini:3"], id="a pipeline that ends in itself"),
        pytest.param("[app:main]\nuse = config:site.ini\n", ["site.ini:2"], id="through a file"),
        pytest.param("[filter-app:main]\nuse = egg:Kit#wrap\nnext = main\n", ["site.ini:3"], id="through next"),
        pytest.param(
            "[app:main]\nuse = egg:Kit#app\nfilter-with = f\n[filter:f]\nuse = egg:Kit#filter\nfilter-with = f\n",
            ["site.ini:6"],
            id="a filter filtered with itself",
        ),
    ],
)
def test_a_loop_is_named_as_one_with_its_chain(load: Load, text: str, places: list[str]) -> None:
    made = load(text)
    (problem,) = [problem for problem in made.problems if problem.severity == "error"]
    assert problem.code == "loop"
    assert problem.line is not None
    assert [place in problem.what for place in places] == [True] * len(places)


def test_a_composite_that_mounts_itself_is_a_loop_before_and_while_building(load: Load) -> None:
    text = "[composite:main]\nuse = egg:Kit#composite\n/ = p\n[pipeline:p]\npipeline = egg:Kit#wrap main\n"
    made = load(text)
    assert made.root.child("p").app is not None
    assert codes(made) == ["loop"]
    with pytest.raises(ConfigError, match="leads back to itself"):
        load(text).build()


def test_a_hundred_and_one_sections_in_a_row_are_too_deep_not_a_crash(load: Load) -> None:
    text = "[app:main]\nuse = a0\n" + "".join(f"[app:a{n}]\nuse = a{n + 1}\n" for n in range(500))
    assert codes(load(text)) == ["too-deep"]


# -- what surprises is recorded ----------------------------------------------------------------------------------------


def test_a_key_that_DEFAULT_hides_is_reported_and_recorded(load: Load) -> None:
    made = load("[DEFAULT]\nport = 1\n\n[app:main]\nuse = egg:Kit#app\nport = 2\n")
    (problem,) = made.problems
    assert (problem.code, problem.severity, problem.line, problem.key) == ("hidden-key", "warning", 6, "port")
    assert "set port" in problem.fix
    assert "port" not in made.root.values
    (lost,) = made.root.globals["port"].lost
    assert (lost.text, lost.origin.line) == ("2", 6)


def test_a_key_that_a_variable_hides_is_reported(load: Load) -> None:
    made = load("[server:main]\nuse = egg:Kit#main\nport = 80\n", kind="server", global_conf={"port": "99"})
    (problem,) = made.problems
    assert problem.code == "hidden-key"
    assert "command line" in problem.what


def test_a_use_in_DEFAULT_is_blamed_for_the_section_without_one(load: Load) -> None:
    made = load("[DEFAULT]\nuse = egg:Kit\n[app:main]\nuse = egg:Kit#app\n")
    assert [problem.code for problem in made.problems if problem.severity == "error"] == ["missing-key"]


@pytest.mark.parametrize(
    "inner",
    [
        pytest.param("[pipeline:b]\npipeline = egg:Kit#wrap egg:Kit#app\n", id="a pipeline"),
        pytest.param("[app:b]\nuse = egg:Kit#app\nfilter-with = egg:Kit#wrap\n", id="an app with filter-with"),
        pytest.param("[filter-app:b]\nuse = egg:Kit#wrap\nnext = egg:Kit#app\n", id="a filter-app"),
    ],
)
def test_an_override_that_reaches_nobody_is_reported(load: Load, inner: str) -> None:
    made = load(f"[app:main]\nuse = b\ncolour = red\n{inner}")
    (problem,) = made.problems
    assert (problem.code, problem.severity, problem.line) == ("lost-override", "warning", 3)


def test_an_override_that_arrives_is_not_reported(load: Load) -> None:
    text = "[app:main]\nuse = b\ncolour = red\n[app:b]\npaste.app_factory = recording_factories:app_factory\n"
    made = load(f"{text}filter-with = egg:Kit#wrap\n")
    assert not made.problems
    assert made.build().inner[0].local_conf == {"colour": "red"}


def test_a_synonym_that_hides_another_is_reported(load: Load) -> None:
    made = load("[app:main]\nuse = egg:Kit#app\n[application:main]\nuse = egg:Kit#other\n")
    assert codes(made) == ["shadowed-section"]


# -- origins -----------------------------------------------------------------------------------------------------------


def test_each_value_knows_where_it_came_from_and_what_lost(write_ini: WriteIni, load: Load) -> None:
    base = write_ini(
        """
        [DEFAULT]
        home = /there
        [app:site]
        use = egg:Kit#app
        colour = red
        size = 1
        """,
        "base.ini",
    )
    made = load(
        """
        [DEFAULT]
        home = /here
        [app:main]
        use = config:base.ini#site
        colour = blue
        set mail = x@example.org
        get where = home
        """
    )
    values, globals_ = made.root.values, made.root.globals
    top = str(made.file.path) if made.file else ""
    assert {key: (value.text, value.origin.file, value.line, value.how) for key, value in values.items()} == {
        "colour": ("blue", top, 5, "section"),
        "size": ("1", str(base), 6, "inherited"),
        "where": ("/here", top, 7, "get"),
    }
    assert [(lost.text, lost.origin.line) for lost in values["colour"].lost] == [("red", 5)]
    assert (globals_["mail"].how, globals_["mail"].line) == ("set", 6)
    assert (globals_["home"].text, globals_["home"].origin.file) == ("/here", top)
    assert [lost.text for lost in globals_["home"].lost] == ["/there"]
    assert globals_["__file__"].how == "built in"


def test_each_item_of_a_pipeline_is_mentioned_at_its_own_line(load: Load) -> None:
    made = load(
        "[DEFAULT]\nlast = egg:Kit#app\n[pipeline:main]\npipeline =\n  egg:Kit#wrap\n  egg:Kit#filter\n  %(last)s\n"
    )
    nodes = [*made.root.filters, made.root.app]
    assert [node.mentioned.line for node in nodes if node and node.mentioned] == [5, 6, 7]


def test_a_section_is_mentioned_where_it_is_named_not_where_it_uses_something(load: Load) -> None:
    made = load("[pipeline:main]\npipeline = f a\n[filter:f]\nuse = egg:Kit#filter\n[app:a]\nuse = egg:Kit\n")
    assert [node.mentioned and node.mentioned.line for node in (*made.root.filters, made.root.app) if node] == [2, 2]


def test_a_missing_item_of_a_pipeline_is_reported_at_its_own_line(load: Load) -> None:
    made = load(
        "[pipeline:main]\npipeline =\n  egg:Kit#wrap\n  loging\n  egg:Kit#app\n[filter:logging]\nuse = egg:Kit#wrap\n"
    )
    (problem,) = made.problems
    assert (problem.code, problem.line, problem.key) == ("missing-section", 4, "pipeline")
    assert "logging" in problem.fix


def test_a_child_that_is_missing_is_reported_at_the_line_of_its_key(load: Load) -> None:
    text = "[composite:main]\nuse = egg:Kit#composite\n/ = home\n/blog = blgo\n"
    text += "[app:home]\nuse = egg:Kit\n[app:blog]\nuse = egg:Kit\n"
    made = load(text)
    assert made.root.child("home").shape == "factory"
    assert made.root.child("blgo", made.root.values["/blog"].origin).shape == "missing"
    (problem,) = made.problems
    assert (problem.line, problem.key, problem.fix) == (4, "/blog", "did you mean 'blog'?")
    with pytest.raises(ConfigError, match=r"site\.ini:4: \[composite:main\] /blog"):
        load(text).build()


# -- interpolation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("%(ENV_WP_SECRET)s", "p%40s%(x)s%%", id="its value is taken literally"),
        pytest.param("a %(ENV_WP_SECRET)s b", "a p%40s%(x)s%% b", id="within other text"),
        pytest.param("%(ENV_WP_NONE:-fall back)s", "fall back", id="a default where it is not set"),
        pytest.param("%(ENV_WP_EMPTY:-fall back)s", "fall back", id="a default where it is empty"),
        pytest.param("%(ENV_WP_EMPTY)s", "", id="empty without a default"),
        pytest.param("%(through)s", "p%40s%(x)s%%", id="through a key of DEFAULT"),
    ],
)
def test_a_variable_of_the_environment(load: Load, monkeypatch: pytest.MonkeyPatch, text: str, value: str) -> None:
    monkeypatch.setenv("WP_SECRET", "p%40s%(x)s%%")
    monkeypatch.setenv("WP_EMPTY", "")
    made = load(f"[DEFAULT]\nthrough = %(ENV_WP_SECRET)s\n[app:main]\nuse = egg:Kit#app\nk = {text}\n")
    assert not made.problems
    assert made.build().local_conf == {"k": value}
    assert not [key for key in made.root.global_conf if key.startswith("ENV_")]


def test_its_value_stays_literal_on_the_way_to_another_file(
    load: Load, write_ini: WriteIni, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WP_SECRET", "%(nothing)s%")
    write_ini("[app:main]\nuse = egg:Kit#app\nk = %(secret)s\n", "other.ini")
    made = load("[DEFAULT]\nsecret = %(ENV_WP_SECRET)s\n[app:main]\nuse = config:other.ini\n")
    assert not made.problems
    assert made.build().local_conf == {"k": "%(nothing)s%"}
    assert made.root.values["k"].environment == ("WP_SECRET",)


def test_a_value_from_the_environment_says_so(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WP_SECRET", "x")
    value = load("[app:main]\nuse = egg:Kit#app\nk = %(ENV_WP_SECRET)s\n").root.values["k"]
    assert (value.how, value.line, value.environment) == ("environment", 3, ("WP_SECRET",))


def test_a_key_that_is_really_called_so_wins(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "environment")
    made = load("[app:main]\nuse = egg:Kit#app\nENV_X = file\nk = %(ENV_X)s\n")
    assert made.build().local_conf["k"] == "file"


def test_missing_variables_of_the_environment_are_reported_together(load: Load) -> None:
    made = load("[app:main]\nuse = egg:Kit#app\na = %(ENV_WP_A)s\nb = %(ENV_WP_B)s\n")
    assert [(problem.code, problem.line) for problem in made.problems] == [
        ("environment-missing", 3),
        ("environment-missing", 4),
    ]
    assert "WP_A" in made.problems[0].what


def test_one_broken_value_in_DEFAULT_is_one_problem(load: Load) -> None:
    members = "[filter:a]\nuse = egg:Kit#wrap\nx = %(bad)s\n[app:b]\nuse = egg:Kit\ny = %(bad)s\n"
    made = load(f"[DEFAULT]\nbad = %(nowhere)s\n[pipeline:main]\npipeline = a b\n{members}")
    (problem,) = made.problems
    assert (problem.code, problem.line, problem.section, problem.key) == ("interpolation-missing", 2, "DEFAULT", "bad")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("%(a", "interpolation-syntax"),
        ("100%", "interpolation-syntax"),
        ("%(self)s", "interpolation-depth"),
        ("%(prot)s", "interpolation-missing"),
    ],
)
def test_a_broken_interpolation_is_reported_with_its_line(load: Load, text: str, code: str) -> None:
    made = load(f"[DEFAULT]\nport = 1\n[app:main]\nuse = egg:Kit#app\nself = {text}\n")
    assert {(problem.code, problem.line) for problem in made.problems} == {(code, 5)}


def test_an_unused_section_is_not_interpolated(load: Load) -> None:
    assert not load("[app:main]\nuse = egg:Kit\n[formatter_x]\nformat = %(asctime)s\n").problems


def test_a_percent_sign_given_on_the_command_line_is_one(load: Load) -> None:
    made = load("[app:main]\nuse = egg:Kit\nk = %(v)s\n", global_conf={"v": "50%"})
    assert made.build().local_conf == {"k": "50%"}


def test_a_variable_that_is_no_text_is_a_problem(load: Load) -> None:
    assert codes(load("[app:main]\nuse = egg:Kit\n", global_conf={"debug": True})) == ["not-text"]


# -- names that are not there ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "fix"),
    [
        pytest.param("[app:Main]\nuse = egg:Kit\n", "missing-section", "did you mean 'Main'?", id="wrong case"),
        pytest.param("[filter:main]\nuse = egg:Kit\n", "missing-section", "is a filter", id="another kind"),
        pytest.param(
            "[app:a]\nuse = egg:Kit\n[app:b]\nuse = egg:Kit\n", "missing-section", "there are: a, b", id="no main"
        ),
        pytest.param("[loggers]\nkeys = root\n", "missing-section", "no app in the file", id="no app at all"),
        pytest.param(
            "[app:main]\nuse = egg:Kit#ap\n", "missing-entry-point", "did you mean 'app'?", id="an entry point"
        ),
        pytest.param(
            "[app:main]\nuse = egg:Kit#wrap\n", "missing-entry-point", "there is a filter", id="of another kind"
        ),
        pytest.param("[app:main]\nuse = egg:Kit#twice\n", "ambiguous-entry-point", "", id="two of one name"),
        pytest.param(
            "[app:main]\nuse = egg:No-Such\n", "missing-distribution", "pip install No-Such", id="a distribution"
        ),
        pytest.param("[app:main]\nuse = egg:Kit==1.0\n", "missing-distribution", "the name alone", id="with a version"),
        pytest.param("[app:main]\nuse = config:no.ini\n", "missing-file", "", id="a file"),
        pytest.param(
            "[app:main]\nuse = call:module\n", "bad-reference", "call:package.module:object", id="call: without colon"
        ),
        pytest.param("[app:main]\nuse = zip:x\n", "unknown-scheme", "egg:", id="a scheme"),
        pytest.param("[app:main]\nx = 1\n", "no-factory", "write use", id="nothing that makes it"),
        pytest.param("[app:main]\nues = egg:Kit\n", "no-factory", "did you mean 'use'?", id="a misspelt use"),
        pytest.param("[app:main]\nget x = y\nuse = egg:Kit\n", "get-missing", "", id="a global value"),
        pytest.param(
            "[app:main]\nrequire = Kit Nope\nuse = egg:Kit\n", "missing-distribution", "Nope", id="a requirement"
        ),
        pytest.param("[app:main]\nuse = egg:Kit\nfilter-with = f\n", "missing-section", "", id="a filter"),
        pytest.param("[pipeline:main]\n", "missing-key", "pipeline =", id="the members of a pipeline"),
        pytest.param("[pipeline:main]\npipeline =\n", "empty-pipeline", "", id="any member"),
        pytest.param(
            "[pipeline:main]\npipeline = egg:Kit\nx = 1\n", "pipeline-key", "set NAME", id="keys of a pipeline"
        ),
        pytest.param("[filter-app:main]\nuse = egg:Kit\n", "missing-key", "next =", id="next"),
        pytest.param(
            "[app:main]\nuse = egg:Kit\n[pipeline:main]\npipeline = egg:Kit\n", "ambiguous-section", "", id="one of two"
        ),
        pytest.param(
            "[app:main]\npaste.app_factory = a:b\npaste.composite_factory = a:b\n",
            "several-protocols",
            "",
            id="one protocol",
        ),
        pytest.param(
            "[app:main]\npaste.app_factory = not a reference\n", "bad-reference", "module:object", id="a module"
        ),
    ],
)
def test_what_is_not_there_is_reported_with_a_way_out(load: Load, text: str, code: str, fix: str) -> None:
    made = load(text)
    (problem,) = made.problems
    assert (problem.code, problem.severity) == (code, "error")
    assert fix in problem.fix
    assert made.root.shape == "missing" or any(node.shape == "missing" for node in made.root.walk()) or problem.section


@pytest.mark.parametrize(
    ("use", "fix"),
    [
        ("egg:Paste#watch_threads", "Python 3"),
        ("egg:paste#gzip", "install Paste"),
        ("egg:PasteScript#wsgiutils", "install PasteScript"),
    ],
)
def test_an_old_name_that_is_not_installed_says_what_to_do(
    load: Load, monkeypatch: pytest.MonkeyPatch, use: str, fix: str
) -> None:
    from wheatpaste.config.evaluate import Resolver

    monkeypatch.setattr(Resolver, "distribution", lambda self, name: None)
    (problem,) = load(f"[app:main]\nuse = {use}\n").problems
    assert fix in problem.fix


@pytest.mark.parametrize(
    ("kind", "use"),
    [
        ("server", "egg:Paste#http"),
        ("app", "egg:paste#urlmap"),
        ("app", "egg:Paste#cascade"),
        ("app", "egg:Paste#static"),
        ("app", "egg:Paste#test"),
        ("app", "egg:PasteScript#test"),
        ("filter", "egg:PasteDeploy#prefix"),
        ("filter", "egg:Paste.Deploy#config".replace("Paste.Deploy", "PasteDeploy")),
        ("filter", "egg:Paste#translogger"),
    ],
)
def test_an_old_name_is_ours_and_can_be_imported(load: Load, kind: str, use: str) -> None:
    made = load(f"[{kind}:main]\nuse = {use}\n", kind=kind)
    assert not made.problems
    assert made.root.entry_point is not None
    assert made.root.entry_point.alias
    assert made.root.object.__module__.startswith("wheatpaste.")


def test_old_names_can_mean_the_old_distribution(load: Load) -> None:
    made = load("[wheatpaste]\naliases = off\n[app:main]\nuse = egg:Paste#urlmap\n")
    assert made.root.entry_point is not None
    assert made.root.entry_point.value == "paste.urlmap:urlmap_factory"


# -- nothing but ConfigError -------------------------------------------------------------------------------------------

LINES = st.sampled_from(
    """
    [app:main]|[app]|[pipeline:main]|[filter-app:main]|[composite:main]|[filter:f]|[DEFAULT]|[wheatpaste]
    use = main|use = f|use = egg:Kit|use = egg:|use = egg:#|use = call:|use = call:a:b|use = config:|use = config:x
    use = config:site.ini|use = #|use =|use = %(use)s|use = C:\\x.ini|use = egg:a/../b|use = config:\x01|use = CALL:x:y
    next = main|next =|pipeline = f main|pipeline =|filter-with = f|filter-with =|filter-with = main
    set =|set x = %(x)s|get x = x|get =|x = %(x)s|x = %|x = %(ENV_)s|x = %(ENV_:-)s|here =
    require = Kit|require = //|paste.app_factory = :|paste.app_factory = a:b
    extends = site.ini|extends = /|loader = x|python_path = a b|aliases = off
    """.replace("\n", "|").split("|")
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(LINES | st.text(max_size=10), max_size=14))
def test_no_text_makes_a_load_raise_anything_but_ConfigError(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.mktemp("any") / "site.ini"
    path.write_text("\n".join(lines), encoding="utf-8", errors="replace")
    for kind in ("app", "filter", "server"):
        made = Composition.load(f"config:{path}", kind=kind, collect=True)  # type: ignore[arg-type]
        errors = [problem for problem in made.problems if problem.severity == "error"]
        assert all(isinstance(problem, Problem) and str(problem) for problem in made.problems)
        if errors:
            with pytest.raises(ConfigError):
                Composition.load(f"config:{path}", kind=kind)  # type: ignore[arg-type]
        else:
            assert all(node.shape != "missing" for node in made.root.walk())


def test_a_node_says_what_it_is(load: Load) -> None:
    node: Node = load("[app:main]\nuse = egg:Kit#app\n").root
    assert (node.kind, node.shape, node.name, node.section, node.where.line) == (
        "app",
        "factory",
        "main",
        "app:main",
        1,
    )
    assert node.reference is not None
    assert (str(node.reference), node.reference_origin and node.reference_origin.line) == ("egg:Kit#app", 2)
