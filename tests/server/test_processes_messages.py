"""What processes say to each other: lines of JSON on a loop, gathered answers, and the control socket."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running_server import poll

from wheatpaste.server.listeners import close_listeners
from wheatpaste.server.processes.child import Child
from wheatpaste.server.processes.control import Control, open_control, usual_path
from wheatpaste.server.processes.control_client import ControlError, ask
from wheatpaste.server.processes.gathering import Gathering
from wheatpaste.server.processes.generation import Generation, Habits
from wheatpaste.server.processes.lines import Lines
from wheatpaste.server.processes.loop import Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


class End:
    """One end of a socket pair, with what it heard."""

    def __init__(self, stream: socket.socket, loop: Loop, **options: Any) -> None:
        self.heard: list[Any] = []
        self.ended = 0
        self.lines = Lines(stream, loop, self.heard.append, self._end, **options)

    def _end(self) -> None:
        self.ended += 1


def turn(loop: Loop, times: int = 20) -> None:
    for _ in range(times):
        loop.turn(0)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_objects_come_out_as_they_went_in(loop: Loop, pair: tuple[socket.socket, socket.socket]) -> None:
    one, other = End(pair[0], loop), End(pair[1], loop)
    one.lines.send({"say": "hello", "text": "a\nb\u2028é"})
    other.lines.send({"n": 1})
    turn(loop)
    assert other.heard == [{"say": "hello", "text": "a\nb\u2028é"}]
    assert one.heard == [{"n": 1}]


def test_what_the_other_side_takes_slowly_is_sent_bit_by_bit(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    one, other = End(pair[0], loop), End(pair[1], loop)
    one.lines.send({"text": "x" * 3_000_000})
    assert not one.lines.idle
    for _ in range(2000):
        loop.turn(0)
        if other.heard:
            break
    assert len(other.heard[0]["text"]) == 3_000_000
    assert one.lines.idle


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"hello\n", id="no JSON"),
        pytest.param(b"[1]\n", id="no object"),
        pytest.param(b"\xff\xfe\n", id="no text"),
        pytest.param(b"[" * 900 + b"\n", id="a deep one"),
        pytest.param(b"{" + b" " * 2000, id="a line without end"),
        pytest.param(b'{"a": "' + b"x" * 2000 + b'"}\n', id="a long one"),
    ],
)
def test_whoever_sends_nonsense_is_cut_off(loop: Loop, pair: tuple[socket.socket, socket.socket], data: bytes) -> None:
    end = End(pair[0], loop, most=1000)
    pair[1].sendall(data)
    turn(loop)
    assert (end.heard, end.ended) == ([], 1)


def test_whoever_takes_nothing_is_cut_off(loop: Loop, pair: tuple[socket.socket, socket.socket]) -> None:
    end = End(pair[0], loop, most_sent=10_000)
    for _ in range(200):
        end.lines.send({"text": "x" * 10_000})
    assert end.ended == 1


def test_last_words_are_heard_before_the_end(loop: Loop, pair: tuple[socket.socket, socket.socket]) -> None:
    end = End(pair[0], loop)
    pair[1].sendall(b'{"say":"failed"}\n')
    pair[1].close()
    end.lines.hear_all()
    assert (end.heard, end.ended) == ([{"say": "failed"}], 1)


def test_a_loop_calls_back_in_order_of_time(loop: Loop) -> None:
    called: list[str] = []
    loop.after(0.02, lambda: called.append("later"))
    loop.after(0.0, lambda: called.append("soon"))
    loop.post(lambda: called.append("now"))
    while len(called) < 3:
        loop.turn(1)
    assert called == ["now", "soon", "later"]


def test_a_loop_wakes_for_other_threads_and_for_signals(loop: Loop) -> None:
    called: list[str] = []
    loop.on_signal(signal.SIGUSR1, lambda: called.append("signal"))
    threading.Timer(0.05, lambda: loop.post(lambda: called.append("thread"))).start()
    loop.turn(10)
    while not called:
        loop.turn(10)
    os.kill(os.getpid(), signal.SIGUSR1)
    while len(called) < 2:
        loop.turn(10)
    assert called == ["thread", "signal"]


def test_a_loop_gives_signals_back_when_it_is_closed() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    loop = Loop()
    loop.on_signal(signal.SIGUSR1, lambda: None)
    assert signal.getsignal(signal.SIGUSR1) != before
    loop.close()
    assert signal.getsignal(signal.SIGUSR1) == before


def test_who_posts_to_a_closed_loop_writes_into_nothing_that_was_opened_since() -> None:
    """An app's thread that asks its server something at the very end, or a signal."""
    loop = Loop()
    loop.close()
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(each) for _ in range(4) for each in socket.socketpair()]  # they get its numbers
        loop.post(lambda: None)
        for each in opened:
            each.setblocking(False)
            with pytest.raises(BlockingIOError):
                each.recv(1)


def worker(pid: int) -> Child:
    return Child(pid, Generation((), Habits(), lambda _: 0), 0.0)


def test_answers_are_gathered_until_all_are_there(loop: Loop) -> None:
    gathering, done = Gathering(loop), []
    gathering.ask("status", [worker(1), worker(2)], 60, done.append)
    gathering.answered(2, 1, "two")
    gathering.answered(2, 1, "again")
    gathering.answered(1, 99, "to another question")
    assert done == []
    gathering.answered(1, 1, "one")
    assert done == [{1: "one", 2: "two"}]


def test_a_worker_that_died_is_not_waited_for(loop: Loop) -> None:
    gathering, done = Gathering(loop), []
    gathering.ask("status", [worker(1), worker(2)], 60, done.append)
    gathering.answered(2, 1, "two")
    gathering.gone(1)
    assert done == [{2: "two"}]


def test_a_worker_that_is_stuck_is_waited_for_only_so_long(loop: Loop) -> None:
    gathering, done = Gathering(loop), []
    gathering.ask("status", [worker(1), worker(2)], 0.01, done.append)
    gathering.answered(2, 1, "two")
    while not done:
        loop.turn(1)
    assert done == [{2: "two"}]
    gathering.answered(1, 1, "late")


def test_without_workers_the_answer_is_there_at_once(loop: Loop) -> None:
    done: list[Any] = []
    Gathering(loop).ask("status", [], 60, done.append)
    assert done == [{}]


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "control.sock")


class Service:
    """A control socket served by a thread; it answers each command with the command."""

    def __init__(self, place: str) -> None:
        self.loop = Loop()
        self.control = Control(open_control(place), self.loop, self.perform, patience=0.3)
        self.over = False
        self.thread = threading.Thread(target=self.follow)
        self.thread.start()

    def perform(self, command: str, message: dict[str, Any], reply: Any) -> None:
        reply({"ok": True, "result": {"command": command, **message}})

    def follow(self) -> None:
        while not self.over:
            self.loop.turn(5)
        self.control.close()

    def end(self) -> None:
        self.loop.post(lambda: setattr(self, "over", True))
        self.thread.join()
        self.loop.close()


@pytest.fixture
def service(place: str) -> Iterator[Service]:
    service = Service(place)
    yield service
    service.end()


def test_a_command_is_answered(service: Service, place: str) -> None:
    answer = ask(place, {"command": "workers", "number": 3}, 5)
    assert answer == {"ok": True, "result": {"command": "workers", "number": 3}}


def test_only_this_user_may_open_the_socket(service: Service, place: str) -> None:
    assert os.stat(place).st_mode & 0o777 == 0o600


def test_the_socket_is_gone_when_the_service_is(place: str) -> None:
    service = Service(place)
    service.end()
    assert not os.path.exists(place)
    with pytest.raises(ControlError, match="nothing listens"):
        ask(place, {"command": "status"}, 5)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="HTTP"),
        pytest.param(b'{"command": "' + b"x" * 5000 + b'"}\n', id="too long a line"),
        pytest.param(b"x" * 100_000, id="no end"),
    ],
)
def test_a_stranger_to_the_protocol_is_cut_off_and_others_are_answered(
    service: Service, place: str, data: bytes
) -> None:
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.settimeout(10)
        stranger.connect(place)
        with contextlib.suppress(OSError):
            stranger.sendall(data)
        with contextlib.suppress(ConnectionResetError):
            assert stranger.recv(100) == b""
    assert ask(place, {"command": "status"}, 5)["ok"]


def test_a_second_request_on_a_connection_is_refused(service: Service, place: str) -> None:
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(10)
        stream.connect(place)
        stream.sendall(b'{"command": "a"}\n{"command": "b"}\n')
        with stream.makefile("rb") as answers:
            assert [json.loads(answers.readline())["ok"] for _ in range(2)] == [True, False]


def test_silent_visitors_do_not_keep_others_out_for_long(service: Service, place: str) -> None:
    def is_answered() -> bool:
        try:
            return bool(ask(place, {"command": "status"}, 10)["ok"])
        except ControlError:
            return False

    with contextlib.ExitStack() as visitors:
        for _ in range(20):
            visitors.enter_context(socket.socket(socket.AF_UNIX)).connect(place)
        poll(is_answered, 15, lambda: "nobody else was answered")


def test_two_services_do_not_share_a_socket(service: Service, place: str) -> None:
    with pytest.raises(OSError, match="in use"):
        open_control(place)


def test_a_folder_where_others_may_write_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(PermissionError):
        open_control(str(folder / "x.sock"), create_folder=True)


def test_a_missing_folder_is_made_for_this_user_alone() -> None:
    with tempfile.TemporaryDirectory() as above:
        place = os.path.join(above, "wheatpaste", "x.sock")
        with pytest.raises(OSError, match="does not exist"):
            open_control(place)
        for _ in range(2):  # the second time it is there
            close_listeners([open_control(place, create_folder=True)])
        assert os.stat(os.path.dirname(place)).st_mode & 0o777 == 0o700


def test_the_usual_place_is_private_and_the_same_for_everybody_who_names_the_file() -> None:
    with tempfile.TemporaryDirectory() as folder:  # private, and short enough for a socket, which tmp_path may not be
        environ = {"XDG_RUNTIME_DIR": folder}
        path = usual_path("/srv/site.ini", environ)
        assert path is not None
        assert path.startswith(f"{folder}/wheatpaste/site-")
        assert path == usual_path("/srv/site.ini", environ)
        assert path != usual_path("/srv/other/site.ini", environ)


def test_a_runtime_folder_that_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    path = usual_path("/srv/site.ini", {"XDG_RUNTIME_DIR": str(tmp_path)})
    assert path is None or not path.startswith(str(tmp_path))


def test_a_path_too_long_for_a_socket_is_none(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir(mode=0o700)
    assert usual_path("/srv/site.ini", {"XDG_RUNTIME_DIR": str(deep)}) is None
