"""How signals end a server that is alone in its process."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from wheatpaste.server.stop_signals import stopped_by_signals

ENDING = (signal.SIGTERM, signal.SIGINT)


class Told(list[bool]):
    """Whether it was to stop at once, each time that it was told to stop."""

    def __call__(self, *, force: bool = False) -> None:
        self.append(force)


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in ENDING]


@pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGINT], [signal.SIGTERM, signal.SIGINT]])
def test_a_first_signal_is_gentle_and_raises_nothing(numbers: list[signal.Signals]) -> None:
    told, before = Told(), handlers()
    with stopped_by_signals(told):
        for number in numbers:
            signal.raise_signal(number)
    assert told == [False] * len(numbers)
    assert handlers() == before


def serve_until_interrupted_twice(told: Told) -> None:
    with stopped_by_signals(told):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        told.append(True)  # the engine ends by itself: nothing is raised before


def test_a_second_ctrl_c_is_not_gentle() -> None:
    told, before = Told(), handlers()
    with pytest.raises(KeyboardInterrupt):
        serve_until_interrupted_twice(told)
    assert told == [False, True, True]
    assert handlers() == before


def test_what_the_server_raises_is_raised_and_the_handlers_are_as_before() -> None:
    before = handlers()
    with pytest.raises(OSError, match="no descriptor"), stopped_by_signals(Told()):
        raise OSError("no descriptor")
    assert handlers() == before


def test_another_thread_leaves_signals_alone() -> None:
    def serve() -> list[object]:
        with stopped_by_signals(Told()):
            return handlers()

    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(serve).result() == handlers()
