"""Run a ``__repr__`` that somebody else wrote, and wait for it only so long.

Code that hangs cannot be stopped inside its thread. So it runs in another one, while the thread of the request waits a
moment and then goes on without the answer. The thread that is left behind ends when its code does; at most a few of
them may hang in a process, then no foreign code is asked any more. An exception of any kind stays in that thread, so
that neither ``sys.exit`` nor ``KeyboardInterrupt`` of a repr can end the request; the interrupt that a person sends
reaches the main thread as ever.

No thread is there before the first such repr, and none for longer than its record is being made.
"""

from __future__ import annotations

import contextvars
import os
import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from time import perf_counter, thread_time
from typing import Any

from .classes import short_name

_MOST_HANGING = 4
_LEAST = 0.001  # seconds; with less nobody could answer
_QUICK = 0.02  # seconds; longer than that, an answer has been waited for

_hanging = 0
_hanging_kinds: dict[int, type] = {}  # classes whose code has not come back yet, which nobody asks again
_lock = threading.Lock()


class Unanswered(Exception):
    """There is no text; the message says why, in the words that are shown. ``hangs``: the code still runs."""

    def __init__(self, reason: str, *, hangs: bool = False) -> None:
        super().__init__(reason)
        self.hangs = hangs


class _Question:
    __slots__ = ("answer", "answered", "ask", "begun", "context", "cost", "fault", "given_up", "kind")

    def __init__(self, ask: Callable[[], Any], kind: type | None) -> None:
        self.ask = ask
        self.kind = kind
        # What the code finds in context variables is what the request's own thread has there.
        self.context = contextvars.copy_context()
        self.answered = threading.Lock()
        self.answered.acquire()
        self.answer: Any = None
        self.fault = ""
        self.begun: float | None = None
        """When its thread had its turn, on the clock of who waits."""
        self.cost = 0.0
        self.given_up = False


class Reader:
    """Asks foreign code for texts, in a thread of its own that ends with this object."""

    def __init__(self, seconds: float) -> None:
        """``seconds`` is how long all answers together may take, and each one a third of that.

        Where a machine is so busy that threads wait for their turn, it may become thrice as long: a quick answer costs
        what it took on the processor.
        """
        self._left = seconds
        self._each = seconds / 3
        self._patience = seconds * 3
        self._questions: SimpleQueue[_Question | None] | None = None
        self._farewell: weakref.finalize[..., Reader] | None = None

    @property
    def left(self) -> float:
        """How many seconds may still be spent."""
        return max(self._left, 0.0)

    def ask(self, code: Callable[[], Any], kind: type | None = None) -> str:
        """What the code returns, if that is a text. Raises :class:`Unanswered`.

        ``kind`` is the class whose code it is: while that hangs in another thread, it is not asked again.
        """
        if kind is not None and id(kind) in _hanging_kinds:
            raise Unanswered("its repr takes too long", hangs=True)
        if self._left < _LEAST or self._patience <= 0:
            raise Unanswered("no time was left")
        question = _Question(code, kind)
        began = perf_counter()
        try:
            self._put(question)
            in_time = self._wait(question, until=began + self._patience)
        finally:
            now = perf_counter()
            self._patience -= now - began
            took = now - (began if question.begun is None else question.begun)
            self._left -= question.cost if took < _QUICK else took
        if not in_time and not self._give_up(question):
            raise Unanswered("its repr takes too long", hangs=True)
        if question.fault:
            raise Unanswered(f"its repr raises {question.fault}")
        if not isinstance(question.answer, str):
            raise Unanswered("its repr is no text")
        return question.answer

    def _wait(self, question: _Question, until: float) -> bool:
        """Whether the answer comes in time, which begins with its thread's turn: a busy machine may put that off."""
        each = min(self._each, self._left)
        while not question.answered.acquire(timeout=each):
            if question.begun is not None or perf_counter() >= until:
                return False
        return True

    def _give_up(self, question: _Question) -> bool:
        """Leave the thread to itself. True if the answer has come in this very moment."""
        global _hanging
        with _lock:
            if question.answered.acquire(blocking=False):
                return True
            question.given_up = True
            _hanging += 1
            if question.kind is not None:
                _hanging_kinds[id(question.kind)] = question.kind
        self._end()
        return False

    def _put(self, question: _Question) -> None:
        if self._questions is None:
            if _hanging >= _MOST_HANGING:
                raise Unanswered("too many reprs hang")
            self._questions = SimpleQueue()
            thread = threading.Thread(
                target=_answer, args=(self._questions,), name="wheatpaste-errors-reader", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # no more threads, or the interpreter is ending
                self._questions = None
                self._left = 0.0
                raise Unanswered("no thread could be started") from None
            self._farewell = weakref.finalize(self, self._questions.put, None)
            self._farewell.atexit = False
        self._questions.put(question)

    def _end(self) -> None:
        if self._farewell is not None:
            self._farewell()  # its thread ends once its code has come back
            self._farewell = self._questions = None

    def close(self) -> None:
        """Let the thread end; another one is made if something is asked again."""
        self._end()


def _answer(questions: SimpleQueue[_Question | None]) -> None:
    global _hanging
    while (question := questions.get()) is not None:
        question.begun, began = perf_counter(), thread_time()
        try:
            question.answer = question.context.run(question.ask)
        except BaseException as fault:  # noqa: BLE001 - whatever foreign code raises, its own thread is where it ends
            question.fault = short_name(type(fault))
        question.cost = thread_time() - began
        with _lock:
            question.answered.release()
            if question.given_up:
                _hanging -= 1
                _hanging_kinds.pop(id(question.kind), None)
        del question


def _start_anew() -> None:
    """A child process has none of its parent's threads, and perhaps a lock that one of them held."""
    global _hanging, _lock
    _hanging = 0
    _hanging_kinds.clear()
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
