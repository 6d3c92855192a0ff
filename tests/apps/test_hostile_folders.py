"""Folders and requests that somebody made to get at more than is served, or to use up what there is."""

from __future__ import annotations

import gzip
import os
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wheatpaste.apps.static import Static
from wheatpaste.config.options import OptionError
from wheatpaste.testing import Client

Make = Callable[..., Client]


@pytest.fixture(params=["live", "scan"])
def serve(request: pytest.FixtureRequest, client: Callable[..., Client], site: Path) -> Make:
    """A client of the folder, in both modes."""

    def make(**options: Any) -> Client:
        return client(Static(**{"mode": request.param, "root": (site,), **options}))

    return make


SIBLINGS = {
    "that is denied": {"deny": ("*.gz", "*.br")},
    "that is denied in other letters": {"deny": ("*.GZ", "APP.JS.BR")},
}


@pytest.mark.parametrize("options", SIBLINGS.values(), ids=list(SIBLINGS))
def test_a_compressed_sibling_does_not_answer(serve: Make, options: dict[str, Any]) -> None:
    response = serve(**options).get("/app.js", headers={"Accept-Encoding": "br, gzip"})
    assert response.status == 200
    assert "Content-Encoding" not in response.headers
    assert response.body == b"let x = 1;" * 20


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_a_compressed_sibling_that_is_no_file_inside_does_not_answer(
    serve: Make, site: Path, tmp_path: Path, kind: str
) -> None:
    outside = tmp_path / "outside.gz"
    outside.write_bytes(gzip.compress(b"SECRET"))
    sibling = site / "a.txt.gz"
    {
        "link": lambda: sibling.symlink_to(outside),
        "fifo": lambda: os.mkfifo(sibling),
        "folder": sibling.mkdir,
    }[kind]()
    response = serve().get("/a.txt", headers={"Accept-Encoding": "gzip"})
    assert (response.status, response.body) == (200, b"hello world")
    assert "Content-Encoding" not in response.headers


def test_a_file_swapped_for_a_link_between_two_looks_is_never_followed(
    site: Path, tmp_path: Path, client: Callable[..., Client]
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_bytes(b"SECRET")
    (site / "plain").write_bytes(b"public")
    (site / "link").symlink_to(secret)
    (site / "inside").mkdir()
    (site / "inside" / "secret.txt").write_bytes(b"public")
    (site / "outside").symlink_to(tmp_path)
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            for name in ("plain", "link"):
                os.link(site / name, site / "fresh", follow_symlinks=False)
                os.replace(site / "fresh", site / "target.txt")
                (site / "fresh").unlink(missing_ok=True)
            for name in ("inside", "outside"):
                os.symlink(name, site / "fresh")
                os.replace(site / "fresh", site / "folder")

    swapping = threading.Thread(target=swap)
    browser = client(Static(root=(site,)))
    swapping.start()
    try:
        seen = {browser.get(path).body for _ in range(400) for path in ("/target.txt", "/folder/secret.txt")}
    finally:
        done.set()
        swapping.join()
    assert b"public" in seen
    assert b"SECRET" not in seen


def test_what_clients_say_they_accept_is_not_kept_without_bound(serve: Make) -> None:
    browser = serve()
    browser.get("/app.js", headers={"Accept-Encoding": "gzip"})
    tracemalloc.start()
    try:
        for number in range(300):
            header = f"gzip;q=0.{number:03}," + "x" * 20_000
            assert browser.get("/app.js", headers={"Accept-Encoding": header}).status == 200
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


def test_a_catalogue_of_links_that_multiply_is_refused_while_live_goes_on(site: Path, client: Make) -> None:
    for number in range(30):
        (site / f"d{number}").mkdir()
        for name in ("left", "right"):
            (site / f"d{number}" / name).symlink_to(f"../d{number + 1}")
    (site / "d30").mkdir()
    with pytest.raises(OptionError, match="mode = live"):
        Static(root=(site,), mode="scan")
    assert client(Static(root=(site,))).get("/a.txt").status == 200


def test_a_catalogue_of_folders_without_end_is_refused_not_a_crash(site: Path) -> None:
    current = os.open(site, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=current)
        deeper = os.open("d", os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = deeper
    os.close(current)
    with pytest.raises(OptionError, match="mode = live"):
        Static(root=(site,), mode="scan")
