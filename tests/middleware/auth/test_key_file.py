"""The file with a site's keys: who may read it, what stands in it, and how keys are added."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from wheatpaste.config.problems import ConfigError
from wheatpaste.config.reader import Reader
from wheatpaste.middleware.auth import key_file
from wheatpaste.middleware.auth.key_file import (
    keys_of_text,
    make_key_file,
    new_key,
    read_key_file,
    retire,
    rotate,
    secret_complaint,
    text_of,
)
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.auth.vault import Vault

GOOD = "q8JvN2xR7tLw0pKs4YbHd6ZfCm3GaXe9"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "auth.key"


def test_it_is_made_for_its_owner_alone(path):
    key = make_key_file(path, clock=lambda: 1_700_000_000.0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key_file(path) == (key,)
    assert key.created == "2023-11-14"
    assert Vault.read(path).keys == Vault.read(str(path)).keys == Vault.read(path.read_text()).keys == (key,)


def test_it_is_not_made_over_another(path):
    make_key_file(path)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="exists already"):
        make_key_file(path)
    assert path.read_bytes() == before


def test_it_is_not_made_where_there_is_no_folder(path):
    with pytest.raises(ConfigError, match="cannot be made"):
        make_key_file(path / "deeper")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666, 0o660, 0o610])
def test_it_is_not_read_where_others_have_rights(path, mode):
    make_key_file(path)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=rf"mode {mode:04o}\); run: chmod 600") as caught:
        Vault.read(path)
    assert caught.value.problems[0].file == str(path)


def test_it_may_be_read_only(path):
    make_key_file(path)
    path.chmod(0o400)
    assert len(Vault.read(path).keys) == 1


def test_it_may_be_handed_over_by_the_service_manager(path, monkeypatch):
    make_key_file(path)
    path.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(path.parent))
    assert len(Vault.read(path).keys) == 1
    path.chmod(0o444)
    with pytest.raises(ConfigError):
        Vault.read(path)


def test_it_is_not_read_if_another_user_could_replace_it(path, monkeypatch):
    make_key_file(path)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 4711)
    if path.stat().st_uid == 0:
        os.chown(path, 4712, -1)
    with pytest.raises(ConfigError, match="belongs to another user"):
        Vault.read(path)


def test_it_is_missing(path):
    with pytest.raises(ConfigError, match="cannot be read .No such file") as caught:
        Vault.read(path)
    assert "wheatpaste auth FILE init" in str(caught.value)


def test_it_is_a_folder(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        Vault.read(tmp_path)


LINE = text_of([new_key()]).splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("", "holds no key", id="empty"),
        pytest.param("# nothing\n\n", "holds no key", id="only comments"),
        pytest.param(LINE[:-1], "is no line of a key file", id="cut"),
        pytest.param(LINE[:9] + LINE, "is no line of a key file", id="too much"),
        pytest.param(LINE.split(" ", 1)[1], "is no line of a key file", id="no id"),
        pytest.param(
            ("0" if LINE[0] != "0" else "1") + LINE[1:], "is not the one that its id was made of", id="wrong id"
        ),
        pytest.param(
            LINE[:25] + ("A" if LINE[25] != "A" else "B") + LINE[26:], "is not the one", id="a letter changed"
        ),
        pytest.param(f"{LINE}\n{LINE}\n", "holds a key twice", id="twice"),
        pytest.param("grüße", "not plain text", id="not ASCII"),
    ],
)
def test_it_holds_something_else(path, text, complaint):
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=complaint) as caught:
        read_key_file(path)
    assert LINE.split()[2][:20] not in str(caught.value)


def test_a_bad_line_is_named(path):
    path.write_text(f"# keys\n{LINE}\nnonsense\n")
    path.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        read_key_file(path)
    assert caught.value.problems[0].line == 3


def test_a_rotation_puts_a_new_key_before_the_old_ones(path):
    first = make_key_file(path)
    path.chmod(0o400)
    second = rotate(path)
    third = rotate(path)
    assert read_key_file(path) == (third, second, first)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["auth.key"]


def test_a_rotation_through_a_link_changes_the_file_itself(path, tmp_path):
    make_key_file(path)
    link = tmp_path / "link.key"
    link.symlink_to(path)
    rotate(link)
    assert link.is_symlink()
    assert len(read_key_file(path)) == 2


def test_a_rotation_of_a_broken_file_changes_nothing(path):
    path.write_text("nonsense")
    path.chmod(0o600)
    with pytest.raises(ConfigError):
        rotate(path)
    assert path.read_text() == "nonsense"
    assert os.listdir(path.parent) == ["auth.key"]


def test_a_rotation_that_cannot_be_written_leaves_the_file_and_no_rest(path, monkeypatch):
    make_key_file(path)
    before = path.read_bytes()

    def refuse(*paths):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(ConfigError, match="No space left"):
        rotate(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["auth.key"]


def test_threads_that_rotate_at_once_lose_nothing(path):
    first = make_key_file(path)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: rotate(path), range(24)))
    assert set(read_key_file(path)) == {first, *made}


@pytest.mark.slow
def test_processes_that_rotate_at_once_lose_nothing(path):
    first = make_key_file(path)
    code = (
        "import sys; from wheatpaste.middleware.auth.key_file import rotate;"
        " print(*[rotate(sys.argv[1]).id for _ in range(20)])"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) for _ in "12"
    ]
    made = {key_id for each in running for key_id in each.communicate(timeout=60)[0].split()}
    assert len(made) == 40
    assert {key.id for key in read_key_file(path)} == {first.id, *made}


def test_an_old_key_can_be_retired(path):
    first = make_key_file(path)
    second = rotate(path)
    with pytest.raises(ConfigError, match="is the key that seals"):
        retire(path, second.id)
    with pytest.raises(ConfigError, match="has no key 00000000"):
        retire(path, "00000000")
    retire(path, first.id)
    assert read_key_file(path) == (second,)


def test_a_written_secret_is_a_key_too():
    one, same, other = Vault.read(GOOD), Vault.read(f" {GOOD}\n"), Vault.read(GOOD[::-1])
    assert one.key("forms") == same.key("forms") != other.key("forms")
    assert same.open("x", one.seal("x", b"data")) == b"data"
    assert GOOD not in repr(one)


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param("", id="none"),
        pytest.param(GOOD[:31], id="31 characters"),
        pytest.param("a" * 64, id="one letter"),
        pytest.param("abcdefgh" * 8, id="a word again and again"),
        pytest.param("abababbabbabababababbabbabababbababab", id="few letters"),
        pytest.param("abcdefghijklmnopqrstuvwxyz0123456789", id="the alphabet"),
        pytest.param("change-me-to-something-long-and-random", id="a sample"),
        pytest.param("0123456789012345678901234567890123456789", id="counting"),
    ],
)
def test_a_secret_that_can_be_guessed_is_refused(secret):
    with pytest.raises(ConfigError, match="secret ") as caught:
        Vault.read(secret)
    assert not secret or secret not in str(caught.value)


@pytest.mark.parametrize("length", [16, 24, 32, 48])
def test_what_a_generator_makes_is_no_weak_secret(length):
    for _ in range(200):
        assert secret_complaint(os.urandom(length).hex()) is None


def test_a_secret_that_begins_with_a_slash_is_no_path():
    assert Vault.read("/" + GOOD).keys
    assert Vault.read("/q8JvN2xR7tLw/0pKs4YbHd6ZfCm3GaXe9").keys


def test_a_path_to_a_file_that_is_missing_is_no_secret(path):
    with pytest.raises(ConfigError, match="cannot be read"):
        Vault.read(str(path.parent / "a-file-with-a-rather-long-name.key"))


@pytest.fixture
def secret_of():
    """The value of ``secret`` that a section says by ``secret_file``."""

    def read(path):
        reading = Reader(component=Site).read({"secret_file": str(path)}, {})
        assert reading.problems == []
        return reading.values["secret"]

    return read


def test_a_key_file_that_a_section_names_is_read_with_its_rights(path, secret_of):
    key = make_key_file(path)
    running = Vault.read(secret_of(path))
    assert running.keys == (key,)
    rotate(path)
    assert running.open("x", Vault.read(path).seal("x", b"data")) == b"data"
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="mode 0644"):
        Vault.read(secret_of(path))


def test_a_secret_in_a_file_that_a_section_names_is_a_key(path, secret_of):
    path.write_text(GOOD + "\n")
    assert Vault.read(secret_of(path)).key("forms") == Vault.read(GOOD).key("forms")
    path.write_text("short\n")
    with pytest.raises(ConfigError, match="has 5 characters"):
        Vault.read(secret_of(path))


def test_text_of_a_key_file_is_read_with_its_comments():
    keys = (new_key(), new_key())
    assert keys_of_text(text_of(keys)) == keys


def test_the_folder_is_left_unlocked_when_a_rotation_fails(path):
    path.write_text("nonsense")
    path.chmod(0o600)
    for _ in range(2):
        with pytest.raises(ConfigError):
            rotate(path)
    path.unlink()
    make_key_file(path)
    assert len({key.id for key in (rotate(path), rotate(path))}) == 2
    assert key_file.read_key_file(path)


@pytest.mark.parametrize(
    ("text", "is_path"),
    [
        ("/srv/wiki/auth.key", True),
        ("/srv/no/such/folder/of/this/machine/auth/key", True),
        ("/auth.key", True),
        ("/aG9wZWZ1bGx5bm9ib2R5Z3Vlc3Nlc3RoaXM0NzExMDgxNQ=", False),
        ("/aG9wZWZ1/bGx5bm9ib2R5Z3Vlc3Nlc3RoaXM0NzExMDgxNQ=", False),
        ("aG9wZWZ1bGx5bm9ib2R5Z3Vlc3Nlc3RoaXM0NzExMDgxNQ==", False),
        ("/srv/wiki/auth.key\n/srv", False),
    ],
)
def test_it_is_told_from_a_secret(text, is_path):
    assert (key_file.path_in(text) is not None) is is_path


def test_its_path_is_no_secret_where_its_folder_is_missing(tmp_path):
    named = tmp_path / "later" / "folder" / "auth.key"
    with pytest.raises(ConfigError, match="in a folder that is not there") as caught:
        Vault.read(str(named))
    assert "later" not in str(caught.value), "it may be a secret that begins with a slash"
