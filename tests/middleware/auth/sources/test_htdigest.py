"""It reads what Apache's htdigest writes, for one realm."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from auth_guarded_site import GuardedSite
from hypothesis import given
from hypothesis import strategies as st
from prerequisites import lacking

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.method import Failed
from wheatpaste.middleware.auth.sources.htdigest import HtdigestFile, userhash_of

MD5 = hashlib.md5(b"bob:wiki: staff:sesame", usedforsecurity=False).hexdigest()
SHA = hashlib.sha256(b"bob:wiki: staff:sesame").hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / ".htdigest"
    path.write_text(f"bob:wiki: staff:{MD5}\nbob:wiki: staff:{SHA.upper()}\nann:other:{MD5}\n", encoding="utf-8")
    return path


def test_it_has_the_hashes_of_its_realm(file: Path) -> None:
    source = HtdigestFile(file, "wiki: staff")
    bob = source.find("bob")
    assert bob is not None
    assert source.get("htdigest:bob") == bob
    assert source.ha1(bob, "wiki: staff", "MD5") == MD5
    assert source.ha1(bob, "wiki: staff", "SHA-256") == SHA
    assert source.ha1(bob, "other", "MD5") is None
    assert source.find("ann") is None
    assert source.find("BOB") is None
    assert source.mistakes() == []


def test_it_finds_a_name_by_its_hash(file: Path) -> None:
    source = HtdigestFile(file, "wiki: staff")
    assert source.named_by(userhash_of("bob", "wiki: staff", "SHA-256"), "wiki: staff", "SHA-256") == "bob"
    assert source.named_by(userhash_of("ann", "wiki: staff", "SHA-256"), "wiki: staff", "SHA-256") is None
    assert source.named_by(userhash_of("bob", "wiki: staff", "SHA-256"), "other", "SHA-256") is None


def test_its_users_can_log_in_with_their_passwords_elsewhere_too(file: Path) -> None:
    site = GuardedSite(HtdigestFile(file, "wiki: staff"))
    assert isinstance(site.passwords.check(site.visit(), "bob", "sesame"), Account)
    assert isinstance(site.passwords.check(site.visit(), "bob", "Sesame"), Failed)
    assert isinstance(site.passwords.check(site.visit(), "ann", "sesame"), Failed)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("bob", "name:realm:hash"),
        ("bob:wiki: staff:zzz", "name:realm:hash"),
        (f":wiki: staff:{MD5}", "name:realm:hash"),
        (f"bob:wiki: staff:{MD5}\nbob:wiki: staff:{MD5}", "is there already"),
    ],
)
def test_it_says_which_line_is_wrong(tmp_path: Path, line: str, what: str) -> None:
    path = tmp_path / "file"
    path.write_text(line + "\n", encoding="utf-8")
    mistakes = HtdigestFile(path, "wiki: staff").mistakes()
    assert len(mistakes) == 1
    assert what in mistakes[0][1]


def test_a_new_password_is_a_new_epoch(file: Path) -> None:
    source = HtdigestFile(file, "wiki: staff")
    before = source.find("bob")
    file.write_text(file.read_text(encoding="utf-8").replace(SHA.upper(), "0" * 64), encoding="utf-8")
    after = source.find("bob")
    assert before is not None
    assert after is not None
    assert before.epoch != after.epoch


@given(st.text(max_size=200))
def test_it_raises_for_no_text(text: str) -> None:
    HtdigestFile("unused", "wiki")._content(text)


@pytest.mark.slow
def test_it_reads_what_htdigest_writes(tmp_path: Path) -> None:
    program = shutil.which("htdigest")
    if program is None:
        lacking("htdigest")
    # It asks at the terminal, and forgets what was typed before it asked; `script` gives it a terminal.
    if shutil.which("script") is None:
        lacking("script")
    path = tmp_path / "file"
    with subprocess.Popen(
        ["script", "-qefc", f"{program} -c {path} 'wiki: staff' bob", "/dev/null"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as asking:
        assert asking.stdin is not None
        assert asking.stdout is not None
        said = b""
        for _ in range(2):
            while not said.lower().endswith(b"password: "):
                piece = asking.stdout.read(1)
                assert piece, said
                said += piece
            asking.stdin.write(b"sesame\n")
            asking.stdin.flush()
            said = b""
        asking.stdout.read()
    source = HtdigestFile(path, "wiki: staff")
    bob = source.find("bob")
    assert bob is not None
    assert source.ha1(bob, "wiki: staff", "MD5") == MD5
