from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from recording_factories import Record

from wheatpaste.config.check import check_composition
from wheatpaste.config.composition import Composition
from wheatpaste.config.problems import ConfigError

WriteIni = Callable[..., Path]

APP = "use = call:recording_factories:app_factory"


def test_each_file_is_announced_before_it_is_opened_and_read_once(write_ini: WriteIni) -> None:
    other = write_ini(f"[app:a]\n{APP}\n[app:b]\n{APP}\n", "other.ini")
    path = write_ini(
        """
        [pipeline:main]
        pipeline = config:other.ini#f config:other.ini#a
        """
    )
    announced: list[str] = []
    made = Composition.load(f"config:{path}", on_file=announced.append, collect=True)
    assert announced == [str(path), str(other)]
    assert list(made.files) == announced


def test_a_missing_file_was_announced_too(tmp_path: Path) -> None:
    announced: list[str] = []
    with pytest.raises(FileNotFoundError):
        Composition.load(f"config:{tmp_path}/none.ini", on_file=announced.append)
    assert announced == [f"{tmp_path}/none.ini"]


def test_it_knows_which_sections_something_refers_to(write_ini: WriteIni) -> None:
    path = write_ini(
        f"""
        [composite:main]
        use = call:recording_factories:composite_factory
        / = a
        [app:a]
        {APP}
        [app:unused]
        {APP}
        """
    )
    made = Composition.load(f"config:{path}")
    assert made.used == {(str(path), "composite:main")}
    made.root.child("a")
    assert made.used == {(str(path), "composite:main"), (str(path), "app:a")}


def test_the_server_of_the_same_file_is_another_root(write_ini: WriteIni) -> None:
    path = write_ini(f"[app:main]\n{APP}\n[server:main]\nuse = call:recording_factories:server_factory\nport = 1\n")
    made = Composition.load(f"config:{path}", global_conf={"extra": "1"})
    server = made.also("server")
    assert server is not None
    assert (server.kind, server.local_conf, server.global_conf["extra"]) == ("server", {"port": "1"}, "1")
    assert made.also("server", "other") is None


def test_all_errors_are_raised_at_once(write_ini: WriteIni) -> None:
    path = write_ini("[pipeline:main]\npipeline = a b c\nnot an option\n")
    with pytest.raises(ConfigError) as caught:
        Composition.load(f"config:{path}")
    assert [(problem.line, problem.code) for problem in caught.value.problems] == [
        (2, "missing-section"),
        (2, "missing-section"),
        (2, "missing-section"),
        (3, "no-delimiter"),
    ]


def test_an_egg_needs_no_file(tmp_path: Path) -> None:
    made = Composition.load("egg:Paste#test", global_conf={"debug": "true"})
    assert made.file is None
    assert made.root.global_conf == {"debug": "true"}


def test_a_call_needs_no_file() -> None:
    assert Composition.load("call:recording_factories:app_factory").build() == Record("app", {}, {})


def test_a_name_given_apart_beats_the_one_in_the_uri(write_ini: WriteIni) -> None:
    path = write_ini(f"[app:a]\n{APP}\n[app:b]\n{APP}\n")
    assert Composition.load(f"config:{path}#a", name="b").root.section == "app:b"


# -- extends -----------------------------------------------------------------------------------------------------------


def test_files_lie_over_each_other_and_the_one_that_extends_comes_last(write_ini: WriteIni) -> None:
    low = write_ini(f"[DEFAULT]\nhome = low\n[app:main]\n{APP}\na = low\nb = low\nc = low\n", "low.ini")
    high = write_ini("[app:main]\nb = high\nc = high\n[app:extra]\nuse = main\n", "high.ini")
    path = write_ini("[wheatpaste]\nextends = low.ini\n  high.ini\n[DEFAULT]\nhome = top\n[app:main]\nc = top\n")
    made = Composition.load(f"config:{path}")
    assert made.build().local_conf == {"a": "low", "b": "high", "c": "top"}
    assert made.root.global_conf["home"] == "top"
    assert made.root.values["a"].origin.file == str(low)
    assert made.root.values["b"].origin.file == str(high)
    assert [lost.text for lost in made.root.values["c"].lost] == ["high"]
    assert list(made.files) == [str(path), str(low), str(high)]


def test_here_is_the_folder_of_the_file_in_which_it_is_written(write_ini: WriteIni, tmp_path: Path) -> None:
    write_ini(f"[DEFAULT]\ndata = %(here)s/data\n[app:main]\n{APP}\nlow = %(here)s\n", "base/base.ini")
    path = write_ini("[wheatpaste]\nextends = base/base.ini\n[app:main]\ntop = %(here)s\nvia = %(data)s\n")
    made = Composition.load(f"config:{path}").build()
    assert made.local_conf == {
        "low": f"{tmp_path}/base",
        "top": str(tmp_path),
        "via": f"{tmp_path}/base/data",
    }
    assert made.global_conf["here"] == str(tmp_path)


def test_a_reference_starts_from_the_file_in_which_it_is_written(write_ini: WriteIni) -> None:
    write_ini(f"[app:main]\n{APP}\n", "base/near.ini")
    write_ini("[app:main]\nuse = config:near.ini\n", "base/base.ini")
    path = write_ini("[wheatpaste]\nextends = base/base.ini\n")
    assert Composition.load(f"config:{path}").build().maker == "app"


def test_files_that_extend_each_other_are_a_loop(write_ini: WriteIni) -> None:
    write_ini("[wheatpaste]\nextends = site.ini\n", "other.ini")
    path = write_ini(f"[wheatpaste]\nextends = other.ini\n[app:main]\n{APP}\n")
    with pytest.raises(ConfigError, match=r"other\.ini:2: \[wheatpaste\] extends: the files extend each other"):
        Composition.load(f"config:{path}")


def test_mistakes_in_an_extended_file_are_reported_there(write_ini: WriteIni) -> None:
    write_ini("[app:main]\nbroken\n", "base.ini")
    path = write_ini(f"[wheatpaste]\nextends =\n  base.ini\n  none.ini\n[app:main]\n{APP}\n")
    made = Composition.load(f"config:{path}", collect=True)
    assert [(os.path.basename(problem.file or ""), problem.line, problem.code) for problem in made.problems] == [
        ("base.ini", 2, "no-delimiter"),
        ("site.ini", 4, "missing-file"),
    ]


def test_a_file_that_all_of_several_extend_is_no_loop(write_ini: WriteIni) -> None:
    write_ini(f"[app:main]\n{APP}\n", "root.ini")
    write_ini("[wheatpaste]\nextends = root.ini\n", "left.ini")
    write_ini("[wheatpaste]\nextends = root.ini\n", "right.ini")
    path = write_ini("[wheatpaste]\nextends = left.ini right.ini\n")
    assert Composition.load(f"config:{path}").build().maker == "app"


def test_sections_of_an_extended_file_count_as_used(write_ini: WriteIni) -> None:
    base = write_ini(f"[app:main]\n{APP}\n", "base.ini")
    path = write_ini("[wheatpaste]\nextends = base.ini\n[app:main]\nx = 1\n")
    assert Composition.load(f"config:{path}").used == {(str(base), "app:main"), (str(path), "app:main")}


# -- the other settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "fix"),
    [
        ("extend = x", "extend", "did you mean 'extends'?"),
        ("aliases = maybe", "aliases", "on"),
        ("loader = other", "loader", "pastedeploy"),
    ],
)
def test_a_wrong_setting_is_a_problem(write_ini: WriteIni, text: str, key: str, fix: str) -> None:
    path = write_ini(f"[wheatpaste]\n{text}\n[app:main]\n{APP}\n")
    (problem,) = Composition.load(f"config:{path}", collect=True).problems
    assert (problem.line, problem.section, problem.key) == (2, "wheatpaste", key)
    assert fix in problem.fix


def test_the_python_path_starts_from_the_file_and_goes_to_the_front(
    write_ini: WriteIni, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "only_on_the_path.py").write_text("def make(global_conf):\n    return print\n")
    path = write_ini("[wheatpaste]\npython_path = src\n  %(here)s/lib\n[app:main]\nuse = call:only_on_the_path:make\n")
    made = Composition.load(f"config:{path}")
    assert made.python_path == (f"{tmp_path}/src", f"{tmp_path}/lib")
    assert made.build() is print
    assert sys.path[:2] == list(made.python_path)


def test_without_a_python_path_the_working_directory_counts_for_commands_alone(
    write_ini: WriteIni, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = list(sys.path)
    path = write_ini(f"[app:main]\n{APP}\n")
    made = Composition.load(f"config:{path}")
    made.build()
    assert sys.path == before
    assert made.python_path == (os.getcwd(),)
    made.extend_sys_path()
    assert os.getcwd() in sys.path


def test_a_distribution_is_looked_for_on_the_python_path(write_ini: WriteIni, tmp_path: Path) -> None:
    info = tmp_path / "src" / "Only_Here.egg-info"
    info.mkdir(parents=True)
    (info / "entry_points.txt").write_text("[paste.app_factory]\nmain = recording_factories:app_factory\n")
    path = write_ini("[wheatpaste]\npython_path = src\n[app:main]\nuse = egg:only-here\n")
    assert Composition.load(f"config:{path}").root.protocol == "paste.app_factory"


def test_PasteDeploy_itself_can_build(write_ini: WriteIni) -> None:
    # An app that takes over one with two filter-withs: PasteDeploy makes a filter of it, ours makes an app.
    text = f"[app:main]\nuse = b\nfilter-with = f\n[app:b]\n{APP}\nfilter-with = f\n"
    text += "[filter:f]\npaste.filter_factory = recording_factories:filter_factory\n"
    path = write_ini(text)
    ours = Composition.load(f"config:{path}").build()
    path = write_ini(f"[wheatpaste]\nloader = pastedeploy\n{text}", "theirs.ini")
    theirs = Composition.load(f"config:{path}").build()
    assert isinstance(ours, Record)
    assert not isinstance(theirs, Record)


def test_PasteDeploy_judges_for_itself(write_ini: WriteIni) -> None:
    path = write_ini("[wheatpaste]\nloader = pastedeploy\n[app:main]\nuse = nowhere\n")
    made = Composition.load(f"config:{path}")
    with pytest.raises(LookupError, match="No section 'nowhere'"):
        made.build()


def test_PasteDeploy_cannot_extend(write_ini: WriteIni) -> None:
    write_ini("", "base.ini")
    path = write_ini(f"[wheatpaste]\nloader = pastedeploy\nextends = base.ini\n[app:main]\n{APP}\n")
    (problem,) = Composition.load(f"config:{path}", collect=True).problems
    assert (problem.line, problem.key) == (2, "loader")


class TestCheckedFirst:
    """What a check has evaluated is built as it is, unless somebody changed something in between."""

    INI = (
        "[DEFAULT]\nword = hello\n[composite:main]\nuse = egg:wheatpaste#urlmap\n/a = one\n/b = one\n/c = two\n"
        "[app:one]\nuse = egg:wheatpaste#echo\n[app:two]\npaste.app_factory = recording_factories:app_factory\n"
        "key = %(word)s\n"
    )

    def composed(self, tmp_path: Path) -> Composition:
        (tmp_path / "site.ini").write_text(self.INI)
        composition = Composition.load(f"config:{tmp_path / 'site.ini'}", collect=True)
        assert check_composition(composition) == []
        return composition

    def test_it_builds_what_it_would_have_built(self, tmp_path: Path) -> None:
        checked = self.composed(tmp_path).build()
        fresh = Composition.load(f"config:{tmp_path / 'site.ini'}").build()
        assert list(checked) == list(fresh) != []
        assert checked["/c"] == fresh["/c"]
        assert checked["/a"] is not checked["/b"], "each mention builds an app of its own"

    def test_an_edit_of_the_global_values_counts(self, tmp_path: Path) -> None:
        composition = self.composed(tmp_path)
        composition.root.global_conf["word"] = "goodbye"
        assert composition.build()["/c"].global_conf["word"] == "goodbye"
