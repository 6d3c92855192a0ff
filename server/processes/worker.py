"""A worker process from inside: it serves, says that it goes on, and does what its parent asks."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..server_status import ServerStatus
from .lines import Lines, Message
from .loop import Loop
from .report import report_of
from .stacks import stacks_of_threads

if TYPE_CHECKING:
    from .engines import Engine

log = logging.getLogger(__name__)

BEAT = 1.0
"""Seconds between two reports to the parent."""

_PATIENCE = 5.0
_PAUSE = 0.5


class Worker:
    """This process, as one of several. :meth:`start` it, then build what serves, then :meth:`run` that."""

    def __init__(self, stream: socket.socket, reopen: Callable[[], object]) -> None:
        self.status = ServerStatus(self._ask)
        self._loop = Loop()
        self._lines = Lines(stream, self._loop, self._heard, self._orphaned)
        self._reopen = reopen
        self._engine: Engine | None = None
        self._draining = False
        self._told = False
        self._questions: dict[int, tuple[threading.Event, list[Message]]] = {}
        self._number = 0
        self._lock = threading.Lock()

    def start(self) -> None:
        """Handle signals as a worker does, and report to the parent from now on. The main thread calls this."""
        # Ctrl-C and a closed terminal reach the whole group of processes: what follows is the parent's decision.
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, lambda *_: None)  # SIG_IGN would be handed on to programs that the app starts
        signal.signal(signal.SIGTERM, lambda *_: self._loop.post(self.drain))
        signal.signal(signal.SIGUSR1, lambda *_: self._loop.post(self._reopen))
        if not faulthandler.is_enabled():
            faulthandler.enable()  # SIGABRT, by which the parent ends a worker that is stuck, shows where
        self._loop.every(BEAT, self._beat)
        threading.Thread(target=self._follow, daemon=True, name="wheatpaste-link").start()

    def ready(self) -> None:
        """Say that requests are answered. Any thread may call it."""
        self._loop.post(self._ready)

    def failed(self, title: str, text: str, code: int) -> None:
        """Say why this process cannot serve, and wait until that was sent."""
        sent = threading.Event()

        def send() -> None:
            self._lines.send({"say": "failed", "title": title, "text": text, "code": code})
            self._until_idle(sent)

        self._loop.post(send)
        sent.wait(_PATIENCE)

    def run(self, engine: Engine) -> None:
        """Serve until the parent (or SIGTERM) ends it and the running requests did."""
        self._engine = engine
        if self._draining:  # it was told so while it was being built
            return
        engine.run()

    def engine_snapshot(self) -> Message:
        """What the engine is doing, once there is one."""
        return {"threads": []} if self._engine is None else self._engine.snapshot()

    def drain(self) -> None:
        """Take no more connections, and end after the running requests."""
        self._draining = True
        self._lines.send({"say": "draining"})
        if self._engine is not None:
            self._engine.stop()

    def _ready(self) -> None:
        self._lines.send({"say": "ready"})
        self._beat()

    def _until_idle(self, sent: threading.Event) -> None:
        if self._lines.idle:
            sent.set()
        else:
            self._loop.after(0.02, lambda: self._until_idle(sent))

    def _follow(self) -> None:
        while True:
            try:
                self._loop.turn()
            except Exception:  # without this thread the process would be killed as one that is stuck
                log.exception("the link to the parent process failed, and goes on")
                time.sleep(_PAUSE)

    def _beat(self) -> None:
        engine = self._engine
        report = {} if engine is None else report_of(engine.snapshot())
        self._lines.send({"say": "alive", "report": report})
        if engine is not None and not self._draining:
            engine.poller.wake()  # an idle engine waits without end; whether it woke shows in the next report
        reason = None if engine is None else engine.wants_replacement
        if reason and not self._told:
            self._told = True
            self._lines.send({"say": "replace", "why": reason})

    def _heard(self, message: Message) -> None:
        match message.get("do"):
            case "drain":
                self.drain()
            case "force":
                if self._engine is None:
                    os._exit(0)
                self._engine.stop(force=True)
            case "status":
                engine = self._engine
                found = None if engine is None else engine.snapshot()
                self._lines.send({"say": "answer", "id": message["id"], "is": found})
            case "stacks":
                self._lines.send({"say": "answer", "id": message["id"], "is": stacks_of_threads()})
            case "answer":
                question = self._questions.pop(message["id"], None)
                if question is not None:
                    question[1].append(message["is"])
                    question[0].set()

    def _orphaned(self) -> None:
        """The parent is gone, and with it everybody who could end or replace this process."""
        if self._engine is None:
            os._exit(1)
        self._engine.stop()

    def _ask(self, command: str, patience: float) -> Message | None:
        """Ask the parent; None where it does not answer in time. Any thread but the link's own may ask."""
        done = threading.Event()
        answer: list[Message] = []
        with self._lock:
            self._number += 1
            number = self._number
            self._questions[number] = (done, answer)
        self._loop.post(lambda: self._lines.send({"say": "ask", "id": number, "command": command}))
        done.wait(patience)
        with self._lock:
            self._questions.pop(number, None)
        return answer[0] if answer else None
