"""``[wheatpaste]``: the settings of the loader itself, and files that extend others.

``extends = base.ini site.ini`` lays files over each other, key by key: later ones win, and the file that says so comes
last. Each option keeps the file that it was written in: ``%(here)s`` and relative paths in it start there.
"""

from __future__ import annotations

import os

from .ini import IniFile, Option, Section
from .problems import Problem, did_you_mean
from .records import record

SECTION = "wheatpaste"

_KEYS = ("aliases", "extends", "loader", "python_path")
_CHOICES: dict[str, dict[str, str | bool]] = {
    "aliases": {"on": True, "off": False, "true": True, "false": False, "yes": True, "no": False},
    "loader": {"wheatpaste": "wheatpaste", "pastedeploy": "pastedeploy"},
}


@record
class Settings:
    """What ``[wheatpaste]`` says. ``python_path`` is None where it says nothing: the working directory then counts."""

    extends: tuple[tuple[str, int], ...] = ()
    python_path: tuple[str, ...] | None = None
    loader: str = "wheatpaste"
    aliases: bool = True


def settings_of(file: IniFile) -> tuple[Settings, list[Problem]]:
    """The settings of a file, and the mistakes among them. ``extends`` holds absolute paths, each with its line."""
    section = file.sections.get(SECTION)
    if section is None:
        return Settings(), []
    problems: list[Problem] = []
    chosen: dict[str, object] = {}
    for key, option in section.options.items():
        choices = _CHOICES.get(key)
        if choices is not None:
            value = choices.get(option.text.strip().lower())
            if value is None:
                names = " or ".join(
                    sorted({str(name) for name in choices if name not in ("true", "false", "yes", "no")})
                )
                problems.append(_problem(option, f"there is no {option.text!r} here", f"write {names}", "bad-setting"))
            else:
                chosen[key] = value
        elif key == "extends":
            chosen[key] = tuple((_path(word, option.file), line) for word, line in option.words())
        elif key == "python_path":
            chosen[key] = tuple(_path(word, option.file) for word, _ in option.words())
        else:
            problems.append(_problem(option, "there is no such setting", did_you_mean(key, _KEYS), "unknown-setting"))
    return Settings(**chosen), problems  # type: ignore[arg-type]


def _path(word: str, file: str) -> str:
    folder = os.path.dirname(file)
    return os.path.normpath(os.path.join(folder, word.replace("%(here)s", folder)))


def _problem(option: Option, what: str, fix: str, code: str) -> Problem:
    return Problem(what=what, fix=fix, file=option.file, line=option.line, section=SECTION, key=option.key, code=code)


def merge(files: list[IniFile]) -> IniFile:
    """Lay files over each other: a new file with the path of the last, which wins."""
    top = files[-1]
    merged = IniFile(top.path, top.text)
    for file in files:
        _overlay(merged.defaults, file.defaults)
        for section in file.sections.values():
            mine = merged.sections.get(section.header)
            if mine is None:
                mine = Section(section.header, section.line, section.file)
                mine.parts = ()
                merged.add(mine)
            _overlay(mine, section)
    return merged


def _overlay(below: Section, above: Section) -> None:
    if above.line:
        below.file, below.line = above.file, above.line
    # A file may be reached on several ways, and each would double what stands in it.
    below.parts += tuple(part for part in above.parts if part not in below.parts)
    for key, option in above.options.items():
        before = below.options.get(key)
        if before is not None:
            option = Option(key, option.text, option.line, option.file, option.lines, before)
        below.options[key] = option
