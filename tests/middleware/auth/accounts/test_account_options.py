"""What stands in [auth:main:store], [auth:main:groups] and [auth:main:roles]."""

from __future__ import annotations

import pytest

from wheatpaste.config.options import OptionError
from wheatpaste.middleware.auth.accounts.options import (
    GROUPS_READER,
    ROLES_READER,
    GroupOptions,
    RoleOptions,
    StoreOptions,
)
from wheatpaste.middleware.auth.accounts.roles import Roles


def test_a_store_is_named_by_its_url():
    options = StoreOptions(url="postgresql://wiki:secret@db/wiki", sessions="redis://:secret@localhost/3")
    assert "secret" not in repr(options)
    for wrong in ({"url": "redis://localhost"}, {"url": "nothing"}, {"sessions": "mysql://x/y"}):
        with pytest.raises(OptionError, match="must be"):
            StoreOptions(**wrong)


def test_groups_of_providers_mean_ours():
    texts = {
        "admin": "corp/wiki-admins other/admins",
        "staff": "corp/*",
        "board": "corp/Board of Directors\n    corp/c-level",
    }
    reading = GROUPS_READER.read(texts, {})
    assert not reading.problems
    options = GroupOptions(**reading.values)
    assert options.ours("corp", frozenset({"wiki-admins"})) == {"admin", "staff"}
    assert options.ours("corp", frozenset({"Board of Directors"})) == {"board", "staff"}
    assert options.ours("corp", frozenset()) == {"staff"}
    assert options.ours("other", frozenset({"wiki-admins"})) == frozenset()
    assert options.ours("other", frozenset({"admins", "*"})) == {"admin"}


def test_roles_give_permissions():
    reading = ROLES_READER.read({"admin": "page:* user:* *", "editor": "page:edit\n page:view", "none": ""}, {})
    assert not reading.problems
    roles = RoleOptions(**reading.values).roles
    assert roles.of(frozenset({"editor", "none", "unknown"})) == {"page:edit", "page:view"}
    assert roles.of(frozenset({"admin"})) == {"page:*", "user:*", "*"}
    assert roles.names == {"admin", "editor", "none"}
    assert Roles().of(frozenset({"admin"})) == frozenset()


@pytest.mark.parametrize(
    ("reader", "key", "text", "phrase"),
    [
        (GROUPS_READER, "admin", "wiki-admins", "must be PROVIDER/GROUP"),
        (GROUPS_READER, "admin", "corp/", "must be PROVIDER/GROUP"),
        (GROUPS_READER, "two words", "corp/x", "must not hold ' '"),
        (ROLES_READER, "editor", "page:e*t", "must be permissions such as page:edit"),
        (ROLES_READER, "editor", "page:", "must be permissions such as page:edit"),
        (ROLES_READER, "a:b", "page:edit", "must not hold ':'"),
    ],
)
def test_what_means_nothing_is_told(reader: object, key: str, text: str, phrase: str):
    problems = reader.read({key: text}, {}).problems  # type: ignore[attr-defined]
    assert len(problems) == 1
    assert phrase in problems[0].message
