"""Pid files, log files and accounts that somebody else prepared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wheatpaste.server import daemon
from wheatpaste.server.pid_file import PidFile, PidFileError
from wheatpaste.server.privileges import find_account

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")


def test_a_pid_file_that_is_a_link_leaves_what_it_leads_to_alone(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "site.pid"
    victim.write_text("")
    path.symlink_to(victim)
    with pytest.raises(PidFileError, match="is a link"):
        PidFile(str(path)).acquire()
    with pytest.raises(PidFileError, match="is a link"):
        daemon.stop(PidFile(str(path)))
    assert victim.read_text() == ""
    assert path.is_symlink()


@pytest.mark.parametrize("text", ["[app:main]\nuse = egg:x\n", "1" * 40, "-1\n", "\u0661"])
def test_a_file_that_holds_something_else_is_neither_overwritten_nor_removed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "site.ini"
    path.write_text(text)
    with pytest.raises(PidFileError, match="no pid file"):
        PidFile(str(path)).acquire()
    with pytest.raises(PidFileError, match="no pid file"):
        daemon.stop(PidFile(str(path)))
    assert path.read_text() == text


def test_a_fifo_is_no_pid_file_and_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "site.pid"
    os.mkfifo(path)
    assert PidFile(str(path)).read() is None
    with pytest.raises(PidFileError, match="no pid file"):
        PidFile(str(path)).acquire()


@only_linux
@pytest.mark.slow
def test_a_process_that_does_not_hold_the_file_is_not_signalled(tmp_path: Path) -> None:
    path = tmp_path / "site.pid"
    held = PidFile(str(path))
    held.acquire()
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        path.write_text(f"{bystander.pid}\n")
        outcome = daemon.stop(PidFile(str(path)))
        assert outcome.code == 3
        assert "another process" in outcome.message
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.communicate()
        held.release()


@needs_root
def test_a_log_file_that_is_somebody_else_s_link_is_refused(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "site.log"
    victim.write_text("")
    path.symlink_to(victim)
    os.close(daemon.open_log(str(path)))  # one's own may lead elsewhere
    os.lchown(path, 65534, 65534)
    with pytest.raises(PermissionError, match="another user"):
        daemon.open_log(str(path))


@needs_root
def test_a_number_without_an_entry_does_not_keep_the_group_of_root() -> None:
    with pytest.raises(ValueError, match="name the group, too"):
        find_account("4000000", None)
    assert find_account("4000000", "1").gid == 1
