"""Waiting for sockets: epoll where there is one, ``selectors`` elsewhere, with one face.

Every method may be called from any thread while another one polls.
"""

from __future__ import annotations

import contextlib
import select
import selectors
import socket
import sys
import threading
from typing import Protocol

READ, WRITE = 1, 4
"""What to wait for; they are also what ``poll`` reports. Errors and hang-ups are reported as both."""


class Poller(Protocol):
    """Tells which of many descriptors can be read or written."""

    def watch(self, fd: int, mask: int) -> None:
        """Wait for ``mask`` on a descriptor that is not watched."""

    def change(self, fd: int, mask: int) -> None:
        """Wait for something else on a watched descriptor."""

    def forget(self, fd: int) -> None:
        """Stop watching; to be called before the descriptor is closed. Not watched is fine."""

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        """Wait at most ``timeout`` seconds, None for ever, and tell (descriptor, mask) of what is ready."""

    def wake(self) -> None:
        """Let ``poll`` return now."""

    def close(self) -> None:
        """Free what it holds."""


def make_poller(kind: str = "auto") -> Poller:
    """``epoll``, ``selectors``, or ``auto`` for the better one that this system has."""
    if kind == "selectors" or (kind == "auto" and not hasattr(select, "epoll")):
        return SelectorPoller()
    return EpollPoller()


class _WakeUp:
    """A socket pair, one end of which is watched."""

    def __init__(self) -> None:
        self.end, self._other = socket.socketpair()
        self.end.setblocking(False)
        self._other.setblocking(False)

    def call(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):  # full: there is enough to wake up for
            self._other.send(b"x")

    def answer(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):  # closed meanwhile, see ``poll``
            self.end.recv(4096)

    def close(self) -> None:
        """See ``Poller``."""
        self.end.close()
        self._other.close()


if sys.platform == "linux":

    class EpollPoller:
        """Level-triggered epoll: what is watched costs nothing while it is silent."""

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self._wake_up = _WakeUp()
            self._wake_fd = self._wake_up.end.fileno()
            self._epoll.register(self._wake_fd, READ)
            self.watch = self._epoll.register
            self.change = self._epoll.modify

        def forget(self, fd: int) -> None:
            """See ``Poller``."""
            with contextlib.suppress(OSError, ValueError):
                self._epoll.unregister(fd)

        def poll(self, timeout: float | None) -> list[tuple[int, int]]:
            """See ``Poller``."""
            try:
                events = self._epoll.poll(timeout, 256)
            except ValueError:
                return []  # closed meanwhile, by an end that did not wait for this thread
            for fd, _ in events:
                if fd == self._wake_fd:
                    self._wake_up.answer()
                    return [event for event in events if event[0] != fd]
            return events

        def wake(self) -> None:
            """See ``Poller``."""
            self._wake_up.call()

        def close(self) -> None:
            """See ``Poller``."""
            self._epoll.close()
            self._wake_up.close()

else:

    def EpollPoller() -> Poller:  # stands for the class where there is no epoll
        """Refuse what this system does not have."""
        raise ValueError("this system has no epoll")


class SelectorPoller:
    """The best that ``selectors`` finds: kqueue, devpoll, poll or select."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake_up = _WakeUp()
        self._wake_fd = self._wake_up.end.fileno()
        self._selector.register(self._wake_fd, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._wanted: dict[int, int] = {}
        self._changed: set[int] = set()
        self._polling = False

    def watch(self, fd: int, mask: int) -> None:
        """See ``Poller``."""
        self._want(fd, mask)

    def change(self, fd: int, mask: int) -> None:
        """See ``Poller``."""
        self._want(fd, mask)

    def forget(self, fd: int) -> None:
        """See ``Poller``."""
        # At once, and not at the next poll: by then the number may be that of another socket.
        with self._lock:
            self._wanted.pop(fd, None)
            self._changed.discard(fd)
            with contextlib.suppress(KeyError, ValueError, OSError):
                self._selector.unregister(fd)

    def _want(self, fd: int, mask: int) -> None:
        with self._lock:
            self._wanted[fd] = mask
            self._changed.add(fd)
            polling = self._polling
        if polling:
            self.wake()

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        """See ``Poller``."""
        with self._lock:
            for fd in self._changed:
                self._apply(fd)
            self._changed.clear()
            self._polling = True
        try:
            ready = self._selector.select(timeout)
        except (OSError, RuntimeError, ValueError, KeyError):
            # select() and the dictionary behind it do not like what is closed meanwhile: look again.
            ready = []
        finally:
            self._polling = False
        events = []
        for key, mask in ready:
            if key.fd == self._wake_fd:
                self._wake_up.answer()
            else:
                read = READ if mask & selectors.EVENT_READ else 0
                events.append((key.fd, read | (WRITE if mask & selectors.EVENT_WRITE else 0)))
        return events

    def _apply(self, fd: int) -> None:
        mask = self._wanted[fd]
        wanted = (selectors.EVENT_READ if mask & READ else 0) | (selectors.EVENT_WRITE if mask & WRITE else 0)
        try:
            if fd in self._selector.get_map():
                self._selector.modify(fd, wanted)
            else:
                self._selector.register(fd, wanted)
        except (OSError, ValueError, KeyError, TypeError):
            self._wanted.pop(fd, None)  # it was closed meanwhile, or the selector, which has no map then

    def wake(self) -> None:
        """See ``Poller``."""
        self._wake_up.call()

    def close(self) -> None:
        """See ``Poller``."""
        self._selector.close()
        self._wake_up.close()
