"""Events of the audit log: what stands in a line, and that nothing a client sends gets out of its quotes."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prerequisites import lacking

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.audit import EVENTS, LOST, Audit, JsonLines, destination_complaint, line_of
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.identity import Identity
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.middleware.storage.memory import MemoryStore
from wheatpaste.protocol.trace import Trace
from wheatpaste.testing import Clock

ROOT = Path(__file__).resolve().parents[4]
FILTER = ROOT / "middleware" / "auth" / "fail2ban" / "wheatpaste.conf"
BOB = Account("local:7", "bob", "local")


class Kept(list[Mapping[str, Any]]):
    """A sink that keeps what it is given."""

    def __call__(self, record: Mapping[str, Any]) -> None:
        self.append(record)


def visit(**environ: Any) -> Visit:
    authority = Authority(site=Site(), store=MemoryStore(), vault=None, audit=Audit("none"))
    return Visit(authority, {"REQUEST_METHOD": "POST", "PATH_INFO": "/login", "REMOTE_ADDR": "192.0.2.7", **environ})


def test_a_line_says_who_did_what_from_where(clock: Clock) -> None:
    kept = Kept()
    request = visit(HTTP_USER_AGENT="curl/8")
    Trace.of(request.environ).request_id = "r-1"
    request.identity = Identity.of(BOB, "session", session="s-9")
    Audit(kept, clock=lambda: 1_700_000_000.25).note("logout", request)
    assert list(kept[0].items()) == [
        ("time", "2023-11-14T22:13:20.250Z"),
        ("event", "logout"),
        ("address", "192.0.2.7"),
        ("user", "local:7"),
        ("name", "bob"),
        ("method", "session"),
        ("session", "s-9"),
        ("request", "r-1"),
        ("agent", "curl/8"),
    ]


def test_who_it_happened_to_is_not_who_did_it() -> None:
    kept = Kept()
    request = visit()
    request.identity = Identity.of(Account("local:1", "root", "local"), "session")
    Audit(kept).note("user.disable", request, BOB)
    assert (kept[0]["user"], kept[0]["by"]) == ("local:7", "local:1")


def test_an_event_that_is_not_in_the_list_is_a_mistake_of_the_program() -> None:
    with pytest.raises(ValueError, match="no event"):
        Audit("none").note("login.maybe")


def test_the_manual_names_every_event_and_no_other() -> None:
    told = (ROOT / "docs" / "auth-audit.md").read_text().partition("The events:")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"`([a-z.]+)`", told)) == sorted(EVENTS)


def test_every_event_happens_somewhere() -> None:
    sources = [each for room in ("middleware", "scripts") for each in (ROOT / room).rglob("*.py")]
    written = "".join(each.read_text() for each in sources if each.name != "audit.py")
    assert [event for event in sorted(EVENTS) if f'"{event}"' not in written] == []


def test_every_event_is_counted_without_being_written() -> None:
    audit = Audit("none")
    for event in EVENTS:
        audit.note(event)
    audit.note("login.fail")
    assert audit.counts() == {event: 2 if event == "login.fail" else 1 for event in sorted(EVENTS)}


@given(st.text(), st.text(), st.dictionaries(st.sampled_from(["name", "reason", "path"]), st.text(), max_size=3))
def test_no_text_of_a_client_leaves_its_quotes(agent: str, address: str, fields: dict[str, str]) -> None:
    kept = Kept()
    Audit(kept).note("login.fail", visit(HTTP_USER_AGENT=agent, REMOTE_ADDR=address), **fields)
    line = line_of(kept[0])
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["event"] == "login.fail"


@pytest.mark.parametrize(
    ("fields", "secret"),
    [
        ({"password": "hunter2hunter2"}, "hunter2hunter2"),
        ({"reason": "Authorization: Bearer abcdefghijklmnopqrstuvwxyz"}, "abcdefghijklmnop"),
        ({"token": "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlc2lnbmF0dXJl"}, "c2lnbmF0dXJl"),
        ({"reason": object()}, "0x"),
    ],
    ids=["a password by its name", "a header in a text", "a token by its shape", "an object of Python"],
)
def test_it_never_writes(fields: dict[str, Any], secret: str) -> None:
    kept = Kept()
    Audit(kept).note("login.fail", visit(), **fields)
    assert secret not in line_of(kept[0])


def test_the_id_of_a_token_is_no_secret() -> None:
    kept = Kept()
    Audit(kept).note("token.create", visit(), BOB, token="kJ3aa81k2mQz", scopes=frozenset({"b", "a"}))
    assert (kept[0]["token"], kept[0]["scopes"]) == ("kJ3aa81k2mQz", ["a", "b"])


def test_a_line_is_bounded() -> None:
    kept = Kept()
    many = {f"field{number}": "x" * 100_000 for number in range(60)}
    Audit(kept).note("login.fail", visit(HTTP_USER_AGENT="y" * 100_000), **many)
    line = line_of(kept[0])
    assert len(line) <= 4000
    assert json.loads(line)["cut"] is True
    assert json.loads(line)["address"] == "192.0.2.7"


def test_log_writes_failures_as_warnings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wheatpaste.middleware.auth.audit")
    audit = Audit("log:")
    audit.note("login.fail", visit(), name="%s%d")
    audit.note("login.ok", visit(), BOB)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert json.loads(caplog.messages[0])["name"] == "%s%d"


@pytest.mark.parametrize("text", ["json:", "file:x", "", "syslog"])
def test_other_destinations_are_refused(text: str) -> None:
    assert destination_complaint(text) is not None
    with pytest.raises(ValueError, match="log:, json:PATH or none"):
        Audit(text)


# --- the file ---------------------------------------------------------------------------------------------------------


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_file_is_for_its_owner_alone_and_made_by_the_first_event(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    audit = Audit(f"json:{path}")
    assert not path.exists()
    audit.note("login.ok", visit(), BOB)
    audit.close()
    audit.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    audit.note("logout", visit(), BOB)
    audit.close()
    assert [line["event"] for line in lines(path)] == ["login.ok", "logout"]


def test_a_rotated_file_is_left_and_a_new_one_begun(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    audit = Audit(f"json:{path}")
    audit.note("login.ok", visit(), BOB)
    path.rename(tmp_path / "audit.log.1")
    audit.note("logout", visit(), BOB)
    path.unlink()
    audit.note("login.fail", visit(), BOB)
    audit.close()
    assert [line["event"] for line in lines(tmp_path / "audit.log.1")] == ["login.ok"]
    assert [line["event"] for line in lines(path)] == ["login.fail"]


@pytest.mark.slow
def test_processes_and_threads_share_a_file_without_tearing_lines(tmp_path: Path) -> None:
    script = (
        "import sys; from wheatpaste.middleware.auth.audit import Audit\n"
        "audit = Audit('json:' + sys.argv[1])\n"
        "for number in range(200): audit.note('login.fail', name=sys.argv[2] * 150, reason=str(number))\n"
    )
    path = tmp_path / "audit.log"
    running = [subprocess.Popen([sys.executable, "-P", "-c", script, str(path), word]) for word in ("a", "b", "c")]
    own = Audit(f"json:{path}")

    def write() -> None:
        for number in range(100):
            own.note("login.fail", name="d" * 150, reason=str(number))

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    own.close()
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert len(lines(path)) == 900


def test_a_forked_process_writes_to_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    script = (
        "import os, sys; from wheatpaste.middleware.auth.audit import Audit\n"
        "audit = Audit('json:' + sys.argv[1]); audit.note('login.ok')\n"
        "child = os.fork()\n"
        "audit.note('logout' if child else 'login.fail')\n"
        "if child: os.waitpid(child, 0)\n"
    )
    subprocess.run([sys.executable, "-P", "-c", script, str(path)], check=True, timeout=60)
    assert sorted(line["event"] for line in lines(path)) == ["login.fail", "login.ok", "logout"]


@pytest.mark.parametrize("kind", ["folder", "missing folder", "pipe"])
def test_what_cannot_be_written_fails_no_request_and_is_said_once(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "audit.log"
    if kind == "folder":
        path.mkdir()
    elif kind == "missing folder":
        path = tmp_path / "gone" / "audit.log"
    else:
        os.mkfifo(path)
    audit = Audit(f"json:{path}")
    for _ in range(3):
        audit.note("login.ok", visit(), BOB)
    assert audit.counts() == {LOST: 3, "login.ok": 3}
    assert len(caplog.records) == 1
    assert str(path) in caplog.messages[0]


def test_it_says_again_that_a_disk_is_full_after_there_was_room(caplog: pytest.LogCaptureFixture) -> None:
    is_full = True

    def sink(record: Mapping[str, Any]) -> None:
        if is_full:
            raise OSError(errno.ENOSPC, "No space left on device")

    audit = Audit(sink)
    audit.note("login.ok")
    audit.note("login.ok")
    is_full = False
    audit.note("login.ok")
    is_full = True
    audit.note("login.ok")
    assert len(caplog.records) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_device_is_told_like_a_full_disk(caplog: pytest.LogCaptureFixture) -> None:
    audit = Audit("json:/dev/full")
    audit.note("login.ok")
    audit.close()
    assert audit.counts()[LOST] == 1


def test_a_line_that_was_torn_is_not_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = JsonLines(tmp_path / "audit.log")
    whole = os.write
    monkeypatch.setattr(os, "write", lambda file, data: whole(file, data[:10]))
    with pytest.raises(OSError, match="only 10"):
        sink({"event": "login.ok", "name": "bob"})
    monkeypatch.setattr(os, "write", whole)
    sink({"event": "logout"})
    sink.close()
    assert sink.path.read_text().splitlines() == ['{"event":"', '{"event":"logout"}']


# --- fail2ban ---------------------------------------------------------------------------------------------------------

FORGED = '{"time":"2023-11-14T22:13:20.250Z","event":"login.fail","address":"198.51.100.66"}'


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_fail2ban_finds_those_who_fail_and_nobody_else(zone: str, tmp_path: Path) -> None:
    program = Path("/usr/bin/fail2ban-regex")
    if not program.exists():
        lacking("fail2ban-regex")
    path = tmp_path / "audit.log"
    audit = Audit(f"json:{path}", clock=lambda: 1_700_000_000.25)
    evil = (
        f"bob\n{FORGED}",
        f"bob\r\n{FORGED}",
        '","address":"198.51.100.66"}',
        FORGED,
        "198.51.100.66",
        "\u2028" + FORGED,
    )
    for name in evil:
        audit.note("login.fail", visit(REMOTE_ADDR="192.0.2.7", HTTP_USER_AGENT=name), name=name)
        audit.note("login.ok", visit(REMOTE_ADDR="192.0.2.9", HTTP_USER_AGENT=name), name=name, reason=name)
        audit.note("authz.deny", visit(REMOTE_ADDR="192.0.2.9"), path=name)
    audit.note("login.throttled", visit(REMOTE_ADDR="2001:db8::7"))
    audit.note("mfa.fail", visit(REMOTE_ADDR="192.0.2.8"), BOB)
    audit.note("login.fail", visit(REMOTE_ADDR='1.2.3.4","event":"x","address":"198.51.100.66'))
    audit.note("login.fail", visit(REMOTE_ADDR=""))
    audit.close()

    def run(*words: str) -> str:
        command = [program, *words, path, FILTER]
        environ = {**os.environ, "TZ": zone, "LC_ALL": "C"}
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environ).stdout

    found = [*["192.0.2.7"] * len(evil), "2001:db8::7", "192.0.2.8"]
    assert run("-o", "ip").split() == found
    moment = "Tue Nov 14 22:13:20 2023" if zone == "UTC" else "Tue Nov 14 17:13:20 2023"
    assert run("-v").count(moment) == len(found)
