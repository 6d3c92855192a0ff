"""Root's rights, laid down for a while: so root, as whom CI runs, meets what every other user meets."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Callable, Iterator

import pytest

_VERSION_3 = 0x20080522  # of the structures that capset(2) takes


@contextlib.contextmanager
def ordinary_rights() -> Iterator[None]:
    """Within it this thread may do no more than the owner of root's files: no reading what its mode denies, no giving
    away, no port below 1024. For whoever is not root nothing changes.

    Only the effective capabilities go, see capabilities(7); the permitted ones stay, and bring them back.
    """
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("only on Linux can root lay down its rights and take them up again; run this as another user")
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)  # 0 is this thread
    # Twice effective, permitted and inheritable: the lower 32 of each, then the upper ones.
    before = (ctypes.c_uint32 * 6)()
    _call(libc.capget, header, before)
    _, permitted, inheritable, _, upper_permitted, upper_inheritable = before
    _call(libc.capset, header, (ctypes.c_uint32 * 6)(0, permitted, inheritable, 0, upper_permitted, upper_inheritable))
    try:
        yield
    finally:
        _call(libc.capset, header, before)


def _call(function: Callable[..., int], *arguments: object) -> None:
    if function(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
