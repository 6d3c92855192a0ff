"""Rules as text: what they mean, what is wrong with them, and that every permission can be written and read again."""

from __future__ import annotations

import os.path
import string
from typing import Any

import pytest
from auth_people import person, request_of
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.middleware.auth.permissions import (
    Anonymous,
    Authenticated,
    Between,
    Claim,
    EnvironKey,
    Everyone,
    Fresh,
    FromIP,
    HasPermission,
    HasRole,
    HasScope,
    HttpMethod,
    InGroup,
    Method,
    Mfa,
    Nobody,
    Permission,
    RuleError,
    Secure,
    Test,
    TokenScope,
    User,
    parse,
)
from wheatpaste.middleware.auth.permissions.language import WORDS, parsed
from wheatpaste.middleware.auth.permissions.words import RESERVED, quoted


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("everyone", Everyone()),
        ("nobody", Nobody()),
        ("anonymous", Anonymous()),
        ("authenticated", Authenticated()),
        ("mfa", Mfa()),
        ("secure", Secure()),
        ("fresh", Fresh(600)),
        ("fresh 10m", Fresh(600)),
        ("fresh 90", Fresh(90)),
        ("role editor", HasRole("editor")),
        ("role editor admin", HasRole("editor", "admin")),
        ("role editor, admin", HasRole("editor", "admin")),
        ("ROLE editor AND NOT Mfa", HasRole("editor") & ~Mfa()),
        ("user bob", User("bob")),
        ("user CORP\\bob", User("CORP\\bob")),
        ('user "CORP\\bob"', User("CORP\\bob")),
        ("user 'bob smith' \"o'neill\"", User("bob smith", "o'neill")),
        ('user "say \\"hi\\""', User('say "hi"')),
        ("group staff", InGroup("staff")),
        ("permission page:edit", HasPermission("page:edit")),
        ("scope api:write", HasScope("api:write")),
        ("token scope metrics:read", TokenScope("metrics:read")),
        ("via session", Method("session")),
        ("from 10.0.0.0/8 2001:db8::/32", FromIP("10.0.0.0/8", "2001:db8::/32")),
        ("method GET", HttpMethod("GET")),
        ("claim x = y", Claim("x", "y")),
        ("claim x=y", Claim("x", "y")),
        ("claim x", Claim("x")),
        ("environ SSL_CLIENT_VERIFY = SUCCESS", EnvironKey("SSL_CLIENT_VERIFY", "SUCCESS")),
        ("between 08:00 and 18:00 Europe/Berlin", Between("08:00", "18:00", "Europe/Berlin")),
        ("between 08:00 and 18:00 and mfa", Between("08:00", "18:00") & Mfa()),
        (
            "authenticated and (role editor or from 10.0.0.0/8)",
            Authenticated() & (HasRole("editor") | FromIP("10.0.0.0/8")),
        ),
        ("mfa and secure or anonymous", (Mfa() & Secure()) | Anonymous()),
        ("anonymous or mfa and secure", Anonymous() | (Mfa() & Secure())),
        ("not mfa and secure", ~Mfa() & Secure()),
        ("not (mfa and secure)", ~(Mfa() & Secure())),
        ("not not mfa", ~~Mfa()),
        ("((mfa))", Mfa()),
        ("(role a)or(role b)", HasRole("a") | HasRole("b")),
        ("role user", HasRole("user")),
        ('role a "user"', HasRole("a", "user")),
        ("role admin\n  and mfa", HasRole("admin") & Mfa()),
        ("user m\u00fcller", User("m\u00fcller")),
    ],
)
def test_a_rule_means_a_permission(text: str, means: Permission) -> None:
    assert parse(text) == means


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("", 0, "must say who may"),
        ("   ", 0, "must say who may"),
        ("rol admin", 0, "did you mean 'role'"),
        ("mfa and rol admin", 8, "did you mean 'role'"),
        ("editor", 0, "write role editor, user editor or group editor"),
        ("role", 0, "role needs a name"),
        ("role and mfa", 0, "role needs a name"),
        ("role a mfa", 7, "'and' or 'or' must stand before 'mfa'; if it is a name, put it in quotes"),
        ("mfa secure", 4, "'and' or 'or' must stand before 'secure'"),
        ("mfa and", 7, "must say who may"),
        ("and mfa", 0, "nothing stands before 'and'"),
        ("mfa or or secure", 7, "nothing stands before 'or'"),
        ("(mfa", 0, "never closed"),
        ("mfa)", 3, "closes nothing"),
        ("()", 1, "begins with a word"),
        ("role (admin)", 0, "role needs a name"),
        ('role "admin', 5, "quotes that open here are never closed"),
        ('"role" admin', 0, "begins with a word such as role"),
        ("from 10.0.0.1/8", 0, "write 10.0.0.0/8 or 10.0.0.1"),
        ("fresh soon", 0, "duration"),
        ("fresh 10m 20m", 10, "must stand before '20m'"),
        ("between 08:00", 0, "two times"),
        ("between 08:00 18:00", 0, "two times"),
        ("token metrics:read", 0, "token scope NAME"),
        ("token scope", 0, "token scope NAME"),
        ("claim a b", 0, "write claim a = b"),
        ("claim a =", 0, "a value behind '='"),
        ("role a = b", 7, "must stand before '='"),
        ("role a,", 6, "no name beside this ','"),
        ("role , a", 5, "no name beside this ','"),
        ("method 1", 0, "no request method"),
        ("test os:getcwd", 0, "test imports code"),
        ("not", 3, "must say who may"),
        ("mfa && secure", 4, "must stand before '&&'"),
        ("!mfa", 0, "no word of rules"),
        ("(" * 60 + "mfa" + ")" * 60, 50, "nested at most"),
        ("not " * 60 + "mfa", 200, "nested at most"),
        ("role " + "a" * 5000, 0, "at most 4000 characters"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_a_mistake_is_named_with_its_place_and_what_to_write(text: str, position: int, says: str) -> None:
    with pytest.raises(RuleError, match=".") as caught:
        parse(text)
    assert says in str(caught.value)
    assert caught.value.position == position
    assert f"(at character {position + 1})" in str(caught.value)


def test_the_words_that_need_quotes_are_those_of_the_language() -> None:
    assert {*WORDS, "and", "or", "not"} == RESERVED


# Reading what was written --------------------------------------------------------------------------------------------

NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"]) | st.sampled_from("\"'\\(),= \t\n=:*"), min_size=1
).filter(str.strip) | st.sampled_from(sorted(RESERVED))
LISTS = st.lists(NAMES, min_size=1, max_size=3)
TIMES = st.times().map(lambda value: value.replace(microsecond=0))
NETWORKS = st.ip_addresses().map(str) | st.sampled_from(["10.0.0.0/8", "2001:db8::/32", "unix"])
LEAVES = st.one_of(
    st.sampled_from([Everyone(), Nobody(), Authenticated(), Anonymous(), Mfa(), Secure(), Test(os.path.exists)]),
    *(
        LISTS.map(lambda names, kind=kind: kind(*names))
        for kind in (User, InGroup, HasRole, HasPermission, HasScope, TokenScope, Method, Claim, EnvironKey)
    ),
    st.lists(NETWORKS, min_size=1, max_size=3).map(lambda each: FromIP(*each)),
    st.lists(st.text(string.ascii_letters, min_size=1), min_size=1).map(lambda each: HttpMethod(*each)),
    st.integers(1, 10**8).map(Fresh),
    st.tuples(TIMES, TIMES, st.sampled_from([None, "UTC", "Europe/Berlin"]))
    .filter(lambda each: each[0] != each[1])
    .map(lambda each: Between(*each)),
)
PERMISSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: pair[0] & pair[1]),
        st.tuples(inner, inner).map(lambda pair: pair[0] | pair[1]),
        inner.map(lambda each: ~each),
    ),
    max_leaves=8,
)


@given(PERMISSIONS)
def test_what_was_written_reads_the_same(permission: Permission) -> None:
    if len(str(permission)) < 4000:
        assert parse(str(permission), imports=True) == permission


@given(NAMES)
def test_a_name_stays_one_name(name: str) -> None:
    assert parse(f"role x {quoted(name)} and mfa") == HasRole("x", name) & Mfa()


@given(st.text() | st.lists(st.sampled_from([*RESERVED, "(", ")", ",", "=", '"', "x", "10m"])).map(" ".join))
def test_any_text_is_a_rule_or_a_mistake(text: str) -> None:
    found: Permission | RuleError
    try:
        found = parse(text)
    except RuleError as error:
        found = error
    assert isinstance(found, Permission) or 0 <= found.position <= len(text)


@given(NAMES, NAMES)
def test_a_name_that_came_with_a_request_stays_one_name(one: str, other: str) -> None:
    assert parse("role x ? and not user ?", [one, other]) == HasRole("x", one) & ~User(other)


def test_each_place_in_a_rule_gets_one_name() -> None:
    assert parse("role ?") == HasRole("?")
    assert parse('role ? "?"', ["a"]) == HasRole("a", "?")
    for text, names in (("role ?", ["a", "b"]), ("role a", ["b"]), ("role ? ?", ["a"])):
        with pytest.raises(RuleError, match="words '\\?' for"):
            parse(text, names)
    with pytest.raises(RuleError, match="begins with a word"):
        parse("?", ["everyone"])


# Code ----------------------------------------------------------------------------------------------------------------


def test_a_function_is_imported_for_configuration_files_alone() -> None:
    found = parse("test os.path:isabs", imports=True)
    assert found == Test(os.path.isabs)
    with pytest.raises(RuleError, match="cannot be imported"):
        parse("test os.path:nothing_here", imports=True)
    with pytest.raises(RuleError, match="is not module:function"):
        parse("test os", imports=True)
    with pytest.raises(RuleError, match="asks a function"):
        parse("test os:sep", imports=True)


def test_nothing_in_a_rule_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []
    monkeypatch.setattr("os.system", called.append)
    for text in ("__import__('os').system('x')", "user __import__('os').system('x')", "test os:system"):
        with pytest.raises(RuleError):
            parse(text)
    assert parse("user \"__import__('os').system('x')\"").decide(request_of(person())).allowed is False
    assert called == []


# Words of others -----------------------------------------------------------------------------------------------------


@pytest.fixture
def _distribution(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "weekdays-1.0.dist-info"
    folder.mkdir()
    (folder / "entry_points.txt").write_text(
        "[wheatpaste.auth.permission]\nweekday = words_for_days:Weekday\nbroken = words_for_days:nothing\n"
    )
    (tmp_path / "words_for_days.py").write_text(
        "from wheatpaste.middleware.auth.permissions import Permission\n"
        "class Weekday(Permission):\n"
        "    def __str__(self):\n"
        "        return ' '.join(['weekday', *self.told])\n"
        "def nothing():\n"
        "    return 5\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("_distribution")
def test_a_distribution_adds_words() -> None:
    found = parse("weekday mon tue and mfa")
    assert str(found) == "weekday mon tue and mfa"
    assert parse(str(found)) == found
    with pytest.raises(RuleError, match="did you mean 'weekday'"):
        parse("weekdy mon")
    with pytest.raises(RuleError, match="makes 5"):
        parse("broken")


def test_rules_that_come_again_are_remembered_and_no_more_than_some() -> None:
    assert parsed("role remembered") is parsed("role remembered")
    assert parsed.cache_info().maxsize == 256
