"""Source archives of other projects, fetched from the package index when a test wants them; none of it is kept here."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

from prerequisites import lacking


def unpacked(project: str, version: str, folder: Path) -> Path:
    """Unpack a project's sdist below ``folder`` and return where; the archive is kept in a cache folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wheatpaste-tests"
    archive = cache / f"{project}-{version}.tar.gz"
    if not archive.exists():
        cache.mkdir(parents=True, exist_ok=True)
        flags = ["--quiet", "--no-binary", ":all:", "--no-deps", "--no-build-isolation", "--dest", str(cache)]
        fetched = subprocess.run(
            [sys.executable, "-m", "pip", "download", *flags, f"{project}=={version}"],
            capture_output=True,
            text=True,
            timeout=110,
        )
        if not archive.exists():
            lacking(f"a package index that answers: {fetched.stderr[-300:]}")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / f"{project}-{version}"
