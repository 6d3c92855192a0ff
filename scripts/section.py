"""One section explained: each effective value, where it was written, and what lost against it."""

from __future__ import annotations

from typing import Any

from ..config.composition import Composition
from ..config.node import Kind, Node, Value
from ..config.options import options_of
from ..config.outline import own_factory
from ..config.problems import ConfigError, Problem, did_you_mean
from ..config.values import to_text
from ..protocol.redact import redact_value
from .places import dump, maker, place, place_data
from .terminal import Terminal, printable


def explain_section(composition: Composition, name: str, terminal: Terminal, as_json: bool) -> int:
    """Print where each value of a section comes from, and what lost. Raises ``ConfigError`` for an unknown name."""
    node = _section_node(composition, name)
    local = dict(node.values)
    built_in = _built_in(node, local)
    if as_json:
        dump(
            {
                "section": node.section,
                **place_data(node.where),
                "kind": node.kind,
                "shape": node.shape,
                "maker": maker(node),
                "values": {key: _value_data(key, value) for key, value in local.items()},
                "global": {key: _value_data(key, value) for key, value in node.globals.items()},
                "defaults": built_in,
            }
        )
        return 0
    paint = terminal.paint
    terminal.line(f"{paint(f'[{node.section}]', 'bold')}  {place(node.where, terminal)}")
    for base in node.bases:
        terminal.line(f"  takes over [{base.section}]  {place(base, terminal)}")
    if node.reference is not None and node.reference_origin is not None:
        terminal.line(f"  made by {paint(maker(node), 'cyan')}  {place(node.reference_origin, terminal)}")
    for each in node.filters:
        terminal.line(
            f"  filter {each.name}  {paint(maker(each), 'dim')}  {place(each.mentioned or each.where, terminal)}"
        )
    if node.app is not None:
        terminal.line(f"  around {node.app.name}  {place(node.app.mentioned or node.app.where, terminal)}")
    _print_values("its own", local, terminal)
    if built_in:
        terminal.line(f"  {paint('by default', 'dim')}")
        width = max(len(key) for key in built_in)
        for key, text in built_in.items():
            terminal.line(paint(f"    {key:<{width}} = {text}", "dim"))
    _print_values("global", node.globals, terminal)
    for problem in composition.problems:
        if problem.section == node.section:
            Terminal().problem(problem)
    return 0


def _section_node(composition: Composition, name: str) -> Node:
    file = composition.file
    if file is None:
        raise ConfigError(composition.problems)
    prefix, colon, short = name.partition(":")
    asked: list[tuple[Kind, str]] = []
    if colon:
        kind: Kind = "filter" if prefix == "filter" else "server" if prefix == "server" else "app"
        asked.append((kind, short.strip()))
    else:
        asked += [("app", name), ("filter", name), ("server", name)]
    for each, wanted in asked:
        node = composition.also(each, wanted)
        if node is not None:
            return node
    headers = list(file.sections)
    hint = did_you_mean(name, headers if colon else [each.partition(":")[2] or each for each in headers])
    raise ConfigError(Problem(what=f"there is no section {name!r}", fix=hint, file=file.path, code="missing-section"))


def _built_in(node: Node, local: dict[str, Value]) -> dict[str, str]:
    """The options of our component that nothing sets, with their defaults."""
    factory = own_factory(node)
    if factory is None:
        return {}
    reader = factory.reader
    given = {reader.names.get(key, key) for key in local}
    return {
        option.name: to_text(reader.defaults.get(option.name, option.default), option.kind)
        for option in options_of(factory.component)
        if option.name not in given and not option.required and not (option.inherits and option.name in node.globals)
    }


def _print_values(title: str, values: dict[str, Value], terminal: Terminal) -> None:
    if not values:
        return
    paint = terminal.paint
    terminal.line(f"  {paint(title, 'dim')}")
    width = max(len(key) for key in values)
    for key, value in values.items():
        how = "" if value.how in ("section", "code") else f" ({value.how})"
        text = " ".join(_shown(key, value.text, value).split())
        terminal.line(f"    {key:<{width}} = {printable(text)}  {place(value.origin, terminal)}{paint(how, 'dim')}")
        for lost in value.lost:
            beaten = " ".join(_shown(key, lost.text, value).split())
            terminal.line(
                f"    {'':<{width}}   {paint(f'not {printable(beaten)}: {lost.why}', 'yellow')}"
                f"  {place(lost.origin, terminal)}"
            )


def _shown(key: str, text: str, value: Value) -> str:
    # What came from the environment is shown by the name of its variable: it may be any secret.
    if value.environment and text == value.text:
        return f"(from the environment: {', '.join(value.environment)})"
    return str(redact_value(key, text))


def _value_data(key: str, value: Value) -> dict[str, Any]:
    return {
        "text": _shown(key, value.text, value),
        "how": value.how,
        **place_data(value.origin),
        "lost": [
            {"text": _shown(key, each.text, value), "why": each.why, **place_data(each.origin)} for each in value.lost
        ],
    }
