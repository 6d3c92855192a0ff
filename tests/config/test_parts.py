"""Sections that belong to another: read alike under each loader, checked, and named by line."""

from __future__ import annotations

import configparser
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paste.deploy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wheatpaste.config import loadwsgi, unused
from wheatpaste.config.chapters import sections
from wheatpaste.config.check import check_file
from wheatpaste.config.problems import ConfigError

WHERE = "wheatpaste.gatekeeper"

HEAD = f"""
[app:main]
paste.app_factory = {WHERE}:app_factory
"""
LOADERS = {"ours": loadwsgi.loadapp, "PasteDeploy": paste.deploy.loadapp}

pytestmark = pytest.mark.usefixtures("gatekeeper")
each_loader = pytest.mark.parametrize("load", list(LOADERS.values()), ids=list(LOADERS))


@pytest.fixture
def ini(tmp_path: Path) -> Callable[..., str]:
    """Writes a file; ``app`` stands above it unless told otherwise."""

    def write(text: str, name: str = "site.ini", head: str = HEAD) -> str:
        path = tmp_path / name
        path.write_text(head + textwrap.dedent(text), encoding="utf-8")
        return str(path)

    return write


def parts_of(load: Any, path: str, **variables: str) -> Any:
    return load(f"config:{path}", global_conf=variables or None).parts


def told(path: str, **variables: str) -> list[str]:
    """What a check says, with file names instead of paths."""
    folder = str(Path(path).parent) + "/"
    return [str(each).replace(folder, "") for each in check_file(path, global_conf=variables or None)]


# What the component gets ----------------------------------------------------------------------------------------------


@each_loader
def test_each_section_becomes_its_component(load: Any, ini: Any) -> None:
    parts = parts_of(
        load,
        ini(
            """
            [gate:main]
            motto = Come in
            [gate:main:locks]
            word = 0d2c9ab1f4
            patience = 5m
            folder = keys
            [gate:main:door:front]
            colour = red
            [gate:main:door:back]
            colour = green
            """
        ),
    )
    assert list(parts) == ["", "locks", "door:front", "door:back"]
    assert parts[""].motto == "Come in"
    assert (parts["locks"].word, parts["locks"].patience) == ("0d2c9ab1f4", 300.0)
    assert parts["locks"].folder.parent == Path(ini("", "other.ini")).parent, "paths begin where they are written"
    assert (parts["door:front"].colour, parts["door:back"].colour) == ("red", "green")


@each_loader
def test_what_the_file_does_not_have_is_not_there(load: Any, ini: Any) -> None:
    assert list(parts_of(load, ini("[gate:main]\n"))) == [""]


@each_loader
def test_another_name_means_other_sections(load: Any, ini: Any) -> None:
    path = ini("gate = side\n[gate:main]\nmotto = main\n[gate:side]\nmotto = side\n[gate:main:door:a]\ncolour = red\n")
    parts = parts_of(load, path)
    assert (list(parts), parts[""].motto) == ([""], "side")


@each_loader
def test_free_keys_keep_their_order(load: Any, ini: Any) -> None:
    parts = parts_of(load, ini("[gate:main]\n[gate:main:rules]\n/z = 1\n/a/* = 2\n/m b = 3\n"))
    assert list(parts["rules"].rules.items()) == [("/z", 1), ("/a/*", 2), ("/m b", 3)]


@each_loader
def test_variables_count_as_anywhere_else(load: Any, ini: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATE_SECRET", "50%(of)s%")
    path = ini(
        """
        [DEFAULT]
        town = Berlin
        [gate:main]
        motto = %(here)s %(town)s %(given)s 100%% %(guests)s
        guests = %(town)s!
        [gate:main:locks]
        word = %(ENV_GATE_SECRET)s
        """
    )
    parts = parts_of(load, path, given="here you are")
    assert parts[""].motto == f"{Path(path).parent} Berlin here you are 100% Berlin!"
    assert parts["locks"].word == "50%(of)s%"


@each_loader
def test_an_option_that_inherits_takes_the_default(load: Any, ini: Any) -> None:
    default = "[DEFAULT]\nguests = ann bob\n"
    assert parts_of(load, ini(default + "[gate:main]\n"))[""].guests == ("ann", "bob")
    # Elsewhere [DEFAULT] would hide the section's own key.
    assert parts_of(load, ini(default + "[gate:main]\nguests = eve\n"))[""].guests == ("eve",)


@each_loader
def test_a_key_of_default_does_not_hide_that_of_a_section(load: Any, ini: Any) -> None:
    assert parts_of(load, ini("[DEFAULT]\nmotto = no\n[gate:main]\nmotto = yes\n"))[""].motto == "yes"
    assert parts_of(load, ini("[DEFAULT]\nmotto = no\n[gate:main]\n"))[""].motto == ""


@each_loader
def test_a_value_that_the_section_sets_for_all_counts(load: Any, ini: Any) -> None:
    assert parts_of(load, ini("set guests = ann\n[gate:main]\n"))[""].guests == ("ann",)


@each_loader
def test_what_default_and_the_command_line_both_say_is_what_it_is_elsewhere(load: Any, ini: Any) -> None:
    # In values [DEFAULT] wins, and as a global value what was given does: PasteDeploy's rules.
    path = ini("[DEFAULT]\nguests = ann\n[gate:main]\nmotto = %(guests)s\n")
    parts = parts_of(load, path, guests="bob")
    assert (parts[""].motto, parts[""].guests) == ("ann", ("bob",))


@each_loader
def test_the_sections_may_stand_in_another_file(load: Any, ini: Any) -> None:
    gates = ini(
        """
        [DEFAULT]
        town = Rome
        [gate:main]
        motto = %(town)s %(given)s
        [gate:main:locks]
        word_file = key
        """,
        "gates.ini",
        head="",
    )
    Path(gates).with_name("key").write_text("from a file\n")
    parts = parts_of(load, ini("config = gates.ini\n[gate:main]\nmotto = not this\n"), given="by hand")
    assert parts[""].motto == "Rome by hand"
    assert parts["locks"].word == "from a file"


@each_loader
def test_files_that_extend_others_are_one(load: Any, ini: Any) -> None:
    base = "[gate:main]\nmotto = base\n[gate:main:locks]\nword = one\nfolder = keys\n[gate:main:door:a]\ncolour = red\n"
    above = "[wheatpaste]\nextends = shared/base.ini\n[gate:main]\nmotto = above\n[gate:main:locks]\nword = two\n"
    path = ini(above)
    (Path(path).parent / "shared").mkdir()
    ini(base, "shared/base.ini", head="")
    parts = parts_of(load, path)
    assert (parts[""].motto, parts["locks"].word, parts["door:a"].colour) == ("above", "two", "red")
    assert parts["locks"].folder == Path(path).parent / "shared" / "keys"


def test_sections_are_found_in_the_file_that_names_them(ini: Any) -> None:
    ini("gate = side\n[gate:side]\nmotto = here\n", "gates.ini")
    path = ini("[app:main]\nuse = config:gates.ini\n[gate:main]\n", head="")
    assert parts_of(loadwsgi.loadapp, path)[""].motto == "here"
    # What is in the file that is served comes first.
    path = ini("[app:main]\nuse = config:gates.ini\n[gate:side]\nmotto = there\n", head="")
    assert parts_of(loadwsgi.loadapp, path)[""].motto == "there"


def test_the_text_of_sections_is_there_for_any_factory(ini: Any) -> None:
    path = ini("[gate:main]\nmotto = %(here)s\n[gate:main:anything]\na = %(x)s\n[gate: other]\n")
    found = sections({"__file__": path, "x": "y"}, "gate:main")
    assert {name: values.plain for name, values in found.items()} == {
        "": {"motto": str(Path(path).parent)},
        "anything": {"a": "y"},
    }
    assert found["anything"]["a"].origin.line == 7


def test_the_text_of_sections_needs_a_sound_file(ini: Any) -> None:
    path = ini("[gate:main]\nmotto = %(nothing)s\n")
    with pytest.raises(ConfigError, match="there is no variable 'nothing'"):
        sections({"__file__": path}, "gate:main")
    with pytest.raises(ConfigError, match="there is no such file"):
        sections({"__file__": path + "x"}, "gate:main")


# What is wrong --------------------------------------------------------------------------------------------------------

WRONG = {
    "an unknown section": (
        "[gate:main]\n[gate:main:lcoks]\nword = 0123456789abcdef\n",
        "site.ini:5: [gate:main:lcoks]: [gate:main] has no such section; did you mean 'gate:main:locks'?",
    ),
    "an unknown section of several": (
        "[gate:main]\n[gate:main:dor:front]\n",
        "site.ini:5: [gate:main:dor:front]: [gate:main] has no such section; did you mean 'gate:main:door:front'?",
    ),
    "a section without the name it needs": (
        "[gate:main]\n[gate:main:door]\n",
        "site.ini:5: [gate:main:door]: [gate:main] has no such section; write [gate:main:door:NAME], with a name of"
        " your choice",
    ),
    "a section with a name too much": (
        "[gate:main]\n[gate:main:door:front:top]\n",
        "site.ini:5: [gate:main:door:front:top]: [gate:main] has no such section; did you mean 'gate:main:door:top'?",
    ),
    "a section twice": (
        "[gate:main]\n[gate:main:door:a]\ncolour = red\n[gate:main: door:a]\ncolour = red\n",
        "site.ini:7: [gate:main: door:a]: this section stands twice, first as [gate:main:door:a] at line 5;"
        " join the two",
    ),
    "no section": (
        "[gate:mian]\n",
        "site.ini:2: [app:main]: there is no section [gate:main]; did you mean 'gate:mian'?",
    ),
    "no section of a name": (
        "gate = side\n[gate:main]\n",
        "site.ini:4: [app:main] gate: there is no section [gate:side]; did you mean 'gate:main'?",
    ),
    "no section, and none that it could be": (
        "[server:main]\nuse = egg:wheatpaste#main\n",
        "site.ini:2: [app:main]: there is no section [gate:main]; add it",
    ),
    "an option of the sections": (
        "motto = a\n[gate:main]\n",
        "site.ini:4: [app:main] motto: no such option; write it into [gate:main]",
    ),
    "an option of one of several sections": (
        "colour = a\n[gate:main]\n",
        "site.ini:4: [app:main] colour: no such option; write it into [gate:main:door:NAME]",
    ),
    "an option of another section": (
        "[gate:main]\nbolts = 3\n",
        "site.ini:5: [gate:main] bolts: no such option; write it into [gate:main:locks]",
    ),
    "an option of a section with keys of its own": (
        "[gate:main]\n[gate:main:locks]\nword = 0123456789abcdef\ncolour = 3\n",
        "site.ini:7: [gate:main:locks] colour: no such option; write it into [gate:main:door:NAME]",
    ),
    "a name that is none": (
        "gate = main:locks\n[gate:main]\n",
        "site.ini:4: [app:main] gate = main:locks: must be one word: main means [gate:main]",
    ),
    "no such file": (
        "config = gone.ini\n[gate:main]\n",
        "site.ini:4: [app:main] config: gone.ini: there is no such file; did you mean 'site.ini'?",
    ),
    "an unknown key": (
        "[gate:main]\nmoto = a\n",
        "site.ini:5: [gate:main] moto: no such option; did you mean 'motto'?",
    ),
    "a directive": (
        "[gate:main]\nset motto = a\n",
        "site.ini:5: [gate:main] set motto: no such option; did you mean 'motto'?",
    ),
    "a wrong value": (
        "[gate:main]\n[gate:main:locks]\nword = 0123456789abcdef\nbolts = 10\n",
        "site.ini:7: [gate:main:locks] bolts = 10: must be between 1 and 9",
    ),
    "a missing option": (
        "[gate:main]\n[gate:main:door:front]\n",
        "site.ini:5: [gate:main:door:front]: 'colour' is missing (The colour of the door); add `colour = …` (text)",
    ),
    "a missing file of a secret": (
        "[gate:main]\n[gate:main:locks]\nword_file = gone\n",
        "site.ini:6: [gate:main:locks] word_file: gone cannot be read (No such file or directory)",
    ),
    "a variable that is not there": (
        "[gate:main]\nmotto = %(town)s\n",
        "site.ini:5: [gate:main] motto: there is no variable 'town'; give it in [DEFAULT] or on the command line"
        " (town=…)",
    ),
    "two options together": (
        "[gate:main]\n[gate:main:door:a]\ncolour = red\nwidth = 3\n",
        "site.ini:7: [gate:main:door:a] width: must not be more than its height",
    ),
    "options that the owner refuses": (
        "[gate:main]\n[gate:main:locks]\nword = 0123456789abcdef\nbolts = 7\n",
        "site.ini:7: [gate:main:locks] bolts: brings bad luck",
    ),
    "a free key": (
        "[gate:main]\n[gate:main:rules]\nhall = 3\n",
        "site.ini:6: [gate:main:rules] hall: this key must begin with a slash",
    ),
    "the value of a free key": (
        "[gate:main]\n[gate:main:rules]\n/hall = many\n",
        "site.ini:6: [gate:main:rules] /hall = many: must be a number of people",
    ),
}


@pytest.mark.parametrize(("text", "said"), list(WRONG.values()), ids=list(WRONG))
def test_a_check_names_the_line(text: str, said: str, ini: Any) -> None:
    assert said in told(ini(text))


@each_loader
@pytest.mark.parametrize("text", [text for text, _ in WRONG.values()], ids=list(WRONG))
def test_nothing_is_built_from_what_is_wrong(load: Any, text: str, ini: Any) -> None:
    with pytest.raises(ConfigError):
        load(f"config:{ini(text)}")


@each_loader
def test_a_factory_names_the_lines_under_each_loader(load: Any, ini: Any) -> None:
    path = ini("[gate:main]\nmoto = a\n[gate:main:lcoks]\n[gate:main:door:a]\n")
    with pytest.raises(ConfigError) as caught:
        load(f"config:{path}")
    assert [(each.section, each.key, each.line) for each in caught.value.problems] == [
        ("gate:main:lcoks", None, 6),
        ("gate:main", "moto", 5),
        ("gate:main:door:a", None, 7),
    ]


def test_all_mistakes_are_told_at_once(ini: Any) -> None:
    text = """
        [gate:main]
        moto = a
        [gate:main:locks]
        bolts = many
        [gate:main:rules]
        /a = b
        c = 1
        """
    assert [each.partition(":")[2].partition(":")[0] for each in told(ini(text))] == ["6", "7", "8", "10", "11"]


def test_a_secret_is_in_no_message(ini: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOLTS", "hunter2")
    text = "[gate:main]\n[gate:main:locks]\nword = hunter2\nbolts = %(ENV_BOLTS)s\n"
    found = told(ini(text))
    assert [each for each in found if "must be a whole number" in each]
    assert [each for each in found if "this secret is shorter" in each or "this secret" in each]
    assert "hunter2" not in "".join(found)
    parts = parts_of(loadwsgi.loadapp, ini("[gate:main]\n[gate:main:locks]\nword = hunter2\n"))
    assert "hunter2" not in repr(parts)


FILTERED = f"""
[server:main]
use = egg:wheatpaste#main
host = 0.0.0.0

[pipeline:main]
pipeline = gate end

[app:end]
use = egg:wheatpaste#echo

[filter:gate]
paste.filter_factory = {WHERE}:filter_factory
"""


def test_a_component_speaks_of_keys_in_its_parts(ini: Any) -> None:
    text = "[gate:main]\ndoors = front back\n[gate:main:door:front]\ncolour = pink\n"
    assert told(ini(text, head=FILTERED)) == [
        "site.ini:15: [gate:main] doors: there is no section [gate:main:door:back]",
        "site.ini:17: [gate:main:door:front] colour: others see this; paint it",
    ]


def test_a_part_speaks_for_itself(ini: Any) -> None:
    server = "[server:main]\nuse = egg:wheatpaste#main\nhost = 0.0.0.0\n"
    text = "[gate:main]\n[gate:main:door:front]\ncolour = pink\n" + server
    assert told(ini(text)) == ["site.ini:6: [gate:main:door:front] colour: others see this; paint it"]


@pytest.mark.parametrize("importing", [True, False], ids=["importing", "reading"])
@pytest.mark.parametrize("bell", ["nowhere_to_ring:ring", "bells:rign", "broken_bells:ring"])
def test_what_a_part_names_in_python_is_looked_for(
    bell: str, importing: bool, ini: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bells.py").write_text("def ring():\n    pass\n")
    (tmp_path / "broken_bells.py").write_text("1 / 0\n" if importing else "def ring(:\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    text = "[gate:main]\n[gate:main:door:front]\ncolour = red\nbell = "
    (problem,) = check_file(ini(f"{text}{bell}\n"), importing=importing)
    assert (problem.line, problem.key, problem.section) == (7, "bell", "gate:main:door:front")
    assert problem.what.startswith(f"{bell}: ")
    sys.modules.pop("bells", None)


@pytest.mark.parametrize("importing", [True, False], ids=["importing", "reading"])
def test_a_check_calls_nothing_that_was_not_imported(
    importing: bool, ini: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bells.py").write_text("def ring():\n    print('rung')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    path = ini("[gate:main]\n[gate:main:door:front]\ncolour = red\nbell = bells:ring\n")
    assert check_file(path, importing=importing) == []
    assert (sys.modules.pop("bells", None) is not None) == importing


def test_what_is_not_served_stops_nobody(ini: Any) -> None:
    text = "[gate:main]\nmoto = a\n"
    path = ini(text, head=FILTERED.replace("gate end", "end"))
    assert [each.severity for each in check_file(path, serving=True)] == ["warning", "warning"]


def test_sections_of_ours_that_nothing_takes_are_named(ini: Any) -> None:
    head = "[app:main]\nuse = egg:wheatpaste#echo\n"
    assert told(ini("[auth:main]\n[auth:main:rules]\n", head=head)) == [
        f"site.ini:{line}: [auth:main{name}]: no section that is served takes this one;"
        " name it in one with use = egg:wheatpaste#auth, or remove it"
        for line, name in ((3, ""), (4, ":rules"))
    ]
    # They may belong to others that extend the same file.
    ini("[auth:main]\n", "base.ini", head="")
    assert told(ini("[wheatpaste]\nextends = base.ini\n", head=head)) == []
    # A file that others take them from serves nothing by itself.
    assert not any("unused" in each.code for each in check_file(ini("[auth:main]\n", head="")))


def test_sections_that_are_taken_are_not_named(ini: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(unused.CHAPTERS, "gate", "egg:wheatpaste#gate")
    assert told(ini("[gate:main]\n[gate:main:door:a]\ncolour = red\n", head=FILTERED)) == []
    assert [each.section for each in check_file(ini("[gate:main]\n[gate:side]\n", head=FILTERED))] == ["gate:side"]


def test_without_a_file_nothing_is_guessed(gatekeeper: Any) -> None:
    with pytest.raises(ConfigError, match=r"there is no file in which \[gate:main\] could stand; add `config = …`"):
        gatekeeper.app_factory({})


def test_an_app_is_made_in_python_from_the_same_parts(gatekeeper: Any) -> None:
    gate = gatekeeper.Gate(parts={"": gatekeeper.House(motto="hello")})
    assert gate.parts[""].motto == "hello"


PIECES = st.lists(
    st.sampled_from(["%(a)s", "%(b)s", "%(c)s", "%(here)s", "%(own)s", "%%", "%(ENV_GATE:-x)s", "%", "é", " ", "w"]),
    max_size=4,
).map("".join)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    default=st.dictionaries(st.sampled_from(["a", "b", "motto"]), PIECES),
    variables=st.dictionaries(st.sampled_from(["a", "c"]), st.sampled_from(["given", "100%", "%(a)s", "50%% of"])),
    motto=PIECES,
    own=PIECES,
)
def test_what_a_section_says_is_the_same_under_each_loader(
    default: dict[str, str], variables: dict[str, str], motto: str, own: str, ini: Any
) -> None:
    head = "".join(f"{key} = {text}\n" for key, text in default.items())
    path = ini(
        f"[DEFAULT]\n{head}[gate:main]\nmotto = {motto}\nguests = %(own)s\nown = {own}\n",
        head=HEAD.replace("app_factory\n", "text_of_gate\n"),
    )
    outcomes = []
    for load in LOADERS.values():
        try:
            app = load(f"config:{path}", global_conf=variables or None)
        except (ConfigError, configparser.Error, ValueError):
            outcomes.append(None)
        else:
            outcomes.append(app.text)
    ours, theirs = outcomes
    # PasteDeploy refuses more of [DEFAULT] than we do, such as our way of naming the environment.
    assert theirs is None or ours == theirs
