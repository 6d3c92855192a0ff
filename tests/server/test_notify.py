"""What systemd is told, by sockets of its kind; and that a server never suffers from it."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wheatpaste.server.notify import Notifier


class Manager:
    """The other end, as systemd has it."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(20)
        self.notifier = Notifier({"NOTIFY_SOCKET": address})

    def heard(self) -> list[str]:
        return self.socket.recv(4096).decode().split("\n")


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(str(tmp_path / "notify"))
    yield made
    made.socket.close()


@pytest.mark.parametrize(
    ("say", "heard"),
    [
        pytest.param(lambda it: it.ready(), ["READY=1"], id="it serves"),
        pytest.param(lambda it: it.ready("on :80"), ["READY=1", "STATUS=on :80"], id="it serves, with a line"),
        pytest.param(lambda it: it.stopping("draining"), ["STOPPING=1", "STATUS=draining"], id="it stops"),
        pytest.param(lambda it: it.status("2 of 16 busy"), ["STATUS=2 of 16 busy"], id="a line"),
        pytest.param(lambda it: it.status("a\nMAINPID=1\r\nb"), ["STATUS=a MAINPID=1 b"], id="a line of several"),
        pytest.param(lambda it: it.alive(), ["WATCHDOG=1"], id="it lives"),
        pytest.param(lambda it: it.main_pid(42), ["MAINPID=42"], id="another process is the main one"),
        pytest.param(lambda it: it.status("\udc80"), ["STATUS=?"], id="a line that is no text"),
    ],
)
def test_it_says(manager: Manager, say: Callable[[Notifier], bool], heard: list[str]) -> None:
    assert say(manager.notifier) is True
    assert manager.heard() == heard


def test_a_reload_carries_the_time_at_which_it_began(manager: Manager) -> None:
    before = time.monotonic_ns() // 1000
    assert manager.notifier.reloading("reading site.ini")
    state, moment, status = manager.heard()
    assert (state, status) == ("RELOADING=1", "STATUS=reading site.ini")
    name, _, microseconds = moment.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(microseconds) <= time.monotonic_ns() // 1000


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract sockets")
def test_an_abstract_socket_is_reached() -> None:
    manager = Manager(f"@wheatpaste-notify-{os.getpid()}")
    try:
        assert manager.notifier.ready()
        assert manager.heard() == ["READY=1"]
    finally:
        manager.socket.close()


@pytest.mark.parametrize("address", ["", "relative", "vsock:2:1234"], ids=["none", "no path", "a machine outside"])
def test_where_nobody_listens_nothing_is_said(address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "2000000"})
    assert not notifier
    assert notifier.ready() is False
    assert notifier.watchdog_interval is None


@pytest.mark.parametrize("address", ["/nonexistent/notify", "/" + "x" * 300, "@" + "x" * 300, "/a\0b"])
def test_a_manager_that_is_gone_does_no_harm_and_is_told_once(address: str, caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address})
    assert [notifier.alive() for _ in range(3)] == [False, False, False]
    (record,) = caplog.records
    assert "systemd cannot be told" in record.getMessage()


def test_a_manager_that_reads_nothing_does_not_stop_the_server(manager: Manager) -> None:
    while manager.notifier.status("x" * 1000):  # until its queue is full
        pass
    before = time.monotonic()
    assert manager.notifier.alive() is False
    assert time.monotonic() - before < 5


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        pytest.param({"WATCHDOG_USEC": "30000000"}, 15.0, id="half of what is allowed"),
        pytest.param({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 15.0, id="this process is watched"),
        pytest.param({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None, id="another process is watched"),
        pytest.param({}, None, id="nobody is watched"),
        pytest.param({"WATCHDOG_USEC": "0"}, None, id="no time"),
        pytest.param({"WATCHDOG_USEC": "soon"}, None, id="no number"),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_it_must(environ: dict[str, str], interval: float | None) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/run/x", **environ}, pid=7).watchdog_interval == interval
