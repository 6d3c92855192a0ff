"""What one process of an app leaves to the next: where it lies, and who can get at it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from wheatpaste.protocol import shelf
from wheatpaste.protocol.shelf import OwnShelf, SharedShelf, Shelf, inherit, inherited, new_shelf


@pytest.fixture
def descriptor(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(shelf, "_inherited", None)
    made = new_shelf()
    yield made
    os.close(made)


@pytest.fixture(params=["own", "shared"])
def made(request: pytest.FixtureRequest, descriptor: int) -> Shelf:
    return OwnShelf() if request.param == "own" else SharedShelf(descriptor)


def test_a_new_shelf_is_empty(made: Shelf) -> None:
    assert made.read() == b""


def test_what_is_put_there_is_found_again(made: Shelf) -> None:
    made.change(lambda data: b"x" * 100_000)
    made.change(lambda data: data[:3] + b"y")
    assert made.read() == b"xxxy"


def test_a_change_that_fails_leaves_it_as_it_was(made: Shelf) -> None:
    made.change(lambda data: b"before")

    def fail(data: bytes) -> bytes:
        raise ValueError("as it does")

    with pytest.raises(ValueError, match="as it does"):
        made.change(fail)
    assert made.read() == b"before"
    made.change(lambda data: data + b" and after")
    assert made.read() == b"before and after"


def test_threads_do_not_come_between(made: Shelf) -> None:
    start = threading.Barrier(8)

    def add(number: int) -> None:
        start.wait(timeout=10)
        for _ in range(50):
            made.change(lambda data: data + b"x")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    assert made.read() == b"x" * 400


def run(code: str, *, pass_on: tuple[int, ...] = ()) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"from wheatpaste.protocol import shelf\nimport os\n{code}"],
        pass_fds=pass_on,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout.strip() + done.stderr


def test_the_next_process_finds_what_the_last_one_has_left(descriptor: int) -> None:
    left = f"shelf.inherit({descriptor}); shelf.inherited().change(lambda data: data + b'left')"
    assert run(left, pass_on=(descriptor,)) == ""
    assert run(left, pass_on=(descriptor,)) == ""
    assert SharedShelf(descriptor).read() == b"leftleft"


def test_processes_do_not_come_between(descriptor: int) -> None:
    code = f"""
from concurrent.futures import ThreadPoolExecutor
import subprocess, sys
def one(number):
    inner = ("from wheatpaste.protocol import shelf; shelf.inherit({descriptor})\\n"
             "for _ in range(200): shelf.inherited().change(lambda data: data + b'x')")
    subprocess.run([sys.executable, "-c", inner], pass_fds=({descriptor},), check=True)
with ThreadPoolExecutor(3) as pool: list(pool.map(one, range(3)))
"""
    assert run(code, pass_on=(descriptor,)) == ""
    assert SharedShelf(descriptor).read() == b"x" * 600


def test_a_forked_process_is_another_one_to_the_lock(descriptor: int) -> None:
    code = f"""
shelf.inherit({descriptor})
pids = []
for _ in range(3):
    pid = os.fork()
    if not pid:
        for _ in range(200): shelf.inherited().change(lambda data: data + b'x')
        os._exit(0)
    pids.append(pid)
print(all(os.waitpid(pid, 0)[1] == 0 for pid in pids), len(shelf.inherited().read()))
"""
    assert run(code, pass_on=(descriptor,)) == "True 600"


def test_programs_that_the_app_starts_do_not_get_it(descriptor: int) -> None:
    os.set_inheritable(descriptor, True)
    code = f"shelf.inherit({descriptor}); os.execlp('sh', 'sh', '-c', 'test -e /dev/fd/{descriptor} || echo gone')"
    assert run(code, pass_on=(descriptor,)) == "gone"


def test_it_has_no_name_in_any_folder(descriptor: int) -> None:
    assert os.fstat(descriptor).st_nlink == 0


def test_it_is_memory_where_the_system_has_such_files_and_a_removed_file_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    made = new_shelf()
    try:
        assert os.fstat(made).st_nlink == 0
        assert not os.get_inheritable(made)
        SharedShelf(made).change(lambda data: b"kept")
        assert SharedShelf(made).read() == b"kept"
    finally:
        os.close(made)


def test_a_process_that_was_given_none_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "_inherited", None)
    assert inherited() is None


def test_who_inherits_has_it(descriptor: int) -> None:
    inherit(descriptor)
    held = inherited()
    assert held is not None
    held.change(lambda data: b"mine")
    assert SharedShelf(descriptor).read() == b"mine"
