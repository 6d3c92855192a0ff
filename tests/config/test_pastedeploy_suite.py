"""PasteDeploy's own published tests, run against our loader.

The sdist is fetched from the package index at test time and kept in a cache folder; nothing of it is in this
repository.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import textwrap
from pathlib import Path

import pytest
from prerequisites import lacking

pytestmark = pytest.mark.slow

VERSION = "3.1.0"

REPAIRS = {
    "tests/test_config.py::test_interpolate_exception": (
        "wants messages to begin with 'Error in file PATH'; ours begin with 'PATH:LINE:'"
    ),
}

CONFTEST = """
    import sys

    import paste.deploy
    import paste.deploy.config, paste.deploy.converters, paste.deploy.util
    from wheatpaste.config import loadwsgi

    for name in ("loadapp", "loadfilter", "loadserver", "appconfig"):
        setattr(paste.deploy, name, getattr(loadwsgi, name))
    paste.deploy.loadwsgi = loadwsgi
    sys.modules["paste.deploy.loadwsgi"] = loadwsgi
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite, unpacked, with a conftest that puts our module in place of PasteDeploy's."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wheatpaste-tests"
    archive = cache / f"PasteDeploy-{VERSION}.tar.gz"
    if not archive.exists():
        cache.mkdir(parents=True, exist_ok=True)
        source = f"PasteDeploy=={VERSION}"
        flags = ["--quiet", "--no-binary", ":all:", "--no-deps", "--no-build-isolation", "--dest", str(cache)]
        fetched = subprocess.run(
            [sys.executable, "-m", "pip", "download", *flags, source], capture_output=True, text=True, timeout=110
        )
        for found in cache.glob("*.tar.gz"):
            if found.name.lower() == archive.name.lower() and found != archive:
                found.rename(archive)
        if not archive.exists():
            lacking(f"a package index that answers: {fetched.stderr[-300:]}")
    folder = tmp_path_factory.mktemp("suite")
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "unpacked", filter="data")
    (tests,) = (folder / "unpacked").glob("*/tests")
    shutil.copytree(tests, folder / "tests")
    (folder / "conftest.py").write_text(textwrap.dedent(CONFTEST))
    return folder


def run(suite: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=suite, capture_output=True, text=True, timeout=110)
    return done.stdout + done.stderr


def test_it_passes_but_for_the_repairs(suite: Path) -> None:
    output = run(suite, "tests", *(f"--deselect={name}" for name in REPAIRS))
    passed = re.search(r"(\d+) passed", output)
    assert "failed" not in output, output
    assert "error" not in output, output
    assert passed is not None, output
    assert int(passed[1]) == 26, output


@pytest.mark.parametrize("name", REPAIRS, ids=list(REPAIRS.values()))
def test_a_listed_repair_still_differs(suite: Path, name: str) -> None:
    assert "1 failed" in run(suite, name)


def test_it_would_notice_if_the_suite_ran_against_something_else(suite: Path) -> None:
    probe = "import conftest, paste.deploy; print(paste.deploy.loadapp.__module__)"
    done = subprocess.run([sys.executable, "-c", probe], cwd=suite, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "wheatpaste.config.loadwsgi"
