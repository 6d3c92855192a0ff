"""Python with an app at hand."""

from __future__ import annotations

import io
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from wheatpaste.scripts.main import main

SITE = """
    [DEFAULT]
    colour = green

    [composite:main]
    use = egg:wheatpaste#urlmap
    / = moved
    /echo = egg:wheatpaste#echo

    [app:moved]
    use = egg:wheatpaste#redirect
    to = /%(where)s

    [app:vault]
    use = call:site_with_settings:make
    api_token = 6b1f0c9d2e7a
    """
MODULE = """
def make(global_conf, **settings):
    return site

def site(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"from python"]
"""


class Answer(NamedTuple):
    code: int
    out: str
    errors: str


Ask = Callable[..., Answer]


@pytest.fixture
def site(write_ini: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "site_with_settings.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "site_with_settings", raising=False)
    return write_ini(SITE)


@pytest.fixture
def ask(site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    def run(*words: str, stdin: str = "") -> Answer:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        return Answer(main(["shell", *words]), *capsys.readouterr())

    return run


def test_code_runs_with_the_app_and_its_client(ask: Ask) -> None:
    answer = ask("site.ini", "where=there", "-c", "r = client.get('/'); print(r.status, r.headers['Location'])")
    assert answer == Answer(0, "308 /there\n", "")


def test_what_comes_on_stdin_is_run_as_a_whole(ask: Ask) -> None:
    code = "for path in ('/', '/echo'):\n    print(client.get(path).status)\n"
    assert ask("site.ini", "where=x", stdin=code).out == "308\n200\n"


def test_other_apps_of_the_file_are_reached_by_name(ask: Ask) -> None:
    code = "from wheatpaste.testing import Client; print(list(apps), Client(apps['vault']).get('/').text)"
    assert ask("site.ini", "where=x", "-c", code).out == "['main', 'moved', 'vault'] from python\n"


def test_an_app_is_made_once_and_a_wrong_name_is_named(ask: Ask) -> None:
    assert ask("site.ini", "where=x", "-c", "print(apps['moved'] is apps['moved'])").out == "True\n"
    answer = ask("site.ini", "where=x", "-c", "apps['vualt']")
    assert answer.code == 1
    assert "did you mean 'vault'?" in answer.errors


def test_settings_are_real_and_shown_without_their_secrets(ask: Ask) -> None:
    code = "print(config['api_token'], config['colour']); print(config)"
    real, shown = ask("site.ini", "where=x", "-n", "vault", "-c", code).out.splitlines()
    assert real == "6b1f0c9d2e7a green"
    assert "6b1f0c9d2e7a" not in shown
    assert "'colour': 'green'" in shown


def test_the_composition_is_there_to_look_at(ask: Ask) -> None:
    assert ask("site.ini", "where=x", "-c", "print(composition.root.section)").out == "composite:main\n"


def test_an_object_of_python_needs_no_file(ask: Ask) -> None:
    code = "print(client.get('/').text, list(apps), config, composition)"
    assert ask("site_with_settings:site", "-c", code).out == "from python [] {} None\n"


def test_what_the_code_raises_is_shown_by_its_line(ask: Ask) -> None:
    answer = ask("site.ini", "where=x", stdin="one = 1\none / 0\n")
    assert answer.code == 1
    assert "<stdin>:2" in answer.errors
    assert "one / 0" in answer.errors
    assert "ZeroDivisionError" in answer.errors
    assert "Traceback" not in answer.errors


def test_the_code_chooses_its_exit_code(ask: Ask) -> None:
    with pytest.raises(SystemExit) as caught:
        ask("site.ini", "where=x", "-c", "raise SystemExit(3)")
    assert caught.value.code == 3


def test_a_broken_file_is_reported_as_everywhere(ask: Ask, write_ini) -> None:
    write_ini("[app:main]\nuse = egg:wheatpaste#ecko\n", "broken.ini")
    answer = ask("broken.ini", "-c", "print('ran')")
    assert (answer.code, answer.out) == (2, "")
    assert "broken.ini:2" in answer.errors


class Prompt:
    """A command at a terminal."""

    def __init__(self, argv: list[str], env: dict[str, str]) -> None:
        self.seen = ""
        self.terminal, other = pty.openpty()
        self._process = subprocess.Popen(argv, stdin=other, stdout=other, stderr=other, env=env, start_new_session=True)
        os.close(other)

    def expect(self, text: str, deadline: float = 30) -> str:
        """Wait for a text, and return what came up to its end; what comes later waits for the next call."""
        end = time.monotonic() + deadline
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            assert self._read(), self.seen
        before, _, self.seen = self.seen.partition(text)
        return before + text

    def _read(self) -> bool:
        """Take what there is; False when the command has ended."""
        if not select.select([self.terminal], [], [], 0.1)[0]:
            return True
        try:
            piece = os.read(self.terminal, 65536)
        except OSError:  # Linux says so when the other side is closed
            return False
        self.seen += piece.decode()
        return bool(piece)

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def end(self, deadline: float = 30) -> int:
        """Wait for its end; returns the exit code."""
        end = time.monotonic() + deadline
        while self._read() and time.monotonic() < end:
            pass
        os.close(self.terminal)
        try:
            return self._process.wait(max(1, end - time.monotonic()))
        finally:
            self._process.kill()


@pytest.mark.slow
def test_the_prompt_says_what_is_there_and_runs_the_startup_file(site: Path, tmp_path: Path) -> None:
    (tmp_path / "startup.py").write_text("word = 'begun'\n")
    argv = [sys.executable, "-m", "wheatpaste", "shell", "site.ini", "where=x", "-p", "python"]
    env = {**os.environ, "PYTHONSTARTUP": str(tmp_path / "startup.py"), "TERM": "dumb", "NO_COLOR": "1"}
    prompt = Prompt(argv, env)
    banner = prompt.expect(">>> ")
    for text in ("[composite:main] of site.ini", "client.get('/')", "moved, vault"):
        assert text in banner
    prompt.type("word.upper(), client.get('/echo').status + 1000\n")
    prompt.expect("('BEGUN', 1200)")
    prompt.expect(">>> ")
    prompt.type("\x04")
    assert prompt.end() == 0


@pytest.mark.slow
def test_a_prompt_that_is_not_installed_is_said_to_be_so(site: Path) -> None:
    code = "import sys; sys.modules['bpython'] = None; from wheatpaste.scripts.main import main; sys.exit(main())"
    argv = [sys.executable, "-c", code, "shell", "site.ini", "where=x", "-p", "bpython"]
    prompt = Prompt(argv, {**os.environ, "NO_COLOR": "1"})
    prompt.expect("bpython is not installed; pip install bpython")
    assert prompt.end() == 1
