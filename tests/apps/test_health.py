"""Health: what lives, what is ready, who is told why not."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wheatpaste.apps.health import Health, app_factory
from wheatpaste.config.options import OptionError
from wheatpaste.config.problems import ConfigError
from wheatpaste.protocol.peers import remove_forwarding
from wheatpaste.testing import Client, Clock

Make = Callable[..., Client]


class Check:
    """A check that does what it is told and counts."""

    def __init__(self, result: object = None) -> None:
        self.result = result
        self.calls = 0

    def __call__(self) -> object:
        self.calls += 1
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


def passing() -> None:
    """A check for INIs."""


@pytest.mark.parametrize("path", ["/livez", "/readyz", "", "/"])
def test_without_checks_all_is_well(client: Make, path: str) -> None:
    response = client(Health(), script_name="/health").get(path)
    assert (response.status, response.text) == (200, "ok\n")
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (None, 200),
        (True, 200),
        (0, 200),
        ("fine", 200),
        (False, 503),
        (OSError("db is down"), 503),
        (SystemExit(3), 503),
    ],
    ids=repr,
)
def test_a_check_fails_by_raising_or_by_false(client: Make, result: object, status: int) -> None:
    app = client(Health(checks=(Check(), Check(result))))
    assert app.get("/readyz").status == status
    assert app.get("/").status == status
    assert app.get("/livez").status == 200


def test_a_failing_process_is_not_restarted_by_the_root_where_that_is_the_live_check(client: Make) -> None:
    app = client(Health(checks=(Check(False),), root="live"))
    assert (app.get("/").status, app.get("/readyz").status) == (200, 503)


def test_head_has_no_body_and_other_methods_no_effect(client: Make) -> None:
    check = Check()
    app = client(Health(checks=(check,)))
    assert (app.head("/readyz").status, app.head("/readyz").body) == (200, b"")
    calls = check.calls
    response = app.post("/readyz")
    assert (response.status, response.headers["Allow"], check.calls) == (405, "GET, HEAD", calls)
    assert app.get("/other").status == 404
    assert app.get("/livez/").status == 404


def test_an_answer_counts_for_a_while(client: Make, clock: Clock) -> None:
    check = Check()
    app = client(Health(checks=(check,), cache=10, clock=clock.monotonic))
    for _ in range(3):
        app.get("/readyz")
    assert check.calls == 1
    check.result = False
    clock.advance(9)
    assert app.get("/readyz").status == 200
    clock.advance(2)
    assert app.get("/readyz").status == 503
    assert check.calls == 2


def test_a_check_that_hangs_fails_in_time_and_keeps_one_thread(client: Make) -> None:
    release, threads = threading.Event(), []

    def hang() -> None:
        threads.append(threading.current_thread())
        release.wait(30)

    other = Check()
    app = client(Health(checks=(hang, other), timeout=0.05, cache=0, details=("127.0.0.1",)))
    response = app.get("/readyz")
    assert response.status == 503
    assert "gave no answer in time" in response.text
    assert app.get("/readyz").status == 503
    assert len(threads) == 1
    release.set()
    threads[0].join(10)
    assert client(Health(checks=(hang,), cache=0)).get("/readyz").status == 200


def test_a_check_for_which_there_is_no_thread_fails_and_is_tried_again(
    client: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    app = client(Health(checks=(Check(),), details=("127.0.0.1",)))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        response = app.get("/readyz")
    assert response.status == 503
    assert "can't start new thread" in response.text
    assert app.get("/readyz").status == 200


def test_a_check_that_exits_fails_at_once_and_is_run_again(client: Make) -> None:
    check = Check(SystemExit("no database"))
    app = client(Health(checks=(check,), cache=0, details=("127.0.0.1",)))
    for _ in range(2):
        response = app.get("/readyz")
        assert response.status == 503
        assert "SystemExit: no database" in response.text
    assert check.calls == 2


def test_no_thread_is_made_before_it_is_needed(client: Make) -> None:
    before = set(threading.enumerate())
    app = client(Health(checks=(Check(),)))
    app.get("/livez")
    assert not set(threading.enumerate()) - before


def test_many_requests_share_one_run(client: Make) -> None:
    release, calls = threading.Event(), []

    def check() -> None:
        calls.append(1)
        release.wait(30)

    app = Health(checks=(check,), cache=60)
    statuses: list[int] = []
    requests = [threading.Thread(target=lambda: statuses.append(Client(app).get("/readyz").status)) for _ in range(5)]
    for each in requests:
        each.start()
    release.set()
    for each in requests:
        each.join(10)
    assert (statuses, calls) == ([200] * 5, [1])


def test_why_is_told_only_to_named_peers(client: Make) -> None:
    app = Health(checks=(Check(OSError("db.internal refused")), Check()), details=("10.0.0.0/8", "::1"))
    told = client(app, peer="10.1.2.3").get("/readyz")
    assert "OSError: db.internal refused" in told.text
    for peer in ("192.0.2.1", "", "unix:"):
        assert client(app, peer=peer).get("/readyz").text == "unavailable\n"
    assert "refused" in client(app, peer="::ffff:10.0.0.1").get("/readyz").text
    assert "refused" not in client(app, peer="10.1.2.3").get("/readyz", headers={"X-Forwarded-For": "10.0.0.1"}).text
    # As `prefix` leaves a request of an untrusted peer: nothing of the proxy's headers is there any more.
    environ: dict[str, Any] = {"HTTP_X_FORWARDED_FOR": "10.0.0.1", "REMOTE_ADDR": "10.1.2.3"}
    remove_forwarding(environ)
    assert "refused" not in client(app, peer="10.1.2.3").get("/readyz", environ=environ).text
    peer = {"wheatpaste.peer": "192.0.2.1"}
    assert "refused" not in client(app, peer="10.1.2.3").get("/readyz", environ=peer).text


def test_a_password_in_the_reason_is_told_to_nobody(client: Make, caplog: pytest.LogCaptureFixture) -> None:
    app = Health(checks=(Check(OSError("cannot reach postgres://app:hunter22@db/x")),), details=("127.0.0.1",))
    assert "cannot reach postgres://app:" in client(app).get("/readyz").text
    assert "hunter22" not in client(app).get("/readyz").text
    assert "hunter22" not in caplog.text


def test_by_default_nobody_is_told_why(client: Make) -> None:
    app = Health(checks=(Check(OSError("db.internal refused")),))
    for accept in ("*/*", "application/json"):
        assert "refused" not in client(app).get("/readyz", headers={"Accept": accept}).text


@pytest.mark.parametrize("accept", ["application/json", "application/health+json"])
def test_json_on_request(client: Make, accept: str) -> None:
    failing = Check(OSError("down"))
    app = client(Health(checks=(failing, passing), details=("127.0.0.1",)))
    response = app.get("/readyz", headers={"Accept": accept})
    assert (response.status, response.headers["Content-Type"]) == (503, "application/health+json")
    report = response.json()
    assert report["status"] == "fail"
    assert [each["status"] for each in report["checks"].values()] == ["fail", "pass"]
    assert client(Health()).get("/livez", headers={"Accept": accept}).json() == {"status": "pass"}


def test_under_servers_that_tell_nothing_of_their_threads_none_hangs(client: Make) -> None:
    response = client(Health(max_hung=1, details=("*",))).get("/readyz")
    assert (response.status, response.text) == (200, "ok\n")


def test_a_file_takes_the_process_out_of_rotation(client: Make, tmp_path: Path) -> None:
    drain = tmp_path / "drain"
    check = Check()
    app = client(Health(disable_by_file=drain, checks=(check,), details=("127.0.0.1",)))
    assert app.get("/readyz").status == 200
    drain.touch()
    response = app.get("/readyz")
    assert (response.status, response.text) == (503, "unavailable\ndraining\n")
    assert app.get("/livez").status == 200
    assert check.calls == 1
    drain.unlink()
    assert app.get("/readyz").status == 200


def test_a_change_is_logged_once(client: Make, caplog: pytest.LogCaptureFixture) -> None:
    check = Check(OSError("down"))
    app = client(Health(checks=(check,), cache=0))
    with caplog.at_level(logging.INFO):
        app.get("/readyz")
        app.get("/readyz")
        check.result = None
        app.get("/readyz")
        app.get("/readyz")
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "down" in caplog.text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": 0}, "more than 0"),
        ({"cache": -1}, "at least 0"),
        ({"details": ("nowhere",)}, "10.0.0.0/8"),
        ({"checks": ("text",)}, "takes functions"),
    ],
)
def test_a_mistake_is_said(options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        Health(**options)


def test_an_ini_says_the_same_with_text(tmp_path: Path) -> None:
    app = app_factory(
        {"here": str(tmp_path)},
        checks="os:getpid os:getcwd",
        timeout="500ms",
        disable_by_file="off",
        details="::1 10.0.0.0/8",
    )
    assert Client(app).get("/readyz").status == 200
    (tmp_path / "off").touch()
    assert Client(app).get("/readyz").status == 503


def test_an_ini_with_mistakes_names_them_all() -> None:
    with pytest.raises(ConfigError) as caught:
        app_factory({}, checks="os:nothing_here", timeout="soon", detail="x")
    assert sorted(problem.key or "" for problem in caught.value.problems) == ["checks", "detail", "timeout"]
