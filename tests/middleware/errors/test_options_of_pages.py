"""Options of the filter that concern its pages: mistakes are told when the configuration is read, with their line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wheatpaste.config.composition import Composition
from wheatpaste.config.problems import ConfigError

INI = """
    [app:main]
    use = egg:wheatpaste#echo
    filter-with = errors

    [filter:errors]
    use = egg:wheatpaste#errors
    {line}
"""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("editor = ed", "is no editor that is known"),
        ("editor = javascript:alert({file})", "must open an editor"),
        ("editor_paths = /app", "must say here=there"),
        ("editor = vscoode", "did you mean 'vscode'"),
        ("template = missing.html", "there is no file .*missing.html"),
        ("template = .", "there is no file"),
        ("allow_hosts = dev.example.com http://dev.example.com", "'http://dev.example.com' is no host such as"),
        ("allow_hosts = dev.example.com:8080", "without a port"),
        ("allow_hosts = *.exa*mple.com", "is no host such as"),
        ("template = broken.html", "line 2: "),
    ],
)
def test_a_mistake_is_told_with_its_line(write_ini: Callable[..., Path], line: str, words: str):
    path = write_ini(INI.format(line=line))
    (path.parent / "broken.html").write_text("<p>\n{% if %}", encoding="utf-8")
    with pytest.raises(ConfigError, match=words) as caught:
        Composition.load(f"config:{path}").build()
    assert f"{path.name}:7" in str(caught.value)


@pytest.mark.parametrize(
    "line", ["editor = vscode", "editor = my://{file}", "editor_paths = /app=/home", "debug = true"]
)
def test_what_is_right_is_taken(write_ini: Callable[..., Path], line: str):
    assert Composition.load(f"config:{write_ini(INI.format(line=line))}").build() is not None
