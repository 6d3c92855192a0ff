"""It makes sources of what a deployer wrote, and says what is wrong with it."""

from pathlib import Path
from typing import Any

import pytest
from auth_guarded_site import KeptUsers

from wheatpaste.config.options import OptionError, parsed
from wheatpaste.config.surroundings import Surroundings
from wheatpaste.middleware.auth.passwords.options import PasswordOptions, hasher_of, throttle_of
from wheatpaste.middleware.auth.passwords.throttle import Rate
from wheatpaste.middleware.auth.sources.options import UserOptions, sources_of
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.storage.memory import MemoryStore


def check(environ: Any, username: str, password: str) -> bool:
    return False


def test_sources_come_in_the_order_in_which_they_are_named(tmp_path: Path) -> None:
    options = UserOptions(
        source=("htpasswd", "local", "authkit", "htdigest", "sql", "authkit_db", "callable"),
        htpasswd=tmp_path / "one",
        authkit=tmp_path / "two",
        htdigest=tmp_path / "three",
        sql=f"sqlite:///{tmp_path}/four",
        sql_query="SELECT 1",
        authkit_db=f"sqlite:///{tmp_path}/five",
        callable=check,
    )
    local = KeptUsers()
    assert [each.name for each in sources_of(options, "wiki", local)] == list(options.source)
    assert list(tmp_path.iterdir()) == []


def test_without_more_there_are_the_sites_own_users_and_none_else() -> None:
    local = KeptUsers()
    assert sources_of(UserOptions(), "wiki", local) == (local,)


@pytest.mark.parametrize(
    ("source", "key"),
    [("htpasswd", "htpasswd"), ("authkit_db", "authkit_db"), ("sql", "sql"), ("callable", "callable")],
)
def test_a_source_without_its_place_is_a_mistake(source: str, key: str) -> None:
    with pytest.raises(OptionError, match=f"{key}: is not set, and source has {source}"):
        UserOptions(source=(source,))
    options = parsed(UserOptions, {"source": (source,)})
    assert key in [each.key for each in options.problems(Surroundings())]


def test_an_unknown_source_is_a_mistake() -> None:
    with pytest.raises(OptionError, match="'files' must be of: local, htpasswd"):
        UserOptions(source=("files",))


def test_a_check_reads_the_files(tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text("bob:rqXexS6ZhobKA\n", encoding="utf-8")
    (tmp_path / "authkit").write_text("# comment\n", encoding="utf-8")
    options = parsed(
        UserOptions,
        {
            "source": ("htpasswd", "authkit", "htdigest"),
            "htpasswd": tmp_path / "htpasswd",
            "authkit": tmp_path / "authkit",
            "htdigest": tmp_path / "gone",
        },
    )
    found = {each.key: each for each in options.problems(Surroundings())}
    assert f"{tmp_path / 'htpasswd'}:1: 'bob' cannot log in: the hash is of DES crypt" in found["htpasswd"].what
    assert found["htpasswd"].severity == "warning"
    assert f"{tmp_path / 'authkit'}:1: there are no comments" in found["authkit"].what
    assert found["authkit"].severity == "error"
    assert "cannot be read" in found["htdigest"].what


def test_what_is_no_function_is_a_mistake() -> None:
    with pytest.raises(OptionError, match="callable: must be a function"):
        sources_of(UserOptions(source=("callable",), callable=7), "wiki")


@pytest.mark.parametrize("name", ["local", "group", "header", "certificate", "jwt", "server", "", "a:b"])
def test_a_source_of_one_s_own_does_not_pass_for_another(name: str) -> None:
    with pytest.raises(OptionError, match=f"callable: is a source of the name '{name}', which is taken"):
        sources_of(UserOptions(source=("callable",), callable=KeptUsers(name=name)), "wiki")


@pytest.mark.parametrize("word", ["sql", "authkit_db"])
def test_what_is_no_database_is_told_at_its_key(word: str) -> None:
    options = UserOptions(source=(word,), sql_query="SELECT 1", **{word: "secret-word"})
    with pytest.raises(OptionError, match=f"{word}: must be a URL of SQLAlchemy") as caught:
        sources_of(options, "wiki")
    assert "secret-word" not in str(caught.value)


def test_the_options_of_passwords_become_what_they_say() -> None:
    options = PasswordOptions(argon2="t=1,m=8,p=1", throttle="2/1m", ceiling="9/1h", workers=3)
    assert hasher_of(options).profile == (1, 8, 1)
    throttle = throttle_of(options, MemoryStore(), Vault.temporary())
    assert (throttle._rate, throttle._address_rate, throttle._ceiling) == (Rate(2, 60), Rate(30, 60), Rate(9, 3600))


@pytest.mark.parametrize(
    "wrong",
    [
        {"argon2": "fast"},
        {"throttle": "often"},
        {"min_length": 7},
        {"workers": 0},
        {"ceiling": "1"},
        {"min_length": 65},
    ],
)
def test_wrong_options_of_passwords_are_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        PasswordOptions(**wrong)
