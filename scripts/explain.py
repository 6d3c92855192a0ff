"""``wheatpaste explain FILE [METHOD] URL``: which mount takes a URL, through which filters, and why not the others.

``wheatpaste explain FILE [METHOD] URL --user NAME``: whether this user may, which rule says so, and what would help.

``wheatpaste explain FILE --section NAME``: each effective value of a section, where it was written, and what lost.
"""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any

from ..config.node import Node
from ..config.origin import Origin
from ..config.outline import Mounted, outline
from ..config.problems import ConfigError, Problem
from ..protocol.wsgi import Environ
from .access import Access, Asker
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
    parser.add_argument("--user", metavar="NAME", help="who makes the request, for filters that ask who may")
    parser.add_argument("--mfa", action="store_true", help="this user has shown a second factor")
    parser.add_argument(
        "--scope", action="append", metavar="NAME", help="the request carries a token of the user with this scope"
    )
    parser.add_argument("--from", dest="address", metavar="ADDRESS", help="the client's address (default: 127.0.0.1)")
    parser.add_argument("--section", metavar="NAME", help="explain the values of a section instead: wiki, filter:gzip")
    parser.add_argument(
        "--all", action="store_true", help="name every mount that does not take it, not only the nearest"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.epilog = (
        "key=value words are variables, as for serve. No code of yours runs, unless a rule tests a function; "
        "with --user the site's users are looked up."
    )


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
    if options.user is None and (options.mfa or options.scope):
        print("wheatpaste explain: --mfa and --scope are said of a user: add --user NAME", file=sys.stderr)
        return 2
    environ = _environ(method.upper(), words[0])
    if options.address is not None:
        environ["REMOTE_ADDR"] = options.address
    hop = follow(outline(composition), environ)
    asker = Asker(options.user, mfa=options.mfa, scopes=None if options.scope is None else tuple(options.scope))
    if options.json:
        dump({"request": _request(environ), "route": _hop_data(hop, asker)})
    else:
        _print_route(hop, environ, terminal, options.all, asker)
    problems = list(dict.fromkeys([*composition.problems, *asker.problems]))
    for problem in problems:
        Terminal().problem(problem)
    broken = any(problem.severity == "error" for problem in problems)
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


def _print_route(hop: Hop, environ: Environ, terminal: Terminal, everything: bool, asker: Asker) -> None:
    paint = terminal.paint
    query = f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else ""
    where = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}{environ['RAW_URI'].partition('?')[0]}{query}"
    who = "" if asker.name is None else f"  by {printable(asker.name)}"
    terminal.line(paint(f"{environ['REQUEST_METHOD']} {printable(where)}{who}", "bold"))
    _print_hop(hop, terminal, "", everything, asker, turn=None)


def _print_hop(hop: Hop, terminal: Terminal, indent: str, everything: bool, asker: Asker, turn: int | None) -> None:
    paint = terminal.paint
    line = terminal.line
    inner = f"{indent}  "
    asker = asker.branch()
    seen = {id(node): environ for node, environ in hop.passed}
    if hop.mounted is not None:
        label = _mount_label(hop.mounted)
        ordinal = "" if turn is None else f"{turn}. "
        guess = paint(" (a guess: this composite is not ours)", "yellow") if hop.mounted.guess else ""
        line(f"{indent}{ordinal}{paint(label, 'cyan', 'bold')}{guess}  {place(hop.mounted.origin, terminal)}")
    for each in hop.stack.filters:
        line(
            f"{inner}{paint('through', 'dim')} {each.name}  {paint(maker(each), 'dim')}  {place(each.where, terminal)}"
        )
        _print_access(asker.access(each, seen.get(id(each))), terminal, f"{inner}  ")
    app = hop.stack.app
    kind = "missing" if app.shape == "missing" else "composite" if app.is_composite else "app"
    style = ("red",) if app.shape == "missing" else ("green", "bold") if not hop.next and hop.answer is None else ()
    made = paint(maker(app), "dim")
    line(f"{inner}{paint(kind, 'dim')} {paint(app.name, *style)}  {made}  {place(app.where, terminal)}")
    if hop.answer is not None:
        line(f"{inner}  {paint(f'answers {hop.answer}', 'yellow')}")
    elif not hop.next and app.shape != "missing":
        line(f"{inner}  sees SCRIPT_NAME {hop.script_name!r}, PATH_INFO {hop.path_info!r}")
        _print_access(asker.access(app, seen.get(id(app))), terminal, f"{inner}  ")
    if hop.guess and not hop.next:
        line(f"{inner}  {paint('what it mounts is known only to its own code; show --build asks it', 'yellow')}")
    in_turn = len(hop.next) > 1
    if in_turn:
        line(f"{inner}  asks in turn, until one answers:")
    for number, below in enumerate(hop.next, 1):
        _print_hop(below, terminal, f"{inner}  ", everything, asker, number if in_turn else None)
    _print_rejected(hop, terminal, inner, everything)


def _print_access(access: Access | None, terminal: Terminal, indent: str) -> None:
    if access is None:
        return
    paint = terminal.paint
    if access.own:
        terminal.line(f"{indent}{paint('answers it: one of its own pages', 'green')}")
        return
    if access.status is None:
        terminal.line(f"{indent}{paint('who may cannot be told: its sections have mistakes', 'red')}")
    elif access.refusal is not None:
        terminal.line(f"{indent}{paint(f'refuses it with 400: {access.refusal}', 'yellow')}")
    else:
        rule = "no rule is about it" if access.rule is None else f"{printable(access.rule)}"
        where = "" if access.origin is None else f"  {place(access.origin, terminal)}"
        terminal.line(f"{indent}{rule} {paint('=' if access.rule else ':', 'dim')} {printable(access.text)}{where}")
        if access.allowed:
            terminal.line(f"{indent}{paint('lets it through', 'green')}")
        else:
            needs = f", needs {printable(', '.join(access.needs))}" if access.needs else ""
            terminal.line(f"{indent}{paint(f'refuses it with {access.status}{needs}', 'yellow')}")
            helps = f"what could help: {', '.join(access.help)}" if access.help else "nothing would help"
            terminal.line(f"{indent}{printable(helps)}")
    if access.dry_run:
        terminal.line(f"{indent}but it is a dry run, which lets everything through")
    if access.remark is not None:
        terminal.line(f"{indent}{paint(printable(access.remark), 'dim')}")


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


def _hop_data(hop: Hop, asker: Asker) -> dict[str, Any]:
    asker = asker.branch()
    seen = {id(node): environ for node, environ in hop.passed}
    app = hop.stack.app
    filters = [
        {**_node_data(each), "access": _access_data(asker.access(each, seen.get(id(each))))}
        for each in hop.stack.filters
    ]
    access = asker.access(app, seen.get(id(app)))
    return {
        "mount": None if hop.mounted is None else _mount_data(hop.mounted),
        "filters": filters,
        "app": _node_data(app) | ({} if access is None else {"access": _access_data(access)}),
        "script_name": hop.script_name,
        "path_info": hop.path_info,
        "answer": hop.answer,
        "guess": hop.guess,
        "next": [_hop_data(each, asker) for each in hop.next],
        "not_taken": [{**_mount_data(each.mounted), "why": each.why} for each in hop.rejected],
    }


def _access_data(access: Access | None) -> dict[str, Any] | None:
    if access is None:
        return None
    return {
        "allowed": access.allowed or access.dry_run,
        "status": access.status,
        "rule": access.rule,
        "text": access.text,
        **place_data(access.origin or Origin()),
        "needs": list(access.needs),
        "help": list(access.help),
        "refusal": access.refusal,
        "own_page": access.own,
        "dry_run": access.dry_run,
        "remark": access.remark,
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
