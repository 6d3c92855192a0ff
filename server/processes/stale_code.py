"""Which code of this process has changed on disk since it was imported: a process cannot import it anew."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from types import ModuleType


def changed_modules(since: float, modules: Iterable[ModuleType] | None = None) -> list[str]:
    """The files of imported modules that were written after ``since`` (seconds since 1970), sorted."""
    found = set()
    for module in list(sys.modules.values()) if modules is None else modules:
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path:
            try:
                if os.stat(path).st_mtime > since:
                    found.add(path)
            except OSError:  # it was removed, or lies in an archive
                continue
    return sorted(found)
