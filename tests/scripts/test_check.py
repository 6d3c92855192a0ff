"""``wheatpaste check`` on the command line: exit codes, forms, and files that are no INI files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ordinary_rights import ordinary_rights

from wheatpaste.config.problems import Problem
from wheatpaste.scripts.annotations import written
from wheatpaste.scripts.check import summary
from wheatpaste.scripts.main import main

Write = Callable[..., Path]
Capture = pytest.CaptureFixture[str]

GOOD = """
    [app:main]
    use = egg:wheatpaste#echo
    """
BAD = """
    [app:main]
    use = egg:wheatpaste#echo
    colour = red
    """
WARNED = """
    [app:main]
    use = egg:wheatpaste#echo

    [app:other]
    use = egg:wheatpaste#echo
    """


@pytest.fixture(autouse=True)
def _beside_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


EXIT_CODES = [
    pytest.param(GOOD, [], 0, id="a good file"),
    pytest.param(WARNED, [], 0, id="warnings"),
    pytest.param(WARNED, ["--strict"], 1, id="warnings that count"),
    pytest.param(BAD, [], 1, id="errors"),
    pytest.param(GOOD, ["other.ini"], 2, id="a file that is not there"),
    pytest.param(BAD, ["other.ini"], 2, id="errors and a file that is not there"),
    pytest.param(GOOD, ["--nonsense"], 2, id="an option that is not there"),
    pytest.param(GOOD, ["-n", "nobody"], 1, id="an app that is not there"),
]


@pytest.mark.parametrize(("text", "words", "code"), EXIT_CODES)
def test_it_ends_with(text: str, words: list[str], code: int, write_ini: Write) -> None:
    write_ini(text)
    assert main(["check", "site.ini", *words]) == code


def test_it_says_that_a_file_is_fine_unless_told_to_be_quiet(write_ini: Write, capsys: Capture) -> None:
    write_ini(GOOD)
    main(["check", "site.ini"])
    assert capsys.readouterr() == ("", "site.ini: fine\n")
    main(["check", "site.ini", "-q"])
    assert capsys.readouterr() == ("", "")


def test_problems_go_to_the_output_and_their_count_to_the_error_stream(write_ini: Write, capsys: Capture) -> None:
    write_ini(BAD, "a.ini")
    write_ini(WARNED, "b.ini")
    write_ini(GOOD, "c.ini")
    main(["check", "c.ini", "b.ini", "a.ini"])
    out, err = capsys.readouterr()
    assert [line.split(" ")[0] for line in out.splitlines()] == ["a.ini:3:", "b.ini:4:"]
    assert err.splitlines() == ["c.ini: fine", "1 error, 1 warning in 2 files"]


def test_a_problem_of_a_shared_file_is_said_once(write_ini: Write, capsys: Capture) -> None:
    write_ini(BAD, "shared.ini")
    for name in ("a.ini", "b.ini"):
        write_ini("[composite:main]\nuse = egg:wheatpaste#urlmap\n/ = config:shared.ini\n", name)
    assert main(["check", "a.ini", "b.ini"]) == 1
    assert capsys.readouterr().out.count("colour") == 1


def test_words_with_an_equals_sign_are_variables_unless_they_are_files(write_ini: Write, capsys: Capture) -> None:
    write_ini("[app:main]\nuse = egg:wheatpaste#redirect\nto = %(there)s\n")
    assert main(["check", "site.ini"]) == 1
    assert main(["check", "there=/new", "site.ini"]) == 0
    write_ini(GOOD, "odd=name.ini")
    assert main(["check", "odd=name.ini"]) == 0
    assert main(["check", "there=/new"]) == 2
    assert "name an INI file" in capsys.readouterr().err


def test_a_section_is_chosen_with_a_fragment(write_ini: Write, capsys: Capture) -> None:
    write_ini(GOOD)
    assert main(["check", "site.ini#blog"]) == 1
    assert "no app named 'blog'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("problems", "text"),
    [
        ([Problem(what="x", file="a")], "1 error in 1 file"),
        (
            [Problem(what="x", file="a"), Problem(what="y", file="b", severity="warning")],
            "1 error, 1 warning in 2 files",
        ),
        (
            [Problem(what="x", file="a", severity="warning"), Problem(what="y", file="a", severity="warning")],
            "2 warnings in 1 file",
        ),
    ],
)
def test_the_count_is_a_sentence(problems: list[Problem], text: str) -> None:
    assert summary(problems) == text


def test_colours_are_for_terminals(write_ini: Write, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ini(BAD)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    main(["check", "site.ini"])
    assert "\x1b" not in "".join(capsys.readouterr())
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    main(["check", "site.ini"])
    assert "\x1b[1msite.ini:3:\x1b[0m" in capsys.readouterr().out


# -- forms --


def test_json_has_a_stable_form(write_ini: Write, capsys: Capture) -> None:
    write_ini(BAD)
    assert main(["check", "site.ini", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "version": 1,
        "files": ["site.ini"],
        "problems": [
            {
                "file": "site.ini",
                "line": 3,
                "section": "app:main",
                "key": "colour",
                "message": "no such option",
                "fix": "there are: debug, max_delay, max_size",
                "severity": "error",
                "code": "unknown-option",
            }
        ],
    }


def test_json_of_a_good_file_has_no_problems(write_ini: Write, capsys: Capture) -> None:
    write_ini(GOOD)
    assert main(["check", "site.ini", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["problems"] == []
    assert err == ""


ODD = Problem(
    what="50% is\r\nnot enough", fix="write ::more", file="a:b,c.ini", line=7, section="app:x", key="k", code="odd"
)


def test_workflow_commands_of_github_are_escaped() -> None:
    line = "::error file=a%3Ab%2Cc.ini,line=7,title=odd::[app:x] k: 50%25 is%0D%0Anot enough; write ::more"
    assert written("github", [ODD], []) == line
    nowhere = Problem(what="lost", severity="warning", code="odd")
    assert written("github", [nowhere], []) == "::warning title=odd::lost"


def test_a_report_for_gitlab_keeps_its_fingerprints_when_lines_move() -> None:
    first, moved, other = (
        json.loads(written("gitlab", [problem], []))[0]
        for problem in (ODD, replace(ODD, line=9), replace(ODD, key="other"))
    )
    assert first["location"] == {"path": "a:b,c.ini", "lines": {"begin": 7}}
    assert (first["severity"], first["check_name"]) == ("major", "odd")
    assert first["fingerprint"] == moved["fingerprint"] != other["fingerprint"]


def test_sarif_names_rule_level_and_place() -> None:
    document = json.loads(written("sarif", [ODD], []))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    assert run["tool"]["driver"]["rules"] == [{"id": "odd"}]
    (result,) = run["results"]
    assert (result["ruleId"], result["level"]) == ("odd", "error")
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "a%3Ab%2Cc.ini"},
        "region": {"startLine": 7},
    }


def test_what_a_module_prints_does_not_mix_with_the_findings(
    write_ini: Write, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "talkative.py").write_text("print('hello')\ndef make(conf): ...\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    write_ini("[app:main]\npaste.app_factory = talkative:make\n")
    assert main(["check", "site.ini", "--import", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["problems"] == []
    assert err == "hello\n"
    del sys.modules["talkative"]


# -- files that are none --


def _make_pipe(path: Path) -> None:
    os.mkfifo(path)


def _make_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(100 * 1024 * 1024)


def _make_denied(path: Path) -> None:
    path.write_text("[app:main]\n")
    path.chmod(0)


def _make_nested_variables(path: Path) -> None:
    lines = [f"x{number + 1} = " + f"%(x{number})s" * 10 for number in range(9)]
    path.write_text("\n".join(["[DEFAULT]", "x0 = " + "a" * 1000, *lines, "[app:main]", "use = egg:wheatpaste#echo"]))


def _make_deep(path: Path) -> None:
    sections = [
        f"[composite:c{n}]\nuse = egg:wheatpaste#urlmap\n/ = c{n + 1}\n/b = c{n + 1}\nset x{n} = 1" for n in range(300)
    ]
    path.write_text("\n".join(["[app:main]", "use = c0", *sections, "[app:c300]", "use = egg:wheatpaste#echo"]))


def _make_doubling(path: Path) -> None:
    filters = [f"[filter:f{n}]\nuse = f{n + 1}\nfilter-with = f{n + 1}" for n in range(40)]
    app = "[app:main]\nuse = egg:wheatpaste#echo\nfilter-with = f0"
    path.write_text("\n".join([app, *filters, "[filter:f40]", "use = egg:wheatpaste#translogger"]))


HOSTILE = {
    "a directory": (Path.mkdir, 2, "this is a directory"),
    "a pipe": (_make_pipe, 2, "this is a pipe"),
    "binary garbage": (lambda path: path.write_bytes(bytes(range(256)) * 20), 2, "this is not a text file"),
    "another encoding": (
        lambda path: path.write_bytes(b"[app:main]\nname = caf\xe9\n"),
        2,
        ":2: byte 0xe9 is not UTF-8",
    ),
    "UTF-16": (lambda path: path.write_bytes("[app:main]".encode("utf-16")), 2, "the file is UTF-16"),
    "100 MB": (_make_large, 2, "larger than 16 MB"),
    "a link to itself": (lambda path: path.symlink_to(path), 2, "cannot be read"),
    "a file that its mode denies": (_make_denied, 2, "cannot be read (Permission denied)"),
    "an empty file": (Path.touch, 1, "nothing in this file can be served"),
    "variables that grow without end": (_make_nested_variables, 1, "refer to each other without end"),
    "filters that double at each step": (_make_doubling, 1, "leads to more than 10000 sections"),
    "composites in composites in composites": (_make_deep, 1, "nested more than 100 deep"),
}


@pytest.mark.parametrize(("make", "code", "said"), HOSTILE.values(), ids=HOSTILE)
def test_a_sentence_and_an_exit_code_for(
    make: Callable[[Path], object], code: int, said: str, tmp_path: Path, capsys: Capture
) -> None:
    make(tmp_path / "x.ini")
    with ordinary_rights():
        assert main(["check", "x.ini"]) == code
    assert said in capsys.readouterr().out


def test_10_000_sections_are_checked(write_ini: Write, capsys: Capture) -> None:
    mounts = "\n".join(f"/p{number} = p{number}" for number in range(5000))
    sections = "\n".join(
        f"[pipeline:p{number}]\npipeline = a{number}\n[app:a{number}]\nuse = egg:wheatpaste#echo"
        for number in range(5000)
    )
    write_ini(f"[composite:main]\nuse = egg:wheatpaste#urlmap\n{mounts}\n{sections}\nlast = one\n")
    assert main(["check", "site.ini"]) == 1
    assert capsys.readouterr().out.startswith("site.ini:25003: [app:a4999] last: no such option")


@pytest.mark.slow
def test_a_small_file_is_checked_without_heavy_imports(write_ini: Write) -> None:
    """The budget of 150 ms for the whole process is kept by what is not imported."""
    write_ini(GOOD + "\n[server:main]\nuse = egg:wheatpaste#main\n")
    program = "import sys; from wheatpaste.scripts.main import main; main(sys.argv[1:]); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program, "check", "site.ini"], capture_output=True, text=True, timeout=60, check=True
    )
    heavy = {
        "paste.deploy",
        "webob",
        "jinja2",
        "importlib.metadata",
        "asyncio",
        "logging.config",
        "waitress",
        "configparser",
    }
    assert heavy.isdisjoint(done.stdout.split())
