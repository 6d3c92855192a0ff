"""The end of what serves: its ``close()`` is called once, where it was used, after its last request."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from running_server import RunningServer, poll

pytestmark = pytest.mark.slow

Start = Callable[..., RunningServer]

WARES = """
import os, time

def note(*words):
    with open("ends", "a") as file:
        file.write(" ".join(map(str, words)) + "\\n")

class App:
    def __init__(self, say, hangs):
        self.say, self.hangs = say, hangs

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == "/slow":
            open("entered", "w").close()
            while not os.path.exists("leave"):
                time.sleep(0.02)
            note("answered", self.say, os.getpid())
        body = f"{self.say} {os.getpid()}".encode()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    def close(self):
        note("closed", self.say, os.getpid())
        while self.hangs:
            time.sleep(1)

def make(global_conf, say="one", hangs=""):
    return App(say, hangs)

def fail(global_conf):
    raise RuntimeError("this one fails")

site = make({})
"""


class Site:
    """A folder with an INI file, and what its app has noted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "wares.py").write_text(WARES)

    def write(self, app: str = "say = one", **server: object) -> Path:
        options = "".join(f"{name} = {value}\n" for name, value in server.items())
        path = self.folder / "site.ini"
        path.write_text(
            f"[server:main]\nuse = egg:wheatpaste#main\n{options}\n[app:main]\npaste.app_factory = wares:make\n{app}\n"
        )
        return path

    def noted(self, what: str = "closed") -> list[tuple[str, int]]:
        """What the app noted, and in which process."""
        path = self.folder / "ends"
        lines = path.read_text().splitlines() if path.exists() else []
        words = [line.split() for line in lines]
        return [(say, int(pid)) for kind, say, pid in words if kind == what]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_one_process_closes_what_it_has_served_when_its_requests_have_ended(site: Site, running_server: Start) -> None:
    server = running_server(site.write(), cwd=site.folder)
    asking = threading.Thread(target=lambda: server.request("GET", "/slow", timeout=30), daemon=True)
    asking.start()
    poll((site.folder / "entered").exists, 30, server.log)
    os.kill(server.pid, signal.SIGTERM)
    asking.join(0.5)
    assert site.noted() == []
    (site.folder / "leave").touch()
    poll(lambda: server.returncode is not None, 20, server.log)
    lines = (site.folder / "ends").read_text().splitlines()
    assert lines == [f"answered one {server.pid}", f"closed one {server.pid}"]
    assert server.returncode == 0


def test_one_process_closes_what_a_reload_swapped_out_when_nobody_is_in_it(site: Site, running_server: Start) -> None:
    server = running_server(site.write(), cwd=site.folder)
    asking = threading.Thread(target=lambda: server.request("GET", "/slow", timeout=30), daemon=True)
    asking.start()
    poll((site.folder / "entered").exists, 30, server.log)
    site.write("say = two")
    os.kill(server.pid, signal.SIGHUP)
    poll(lambda: server.request("GET", "/").text.startswith("two"), 20, server.log)
    site.write("say = three")
    os.kill(server.pid, signal.SIGHUP)
    poll(lambda: server.request("GET", "/").text.startswith("three"), 20, server.log)
    poll(lambda: site.noted() == [("two", server.pid)], 20, server.log)
    (site.folder / "leave").touch()
    poll(lambda: site.noted() == [("two", server.pid), ("one", server.pid)], 20, server.log)
    assert site.noted("answered") == [("one", server.pid)]
    assert server.stop() == 0
    assert site.noted() == [("two", server.pid), ("one", server.pid), ("three", server.pid)]


def test_a_reload_that_is_refused_closes_what_it_had_built(site: Site, running_server: Start) -> None:
    server = running_server(site.write(), cwd=site.folder)
    path = site.write()
    path.write_text(
        path.read_text().replace("[app:main]", "[app:first]").replace("say = one", "say = two")
        + "[app:second]\npaste.app_factory = wares:fail\n"
        + "[composite:main]\nuse = egg:wheatpaste#urlmap\n/a = first\n/b = second\n"
    )
    os.kill(server.pid, signal.SIGHUP)
    server.wait_for("this one fails")
    assert site.noted() == [("two", server.pid)]
    assert server.request("GET", "/").text.startswith("one")
    assert server.stop() == 0
    assert site.noted() == [("two", server.pid), ("one", server.pid)]


def test_an_app_that_its_module_holds_is_not_closed_by_a_reload(site: Site, running_server: Start) -> None:
    path = site.write("use = egg:wheatpaste#wsgi\napp = wares:site")
    path.write_text(path.read_text().replace("paste.app_factory = wares:make\n", ""))
    server = running_server(path, cwd=site.folder)
    os.kill(server.pid, signal.SIGHUP)
    server.wait_for("reloaded: this is generation 2")
    assert server.request("GET", "/").text.startswith("one")
    assert server.stop() == 0
    assert site.noted() == []


@pytest.mark.parametrize("preload", ["false", "true"])
def test_each_worker_closes_what_it_has_served_and_their_parent_nothing(
    site: Site, running_server: Start, preload: str
) -> None:
    server = running_server(site.write(workers=2, preload=preload), cwd=site.folder)
    first: set[int] = set()

    def has_two() -> bool:
        first.add(int(server.request("GET", "/").text.split()[1]))
        return len(first) == 2

    poll(has_two, 20, server.log)
    site.write("say = two", workers=2, preload=preload)
    os.kill(server.pid, signal.SIGHUP)
    poll(lambda: {pid for say, pid in site.noted() if say == "one"} == first, 20, server.log)
    assert server.stop() == 0
    noted = site.noted()
    assert Counter(say for say, _ in noted) == {"one": 2, "two": 2}
    assert server.pid not in {pid for _, pid in noted}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_close_that_hangs_does_not_keep_a_process(site: Site, running_server: Start, workers: int) -> None:
    server = running_server(site.write("hangs = yes", workers=workers), cwd=site.folder)
    server.request("GET", "/")
    assert server.stop(deadline=30) == 0
    assert len(site.noted()) == workers
    server.wait_for(r"wares\.App: close\(\) has not returned after \d+\.\d seconds, and is left behind")


@pytest.mark.parametrize("name", ["main", "waitress", "gunicorn", "cheroot", "granian"])
def test_what_another_server_has_served_is_closed_where_it_was_used(
    site: Site, running_server: Start, name: str
) -> None:
    server = running_server(site.write(), "--server", name, cwd=site.folder)
    pid = int(server.request("GET", "/").text.split()[1])
    assert server.stop() == 0
    assert site.noted() == [("one", pid)]


@pytest.mark.parametrize(
    "words",
    [
        ["gunicorn", "wheatpaste:application", "-b", "127.0.0.1:{port}"],
        ["granian", "--interface", "wsgi", "wheatpaste:application", "--port", "{port}"],
    ],
    ids=["gunicorn", "granian"],
)
def test_what_a_server_has_imported_is_closed_when_its_worker_ends(
    site: Site, running_server: Start, words: list[str]
) -> None:
    site.write()
    argv = [sys.executable, "-m", *words]
    server = running_server(argv=argv, cwd=site.folder, env={"WHEATPASTE_CONFIG": "site.ini"})
    pid = int(server.request("GET", "/").text.split()[1])
    server.stop()
    assert site.noted() == [("one", pid)]


def test_a_change_of_code_closes_the_app_before_it(site: Site, running_server: Start) -> None:
    server = running_server(site.write(), "--reload", cwd=site.folder)
    pid = int(server.request("GET", "/").text.split()[1])
    site.write("say = two")
    poll(lambda: server.request("GET", "/").text.startswith("two"), 20, server.log)
    assert site.noted() == [("one", pid)]
    server.stop()
    assert [say for say, _ in site.noted()] == ["one", "two"]


@pytest.mark.parametrize(("target", "closes"), [("wares:site", False), ("wares:built()", True)])
def test_an_app_of_python_is_closed_where_the_target_calls_for_it(
    site: Site, running_server: Start, target: str, closes: bool
) -> None:
    (site.folder / "wares.py").write_text(WARES + "\ndef built():\n    return make({})\n")
    server = running_server(target, cwd=site.folder)
    pid = int(server.request("GET", "/").text.split()[1])
    assert server.stop() == 0
    assert site.noted() == ([("one", pid)] if closes else [])
