"""Which mount takes a URL, and where each value comes from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wheatpaste.scripts.main import main

WriteIni = Callable[..., Path]

SITE = """
    [DEFAULT]
    greeting = hello
    colour = blue

    [composite:main]
    use = egg:wheatpaste#urlmap
    / = front
    /wiki = behind
    /wiki/api = api
    domain tenant.localhost / = api
    not_found_app = api

    [app:front]
    use = egg:wheatpaste#cascade
    app1 = files
    app2 = api

    [app:files]
    use = egg:wheatpaste#static
    root = %(here)s
    index = start.html

    [pipeline:behind]
    pipeline = cut api

    [filter:cut]
    use = egg:wheatpaste#prefix
    prefix = /deep

    [app:api]
    use = call:nowhere_to_be_found:make
    password = hunter2-hunter2
    colour = red
    token = %(ENV_EXPLAIN_TOKEN)s
    set greeting = goodbye
"""


@pytest.fixture
def explain(
    write_ini: WriteIni, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., str]:
    monkeypatch.setenv("EXPLAIN_TOKEN", "s3cr3t-value")
    monkeypatch.chdir(tmp_path)
    write_ini(SITE)

    def run(*words: str, code: int = 0) -> str:
        got = main(["explain", "site.ini", *words])
        out = capsys.readouterr()
        assert got == code, out.out + out.err
        return out.out if code == 0 else out.out + out.err

    return run


def leaf(hop: dict[str, Any]) -> list[tuple[str, str, str]]:
    if hop["next"]:
        return [found for each in hop["next"] for found in leaf(each)]
    return [(hop["app"]["name"], hop["script_name"], hop["path_info"])]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("/wiki/api/x?y=1", [("api", "/wiki/api", "/x")]),
        ("/wiki/page", [("api", "/deep", "/page")]),
        ("/wiki", [("api", "/deep", "/")]),
        ("/other", [("files", "", "/other"), ("api", "", "/other")]),
        ("http://tenant.localhost/wiki", [("api", "", "/wiki")]),
        ("/%c3%bc", [("files", "", "/Ã¼"), ("api", "", "/Ã¼")]),
    ],
    ids=[
        "the longest path wins",
        "a filter that moves paths is asked",
        "a mount without its slash",
        "a cascade asks in turn",
        "a host of its own",
        "a path is decoded as servers do",
    ],
)
def test_it_says_what_the_app_will_see(explain: Callable[..., str], url: str, found: list[Any]) -> None:
    assert leaf(json.loads(explain("GET", url, "--json"))["route"]) == found


def test_it_says_why_the_others_do_not_take_it(explain: Callable[..., str]) -> None:
    text = explain("/wiki/api")
    assert "/wiki/api  site.ini:9" in text
    assert "/                 fits, but a longer path comes first  site.ini:7" in text
    assert "tenant.localhost  is for another host  site.ini:10" in text


def test_it_says_what_a_refused_path_gets(explain: Callable[..., str]) -> None:
    assert "answers 400 Bad Request: The path holds a . or .. segment." in explain("/wiki/%2e%2e/x", code=1)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["wiki"], "wiki is no URL; write /path or http://host/path"),
        (["GET", "/a", "/b"], "one URL at a time"),
        ([], "say which URL, or --section NAME"),
        (["http://host:99999/"], "is no URL"),
        (["--section", "wikki"], "there is no section 'wikki'"),
        (["/", "-n", "nope"], "nope"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(
    explain: Callable[..., str], words: list[str], what: str
) -> None:
    assert what in explain(*words, code=2)


def test_a_section_shows_each_value_with_its_place_and_what_lost(explain: Callable[..., str]) -> None:
    data = json.loads(explain("--section", "api", "--json"))
    assert (data["section"], data["line"]) == ("app:api", 30)
    assert data["global"]["greeting"]["text"] == "goodbye"
    assert data["global"]["greeting"]["how"] == "set"
    assert [each["text"] for each in data["global"]["greeting"]["lost"]] == ["hello"]
    assert "red" in json.dumps(data["global"]["colour"]["lost"]), "the section's own colour is hidden by [DEFAULT]"


def test_a_section_shows_the_defaults_that_nothing_sets(explain: Callable[..., str]) -> None:
    data = json.loads(explain("--section", "app:files", "--json"))
    assert data["values"]["index"]["text"] == "start.html"
    assert data["defaults"]["listing"] == "false"
    assert "index" not in data["defaults"]


def test_no_secret_is_shown(explain: Callable[..., str]) -> None:
    for text in (explain("--section", "api"), explain("--section", "api", "--json")):
        assert "hunter2" not in text
        assert "s3cr3t" not in text
        assert "EXPLAIN_TOKEN" in text


def test_a_variable_of_the_command_line_counts(explain: Callable[..., str]) -> None:
    data = json.loads(explain("--section", "files", "--json", "extra=1"))
    assert (data["global"]["extra"]["text"], data["global"]["extra"]["how"]) == ("1", "command line")


def test_a_file_that_cannot_be_served_is_no_success(write_ini: WriteIni, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_ini("""
        [app:main]
        use = egg:wheatpaste#echo
        filter-with = around

        [filter:around]
        use = egg:wheatpaste#prefix
        filter-with = around
        """)
    assert main(["explain", str(path), "/"]) == 1
    assert "leads back to itself" in capsys.readouterr().err
