"""The reloader's child: what it inherits, and what it tells its parent.

The parent gives it listening sockets, a pipe to report on, a pipe that closes when the parent is gone, and the shelf
with what the child before it has left. The child reports each file before it reads it, and the modules that it has
imported.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import site
import socket
import sys
import sysconfig
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from ..protocol.file_stamps import stamp_of
from ..protocol.shelf import inherit
from .failures import Failure, ending_of

VARIABLE = "WHEATPASTE_RELOAD"
_INTERVAL = 0.5


class ReloadChild:
    """One life of the app under the reloader."""

    def __init__(self, sockets: list[socket.socket], report: int, lifeline: int, ending: int | None) -> None:
        self.sockets = sockets
        self.ending = ending
        self._report = report
        self._lifeline = lifeline
        self._lock = threading.Lock()
        self._reporting = threading.Lock()
        """Whoever says that requests can come waits until a report is sent that another thread has begun."""
        self._known: set[str] = set()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> ReloadChild | None:
        """The child that the environment says this process is, or None. What it starts will not be taken for one."""
        text = environ.get(VARIABLE)
        if text is None:
            return None
        os.environ.pop(VARIABLE, None)
        told: dict[str, Any] = json.loads(text)
        for descriptor in (*told["sockets"], told["report"], told["lifeline"]):
            os.set_inheritable(descriptor, False)
        inherit(told["shelf"])
        sockets = [socket.socket(fileno=descriptor) for descriptor in told["sockets"]]
        return cls(sockets, told["report"], told["lifeline"], told["ending"])

    @property
    def last_failure(self) -> Failure | None:
        """How the app's process before this one ended by itself: then its page is to be served, not the app."""
        return None if self.ending is None else ending_of(self.ending)

    def start(self) -> None:
        """Report modules from now on, and end when the parent is gone."""
        threading.Thread(target=self._follow_modules, daemon=True, name="reload-modules").start()
        threading.Thread(target=self._follow_parent, daemon=True, name="reload-parent").start()

    def reading(self, path: str) -> None:
        """Report a file that is about to be read."""
        path = os.path.abspath(path)
        if path.endswith(".py") and _is_installed(path):
            return
        self._known.add(path)
        self._send({"watch": {path: stamp_of(path)}})

    def built(self) -> None:
        """Report what the app has imported, before anybody can have seen it answer and change it."""
        self._report_modules()

    def ready(self) -> None:
        """Report that requests can come."""
        self._report_modules()
        self._send({"state": "ready"})

    def failed(self, failure: Failure) -> None:
        """Report that the app does not run, and the files that may have to change for it to do so."""
        self._report_modules()
        # Those that were reported before they were read may have been mended meanwhile: their first stamp counts.
        unread = [path for path in map(os.path.abspath, failure.files) if path not in self._known]
        self._send({"watch": {path: stamp_of(path) for path in unread}})
        # A missing module may appear in any of these folders; their stamps change when it does.
        folders = {path or "." for path in sys.path if not _is_installed(path or ".")}
        self._send({"folders": {os.path.abspath(path): stamp_of(path) for path in folders}})
        self._send({"state": "failed"})

    def _follow_modules(self) -> None:
        pause = threading.Event()
        while not pause.wait(_INTERVAL):
            self._report_modules()

    def _follow_parent(self) -> None:
        with contextlib.suppress(OSError):
            while os.read(self._lifeline, 1):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    def _report_modules(self) -> None:
        fresh = {}
        with self._reporting:
            for path in _module_files():
                if path not in self._known:
                    self._known.add(path)
                    if not _is_installed(path):
                        fresh[path] = stamp_of(path)
            if fresh:
                self._send({"watch": fresh})

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        with self._lock, contextlib.suppress(OSError):  # the parent is gone; the lifeline ends this process
            while data:
                data = data[os.write(self._report, data) :]


def _module_files() -> Iterable[str]:
    for name, module in list(sys.modules.items()):
        if name.startswith(_OURS):
            continue
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path:
            yield os.path.abspath(path)


_OURS = f"{__name__.partition('.')[0]}."

_INSTALLED = tuple(
    {
        os.path.join(os.path.abspath(folder), "")
        for folder in (
            *site.getsitepackages(),
            site.getusersitepackages(),
            *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        )
    }
)


def _is_installed(path: str) -> bool:
    """Whether it belongs to Python or to an installed package, which nobody edits."""
    return os.path.join(os.path.abspath(path), "").startswith(_INSTALLED) or path.endswith(".zip")
