"""The ``describe`` command, and the reference pages that it writes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from wheatpaste.config.composition import Composition
from wheatpaste.config.describe import KINDS
from wheatpaste.scripts.main import main

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"


def test_alone_it_lists_everything_by_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.isupper()] == ["APPS", "COMPOSITES", "FILTERS", "SERVERS"]
    columns = {line.index("egg:") for line in lines if "  egg:" in line}
    assert columns == {2}
    static = next(line for line in lines if line.startswith("  egg:wheatpaste#static "))
    old = next(line for line in lines if line.startswith("  egg:Paste#static "))
    assert old.endswith("the old name of egg:wheatpaste#static")
    assert static.index("Serve files") == old.index("the old name")


def test_a_name_tells_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "static"]) == 0
    out = capsys.readouterr().out
    assert "  max_age  duration (30s, 5m, 2h), or empty; default 1m\n" in out
    assert "  [app:static]\n  use = egg:wheatpaste#static\n  root = static\n" in out
    assert "Also installed: egg:Paste#static" in out
    assert "\x1b" not in out


def test_colour_is_for_those_who_want_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    main(["describe", "static"])
    assert "\x1b[1;36megg:wheatpaste#static\x1b[0m" in capsys.readouterr().out


def test_several_names_are_described_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "health", "egg:Paste#urlmap"]) == 0
    out = capsys.readouterr().out
    assert out.index("egg:wheatpaste#health  app") < out.index("egg:Paste#urlmap  composite")
    assert "Every other key mounts an app." in out


def test_a_distribution_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "pyramid"]) == 0
    out = capsys.readouterr().out
    assert "egg:pyramid#wsgiref" in out
    assert "OPTIONS" not in out


def test_a_wrong_name_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "statc"]) == 1
    out, err = capsys.readouterr()
    assert (out, "did you mean 'static'?" in err) == ("", True)


def test_a_name_like_no_other_leads_to_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "zzzzzzzzzz"]) == 1
    assert capsys.readouterr().err.endswith("; `wheatpaste describe` lists what is\n")


def test_what_takes_any_key_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "egg:waitress#main"]) == 0
    assert "Any key is accepted; it does not say which it knows." in capsys.readouterr().out


def test_json_holds_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "prefix", "--json"]) == 0
    (each,) = json.loads(capsys.readouterr().out)
    assert each["use"] == "egg:wheatpaste#prefix"
    assert {"name", "type", "default", "doc"} <= set(each["options"][0])


@pytest.mark.parametrize(
    "words", [["--markdown"], ["--into", "x"], ["--check"], ["static", "--markdown", "--into", "x"]], ids=" ".join
)
def test_options_that_belong_together_are_asked_for(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", *words]) == 2
    assert "--markdown" in capsys.readouterr().err


def test_pages_are_written_once_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "reference"
    words = ["describe", "--markdown", "--into", str(folder)]
    assert main([*words, "--check"]) == 1
    assert not folder.exists()
    assert main(words) == 0
    assert "app-static.md" in capsys.readouterr().out
    assert main(words) == 0
    assert capsys.readouterr().out == ""
    assert main([*words, "--check"]) == 0
    (folder / "app-static.md").write_text("old")
    assert main([*words, "--check"]) == 1
    assert f"{folder / 'app-static.md'}: this page is stale" in capsys.readouterr().err


def test_pages_of_what_is_gone_are_removed_and_those_of_others_stay(tmp_path: Path) -> None:
    words = ["describe", "--markdown", "--into", str(tmp_path)]
    main(words)
    (tmp_path / "environ.md").write_text("# by hand\n")
    (tmp_path / "app-gone.md").write_text((tmp_path / "app-static.md").read_text())
    assert main([*words, "--check"]) == 1
    main(words)
    assert not (tmp_path / "app-gone.md").exists()
    assert (tmp_path / "environ.md").exists()
    assert main([*words, "--check"]) == 0


def test_the_committed_pages_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["describe", "--markdown", "--into", str(REFERENCE), "--check"])
    assert code == 0, capsys.readouterr().err


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("reference")
    main(["describe", "--markdown", "--into", str(folder)])
    return {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}


def test_a_page_says_where_it_comes_from(pages: dict[str, str]) -> None:
    assert pages["app-static.md"].splitlines()[0].endswith("from wheatpaste.apps.static. -->")
    assert all(text.startswith("<!-- Generated by") for text in pages.values())


def test_the_index_links_to_every_page(pages: dict[str, str]) -> None:
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", pages["components.md"]))
    assert linked == set(pages) - {"components.md"}


def test_old_names_stand_on_the_page_of_what_they_mean(pages: dict[str, str]) -> None:
    assert "### `egg:Paste#static`" in pages["app-static.md"]
    assert "`root` may be written `document_root`" in pages["app-static.md"]
    assert "### `egg:Paste#http`" in pages["server-main.md"]


def test_the_python_of_every_page_can_be_read_and_its_ini_loaded(pages: dict[str, str], tmp_path: Path) -> None:
    for name, text in pages.items():
        for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            compile(code, name, "exec")
        for ini in re.findall(r"```ini\n(.*?)```", text, re.DOTALL):
            kind, _, section = ini.splitlines()[0].strip("[]").partition(":")
            if kind not in KINDS:
                continue  # it belongs to another: see tests/test_contract.py
            path = tmp_path / f"{name}.ini"
            path.write_text(ini)
            Composition.load(f"config:{path}#{section}", kind="app" if kind == "composite" else kind)


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["describe", "--markdown", "--into", str(tmp_path / "file")]) == 1
    assert "cannot be written" in capsys.readouterr().err
