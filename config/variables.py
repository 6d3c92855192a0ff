"""The variables of one file, and interpolation: ``%(name)s`` and ``%(ENV_NAME:-default)s``."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Mapping

from .ini import DEFAULT, MAX_BYTES, IniFile, Option
from .node import Lost, Value, Values
from .origin import How, Origin
from .problems import Problem, did_you_mean

_MAX_EXPANSIONS = 10  # configparser's MAX_INTERPOLATION_DEPTH
_MAX_PIECES = 10_000  # ten variables that each hold the next ten times are ten thousand million pieces
_MOST_TOGETHER = 8 * MAX_BYTES
"""How many characters interpolation may make of one file: a large value that a thousand others hold is in no memory."""

_ENVIRONMENT = "ENV_"


@functools.cache
def _variable() -> re.Pattern[str]:
    return re.compile(r"%\(([^)]+)\)s")  # when the first percent sign comes: many files have none


class _Broken(Exception):
    """An interpolation that failed; carries its problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem


class Variables:
    """``[DEFAULT]`` of a file with ``here``, ``__file__`` and what was injected.

    ``raw`` holds them as written, ``injected`` those that came from outside.
    """

    def __init__(self, file: IniFile | None, report: Callable[[Problem], object]) -> None:
        self._report = report
        self._path = file.path if file else None
        self._cached: Values | None = None
        self._directives: dict[str, Option] | None = None
        self._literal: set[str] = set()
        self._made = 0
        self.injected: dict[str, Value] = {}
        self.raw: dict[str, Option] = {}
        if file is not None:
            path = file.path
            self.raw = {
                "here": Option("here", os.path.dirname(path), 0, path),
                "__file__": Option("__file__", path, 0, path),
                **file.defaults.options,
            }

    def inject(self, values: Mapping[str, Value], overwrite: bool = True) -> None:
        """Add variables as if they stood in ``[DEFAULT]``; existing keys stay unless ``overwrite``."""
        self._cached = self._directives = None
        for key, value in values.items():
            if not overwrite and key in self.raw:
                continue
            text = value.text
            option = value.option
            self.raw[key] = Option(key, text, option.line if option else 0, option.file if option else "")
            self.injected[key] = value
            # Values of the environment, and text that is no valid template, mean what they say.
            if value.environment or ("%" in text and "%" in _variable().sub("", text.replace("%%", ""))):
                self._literal.add(key)

    def defaults(self) -> Values:
        """``[DEFAULT]``, the injected variables, ``here`` and ``__file__``, interpolated."""
        if self._cached is None:
            made = Values()
            for key, option in self.raw.items():
                made[key] = self._default(key, option)
            self._cached = made
        return self._cached

    def directives(self) -> dict[str, Option]:
        """Those of ``raw`` that begin with ``set`` or ``get``: they count in each section, and there hardly are any."""
        if self._directives is None:
            self._directives = {key: each for key, each in self.raw.items() if key.startswith(("set ", "get "))}
        return self._directives

    def _default(self, key: str, option: Option) -> Value:
        given = self.injected.get(key)
        if given is None:
            builtin = option.line == 0
            return self.value(option, DEFAULT, "built in" if builtin else "default", {}, keep_empty=False)
        if "%" not in option.text or key in self._literal:
            return given
        made = self.value(option, given.section, given.how, {}, keep_empty=False)
        return Value(made.text, given.option, given.section, given.how, given.lost, made.environment)

    def value(
        self, option: Option, header: str | None, how: How, local: Mapping[str, Option], keep_empty: bool = True
    ) -> Value:
        """The value of an option under ``header``, interpolated with those beside it (``local``) and the variables.

        Where that fails the problem is reported, and the text stays as written.
        """
        text = option.text
        if ("%" not in text and option.over is None) or how == "built in":
            return Value(text, option, header, how)
        environment: tuple[str, ...] = ()
        if "%" in text:
            out: list[str] = []
            names: list[str] = []
            try:
                self._expand(text, option, option, header, local, out, names, 1)
                size = sum(map(len, out))
                if size > MAX_BYTES:
                    raise self._endless(option, header)
                if self._made + size > _MOST_TOGETHER:
                    what = f"its variables make the values of this file larger than {_MOST_TOGETHER >> 20} MB together"
                    raise self._broken(option, header, what, "use large values less often", "interpolation-depth")
                self._made += size
                text = "".join(out)
                if not text and not keep_empty:
                    text = option.text
            except _Broken as broken:
                self._report(broken.problem)
            if names:
                environment = tuple(names)
                if how == "section":
                    how = "environment"
        lost: tuple[Lost, ...] = ()
        if option.over is not None:
            over = option.over
            lost = (Lost(over.text, Origin(over.file, over.line, header), f"{option.file} extends that file"),)
        return Value(text, option, header, how, lost, environment)

    def _expand(
        self,
        text: str,
        spot: Option,
        asked: Option,
        header: str | None,
        local: Mapping[str, Option],
        out: list[str],
        names: list[str],
        depth: int,
    ) -> None:
        """Interpolate ``text``, which stands at ``spot``, as configparser does; the environment is taken literally."""
        if depth > _MAX_EXPANSIONS or len(out) > _MAX_PIECES:
            raise self._endless(asked, header)
        start = 0
        while True:
            found = text.find("%", start)
            if found < 0:
                out.append(text[start:])
                return
            out.append(text[start:found])
            if text.startswith("%%", found):
                out.append("%")
                start = found + 2
                continue
            match = _variable().match(text, found)
            if match is None:
                shown = text[found : found + 2]
                what = f"{shown!r} does not begin a variable such as %(here)s"
                raise self._broken(spot, header, what, "write %% for a percent sign", "interpolation-syntax")
            start = match.end()
            name = match[1]
            option = local.get(name) or self.raw.get(name)
            if option is None:
                if not name.startswith(_ENVIRONMENT):
                    known = [key for key in (*local, *self.raw) if " " not in key]
                    fix = f"give it in [DEFAULT] or on the command line ({name}=…)"
                    near = did_you_mean(name, known) if len(known) > 2 else ""
                    fix = f"{near} or {fix}" if near.startswith("did you mean") else fix
                    raise self._broken(spot, header, f"there is no variable {name!r}", fix, "interpolation-missing")
                out.append(self._environment(name, spot, header, names))
                continue
            replacement = option.text
            if option.line == 0 and spot.file and name not in self.injected and spot.file != option.file:
                # Written in a file that this one extends: here is where it was written.
                replacement = os.path.dirname(spot.file) if name == "here" else replacement
            # The path of a file is no template, and may have a percent sign.
            builtin = option.line == 0 and name not in self.injected
            if "%" in replacement and not builtin and not (name in self._literal and name not in local):
                self._expand(replacement, option, asked, header, local, out, names, depth + 1)
            else:
                out.append(replacement)
                if name in self.injected and name not in local:
                    names += self.injected[name].environment

    def _endless(self, asked: Option, header: str | None) -> _Broken:
        return self._broken(asked, header, "its variables refer to each other without end", "", "interpolation-depth")

    def _environment(self, name: str, spot: Option, header: str | None, names: list[str]) -> str:
        variable, has_default, default = name.removeprefix(_ENVIRONMENT).partition(":-")
        text = os.environ.get(variable)
        if has_default and not text:
            return default
        if text is None:
            what = f"the environment variable {variable} is not set"
            fix = f"set it, or give a default: %(ENV_{variable}:-default)s"
            raise self._broken(spot, header, what, fix, "environment-missing")
        names.append(variable)
        return text

    def _broken(self, spot: Option, header: str | None, what: str, fix: str, code: str) -> _Broken:
        if self.raw.get(spot.key) is spot:
            header = DEFAULT
        where = (spot.file, spot.line) if spot.line else (self._path, None)
        return _Broken(
            Problem(what=what, fix=fix, file=where[0], line=where[1], section=header, key=spot.key, code=code)
        )
