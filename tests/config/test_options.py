"""Options declared once, from Python and from the text of a section."""

from dataclasses import field
from pathlib import Path
from typing import Any, Literal

import pytest

from wheatpaste.config.factories import (
    make_app_factory,
    make_composite_factory,
    make_filter_factory,
    make_server_runner,
)
from wheatpaste.config.mounts import KeyProblem, Mount
from wheatpaste.config.options import OptionError, between, component, option, options_of
from wheatpaste.config.origin import BuildSite, Origin, building
from wheatpaste.config.problems import ConfigError
from wheatpaste.config.reader import Reader
from wheatpaste.config.values import AppReference, Imported, Seconds, Size


@component
class Squeeze:
    """Makes things smaller."""

    app: Any = field(kw_only=False)
    level: int = option(default=6, doc="How hard.", check=between(1, 9))
    minimum_size: Size = option(default=500, doc="Leave shorter bodies alone.")
    after: Seconds | None = option(default=None, doc="Wait before it starts.")
    style: Literal["flat", "round"] = option(default="flat", doc="The look.")
    root: Path | None = option(default=None, doc="Where it lies.")
    debug: bool = option(default=False, doc="Say more.", inherits=True)
    password: str = option(default="", doc="Who may.", secret=True)

    def __post_init__(self) -> None:
        if self.style == "round" and self.level == 9:
            raise OptionError("Squeeze", "style", "cannot be round at level 9")

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)


filter_factory = make_filter_factory(Squeeze)


def app(environ: Any, start_response: Any) -> Any:
    return []


SITE = BuildSite(
    Origin(file="/srv/site.ini", line=13, section="filter:gzip"),
    {
        "level": Origin(file="/srv/site.ini", line=14, section="filter:gzip"),
        "levle": Origin(file="/srv/site.ini", line=15, section="filter:gzip"),
        "root": Origin(file="/etc/other/shared.ini", line=3, section="filter:gzip"),
    },
)


def problems(global_conf: dict[str, str] | None = None, **texts: str) -> list[str]:
    token = building.set(SITE)
    try:
        with pytest.raises(ConfigError) as caught:
            filter_factory(global_conf or {}, **texts)(app)
    finally:
        building.reset(token)
    return [str(problem) for problem in caught.value.problems]


def test_python_gets_keywords_with_defaults() -> None:
    made = Squeeze(app, level=9)
    assert (made.app, made.level, made.minimum_size) == (app, 9, 500)


def test_a_wrong_value_from_python_names_component_option_and_value() -> None:
    with pytest.raises(OptionError, match=r"^Squeeze: level: must be between 1 and 9, got 12$"):
        Squeeze(app, level=12)


def test_a_component_cannot_be_changed_after_it_was_made() -> None:
    with pytest.raises(AttributeError):
        Squeeze(app).level = 3  # type: ignore[misc]


def test_a_secret_stays_out_of_the_repr() -> None:
    text = repr(Squeeze(app, password="hunter2", level=3))
    assert "hunter2" not in text
    assert "level=3" in text


def test_the_ini_gets_values_of_the_declared_types() -> None:
    made = filter_factory({"debug": "yes"}, level="9", minimum_size="64KB", after="5m", style="Flat")(app)
    assert (made.level, made.minimum_size, made.after, made.style, made.debug) == (9, 65536, 300.0, "flat", True)


def test_a_section_wins_over_what_it_inherits() -> None:
    assert filter_factory({"debug": "yes"}, debug="no")(app).debug is False


def test_only_options_that_inherit_read_the_global_configuration() -> None:
    assert filter_factory({"level": "1"})(app).level == 6


def test_a_wrong_value_names_file_line_section_key_and_value() -> None:
    assert problems(level="12") == ["/srv/site.ini:14: [filter:gzip] level = 12: must be between 1 and 9"]


def test_a_misspelt_key_is_refused_with_the_one_that_was_meant() -> None:
    assert problems(levle="6") == ["/srv/site.ini:15: [filter:gzip] levle: no such option; did you mean 'level'?"]


def test_all_problems_come_at_once() -> None:
    found = problems(level="x", levle="6", style="square", after="soon")
    assert len(found) == 4


def test_a_rule_that_joins_options_is_reported_like_any_other() -> None:
    assert problems(level="9", style="round") == ["/srv/site.ini:13: [filter:gzip] style: cannot be round at level 9"]


def test_a_path_is_relative_to_the_file_in_which_its_key_stands() -> None:
    token = building.set(SITE)
    try:
        assert filter_factory({"here": "/srv"}, root="pics")(app).root == Path("/etc/other/pics")
    finally:
        building.reset(token)
    assert filter_factory({"here": "/srv"}, root="pics")(app).root == Path("/srv/pics")


class TestSecrets:
    """A secret option X is also X_file and X_env."""

    def test_a_file_holds_it(self, tmp_path: Path) -> None:
        (tmp_path / "pw").write_text("hunter2\n")
        assert filter_factory({"here": str(tmp_path)}, password_file="pw")(app).password == "hunter2"

    def test_an_environment_variable_holds_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SQUEEZE_PASSWORD", "hunter2")
        assert filter_factory({}, password_env="SQUEEZE_PASSWORD")(app).password == "hunter2"

    @pytest.mark.parametrize(
        ("texts", "phrase"),
        [
            ({"password_file": "/nowhere/pw"}, "/nowhere/pw cannot be read (No such file or directory)"),
            ({"password_env": "NOT_SET_HERE"}, "the environment variable 'NOT_SET_HERE' is not set"),
            ({"password": "a", "password_env": "B"}, "says the same as 'password'"),
        ],
        ids=["the file is missing", "the variable is missing", "given twice"],
    )
    def test_a_wrong_source_is_named_and_the_secret_is_not(self, texts: dict[str, str], phrase: str) -> None:
        (found,) = problems(**texts)
        assert phrase in found


def test_a_required_option_that_is_missing_is_described() -> None:
    @component
    class Need:
        """Needs something."""

        to: str = option(doc="Where to go.")

    with pytest.raises(ConfigError, match=r"'to' is missing \(Where to go\); add `to = …` \(text\)"):
        make_app_factory(Need)({})
    assert make_app_factory(Need)({}, to="x").to == "x"


def test_old_names_map_to_new_ones_and_old_keys_only_warn(caplog: pytest.LogCaptureFixture) -> None:
    factory = make_filter_factory(
        Squeeze,
        names={"compress_level": "level"},
        ignored={"flush": "streams are always flushed"},
        defaults={"minimum_size": 0},
        unknown="warning",
    )
    made = factory({}, compress_level="2", flush="1", nonsense="1")(app)
    assert (made.level, made.minimum_size) == (2, 0)
    assert "flush: does nothing: streams are always flushed" in caplog.text
    assert "nonsense: no such option" in caplog.text


def test_plain_paste_deploy_still_gets_file_and_line(tmp_path: Path) -> None:
    ini = tmp_path / "site.ini"
    ini.write_text("[app:main]\nuse = x\n\n[filter:gzip]\nuse = y\nlevel = 12\n")
    with pytest.raises(ConfigError) as caught:
        filter_factory({"__file__": str(ini), "here": str(tmp_path)}, level="12")
    assert str(caught.value) == f"{ini}:6: [filter:gzip] level = 12: must be between 1 and 9"


def test_options_are_described_in_the_order_of_their_declaration() -> None:
    assert [each.name for each in options_of(Squeeze)][:3] == ["level", "minimum_size", "after"]
    assert options_of(Squeeze) is options_of(Squeeze)


def test_a_composite_builds_the_apps_that_its_keys_name() -> None:
    @component
    class Both:
        """Holds apps."""

        apps: tuple[Any, ...] = field(default=())
        fallback: AppReference | None = option(default=None, doc="The app for everything else.")

    def read(keys: Any) -> tuple[list[Mount], list[KeyProblem]]:
        return (
            [Mount(key, name) for key, name in keys.items() if key != "bad"],
            [KeyProblem(key, "is bad", "be good") for key in keys if key == "bad"],
        )

    class Loader:
        def get_app(self, name: str, global_conf: Any = None) -> Any:
            return (name, global_conf)

    factory = make_composite_factory(
        Both, mounts=read, assemble=lambda cls, values, apps: cls(apps=tuple(made for _, made in apps), **values)
    )
    made = factory(Loader(), {"g": "1"}, one="x", fallback="y")
    assert made.apps == (("x", {"g": "1"}),)
    assert made.fallback == ("y", {"g": "1"})
    with pytest.raises(ConfigError, match="bad: is bad; be good"):
        factory(Loader(), {}, bad="x")


def test_a_server_runner_serves_the_app_it_is_given() -> None:
    served: list[Any] = []

    @component
    class Server:
        """Serves."""

        port: int = option(default=8080, doc="The port.", check=between(0, 65535))

        def serve(self, app: Any) -> None:
            served.append((self.port, app))

    make_server_runner(Server)(app, {}, port="81")
    assert served == [(81, app)]


def test_reading_without_importing_runs_no_code_of_the_deployer() -> None:
    @component
    class Asks:
        """Calls something."""

        check: Imported | None = option(default=None, doc="What to call.")

    reading = Reader(component=Asks).read({"check": "no_such_module_here:f"}, {}, importing=False)
    assert (reading.values, reading.problems) == ({"check": "no_such_module_here:f"}, [])
    reading = Reader(component=Asks).read({"check": "no_such_module_here:f"}, {})
    assert "cannot be imported" in str(reading.problems[0])
