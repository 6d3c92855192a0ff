"""No room for temporary files: uploads that need some are refused, the rest goes on, and nothing is left over."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from client_app import STREAM, others_that_run, serve_client_app, status
from running_server import RunningServer, poll
from steady_load import SteadyLoad

pytestmark = pytest.mark.slow

MEMORY = 64 * 1024
ROOM = 4 * 1024 * 1024
NOISE = random.Random(7).randbytes(2 * ROOM)


class Site:
    """A server with little memory for bodies and little room for files; ``used`` is what these hold at the moment."""

    def __init__(self, server: RunningServer, used: Callable[[], int]) -> None:
        self.server, self.used = server, used

    def upload(self, size: int, *, chunked: bool = False) -> tuple[int, bool]:
        """Upload so many bytes; returns the status, and whether the app saw what was sent."""
        sent = NOISE[:size]
        pieces = [sent[at : at + 50_000] for at in range(0, size, 50_000)]
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            if chunked:
                connection.request("POST", "/mirror", iter(pieces), encode_chunked=True)
            else:
                connection.request("POST", "/mirror", sent)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has heard enough; what it says is there all the same
        try:
            answer = connection.getresponse()
            body = answer.read().decode()
            return answer.status, hashlib.sha256(sent).hexdigest() in body
        finally:
            connection.close()

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.server.pid}/fd").iterdir()))

    def is_empty(self) -> None:
        """Nothing of an upload is left; a reply comes before the file is closed."""
        poll(lambda: self.used() == 0, 30, lambda: f"{self.used()} is in use")

    def rests(self) -> bool:
        return not others_that_run(self.server) and set(status(self.server)["connections"]) <= {"running"}


def full_disk(folder: Path) -> Site:
    """A small file system, in a mount namespace that ends with the server."""
    temporary = folder / "temporary"
    temporary.mkdir()
    size = f"size={ROOM}"
    mount = [
        "unshare",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        f'mount -t tmpfs -o {size} none "$TMPDIR" && exec "$@"',
    ]
    if (
        shutil.which("unshare") is None
        or subprocess.run(
            [*mount, "sh", "true"], env={**os.environ, "TMPDIR": str(temporary)}, capture_output=True
        ).returncode
    ):
        pytest.skip("this machine lets nobody mount a file system of his own")
    server = serve_client_app(
        folder, before=[*mount, "sh"], env={"TMPDIR": str(temporary)}, body_memory=str(MEMORY), max_body=str(4 * ROOM)
    )

    def used() -> int:
        seen = os.statvfs(f"/proc/{server.pid}/root{temporary}")
        assert seen.f_blocks * seen.f_frsize == ROOM
        return (seen.f_blocks - seen.f_bfree) * seen.f_frsize

    return Site(server, used)


def short_files(folder: Path) -> Site:
    """A limit on how large the server's files may become, as ``ulimit -f`` sets it."""
    limit = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)"
    limit += "; os.execvp(sys.argv[2], sys.argv[2:])"
    server = serve_client_app(
        folder, before=[sys.executable, "-c", limit, str(ROOM)], body_memory=str(MEMORY), max_body=str(4 * ROOM)
    )

    def used() -> int:
        found = 0
        for each in Path(f"/proc/{server.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed since
                found += "deleted" in os.readlink(each)
        return found

    return Site(server, used)


@pytest.fixture(params=[full_disk, short_files], ids=["a full disk", "a limit on files"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    made: Site = request.param(tmp_path)
    try:
        yield made
        assert "Traceback" not in made.server.log()
        assert made.server.stop() == 0
    finally:
        made.server.kill()


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
def test_an_upload_for_which_there_is_no_room_is_refused(site: Site, chunked: bool) -> None:
    assert site.upload(ROOM // 2, chunked=chunked) == (200, True)
    assert site.upload(ROOM + 1, chunked=chunked) == (507, False)
    assert site.upload(2 * ROOM, chunked=chunked) == (507, False)
    assert site.upload(MEMORY, chunked=chunked) == (200, True)
    site.server.wait_for("refused 127.0.0.1 with 507")
    site.is_empty()
    assert site.upload(ROOM // 2, chunked=chunked) == (200, True)


def test_under_load_all_are_answered_rightly_or_refused(site: Site) -> None:
    assert site.upload(ROOM // 2) == (200, True)
    site.is_empty()
    descriptors = site.descriptors()
    sizes = [MEMORY // 2, ROOM // 3, ROOM // 2, 2 * ROOM]
    came: dict[int, Counter[tuple[int, bool]]] = {size: Counter() for size in sizes}
    todo = [(size, chunked) for size in sizes for chunked in (False, True)] * 12
    random.Random(3).shuffle(todo)
    with SteadyLoad(site.server.port, path="/stream") as load, ThreadPoolExecutor(12) as threads:
        outcomes = threads.map(lambda each: site.upload(each[0], chunked=each[1]), todo)
        for (size, _), outcome in zip(todo, outcomes, strict=True):
            came[size][outcome] += 1
    assert not load.failures
    assert set(load.answers) == {STREAM.decode("latin-1")}
    assert set(came[MEMORY // 2]) == {(200, True)}
    assert set(came[2 * ROOM]) == {(507, False)}
    assert set(came[ROOM // 2]) | set(came[ROOM // 3]) <= {(200, True), (507, False)}
    poll(site.rests, 30, lambda: f"something goes on: {status(site.server)}")
    poll(lambda: site.descriptors() <= descriptors, 30, lambda: f"{site.descriptors()} descriptors are open")
    site.is_empty()
    assert site.upload(ROOM // 2) == (200, True)
