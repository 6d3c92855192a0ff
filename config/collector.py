"""The collector of garbage, told to wait.

Reading a configuration makes tens of thousands of objects that all stay, and the collector looks through them again and
again for what is not there: a quarter of the time of a large file.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def waiting() -> Iterator[None]:
    """Collect nothing in this block, which must be short: circles that it drops stay. Then go on as before.

    Blocks may stand inside each other: the outermost turns collection on again, if it was on.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
