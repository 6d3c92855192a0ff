"""The apps as a deployer names them, loaded by PasteDeploy itself and mounted by Paste's urlmap."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from paste.deploy import loadapp

from wheatpaste.config.problems import ConfigError
from wheatpaste.testing import Client

INI = """
    [composite:main]
    use = egg:Paste#urlmap
    /files = files
    /old = old
    /health = health
    /echo = echo

    [app:files]
    use = egg:wheatpaste#static
    root = public
        more files
    listing = true
    max_age = 1h

    [app:old]
    use = egg:wheatpaste#redirect
    to = /files
    keep_path = true

    [app:health]
    use = egg:wheatpaste#health
    checks = os:getpid
    timeout = 2s

    [app:echo]
    use = egg:wheatpaste#echo
    max_size = 1KB
"""


@pytest.fixture
def site(tmp_path: Path, write_ini: Callable[..., Path]) -> Client:
    for folder, name in (("public", "a.txt"), ("more files", "b.txt")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(name)
    return Client(loadapp(f"config:{write_ini(INI)}"), lint=True)


@pytest.mark.filterwarnings("ignore:pkg_resources:UserWarning", "ignore:pkg_resources:DeprecationWarning")
def test_all_of_them_work_below_a_mount(site: Client) -> None:
    assert site.get("/files/a.txt").text == "a.txt"
    assert site.get("/files/b.txt").headers["Cache-Control"] == "public, max-age=3600"
    assert site.get("/files").headers["Location"] == "./files/"
    assert site.get("/old/a.txt", follow=True).text == "a.txt"
    assert site.get("/health/readyz").text == "ok\n"
    assert "mounted at: /echo\n" in site.get("/echo/x").text
    assert site.get("/echo?size=2000").status == 400


def test_a_mistake_is_named_with_its_line(write_ini: Callable[..., Path]) -> None:
    path = write_ini(INI.replace("max_age = 1h", "max_age = soon"))
    (path.parent / "public").mkdir()
    (path.parent / "more files").mkdir()
    with pytest.raises(ConfigError) as caught:
        loadapp(f"config:{path}", name="files")
    (problem,) = caught.value.problems
    assert (problem.key, problem.section, problem.line) == ("max_age", "app:files", 13)
