"""Who has asked for a reload and waits to be told how it went."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .lines import Message

Reply = Callable[[Message], object]


class Askers:
    """Those of the reload that is under way, and those of the next one: what they mean came after its files were read.

    A signal asks, too, but waits for no answer.
    """

    def __init__(self) -> None:
        self._waiting: list[Reply] = []
        self._postponed: list[Reply] | None = None

    def wait(self, replies: Iterable[Reply]) -> None:
        """Tell them how the reload goes that begins now."""
        self._waiting += replies

    def postpone(self, replies: Iterable[Reply]) -> None:
        """Keep them, if any, for another reload."""
        self._postponed = [*(self._postponed or ()), *replies]

    def take_postponed(self) -> list[Reply] | None:
        """For whom to reload again, who may be nobody but a signal; None where that was not asked for."""
        postponed, self._postponed = self._postponed, None
        return postponed

    def answer(self, answer: Message) -> None:
        """Tell those who wait how the reload went."""
        waiting, self._waiting = self._waiting, []
        for reply in waiting:
            reply(answer)

    def dismiss(self) -> None:
        """Tell everybody that nothing is taken up any more."""
        self.wait(self.take_postponed() or ())
        self.answer({"ok": False, "error": "the server is stopping"})
