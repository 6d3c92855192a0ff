"""``serve --reload``: the parent's side of it on the command line."""

from __future__ import annotations

import argparse
import gc
import socket
import sys
from contextlib import ExitStack

from ..config.problems import ConfigError
from .launch import Launch, Wishes
from .service import Service, open_browser, take_files
from .target import Target
from .terminal import Terminal


def supervise(options: argparse.Namespace, target: Target, wishes: Wishes, terminal: Terminal) -> int:
    """Hold the sockets and start the app anew whenever a file of it changes. Returns the exit code."""
    from ..server.reloader import Reloader

    gc.enable()
    sockets = _Sockets(target, wishes)
    command = [sys.executable, "-m", __package__.split(".")[0], "serve", *_own_words()]

    def ready() -> None:
        if options.browser and sockets.urls:
            open_browser(sockets.urls[0])

    service = Service(options, wishes, terminal)
    with ExitStack() as stack:
        code = take_files(service, stack, background=False)
        if code:
            return code
        reloader = Reloader(
            command,
            listen=sockets.listen,
            say=lambda text: terminal.line(terminal.paint(text, "dim")) if not options.quiet else None,
            ready=ready,
            interval=options.reload_interval,
        )
        stack.callback(sockets.close)
        return reloader.run()


def _own_words() -> list[str]:
    """What this process was told, for the child to be told the same."""
    words = sys.argv[1:]
    return words[1:] if words[:1] == ["serve"] else words


class _Sockets:
    """The sockets that the configuration asks for; the last ones stay while it is broken."""

    def __init__(self, target: Target, wishes: Wishes) -> None:
        self._target = target
        self._wishes = wishes
        self._asked: object = None
        self._files: tuple[str, ...] = ()
        self._open: list[socket.socket] = []
        self.urls: tuple[str, ...] = ()

    def listen(self, current: list[socket.socket]) -> list[socket.socket]:
        """The sockets for the next child: the same, or new ones where the configuration names other addresses."""
        from ..server.http_server import HTTPServer
        from ..server.listeners import close_listeners, socket_files

        launch = Launch(self._target, self._wishes)
        try:
            launch.load()
            listening = launch.listening()
        except ConfigError:
            if self._asked is not None:
                return current
            # The first child must be able to show what is wrong, at the address that most likely is meant.
            fallback = Launch(Target(text=self._target.text, module="none"), self._wishes)
            listening = fallback.listening()
        if listening.component is None:
            asked: object = "foreign"
        else:
            asked = (listening.addresses, listening.component.unix_socket_perms)
        if asked == self._asked:
            return current
        if self._asked is not None:
            close_listeners(current)
        self._open = listening.bind()
        self._asked = asked
        self._files = socket_files(self._open)
        component = listening.component or HTTPServer()
        self.urls = component.urls(self._open)
        return self._open

    def close(self) -> None:
        """Close them, and remove the files of UNIX sockets."""
        from ..server.listeners import close_listeners, remove_socket_files

        close_listeners(self._open)
        remove_socket_files(self._files)
