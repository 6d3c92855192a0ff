"""Listening UNIX sockets: their files, who may connect to them, and the abstract ones that have no file."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import sys
from collections.abc import Iterable

from .addresses import Address, ListenError

Owner = tuple[int, int]
"""The numbers of a user and a group; -1 leaves one as it is, as ``os.chown`` has it."""


def read_owner(text: str) -> Owner:
    """Read ``user``, ``user:group`` or ``:group``, by name or number. Raises ``ValueError`` with a sentence."""
    user, _, group = text.strip().partition(":")
    if not user and not group:
        raise ValueError("must be user, user:group or :group, such as www-data:www-data")
    from .privileges import group_number, user_number  # what they stand on exists on POSIX alone

    return user_number(user) if user else -1, group_number(group) if group else -1


def open_unix(address: Address, path: str, *, backlog: int, permissions: int, owner: str | None) -> socket.socket:
    """Bind and listen on a path, or on an abstract name that begins with ``@``. Raises ``ListenError``.

    A file that a dead process left is replaced; anything else in the way is an error.
    """
    if path.startswith("@"):
        return _open_abstract(address, path, backlog)
    try:
        uid, gid = read_owner(owner) if owner is not None else (-1, -1)
    except ValueError as error:
        raise ListenError(
            address, f"cannot be given to {owner} ({error})", "name a user and a group of this machine"
        ) from error
    _make_room(address, path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The mode is there from the first moment; and nobody is let in before listen(), so the owner comes in time too.
    mask = os.umask(0o777 & ~permissions)
    try:
        listener.bind(path)
        if (uid, gid) != (-1, -1):
            os.chown(path, uid, gid, follow_symlinks=False)
        listener.listen(backlog)
    except OSError as error:
        bound = listener.getsockname() == path
        listener.close()
        if bound:
            with contextlib.suppress(OSError):
                os.unlink(path)
        raise _explained(address, error, owner) from error
    finally:
        os.umask(mask)
    return listener


def socket_file(listener: socket.socket) -> str | None:
    """The path of a UNIX socket; None for abstract ones, other families, and sockets that are closed."""
    if listener.fileno() < 0 or listener.family != socket.AF_UNIX:
        return None
    name = listener.getsockname()
    return name if isinstance(name, str) and name else None


def remove_socket_files(paths: Iterable[str]) -> None:
    """Remove the files of UNIX sockets that were closed, unless another process listens there now."""
    for path in paths:
        if not _is_alive(path):
            with contextlib.suppress(OSError):
                os.unlink(path)


def _open_abstract(address: Address, path: str, backlog: int) -> socket.socket:
    if sys.platform != "linux":
        raise ListenError(address, "is an abstract socket, which only Linux has", "write unix:/path")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind("\0" + path[1:])
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        raise _explained(address, error, None) from error
    return listener


def _make_room(address: Address, path: str) -> None:
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise ListenError(address, f"the folder {folder} does not exist", "create it, or choose another path")
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return  # nothing is there, or the bind says why not
    if not stat.S_ISSOCK(mode):
        raise ListenError(address, f"{path} exists and is no socket", "choose another path")
    if _is_alive(path):
        raise ListenError(address, f"{path} is in use by another process", "end that process first")
    with contextlib.suppress(OSError):
        os.unlink(path)  # left behind by a process that was killed


def _explained(address: Address, error: OSError, owner: str | None) -> ListenError:
    if error.errno == errno.EADDRINUSE:
        return ListenError(address, f"{address.path} is in use by another process", "end that process first")
    if error.errno == errno.EPERM and owner is not None:
        return ListenError(
            address, f"may not be given to {owner} by this user", "start as root, or name a group that this user is in"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ListenError(
            address,
            f"may not be created by this user ({error.strerror})",
            "choose a folder that this user may write to, or let systemd make one: RuntimeDirectory=site",
        )
    # "AF_UNIX path too long" is Python's own and has no number.
    return ListenError(address, error.strerror or str(error), "choose a shorter path" if error.errno is None else "")


def _is_alive(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True  # busy, or not ours to look at
        return True
