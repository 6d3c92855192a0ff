"""Files that commands write for a deployer: whole or not at all, and never over what is there without a word."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile


def complaint_about(target: Path, *, force: bool) -> str | None:
    """Why the file cannot be written there, or None. ``force`` allows what exists to be overwritten."""
    if target.is_dir():
        return f"{target} is a folder; name a file in it"
    if not target.parent.is_dir():
        return f"there is no folder {target.parent}"
    if target.exists() and not force:
        return f"{target} exists; --force overwrites it"
    return None


def write_file(target: Path, text: str, *, private: bool = False) -> None:
    """Write the whole file or nothing of it; a ``private`` one for its owner alone. Raises ``OSError``."""
    with NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, prefix=f".{target.name}.", delete=False) as new:
        try:
            new.write(text)
            new.flush()
            if not private:
                _share(new.name)
            os.replace(new.name, target)
        except OSError:
            with suppress(OSError):
                os.unlink(new.name)
            raise


def _share(path: str) -> None:
    """Give a temporary file, which its owner alone can read, the rights that a new file usually has."""
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(path, 0o666 & ~mask)
