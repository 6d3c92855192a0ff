"""Another server in the place of the one that a file was written for: what it takes over, and what it cannot honour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..config.build import site_of
from ..config.factories import ServerRunner
from ..config.problems import ConfigError, Problem
from ..config.reader import Place
from ..config.values import to_text

if TYPE_CHECKING:
    from ..config.node import Node


def take_over(node: Node, chosen: ServerRunner, written: Node, runner: ServerRunner) -> list[Problem]:
    """Give ``node``, which ``chosen`` makes, what the section ``written`` for ``runner`` says.

    Returns a warning for each key that has no effect. Raises ``ConfigError`` where the section is wrong, and for keys
    without which the server must not start, such as those for TLS.
    """
    from ..config.node import Value

    site = site_of(written)
    reading = runner.reader.read(written.local_conf, written.global_conf, site)
    if reading.errors:
        raise ConfigError(reading.errors)
    known = {option.name for option in chosen.reader.options}
    place = Place(site, written.global_conf)
    problems = []
    for key, name, text in _said(written, runner, reading.values):
        if name in known:
            value = written.values.get(key)
            node.values.put({name: Value(text, value.option if value else None, written.section)})
        elif name in chosen.reader.refused:
            problems.append(place.problem(key, chosen.reader.refused[name], code="refused-option"))
        else:
            why = chosen.reader.ignored.get(name, "it is unknown here")
            says = "" if runner.reader.names.get(key, key) == name else f"sets {name}, which "
            what = f"{says}does nothing: {why}"
            problems.append(place.problem(key, what, severity="warning", code="ignored-option"))
    if any(problem.severity == "error" for problem in problems):
        raise ConfigError(problems)
    return problems


def _said(written: Node, runner: ServerRunner, values: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Key as written, option and text, for each option that the section says; by translation, where that says it."""
    reader = runner.reader
    kinds = {option.name: option.kind for option in reader.options}
    direct = {reader.names.get(key, key): key for key in written.local_conf}
    for name, value in values.items():
        key = direct.get(name)
        if key is not None:
            yield key, name, str(written.local_conf[key])
            continue
        key = next((each for each in written.local_conf if name in _meant(runner, each, written)), None)
        if key is not None:
            yield key, name, to_text(value, kinds[name])


def _meant(runner: ServerRunner, key: str, written: Node) -> set[str]:
    """The options that a key means that is none itself: of another program, or the file or variable of a secret."""
    from ..config.values import parse

    translation = runner.reader.translations.get(key)
    if translation is None:
        return {key.removesuffix("_file"), key.removesuffix("_env")}
    value = parse(str(written.local_conf[key]), translation.kind)
    return {*translation.says(value), *translation.supposes(value)}
