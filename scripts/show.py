"""``wheatpaste show FILE``: what is mounted where, through which filters, and where that is written.

A tree in the terminal, ``--json`` for programs, ``--html`` and ``--svg`` for a picture that needs nothing else.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from ..config.composition import Composition
from ..config.node import Node, Values
from ..config.outline import Stack, outline, parts_of, reader_of
from ..config.problems import ConfigError, Problem
from ..config.reader import Reader
from ..protocol.redact import redact_value
from ..protocol.secret_names import redacted
from .places import dump, maker, place_data
from .target import find_target
from .terminal import Terminal, short_path
from .tree import place_of, print_tree

_VARIABLE = re.compile(r"[\w.-]+=")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", metavar="FILE", help="the INI file, or FILE#NAME for another app than main")
    parser.add_argument("variables", nargs="*", metavar="key=value", help="variables, as for serve")
    parser.add_argument("-n", "--app-name", metavar="NAME", help="the app section to start from (default: main)")
    parser.add_argument("--server-name", metavar="NAME", help="the server section (default: main)")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each filter")
    parser.add_argument("--build", action="store_true", help="build the app, to see what composites of others mount")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for programs")
    form.add_argument("--html", metavar="FILE", help="write a page with the picture; - for standard output")
    form.add_argument("--svg", metavar="FILE", help="write the picture alone; - for standard output")


def run(options: argparse.Namespace) -> int:
    """Show, and return 0; 1 where something is missing."""
    variables = _variables(options.variables)
    target = find_target(options.file)
    if target.is_python:
        raise ConfigError(Problem(what=f"{options.file} is no INI file", fix="name one", code="target"))
    composition = target.compose(name=options.app_name, variables=variables or None, collect=True)
    if composition.root.shape == "missing":
        raise ConfigError(composition.problems)
    if options.build:
        composition.extend_sys_path()
        composition.build()
        composition.close()  # what is shown are the nodes
    stack = outline(composition)
    listener = composition.also("server", options.server_name or "main")
    if listener is None and options.server_name is not None:
        what = f"there is no server named {options.server_name!r}"
        raise ConfigError(Problem(what=what, fix="leave --server-name out for main", code="missing-section"))
    address = address_of(listener)
    if options.json:
        dump(_data(composition, stack, listener, address))
    elif options.html or options.svg:
        from .picture import draw, page

        drawn = draw(stack, address, listener)
        title = Path(composition.file.path).name if composition.file is not None else options.file
        _write(options.html or options.svg, page(drawn, title) if options.html else drawn.standalone())
    else:
        print_tree(stack, listener, address, Terminal(sys.stdout), verbose=options.verbose)
    for problem in composition.problems:
        Terminal().problem(problem)
    return 1 if any(each.severity == "error" for each in composition.problems) else 0


def address_of(listener: Node | None) -> str:
    """Where the site listens, as far as its section says: ``http://127.0.0.1:8080``."""
    if listener is None:
        return "http://127.0.0.1:8080"
    values = {key: value.text for key, value in listener.values.items()}
    if values.get("unix_socket"):
        return f"unix:{values['unix_socket']}"
    if values.get("listen"):
        return " ".join(f"http://{each}" for each in values["listen"].split())
    host, port = values.get("host") or "127.0.0.1", values.get("port") or "8080"
    if ":" in host and not host.startswith("["):
        name, _, own_port = host.rpartition(":")
        return (
            f"http://{host}"
            if "port" not in values and name.count(":") == 0 and own_port
            else f"http://[{host}]:{port}"
        )
    return f"http://{host}:{port}"


def _variables(words: list[str]) -> dict[str, str]:
    for word in words:
        if not _VARIABLE.match(word):
            raise ConfigError(Problem(what=f"{word!r} is no variable", fix="write key=value", code="usage"))
    return dict(word.split("=", 1) for word in words)


def _write(path: str, text: str) -> None:
    if path == "-":
        # Always UTF-8, as the files say of themselves.
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
        return
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(Problem(what=f"{path} cannot be written ({error.strerror})", code="output")) from error
    print(f"wrote {short_path(path)}", file=sys.stderr)


def _data(composition: Composition, stack: Stack, listener: Node | None, address: str) -> dict[str, Any]:
    return {
        "version": 1,
        "files": list(composition.files),
        "address": address,
        "server": None if listener is None else _node_data(listener),
        "app": _stack_data(stack),
        "problems": [str(each) for each in composition.problems],
    }


def _stack_data(stack: Stack) -> dict[str, Any]:
    return {
        "name": stack.name,
        "filters": [_node_data(each) for each in stack.filters],
        "app": _node_data(stack.app),
        "mounts": [
            {
                "place": place_of(each),
                "key": each.mount.key,
                "host": each.mount.host,
                "path": each.mount.path,
                "reference": each.mount.reference,
                "guess": each.guess,
                "fallback": each.fallback,
                **place_data(each.origin),
                "stack": _stack_data(each.stack),
            }
            for each in stack.mounts
        ],
    }


def _node_data(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "section": node.section,
        "maker": maker(node),
        "missing": node.shape == "missing",
        "options": _options(node.values, reader_of(node)),
        "parts": [
            {
                "section": each.section.header,
                "options": _options(each.values, each.reader),
                **place_data(each.place.origin(None)),
            }
            for each in parts_of(node).values()
        ],
        **place_data(node.where),
    }


def _options(values: Values, reader: Reader | None) -> dict[str, Any]:
    """What may be shown of a section. What came from the environment may be any secret."""
    secrets = frozenset() if reader is None else reader.secret_keys()
    return {
        key: redacted(value.text) if key in secrets else redact_value(key, value.text)
        for key, value in values.items()
        if not value.environment
    }
