"""Worker processes and their parent, for real: who answers, who is replaced, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from running_server import RunningServer, free_port, poll
from steady_load import SteadyLoad
from worker_site import APP, BROKEN_APP, WorkerSite, accepts, is_alive

pytestmark = pytest.mark.slow


@pytest.fixture
def site(tmp_path: Path, running_server: Callable[..., RunningServer]) -> WorkerSite:
    return WorkerSite(tmp_path, running_server)


def in_background(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Do something in a thread; what it returns is in the list once the thread has ended."""
    found: list[Any] = []

    def do() -> None:
        try:
            found.append(work())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=do)
    thread.start()
    return thread, found


def begin_slow_request(site: WorkerSite) -> tuple[threading.Thread, list[Any]]:
    """Start a request that goes on until the file ``leave`` is there, and wait until the app has it."""
    started = in_background(lambda: site.server.request("GET", "/slow", timeout=30))
    poll((site.folder / "entered").exists, 30, site.server.log)
    return started


def test_all_workers_answer_and_the_parent_does_not(site: WorkerSite) -> None:
    server = site.start()
    seen = {int(site.answer("/pid")) for _ in range(60)}
    assert seen == site.pids()
    assert server.pid not in seen


def test_bursts_of_connections_are_answered_by_all_workers(site: WorkerSite) -> None:
    server = site.start()
    smaller = []
    for _ in range(10):
        with ExitStack() as stack:
            clients = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10)) for _ in range(32)]
            for client in clients:
                client.sendall(b"GET /pid HTTP/1.1\r\nHost: x\r\n\r\n")
            pids = Counter(client.recv(4096).rpartition(b"\r\n")[2] for client in clients)
        smaller.append(min(pids.values()) if len(pids) == 2 else 0)
    # Who is awake takes more, and that is as it should be. How they take turns is held by the listener's own tests.
    assert sum(smaller) >= 32, smaller


def test_it_says_that_it_serves_when_all_workers_do(site: WorkerSite) -> None:
    (site.folder / "wares.py").write_text(
        (site.folder / "wares.py").read_text() + "\ntime.sleep(0.5)\n"  # an app that takes its time
    )
    server = site.start()
    assert len(site.pids()) == 2
    assert "2 workers" in server.log()


def test_a_worker_that_is_killed_is_replaced_and_the_others_go_on(site: WorkerSite) -> None:
    site.start()
    before = site.pids()
    victim = min(before)
    with SteadyLoad(site.server.port, fresh=2, kept=0) as load:
        os.kill(victim, signal.SIGKILL)
        after = site.wait_for_workers(2, without=[victim])
        count = load.seen("one")
        poll(lambda: load.seen("one") > count + 20, 30, site.server.log)
    assert after > before - {victim}
    assert sum(load.failures.values()) <= 2  # those that the victim was answering
    assert f"worker {victim} ended (was ended by SIGKILL); another one takes its place" in site.server.log()


def test_workers_that_keep_ending_are_started_ever_more_slowly_and_that_is_said_once(site: WorkerSite) -> None:
    (site.folder / "wares.py").write_text(
        "import os, threading\n"
        "open('starts', 'a').write('.')\n"
        "def make(global_conf):\n"
        "    if os.path.exists('broken'):\n"
        "        threading.Timer(0.1, os._exit, [3]).start()\n"
        "    def app(environ, start_response):\n"
        "        start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "        return [b'fine']\n"
        "    return app\n"
    )
    site.start()
    (site.folder / "broken").touch()
    for pid in site.pids():
        os.kill(pid, signal.SIGKILL)
    site.server.wait_for("workers keep ending")
    begun = len((site.folder / "starts").read_text())
    began = time.monotonic()
    poll(lambda: time.monotonic() > began + 3, 30, str)
    assert len((site.folder / "starts").read_text()) - begun <= 5
    assert site.server.log().count("workers keep ending") == 1
    # What mends it need not wait for the next try.
    (site.folder / "wares.py").write_text("def make(global_conf):\n    raise SystemExit('worse')\n")
    assert "worse" in site.ask("reload")["error"]
    (site.folder / "wares.py").write_text(APP)
    assert site.ask("reload")["ok"]
    assert len(site.pids()) == 2


@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        pytest.param(BROKEN_APP, 1, "nowhere_to_be_found", id="a module is missing"),
        pytest.param("import os\nos._exit(9)\n" + BROKEN_APP, 1, "exit code 9", id="the app ends its process"),
        pytest.param("def make(global_conf):\n    raise OSError(5, 'lost')\n", 1, "lost", id="the factory fails"),
        pytest.param("make = 3\n", 1, "wares:make", id="the factory is none"),
    ],
)
def test_a_start_that_fails_says_why_once_and_ends(site: WorkerSite, code: str, exit_code: int, said: str) -> None:
    (site.folder / "wares.py").write_text(code)
    server = site.start(wait=False)
    poll(lambda: server.returncode is not None, 20, server.log)
    assert server.stop() == exit_code  # and all that it printed is here
    assert said in server.log()
    assert server.log().count("building [app:main]") + server.log().count("for [app:main]") <= 1
    assert 'parent.py", line' not in server.log()


def test_running_requests_are_finished_at_the_end(site: WorkerSite) -> None:
    server = site.start()
    thread, found = begin_slow_request(site)
    os.kill(server.pid, signal.SIGTERM)
    poll(lambda: not accepts(server.port), 30, server.log)
    (site.folder / "leave").touch()
    thread.join(20)
    assert found[0].status == 200
    assert server.wait() == 0
    assert not (site.folder / "ctl").exists()


def test_requests_that_do_not_end_are_left_at_the_deadline(site: WorkerSite) -> None:
    server = site.start(drain_timeout="0.5")
    thread, _ = begin_slow_request(site)
    workers = site.pids()
    began = time.monotonic()
    assert server.stop(deadline=14) == 0
    assert time.monotonic() - began < 14  # by then it would be killed, whatever its deadline
    assert not any(is_alive(pid) for pid in workers)
    (site.folder / "leave").touch()
    thread.join(30)


def test_a_second_signal_does_not_wait(site: WorkerSite) -> None:
    server = site.start(drain_timeout="60")
    thread, _ = begin_slow_request(site)
    os.kill(server.pid, signal.SIGTERM)
    poll(lambda: site.status()["state"] == "draining", 30, server.log)
    began = time.monotonic()
    assert server.stop(signal.SIGTERM, deadline=20) == 0
    assert time.monotonic() - began < 15
    (site.folder / "leave").touch()
    thread.join(30)


def test_ctrl_c_ends_it_gently_though_all_processes_get_it(site: WorkerSite) -> None:
    server = site.start()
    thread, found = begin_slow_request(site)
    os.killpg(server.pid, signal.SIGINT)
    poll(lambda: site.status()["state"] == "draining", 30, server.log)
    (site.folder / "leave").touch()
    thread.join(20)
    assert found[0].status == 200
    poll(lambda: server.returncode is not None, 30, server.log)
    assert server.returncode == 0


def test_sigquit_ends_everything_now(site: WorkerSite) -> None:
    server = site.start()
    workers = site.pids()
    assert server.stop(signal.SIGQUIT, deadline=20) == 0
    poll(lambda: not any(is_alive(pid) for pid in workers), 20, server.log)


def test_workers_do_not_outlive_a_parent_that_is_killed(site: WorkerSite) -> None:
    server = site.start()
    workers = site.pids()
    os.kill(server.pid, signal.SIGKILL)
    poll(lambda: not any(is_alive(pid) for pid in workers), 15, lambda: f"{workers} live on")


def test_a_worker_that_is_told_to_end_by_others_drains_and_is_replaced(site: WorkerSite) -> None:
    site.start()
    victim = min(site.pids())
    with SteadyLoad(site.server.port) as load:
        os.kill(victim, signal.SIGTERM)
        site.wait_for_workers(2, without=[victim])
    assert not load.failures
    assert load.answers


def test_a_worker_that_is_stuck_is_killed_and_replaced(site: WorkerSite) -> None:
    site.start(worker_timeout="2")
    victim = min(site.pids())
    os.kill(victim, signal.SIGSTOP)
    site.wait_for_workers(2, without=[victim])
    assert f"worker {victim} has not been heard of for 2 seconds" in site.server.log()


def test_workers_are_replaced_after_so_many_requests_without_losing_one(site: WorkerSite) -> None:
    site.start(max_requests="200", max_requests_jitter="50")
    first = site.pids()
    with SteadyLoad(site.server.port) as load:
        poll(lambda: first.isdisjoint(site.pids()), 30, site.server.log)
    assert not load.failures
    assert load.seen("one") > 200


def test_a_worker_that_has_grown_too_large_is_replaced(site: WorkerSite) -> None:
    site.start(workers=1, max_memory="100MB")
    (victim,) = site.pids()
    for _ in range(3):
        site.answer("/eat")
    site.wait_for_workers(1, without=[victim])


def test_a_worker_with_too_many_hung_requests_is_replaced(site: WorkerSite) -> None:
    site.start(workers=1, max_hung="1", hung_after="0.5", drain_timeout="1")
    (victim,) = site.pids()
    thread, _ = begin_slow_request(site)
    (substitute,) = site.wait_for_workers(1, without=[victim])
    assert site.answer("/pid") == str(substitute)
    (site.folder / "leave").touch()
    thread.join(30)


def test_signals_ask_for_a_worker_more_or_less(site: WorkerSite) -> None:
    server = site.start()
    first = site.pids()
    os.kill(server.pid, signal.SIGTTIN)
    assert site.wait_for_workers(3) > first
    for wanted in (2, 1, 1):
        os.kill(server.pid, signal.SIGTTOU)
        site.wait_for_workers(wanted)


def test_the_operator_sees_all_processes_and_changes_their_number(site: WorkerSite) -> None:
    server = site.start()
    status = site.status()
    assert status["version"] == 1
    assert (status["state"], status["pid"], status["parent"]) == ("serving", server.pid, True)
    assert status["listening"] == [f"{server.url}/"]
    assert [process["engine"]["version"] for process in status["processes"]] == [1, 1]
    assert status["totals"]["threads"] == 32
    site.ask("workers", number=3)
    assert len(site.wait_for_workers(3)) == 3
    site.ask("workers", change=-2)
    site.wait_for_workers(1)
    assert site.ask("dance") == {"ok": False, "error": "no such command: 'dance'"}


def test_the_operator_sees_where_each_thread_is(site: WorkerSite) -> None:
    site.start()
    thread, _ = begin_slow_request(site)
    processes = site.ask("stacks")["result"]["processes"]
    assert {process["pid"] for process in processes} == site.pids()
    lines = [line for process in processes for each in process["threads"] for line in each["stack"]]
    assert any("wares.py" in line for line in lines)
    (site.folder / "leave").touch()
    thread.join(30)


def test_an_app_sees_all_processes_and_the_pool_of_its_own(site: WorkerSite) -> None:
    site.start(threads=3)
    status = json.loads(site.answer("/status"))
    assert {process["pid"] for process in status["processes"]} == site.pids()
    stacks = json.loads(site.answer("/stacks"))
    assert stacks["ok"]
    assert {process["pid"] for process in stacks["result"]["processes"]} == site.pids()
    pool = json.loads(site.answer("/pool"))
    assert (pool["nworkers"], pool["busy"], pool["zombie"]) == (3, 1, 0)


def test_the_operator_drains(site: WorkerSite) -> None:
    server = site.start()
    assert site.ask("drain") == {"ok": True, "result": {"state": "draining"}}
    poll(lambda: server.returncode == 0, 30, server.log)


@pytest.mark.parametrize("workers", [2, 1], ids=["workers", "one process"])
def test_a_service_on_a_terminal_ends_with_it(tmp_path: Path, workers: int) -> None:
    site = WorkerSite(tmp_path, lambda *_, **__: None)  # type: ignore[arg-type,return-value]
    site.write(workers=workers, port=free_port())
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execv(sys.executable, [sys.executable, "-m", "wheatpaste", "serve", "site.ini"])
    said = b""
    while b"http://" not in said:
        said += os.read(terminal, 4096)
    os.kill(pid, signal.SIGHUP)  # with the terminal there: a reload
    poll(lambda: site.status()["generation"] == 2 and site.status()["state"] == "serving", 20, said.decode)
    os.close(terminal)
    poll(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, 20, lambda: f"{pid} goes on")


def test_log_files_are_opened_anew_by_all_processes(site: WorkerSite) -> None:
    site.logging = (
        "[loggers]\nkeys = root\n[handlers]\nkeys = file\n[formatters]\nkeys =\n"
        "[logger_root]\nlevel = INFO\nhandlers = file\n"
        "[handler_file]\nclass = FileHandler\nargs = ('app.log',)\n"
    )
    server = site.start("--log-file", "out.log", wait=False)
    out, log = site.folder / "out.log", site.folder / "app.log"
    poll(lambda: out.exists() and "http://" in out.read_text(), 20, server.log)
    found = re.search(r":(\d+)/", out.read_text())
    assert found is not None
    port = int(found[1])

    def log_from_all() -> None:
        seen: set[str] = set()

        def all_answered() -> bool:
            seen.add(ask_port(port, "/pid"))
            ask_port(port, "/log")
            return len(seen) == 2

        poll(all_answered, 20, lambda: f"only {seen} answered")

    log_from_all()
    assert "logged" in log.read_text()
    assert "printed" in out.read_text()
    for file in (out, log):
        file.rename(f"{file}.1")
    old = [Path(f"{file}.1").stat().st_size for file in (out, log)]
    os.kill(server.pid, signal.SIGUSR1)
    processes = [server.pid, *site.pids()]
    poll(lambda: not any(map(has_an_old_file, processes)), 20, server.log)
    assert log.exists()
    assert out.exists()
    log_from_all()
    assert "logged" in log.read_text()
    assert "printed" in out.read_text()
    assert [Path(f"{file}.1").stat().st_size for file in (out, log)] == old


def has_an_old_file(pid: int) -> bool:
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if os.readlink(f"/proc/{pid}/fd/{name}").endswith(".log.1"):
                return True
    return False


def test_systemd_is_told_how_it_goes(site: WorkerSite, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(site.folder / "notify"))
        manager.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(site.folder / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "2000000")
        heard: list[str] = []

        def wait_for(text: str) -> None:
            while not heard or text not in heard[-1]:
                heard.append(manager.recv(4096).decode())

        server = site.start()
        wait_for("READY=1")
        wait_for("WATCHDOG=1")
        idle = time.monotonic() + 7
        while time.monotonic() < idle:  # also while nobody asks for anything
            wait_for("WATCHDOG=1")
            heard.append("")
        site.hang_up()
        wait_for("RELOADING=1")
        wait_for("READY=1")
        workers = site.pids()
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        # Fed while they count as going on, and then no more.
        manager.settimeout(4)
        with pytest.raises(TimeoutError):
            wait_for("never said")
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        manager.settimeout(20)
        wait_for("WATCHDOG=1")
        os.kill(server.pid, signal.SIGTERM)
        wait_for("STOPPING=1")


def test_it_is_started_and_stopped_in_the_background(site: WorkerSite) -> None:
    site.write(workers=2, port=free_port())

    def serve(*words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "wheatpaste", "serve", "site.ini", *words],
            cwd=site.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    try:
        code, said = serve("start")
        assert code == 0, said
        assert "2 workers" in said
        assert serve("status")[0] == 0
        pid = int((site.folder / "wheatpaste.pid").read_text())
        assert site.status()["pid"] == pid
        workers = site.pids()
        assert serve("restart")[0] == 0
        assert workers.isdisjoint(site.pids())
    finally:
        code, said = serve("stop")
    assert code == 0, said
    assert serve("status")[0] == 1


def test_the_reloader_has_one_process_whatever_the_file_says(site: WorkerSite) -> None:
    site.start("--reload", max_requests=5, preload="true")
    status = json.loads(site.answer("/status"))
    assert (status["parent"], len(status["processes"])) == (False, 1)
    assert {site.answer() for _ in range(20)} == {"one"}


def test_a_start_in_the_background_that_fails_says_why(site: WorkerSite) -> None:
    site.write(workers=2, port=free_port())
    (site.folder / "wares.py").write_text(BROKEN_APP)
    done = subprocess.run(
        [sys.executable, "-m", "wheatpaste", "serve", "site.ini", "start"],
        cwd=site.folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "nowhere_to_be_found" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_workers_are_another_user_and_the_parent_stays_root(running_server: Callable[..., RunningServer]) -> None:
    with tempfile.TemporaryDirectory() as place:  # where the other user can get at it
        folder = Path(place)
        folder.chmod(0o755)
        site = WorkerSite(folder, running_server)
        server = site.start("--log-file", "out.log", user="65534", group="65534", wait=False)
        log = folder / "out.log"
        poll(lambda: log.exists() and "http://" in log.read_text(), 20, server.log)
        found = re.search(r":(\d+)/", log.read_text())
        assert found is not None
        assert ask_port(int(found[1]), "/uid") == "65534 65534"
        assert Path(f"/proc/{server.pid}").stat().st_uid == 0
        # What the parent opens anew, the workers can write to.
        log.rename(folder / "out.log.1")
        os.kill(server.pid, signal.SIGUSR1)
        poll(lambda: log.exists() and log.stat().st_uid == 65534, 20, lambda: f"{log} is not theirs")
        assert site.ask("reload")["ok"]
        assert ask_port(int(found[1]), "/uid") == "65534 65534"
        assert server.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_is_not_answered_whatever_the_permissions(running_server: Callable[..., RunningServer]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o755)
        site = WorkerSite(folder, running_server)
        site.start()
        (folder / "ctl").chmod(0o777)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setuid(65534)
            with socket.socket(socket.AF_UNIX) as stranger:
                stranger.settimeout(10)
                stranger.connect(str(folder / "ctl"))
                os.write(writing, stranger.recv(1000))
            os._exit(0)
        os.close(writing)
        os.waitpid(pid, 0)
        with os.fdopen(reading, "rb") as answer:
            assert b"only root" in answer.read()
        assert site.ask("status")["ok"]


def test_an_app_of_python_is_served_by_several_processes(
    tmp_path: Path, running_server: Callable[..., RunningServer]
) -> None:
    (tmp_path / "program.py").write_text(
        "import os\n"
        "from wheatpaste import serve\n"
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [str(os.getpid()).encode()]\n"
        "import sys\n"
        "serve(app, port=int(sys.argv[1]), workers=2, control_socket='off')\n"
    )
    server = running_server(argv=[sys.executable, "program.py", "{port}"], cwd=tmp_path)
    poll(lambda: len({server.request("GET", "/").text for _ in range(40)}) == 2, 20, server.log)
    assert server.stop() == 0


def ask_port(port: int, path: str) -> str:
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
    return data.partition(b"\r\n\r\n")[2].decode()
