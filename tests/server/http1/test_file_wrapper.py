"""``wsgi.file_wrapper``: which files the system sends by itself, and which are read."""

from __future__ import annotations

import gzip
import io
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_in_thread import EngineInThread, engines

from wheatpaste.server.http1.file_wrapper import FileWrapper, IteratedFileWrapper


@pytest.fixture
def start() -> Iterator[Callable[..., EngineInThread]]:
    with engines(lambda: None) as make:
        yield make


def test_it_knows_what_is_left_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        file.read(4)
        assert FileWrapper(file).extent() == (file.fileno(), 4, 6)
    with path.open("rb", buffering=0) as file:
        assert FileWrapper(file).extent() == (file.fileno(), 0, 10)


def test_it_knows_temporary_files() -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"0123")
        file.flush()
        file.seek(1)
        assert FileWrapper(file).extent() == (file.fileno(), 1, 3)


def test_it_leaves_to_be_read_what_is_not_what_its_descriptor_holds(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"0123456789"))
    with gzip.open(path) as unpacked:
        assert FileWrapper(unpacked).extent() is None
    assert FileWrapper(io.BytesIO(b"0123")).extent() is None
    with path.open(encoding="latin-1") as text:
        assert FileWrapper(text).extent() is None
    with open("/dev/null", "rb") as device:
        assert FileWrapper(device).extent() is None


@pytest.mark.parametrize("sends", [True, False])
def test_a_server_sends_the_same_whether_the_system_may_send_it_or_not(
    start: Callable[..., EngineInThread], tmp_path: Path, sends: bool
) -> None:
    content = bytes(range(256)) * 4096
    path = tmp_path / "a"
    path.write_bytes(content)
    kinds: list[type] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        kinds.append(environ["wsgi.file_wrapper"])
        start_response("200 OK", [("Content-Length", str(len(content)))])
        return environ["wsgi.file_wrapper"](path.open("rb"))

    server = start(app, sendfile=sends)
    with urllib.request.urlopen("http://{}:{}/".format(*server.tcp), timeout=10) as reply:
        assert reply.read() == content
    assert kinds == [FileWrapper if sends else IteratedFileWrapper]
