"""A deployer's mistakes: what is wrong, where, and what to write instead.

A problem is data. It is collected (``check``), raised together with its fellows (:class:`ConfigError`)
and printed by the command line; nothing here prints.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterable
from typing import Any, Literal

from .records import record

Severity = Literal["error", "warning"]


@record(kw_only=True)
class Problem:
    """One mistake in what a deployer wrote.

    ``what`` completes the sentence "[section] key: …"; ``fix`` says what to write instead.
    ``code`` is a stable slug for tools (``unknown-option``). ``value`` is shown beside the key only when
    it is known to hold no secret.
    """

    what: str
    fix: str = ""
    file: str | None = None
    line: int | None = None
    section: str | None = None
    key: str | None = None
    value: str | None = None
    severity: Severity = "error"
    code: str = "config"

    @property
    def place(self) -> str:
        """``site.ini:14``, or as much of it as is known."""
        if self.file is None:
            return ""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    @property
    def message(self) -> str:
        """Everything but the place: ``[filter:gzip] level = 12: must be between 1 and 9``."""
        subject = ""
        if self.section is not None:
            subject = f"[{self.section}]"
        if self.key is not None:
            shown = self.key if self.value is None else f"{self.key} = {_one_line(self.value)}"
            subject = f"{subject} {shown}".strip()
        text = f"{subject}: {self.what}" if subject else self.what
        return f"{text}; {self.fix}" if self.fix else text

    @property
    def order(self) -> tuple[str, int, str, str]:
        """Sort key: by file, then line."""
        return (self.file or "", self.line or 0, self.section or "", self.key or "")

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.file is not None else self.message


class ConfigError(LookupError):
    """All problems of a configuration at once. A ``LookupError``, as PasteDeploy's errors are."""

    def __init__(self, problems: Iterable[Problem] | Problem) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return config_error, (self.problems,)


def _one_line(text: str, limit: int = 60) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that ``word`` was most likely meant to be, or None.

    A difference of letter case, ``-``, ``_`` or ``.`` alone always counts as near.
    """
    names = list(known)
    folded = _fold(word)
    for name in names:
        if _fold(name) == folded:
            return name
    import difflib  # nine milliseconds, and only somebody who mistyped needs it

    found = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean 'level'?``, a short list of what there is, or nothing."""
    names = sorted(set(known))
    near = nearest(word, names)
    if near is not None:
        return f"did you mean {near!r}?"
    if not names:
        return ""
    shown = ", ".join(names[:12])
    return f"there are: {shown}, …" if len(names) > 12 else f"there are: {shown}"


def _fold(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "").replace(".", "").replace(" ", "")


_ALSO = {
    "missing-file": ("builtins", "FileNotFoundError"),
    "not-a-file": ("builtins", "IsADirectoryError"),
    "relative-path": ("builtins", "ValueError"),
    "missing-distribution": ("importlib.metadata", "PackageNotFoundError"),
    "interpolation-missing": ("configparser", "InterpolationMissingOptionError"),
    "interpolation-syntax": ("configparser", "InterpolationSyntaxError"),
    "interpolation-depth": ("configparser", "InterpolationDepthError"),
    "environment-missing": ("configparser", "InterpolationMissingOptionError"),
    "duplicate-key": ("configparser", "Error"),
    "duplicate-section": ("configparser", "Error"),
    "no-section": ("configparser", "Error"),
    "no-delimiter": ("configparser", "Error"),
    "no-key": ("configparser", "Error"),
}


def config_error(problems: Iterable[Problem]) -> ConfigError:
    """A ``ConfigError`` that also is of the type that PasteDeploy raises for one of its problems.

    A missing file also is a ``FileNotFoundError``, a failed interpolation configparser's error, a missing distribution
    a ``PackageNotFoundError``.
    """
    found = tuple(problems)
    also = next((_ALSO[problem.code] for problem in found if problem.code in _ALSO), None)
    return _also(*also)(found) if also is not None else ConfigError(found)


@functools.cache
def _also(module: str, name: str) -> type[ConfigError]:
    # Made when needed: importlib.metadata alone takes longer to import than all of a small configuration to load.
    other = getattr(importlib.import_module(module), name)
    return type("ConfigError", (ConfigError, other), {"__module__": __name__, "__doc__": ConfigError.__doc__})
