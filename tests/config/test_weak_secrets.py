"""Secrets that are none, and names whose values are not quoted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.config.weak_secrets import may_hold_secret, weakness, without_passwords
from wheatpaste.protocol.secret_names import is_secret_name

WORDS = """
password passwd pwd pass passphrase secret token api key apikey private access session sid cookie auth authorization
bearer jwt csrf xsrf credentials signature sig salt otp totp pin identity sso saml client user db host port name
path file url
""".split()  # noqa: SIM905  # easier to read


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4), st.sampled_from(["_", "-", ".", ""]))
def test_no_name_that_is_hidden_elsewhere_is_quoted_by_a_check(words: list[str], joint: str) -> None:
    name = joint.join(words)
    assert may_hold_secret(name) or not is_secret_name(name)


@pytest.mark.parametrize(
    ("key", "value", "phrase"),
    [
        ("secret", "changeme", "samples"),
        ("SECRET_KEY", "django-insecure-abc", "samples"),
        ("db_password", "password", "samples"),
        ("session.secret", "tooshort1", "has 9 characters"),
        ("api_key", "aaaaaaaa", "can be guessed at once"),
        ("token", "123456", "can be guessed at once"),
    ],
)
def test_a_weak_secret_is_told_without_its_text(key: str, value: str, phrase: str) -> None:
    found = weakness(key, value)
    assert found is not None
    assert phrase in found
    assert value not in found


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("secret", "kX9-vQ2pLw8rTz4mB7nC"),
        ("secret", "false"),
        ("secret", ""),
        ("password_file", "secret"),
        ("token_url", "changeme"),
        ("colour", "secret"),
        ("db_password", "s3cr3t-but-short"),
    ],
    ids=[
        "long and random",
        "a switch",
        "empty",
        "names a file",
        "names an address",
        "no secret",
        "a password is not a key",
    ],
)
def test_what_is_no_weak_secret_passes(key: str, value: str) -> None:
    assert weakness(key, value) is None


@pytest.mark.parametrize("place", ["memory:", "sqlite:///auth.db", "postgresql://wiki:pw@db/wiki"])
def test_a_place_is_no_secret_that_could_be_guessed(place: str) -> None:
    assert weakness("url", place, declared=True) is None


def test_a_file_that_holds_a_secret_is_not_judged_by_its_name() -> None:
    assert weakness("secret", "/srv/w/auth.key", declared=True) is None
    assert weakness("secret", "/srv/w/auth.key") == "has 15 characters, and can be guessed"
    assert weakness("secret", "/changeme", declared=True) == "is one that samples and starter files use"


def test_a_declared_secret_is_judged_whatever_it_is_called() -> None:
    assert weakness("colour", "blue", declared=True) == "has 4 characters, and can be guessed"


def test_passwords_in_urls_are_left_out() -> None:
    assert without_passwords("postgresql://ann:hunter2@db/x failed") == "postgresql://…@db/x failed"
