"""Commands that build an app in their own process, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ending_factories
import pytest

from wheatpaste.scripts.main import main

INI = """
    [app:main]
    paste.app_factory = ending_factories:app
    name = main

    [app:other]
    paste.app_factory = ending_factories:app
    name = other
"""


@pytest.fixture(autouse=True)
def _clean() -> None:
    ending_factories.happened.clear()


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        (["request", "FILE", "/"], ["main"]),
        (["request", "FILE", "/", "--fail"], ["main"]),
        (["shell", "FILE", "-c", "client.get('/')"], ["main"]),
        (["shell", "FILE", "-c", "apps['other']"], ["other", "main"]),
        (["shell", "FILE", "-c", "raise SystemExit(0)"], ["main"]),
        (["show", "FILE", "--build"], ["main"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_what_was_built_is_closed_at_the_end_of(
    words: list[str], ends: list[str], write_ini: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_ini(INI)
    try:
        code = main([str(path) if word == "FILE" else word for word in words])
    except SystemExit as stop:
        code = int(stop.code or 0)
    assert code == 0, capsys.readouterr().err
    made = [name for what, name in ending_factories.happened if what == "made"]
    assert made == ends[::-1]
    assert [name for what, name in ending_factories.happened if what == "closed"] == ends
