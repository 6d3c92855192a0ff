"""One section explained: each effective value, where it was written, and what lost against it."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from ..config.composition import Composition
from ..config.node import Kind, Node, Value
from ..config.outline import outline, parts_of, reader_of
from ..config.parts import PartReading
from ..config.problems import ConfigError, Problem, did_you_mean
from ..config.reader import Reader
from ..config.values import to_text
from ..protocol.redact import redact_value
from ..protocol.secret_names import redacted
from .places import dump, maker, place, place_data
from .terminal import Terminal, printable


def explain_section(composition: Composition, name: str, terminal: Terminal, as_json: bool) -> int:
    """Print where each value of a section comes from, and what lost. Raises ``ConfigError`` for an unknown name."""
    belonging = _part(composition, name)
    if belonging is not None:
        _explain_part(*belonging, composition, terminal, as_json)
        return 0
    node = _section_node(composition, name)
    local = dict(node.values)
    reader = reader_of(node)
    secrets = _secrets(reader)
    built_in = _built_in(reader, local, node.globals)
    if as_json:
        dump(
            {
                "section": node.section,
                **place_data(node.where),
                "kind": node.kind,
                "shape": node.shape,
                "maker": maker(node),
                "values": {key: _value_data(key, value, secrets) for key, value in local.items()},
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
    _print_values("its own", local, terminal, secrets)
    _print_defaults(built_in, terminal)
    _print_values("global", node.globals, terminal)
    for problem in composition.problems:
        if problem.section == node.section:
            Terminal().problem(problem)
    return 0


def _part(composition: Composition, name: str) -> tuple[Node, PartReading] | None:
    """The section of this header that belongs to another, and the node of that one."""
    if ":" not in name:
        return None
    for stack in outline(composition).walk():
        for node in (*stack.filters, stack.app):
            for part in parts_of(node).values():
                if part.section.header.replace(" ", "") == name.replace(" ", ""):
                    return node, part
    return None


def _explain_part(owner: Node, part: PartReading, composition: Composition, terminal: Terminal, as_json: bool) -> None:
    header, where = part.section.header, part.place.origin(None)
    secrets = _secrets(part.reader)
    built_in = _built_in(part.reader, part.values, part.place.global_conf)
    if as_json:
        dump(
            {
                "section": header,
                **place_data(where),
                "owner": owner.section,
                "values": {key: _value_data(key, value, secrets) for key, value in part.values.items()},
                "defaults": built_in,
            }
        )
        return
    terminal.line(f"{terminal.paint(f'[{header}]', 'bold')}  {place(where, terminal)}")
    terminal.line(f"  belongs to [{owner.section}]  {place(owner.where, terminal)}")
    _print_values("its own", part.values, terminal, secrets)
    _print_defaults(built_in, terminal)
    for problem in part.reading.problems:
        Terminal().problem(problem)


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


def _secrets(reader: Reader | None) -> frozenset[str]:
    return frozenset() if reader is None else reader.secret_keys()


def _built_in(reader: Reader | None, local: Container[str], inherited: Container[str]) -> dict[str, str]:
    """The options of our component that nothing sets, with their defaults."""
    if reader is None:
        return {}
    given = {option.name for key, option in reader.spellings().items() if key in local}
    return {
        option.name: to_text(reader.defaults.get(option.name, option.default), option.kind)
        for option in reader.options
        if option.name not in given and not option.required and not (option.inherits and option.name in inherited)
    }


def _print_defaults(built_in: dict[str, str], terminal: Terminal) -> None:
    if built_in:
        terminal.line(f"  {terminal.paint('by default', 'dim')}")
        width = max(len(key) for key in built_in)
        for key, text in built_in.items():
            terminal.line(terminal.paint(f"    {key:<{width}} = {text}", "dim"))


def _print_values(
    title: str, values: dict[str, Value], terminal: Terminal, secrets: frozenset[str] = frozenset()
) -> None:
    if not values:
        return
    paint = terminal.paint
    terminal.line(f"  {paint(title, 'dim')}")
    width = max(len(key) for key in values)
    for key, value in values.items():
        how = "" if value.how in ("section", "code") else f" ({value.how})"
        text = " ".join(_shown(key, value.text, value, secrets).split())
        terminal.line(f"    {key:<{width}} = {printable(text)}  {place(value.origin, terminal)}{paint(how, 'dim')}")
        for lost in value.lost:
            beaten = " ".join(_shown(key, lost.text, value, secrets).split())
            terminal.line(
                f"    {'':<{width}}   {paint(f'not {printable(beaten)}: {lost.why}', 'yellow')}"
                f"  {place(lost.origin, terminal)}"
            )


def _shown(key: str, text: str, value: Value, secrets: frozenset[str]) -> str:
    # What came from the environment is shown by the name of its variable: it may be any secret.
    if value.environment and text == value.text:
        return f"(from the environment: {', '.join(value.environment)})"
    return str(redacted(text) if key in secrets else redact_value(key, text))


def _value_data(key: str, value: Value, secrets: frozenset[str] = frozenset()) -> dict[str, Any]:
    return {
        "text": _shown(key, value.text, value, secrets),
        "how": value.how,
        **place_data(value.origin),
        "lost": [
            {"text": _shown(key, each.text, value, secrets), "why": each.why, **place_data(each.origin)}
            for each in value.lost
        ],
    }
