"""The reloader: a parent that holds the sockets, watches the files and starts the app anew in a child.

The parent never imports the app. Connections that come while there is no child wait in the sockets' queues, so none is
refused; what does not start is answered by the child with a page that says why. The parent also holds the shelf on
which one child leaves things for the next.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..protocol.shelf import new_shelf
from .file_watch import FileWatch, Nudge
from .reload_child import VARIABLE

Listen = Callable[[list[socket.socket]], list[socket.socket]]
"""Given the sockets that are open, returns those that the configuration asks for now."""

_GRACE = 3.0
_SETTLE = 0.05


class Reloader:
    """Runs ``command`` again and again. ``say`` prints a line about what happens."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        listen: Listen,
        say: Callable[[str], object],
        ready: Callable[[], object] | None = None,
        interval: float = 1.0,
    ) -> None:
        self._command = list(command)
        self._listen = listen
        self._say = say
        self._ready = ready
        self._interval = interval
        self._watch = FileWatch()
        self._nudge = Nudge()
        self._shelf = new_shelf()
        self._sockets: list[socket.socket] = []
        self._folders: set[str] = set()
        self._stop = 0
        self._again = False

    def run(self) -> int:
        """Serve until SIGTERM or Ctrl-C; returns the exit code. SIGHUP starts the app anew."""
        wake_reading, wake_writing = os.pipe()
        for descriptor in (wake_reading, wake_writing):
            os.set_blocking(descriptor, False)
        handlers = {signal.SIGINT: self._on_stop, signal.SIGTERM: self._on_stop, signal.SIGHUP: self._on_again}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        signal.set_wakeup_fd(wake_writing, warn_on_full_buffer=False)
        try:
            return self._run(wake_reading)
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._nudge.close()
            os.close(self._shelf)
            for each in self._sockets:
                each.close()

    def _on_stop(self, number: int, frame: object) -> None:
        self._stop += 1

    def _on_again(self, number: int, frame: object) -> None:
        self._again = True

    def _run(self, wake: int) -> int:
        ending: int | None = None
        while not self._stop:
            # Apps write files into such folders; they only matter while something is missing.
            self._watch.forget(self._folders)
            self._folders.clear()
            self._sockets = self._listen(self._sockets)
            life = _Life(self._command, self._sockets, self._shelf, ending)
            try:
                ending = self._follow(life, wake)
            finally:
                life.end(_GRACE, lambda: self._stop > 1)
        return 130 if self._stop > 1 else 0

    def _follow(self, life: _Life, wake: int) -> int | None:
        """Wait until there must be a new child. Returns the old one's exit code if it ended by itself."""
        with selectors.DefaultSelector() as selector:
            for descriptor in (wake, life.report, self._nudge.reading):
                selector.register(descriptor, selectors.EVENT_READ)
            next_look = time.monotonic() + self._interval
            while not self._stop:
                for key, _ in selector.select(max(0.0, next_look - time.monotonic())):
                    if key.fd == wake:
                        with contextlib.suppress(BlockingIOError):
                            os.read(wake, 4096)
                    elif key.fd == self._nudge.reading:
                        self._nudge.clear()
                        next_look = 0.0
                    elif not self._hear(life):
                        selector.unregister(life.report)
                if self._again:
                    self._again = False
                    return None
                if time.monotonic() < next_look:
                    continue
                next_look = time.monotonic() + self._interval
                changed = self._changed()
                if changed:
                    self._settle()
                    self._say(f"{_names(changed)} changed: starting again")
                    return None
                code = life.code()
                if code is not None:
                    if life.ending is not None:  # even the page could not be served
                        self._say("waiting for a change")
                        self._wait_for_change(wake)
                        return None
                    return code
        return None

    def _wait_for_change(self, wake: int) -> None:
        while not self._stop and not self._again and not self._changed():
            with selectors.DefaultSelector() as selector:
                selector.register(wake, selectors.EVENT_READ)
                if selector.select(self._interval):
                    with contextlib.suppress(BlockingIOError):
                        os.read(wake, 4096)
        self._again = False

    def _hear(self, life: _Life) -> bool:
        """Take in what the child reports; False when it will report no more."""
        messages = life.messages()
        if messages is None:
            return False
        for message in messages:
            for path, stamp in (message.get("watch") or message.get("folders") or {}).items():
                self._watch.add(path, None if stamp is None else tuple(stamp))
            self._folders.update(message.get("folders", ()))
            if message.get("state") == "ready" and self._ready is not None:
                self._ready()
                self._ready = None
            if "state" in message:
                self._nudge.watch(self._watch.folders)
        return True

    def _settle(self) -> None:
        """Wait until whoever is writing (an editor, git) has finished, but not for long."""
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            time.sleep(_SETTLE)
            if not self._changed():
                return

    def _changed(self) -> list[str]:
        """The files that have changed, of which no compiled form is left."""
        found = self._watch.changed()
        for path in found:
            # Python takes it for current if the source has the same size and was written within the same second.
            if path.endswith(".py") and sys.implementation.cache_tag is not None:
                with contextlib.suppress(OSError):
                    os.unlink(importlib.util.cache_from_source(path))
        return found


class _Life:
    """One child process."""

    def __init__(self, command: list[str], sockets: Sequence[socket.socket], shelf: int, ending: int | None) -> None:
        self.ending = ending
        self.report, report_writing = os.pipe()
        lifeline_reading, self._lifeline = os.pipe()
        os.set_blocking(self.report, False)
        inherited = [each.fileno() for each in sockets]
        told = {
            "sockets": inherited,
            "report": report_writing,
            "lifeline": lifeline_reading,
            "shelf": shelf,
            "ending": ending,
        }
        self._rest = b""
        self._process = subprocess.Popen(
            command,
            env={**os.environ, VARIABLE: json.dumps(told)},
            pass_fds=[*inherited, report_writing, lifeline_reading, shelf],
        )
        os.close(report_writing)
        os.close(lifeline_reading)

    def code(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self._process.poll()

    def messages(self) -> list[dict[str, Any]] | None:
        """What it has reported since the last call, or None once it can report no more."""
        try:
            data = os.read(self.report, 1 << 20)
        except BlockingIOError:
            return []
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def end(self, grace: float, hurry: Callable[[], bool]) -> None:
        """End it: SIGTERM, and SIGKILL when it takes too long."""
        deadline = time.monotonic() + grace
        if self._process.poll() is None:
            self._process.terminate()
        while self._process.poll() is None and time.monotonic() < deadline and not hurry():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self.report)
        os.close(self._lifeline)


def _names(paths: Sequence[str]) -> str:
    first = os.path.relpath(paths[0]) if paths[0].startswith(os.getcwd() + os.sep) else paths[0]
    return first if len(paths) == 1 else f"{first} and {len(paths) - 1} more"
