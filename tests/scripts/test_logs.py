"""Logging comes from the INI file, with its variables and the environment's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wheatpaste.config.problems import ConfigError, Problem
from wheatpaste.scripts.logs import leave_out, set_up_logging
from wheatpaste.scripts.target import find_target

INI = """\
[DEFAULT]
folder = %(here)s
[app:main]
use = egg:wheatpaste#echo
[loggers]
keys = root, wares
[handlers]
keys = file
[formatters]
keys = plain
[logger_root]
level = %(ENV_LOG_LEVEL:-WARNING)s
handlers = file
[logger_wares]
level = %(wanted)s
handlers =
qualname = wares
[handler_file]
class = FileHandler
args = ('%(folder)s/app.log',)
formatter = plain
[formatter_plain]
format = %(name)s %(levelname)s %(message)s
"""


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """What a test does to the loggers is undone."""
    root, wares = logging.getLogger(), logging.getLogger("wares")
    handlers, levels = root.handlers[:], (root.level, wares.level)
    yield
    for handler in root.handlers[:]:
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    root.handlers[:] = handlers
    for logger, level in zip((root, wares), levels, strict=True):
        logger.setLevel(level)  # what loggers remember of the levels above them is forgotten with that


@pytest.fixture
def set_up(write_ini: Callable[..., Path]) -> Callable[..., Path]:
    def act(text: str = INI, **variables: str) -> Path:
        path = write_ini(text)
        variables = {"wanted": "INFO", **variables}
        set_up_logging(find_target(str(path)).compose(variables=variables), variables)
        return path.parent / "app.log"

    return act


def test_variables_of_the_file_and_of_the_command_line_count(set_up: Callable[..., Path]) -> None:
    log = set_up(wanted="DEBUG")
    logging.getLogger("wares").debug("made")
    logging.getLogger("others").info("unheard")
    assert log.read_text() == "wares DEBUG made\n"


def test_the_environment_counts(set_up: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "INFO")
    log = set_up()
    logging.getLogger("others").info("heard")
    assert log.read_text() == "others INFO heard\n"


def test_loggers_that_exist_stay_enabled(set_up: Callable[..., Path]) -> None:
    logger = logging.getLogger("wares.old")
    set_up()
    assert not logger.disabled


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        pytest.param(
            ":-WARNING", "", 12, "the environment variable LOG_LEVEL is not set", id="an environment variable"
        ),
        pytest.param("FileHandler", "FlieHandler", 5, "logging cannot be set up", id="a class"),
        pytest.param("keys = plain", "", 5, "logging cannot be set up", id="a key"),
        pytest.param("%(folder)s/", "/no/such/folder/", 5, "No such file or directory", id="a folder"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, line: int, message: str, set_up: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError) as caught:
        set_up(INI.replace(old, new))
    (problem,) = caught.value.problems
    assert message in str(problem)
    assert problem.line == line


def test_what_was_shown_before_the_start_is_not_logged_once_more(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("wheatpaste.config.factories")
    told = Problem(what="there is no file a.pem", file="site.ini", line=3, key="certificate", code="advice")
    before = list(logger.filters)
    try:
        leave_out([told])
        for problem in (
            Problem(what="there is no file /srv/a.pem", file="/srv/site.ini", line=3, key="certificate", code="advice"),
            Problem(what="other"),
        ):
            logger.warning("%s", problem)
    finally:
        logger.filters[:] = before
    assert [record.getMessage() for record in caplog.records] == ["other"]
