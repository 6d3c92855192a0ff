from __future__ import annotations

import configparser
import importlib.metadata
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import recording_factories
from recording_factories import Record

import wheatpaste
from wheatpaste.config import loadwsgi
from wheatpaste.config.problems import ConfigError

WriteIni = Callable[..., Path]

APP = "use = call:recording_factories:app_factory"
FILTER = "use = call:recording_factories:filter_factory"


@pytest.fixture(scope="module", autouse=True)
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A distribution called Kit, installed for the tests of this file."""
    folder = tmp_path_factory.mktemp("site")
    recording_factories.install(folder, "Kit")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield


@pytest.fixture
def pipeline(write_ini: WriteIni) -> Path:
    """A pipeline of one filter and one app."""
    return write_ini(
        f"""
        [pipeline:main]
        pipeline = f a
        [filter:f]
        {FILTER}
        [app:a]
        {APP}
        colour = red
        [server:main]
        use = call:recording_factories:server_factory
        """
    )


def test_the_names_of_the_package_are_these_functions() -> None:
    assert wheatpaste.loadapp is loadwsgi.loadapp
    assert wheatpaste.appconfig is loadwsgi.appconfig


def test_it_has_every_name_that_others_import() -> None:
    theirs = {
        "APP",
        "FILTER",
        "FILTER_APP",
        "FILTER_WITH",
        "PIPELINE",
        "SERVER",
        "AttrDict",
        "ConfigLoader",
        "EggLoader",
        "FuncLoader",
        "LoaderContext",
        "NicerConfigParser",
        "_loaders",
        "appconfig",
        "loadapp",
        "loadcontext",
        "loadfilter",
        "loadobj",
        "loadserver",
    }
    assert theirs <= set(vars(loadwsgi))


def test_it_loads_apps_filters_and_servers(pipeline: Path) -> None:
    app = loadwsgi.loadapp(f"config:{pipeline}")
    assert (app.maker, app.inner[0].local_conf) == ("filter", {"colour": "red"})
    assert loadwsgi.loadfilter(f"config:{pipeline}", name="f")("an app").inner == ("an app",)
    assert loadwsgi.loadserver(f"config:{pipeline.name}", relative_to=str(pipeline.parent))("an app").maker == "server"
    assert loadwsgi.loadapp("egg:Kit#other", global_conf={"a": 1}) == Record("other app", {"a": 1}, {})


def test_appconfig_lays_local_values_over_global_ones(pipeline: Path) -> None:
    conf = loadwsgi.appconfig(f"config:{pipeline}#a", global_conf={"size": "1"})
    assert (conf["colour"], conf["size"], conf.local_conf) == ("red", "1", {"colour": "red"})
    assert conf.global_conf["size"] == "1"
    assert conf.context.protocol == "paste.app_factory"


def test_the_global_conf_of_an_egg_is_the_caller_s_own_dict() -> None:
    given = {"a": "1"}
    assert loadwsgi.loadcontext(loadwsgi.APP, "egg:Kit", global_conf=given).global_conf is given


def test_a_pipeline_can_be_edited_before_it_is_built(pipeline: Path) -> None:
    # What Swift does.
    context = loadwsgi.loadcontext(loadwsgi.APP, f"config:{pipeline}", global_conf={})
    assert context.object_type.name == "pipeline"
    extra = loadwsgi.loadcontext(loadwsgi.FILTER, "egg:Kit#filter", global_conf=context.global_conf)
    extra.local_conf["extra"] = "yes"
    assert extra.entry_point_name == "filter"
    assert extra.distribution.metadata["Name"] == "Kit"
    context.filter_contexts.insert(0, extra)
    made = context.create()
    assert [made.local_conf, made.inner[0].maker, made.inner[0].inner[0].maker] == [{"extra": "yes"}, "filter", "app"]


def test_a_scheme_can_be_registered(pipeline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def scheme(object_type: Any, uri: str, path: str, name: str, relative_to: str | None, global_conf: Any) -> Any:
        calls.append((uri, path, name))
        return loadwsgi.loadcontext(object_type, f"config:{pipeline}", name=name, global_conf=global_conf)

    monkeypatch.setitem(loadwsgi._loaders, "my_files", scheme)
    assert loadwsgi.loadapp("my_files:/somewhere#a").maker == "app"
    assert calls == [("my_files:/somewhere", "/somewhere", "a")]


def test_a_registered_scheme_works_inside_a_file(write_ini: WriteIni, monkeypatch: pytest.MonkeyPatch) -> None:
    class Context:
        def create(self) -> str:
            return Record("made elsewhere", {}, {})  # type: ignore[return-value]

    monkeypatch.setitem(loadwsgi._loaders, "elsewhere", lambda *args, **options: Context())
    path = write_ini(f"[pipeline:main]\npipeline = f elsewhere:x\n[filter:f]\n{FILTER}\n")
    assert loadwsgi.loadapp(f"config:{path}").inner[0].maker == "made elsewhere"


def test_a_class_put_in_place_of_ConfigLoader_is_asked_for_every_name(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What Swift does: each section learns its own name.
    class Named(loadwsgi.ConfigLoader):
        def get_context(self, object_type: Any, name: str | None = None, global_conf: Any = None) -> Any:
            context = super().get_context(object_type, name=name, global_conf=global_conf)
            context.name = name  # type: ignore[assignment]
            context.local_conf["__name__"] = name
            return context

    monkeypatch.setattr(loadwsgi, "ConfigLoader", Named)
    app = loadwsgi.loadapp(f"config:{pipeline}")
    assert app.local_conf == {"__name__": "f"}
    assert app.inner[0].local_conf == {"__name__": "a", "colour": "red"}


def test_a_class_that_brings_its_own_parser_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What Swift does for a directory of files.
    (tmp_path / "1.conf").write_text(f"[DEFAULT]\nport = 1\n[app:main]\n{APP}\nwhere = %(here)s\nport_is = %(port)s\n")
    (tmp_path / "2.conf").write_text("[app:main]\ncolour = blue\n")

    class Directory(loadwsgi.ConfigLoader):
        def __init__(self, folder: str) -> None:
            self.filename = folder
            self.parser = loadwsgi.NicerConfigParser(folder, defaults={"here": folder, "__file__": folder})
            self.parser.optionxform = str
            self.parser.read(sorted(str(path) for path in Path(folder).glob("*.conf")))

    def scheme(object_type: Any, uri: str, path: str, name: str, relative_to: str | None, global_conf: Any) -> Any:
        loader = Directory(path)
        if global_conf:
            loader.update_defaults(global_conf, overwrite=False)
        return loader.get_context(object_type, name, global_conf)

    monkeypatch.setitem(loadwsgi._loaders, "config_dir", scheme)
    app = loadwsgi.loadapp(f"config_dir:{tmp_path}", global_conf={"port": "2", "extra": "3"})
    assert app.local_conf == {"where": str(tmp_path), "port_is": "1", "colour": "blue"}
    assert (app.global_conf["extra"], app.global_conf["port"]) == ("3", "2")


def test_a_config_loader_has_a_parser_with_interpolated_defaults(write_ini: WriteIni, tmp_path: Path) -> None:
    # What plaster_pastedeploy does.
    path = write_ini(
        "[DEFAULT]\nData = %(here)s/data\n[app:main]\nUse = x\nat = %(data_dir)s\n[loggers]\nkeys = root\n"
    )
    loader = loadwsgi.ConfigLoader(str(path))
    loader.update_defaults({"data_dir": "/d"})
    parser = loader.parser
    assert parser.sections() == ["app:main", "loggers"]
    assert parser.defaults()["Data"] == f"{tmp_path}/data"
    assert parser.get("app:main", "at") == "/d"
    assert dict(parser.items("app:main"))["Use"] == "x"
    loader.update_defaults({"data_dir": "/e"}, overwrite=False)
    assert parser.get("app:main", "at") == "/d"


def test_a_parser_s_errors_name_the_file(write_ini: WriteIni) -> None:
    path = write_ini("[app:main]\nx = %(nowhere)s\n")
    with pytest.raises(configparser.InterpolationMissingOptionError, match=f"^Error in file {path}: "):
        loadwsgi.ConfigLoader(str(path)).parser.get("app:main", "x")


def test_loaders_get_what_they_name(pipeline: Path) -> None:
    loader = loadwsgi.ConfigLoader(str(pipeline))
    assert loader.get_app("a", global_conf={"z": "1"}).global_conf["z"] == "1"
    assert loader.get_filter("f")("an app").maker == "filter"
    assert loader.get_server()("an app").maker == "server"
    assert loader.find_config_section(loadwsgi.APP, "a") == "app:a"
    assert [loader.absolute_name(name) for name in ("egg:x", "a", None)] == [True, False, False]
    egg = loadwsgi.EggLoader("Kit")
    assert egg.find_egg_entry_point(loadwsgi.APP, "other") == (
        recording_factories.other_app_factory,
        "paste.app_factory",
        "other",
    )
    assert egg.get_app("other").maker == "other app"
    assert loadwsgi.FuncLoader("recording_factories:app_factory").get_app().maker == "app"
    with pytest.raises(LookupError):
        loadwsgi.FuncLoader("recording_factories")


def test_a_bare_header_is_found_by_a_loader_without_a_name(write_ini: WriteIni) -> None:
    loader = loadwsgi.ConfigLoader(str(write_ini(f"[app]\n{APP}\n")))
    assert loader.get_app().maker == "app"


def test_a_context_made_by_hand_can_be_created() -> None:
    context = loadwsgi.LoaderContext(
        recording_factories.app_factory, loadwsgi.APP, "paste.app_factory", {"g": "1"}, {"l": "2"}, None
    )
    assert context.create() == Record("app", {"g": "1"}, {"l": "2"})
    assert context.config()["l"] == "2"


@pytest.mark.parametrize(
    ("text", "uri", "kind"),
    [
        ("", "config:{folder}/none.ini", FileNotFoundError),
        ("", "config:{folder}", IsADirectoryError),
        ("", "config:site.ini", ValueError),
        ("[app:main]\nuse = egg:No-Such", "config:{path}", importlib.metadata.PackageNotFoundError),
        ("[app:main]\nx = %(y)s", "config:{path}", configparser.InterpolationMissingOptionError),
        ("[app:main]\nx = %y", "config:{path}", configparser.InterpolationSyntaxError),
        ("[app:main]\nx = %(x)s", "config:{path}", configparser.InterpolationDepthError),
        ("[app:main]\nx = 1\nx = 2", "config:{path}", configparser.Error),
        ("[app:main]\nuse = b", "config:{path}", LookupError),
        ("", "zip:x", LookupError),
        ("", "no scheme", LookupError),
    ],
)
def test_an_error_also_is_of_the_type_that_PasteDeploy_raises(
    write_ini: WriteIni, tmp_path: Path, text: str, uri: str, kind: type[Exception]
) -> None:
    path = write_ini(text)
    with pytest.raises(kind) as caught:
        loadwsgi.loadapp(uri.format(path=path, folder=tmp_path))
    assert isinstance(caught.value, ConfigError)
    assert isinstance(caught.value, LookupError)
    assert str(caught.value) == str(caught.value.args[0])
    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems


def test_it_runs_a_composite_that_chooses_its_own_pipeline(write_ini: WriteIni) -> None:
    # What OpenStack's services do: the loader is asked by name, without global_conf.
    path = write_ini(
        f"""
        [composite:main]
        use = call:recording_factories:pipeline_factory
        set volume = 11
        chosen = f a
        [filter:f]
        {FILTER}
        [app:a]
        {APP}
        """
    )
    app = loadwsgi.loadapp(f"config:{path}", global_conf={"given": "1"})
    assert app.maker == "filter"
    assert "volume" not in app.global_conf
