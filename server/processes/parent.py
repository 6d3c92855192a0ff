"""The parent process: it holds the sockets, and starts, watches and replaces the workers that answer.

It never answers a request and imports nothing of the app. It has one thread, so that it may fork.

Signals: SIGHUP takes up the configuration and the code anew, SIGTERM and SIGINT drain and end (a second one at once),
SIGQUIT ends now, SIGUSR1 opens log files anew, SIGUSR2 starts a new program that takes over, SIGTTIN and SIGTTOU ask
for a worker more or less.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable
from typing import Literal

from ...config.built import PATIENCE
from ..listeners import close_listeners, remove_socket_files, socket_files
from .askers import Askers, Reply
from .backoff import Backoff
from .child import Child, how_it_ended
from .desk import Desk
from .forking import fork_worker
from .generation import Generation
from .health import Health
from .lines import Lines, Message
from .loop import Loop
from .reasons import reasons_of
from .replacement import next_steps
from .witness import Witness

log = logging.getLogger(__name__)

Plan = Callable[[Generation], Generation]
"""Reads and checks the configuration and opens its sockets, for the generation after this one, whose sockets it keeps
where the addresses are the same. Raises ``ConfigError`` for what is wrong."""

_MOST_FAILURES = 5
_REAPING = 2.0
"""Seconds to wait for killed workers: until they are gone, they have the sockets open."""
_MARGIN = PATIENCE + 5.0
"""Seconds in which a worker must have ended, and closed its app, when its requests are finished or given up."""
_SIGNALS = (
    signal.SIGCHLD,
    signal.SIGHUP,
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
)


class Parent:
    """Keeps the workers of a site running, from the ``first`` generation to the last.

    ``plan`` makes each further generation. ``reopen`` opens the log files of this process anew; workers call it too.
    ``in_child`` is called in each new process before anything else: it lets go of what is the parent's alone.
    ``terminal_gone`` tells whether a SIGHUP means that the terminal was closed, which ends the service.
    """

    def __init__(
        self,
        first: Generation,
        plan: Plan,
        *,
        witness: Witness,
        reopen: Callable[[], object],
        in_child: Callable[[], object],
        terminal_gone: Callable[[], bool] = lambda: False,
        loop: Loop | None = None,
    ) -> None:
        self.loop = Loop() if loop is None else loop
        self.current = first
        self.wanted = first.habits.workers
        self._plan = plan
        self._witness = witness
        self._reopen = reopen
        self.upgrade: Callable[[], object] | None = None
        """Starts a new program beside this one; it ends with :meth:`hand_over`."""
        self._in_child = in_child
        self._terminal_gone = terminal_gone
        self.children: dict[int, Child] = {}
        self._backoff = Backoff()
        self.desk = Desk(self)
        self._health = Health(self.loop.clock)
        self.state: Literal["starting", "serving", "reloading", "draining"] = "starting"
        self.born = time.time()
        self._candidate: Generation | None = None
        self._announced = False
        self._askers = Askers()
        self._interrupts = 0
        self._code: int | None = None
        self._files: set[str] = set()

    def run(self) -> int:
        """Serve until told to end; returns the exit code. The main thread calls this, once."""
        for number, callback in (
            (signal.SIGCHLD, self._reap),
            (signal.SIGHUP, self._hang_up),
            (signal.SIGTERM, self.stop),
            (signal.SIGINT, self._interrupt),
            (signal.SIGQUIT, self._quit),
            (signal.SIGUSR1, self._reopen_logs),
            (signal.SIGUSR2, self._begin_upgrade),
            (signal.SIGTTIN, lambda: self.want(self.wanted + 1)),
            (signal.SIGTTOU, lambda: self.want(self.wanted - 1)),
        ):
            self.loop.on_signal(number, callback)
        self.loop.every(1.0, self._tick)
        try:
            self._follow()
        finally:
            self._kill_the_rest()
            remove_socket_files(self._files)
            self.loop.close()
        return self._code or 0

    def _kill_the_rest(self) -> None:
        for child in self.children.values():
            child.signal(signal.SIGKILL)
            if child.lines is not None:
                child.lines.close()
        late = self.loop.clock() + _REAPING
        while self.children and self.loop.clock() < late:
            for pid in list(self.children):
                with contextlib.suppress(ChildProcessError):
                    if os.waitpid(pid, os.WNOHANG)[0] == 0:
                        continue
                del self.children[pid]
            time.sleep(0.005)

    def _follow(self) -> None:
        failures = 0
        while self._code is None:
            try:
                self.loop.turn(self._settle())
                failures = 0
            except Exception:
                # The workers serve; a mistake here must not end them. One that comes again at once will not go away.
                failures += 1
                if failures > _MOST_FAILURES:
                    raise
                log.exception("the parent process failed, and goes on")

    def hand_over(self) -> None:
        """Drain all workers and end, because another program serves."""
        self._drain()

    def stop(self) -> None:
        """Drain all workers and end. A second time: without waiting for their requests."""
        if self.state == "draining":
            for child in self.children.values():
                child.hurry(self.loop.clock(), 2.0)
            return
        self._witness.stopping()
        self._drain()

    def _drain(self) -> None:
        now, grace = self.loop.clock(), self._grace
        self.state = "draining"
        self._askers.dismiss()
        # Closed here first: while one process has a socket open, clients are put into its queue.
        for generation in (self.current, self._candidate):
            self._let_go(() if generation is None else generation.sockets)
        for child in self.children.values():
            child.drain(now, grace)

    def reload(self, *replies: Reply) -> None:
        """Take up the configuration and the code anew; ``replies`` are told how that went."""
        if self.state == "draining":
            self._askers.wait(replies)
            self._askers.dismiss()
        elif self._candidate is not None or not (self._announced or self._any_ready()):
            self._askers.postpone(replies)
        else:
            self._tell_taken_up()  # of the one before, which may still be replacing workers
            self._askers.wait(replies)
            self.state = "reloading"
            self._witness.reloading()
            try:
                self._candidate = self._plan(self.current)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with the new one, the old one goes on
                self._refuse(reasons_of(error))
            else:
                self._start(self._candidate)

    def want(self, number: int) -> None:
        """Have so many workers, at least one, until the next reload."""
        self.wanted = max(1, number)
        log.info("%d workers are wanted", self.wanted)

    # -- what becomes of the workers --

    def _settle(self) -> float | None:
        """Start and drain what is due; returns after how many seconds to look again, if that is known."""
        if self.state == "draining":
            if not self.children:
                self._code = 130 if self._interrupts > 1 else 0
            return None
        mine = [child for child in self.children.values() if child.generation is not self._candidate]
        steps = next_steps(mine, self.current, self.wanted)
        now = self.loop.clock()
        for child in steps.drain:
            child.drain(now, self._grace)
        if steps.start:
            wait = self._backoff.left(now)
            if wait:
                return wait
            for _ in range(1 if self._backoff.failures else steps.start):
                self._start(self.current)
        elif self._is_complete():
            self._completed()
        return None

    def _any_ready(self) -> bool:
        return any(child.state == "ready" for child in self.children.values())

    def _is_complete(self) -> bool:
        ready = [child for child in self.children.values() if child.generation is self.current and child.is_serving]
        others = [child for child in self.children.values() if child.generation is not self.current]
        return len(ready) >= self.wanted and all(child.state == "draining" for child in others)

    def _completed(self) -> None:
        state, self.state = self.state, "serving"
        if not self._announced:
            self._announced = True
            self._witness.ready()
        elif state == "reloading":
            self._witness.reloaded(self.current.number)
        if state == "reloading":
            self._tell_taken_up()
        self._reload_again()

    def _start(self, generation: Generation) -> None:
        """Fork a worker."""
        try:
            pid, stream = fork_worker(generation, _SIGNALS, lambda: self._let_go_in_child(generation), self._reopen)
        except OSError as error:
            wait = self._backoff.ended(self.loop.clock(), 0.0)
            log.error("no worker can be started (%s); the next try is in %g seconds", error.strerror, wait)
            if generation is self._candidate:
                self._refuse([f"no worker can be started ({error.strerror})"])
            return
        child = Child(pid, generation, self.loop.clock())
        child.lines = Lines(
            stream, self.loop, lambda message: self._heard(child, message), lambda: self._cut_off(child)
        )
        self.children[pid] = child

    def _let_go_in_child(self, generation: Generation) -> None:
        """Close in a worker of that generation what is this process's, its siblings' and other generations'."""
        self.loop.abandon()
        for sibling in self.children.values():
            if sibling.lines is not None:
                sibling.lines.abandon()
        self._in_child()
        for other in (self.current, self._candidate):
            for each in () if other is None else other.sockets:
                if each not in generation.sockets:
                    each.close()

    def _heard(self, child: Child, message: Message) -> None:
        child.heard = self.loop.clock()
        match message.get("say"):
            case "alive":
                child.take_report(message.get("report") or {}, self.loop.clock())
            case "ready":
                if child.state == "starting":
                    child.state, child.ready_since = "ready", self.loop.clock()
                if child.generation is self._candidate:
                    self._promote(self._candidate)
            case "failed":
                child.failure = message
            case "draining":
                if child.state != "draining":
                    log.info("worker %d was told to end by somebody else", child.pid)
                    child.drain(self.loop.clock(), self._grace)
            case "replace":
                self._replace(child, str(message.get("why")))
            case "answer":
                self.desk.answered(child.pid, message)
            case "ask":
                number = message.get("id")
                self.desk.perform(
                    str(message.get("command")),
                    {},
                    lambda answer: child.say(do="answer", id=number, **{"is": answer}),
                )

    def _replace(self, child: Child, why: str) -> None:
        if child.leaving is None and child.state == "ready":
            child.leaving = why
            log.info("worker %d is replaced: %s", child.pid, why)

    def _cut_off(self, child: Child) -> None:
        """A worker whose end of the socket is closed is at its end, or cannot be told what to do."""
        child.deadline = min(self.loop.clock() + _MARGIN, child.deadline or float("inf"))

    def _reap(self) -> None:
        for child in list(self.children.values()):
            try:
                pid, status = os.waitpid(child.pid, os.WNOHANG)
            except ChildProcessError:  # somebody else waited for it
                pid, status = child.pid, 0
            if pid:
                self._ended(child, status)

    def _ended(self, child: Child, status: int) -> None:
        if child.lines is not None:
            child.lines.hear_all()
            child.lines.close()
        del self.children[child.pid]
        self.desk.gone(child.pid)
        if self._code is not None:  # it is over, and why was said
            return
        if child.state == "draining":
            log.debug("worker %d %s", child.pid, how_it_ended(status))
            return
        reason = child.failure["title"] if child.failure is not None else how_it_ended(status)
        now = self.loop.clock()
        if child.generation is self._candidate:
            self._refuse(
                str(child.failure["text"]).splitlines()
                if child.failure is not None
                else [f"its first worker {how_it_ended(status)}"]
            )
        elif not self._announced and child.state == "starting" and not self._any_ready():
            # Nothing has served yet: whoever started this is still there to read why.
            text = child.failure["text"] if child.failure is not None else f"the first worker {how_it_ended(status)}"
            self._witness.failed(text)
            self._code = int(child.failure["code"]) if child.failure is not None else 1
        else:
            self._note_end(child, reason, self._backoff.ended(now, child.served(now)))

    def _note_end(self, child: Child, reason: str, wait: float) -> None:
        failures = self._backoff.failures
        if failures <= 1:
            log.warning("worker %d ended (%s); another one takes its place", child.pid, reason)
        elif failures == 2:
            log.error("workers keep ending (%s); they are started ever more slowly until one stays", reason)
        else:
            log.debug("worker %d ended (%s); the next one starts in %g seconds", child.pid, reason, wait)

    # -- generations --

    def _promote(self, candidate: Generation) -> None:
        old, self.current, self._candidate = self.current, candidate, None
        self.wanted = candidate.habits.workers
        self._backoff = Backoff()
        self._let_go(each for each in old.sockets if each not in candidate.sockets)

    def _refuse(self, reasons: list[str]) -> None:
        """Leave the candidate; the current generation goes on."""
        refused, self._candidate = self._candidate, None
        if refused is not None:
            self._let_go(each for each in refused.sockets if each not in self.current.sockets)
        self.state = "serving" if self._announced else "starting"
        text = "\n".join(f"  {line}" for line in reasons)
        log.error("the new configuration cannot be served, and the old one goes on:\n%s", text)
        self._askers.answer({"ok": False, "error": "\n".join(reasons)})
        self._witness.refused()
        self.loop.post(self._reload_again)

    def _let_go(self, sockets: Iterable[socket.socket]) -> None:
        closing = list(sockets)
        # Workers may still listen there; what is left of the files is removed at the end.
        self._files.update(socket_files(closing))
        close_listeners(closing)

    def _reload_again(self) -> None:
        replies = self._askers.take_postponed()
        if replies is not None:
            self.reload(*replies)

    def _tell_taken_up(self) -> None:
        self._askers.answer({"ok": True, "result": {"generation": self.current.number}})

    @property
    def _grace(self) -> float:
        return self.current.habits.drain + _MARGIN

    # -- signals and time --

    def _hang_up(self) -> None:
        if self._terminal_gone():
            self.stop()
        else:
            self._reopen_logs()
            self.reload()

    def _interrupt(self) -> None:
        self._interrupts += 1
        self.stop()

    def _quit(self) -> None:
        self._code = 0

    def _begin_upgrade(self) -> None:
        if self.upgrade is not None and self.state == "serving":
            self.upgrade()
        else:
            log.warning("no new program is started while this one is %s", self.state)

    def _reopen_logs(self) -> None:
        self._reopen()
        for child in self.children.values():
            child.signal(signal.SIGUSR1)

    def _tick(self) -> None:
        now = self.loop.clock()
        for child, why in self._health.look(self.children.values()):
            self._replace(child, why)
        if self.state == "draining":
            return
        fresh = [child for child in self.children.values() if child.generation is self.current]
        if fresh and all(child.is_healthy(now) for child in fresh) and self._backoff.healthy():
            log.info("workers serve again")
        if any(child.is_progressing(now) for child in self.children.values()):
            self._witness.alive(self.desk.totals())
