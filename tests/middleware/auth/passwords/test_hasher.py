"""It hashes passwords, as many at once as there are processors, and no more."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from auth_guarded_site import CHEAP
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.config.problems import ConfigError
from wheatpaste.middleware.auth.passwords import hasher as hasher_module
from wheatpaste.middleware.auth.passwords.hasher import Busy, Hasher, Profile, prepared

# argon2's own command: echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 32 (RFC 9106, version 0x13)
REFERENCE = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"


@pytest.fixture
def hasher() -> Iterator[Hasher]:
    made = Hasher(CHEAP)
    yield made
    made.close()


def test_a_new_hash_is_argon2id_with_the_costs_of_the_profile(hasher: Hasher) -> None:
    encoded = hasher.hash("correct horse")
    assert encoded.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert hasher.verify(encoded, "correct horse")
    assert not hasher.verify(encoded, "Correct horse")
    assert hasher.hash("correct horse") != encoded


def test_the_defaults_are_those_of_the_documentation() -> None:
    assert Hasher().hash("correct horse").startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert Hasher("small").hash("correct horse").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_it_verifies_what_the_reference_implementation_made(hasher: Hasher) -> None:
    assert hasher.verify(REFERENCE, "password")
    assert not hasher.verify(REFERENCE, "Password")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("huge", "must be default, small"),
        ("t=3,m=4,p=1", "8 times p"),
        ("t=0,m=64,p=1", "t from 1"),
        ("t=3,m=9999999,p=1", "to 1048576"),
        ("m=64,t=3,p=1", "must be default"),
    ],
)
def test_a_profile_is_refused_when_it_cannot_be_computed(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Profile.read(text)


SAME = {
    "composed and decomposed": ("caf\u00e9", "cafe\u0301", True),
    "upper and lower case": ("secret", "Secret", False),
    "a space at the end": ("secret", "secret ", False),
    "a space at the front": ("secret", " secret", False),
    "what follows a NUL": ("secret\0a", "secret\0b", False),
    "the 73rd byte": ("x" * 72 + "a", "x" * 72 + "b", False),
    "the 1024th byte": ("x" * 1023 + "a", "x" * 1023 + "b", False),
    "compatible characters": ("\ufb01sh", "fish", False),
}


@pytest.mark.parametrize(("one", "other", "is_same"), SAME.values(), ids=SAME)
def test_two_passwords_are_one_only_if_they_are_the_same_text(
    hasher: Hasher, one: str, other: str, is_same: bool
) -> None:
    assert hasher.verify(hasher.hash(one), other) is is_same
    assert hasher.verify(hasher.hash(other), one) is is_same


NOBODYS = {"empty": "", "1025 bytes": "x" * 1025, "1 MiB": "x" * (1 << 20), "513 ü": "ü" * 513, "half a pair": "\ud800"}


@pytest.mark.parametrize("password", NOBODYS.values(), ids=NOBODYS)
def test_what_can_be_nobodys_password_costs_nothing(hasher: Hasher, password: str) -> None:
    encoded = hasher.hash("correct horse")
    before = hasher.computations
    assert not hasher.verify(encoded, password)
    with pytest.raises(ValueError, match="1024 bytes"):
        hasher.hash(password)
    assert hasher.computations == before


def test_1024_bytes_are_a_password(hasher: Hasher) -> None:
    assert hasher.verify(hasher.hash("ü" * 512), "ü" * 512)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_it_verifies_what_it_hashed_and_nothing_else(one: str, other: str) -> None:
    hasher = _SHARED
    if prepared(one) is not None:
        encoded = hasher.hash(one)
        assert hasher.verify(encoded, one)
        assert hasher.verify(encoded, other) is (prepared(one) == prepared(other))
    assert not hasher.verify(other, one) or other.startswith("{PLAIN}")


_SHARED = Hasher(CHEAP)


OUTDATED = {
    "an older profile": ("$argon2id$v=19$m=16,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8", True),
    "argon2i": ("$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8", True),
    "the first version": ("$argon2id$v=16$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8", True),
    "bcrypt": ("$2y$12$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC", True),
    "SHA": ("{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=", True),
    "this profile": ("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8", False),
}


@pytest.mark.parametrize(("encoded", "is_outdated"), OUTDATED.values(), ids=OUTDATED)
def test_it_knows_what_should_be_hashed_anew(hasher: Hasher, encoded: str, is_outdated: bool) -> None:
    assert hasher.is_outdated(encoded) is is_outdated


def test_for_a_file_that_apache_reads_bcrypt_is_up_to_date(hasher: Hasher) -> None:
    encoded = hasher.hash("correct horse", "bcrypt")
    assert encoded.startswith("$2y$12$")
    assert hasher.verify(encoded, "correct horse")
    assert not hasher.is_outdated(encoded, "bcrypt")
    assert hasher.is_outdated("$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC", "bcrypt")
    assert hasher.is_outdated("{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=", "bcrypt")


@pytest.mark.parametrize(
    "encoded",
    [
        "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8",
        "$argon2id$v=19$m=64,t=999999999,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8",
        "$argon2id$v=19$m=64,t=1,p=1$!!!$???",
        "$argon2id$",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$",
    ],
)
def test_a_hash_cannot_have_the_machine_used_up(hasher: Hasher, encoded: str) -> None:
    assert not hasher.verify(encoded, "correct horse")
    assert hasher.computations <= 1


def test_pretending_costs_what_verifying_does(hasher: Hasher) -> None:
    encoded = hasher.hash("correct horse")
    before = hasher.computations
    hasher.verify(encoded, "wrong")
    verified = hasher.computations - before
    hasher.pretend("wrong")
    assert hasher.computations - before == 2 * verified == 2
    hasher.pretend("\ud800" * 3)
    assert hasher.computations - before == 3


class Slow(Hasher):
    """A hasher whose computations take until they are let go."""

    def __init__(self, workers: int, waiting: int) -> None:
        super().__init__(CHEAP, workers, waiting=waiting)
        self.gate = threading.Event()
        self.at_work = 0
        self.most = 0
        self._count = threading.Lock()

    def _hash(self, secret: bytes) -> str:
        with self._count:
            self.at_work += 1
            self.most = max(self.most, self.at_work)
        self.gate.wait(20)
        with self._count:
            self.at_work -= 1
        return "done"


def test_no_more_are_computed_at_once_than_there_are_workers_and_no_more_wait_than_may() -> None:
    hasher = Slow(workers=2, waiting=3)
    with ThreadPoolExecutor(5) as crowd:
        coming = [crowd.submit(hasher.hash, "secret") for _ in range(5)]
        deadline = time.monotonic() + 20
        while hasher._present < 5:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        with pytest.raises(Busy):
            hasher.hash("secret")
        hasher.gate.set()
        assert [each.result() for each in coming] == ["done"] * 5
    assert hasher.most == 2
    assert hasher.hash("secret") == "done"
    hasher.close()


def test_a_hasher_that_was_closed_goes_on_at_the_next_call(hasher: Hasher) -> None:
    encoded = hasher.hash("secret")
    hasher.close()
    hasher.close()
    assert hasher.verify(encoded, "secret")


def test_nothing_is_started_before_it_is_needed() -> None:
    before = set(threading.enumerate())
    Hasher(CHEAP)
    assert not set(threading.enumerate()) - before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.slow
def test_it_works_in_a_process_that_was_forked_while_it_was_busy() -> None:
    code = f"""if True:
        import os, threading
        from wheatpaste.middleware.auth.passwords.hasher import Hasher
        hasher = Hasher({CHEAP!r})
        encoded = hasher.hash("secret")
        hasher._lock.acquire()
        pid = os.fork()
        if not pid:
            os._exit(0 if hasher.verify(encoded, "secret") else 3)
        hasher._lock.release()
        raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """
    done = subprocess.run([sys.executable, "-c", code], timeout=60, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own on Linux")
def test_the_threads_that_hash_give_way_and_the_others_do_not(hasher: Hasher) -> None:
    class Asking(Hasher):
        def _hash(self, secret: bytes) -> str:
            return str(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    asking = Asking(CHEAP)
    assert int(asking.hash("secret")) == min(own + 10, 19)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own
    asking.close()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have processors of their own on Linux")
def test_one_processor_is_left_to_others_and_given_up_where_there_is_no_other() -> None:
    class Asking(Hasher):
        def _hash(self, secret: bytes) -> str:
            return " ".join(map(str, sorted(os.sched_getaffinity(threading.get_native_id()))))

    own = os.sched_getaffinity(0)
    asking = Asking(CHEAP)
    assert asking._workers == max(1, len(own) - 1)
    found = set(map(int, asking.hash("secret").split()))
    asking.close()
    assert found < own if len(own) > 1 else found == own
    assert os.sched_getaffinity(0) == own
    try:
        os.sched_setaffinity(0, {min(own)})
        alone = Asking(CHEAP)
        assert alone.hash("secret") == str(min(own))
        alone.close()
    finally:
        os.sched_setaffinity(0, own)


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hasher_module, "find_spec", lambda name: None if name == "argon2" else object())
    with pytest.raises(ConfigError, match=r"argon2-cffi.*pip install 'wheatpaste\[auth\]'"):
        Hasher()


def test_the_packages_are_loaded_by_the_first_password() -> None:
    code = (
        "import sys; from wheatpaste.middleware.auth.passwords import checker, options;"
        " from wheatpaste.middleware.auth.sources import options; from wheatpaste.middleware.auth.methods import basic,"
        " digest; print([name for name in ('argon2', 'bcrypt', 'cryptography', 'sqlalchemy', 'sqlite3') if name in"
        " sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
