"""It reads what Apache's htpasswd writes, as soon as it is written, and writes back what Apache reads."""

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from auth_guarded_site import CHEAP, GuardedSite
from hypothesis import given
from hypothesis import strategies as st
from prerequisites import lacking

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.method import Failed
from wheatpaste.middleware.auth.passwords.hasher import Hasher
from wheatpaste.middleware.auth.sources.htpasswd import HtpasswdFile
from wheatpaste.middleware.storage.store import StoreError

APR1 = "$apr1$abcdefgh$QLvgL9Maogn2kBtlvaQ0J."
SHA = "{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE="


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / ".htpasswd"
    path.write_text(f"bob:{APR1}\n# the staff\n\nAnn:{SHA}:added in May\n", encoding="utf-8")
    return path


def names(source: HtpasswdFile) -> list[str]:
    return [account.name for account in source.all()]


def test_it_finds_the_users_of_the_file(file: Path) -> None:
    source = HtpasswdFile(file)
    ann = source.find("ann")
    assert ann is not None
    assert (ann.id, ann.name, source.password_hash(ann)) == ("htpasswd:Ann", "Ann", SHA)
    assert source.get("htpasswd:Ann") == ann
    assert source.get("htpasswd:ann") is None
    assert source.find("zoe") is None
    assert names(source) == ["bob", "Ann"]


def test_a_user_that_is_added_or_removed_counts_at_the_next_request(file: Path) -> None:
    source = HtpasswdFile(file)
    assert names(source) == ["bob", "Ann"]
    for number in range(50):
        file.write_text(f"user{number}:{APR1}\n", encoding="utf-8")
        assert names(source) == [f"user{number}"]


def test_a_file_that_is_put_in_its_place_counts_even_with_the_same_time_and_size(file: Path, tmp_path: Path) -> None:
    source = HtpasswdFile(file)
    past = 1_700_000_000_123_456_789
    os.utime(file, ns=(past, past))
    assert names(source) == ["bob", "Ann"]
    other = tmp_path / "other"
    other.write_text(file.read_text(encoding="utf-8").replace("bob", "rob"), encoding="utf-8")
    os.utime(other, ns=(past, past))
    other.replace(file)
    assert names(source) == ["rob", "Ann"]


def test_an_old_file_is_read_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.utime(file, ns=(1_700_000_000_123_456_789,) * 2)
    source = HtpasswdFile(file)
    first = source.find("bob")
    assert source.find("bob") is first


def test_a_new_password_is_a_new_epoch(file: Path) -> None:
    source = HtpasswdFile(file)
    before = source.find("bob")
    file.write_text(file.read_text(encoding="utf-8").replace(APR1, SHA), encoding="utf-8")
    after = source.find("bob")
    assert before is not None
    assert after is not None
    assert before.epoch != after.epoch


@pytest.mark.parametrize("state", ["gone", "a folder", "unreadable"])
def test_where_the_file_cannot_be_read_nobody_is_said_not_to_exist(file: Path, state: str) -> None:
    source = HtpasswdFile(file)
    assert source.find("bob") is not None
    file.unlink()
    if state == "a folder":
        file.mkdir()
    if state == "unreadable":
        if os.geteuid() == 0:
            pytest.skip("root may read everything")
        file.touch(0o000)
    with pytest.raises(StoreError, match="cannot be read"):
        source.find("bob")


MISTAKES = {
    "no colon": ("bob", 1, "name:hash"),
    "no name": (f":{APR1}", 1, "name:hash"),
    "DES crypt": ("bob:rqXexS6ZhobKA", 1, "is of DES crypt"),
    "a plain password": ("bob:sesame", 1, "is of no kind that is known here"),
    "a name twice": (f"bob:{APR1}\nBOB:{APR1}", 2, "is there already"),
    "bytes that are no UTF-8": (f"b\udcffb:{APR1}", 1, "name:hash"),
}


@pytest.mark.parametrize(("text", "line", "what"), MISTAKES.values(), ids=MISTAKES)
def test_it_says_which_line_is_wrong_and_reads_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, line: int, what: str
) -> None:
    path = tmp_path / "file"
    path.write_text(f"{text}\nann:{SHA}\n", encoding="utf-8", errors="surrogateescape")
    source = HtpasswdFile(path)
    assert source.find("ann") is not None
    assert [number for number, _ in source.mistakes()] == [line]
    assert what in source.mistakes()[0][1]
    assert f"{path}:{line}: " in caplog.text


def test_it_reads_files_of_other_systems(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\xef\xbb\xbfbob:" + APR1.encode() + b"\r\njos\xc3\xa9:" + SHA.encode() + b"\r\n")
    source = HtpasswdFile(path)
    bob, jose = source.find("bob"), source.find("jos\u00e9")
    assert bob is not None
    assert jose is not None
    assert (source.password_hash(bob), source.password_hash(jose)) == (APR1, SHA)


def test_a_plain_password_counts_only_where_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("bob:sesame\ndes:rqXexS6ZhobKA\nlock:!\nann:$6$half", encoding="utf-8")
    closed, opened = GuardedSite(HtpasswdFile(path)), GuardedSite(HtpasswdFile(path, plain=True))
    assert isinstance(closed.passwords.check(closed.visit(), "bob", "sesame"), Failed)
    assert isinstance(opened.passwords.check(opened.visit(), "bob", "sesame"), Account)
    for name, password in (("des", "rqXexS6ZhobKA"), ("lock", "!"), ("ann", "$6$half")):
        assert isinstance(opened.passwords.check(opened.visit(), name, password), Failed)


@given(st.text(max_size=200))
def test_it_raises_for_no_file(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    source = HtpasswdFile("unused")
    users, mistakes = source._users(text)
    assert all(line >= 1 for line, _ in mistakes)
    assert all(users)


def test_outdated_hashes_are_written_back_as_apache_reads_them(file: Path) -> None:
    file.chmod(0o640)
    site = GuardedSite(HtpasswdFile(file, update="bcrypt"))
    found = site.passwords.check(site.visit(), "bob", "password1")
    assert isinstance(found, Account)
    lines = file.read_text(encoding="utf-8").split("\n")
    assert lines[0].startswith("bob:$2y$12$")
    assert lines[1:] == ["# the staff", "", f"Ann:{SHA}:added in May", ""]
    assert file.stat().st_mode & 0o777 == 0o640
    assert found.epoch == (site.directory.get("htpasswd:bob") or found._replace(epoch=-1)).epoch
    assert isinstance(site.passwords.check(site.visit(), "bob", "password1"), Account)
    assert file.read_text(encoding="utf-8").split("\n") == lines
    assert isinstance(site.passwords.check(site.visit(), "ann", "myPassword"), Account)
    assert file.read_text(encoding="utf-8").split("\n")[3].endswith(":added in May")


def test_a_password_that_bcrypt_would_cut_off_is_not_written_back(tmp_path: Path) -> None:
    long = "x" * 80
    path = tmp_path / "file"
    path.write_text(f"bob:{Hasher(CHEAP).hash(long)}\n", encoding="utf-8")
    before = path.read_bytes()
    site = GuardedSite(HtpasswdFile(path, update="bcrypt"))
    assert isinstance(site.passwords.check(site.visit(), "bob", long), Account)
    assert path.read_bytes() == before


def test_without_being_asked_it_writes_nothing(file: Path) -> None:
    before = file.read_bytes()
    site = GuardedSite(HtpasswdFile(file))
    assert isinstance(site.passwords.check(site.visit(), "bob", "password1"), Account)
    assert file.read_bytes() == before


def test_a_hash_that_was_changed_meanwhile_is_not_overwritten(file: Path) -> None:
    source = HtpasswdFile(file, update="argon2")
    bob = source.find("bob")
    assert bob is not None
    source._replace("bob", SHA, "$argon2id$other")
    assert "argon2id" not in file.read_text(encoding="utf-8")


def test_where_it_cannot_be_written_the_login_counts(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    site = GuardedSite(HtpasswdFile(file, update="argon2"))
    file.parent.chmod(0o500)
    try:
        assert isinstance(site.passwords.check(site.visit(), "bob", "password1"), Account)
    finally:
        file.parent.chmod(0o700)
    assert "its folder has to be writable" in caplog.text


def test_users_who_log_in_at_the_same_time_all_get_their_new_hash(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("".join(f"user{number}:{APR1}\n" for number in range(20)), encoding="utf-8")
    sources = [HtpasswdFile(path, update="argon2") for _ in range(4)]  # as many processes would have

    def keep(number: int) -> None:
        source = sources[number % 4]
        account = source.find(f"user{number}")
        assert account is not None
        assert source.keep_hash(account, f"$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$number{number}")

    threads = [threading.Thread(target=keep, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line.rpartition("$")[2] for line in lines] == [f"number{number}" for number in range(20)]
    assert list(tmp_path.iterdir()) == [path]


def test_a_large_file_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("".join(f"user{number}:{APR1}\n" for number in range(100_000)), encoding="utf-8")
    os.utime(path, ns=(1_700_000_000_123_456_789,) * 2)
    source = HtpasswdFile(path)
    account = source.find("user99999")
    assert account is not None
    assert source.password_hash(account) == APR1


@pytest.mark.slow
def test_apache_and_we_understand_each_other(tmp_path: Path) -> None:
    if shutil.which("htpasswd") is None:
        lacking("htpasswd")
    path = tmp_path / "file"

    def htpasswd(*words: str) -> int:
        return subprocess.run(["htpasswd", *words], capture_output=True, timeout=60, check=False).returncode

    assert htpasswd("-cbm", str(path), "bob", "gelbe Ampel") == 0
    site = GuardedSite(HtpasswdFile(path, update="bcrypt"))
    assert isinstance(site.passwords.check(site.visit(), "bob", "gelbe Ampel"), Account)
    assert htpasswd("-bB", str(path), "ann", "noch eine") == 0
    assert isinstance(site.passwords.check(site.visit(), "ann", "noch eine"), Account)
    assert htpasswd("-vb", str(path), "bob", "gelbe Ampel") == 0
    assert htpasswd("-vb", str(path), "bob", "gelbe Lampe") != 0
    assert htpasswd("-D", str(path), "ann") == 0
    assert site.directory.get("htpasswd:ann") is None
