"""The one process of a service that has no parent: it takes up a new configuration beside the old one, and reports.

Its engine runs in the main thread, as ever; a thread beside it answers the operator and does what signals ask.

Signals: SIGHUP takes the configuration up anew and opens log files anew, SIGUSR1 does the latter alone. SIGUSR2
starts a new program that takes over. SIGTERM and SIGINT drain and end; a second one ends at once.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from ...protocol.wsgi import WSGIApp
from ..server_status import ServerStatus
from .askers import Askers, Reply
from .lines import Message
from .loop import Loop

if TYPE_CHECKING:
    from .engines import ChangeableEngine
    from .witness import Witness

log = logging.getLogger(__name__)

_PAUSE = 0.5
_LOOK = 0.1
"""Seconds between two looks whether requests still run in an app that was replaced."""


class Lone:
    """A process that serves without a parent.

    ``rebuild`` reads and checks the configuration and builds the app anew; whatever it raises refuses the reload. It is
    called in a thread of its own. ``retire`` is called, there too, with the app before it when no request runs in it
    any more; not with those that run until the end. ``reopen`` opens log files anew. ``terminal_gone`` tells whether a
    SIGHUP means that the terminal was closed, which ends the service. ``status`` belongs into the environ of each
    request.
    """

    def __init__(
        self,
        *,
        rebuild: Callable[[], WSGIApp],
        retire: Callable[[WSGIApp], object],
        witness: Witness,
        listening: Sequence[str],
        reopen: Callable[[], object],
        terminal_gone: Callable[[], bool] = lambda: False,
    ) -> None:
        self.status = ServerStatus(self._ask)
        self.loop = Loop()
        self._rebuild = rebuild
        self._retire = retire
        self._witness = witness
        self._addresses = listening
        self._reopen = reopen
        self._terminal_gone = terminal_gone
        self.upgrade: Callable[[], object] | None = None
        """Starts a new program beside this one; it ends with :meth:`hand_over`."""
        self._engine: ChangeableEngine
        self._state: Literal["starting", "serving", "reloading", "draining"] = "starting"
        self._born = time.time()
        self._generation = 1
        self._askers = Askers()
        self._belated: dict[int, object] = {}
        """Requests that run in apps that were replaced, by their ``id``."""
        self._progress: object = None
        self._progressed = 0.0
        self._over = False
        self._stops = 0
        self._interrupts = 0

    def ready(self) -> None:
        """Say that requests are answered. Any thread may call it."""
        self.loop.post(self._ready)

    def run(self, engine: ChangeableEngine) -> None:
        """Serve until the engine ends. The main thread calls this. Raises ``KeyboardInterrupt`` at a second Ctrl-C."""
        self._engine = engine
        before = {number: signal.signal(number, self._on_stop) for number in (signal.SIGTERM, signal.SIGINT)}
        self.loop.on_signal(signal.SIGHUP, self._hang_up)
        self.loop.on_signal(signal.SIGUSR1, self._reopen)
        self.loop.on_signal(signal.SIGUSR2, self._begin_upgrade)
        self.loop.every(1.0, self._tick)
        thread = threading.Thread(target=self._follow, daemon=True, name="wheatpaste-operator")
        thread.start()
        try:
            engine.run()
        finally:
            self.loop.post(self._end)
            thread.join(2.0)
            self.loop.close()
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._interrupts > 1:
            raise KeyboardInterrupt

    def engine_snapshot(self) -> Message:
        """What the engine is doing."""
        return self._engine.snapshot()

    def reload(self, *replies: Reply) -> None:
        """Take up the configuration anew; ``replies`` are told how that went."""
        if self._state == "draining":
            self._askers.wait(replies)
            self._askers.dismiss()
        elif self._state != "serving":
            self._askers.postpone(replies)
        else:
            self._askers.wait(replies)
            self._state = "reloading"
            self._witness.reloading()
            threading.Thread(target=self._take_up, daemon=True, name="wheatpaste-reload").start()

    def perform(self, command: str, message: Message, reply: Reply) -> None:
        """Do what an operator asks, and reply with ``ok`` and ``result``, or ``error``."""
        match command:
            case "status":
                reply({"ok": True, "result": self._snapshot()})
            case "stacks":
                from .stacks import stacks_of_threads

                reply({"ok": True, "result": {"processes": [{"pid": os.getpid(), "threads": stacks_of_threads()}]}})
            case "reload":
                self.reload(reply)
            case "drain":
                reply({"ok": True, "result": {"state": "draining"}})
                self.loop.post(self._drain)
            case "workers" if "number" not in message and "change" not in message:
                reply({"ok": True, "result": self._snapshot()})
            case "workers":
                reply({"ok": False, "error": "there is one process without a parent; set `workers` and restart"})
            case _:
                reply({"ok": False, "error": f"no such command: {command!r}"})

    def _take_up(self) -> None:
        try:
            old = self._engine.replace_app(self._rebuild())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever is wrong with it, the old one goes on
            from .reasons import reasons_of

            reasons = reasons_of(error)
            self.loop.post(lambda: self._taken_up(reasons))
            return
        self.loop.post(lambda: self._taken_up([]))
        self._retire_when_left(old)

    def _retire_when_left(self, old: WSGIApp) -> None:
        # Those that had begun before, but in this app and not in one that was replaced earlier.
        left = {id(each): each for each in self._engine.running if id(each) not in self._belated}
        self._belated.update(left)
        while left and not self._over:
            time.sleep(_LOOK)
            running = {id(each) for each in self._engine.running}
            for key in left.keys() - running:
                del left[key], self._belated[key]
        if not left:
            self._retire(old)

    def _taken_up(self, reasons: list[str]) -> None:
        reloading, self._state = self._state == "reloading", "draining" if self._state == "draining" else "serving"
        if reasons:
            lines = "\n".join(f"  {line}" for line in reasons)
            log.error("the new configuration cannot be served, and the old one goes on:\n%s", lines)
            self._askers.answer({"ok": False, "error": "\n".join(reasons)})
            if reloading:
                self._witness.refused()
        else:
            self._generation += 1
            self._askers.answer({"ok": True, "result": {"generation": self._generation}})
            if reloading:
                self._witness.reloaded(self._generation)
        self._continue()

    def _continue(self) -> None:
        replies = self._askers.take_postponed()
        if replies is not None:
            self.reload(*replies)

    def _snapshot(self) -> Message:
        from .snapshot import one_process

        return one_process(
            self._engine.snapshot(),
            state=self._state,
            generation=self._generation,
            started=self._born,
            listening=self._addresses,
            silent=round(self.loop.clock() - self._progressed, 3),
        )

    def _ready(self) -> None:
        self._state = "serving"
        self._progressed = self.loop.clock()
        self._witness.ready()
        self._continue()

    def _hang_up(self) -> None:
        if self._terminal_gone():
            self._drain()
        else:
            self._reopen()
            self.reload()

    def hand_over(self) -> None:
        """Finish the running requests and end, because another program serves."""
        self._state = "draining"
        self._engine.stop()

    def _begin_upgrade(self) -> None:
        if self.upgrade is not None and self._state == "serving":
            self.upgrade()
        else:
            log.warning("no new program is started while this one is %s", self._state)

    def _on_stop(self, number: int, frame: object) -> None:
        # Here and not on the loop, which may be busy: the main thread only waits for the engine.
        if number == signal.SIGINT:
            self._interrupts += 1
        self._stops += 1
        self._engine.stop(force=self._stops > 1)
        self.loop.post(self._drain)

    def _drain(self) -> None:
        if self._state != "draining":
            self._state = "draining"
            self._witness.stopping()
        self._engine.stop()

    def _tick(self) -> None:
        from .report import PROGRESS, report_of

        report = report_of(self._engine.snapshot())
        self._engine.poller.wake()  # an idle engine waits without end; whether it woke shows at the next tick
        now = self.loop.clock()
        before, self._progress = self._progress, report.pop("progress")
        if self._progress != before or self._progress is None:
            self._progressed = now
        if self._state in ("serving", "reloading") and now - self._progressed < PROGRESS:
            self._witness.alive(report)

    def _follow(self) -> None:
        while not self._over:
            try:
                self.loop.turn()
            except Exception:  # the operator's side must not end what serves
                log.exception("a command or a signal could not be obeyed")
                time.sleep(_PAUSE)

    def _end(self) -> None:
        if self._state != "draining":
            self._state = "draining"
            self._witness.stopping()
        self._over = True

    def _ask(self, command: str, patience: float) -> Message | None:
        done = threading.Event()
        answer: list[Message] = []

        def reply(message: Message) -> None:
            answer.append(message)
            done.set()

        self.loop.post(lambda: self.perform(command, {}, reply))
        done.wait(patience)
        return answer[0] if answer else None
