"""The collector of garbage waits while a configuration is read, and no longer."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wheatpaste.config.check import check_file
from wheatpaste.config.collector import waiting
from wheatpaste.config.composition import Composition


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    before = gc.isenabled()
    gc.enable()
    yield
    (gc.enable if before else gc.disable)()


def test_it_waits_until_the_outermost_block_ends() -> None:
    with waiting():
        with waiting():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_goes_on_after_an_error() -> None:
    with pytest.raises(LookupError), waiting():
        raise LookupError
    assert gc.isenabled()


def test_it_stays_off_where_it_was_off() -> None:
    gc.disable()
    with waiting():
        pass
    assert not gc.isenabled()


@pytest.mark.parametrize("read", [lambda path: Composition.load(f"config:{path}", collect=True), check_file])
def test_it_waits_while_a_file_is_read_and_goes_on_after(tmp_path: Path, read: Callable[[str], object]) -> None:
    path = tmp_path / "site.ini"
    apps = "".join(f"[app:a{number}]\npaste.app_factory = shop:make\nx = 1\n" for number in range(200))
    mounts = "".join(f"/{number} = a{number}\n" for number in range(200))
    path.write_text(f"{apps}[composite:main]\nuse = egg:wheatpaste#urlmap\n{mounts}")
    read(str(path))
    phases: list[str] = []
    threshold = gc.get_threshold()
    gc.callbacks.append(note := lambda phase, _: phases.append(phase))
    gc.set_threshold(100)
    try:
        read(str(path))
    finally:
        gc.callbacks.remove(note)
        gc.set_threshold(*threshold)
    assert phases.count("start") < 10
    assert gc.isenabled()
