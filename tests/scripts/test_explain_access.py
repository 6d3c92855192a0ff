"""Which rule decides about a request, and what would help, without starting anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wheatpaste.middleware.auth.accounts.local_users import LocalUsers
from wheatpaste.middleware.auth.accounts.tables import SCHEMA
from wheatpaste.middleware.storage.places import tables_of
from wheatpaste.scripts.main import main

WriteIni = Callable[..., Path]

SITE = """
    [pipeline:main]
    pipeline = auth map

    [composite:map]
    use = egg:wheatpaste#urlmap
    / = wiki
    /inner = [inner]

    [filter:auth]
    use = egg:wheatpaste#auth

    [app:wiki]
    use = egg:wheatpaste#echo

    [filter-app:inner]
    use = egg:wheatpaste#require
    rule = group staff or role admin
    next = wiki

    [auth:main]
    secret_file = %(here)s/auth.key
    default = deny

    [auth:main:store]
    url = sqlite:///%(here)s/auth.db

    [auth:main:rules]
    /static/* = everyone
    POST /api/* = scope api:write
    /admin/* = role admin and mfa and fresh 10m
    /office/* = from 10.0.0.0/8
    /wiki/* = authenticated
    /inner/* = authenticated
""".replace("[inner]", "inner")


@pytest.fixture
def explain(
    write_ini: WriteIni, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., str]:
    """Explains a request to the site, where ada is an admin and bob is disabled."""
    monkeypatch.chdir(tmp_path)
    write_ini(SITE)
    assert main(["auth", "site.ini", "init"]) == 0
    tables = tables_of(f"sqlite:///{tmp_path}/auth.db", SCHEMA)
    users = LocalUsers(tables)
    for name in ("ada", "bob", "eve"):
        users.create(name)
    users.grant("user:ada", "admin")
    found = users.find("bob")
    assert found is not None
    users.disable(found.id)
    users.set_password(users.create("kim").id, "$none", must_change=True)
    tables.close()
    capsys.readouterr()

    def run(*words: str, code: int = 0) -> str:
        assert main(["explain", "site.ini", *words]) == code
        return capsys.readouterr().out

    return run


def access(explain: Any, *words: str) -> dict[str, Any]:
    """What the Auth filter says, as programs get it."""
    found: dict[str, Any] = json.loads(explain(*words, "--json"))["route"]["filters"][0]["access"]
    return found


@pytest.mark.parametrize(
    ("words", "rule", "status", "helps"),
    [
        (["/static/x"], "/static/*", 200, []),
        (["/wiki/"], "/wiki/*", 401, ["a login"]),
        (["/wiki/", "--user", "eve"], "/wiki/*", 200, []),
        (["/admin"], "/admin/*", 401, ["a login", "a second factor", "to show once more who it is"]),
        (["/admin", "--user", "eve"], "/admin/*", 403, []),
        (["/admin", "--user", "ada"], "/admin/*", 401, ["a second factor"]),
        (["/admin", "--user", "ada", "--mfa"], "/admin/*", 200, []),
        (["/ADMIN/x", "--user", "ada", "--mfa"], None, 403, []),
        (["POST", "/api/x", "--user", "eve"], "POST /api/*", 200, []),
        (["POST", "/api/x", "--user", "eve", "--scope", "a"], "POST /api/*", 403, ["a token with the scope api:write"]),
        (["POST", "/api/x", "--user", "eve", "--scope", "a", "--scope", "api:write"], "POST /api/*", 200, []),
        (["/wiki/", "--user", "eve", "--scope", "a"], "/wiki/*", 403, []),
        (["/office/"], "/office/*", 403, []),
        (["/office/", "--from", "10.1.2.3"], "/office/*", 200, []),
        (["/elsewhere", "--user", "ada"], None, 403, []),
    ],
)
def test_it_says_which_rule_decides_and_what_would_help(
    explain: Any, words: list[str], rule: str | None, status: int, helps: list[str]
) -> None:
    told = access(explain, *words)
    assert (told["rule"], told["status"], told["help"]) == (rule, status, helps)
    assert told["allowed"] is (status == 200)


def test_it_names_the_line_and_the_terms(explain: Any, tmp_path: Path) -> None:
    lines = (tmp_path / "site.ini").read_text().splitlines()
    line = next(number for number, each in enumerate(lines, 1) if each.startswith("/admin"))
    told = explain("GET", "/admin", "--user", "eve")
    assert "GET http://localhost/admin  by eve" in told
    assert f"/admin/* = role admin and mfa and fresh 10m  site.ini:{line}" in told
    assert "refuses it with 403, needs role admin, mfa" in told
    assert "nothing would help" in told
    assert access(explain, "/admin")["line"] == line


def test_it_says_what_cannot_be_compared(explain: Any) -> None:
    assert "refuses it with 400: The path holds an empty segment." in explain("/wiki//x")
    assert access(explain, "/wiki/%252e%252e/admin")["status"] == 400


def test_it_knows_the_filter_s_own_pages(explain: Any) -> None:
    assert "answers it: one of its own pages" in explain("/-/auth/login")
    assert access(explain, "/-/auth/login")["own_page"] is True


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nobody-here", "no source knows a user nobody-here: nothing but the name counts"),
        ("bob", "bob is disabled and cannot sign in"),
    ],
)
def test_it_says_what_is_not_known_of_the_user(explain: Any, name: str, says: str) -> None:
    assert says in explain("/wiki/", "--user", name)


def test_who_has_to_choose_a_new_password_is_nobody(explain: Any) -> None:
    told = access(explain, "/wiki/", "--user", "kim")
    assert (told["status"], told["remark"]) == (401, "kim has to choose a new password before anything else")
    assert access(explain, "/wiki/", "--user", "kim", "--scope", "a")["remark"] is None


def test_a_disabled_user_is_nobody(explain: Any) -> None:
    assert access(explain, "/wiki/", "--user", "bob")["status"] == 401


def test_filters_further_in_are_asked_with_the_same_user(explain: Any) -> None:
    def inner(*words: str) -> Any:
        route = json.loads(explain("/inner/x", *words, "--json"))["route"]
        return route["next"][0]["filters"][0]["access"]

    assert inner("--user", "ada")["allowed"] is True
    refused = inner("--user", "eve")
    assert (refused["status"], refused["needs"]) == (403, ["group staff", "role admin"])
    assert inner()["status"] == 401


def test_without_a_filter_that_says_who_asks_nobody_may(explain: Any, tmp_path: Path) -> None:
    path = tmp_path / "site.ini"
    path.write_text(path.read_text().replace("pipeline = auth map", "pipeline = map"))
    told = json.loads(explain("/inner/x", "--user", "ada", "--json"))["route"]["next"][0]["filters"][0]["access"]
    assert (told["status"], told["remark"]) == (403, "no filter in front says who asks")


def test_mistakes_elsewhere_do_not_keep_it_from_telling(explain: Any, tmp_path: Path) -> None:
    (tmp_path / "auth.key").unlink()
    assert "/static/* = everyone" in explain("/static/x", code=1)
    told = explain("/wiki/", "--user", "eve", code=1)
    assert "of eve nothing but the name is known: the sections have mistakes" in told


@pytest.mark.parametrize(
    ("old", "new", "url", "at", "said"),
    [
        ("role admin and mfa", "rol admin", "/static/x", "/admin/*", "'rol' is no word of rules; did you mean 'role'?"),
        ("= everyone", "= test nowhere:at_all", "/wiki/", "/static/*", "'nowhere:at_all' cannot be imported"),
        ("default = deny", "default = dney", "/static/x", "default", "must be app or authenticated or deny"),
        ("[auth:main]\n", "[auth:mian]\n", "/static/x", "[filter:auth]", "there is no section [auth:main]"),
        ("rule = group", "rule = gruop", "/inner/x", "rule =", "'gruop' is no word of rules; did you mean 'group'?"),
    ],
    ids=["a rule", "a function of a rule", "the default", "a missing section", "the rule of a filter further in"],
)
def test_a_mistake_that_keeps_it_from_telling_is_said_with_its_line(
    explain: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path, old: str, new: str, url: str, at: str, said: str
) -> None:
    path = tmp_path / "site.ini"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    line = next(number for number, each in enumerate(text.splitlines(), 1) if each.startswith(at))
    assert main(["explain", "site.ini", url]) == 1
    out, err = capsys.readouterr()
    assert "who may cannot be told: its sections have mistakes" in out
    assert [each for each in err.splitlines() if each.startswith(f"site.ini:{line}: ") and said in each], err
    assert main(["explain", "site.ini", url, "--json"]) == 1
    assert '"status": null' in capsys.readouterr().out


def test_a_dry_run_is_named(explain: Any, tmp_path: Path) -> None:
    path = tmp_path / "site.ini"
    path.write_text(path.read_text() + "dry_run = true\n")
    assert "but it is a dry run, which lets everything through" in explain("/wiki/")
    told = access(explain, "/wiki/")
    assert (told["allowed"], told["status"], told["dry_run"]) == (True, 401, True)


def test_rules_that_ask_functions_are_asked(explain: Any, tmp_path: Path) -> None:
    path = tmp_path / "site.ini"
    path.write_text(path.read_text() + "/code/* = test builtins:bool\n")
    assert "/code/* = test builtins:bool" in explain("/code/x")


def test_a_factor_without_a_user_is_a_mistake(explain: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "site.ini", "/wiki/", "--mfa"]) == 2
    assert "add --user NAME" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("default", "words", "rule", "status"),
    [
        ("app", ["/static/x"], "/static/*", 200),
        ("app", ["/wiki/"], "/wiki/*", 401),
        ("app", ["/wiki/", "--user", "eve"], "/wiki/*", 200),
        ("app", ["/elsewhere"], None, 401),
        ("app", ["/elsewhere", "--user", "eve"], None, 200),
        ("deny", ["/elsewhere", "--user", "eve"], None, 403),
    ],
)
def test_it_knows_the_rules_by_which_other_servers_are_answered(
    default: str, words: list[str], rule: str | None, status: int, explain: Any, write_ini: WriteIni
) -> None:
    text = SITE[SITE.index("    [auth:main]") :].replace("default = deny", f"default = {default}")
    app = "    [app:main]\n    use = egg:wheatpaste#verify\n\n"
    write_ini(app + text.replace("[auth:main]", "[auth:main]\n    trusted_proxies = 127.0.0.1", 1))
    found = json.loads(explain(*words, "--json"))["route"]["app"]["access"]
    assert (found["rule"], found["status"]) == (rule, status)
    assert ("refuses it with" in explain(*words)) is (status != 200)
