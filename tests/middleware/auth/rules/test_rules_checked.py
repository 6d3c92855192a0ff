"""What a check says of a section of rules, before anything is built."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from wheatpaste.config.check import check_file

Told = Callable[..., list[tuple[int, str]]]

HEAD = """
[pipeline:main]
pipeline = auth wiki
[filter:auth]
use = egg:wheatpaste#auth
[app:wiki]
use = egg:wheatpaste#echo
[auth:main]
secret_file = %(here)s/auth.key
[auth:main:rules]
"""


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """Checks a site with these rules: each complaint with the line of the rule, counted from the first."""
    key = tmp_path / "auth.key"
    key.write_text(secrets.token_urlsafe(48))
    key.chmod(0o600)
    path = tmp_path / "site.ini"
    first = HEAD.count("\n") + 1

    def check(rules: str, **how: bool) -> list[tuple[int, str]]:
        path.write_text(HEAD + rules + "\n")
        found = check_file(str(path), **how)
        assert all(each.section == "auth:main:rules" for each in found), found
        return [((each.line or 0) - first, each.message.partition("] ")[2]) for each in found]

    return check


def test_a_section_without_mistakes_is_fine(told: Told) -> None:
    assert (
        told("/static/* = everyone\nPOST /api/* = scope api:write\n//h.example/* = test os.path:exists\n/* = mfa") == []
    )


def test_all_mistakes_are_named_with_their_lines(told: Told) -> None:
    found = told(
        "/a = rol admin\n"
        "post /b = everyone\n"
        "/c = from 10.0.0.1/8\n"
        "/d = role a\n and between 08:00 and 18:00 Mars/Base\n"
        "/e = mfa and test nowhere:at_all\n"
        "f/* = everyone\n"
        "dry_runn = true"
    )
    assert sorted(found) == [
        (0, "/a = rol admin: 'rol' is no word of rules; did you mean 'role'? (at character 1)"),
        (1, "post /b: this key names methods in capitals: write POST"),
        (
            2,
            "/c = from 10.0.0.1/8: from: '10.0.0.1/8' names an address within a network;"
            " write 10.0.0.0/8 or 10.0.0.1 (at character 1)",
        ),
        (
            3,
            "/d = role a and between 08:00 and 18:00 Mars/Base: between: 'Mars/Base' is no time zone that this machine"
            " knows, such as Europe/Berlin (pip install tzdata, where it knows none) (at character 12)",
        ),
        (
            5,
            "/e: nowhere:at_all: there is no module 'nowhere'; install what has it, or add its folder to python_path in"
            " [wheatpaste]",
        ),
        (6, "f/*: this key must begin with a slash: write /f/*"),
        (7, "dry_runn: no such option; did you mean 'dry_run'?"),
    ]


def test_a_rule_that_never_decides_is_a_warning(told: Told) -> None:
    ((line, message),) = told("/* = authenticated\n/admin/* = role admin")
    assert (line, message.startswith("/admin/*: never decides anything: '/*' stands before it")) == (1, True)


def test_functions_are_imported_only_where_that_is_wanted(told: Told) -> None:
    assert told("/a = test os:getcwdd", importing=True) == [
        (0, "/a: os:getcwdd: os has no 'getcwdd'; did you mean 'getcwd'?")
    ]
