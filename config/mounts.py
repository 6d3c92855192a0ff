"""What the keys of a composite's section name: apps, at paths and hosts, or simply in an order.

A composite says how its keys are read, so that ``check``, ``show`` and ``explain`` know its mounts without
building anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from .problems import Severity
from .records import record


class Mount(NamedTuple):
    """One app that a composite names.

    ``key`` is the key as written and ``reference`` the app's name or URI. ``host`` is ``''`` for any, or
    ``example.com``, ``*.example.com``, with ``:port`` where one was given. ``path`` is ``''`` at the root, and None
    where the composite mounts by order rather than by path.
    """

    key: str
    reference: str
    host: str = ""
    path: str | None = None

    @property
    def place(self) -> str:
        """The mount as a person writes it: ``demo.localhost/wiki``, ``/``, or the key."""
        if self.path is None:
            return self.key
        return f"{self.host}{self.path}" if self.host else self.path or "/"


@record
class KeyProblem:
    """What is wrong with one key of a section (None: with the section), and what to write instead.

    ``part`` names the section, where it is one that belongs to the component's own (``parts.py``).
    """

    key: str | None
    what: str
    fix: str = ""
    severity: Severity = "error"
    part: str | None = None


MountReader = Callable[[Mapping[str, str]], tuple[list[Mount], list[KeyProblem]]]
"""Reads the keys that are no options: ``{key: value}`` to mounts in order of precedence, and what is wrong."""
