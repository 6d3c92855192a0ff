"""What ran: Python, the system, this package and the distributions that a traceback went through."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from functools import cache

from .... import __version__
from ..record import Pairs
from .distributions import Distribution
from .texts import clean_line


def versions_of(distributions: Iterable[Distribution]) -> Pairs:
    """Names and versions, the distributions in alphabetical order."""
    found = {each.name: each.version for each in distributions if each.version}
    return (*_surroundings(), *sorted(found.items(), key=lambda pair: pair[0].lower()))


@cache
def _surroundings() -> Pairs:
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return (
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("System", system.strip()),
        ("wheatpaste", __version__),
    )


@cache
def host_name() -> str:
    """What this machine calls itself."""
    return clean_line(platform.node(), 200)
