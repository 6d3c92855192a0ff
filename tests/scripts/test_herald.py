"""What a service tells the terminal and systemd about itself."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wheatpaste.scripts.herald import Herald, status_line
from wheatpaste.scripts.terminal import Terminal
from wheatpaste.server.notify import Notifier
from wheatpaste.testing import Clock

IDLE = {"threads": 32, "busy": 0, "hung": 0, "waiting": 0, "connections": 0, "requests": 0}


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Callable[[], list[str]]]:
    """What systemd was told since the last call. Its socket is ``notify`` in the test's folder."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)

        def take() -> list[str]:
            found = []
            while True:
                try:
                    found.append(manager.recv(4096).decode())
                except BlockingIOError:
                    return found

        yield take


@pytest.fixture
def terminal() -> Terminal:
    return Terminal(io.StringIO(), color=False)


@pytest.fixture
def herald(tmp_path: Path, terminal: Terminal, clock: Clock) -> Herald:
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "10000000"}
    notifier = Notifier(environ)
    return Herald(terminal, lambda: terminal.line("started"), notifier=notifier, clock=clock.monotonic)


def said(terminal: Terminal) -> str:
    assert isinstance(terminal.stream, io.StringIO)
    return terminal.stream.getvalue()


@pytest.mark.parametrize(
    ("totals", "line"),
    [
        pytest.param({}, "0 of 32 threads busy, 12 requests/s", id="all is well"),
        pytest.param({"busy": 3, "waiting": 4}, "3 of 32 threads busy, 12 requests/s, 4 waiting", id="requests wait"),
        pytest.param({"hung": 2}, "0 of 32 threads busy, 12 requests/s, 2 hung", id="some hang"),
    ],
)
def test_the_status_says_what_matters(totals: dict[str, int], line: str) -> None:
    assert status_line({**IDLE, **totals}, 12.3) == line


def test_the_watchdog_is_fed_each_time_and_the_status_told_now_and_then(
    herald: Herald, told: Callable[[], list[str]], clock: Clock
) -> None:
    for _ in range(4):
        clock.advance(1)
        herald.alive({**IDLE, "requests": 40})
    assert told() == ["WATCHDOG=1"] * 4
    clock.advance(1)
    herald.alive({**IDLE, "requests": 50})
    assert told() == ["WATCHDOG=1", "STATUS=0 of 32 threads busy, 10 requests/s"]
    for _ in range(5):
        clock.advance(1)
        herald.alive({**IDLE, "requests": 100})
    assert told() == ["WATCHDOG=1"] * 5  # the same line is not said again


def test_a_count_that_begins_anew_is_no_negative_rate(
    herald: Herald, told: Callable[[], list[str]], clock: Clock
) -> None:
    for requests in (1000, 10):
        clock.advance(6)
        herald.alive({**IDLE, "requests": requests})
    assert told()[-1].endswith(" 0 requests/s")


def test_each_turn_is_told_to_systemd_and_to_the_terminal(
    herald: Herald, told: Callable[[], list[str]], terminal: Terminal
) -> None:
    herald.ready()
    assert told() == ["READY=1\nSTATUS=serving"]
    herald.reloading()
    assert told()[0].startswith("RELOADING=1\nMONOTONIC_USEC=")
    herald.reloaded(2)
    assert told() == ["READY=1\nSTATUS=serving, generation 2"]
    herald.reloading()
    herald.refused()
    assert told()[1].startswith("READY=1\nSTATUS=the last reload was refused")
    herald.handed_over(77)
    assert told() == ["MAINPID=77"]
    herald.stopping()
    assert told() == ["STOPPING=1\nSTATUS=finishing the running requests"]
    assert said(terminal) == "started\nreloaded: this is generation 2\nthe new program serves with pid 77\n"


def test_a_quiet_one_prints_failures_alone(terminal: Terminal) -> None:
    herald = Herald(terminal, lambda: None, quiet=True, notifier=Notifier({}))
    herald.reloaded(2)
    herald.failed("nothing serves\n")
    assert said(terminal) == "nothing serves\n"
