"""What the app was configured with, from ``paste.config``: without secrets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ....protocol.secret_names import secrecy
from ....protocol.secret_texts import redact_text
from ....protocol.wsgi import Environ
from ..record import Pairs
from .texts import clean_line
from .values import Budget, show

_MOST = 200
_MOST_NAME = 200


def configuration_of(environ: Environ, budget: Budget) -> Pairs:
    """The settings, sorted by name. Those of a nested dict stand as ``app_conf.name``."""
    config: Any = environ.get("paste.config")
    if not issubclass(type(config), dict):
        return ()
    return tuple(_rows(config, "", budget))[:_MOST]


def _rows(config: dict[Any, Any], above: str, budget: Budget) -> Iterator[tuple[str, str]]:
    settings = [(name, value) for name, value in list(dict.items(config)) if type(name) is str]
    for name, value in sorted(settings, key=lambda each: each[0])[:_MOST]:
        whole = clean_line(f"{above}{name}", _MOST_NAME)
        if type(value) is dict and not above and not secrecy(name):
            yield from _rows(value, f"{name}.", budget)
        else:
            yield redact_text(whole), _text(whole, value, budget)


def _text(name: str, value: object, budget: Budget) -> str:
    shown = show(name, value, budget).text
    if type(value) is not str or shown.startswith("[redacted"):
        return shown
    found: list[str] = []
    most = budget.settings.most_characters
    text = redact_text(clean_line(value[: most * 4]), found)
    budget.known.add_all(found)
    return clean_line(text, most)
