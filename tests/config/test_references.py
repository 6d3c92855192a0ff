from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
import recording_factories

from wheatpaste.config.references import (
    BadReference,
    Reference,
    find_distribution,
    installed,
    is_uri,
    load_object,
    normalise,
)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("main", {"scheme": "name", "entry": "main"}),
        ("a+b.c", {"scheme": "name", "entry": "a+b.c"}),
        ("config_dir:/x", {"scheme": "name", "entry": "config_dir:/x"}),
        ("config:/etc/x.ini", {"scheme": "config", "path": "/etc/x.ini", "entry": None}),
        ("config:x.ini#api", {"scheme": "config", "path": "/base/x.ini", "entry": "api"}),
        ("CONFIG:x.ini", {"scheme": "config", "path": "/base/x.ini"}),
        ("config:///etc/x.ini", {"scheme": "config", "path": "/etc/x.ini"}),
        ("config:sub\\x.ini", {"scheme": "config", "path": "/base/sub/x.ini"}),
        ("config:my%20file.ini", {"scheme": "config", "path": "/base/my file.ini"}),
        ("config:x.ini#a#b", {"scheme": "config", "path": "/base/x.ini", "entry": "a#b"}),
        ("C:\\x.ini", {"scheme": "config", "path": "/base/C:/x.ini", "entry": None}),
        ("egg:Paste#http", {"scheme": "egg", "distribution": "Paste", "entry": "http"}),
        ("egg:Paste", {"scheme": "egg", "distribution": "Paste", "entry": None}),
        ("call:a.b:c.d", {"scheme": "call", "module": "a.b", "object": "c.d"}),
    ],
)
def test_it_takes_a_reference_apart(text: str, fields: dict[str, str | None]) -> None:
    reference = Reference.parse(text, "/base")
    assert {name: getattr(reference, name) for name in fields} == fields
    assert reference.text == text


@pytest.mark.parametrize("base", ["/base", "/base/"])
def test_a_relative_path_starts_from_the_directory_given(base: str) -> None:
    assert Reference.parse("config:x.ini", base).path == "/base/x.ini"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("config:x.ini", "relative-path"),
        ("call:module", "bad-reference"),
        ("call::x", "bad-reference"),
        ("zip:x", "unknown-scheme"),
    ],
)
def test_what_it_cannot_understand_is_refused_with_a_way_out(text: str, code: str) -> None:
    with pytest.raises(BadReference) as caught:
        Reference.parse(text)
    assert caught.value.code == code
    assert caught.value.fix


@pytest.mark.parametrize(
    ("name", "uri"), [("a:b", True), ("a_b:c", False), ("main", False), ("/v2.1/+", False), (None, False)]
)
def test_a_name_is_a_uri_when_letters_and_a_colon_begin_it(name: str | None, uri: bool) -> None:
    assert is_uri(name) is uri


@pytest.mark.parametrize(
    ("text", "module", "attribute"),
    [("a.b:c", "a.b", "c"), ("a.b : c.d", "a.b", "c.d"), ("a.b:c [extra]", "a.b", "c"), ("a.b", "a.b", "")],
)
def test_a_protocol_value_is_read_as_an_entry_point(text: str, module: str, attribute: str) -> None:
    reference = Reference.parse_module(text)
    assert (reference.module, reference.object) == (module, attribute)
    theirs = importlib.metadata.EntryPoint(name="", group="", value=text)
    assert (theirs.module, theirs.attr or "") == (module, attribute)


def test_it_follows_dots_after_the_colon() -> None:
    assert load_object("recording_factories", "Holder.app_factory") is recording_factories.app_factory


def test_without_an_object_the_module_itself_is_meant() -> None:
    assert load_object("os.path", "") is sys.modules["os.path"]


@pytest.mark.parametrize(
    "name", ["Flask", "flask", "zope.interface", "Zope_Interface", "ZOPE-interface", "pytest-timeout"]
)
def test_names_match_as_importlib_metadata_matches_them(name: str) -> None:
    found = find_distribution(name)
    assert found is not None
    theirs = importlib.metadata.distribution(name)
    assert normalise(found.name) == normalise(theirs.metadata["Name"])
    assert found.version == theirs.version
    assert {(group, entry) for group, entries in found.groups.items() for entry in entries} == {
        (entry.group, entry.name) for entry in theirs.entry_points
    }


def test_what_is_not_installed_is_none() -> None:
    assert find_distribution("no-such-distribution") is None


def test_it_sees_an_egg_on_the_path(tmp_path: Path) -> None:
    info = tmp_path / "Fake_App-2.0.egg" / "EGG-INFO"
    info.mkdir(parents=True)
    (info / "entry_points.txt").write_text("[paste.app_factory]\n# a comment\nmain = fake:app\n")
    found = find_distribution("fake-app", [str(info.parent)])
    assert found is not None
    assert found.groups == {"paste.app_factory": {"main": "fake:app"}}


def test_it_sees_the_egg_info_of_a_checkout(tmp_path: Path) -> None:
    info = tmp_path / "my_app.egg-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[paste.app_factory]\nmain = my_app:make\n")
    found = find_distribution("My.App", [str(tmp_path)])
    assert found is not None
    entry = found.entry_point("paste.app_factory", "main")
    assert entry is not None
    assert entry.value == "my_app:make"


def test_it_sees_what_was_installed_since(tmp_path: Path) -> None:
    assert find_distribution("Later", [str(tmp_path)]) is None
    recording_factories.install(tmp_path, "Later")
    assert find_distribution("Later", [str(tmp_path)]) is not None


def test_the_first_folder_wins(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (second, first):
        recording_factories.install(folder, "Twin")
    found = find_distribution("twin", [str(first), str(second)])
    assert found is not None
    assert found.path.startswith(str(first))


def test_the_installed_distributions_are_those_of_importlib_metadata() -> None:
    theirs = {normalise(each.metadata["Name"]) for each in importlib.metadata.distributions()}
    assert {normalise(each.name) for each in installed()} == theirs


def test_an_entry_point_is_found_without_importlib_metadata() -> None:
    program = (
        "import sys; before = set(sys.modules);"
        "from wheatpaste.config.composition import Composition;"
        "Composition.load('egg:wheatpaste#echo');"
        "sys.exit(','.join({'importlib.metadata', 'configparser'} & (set(sys.modules) - before)) or None)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
