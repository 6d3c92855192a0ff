"""``wheatpaste errors``: what it takes, what it prints, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from error_samples import SAMPLES

from wheatpaste.middleware.errors.inbox.file import FileInbox
from wheatpaste.middleware.errors.record import ErrorRecord
from wheatpaste.scripts.main import main

SITE = """
    [app:main]
    use = egg:wheatpaste#echo
    filter-with = errors

    [filter:errors]
    use = egg:wheatpaste#errors
    inbox = kept/errors.sqlite
    """


def record(name: str, group: str = "E-22222", sample: str = "simple") -> ErrorRecord:
    return replace(SAMPLES[sample](), id=name, group=group)


@pytest.fixture
def site(write_ini: Callable[..., Path]) -> str:
    return str(write_ini(SITE))


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[FileInbox]:
    (tmp_path / "kept").mkdir()
    made = FileInbox(tmp_path / "kept" / "errors.sqlite")
    made.add(record("K7QX-M3PZ"))
    made.add(record("K7QX-M3PX"))
    made.add(record("22QX-M3PZ", "E-33333", "syntax"))
    made.mark("E-33333", "ignored")
    yield made
    made.close()


Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs the command; returns the exit code and what it wrote."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["errors", *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_it_lists_the_groups_that_are_open(say: Say, site: str, inbox: FileInbox):
    code, out, err = say(site)
    assert (code, err) == (0, "")
    sample = SAMPLES["simple"]()
    first, second, last = out.splitlines()
    assert first.startswith("E-22222  2×  ")
    assert first.endswith(f"  open  {sample.headline}")
    assert second.strip() == f"{sample.focus.file}:{sample.focus.line} in {sample.focus.function}"
    assert last == "and 1 ignored (--state)"
    assert say(site, "list") == (code, out, err)


def test_it_lists_other_states_and_words(say: Say, site: str, inbox: FileInbox):
    assert say(site, "list", "--state", "ignored")[1].startswith("E-33333  1×  ")
    everything = say(site, "--state", "all")[1]
    assert "E-22222" in everything
    assert "E-33333" in everything
    assert say(site, "list", "syntaxerror", "vouchers", "--state=all")[1].startswith("E-33333")
    assert say(site, "list", "nonsense")[1] == "No such errors, but there are 1 ignored.\n"


def test_the_list_is_data_for_programs(say: Say, site: str, inbox: FileInbox):
    code, out, _ = say(site, "list", "--json")
    data = json.loads(out)
    assert code == 0
    assert data["counts"] == {"open": 1, "resolved": 0, "ignored": 1}
    assert [group["id"] for group in data["groups"]] == ["E-22222"]


def test_the_list_is_markdown_for_assistants(say: Say, site: str, inbox: FileInbox):
    assert say(site, "--markdown")[1].startswith("# Errors\n\n## `E-22222` `")


@pytest.mark.parametrize("name", ["K7QX-M3PZ", "k7qx-m3pz"])
def test_row_41_it_shows_an_error_by_the_id_that_users_quote(say: Say, site: str, inbox: FileInbox, name: str):
    code, out, err = say(site, "show", name)
    assert (code, err) == (0, "")
    assert "K7QX-M3PZ" in out
    assert SAMPLES["simple"]().raised.message in out
    assert "\x1b" not in out


def test_it_shows_the_last_error_of_a_group(say: Say, site: str, inbox: FileInbox):
    assert "K7QX-M3PX" in say(site, "show", "E-22222")[1]


def test_an_error_is_data_and_markdown_too(say: Say, site: str, inbox: FileInbox):
    data = json.loads(say(site, "show", "K7QX-M3PZ", "--json")[1])
    assert ErrorRecord.from_data(data) == inbox.find("K7QX-M3PZ")
    assert "curl --include" in say(site, "show", "K7QX-M3PZ", "--markdown")[1]


def test_it_resolves_ignores_and_reopens(say: Say, site: str, inbox: FileInbox):
    assert say(site, "resolve", "k7qx-m3pz", "E-33333") == (0, "E-22222 is resolved\nE-33333 is resolved\n", "")
    assert {group.state for group in inbox.groups()} == {"resolved"}
    assert say(site)[1] == "No such errors, but there are 2 resolved.\n"
    inbox.add(record("77QX-M3PZ"))
    assert "came back" in say(site)[1]
    assert say(site, "ignore", "E-22222")[1] == "E-22222 is ignored\n"
    assert say(site, "reopen", "E-22222")[1] == "E-22222 is open\n"


def test_it_clears_a_group_or_all(say: Say, site: str, inbox: FileInbox):
    assert say(site, "clear", "K7QX-M3PZ") == (0, "1 group deleted\n", "")
    assert [group.id for group in inbox.groups()] == ["E-33333"]
    inbox.add(record("K7QX-M3PZ"))
    assert say(site, "clear") == (0, "2 groups deleted\n", "")
    assert inbox.groups() == []
    assert say(site)[1] == "No errors.\n"


@pytest.mark.parametrize("words", [["show"], ["resolve"], ["clear"]], ids=" ".join)
def test_an_error_that_is_not_there_is_exit_code_1(say: Say, site: str, inbox: FileInbox, words: list[str]):
    code, _, err = say(site, *words, "K7QX-9999")
    assert code == 1
    assert "there is no error K7QX-9999; the oldest ones go when new ones come" in err
    code, _, err = say(site, *words, "nonsense")
    assert code == 1
    assert "nonsense is no id: they look like K7QX-M3PZ, or E-7K3QX for a group" in err


def test_one_unknown_id_does_not_keep_the_others_from_it(say: Say, site: str, inbox: FileInbox):
    code, out, _ = say(site, "resolve", "K7QX-9999", "E-22222")
    assert (code, out) == (1, "E-22222 is resolved\n")


def test_a_group_without_records_is_told(say: Say, site: str, tmp_path: Path):
    (tmp_path / "kept").mkdir()
    small = FileInbox(tmp_path / "kept" / "errors.sqlite", 1)
    small.add(record("K7QX-M3PZ"))
    small.add(record("22QX-M3PZ", "E-33333"))
    small.close()
    code, _, err = say(site, "show", "E-22222")
    assert code == 1
    assert "of E-22222 only its counts are kept" in err


def test_a_file_is_named_instead_of_the_site(say: Say, inbox: FileInbox):
    code, out, _ = say("--inbox", inbox.path)
    assert code == 0
    assert out.startswith("E-22222")
    assert say("--inbox", inbox.path, "show", "K7QX-M3PZ")[0] == 0
    assert say("show", "K7QX-M3PZ", "--inbox", inbox.path)[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name the INI file of the site, or the file of its inbox with --inbox"),
        (["{site}", "lst"], "no such command: lst; did you mean 'list'?"),
        (["list", "{site}"], "the file comes first: wheatpaste errors {site} list"),
        (["show", "K7QX-M3PZ", "{site}"], "the file comes first: wheatpaste errors {site} show K7QX-M3PZ"),
        (["list"], "the file comes first: wheatpaste errors FILE list"),
        (["{site}", "show"], "show which? Say the id of an error or of a group"),
        (["{site}", "resolve"], "resolve which?"),
        (["{site}", "show", "A", "B"], "show one error at a time"),
        (["{site}", "--state", "none"], "invalid choice"),
        (["{site}", "--json", "--markdown"], "not allowed with"),
        (["nosuch.ini"], "the file nosuch.ini does not exist"),
    ],
)
def test_a_mistake_in_the_usage_is_exit_code_2(
    say: Say, site: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str], message: str
):
    monkeypatch.chdir(tmp_path)
    code, out, err = say(*(word.format(site=site) for word in words))
    assert (code, out) == (2, "")
    assert message.format(site=site) in err


def test_before_the_first_error_there_is_no_file_and_none_is_made(say: Say, site: str, tmp_path: Path):
    code, out, err = say(site)
    assert (code, out) == (0, "No errors.\n")
    assert "errors.sqlite does not exist: no error was kept yet" in err
    assert json.loads(say(site, "--json")[1])["groups"] == []
    assert say(site, "show", "K7QX-M3PZ")[0] == 1
    assert say(site, "resolve", "K7QX-M3PZ")[0] == 1
    assert [each.name for each in tmp_path.iterdir()] == ["site.ini"]


def test_errors_in_memory_are_the_servers_own(say: Say, write_ini: Callable[..., Path]):
    site = write_ini(SITE.replace("inbox = kept/errors.sqlite", "path = /.failures"))
    code, out, err = say(str(site))
    assert (code, out) == (1, "")
    assert "keeps its errors in no file, so they cannot be seen from here:" in err
    assert "[filter:errors] " in err
    assert "site.ini:5  in the memory of the server; with debug = true it shows them at /.failures" in err
    assert "Write inbox = errors.sqlite there" in err


def test_errors_that_nobody_keeps(say: Say, write_ini: Callable[..., Path]):
    code, _, err = say(str(write_ini(SITE.replace("kept/errors.sqlite", "none"))))
    assert code == 1
    assert "keeps none (inbox = none)" in err


def test_a_site_without_the_filter(say: Say, write_ini: Callable[..., Path]):
    code, _, err = say(str(write_ini("[app:main]\nuse = egg:wheatpaste#echo\n")))
    assert code == 1
    assert "has no errors filter: put egg:wheatpaste#errors around the app" in err


TWO = """
    [composite:main]
    use = egg:wheatpaste#urlmap
    /a = a
    /b = b
    /errors = pages

    [app:a]
    use = egg:wheatpaste#echo
    filter-with = first

    [app:b]
    use = egg:wheatpaste#echo
    filter-with = second

    [filter:first]
    use = egg:wheatpaste#errors
    inbox = %(first)s

    [filter:second]
    use = egg:wheatpaste#errors
    inbox = second.sqlite

    [app:pages]
    use = egg:wheatpaste#errors_inbox
    inbox = second.sqlite
    """


def test_of_several_inboxes_one_has_to_be_named(say: Say, write_ini: Callable[..., Path], tmp_path: Path):
    site = str(write_ini(TWO))
    code, _, err = say(site, "first=first.sqlite")
    assert code == 1
    assert "keeps errors in 2 files; name one with --inbox:" in err
    for line in ("first.sqlite  [filter:first]", "second.sqlite  [filter:second]", "second.sqlite  [app:pages]"):
        assert line in err
    code, out, err = say(site, "first=second.sqlite")  # the same file: there is but one
    assert (code, out) == (0, "No errors.\n")
    assert say(site, "first=memory")[0] == 0


def test_a_broken_configuration_is_told_as_everywhere(say: Say, write_ini: Callable[..., Path]):
    code, _, err = say(str(write_ini("[app:other]\nuse = egg:wheatpaste#echo\n")))
    assert code == 2
    assert "main" in err


def test_a_damaged_inbox_is_told_and_left(say: Say, site: str, tmp_path: Path):
    (tmp_path / "kept").mkdir()
    file = tmp_path / "kept" / "errors.sqlite"
    file.write_text("no database " * 500)
    code, out, err = say(site)
    assert (code, out) == (1, "")
    assert "errors.sqlite is damaged, or no SQLite file" in err
    assert file.read_text().startswith("no database")


def test_it_is_coloured_for_people_and_obeys_nothing_that_was_kept(
    say: Say, site: str, inbox: FileInbox, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FORCE_COLOR", "1")
    sample = SAMPLES["simple"]()
    inbox.add(replace(record("77QX-M3PZ"), exceptions=(replace(sample.raised, message="\x1b[2J\x1b]0;owned\x07"),)))
    assert "\x1b[1;36mE-22222\x1b[0m" in say(site)[1]
    for words in ([site], [site, "show", "77QX-M3PZ"], [site, "show", "77QX-M3PZ", "--markdown"]):
        out = say(*words)[1]
        assert "\x1b[2J" not in out
        assert "\x07" not in out
