"""``wheatpaste explain FILE [METHOD] URL``: which mount takes a URL, through which filters, and why not the others.

``wheatpaste explain FILE --section NAME``: each effective value of a section, where it was written, and what lost.
"""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any

from ..config.node import Node
from ..config.outline import Mounted, outline
from ..config.problems import ConfigError, Problem
from ..protocol.wsgi import Environ
from .places import dump, maker, place, place_data
from .route import Hop, follow
from .section import explain_section
from .target import find_target
from .terminal import Terminal, printable

_VARIABLE = re.compile(r"[\w.-]+=")
_METHOD = re.compile(r"[A-Z]+")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", metavar="FILE", help="the INI file, or FILE#NAME for another app than main")
    parser.add_argument("words", nargs="*", metavar="[METHOD] URL", help="the request, such as GET /wiki/ or //host/x")
    parser.add_argument("-n", "--app-name", metavar="NAME", help="the app section to start from (default: main)")
    parser.add_argument("--section", metavar="NAME", help="explain the values of a section instead: wiki, filter:gzip")
    parser.add_argument(
        "--all", action="store_true", help="name every mount that does not take it, not only the nearest"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.epilog = "key=value words are variables, as for serve. No code of yours runs."


def run(options: argparse.Namespace) -> int:
    """Explain, and return 0; 1 where the URL leads nowhere or the file cannot be served as it stands."""
    variables = dict(word.split("=", 1) for word in options.words if _VARIABLE.match(word))
    words = [word for word in options.words if not _VARIABLE.match(word)]
    terminal = Terminal(sys.stdout)
    target = find_target(options.file)
    if target.is_python:
        raise ConfigError(Problem(what=f"{options.file} is no INI file", fix="name one", code="target"))
    composition = target.compose(name=options.app_name, variables=variables or None, collect=True)
    if options.section is not None:
        return explain_section(composition, options.section, terminal, options.json)
    if not words:
        print("wheatpaste explain: say which URL, or --section NAME (see wheatpaste explain --help)", file=sys.stderr)
        return 2
    method = words.pop(0) if len(words) > 1 and _METHOD.fullmatch(words[0].upper()) else "GET"
    if len(words) > 1:
        print(f"wheatpaste explain: one URL at a time, not {' '.join(words)}", file=sys.stderr)
        return 2
    if composition.root.shape == "missing":
        raise ConfigError(composition.problems)
    environ = _environ(method.upper(), words[0])
    hop = follow(outline(composition), environ)
    if options.json:
        dump({"request": _request(environ), "route": _hop_data(hop)})
    else:
        _print_route(hop, environ, terminal, options.all)
    for problem in composition.problems:
        Terminal().problem(problem)
    broken = any(problem.severity == "error" for problem in composition.problems)
    return 0 if _arrives(hop) and not broken else 1


def _environ(method: str, url: str) -> Environ:
    """The part of an environ that decides where a request goes. Raises ``ConfigError`` for what is no URL."""
    from urllib.parse import unquote_to_bytes, urlsplit

    if not url.startswith(("/", "http://", "https://")) and url != "*":
        raise ConfigError(Problem(what=f"{url} is no URL", fix="write /path or http://host/path", code="url"))
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2] or "localhost"
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise ConfigError(Problem(what=f"{url} is no URL ({error})", code="url")) from error
    path = parts.path or "/"
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": parts.query,
        "RAW_URI": path if not parts.query else f"{path}?{parts.query}",
        "HTTP_HOST": host,
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": parts.scheme or "http",
    }


def _arrives(hop: Hop) -> bool:
    if hop.next:
        return any(_arrives(each) for each in hop.next)
    return hop.answer is None and hop.stack.app.shape != "missing"


# For people.


def _print_route(hop: Hop, environ: Environ, terminal: Terminal, everything: bool) -> None:
    paint = terminal.paint
    query = f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else ""
    where = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}{environ['RAW_URI'].partition('?')[0]}{query}"
    terminal.line(paint(f"{environ['REQUEST_METHOD']} {printable(where)}", "bold"))
    _print_hop(hop, terminal, "", everything, turn=None)


def _print_hop(hop: Hop, terminal: Terminal, indent: str, everything: bool, turn: int | None) -> None:
    paint = terminal.paint
    line = terminal.line
    inner = f"{indent}  "
    if hop.mounted is not None:
        label = _mount_label(hop.mounted)
        ordinal = "" if turn is None else f"{turn}. "
        guess = paint(" (a guess: this composite is not ours)", "yellow") if hop.mounted.guess else ""
        line(f"{indent}{ordinal}{paint(label, 'cyan', 'bold')}{guess}  {place(hop.mounted.origin, terminal)}")
    for each in hop.stack.filters:
        line(
            f"{inner}{paint('through', 'dim')} {each.name}  {paint(maker(each), 'dim')}  {place(each.where, terminal)}"
        )
    app = hop.stack.app
    kind = "missing" if app.shape == "missing" else "composite" if app.is_composite else "app"
    style = ("red",) if app.shape == "missing" else ("green", "bold") if not hop.next and hop.answer is None else ()
    made = paint(maker(app), "dim")
    line(f"{inner}{paint(kind, 'dim')} {paint(app.name, *style)}  {made}  {place(app.where, terminal)}")
    if hop.answer is not None:
        line(f"{inner}  {paint(f'answers {hop.answer}', 'yellow')}")
    elif not hop.next and app.shape != "missing":
        line(f"{inner}  sees SCRIPT_NAME {hop.script_name!r}, PATH_INFO {hop.path_info!r}")
    if hop.guess and not hop.next:
        line(f"{inner}  {paint('what it mounts is known only to its own code; show --build asks it', 'yellow')}")
    in_turn = len(hop.next) > 1
    if in_turn:
        line(f"{inner}  asks in turn, until one answers:")
    for number, below in enumerate(hop.next, 1):
        _print_hop(below, terminal, f"{inner}  ", everything, number if in_turn else None)
    _print_rejected(hop, terminal, inner, everything)


def _print_rejected(hop: Hop, terminal: Terminal, indent: str, everything: bool) -> None:
    if not hop.rejected:
        return
    most = len(hop.rejected) if everything else 8
    terminal.line(f"{indent}{terminal.paint('not taken:', 'dim')}")
    # The interesting ones first: those that fit the path in part, or the host.
    shown = sorted(hop.rejected, key=lambda each: each.why.startswith("is another path"))[:most]
    width = max(len(_mount_label(each.mounted)) for each in shown)
    for each in shown:
        label = f"{_mount_label(each.mounted):<{width}}"
        terminal.line(f"{indent}  {label}  {terminal.paint(each.why, 'dim')}  {place(each.mounted.origin, terminal)}")
    if len(hop.rejected) > most:
        terminal.line(terminal.paint(f"{indent}  and {len(hop.rejected) - most} more (--all)", "dim"))


def _mount_label(mounted: Mounted) -> str:
    return mounted.mount.key if mounted.fallback else mounted.mount.place


# For programs.


def _request(environ: Environ) -> dict[str, str]:
    return {
        "method": environ["REQUEST_METHOD"],
        "scheme": environ["wsgi.url_scheme"],
        "host": environ["HTTP_HOST"],
        "path": environ["RAW_URI"].partition("?")[0],
        "query": environ["QUERY_STRING"],
    }


def _hop_data(hop: Hop) -> dict[str, Any]:
    return {
        "mount": None if hop.mounted is None else _mount_data(hop.mounted),
        "filters": [_node_data(each) for each in hop.stack.filters],
        "app": _node_data(hop.stack.app),
        "script_name": hop.script_name,
        "path_info": hop.path_info,
        "answer": hop.answer,
        "guess": hop.guess,
        "next": [_hop_data(each) for each in hop.next],
        "not_taken": [{**_mount_data(each.mounted), "why": each.why} for each in hop.rejected],
    }


def _mount_data(mounted: Mounted) -> dict[str, Any]:
    return {
        "place": _mount_label(mounted),
        "key": mounted.mount.key,
        "reference": mounted.mount.reference,
        "guess": mounted.guess,
        "fallback": mounted.fallback,
        **place_data(mounted.origin),
    }


def _node_data(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "section": node.section,
        "maker": maker(node),
        "missing": node.shape == "missing",
        **place_data(node.where),
    }
