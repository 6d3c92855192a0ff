"""Taking up a new configuration and new code while requests come: none is lost, and nothing broken is taken up."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from running_server import RunningServer, free_port, poll
from steady_load import SteadyLoad
from worker_site import APP, BROKEN_APP, WorkerSite, accepts

from wheatpaste.server.processes.control_client import ControlError

pytestmark = pytest.mark.slow


@pytest.fixture
def site(tmp_path: Path, running_server: Callable[..., RunningServer]) -> WorkerSite:
    return WorkerSite(tmp_path, running_server)


def test_new_values_and_new_code_are_taken_up_without_losing_a_request(site: WorkerSite) -> None:
    site.start()
    with SteadyLoad(site.server.port) as load:
        poll(lambda: load.seen("one") > 50, 20, site.server.log)
        site.app["say"] = "two"
        site.write()
        site.hang_up()
        poll(lambda: load.seen("two") > 50, 20, site.server.log)
        code = site.folder / "wares.py"
        code.write_text(code.read_text().replace("body = say", "body = 'new ' + say"))
        assert site.ask("reload") == {"ok": True, "result": {"generation": 3}}
        poll(lambda: load.seen("new two") > 50, 20, site.server.log)
        # Until here old workers may have finished what had reached them before.
        seen = load.seen("two")
        poll(lambda: load.seen("new two") > 150, 20, site.server.log)
        # Nobody of the old ones answers any more; four clients may be about to count.
        assert load.seen("two") <= seen + 4
    assert not load.failures
    assert set(load.answers) == {"one", "two", "new two"}


def test_a_file_may_name_what_its_code_has_only_now(site: WorkerSite) -> None:
    site.start()
    code = site.folder / "wares.py"
    code.write_text(code.read_text().replace("def make(", "def produce("))
    site.ini.write_text(site.ini.read_text().replace("wares:make", "wares:produce"))
    assert site.ask("reload") == {"ok": True, "result": {"generation": 2}}
    site.ini.write_text(site.ini.read_text().replace("wares:produce", "wares:make"))
    assert "wares has no 'make'" in site.ask("reload")["error"]


def test_one_reload_after_the_other_loses_no_request(site: WorkerSite) -> None:
    site.start()
    with SteadyLoad(site.server.port) as load:
        for number in range(8):
            site.app["say"] = f"number {number}"
            site.write()
            site.hang_up()
            began = time.monotonic()
            poll(lambda began=began: time.monotonic() > began + 0.3, 30, str)  # type: ignore[misc]
        poll(lambda: load.seen("number 7") > 50, 30, site.server.log)
    assert not load.failures
    assert site.status()["generation"] <= 9


def test_what_is_written_while_a_reload_is_under_way_is_taken_up_by_the_next(site: WorkerSite) -> None:
    site.start()
    hold = site.folder / "hold"
    hold.touch()
    site.app["say"] = "two"
    site.write()
    site.hang_up()
    poll(lambda: len(site.pids("starting")) == 1, 20, site.server.log)
    site.app["say"] = "three"
    site.write()
    site.hang_up()
    assert site.status()["generation"] == 1
    hold.unlink()
    site.wait_for_answer("three")
    poll(lambda: {site.answer() for _ in range(10)} == {"three"}, 20, site.server.log)


@pytest.mark.parametrize("workers", [2, 1], ids=["workers", "one process"])
def test_each_operator_is_told_of_the_reload_that_has_read_what_was_there(site: WorkerSite, workers: int) -> None:
    site.start("--verbose", workers=workers)
    (site.folder / "hold").touch()
    with ThreadPoolExecutor(2) as operators:
        first = operators.submit(site.ask, "reload")
        poll((site.folder / "held").exists, 20, site.server.log)  # the file has been read
        assert site.status()["state"] == "reloading"
        site.write(threads="many")
        second = operators.submit(site.ask, "reload")
        poll(lambda: site.server.log().count("asked over the control socket: reload") == 2, 20, site.server.log)
        (site.folder / "hold").unlink()
        assert first.result() == {"ok": True, "result": {"generation": 2}}
        assert "threads = many" in second.result()["error"]


def test_a_broken_file_is_refused_with_its_problems_and_the_old_one_goes_on(site: WorkerSite) -> None:
    site.start()
    before = site.pids()
    with SteadyLoad(site.server.port) as load:
        site.write(threads="many")
        site.hang_up()
        site.server.wait_for(r"site\.ini:\d+: \[server:main\] threads = many")
        answer = site.ask("reload")
        assert not answer["ok"]
        assert "threads = many" in answer["error"]
        count = load.seen("one")
        poll(lambda: load.seen("one") > count + 20, 20, site.server.log)
    assert not load.failures
    assert site.pids() == before
    site.write(threads="4")
    assert site.ask("reload")["ok"]
    assert before.isdisjoint(site.pids())


def test_code_that_does_not_start_is_refused_with_the_reason(site: WorkerSite) -> None:
    site.start()
    before = site.pids()
    code = site.folder / "wares.py"
    good = code.read_text()
    code.write_text(BROKEN_APP)
    answer = site.ask("reload")
    assert not answer["ok"]
    assert "nowhere_to_be_found" in answer["error"]
    assert site.pids() == before
    assert site.answer() == "one"
    code.write_text(good)
    assert site.ask("reload")["ok"]


def test_a_worker_that_dies_while_the_file_is_broken_is_replaced_by_one_of_the_old_file(site: WorkerSite) -> None:
    site.start()
    site.app["say"] = "two"
    site.write(threads="many")
    victim = min(site.pids())
    os.kill(victim, signal.SIGKILL)
    site.wait_for_workers(2, without=[victim])
    assert {site.answer() for _ in range(20)} == {"one"}


def test_a_new_address_is_opened_and_the_old_one_closed(
    tmp_path: Path, running_server: Callable[..., RunningServer]
) -> None:
    first, second = free_port(), free_port()
    argv = [sys.executable, "-m", "wheatpaste", "serve", "site.ini"]  # without the fixture's own --listen
    site = WorkerSite(tmp_path, lambda *_, **options: running_server(argv=argv, **options))
    server = site.start(listen=f"127.0.0.1:{first}", wait=False).wait_until_ready()
    site.write(listen=f"127.0.0.1:{first} 127.0.0.1:{second}")
    with SteadyLoad(first) as load:
        assert site.ask("reload")["ok"]
    assert not load.failures
    assert site.status()["listening"] == [f"http://127.0.0.1:{first}/", f"http://127.0.0.1:{second}/"]
    site.write(listen=f"127.0.0.1:{second}")
    with SteadyLoad(second) as load:
        assert site.ask("reload")["ok"]
    assert not load.failures
    poll(lambda: not accepts(first), 30, server.log)
    site.write(listen=f"127.0.0.1:{second} 192.0.2.1:80")
    assert "192.0.2.1 is not an address of this machine" in site.ask("reload")["error"]
    assert accepts(second)


def test_a_refused_reload_leaves_no_address_open_and_none_out(
    tmp_path: Path, running_server: Callable[..., RunningServer]
) -> None:
    first, second = free_port(), free_port()
    argv = [sys.executable, "-m", "wheatpaste", "serve", "site.ini"]
    site = WorkerSite(tmp_path, lambda *_, **options: running_server(argv=argv, **options))
    server = site.start(listen=f"127.0.0.1:{first}", wait=False).wait_until_ready()
    code = site.folder / "wares.py"
    code.write_text(BROKEN_APP)
    site.write(listen=f"127.0.0.1:{second}", url_prefix="/elsewhere")
    assert "nowhere_to_be_found" in site.ask("reload")["error"]
    assert not accepts(second)
    assert site.status()["listening"] == [f"http://127.0.0.1:{first}/"]
    site.write(listen=f"127.0.0.1:{first}", url_prefix="")
    code.write_text(APP)
    before = site.pids()
    os.kill(server.pid, signal.SIGUSR2)  # what the new program gets is what is served
    poll(lambda: server.returncode == 0, 20, server.log)
    try:
        assert site.answer() == "one"
        assert before.isdisjoint(site.pids())
    finally:
        site.ask("drain")
        poll(lambda: not accepts(first), 20, server.log)


def test_the_number_of_workers_follows_the_file(site: WorkerSite) -> None:
    site.start(workers=1, max_hung=8)
    site.write(workers=3)
    assert site.ask("reload")["ok"]
    assert len(site.pids()) == 3
    site.write(workers=2)
    assert site.ask("reload")["ok"]
    site.wait_for_workers(2)


def test_requests_that_run_are_finished_by_the_old_workers(site: WorkerSite) -> None:
    site.start()
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(site.server.request("GET", "/slow", timeout=30).status))
    thread.start()
    poll((site.folder / "entered").exists, 30, site.server.log)
    site.app["say"] = "two"
    site.write()
    site.hang_up()
    site.wait_for_answer("two")
    poll(lambda: len(site.pids("draining")) == 1, 20, site.server.log)
    (site.folder / "leave").touch()
    thread.join(20)
    assert found == [200]
    poll(lambda: not site.pids("draining"), 20, site.server.log)


def test_a_preloaded_app_is_built_once(site: WorkerSite) -> None:
    code = site.folder / "wares.py"
    code.write_text("open('built', 'a').write('.')\n" + code.read_text())
    site.start(preload="true")
    assert (site.folder / "built").read_text() == "."
    assert len({site.answer("/pid") for _ in range(60)}) == 2
    site.app["say"] = "two"
    site.write()
    assert site.ask("reload")["ok"]
    site.wait_for_answer("two")  # an old worker may have accepted what came before it was told to go


def test_it_names_the_threads_of_a_preloaded_app_that_no_worker_has(site: WorkerSite) -> None:
    code = site.folder / "wares.py"
    code.write_text(
        code.read_text() + "threading.Thread(target=threading.Event().wait, name='poller', daemon=True).start()\n"
    )
    server = site.start(preload="true")
    assert "no worker has the threads that the app has started here (poller)" in server.log()
    assert site.answer() == "one"


def test_what_counts_only_at_the_start_is_named_and_the_parent_still_runs_no_code(site: WorkerSite) -> None:
    code = site.folder / "wares.py"
    code.write_text(code.read_text() + "open('imported', 'a').write(f'{os.getpid()} ')\n")
    site.start()
    site.write(preload="true", backlog=64, threads=4)
    assert site.ask("reload")["ok"]
    assert "changed, but counts after a restart: preload, backlog\n" in site.server.log()
    assert str(site.server.pid) not in (site.folder / "imported").read_text().split()
    site.write(user="nobody-of-this-name")
    assert "nobody-of-this-name" in site.ask("reload")["error"]


def test_one_process_takes_up_a_new_file_beside_the_old_one(site: WorkerSite) -> None:
    site.start(workers=1)
    assert not site.status()["parent"]
    with SteadyLoad(site.server.port) as load:
        poll(lambda: load.seen("one") > 50, 20, site.server.log)
        site.app["say"] = "two"
        site.write()
        site.hang_up()
        poll(lambda: load.seen("two") > 50, 20, site.server.log)
        site.write(threads="many")
        assert "threads = many" in site.ask("reload")["error"]
        site.write(threads="4")
        site.app["say"] = "three"
        site.write()
        assert site.ask("reload") == {"ok": True, "result": {"generation": 3}}
        poll(lambda: load.seen("three") > 50, 20, site.server.log)
    assert not load.failures
    assert "count after a restart" in site.server.log()


@pytest.mark.parametrize("workers", [1, 2], ids=["one process", "preloaded"])
def test_a_refused_reload_does_not_change_what_is_logged(site: WorkerSite, workers: int) -> None:
    (site.folder / "wares.py").write_text(
        APP.replace("    def app(", "    if say == 'boom':\n        raise OSError('lost')\n    def app(")
    )
    logging = (
        "[loggers]\nkeys = root\n[handlers]\nkeys = file\n[formatters]\nkeys =\n"
        "[logger_root]\nlevel = INFO\nhandlers = file\n"
        "[handler_file]\nclass = FileHandler\nargs = ('NAME.log',)\n"
    )
    site.logging = logging.replace("NAME", "first")
    site.start(workers=workers, **({"preload": "true"} if workers > 1 else {}))
    site.logging = logging.replace("NAME", "second")
    site.app["say"] = "boom"
    site.write()
    assert "lost" in site.ask("reload")["error"]
    assert "asked over the control socket: status" not in (site.folder / "first.log").read_text()
    site.status()
    assert "asked over the control socket: status" in (site.folder / "first.log").read_text()
    site.app["say"] = "two"
    site.write()
    assert site.ask("reload")["ok"]
    site.status()
    assert "asked over the control socket: status" in (site.folder / "second.log").read_text()


def test_one_process_says_which_code_it_cannot_take_up(site: WorkerSite) -> None:
    site.start(workers=1)
    code = site.folder / "wares.py"
    code.write_text(code.read_text() + "\n")
    os.utime(code, (time.time() + 5, time.time() + 5))
    assert site.ask("reload")["ok"]
    site.server.wait_for("wares.py changed: code counts after a restart")


def test_one_process_is_drained_by_the_operator(site: WorkerSite) -> None:
    server = site.start(workers=1)
    assert site.ask("drain")["ok"]
    poll(lambda: server.returncode == 0, 30, server.log)
    with pytest.raises(ControlError):
        site.ask("status")


def test_one_process_opens_its_log_files_anew(site: WorkerSite) -> None:
    site.logging = (
        "[loggers]\nkeys = root\n[handlers]\nkeys = file\n[formatters]\nkeys =\n"
        "[logger_root]\nlevel = INFO\nhandlers = file\n"
        "[handler_file]\nclass = FileHandler\nargs = ('app.log',)\n"
    )
    site.start(workers=1)
    log = site.folder / "app.log"
    log.rename(f"{log}.1")
    os.kill(site.server.pid, signal.SIGUSR1)
    poll(log.exists, 30, site.server.log)
    site.answer("/log")
    assert "logged" in log.read_text()


def test_the_second_ctrl_c_ends_one_process_at_once(site: WorkerSite) -> None:
    server = site.start(workers=1, drain_timeout="60")
    thread = threading.Thread(target=lambda: server.raw(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n", timeout=30))
    thread.start()
    poll((site.folder / "entered").exists, 30, server.log)
    os.kill(server.pid, signal.SIGINT)
    poll(lambda: site.status()["state"] == "draining", 30, server.log)
    assert server.stop(signal.SIGINT, deadline=10) == 130
    (site.folder / "leave").touch()
    thread.join(30)
