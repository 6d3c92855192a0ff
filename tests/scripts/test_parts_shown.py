"""Sections that belong to another, as the commands show them."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wheatpaste.config.composition import Composition
from wheatpaste.config.describe import Described, declared
from wheatpaste.scripts import describe
from wheatpaste.scripts.main import main
from wheatpaste.scripts.reference_pages import pages
from wheatpaste.scripts.terminal import Terminal

WriteIni = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("gatekeeper")

SITE = """
    [pipeline:main]
    pipeline = gate end

    [app:end]
    use = egg:wheatpaste#echo

    [filter:gate]
    paste.filter_factory = wheatpaste.gatekeeper:filter_factory

    [gate:main]
    motto = %(ENV_MOTTO)s

    [gate:main:locks]
    word = hunter2hunter2
    bolts = 3
"""


@pytest.fixture
def site(write_ini: WriteIni, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MOTTO", "hunter3hunter3")
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return write_ini(SITE).name


@pytest.fixture
def known() -> list[Described]:
    """The filter and the app, as if they were entry points of ours."""
    return [
        declared(f"paste.{kind}_factory", name, "wheatpaste", f"wheatpaste.gatekeeper:{kind}_factory")
        for kind, name in (("app", "gate-app"), ("filter", "gate"))
    ]


def test_the_tree_has_a_line_for_each(site: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "-v", site]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines() if "[gate" in line] == [
        ["[gate:main]", "site.ini:10"],
        ["[gate:main:locks]", "site.ini:13"],
    ]
    main(["show", site])
    assert "[gate" not in capsys.readouterr().out


def test_programs_get_their_options(site: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", "--json", site])
    (gate,) = json.loads(capsys.readouterr().out)["app"]["filters"]
    assert [(part["section"], part["line"]) for part in gate["parts"]] == [("gate:main", 10), ("gate:main:locks", 13)]
    assert gate["parts"][1]["options"]["bolts"] == "3"


@pytest.mark.parametrize(
    "words",
    [["show", "--json"], ["show", "-v"], ["explain", "--section", "gate:main:locks"], ["check"]],
    ids=" ".join,
)
def test_no_secret_is_shown(words: list[str], site: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([*words, site])
    assert "hunter" not in "".join(capsys.readouterr())


def test_a_section_is_explained(site: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", site, "--section", "gate:main:locks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["[gate:main:locks]  site.ini:13", "  belongs to [filter:gate]  site.ini:7"]
    assert "    bolts = 3  site.ini:15" in lines
    assert "    patience = 1m" in lines
    assert not [line for line in lines if re.match(r"\s+word .*default", line)]


def test_a_section_is_explained_to_programs(site: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", site, "--section", "gate:main", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["section"], data["owner"], data["line"]) == ("gate:main", "filter:gate", 10)
    assert data["values"]["motto"]["text"] == "(from the environment: MOTTO)"
    assert data["defaults"] == {"guests": "", "doors": ""}


def test_a_component_is_described_with_its_sections(known: list[Described]) -> None:
    out = "\n".join(describe.detail(known[1], known, Terminal(sys.stdout)))
    assert re.findall(r"^\[.*", out, re.MULTILINE) == [
        "[gate:main]  required",
        "[gate:main:locks]",
        "[gate:main:door:NAME]",
        "[gate:main:rules]",
    ]
    assert "  word  text; required; secret; also word_file, word_env" in out
    assert "  /path  number of people" in out


def test_plain_data_has_the_sections(known: list[Described]) -> None:
    data: Any = json.loads(json.dumps(known[0].as_data()))
    assert [part["header"] for part in data["parts"]][2] == "gate:main:door:NAME"
    assert data["parts"][0]["required"]
    assert data["parts"][1]["options"][0]["secret"]


def test_a_reference_page_has_a_table_for_each(known: list[Described]) -> None:
    made = pages(known)
    page = made["filter-gate.md"]
    assert re.findall(r"^### `(.*)`$", page, re.MULTILINE) == [
        "[gate:main]",
        "[gate:main:locks]",
        "[gate:main:door:NAME]",
        "[gate:main:rules]",
    ]
    assert "| `/path` | number of people |  | How many may pass. |" in page
    assert "```ini\n[gate:main:door:front]\ncolour = red\n```" in page
    # What several take is described once.
    assert "Those of [`egg:wheatpaste#gate`](filter-gate.md#sections)." in made["app-gate-app.md"]
    assert "[gate:main:locks]" not in made["app-gate-app.md"]


def test_samples_are_whole(known: list[Described], write_ini: WriteIni) -> None:
    for each in known:
        text = "\n\n".join([each.sample, *(part.sample for part in each.parts if not part.required)])
        assert "[gate:main]\nmotto = Come in" in text
        path = write_ini(text.replace(f"use = {each.use}", f"{each.protocol} = {each.target}"))
        node = Composition.load(f"config:{path}#{each.name}", kind="app" if each.kind == "app" else "filter").root
        assert each.reader is not None
        reading = each.reader.read(node.local_conf, node.global_conf)
        assert reading.problems == []
        assert list(reading.parts) == ["", "locks", "door:front", "rules"]
