"""``wheatpaste auth`` and ``wheatpaste user``: what they take, what they print, and how they end."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import select
import shlex
import sqlite3
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wheatpaste.middleware.auth.accounts.local_users import LocalUsers
from wheatpaste.middleware.auth.accounts.tables import SCHEMA
from wheatpaste.middleware.auth.passwords.hasher import Hasher
from wheatpaste.middleware.auth.passwords.throttle import Rate, Throttle
from wheatpaste.middleware.storage.places import tables_of
from wheatpaste.scripts.auth import AREAS
from wheatpaste.scripts.main import main
from wheatpaste.testing import Clock

SITE = """
    [app:main]
    use = egg:wheatpaste#echo
    filter-with = auth

    [filter:auth]
    use = egg:wheatpaste#auth

    [auth:main]
    secret = %(here)s/auth.key
    public_url = https://wiki.example.org
    audit = json:%(here)s/audit.log
    realm = wiki
    methods = session digest

    [auth:main:store]
    url = sqlite:///%(here)s/auth.db

    [auth:main:password]
    argon2 = t=1,m=8,p=1

    [auth:main:roles]
    admin = page:* user:*
    editor = page:edit
    """
PASSWORD = "four plain words here"
LINK = re.compile(r"https://wiki\.example\.org/-/auth/(invite|reset)/[\w-]{43}")

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def site(write_ini: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    path = write_ini(SITE)
    monkeypatch.chdir(path.parent)
    return path


@pytest.fixture
def say(site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    """Runs the command for the site; returns the exit code and what it wrote."""

    def run(*words: str, stdin: str | bytes = "", file: str = "site.ini") -> tuple[int, str, str]:
        raw = stdin if isinstance(stdin, bytes) else stdin.encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        code = main(["auth", *([file] if file else []), *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def ready(say: Say) -> Say:
    """The same, for a site that is ready and has the user bob."""
    assert say("init", "--no-admin")[0] == 0
    assert say("user", "add", "bob", "--email", "bob@example.org", stdin=PASSWORD + "\n")[0] == 0
    return say


def data(answer: tuple[int, str, str]) -> Any:
    code, out, err = answer
    assert code == 0, err
    return json.loads(out)


def users_of(site: Path) -> LocalUsers:
    return LocalUsers(tables_of(f"sqlite:///{site.parent}/auth.db", SCHEMA))


def events(site: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (site.parent / "audit.log").read_text().splitlines()]


class TestTheWords:
    @pytest.mark.parametrize("area", AREAS, ids=lambda each: each.name)
    def test_each_area_says_what_it_takes(self, say: Say, area: Any):
        code, out, _ = say(area.name, "--help")
        assert code == 0
        assert f"wheatpaste auth FILE {area.name}" in out
        assert area.sentence.split(":")[0] in " ".join(out.split())

    def test_no_word_takes_a_password(self, say: Say):
        for area in AREAS:
            assert "--password" not in say(area.name, "--help")[1]
        for word in ("add", "passwd"):
            assert "--password" not in say("user", word, "--help")[1]

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            ([], "say what to do"),
            (["usr"], "no such command: usr; did you mean 'user'?"),
            (["user"], "the following arguments are required: COMMAND"),
            (["user", "ad"], "invalid choice: 'ad'"),
            (["user", "add"], "the following arguments are required: NAME"),
            (["user", "list", "--jsn"], "unrecognized arguments: --jsn"),
        ],
    )
    def test_a_mistake_in_the_words_is_a_sentence_and_exit_code_2(self, say: Say, words: list[str], sentence: str):
        code, out, err = say(*words)
        assert (code, out) == (2, "")
        assert sentence in err
        assert "Traceback" not in err

    def test_help_is_given_behind_the_file_too(self, say: Say):
        code, out, _ = say("--help")
        assert code == 0
        assert all(each.sentence in out for each in AREAS)

    def test_the_sections_may_be_named_behind_the_file(self, ready: Say):
        assert ready("--auth", "main", "user", "list") == ready("user", "list", "--auth", "main")
        assert "has no filter with auth = other" in ready("--auth", "other", "user", "list")[2]

    def test_the_file_comes_first(self, say: Say):
        code, _, err = say("user", "site.ini", "list", file="")
        assert code == 2
        assert "the file comes first: wheatpaste auth site.ini user …" in err

    def test_the_only_ini_file_of_the_folder_need_not_be_named(self, ready: Say, site: Path):
        assert ready("user", "list", file="")[1].startswith("bob")
        (site.parent / "other.ini").write_text("[app:main]\nuse = egg:wheatpaste#echo\n")
        code, _, err = ready("user", "list", file="")
        assert code == 2
        assert "there are several INI files here (other.ini, site.ini); name one" in err

    def test_a_file_without_the_filter_is_told_what_it_needs(self, say: Say, site: Path):
        (site.parent / "other.ini").write_text("[app:main]\nuse = egg:wheatpaste#echo\n")
        code, _, err = say("user", "list", file="other.ini")
        assert code == 2
        assert "other.ini has nothing that signs people in; put egg:wheatpaste#auth around the app" in err

    def test_a_site_that_only_answers_other_servers_has_users_too(self, say: Say, site: Path):
        text = site.read_text().replace("use = egg:wheatpaste#echo\nfilter-with = auth", "use = egg:wheatpaste#verify")
        assert "#verify" in text
        text = re.sub(r"\[filter:auth\]\nuse = .*\n", "", text)
        site.write_text(text.replace("realm = wiki", "realm = wiki\ntrusted_proxies = 127.0.0.1"))
        assert LINK.search(say("init")[1])
        assert [each["name"] for each in data(say("user", "list", "--json"))] == ["admin"]

    def test_user_is_short_for_auth_user(self, ready: Say, capsys: pytest.CaptureFixture[str]):
        assert main(["user", "site.ini", "list"]) == 0
        assert capsys.readouterr().out.startswith("bob")
        assert main(["user", "show", "bob"]) == 0
        assert "bob@example.org" in capsys.readouterr().out

    def test_several_sites_of_one_file_are_told_apart(self, say: Say, site: Path):
        text = site.read_text().replace("filter-with = auth", "filter-with = both")
        text += (
            "\n[filter:both]\nuse = egg:wheatpaste#auth\nauth = two\nfilter-with = auth\n"
            "[auth:two]\nsecret = %(here)s/two.key\n[auth:two:store]\nurl = sqlite:///%(here)s/two.db\n"
        )
        site.write_text(text)
        code, _, err = say("init", "--no-admin")
        assert code == 2
        assert re.search(r"has several sites; name one: --auth (main or --auth two|two or --auth main)", err)
        assert say("init", "--auth", "two", "--no-admin")[0] == 0
        assert (site.parent / "two.db").exists()
        assert not (site.parent / "auth.db").exists()

    def test_variables_stand_behind_the_file(self, say: Say, site: Path):
        site.write_text(site.read_text().replace("auth.db", "%(name)s.db"))
        assert say("name=kept", "init", "--no-admin")[0] == 0
        assert (site.parent / "kept.db").exists()


class TestInit:
    def test_it_makes_the_folder_of_the_key_for_its_owner_alone(
        self, say: Say, site: Path, capsys: pytest.CaptureFixture[str]
    ):
        site.write_text(site.read_text().replace("%(here)s/", "%(here)s/state/"))
        assert main(["check", "site.ini"]) == 1
        assert "is to be in a folder that is not there" in capsys.readouterr().out
        assert say("init")[0] == 0
        assert stat.S_IMODE((site.parent / "state").stat().st_mode) == 0o700
        assert (site.parent / "state" / "auth.key").exists()
        assert main(["check", "site.ini"]) == 0

    def test_a_check_names_the_folder_that_a_database_lacks(
        self, ready: Say, site: Path, capsys: pytest.CaptureFixture[str]
    ):
        site.write_text(site.read_text().replace("%(here)s/auth.db", "%(here)s/none/auth.db"))
        assert main(["check", "site.ini"]) == 1
        assert "[auth:main:store] url: is a file in a folder that is not there" in capsys.readouterr().out

    def test_a_check_without_the_key_goes_on_to_other_sections(
        self, say: Say, site: Path, capsys: pytest.CaptureFixture[str]
    ):
        site.write_text(site.read_text() + "\n[server:main]\nuse = egg:wheatpaste#main\nprot = 8080\n")
        assert main(["check", "site.ini"]) == 1
        out = capsys.readouterr().out
        assert "auth.key: the key file cannot be read" in out
        assert "'port'" in out

    def test_it_makes_a_key_tables_and_a_link_for_the_first_admin(self, say: Say, site: Path):
        code, out, err = say("init", "--email", "root@example.org")
        assert code == 0, err
        assert "auth.key is the site's key" in out
        assert "auth.db has the tables" in out
        assert "admin is there now, with the role admin" in out
        assert LINK.search(out)
        for name in ("auth.key", "auth.db"):
            assert stat.S_IMODE((site.parent / name).stat().st_mode) == 0o600
        assert data(say("user", "show", "admin", "--json"))["permissions"] == ["page:*", "user:*"]
        assert not data(say("user", "show", "admin", "--json"))["has_password"]

    def test_again_it_leaves_everything_as_it_is(self, ready: Say, site: Path):
        before = (site.parent / "auth.key").read_bytes()
        code, out, _ = ready("init")
        assert code == 0
        assert "auth.key is there already, and stays" in out
        assert "There are users already; none was made." in out
        assert (site.parent / "auth.key").read_bytes() == before
        assert [each.name for each in users_of(site).all()] == ["bob"]

    def test_a_secret_in_a_file_of_its_own_is_made_there(self, say: Say, site: Path):
        (site.parent / "keys").mkdir()
        site.write_text(site.read_text().replace("secret = %(here)s/auth.key", "secret_file = keys/site.key"))
        found = data(say("init", "--json"))
        assert found["key_file"] == str(site.parent / "keys" / "site.key")
        assert found["admin"] == "admin"
        assert LINK.fullmatch(found["link"])
        assert say("keys", "list")[1].startswith(found["key_id"])

    def test_a_site_without_a_key_is_told_what_to_write(self, say: Say, site: Path):
        site.write_text(site.read_text().replace("secret = %(here)s/auth.key\n", ""))
        code, _, err = say("init")
        assert code == 2
        assert "[auth:main]: names no key file yet; write secret = %(here)s/auth.key" in err

    @pytest.mark.parametrize(
        ("wrong", "sentence"),
        [
            ("secret = \n", "[auth:main] secret: "),
            ("secret = %(here)s/auth.key\nmethods = session jwt\n", "[auth:main] methods: names jwt, and there is no"),
        ],
        ids=["no secret", "no section"],
    )
    def test_what_a_site_lacks_is_said_at_its_line(self, say: Say, site: Path, wrong: str, sentence: str):
        say("init", "--no-admin")
        text = site.read_text().replace("methods = session digest\n", "")
        site.write_text(text.replace("secret = %(here)s/auth.key\n", wrong))
        code, out, err = say("user", "list")
        assert (code, out) == (2, "")
        assert re.match(r"site\.ini:\d+: ", err), err
        assert sentence in err

    def test_a_key_that_others_can_read_is_refused(self, say: Say, site: Path):
        say("init", "--no-admin")
        (site.parent / "auth.key").chmod(0o644)
        code, _, err = say("init")
        assert code == 2
        assert "chmod 600" in err

    def test_users_in_memory_are_told_to_be_gone(self, say: Say, site: Path):
        site.write_text(site.read_text().replace("url = sqlite:///%(here)s/auth.db", "url = memory:"))
        code, out, err = say("init")
        assert code == 0
        assert "Users are kept in the memory of each process" in out
        assert "url = sqlite:///%(here)s/auth.db into [auth:main:store]" in out
        assert "/invite/" not in out + err, "a link that the server does not know"

    @pytest.mark.parametrize(
        "words",
        [
            ["user", "add", "bob", "--invite"],
            ["user", "add", "bob", "--no-password", "--json"],
            ["user", "unblock", "bob"],
            ["group", "add", "staff"],
            ["session", "revoke", "--everybody"],
            ["import", "csv", "users.csv"],
        ],
        ids=" ".join,
    )
    def test_nothing_is_said_to_be_done_that_the_server_never_sees(self, words: list[str], say: Say, site: Path):
        Path("users.csv").write_text("name\nbob\n")
        site.write_text(site.read_text().replace("url = sqlite:///%(here)s/auth.db", "url = memory:"))
        say("init")
        code, out, err = say(*words)
        assert (code, out) == (1, "")
        assert "users are kept in the memory of each process" in err


class TestUsers:
    def test_a_user_is_made_and_shown(self, ready: Say, site: Path):
        ready("group", "add", "staff")
        words = ["--display", "Ann Lee", "--email", "ann@example.org", "--verified", "--group", "staff"]
        code, out, _ = ready("user", "add", "Ann", *words, "--role", "editor", "--must-change", stdin=PASSWORD)
        assert (code, out) == (0, "Ann is there now\n")
        shown = data(ready("user", "show", "ann", "--json"))
        assert (shown["name"], shown["display"], shown["email"]) == ("Ann", "Ann Lee", "ann@example.org")
        assert (shown["groups"], shown["roles"], shown["permissions"]) == (["staff"], ["editor"], ["page:edit"])
        assert shown["email_verified"]
        assert shown["must_change_password"]
        assert shown["has_password"]
        out = ready("user", "show", "ann")[1]
        assert re.search(r"^created +\d{4}-\d\d-\d\d \d\d:\d\d$", out, re.MULTILINE)
        encoded = users_of(site).password_hash(users_of(site).find("ann"))  # type: ignore[arg-type]
        assert encoded is not None
        hasher = Hasher("t=1,m=8,p=1")
        assert hasher.verify(encoded, PASSWORD)
        hasher.close()

    def test_users_are_listed(self, ready: Say):
        ready("user", "add", "ann", "--no-password")
        ready("user", "disable", "ann")
        assert ready("user", "list")[1].split("\n") == ["ann                   disabled", "bob  bob@example.org", ""]
        assert [each["name"] for each in data(ready("user", "list", "--json"))] == ["ann", "bob"]
        assert [each["name"] for each in data(ready("user", "list", "B", "--json"))] == ["bob"]
        assert ready("user", "list", "x")[1] == "There are no such users.\n"

    @pytest.mark.parametrize(
        ("words", "stdin", "sentence"),
        [
            (["add", "BOB"], PASSWORD, "there is a user 'BOB' already"),
            (["add", "\u0432\u043e\u0432"], PASSWORD, "that name is taken, or looks like one that is"),
            (["add", "a:b"], PASSWORD, "the name must not hold ':'"),
            (["add", "a:b"], "", "the name must not hold ':'"),
            (["add", "ann", "--email", "nothing"], "", "the address must be a mail address"),
            (["add", "ann", "--display", "a\nb"], "", "the full name must not hold"),
            (["add", "ann"], "short", "at least 10 characters"),
            (["add", "ann"], "", "there is no password on the standard input"),
            (["add", "ann"], b"\xff\xfe", "is not UTF-8 text"),
            (["add", "ann"], "x" * 5000, "longer than 4096 bytes"),
            (["add", "ann", "--group", "none"], PASSWORD, "there is no group 'none'; make it"),
            (["add", "ann", "--email", "nothing"], PASSWORD, "the address must be a mail address"),
            (["add", "ann", "--role", "two words"], PASSWORD, "the name of a role must not hold ' '"),
            (["edit", "bob", "--display", "a\nb", "--email", "new@example.org"], "", "the full name must not hold"),
            (["show", "none"], "", "there is no user 'none'"),
            (["passwd", "none"], PASSWORD, "there is no user 'none'"),
            (["passwd", "bob"], "bob@example.org", "password"),
            (["rename", "bob", "a b "], "", "must not begin or end with a blank"),
            (["edit", "bob", "--email", "x"], "", "the address must be a mail address"),
            (["delete", "none"], "", "there is no user 'none'"),
        ],
    )
    def test_what_cannot_be_is_a_sentence_and_exit_code_1(
        self, ready: Say, site: Path, words: list[str], stdin: str | bytes, sentence: str
    ):
        before = users_of(site).all()
        code, out, err = ready("user", *words, stdin=stdin)
        assert (code, out) == (1, "")
        assert sentence in err
        assert "Traceback" not in err
        assert users_of(site).all() == before

    def test_a_new_password_counts_and_signs_out(self, ready: Say, site: Path):
        before = users_of(site).find("bob")
        code, out, _ = ready("user", "passwd", "bob", "--must-change", stdin="another four plain words")
        assert (code, out) == (0, "bob has a new password, and is signed out everywhere\n")
        after = users_of(site).find("bob")
        assert before is not None
        assert after is not None
        assert after.epoch > before.epoch
        assert after.must_change_password

    def test_a_user_is_changed_renamed_disabled_and_deleted(self, ready: Say, site: Path):
        assert ready("user", "edit", "bob", "--display", "Bob Ross", "--verified")[0] == 0
        assert data(ready("user", "show", "bob", "--json"))["email_verified"]
        assert ready("user", "rename", "bob", "Robert")[1] == "bob is Robert now\n"
        assert ready("user", "disable", "robert")[1] == "Robert cannot sign in any more\n"
        assert data(ready("user", "show", "robert", "--json"))["state"] == "disabled"
        assert ready("user", "enable", "robert")[1] == "Robert can sign in again\n"
        ready("token", "create", "robert", "ci", "--scope", "read")
        ready("invite", "robert")
        assert ready("user", "delete", "robert")[1] == "Robert is gone\n"
        assert users_of(site).all() == []
        with sqlite3.connect(site.parent / "auth.db") as connection:
            for table in ("auth_tokens", "auth_links", "auth_digests"):
                assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
        connection.close()
        assert [each["event"] for each in events(site)] == [
            "user.create",
            "user.change",
            "user.change",
            "user.disable",
            "user.enable",
            "token.create",
            "user.change",
            "user.delete",
        ]
        assert all(each["by"].startswith("command line: ") for each in events(site))

    def test_wrong_passwords_of_a_name_are_forgotten(self, ready: Say, site: Path):
        from wheatpaste.scripts.auth_site import AuthSite

        here = AuthSite(str(site), {})
        throttle = here.authority.passwords.throttle
        visit: Any = SimpleNamespace(address="192.0.2.1", is_secure=True, cookies=lambda name: [])
        for _ in range(8):
            throttle.wait(visit, "bob")
        assert (throttle.peek(visit, "bob") or 0) > 0
        assert ready("user", "unblock", "Bob")[1] == "nobody waits for Bob any more\n"
        assert throttle.peek(visit, "bob") is None
        here.close()

    def test_who_has_to_wait_is_listed_and_let_go_on(self, ready: Say, site: Path):
        from wheatpaste.scripts.auth_site import AuthSite

        assert ready("bans", "list")[1] == "Nobody has to wait.\n"
        assert ready("user", "add", "eve", "--no-password")[0] == 0
        here = AuthSite(str(site), {})
        visit: Any = SimpleNamespace(address="192.0.2.1", is_secure=True, environ={}, cookies=lambda name: [])

        def guess() -> None:
            # So far ahead that everything still has to wait when the test is slow.
            clock = Clock(time.time())
            throttle = Throttle(here.authority.store, here.authority.vault, clock.time, address_rate=Rate(30, 3600.0))
            for name in ("bob", "eve", "mallory"):
                for _ in range(14):
                    clock.advance(throttle.wait(visit, name) or 0)
            for _ in range(40):
                throttle.admit(visit)
            account = here.account("eve")
            here.users.set_second_factor(account.id, True)
            for _ in range(12):
                here.authority.factors.attempts.admit(account.id)

        def listed(*names: str) -> list[tuple[str, str]]:
            return sorted((each["kind"], each["who"]) for each in data(ready("bans", "list", *names, "--json")))

        guess()
        unknown = ("name", "(no user of the site)")
        everything = [("address", ""), ("code", "eve"), unknown, ("name", "bob"), ("name", "eve")]
        assert listed() == everything
        assert ("name", "mallory") in listed("mallory")
        assert "192.0.2.1" in ready("bans", "list")[1]
        assert ready("bans", "clear", "Bob")[1] == "nobody waits for Bob any more\n"
        assert listed() == [each for each in everything if each[1] != "bob"]
        assert ready("bans", "clear", "eve")[0] == 0
        assert listed() == [("address", ""), unknown]
        rows = data(ready("bans", "list", "--json"))
        assert ready("bans", "clear", *(each["id"] for each in rows if each["kind"] == "name"))[0] == 0
        assert listed() == [("address", "")]
        assert ready("bans", "clear", "192.0.2.1")[0] == 0
        assert listed() == []
        guess()
        assert ready("bans", "clear", "--all")[0] == 0
        assert listed() == []
        assert ready("bans", "clear")[0] == ready("bans", "clear", "bob", "--all")[0] == 1
        assert events(site)[-1]["name"] == "everybody"
        here.close()

    def test_a_link_stands_in_for_a_password(self, ready: Say):
        code, out, err = ready("user", "add", "ann", "--invite")
        assert code == 0
        found = LINK.fullmatch(out.strip())
        assert found is not None
        assert found[1] == "invite"
        assert "Whoever has this link can sign in as ann, once" in err
        again = LINK.fullmatch(ready("invite", "bob")[1].strip())
        assert again is not None
        assert again[1] == "reset"
        assert LINK.fullmatch(data(ready("invite", "ann", "--expires", "2d", "--json"))["link"])
        ready("user", "disable", "ann")
        for words, sentence in (
            (["ann"], "ann is disabled"),
            (["none"], "there is no user 'none'"),
            (["bob", "--expires", "soon"], "--expires must be a duration"),
            (["bob", "--expires", "0"], "--expires must be more than 0"),
        ):
            code, _, err = ready("invite", *words)
            assert code == 1
            assert sentence in err

    def test_a_link_names_the_mount_of_the_filter(self, ready: Say, site: Path):
        text = (
            site.read_text().replace("[app:main]", "[app:wiki]").replace("public_url = https://wiki.example.org\n", "")
        )
        site.write_text("[composite:main]\nuse = egg:wheatpaste#urlmap\n/wiki = wiki\n\n" + text)
        _, out, err = ready("invite", "bob")
        assert out.startswith("/wiki/-/auth/reset/")
        assert "put the site's address before it" in err


class TestGroupsAndRoles:
    def test_groups_have_members(self, ready: Say, site: Path):
        assert ready("group", "list")[1] == "There are no groups.\n"
        for group in ("staff", "admins"):
            assert ready("group", "add", group)[0] == 0
        assert ready("group", "join", "staff", "group:admins", "htpasswd:eve")[0] == 0
        assert ready("group", "join", "admins", "bob")[1] == "bob is in admins now\n"
        assert [(each["name"], each["members"]) for each in data(ready("group", "list", "--json"))] == [
            ("admins", 1),
            ("staff", 2),
        ]
        out = ready("group", "members", "staff")[1]
        assert out == "admins        group\nhtpasswd:eve  user\n"
        assert data(ready("user", "show", "bob", "--json"))["groups"] == ["admins", "staff"]
        assert ready("group", "leave", "admins", "bob")[0] == 0
        for words, sentence in (
            (["leave", "admins", "bob"], "bob: not in admins"),
            (["join", "admins", "none"], "there is no user 'none' here"),
            (["join", "none", "bob"], "there is no group 'none'"),
            (["join", "admins", "group:staff"], "a group cannot be a member of itself"),
            (["add", "Staff"], "that name is taken"),
            (["delete", "none"], "there is no group 'none'"),
        ):
            code, _, err = ready("group", *words)
            assert code == 1
            assert sentence in err
        assert ready("group", "delete", "staff")[0] == 0
        assert [each.name for each in users_of(site).groups()] == ["admins"]

    def test_roles_are_granted_and_revoked(self, ready: Say):
        ready("group", "add", "staff")
        assert ready("role", "grant", "editor", "user:bob", "group:staff")[0] == 0
        assert "does not list reader, so it gives no permissions" in ready("role", "grant", "reader", "bob")[2]
        assert data(ready("role", "list", "--json")) == [
            {"role": "admin", "granted": [], "permissions": ["page:*", "user:*"]},
            {"role": "editor", "granted": ["group:staff", "user:bob"], "permissions": ["page:edit"]},
            {"role": "reader", "granted": ["user:bob"], "permissions": []},
        ]
        assert ready("role", "revoke", "editor", "bob")[1] == "bob has the role editor no more\n"
        assert (
            ready("role", "grant", "editor", "bob", "group:staff")[1] == "bob, group:staff have the role editor now\n"
        )
        assert ready("role", "revoke", "editor", "bob")[0] == 0
        code, _, err = ready("role", "revoke", "editor", "bob")
        assert code == 1
        assert "bob: did not have the role editor" in err
        assert ready("role", "grant", "two words", "bob")[0] == 1


class TestTokensSessionsAndFactors:
    def test_a_token_is_made_listed_and_revoked(self, ready: Say):
        words = ["token", "create", "bob", "ci", "--scope", "pages:read", "--network", "10.0.0.0/8"]
        code, out, err = ready(*words)
        assert code == 0
        assert "the only time" in err
        (listed,) = data(ready("token", "list", "bob", "--json"))
        assert (listed["name"], listed["scopes"], listed["networks"]) == ("ci", ["pages:read"], ["10.0.0.0/8"])
        assert listed["expires"] - listed["created"] == 90 * 86400
        assert out.strip() not in json.dumps(listed)
        assert out.strip() not in Path("audit.log").read_text()
        assert ready("token", "revoke", "bob", listed["id"])[1] == "1 token revoked\n"
        assert ready("token", "revoke", "bob", listed["id"])[0] == 1
        assert "token revoked" in ready("token", "list", "bob")[1]
        assert data(ready(*words, "--expires", "never", "--json"))["expires"] is None
        assert ready("token", "revoke", "bob", "--all")[1] == "1 token revoked\n"
        for wrong, sentence in (
            (["create", "bob", "ci", "--scope", "a b"], "A scope is a word"),
            (["create", "bob", "ci", "--scope", "a", "--expires", "soon"], "--expires must be a duration"),
            (["create", "none", "ci", "--scope", "a"], "there is no user 'none'"),
            (["revoke", "bob"], "say which tokens"),
        ):
            code, _, err = ready("token", *wrong)
            assert code == 1
            assert sentence in err

    def test_sessions_are_listed_and_ended(self, ready: Say, site: Path):
        assert ready("session", "list", "bob")[1] == "There are no sessions.\n"
        before = users_of(site).find("bob")
        assert ready("session", "revoke", "bob")[1] == "0 sessions of bob ended\n"
        assert ready("session", "revoke", "--everybody")[1] == "1 user signed out everywhere\n"
        after = users_of(site).find("bob")
        assert before is not None
        assert after is not None
        assert after.epoch == before.epoch + 2
        for wrong, sentence in (
            (["revoke"], "say whose sessions"),
            (["revoke", "bob", "--everybody"], "say whose sessions"),
            (["revoke", "bob", "none"], "bob has no session none"),
        ):
            code, _, err = ready("session", *wrong)
            assert code == 1
            assert sentence in err

    def test_logins_at_providers_are_linked_listed_and_unlinked(self, ready: Say, site: Path):
        assert ready("identity", "link", "bob", "corp", "s-1")[0] == 1, "there is no such provider"
        corp = """
            [auth:main:oidc:corp]
            issuer = https://id.example.org
            client_id = wiki
            client_secret = from the provider
            """
        site.write_text(site.read_text() + textwrap.dedent(corp))
        assert data(ready("identity", "list", "bob", "--json")) == []
        made = data(ready("identity", "link", "bob", "corp", "s-1", "--json"))
        ready("user", "add", "eve", "--no-password")
        code, _, err = ready("identity", "link", "eve", "corp", "s-1")
        assert (code, "that login is bob; unlink it first" in err) == (1, True)
        assert "did you mean 'corp'" in ready("identity", "link", "eve", "crop", "s-1")[2]
        (row,) = data(ready("identity", "list", "bob", "--json"))
        assert (row["id"], row["provider"], row["subject"]) == (made["id"], "corp", "s-1")
        assert "no login" in ready("identity", "unlink", "eve", made["id"])[2]
        assert ready("identity", "unlink", "bob", made["id"])[0] == 0
        assert ready("identity", "list", "bob")[1] == "bob signs in at no provider.\n"
        assert [each["event"] for each in events(site)][-3:] == ["identity.link", "user.create", "identity.unlink"]

    def test_factors_are_shown_and_reset(self, ready: Say, site: Path):
        assert data(ready("mfa", "status", "bob", "--json"))["second_factor"] is False
        assert ready("mfa", "status", "bob")[1] == "bob has no second factor\n"
        bob = users_of(site).find("bob")
        assert bob is not None
        users_of(site).set_second_factor(bob.id, True)
        assert ready("mfa", "reset", "bob", "--yes")[0] == 0
        assert data(ready("mfa", "status", "bob", "--json"))["second_factor"] is False
        assert events(site)[-1]["event"] == "mfa.remove"


class TestKeysHashesAndTheLog:
    def test_keys_are_rotated_and_retired(self, ready: Say):
        (first,) = data(ready("keys", "list", "--json"))
        made = data(ready("keys", "rotate", "--json"))
        keys = data(ready("keys", "list", "--json"))
        assert [each["id"] for each in keys] == [made["id"], first["id"]]
        assert [each["does"] for each in keys] == ["seals and opens", "opens"]
        assert ready("keys", "retire", made["id"])[0] == 2
        assert ready("keys", "retire", first["id"])[0] == 0
        assert [each["id"] for each in data(ready("keys", "list", "--json"))] == [made["id"]]

    def test_what_an_old_key_has_sealed_is_sealed_anew_before_it_goes(self, ready: Say, site: Path):
        def sealed() -> str:
            with sqlite3.connect(site.parent / "auth.db") as connection:
                (text,) = connection.execute("SELECT sealed FROM auth_digests").fetchone()
            connection.close()
            return str(text)

        (first,) = data(ready("keys", "list", "--json"))
        before = sealed()
        assert ready("keys", "reseal")[1] == "0 sealed anew, 1 had the newest key\n"
        ready("keys", "rotate")
        assert ready("keys", "reseal")[1] == "1 sealed anew, 0 had the newest key\n"
        assert sealed() != before
        ready("keys", "retire", first["id"])
        assert ready("keys", "reseal")[1] == "0 sealed anew, 1 had the newest key\n"
        ready("keys", "rotate")
        ready("keys", "retire", data(ready("keys", "list", "--json"))[1]["id"])
        code, out, _ = ready("keys", "reseal")
        assert (code, out) == (1, "0 sealed anew, 0 had the newest key, 1 that no key here opens\n")

    def test_a_hash_needs_no_site(self, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        empty = tmp_path / "empty"
        empty.mkdir()
        monkeypatch.chdir(empty)
        code, out, _ = say("hash", "--scheme", "bcrypt", stdin=PASSWORD, file="")
        assert code == 0
        assert out.startswith("$2y$12$")

    def test_a_hash_is_made_as_the_site_says(self, ready: Say):
        assert ready("hash", stdin=PASSWORD)[1].startswith("$argon2id$v=19$m=8,t=1,p=1$")
        assert data(ready("hash", "--json", stdin=PASSWORD))["hash"].startswith("$argon2id$")

    def test_the_log_is_read_and_checked(self, ready: Say, site: Path):
        ready("user", "disable", "bob")
        ready("user", "enable", "bob")
        lines = ready("audit", "tail", "-n", "2")[1].splitlines()
        assert [line.split()[1] for line in lines] == ["user.disable", "user.enable"]
        one = ready("audit", "tail", "--event", "user.", "--user", "bob", "-n", "1", "--json")[1]
        assert json.loads(one)["event"] == "user.enable"
        assert ready("audit", "tail", "--user", "none")[1] == ""
        assert ready("audit", "verify")[1] == "3 events, 0 of them wrong\n"
        with (site.parent / "audit.log").open("a") as file:
            file.write('{"time":"2001-01-01T00:00:00.000Z","event":"login.ok","address":""}\n')
            file.write('{"time":"2099-01-01T00:00:00.000Z","event":"made.up","address":""}\n{"broken')
        code, out, err = ready("audit", "verify")
        assert (code, out) == (1, "6 events, 3 of them wrong\n")
        assert "audit.log:4: is older than a line before it" in err
        assert "audit.log:5: has an unknown event, made.up" in err
        assert "audit.log:6: is no whole record" in err

    @pytest.mark.parametrize(
        "field", ["name", "agent", "reason", "address", "time", "event"], ids=lambda field: f"by {field}"
    )
    def test_nobody_writes_into_what_is_printed_of_the_log(self, ready: Say, site: Path, field: str):
        forged = "x\n2031-01-01T00:00:00.000Z  login.ok  192.0.2.1  user=local:root by=nobody\x1b[2J\x9b2J\u202e\t"
        record = {"time": "2099-01-01T00:00:00.000Z", "event": "login.fail", "address": "192.0.2.9", "name": "bob"}
        with (site.parent / "audit.log").open("a") as file:
            file.write(json.dumps(record | {field: forged}) + "\n")
        printed = ready("audit", "tail", "-n", "1")[1]
        assert printed.count("\n") == 1
        assert printed.removesuffix("\n").isprintable()
        assert f"{json.dumps(forged[:20])[1:-1]}" in printed
        words = shlex.split(printed)
        assert not {"login.ok", "user=local:root", "by=nobody"} & set(words)

    def test_a_log_that_is_no_file_cannot_be_read(self, ready: Say, site: Path):
        site.write_text(site.read_text().replace("json:%(here)s/audit.log", "log:"))
        code, _, err = ready("audit", "tail")
        assert code == 1
        assert "events go to log:, which cannot be read from here" in err


class TestImportAndExport:
    def test_nobody_who_is_taken_over_writes_a_line_of_ours(self, ready: Say, site: Path):
        (site.parent / "users.csv").write_text('name,display\n"eve\nbob: is there already","x\x1b[2J"\n')
        _, out, err = ready("import", "csv", "users.csv")
        assert err.startswith("eve\\nbob: is there already: ")
        assert (err.count("\n"), "\x1b" in out + err) == (1, False)

    def test_apache_s_users_are_taken_over(self, ready: Say, site: Path):
        (site.parent / "users").write_text(
            "ann:$2y$05$fEZ4nV7VZ6aVwvsqZDVWHeQAzsfpIx2DGuVTrZQQzQ1JbsGtsNlQu\n"
            "bob:$2y$05$fEZ4nV7VZ6aVwvsqZDVWHeQAzsfpIx2DGuVTrZQQzQ1JbsGtsNlQu\n"
            "carl:rqXexS6ZhobKA\n"
            "no line\n"
            "a,b:$2y$05$fEZ4nV7VZ6aVwvsqZDVWHeQAzsfpIx2DGuVTrZQQzQ1JbsGtsNlQu\n"
        )
        tried = ready("import", "htpasswd", "users", "--dry-run")
        assert tried[0] == 1
        assert "2 made, 1 kept, 1 refused (nothing was done: --dry-run)" in tried[1]
        assert len(users_of(site).all()) == 1
        code, out, err = ready("import", "htpasswd", "users")
        assert (code, out) == (1, "2 made, 1 kept, 1 refused\n")
        assert "bob: is there already" in err
        assert "users:4: is no line of an htpasswd file" in err
        assert "a,b: the name must not hold ','" in err
        assert "users:3: 'carl' cannot log in: the hash is of DES crypt" in err
        assert "carl: comes without a password" in err
        users = users_of(site)
        ann = users.find("ann")
        assert ann is not None
        assert (users.password_hash(ann) or "").startswith("$2y$05$")
        assert ready("import", "htpasswd", "users", "--update")[1] == "3 changed, 1 refused\n"

    def test_plain_passwords_are_hashed_at_once(self, ready: Say, site: Path):
        (site.parent / "users").write_text("ann:sesame open\n")
        assert ready("import", "htpasswd", "users", "--plain")[0] == 0
        ann = users_of(site).find("ann")
        assert ann is not None
        encoded = users_of(site).password_hash(ann)
        assert encoded is not None
        assert encoded.startswith("$argon2id$")
        assert b"sesame" not in (site.parent / "auth.db").read_bytes()

    def test_digest_users_keep_their_hashes(self, ready: Say, site: Path):
        (site.parent / "users").write_text("ann:wiki:939e7578ed9e3c518a452acee763bce9\nann:other:" + "0" * 32 + "\n")
        assert ready("import", "htdigest", "users")[1] == "1 made\n"
        with sqlite3.connect(site.parent / "auth.db") as connection:
            assert connection.execute("SELECT realm, algorithm FROM auth_digests WHERE name = 'ann'").fetchall() == [
                ("wiki", "MD5")
            ]
        connection.close()
        assert b"939e7578" not in (site.parent / "auth.db").read_bytes()
        assert ready("import", "htdigest", "users", "--realm", "other")[0] == 1

    def test_authkit_s_users_come_with_groups_and_roles(self, ready: Say, site: Path):
        (site.parent / "users").write_text("Ann:sesame:staff editor reader\ncarl:sesame\n")
        assert ready("import", "authkit-file", "users")[1] == "2 made\n"
        shown = data(ready("user", "show", "ann", "--json"))
        assert (shown["name"], shown["groups"], shown["roles"]) == ("ann", ["staff"], ["editor", "reader"])
        (site.parent / "md5").write_text("dora:0d5c4d8b5c6a3e2f1a0b9c8d7e6f5a4b\n")
        assert ready("import", "authkit-file", "md5", "--md5")[0] == 1
        (site.parent / "secret").write_text("site secret\n")
        assert ready("import", "authkit-file", "md5", "--md5", "--secret-file", "secret")[1] == "1 made\n"

    def test_authkit_s_database_is_taken_over(self, ready: Say, site: Path):
        with sqlite3.connect(site.parent / "old.db") as connection:
            connection.executescript(
                "CREATE TABLE groups (uid INTEGER PRIMARY KEY, name TEXT);"
                "CREATE TABLE roles (uid INTEGER PRIMARY KEY, name TEXT);"
                "CREATE TABLE users (uid INTEGER PRIMARY KEY, username TEXT, password TEXT, group_uid INTEGER);"
                "CREATE TABLE users_roles (user_uid INTEGER, role_uid INTEGER);"
                "INSERT INTO groups VALUES (1, 'staff'); INSERT INTO roles VALUES (1, 'editor');"
                "INSERT INTO users VALUES (1, 'ann', 'sesame', 1), (2, 'carl', 'sesame', NULL);"
                "INSERT INTO users_roles VALUES (1, 1);"
            )
        connection.close()
        url = f"sqlite:///{site.parent}/old.db"
        assert ready("import", "authkit-db", stdin=url)[1] == "2 made\n"
        shown = data(ready("user", "show", "ann", "--json"))
        assert (shown["groups"], shown["roles"], shown["has_password"]) == (["staff"], ["editor"], True)

    def test_what_is_exported_can_be_imported(self, ready: Say, site: Path):
        ready("group", "add", "staff")
        ready("group", "add", "all")
        ready("group", "join", "all", "group:staff")
        ready("group", "join", "staff", "bob")
        ready("role", "grant", "editor", "bob")
        ready("role", "grant", "reader", "group:staff")
        table = ready("export", "--hashes")[1]
        (row,) = csv.DictReader(io.StringIO(table))
        assert (row["name"], row["groups"], row["roles"]) == ("bob", "staff", "editor")
        assert row["password_hash"].startswith("$argon2id$")
        assert "argon2" not in ready("export")[1]
        document = data(ready("export", "--json"))
        assert document["users"][0]["groups"] == ["staff"]
        assert [each["name"] for each in document["groups"]] == ["all", "staff"]
        assert {"subject": "group:staff", "role": "reader"} in document["grants"]
        (site.parent / "table.csv").write_text(table)
        ready("user", "delete", "bob")
        assert ready("import", "csv", "table.csv")[1] == "1 made\n"
        again = csv.DictReader(io.StringIO(ready("export", "--hashes")[1]))
        assert next(again) == row

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("display\nx\n", "there is no column name; the first line names columns"),
            ("name,nme\nx,y\n", "'nme' is none; the first line names columns"),
            ("name,email\nann\n", "has another number of columns"),
            ("name,email\nann,b,c\n", "has another number of columns"),
            ("name,disabled\nann,perhaps\n", "must be true or false"),
            ("name,groups\nann,a/b\n", "'a/b' must not hold '/'"),
            ('name\n"ann\n', "cannot be read"),
            ("name\nv\u043ev\n", "must not mix letters"),
        ],
    )
    def test_a_table_with_mistakes_makes_nobody(self, ready: Say, site: Path, text: str, sentence: str):
        (site.parent / "table.csv").write_text(text)
        code, _, err = ready("import", "csv", "table.csv")
        assert code == 1
        assert sentence in err
        assert [each.name for each in users_of(site).all()] == ["bob"]

    def test_a_table_that_is_not_there_is_said_to_be_so(self, ready: Say):
        assert ready("import", "csv", "none.csv")[2].endswith("none.csv cannot be read (No such file or directory)\n")

    def test_passwords_in_a_table_have_to_be_changed(self, ready: Say):
        Path("table.csv").write_text("name,password,password_hash\nann,given to her,\ncarl,,rqXexS6ZhobKA\n")
        code, _, err = ready("import", "csv", "table.csv")
        assert code == 0
        assert "carl: comes without a password, for the hash is of DES crypt" in err
        assert data(ready("user", "show", "ann", "--json"))["must_change_password"]


@pytest.mark.slow
class TestInProcessesOfTheirOwn:
    def command(self, site: Path, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "wheatpaste", *words],
            cwd=site.parent,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "NO_COLOR": "1"},
        )

    def test_a_site_is_made_ready_and_used(self, site: Path):
        assert self.command(site, "auth", "init").returncode == 0
        added = self.command(site, "user", "site.ini", "add", "ann", stdin=PASSWORD)
        assert (added.returncode, added.stdout) == (0, "ann is there now\n"), added.stderr
        listed = self.command(site, "user", "list")
        assert listed.stdout.split() == ["admin", "admin", "ann"]
        wrong = self.command(site, "user", "show", "none")
        assert (wrong.returncode, wrong.stderr) == (1, "wheatpaste: there is no user 'none'\n")

    def test_of_many_who_take_one_name_one_gets_it(self, site: Path):
        assert self.command(site, "auth", "init", "--no-admin").returncode == 0
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "wheatpaste", "user", "site.ini", "add", "ann", "--no-password"],
                cwd=site.parent,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for _ in range(4)
        ]
        assert sorted(each.wait(60) for each in processes) == [0, 1, 1, 1]

    def test_a_password_is_asked_for_twice_and_not_shown(self, site: Path):
        assert self.command(site, "auth", "init", "--no-admin").returncode == 0
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "wheatpaste", "user", "site.ini", "add", "ann"],
            cwd=site.parent,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        seen = ""
        answers = [PASSWORD, "another one", PASSWORD, PASSWORD]
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                piece = os.read(ours, 1000).decode()
            except OSError:  # the other end is closed
                break
            seen += piece
            if piece.rstrip().endswith((":", "again:")) and answers:
                os.write(ours, (answers.pop(0) + "\n").encode())
        assert process.wait(30) == 0, seen
        os.close(ours)
        assert PASSWORD not in seen
        assert seen.count("New password:") == 2
        assert "These two differ." in seen
        assert "ann is there now" in seen

    def test_columns_have_names_on_a_terminal(self, site: Path):
        assert self.command(site, "auth", "init").returncode == 0
        ours, theirs = pty.openpty()
        words = [sys.executable, "-m", "wheatpaste", "user", "site.ini", "list"]
        process = subprocess.Popen(words, cwd=site.parent, stdout=theirs, env={**os.environ, "NO_COLOR": "1"})
        os.close(theirs)
        assert process.wait(60) == 0
        lines = os.read(ours, 1000).decode().splitlines()
        os.close(ours)
        assert lines == ["name   roles", "admin  admin"]
        assert self.command(site, "user", "list").stdout.splitlines() == ["admin  admin"]
