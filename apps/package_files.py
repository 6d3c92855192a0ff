"""Folders that are shipped inside Python packages, as folders of the file system."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from pathlib import Path


def package_folder(package: str, resource: str) -> Path:
    """The folder ``resource`` (steps joined by ``/``) of an importable package. Raises ``ValueError`` with a phrase.

    What lies in a zip archive is unpacked into a temporary folder, which the end of the process removes.
    """
    steps = [step for step in resource.split("/") if step]
    if not steps or ".." in steps:
        raise ValueError("must be a folder below the package, such as static")
    try:
        found = resources.files(package)
    except (ImportError, TypeError, ValueError) as error:
        raise ValueError(f"is a folder of the package {package!r}, which cannot be imported ({error})") from error
    for step in steps:
        found = found.joinpath(step)
    if isinstance(found, Path):
        return found
    if not found.is_dir():
        raise ValueError(f"is no folder of the package {package!r}")
    unpacked = Path(tempfile.mkdtemp(prefix="wheatpaste-static-"))
    atexit.register(shutil.rmtree, unpacked, ignore_errors=True)
    _unpack(found, unpacked)
    return unpacked


def distribution_folder(distribution: str, resource: str) -> Path:
    """The folder ``resource`` counted from where a distribution's packages lie. Raises ``ValueError`` with a phrase."""
    try:
        installed = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        raise ValueError(f"is a folder of {distribution!r}, which is not installed") from None
    package, _, below = resource.strip("/").partition("/")
    if not below:
        # Without a folder this once meant everything that is installed beside the distribution.
        raise ValueError("must name a folder in a package of the distribution, such as mypackage/static")
    # By way of the import, because an editable installation has its packages elsewhere.
    if package in (installed.read_text("top_level.txt") or package).split():
        return package_folder(package, below)
    raise ValueError(f"begins with {package!r}, which is no package of {distribution!r}")


def _unpack(source: Traversable, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for each in source.iterdir():
        if each.is_dir():
            _unpack(each, target / each.name)
        else:
            (target / each.name).write_bytes(each.read_bytes())
