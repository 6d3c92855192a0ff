"""What apps are told of the server: its snapshot, what may be asked of it, and Paste's pool of threads."""

from __future__ import annotations

import os
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from running_server import poll

from wheatpaste.apps.health import Health
from wheatpaste.server.http_server import HTTPServer
from wheatpaste.server.processes.snapshot import one_process
from wheatpaste.server.processes.stacks import stacks_of_threads
from wheatpaste.server.processes.stale_code import changed_modules
from wheatpaste.server.server_status import ServerStatus, ServerUnanswering
from wheatpaste.server.thread_pool_view import ThreadPoolView

ENGINE: dict[str, Any] = {
    "version": 1,
    "progress": 7,
    "threads": [
        {"name": "w-1", "ident": 1, "state": "leading", "age": None, "method": None, "path": None, "requests": 5},
        {"name": "w-2", "ident": 2, "state": "busy", "age": 2.0, "method": "GET", "path": "/a", "requests": 3},
        {"name": "w-3", "ident": 3, "state": "hung", "age": 90.0, "method": "POST", "path": "/b", "requests": 1},
        {"name": "w-4", "ident": 4, "state": "idle", "age": None, "method": None, "path": None, "requests": 0},
    ],
    "waiting": 6,
    "connections": {"idle": 2, "running": 2},
    "counters": {"requests": 9},
    "settings": {"threads": 4},
}


@pytest.fixture
def pool() -> ThreadPoolView:
    return ThreadPoolView(lambda: ENGINE, 4, 30.0)


def test_the_pool_tells_the_states_that_pages_for_paste_know(pool: ThreadPoolView) -> None:
    found = {state: [thread.thread_id for thread in threads] for state, threads in pool.track_threads().items()}
    assert found == {"idle": [1, 4], "busy": [2], "hung": [3], "dying": [], "zombie": []}
    assert pool.nworkers == 4
    assert pool.hung_thread_limit == 30
    assert [thread.thread_id for thread in pool.workers] == [1, 2, 3, 4]
    assert pool.idle_workers == [1, 4]
    assert pool.dying_threads == {}


def test_the_pool_tells_since_when_a_request_runs(pool: ThreadPoolView) -> None:
    tracked = pool.worker_tracker
    assert set(tracked) == {2, 3}
    started, environ = tracked[3]
    assert time.time() - started == pytest.approx(90, abs=5)
    assert environ == {"REQUEST_METHOD": "POST", "PATH_INFO": "/b"}


def test_the_pool_kills_no_thread(pool: ThreadPoolView) -> None:
    with pytest.raises(RuntimeError, match="max_hung"):
        pool.kill_worker(3)


def test_a_process_alone_has_the_snapshot_of_a_site() -> None:
    found = one_process(ENGINE, state="serving", generation=3, started=time.time(), listening=["u"], silent=0.5)
    assert found["totals"] == {
        "threads": 4,
        "busy": 1,
        "hung": 1,
        "waiting": 6,
        "connections": 4,
        "requests": 9,
    }
    assert (found["version"], found["parent"], found["generation"], found["wanted"]) == (1, False, 3, 1)
    (process,) = found["processes"]
    assert (process["state"], process["engine"]) == ("ready", ENGINE)


def test_a_server_that_python_started_answers_for_itself() -> None:
    found: dict[str, Any] = {}

    def app(environ: Any, start_response: Any) -> list[bytes]:
        server = environ["wheatpaste.server"]
        found["snapshot"] = server.snapshot()
        found["stacks"] = server.request("stacks")
        found["reload"] = server.request("reload")
        found["pool"] = environ["paste.httpserver.thread_pool"].track_threads()
        found["drain"] = server.request("drain")
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return [b"ok"]

    server = HTTPServer(port=0, threads=2)
    (listener,) = server.bind()
    port = listener.getsockname()[1]
    engine = server.engine(app, [listener])
    thread = threading.Thread(target=engine.run)
    thread.start()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        assert answer.read() == b"ok"
    thread.join(10)
    assert not thread.is_alive()  # it drained
    assert found["snapshot"]["totals"]["threads"] == 2
    assert found["snapshot"]["totals"]["busy"] == 1
    assert found["snapshot"]["listening"] == [f"http://127.0.0.1:{port}/"]
    assert found["stacks"]["ok"]
    assert not found["reload"]["ok"]
    assert len(found["pool"]["busy"]) == 1
    assert found["drain"] == {"ok": True, "result": {"state": "draining"}}


def test_a_process_whose_threads_hang_is_not_ready() -> None:
    entered, leave = threading.Event(), threading.Event()
    health = Health(max_hung=1, details=("127.0.0.1",))

    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != "/stuck":
            return health(environ, start_response)
        entered.set()
        leave.wait(30)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "0")])
        return []

    server = HTTPServer(port=0, threads=3, hung_after=1.0)
    (listener,) = server.bind()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    engine = server.engine(app, [listener])
    thread = threading.Thread(target=engine.run, daemon=True)
    thread.start()

    def ask(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"{url}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    with ThreadPoolExecutor(1) as clients:
        assert ask("/readyz") == (200, "ok\nthreads: ok\n")
        stuck = clients.submit(ask, "/stuck")
        assert entered.wait(10)
        poll(lambda: ask("/readyz")[0] == 503, 30, lambda: str(engine.snapshot()))
        assert ask("/readyz") == (503, "unavailable\nthreads: 1 of 3 hang\n")
        assert ask("/livez")[0] == 200
        leave.set()
        assert stuck.result()[0] == 200
        # The client has its answer a moment before the app has returned; it may do more then, and hang in that.
        poll(lambda: not engine.running, 30, lambda: str(engine.snapshot()))
        assert ask("/readyz")[0] == 200
    engine.stop()
    thread.join(10)


def test_an_app_asks_and_is_answered() -> None:
    asked: list[tuple[str, float]] = []

    def ask(command: str, patience: float) -> dict[str, Any]:
        asked.append((command, patience))
        return {"ok": True, "result": {"version": 1}}

    status = ServerStatus(ask)
    assert status.snapshot(timeout=1.5) == {"version": 1}
    assert status.request("stacks")["ok"]
    assert asked == [("status", 1.5), ("stacks", 60.0)]


def test_an_app_is_not_kept_waiting_for_ever() -> None:
    with pytest.raises(ServerUnanswering, match="within 0.5 seconds"):
        ServerStatus(lambda command, patience: None).snapshot(timeout=0.5)


def test_an_app_may_not_ask_for_anything() -> None:
    with pytest.raises(ValueError, match="must be one of drain, reload, stacks"):
        ServerStatus(lambda command, patience: None).request("kill")


def test_stacks_show_this_function() -> None:
    stacks = {each["name"]: each["stack"] for each in stacks_of_threads()}
    assert any("test_stacks_show_this_function" in line for line in stacks["MainThread"])


def test_code_that_was_written_since_is_named(tmp_path: Path) -> None:
    old, new, gone = (ModuleType(name) for name in ("old", "new", "gone"))
    for module in (old, new, gone):
        module.__file__ = str(tmp_path / f"{module.__name__}.py")
    (tmp_path / "old.py").touch()
    since = (tmp_path / "old.py").stat().st_mtime
    (tmp_path / "new.py").touch()
    os.utime(tmp_path / "new.py", (since + 5, since + 5))
    assert changed_modules(since, [old, new, gone, ModuleType("builtin")]) == [str(tmp_path / "new.py")]
