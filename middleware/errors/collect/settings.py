"""How much of a failure is collected, and what counts as the project's own code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Collecting:
    """What a record may hold; the defaults keep every page below a megabyte and 50 ms.

    ``project`` are folders whose code is the project's own (empty: the working directory), ``own`` and ``foreign``
    are module prefixes that decide before the folder does. ``context`` counts lines before and after the failing one.
    ``seconds`` is the time that all reprs and expressions of one record may take together; what is left then is named
    by its type.
    """

    project: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    context: int = 7
    variables: bool = True
    most_exceptions: int = 64
    most_frames: int = 60
    most_variables: int = 40
    most_characters: int = 400
    most_message: int = 8000
    seconds: float = 0.25
