"""Follow one request through an outline: which mount takes it, through which filters, and why not the others.

Nothing of the deployer's is imported. Our own composites decide as they do when they serve: they are made around
stand-ins that only note what reached them. Our filters that move paths are asked in the same way; others pass a
request on, as far as can be known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..config.node import Node
from ..config.outline import Mounted, Stack, own_factory
from ..config.values import is_reference
from ..middleware.urlmap import URLMap
from ..protocol.hosts import read_host
from ..protocol.wsgi import Body, Environ, ExcInfo, Headers, StartResponse, Write


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A mount that did not take the request, and why."""

    mounted: Mounted
    why: str


@dataclass(slots=True, kw_only=True)
class Hop:
    """One stop of the request: an app with the filters before it.

    ``mounted`` is how it got here from the composite above (None at the start); ``script_name`` and ``path_info`` are
    what the app sees. ``answer`` is set where something of ours answers by itself on the way: the status and
    text of a mount table's 404. ``passed`` are the filters and the app with what each of them sees. ``next`` are the
    stops below: one for a mount, several where apps are asked in turn.
    """

    stack: Stack
    mounted: Mounted | None
    script_name: str
    path_info: str
    answer: str | None = None
    guess: bool = False
    next: list[Hop] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    passed: list[tuple[Node, Environ]] = field(default_factory=list)


def follow(stack: Stack, environ: Environ, mounted: Mounted | None = None) -> Hop:
    """Follow a request that reaches ``stack`` with ``environ``."""
    seen = dict(environ)
    passed = []
    for each in stack.filters:
        passed.append((each, seen.copy()))
        answer = _through(each, seen)
        if answer is not None:
            return _hop(stack, mounted, seen, passed, answer=f"{answer}, from the filter {each.name}")
    passed.append((stack.app, seen.copy()))
    hop = _hop(stack, mounted, seen, passed)
    factory = own_factory(stack.app)
    if stack.mounts and factory is not None:
        _decide(hop, factory, seen)
    elif stack.mounts:
        _guess(hop, seen)
    return hop


def _hop(
    stack: Stack,
    mounted: Mounted | None,
    environ: Environ,
    passed: list[tuple[Node, Environ]],
    answer: str | None = None,
) -> Hop:
    return Hop(
        stack=stack,
        mounted=mounted,
        script_name=environ.get("SCRIPT_NAME", ""),
        path_info=environ.get("PATH_INFO", ""),
        answer=answer,
        passed=passed,
    )


class _StandIn:
    """Stands where an app will: notes the environ that reached it and says "not found", so that a cascade goes on."""

    def __init__(self, mounted: Mounted, reached: list[tuple[Mounted, Environ]]) -> None:
        self.mounted = mounted
        self._reached = reached

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        self._reached.append((self.mounted, environ))
        start_response("404 Not Found", [])
        return []


class _Started:
    """A ``start_response`` that keeps the last status."""

    status = ""

    def __call__(self, status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Write:
        self.status = status
        return lambda data: None


def _through(node: Node, environ: Environ) -> str | None:
    """Let a filter of ours that moves paths change ``environ``; its status where it answers by itself."""
    factory = own_factory(node)
    if factory is None or not getattr(factory.component, "moves_paths", False):
        return None
    reached: list[Environ] = []

    def inner(inside: Environ, start_response: StartResponse) -> Body:
        reached.append(inside)
        start_response("404 Not Found", [])
        return []

    answer = _run(factory(node.global_conf, **node.local_conf)(inner), environ)
    if not reached:
        return answer
    environ.clear()
    environ.update(reached[0])
    return None


def _run(app: Any, environ: Environ) -> str:
    """Run the app; its status and, as one line, the text of its answer."""
    started = _Started()
    body = app({**environ, "HTTP_ACCEPT": "text/plain"}, started)
    try:
        text = b"".join(body).decode("utf-8", "replace")
    finally:
        if hasattr(body, "close"):
            body.close()
    said = " ".join(text.split()).removeprefix(started.status).strip(" :")
    return f"{started.status}: {said}" if said else started.status


def _decide(hop: Hop, factory: Any, environ: Environ) -> None:
    """Ask the composite itself, made around stand-ins."""
    node = hop.stack.app
    reading = factory.reader.read(node.local_conf, node.global_conf, importing=False)
    values = dict(reading.values)
    reached: list[tuple[Mounted, Environ]] = []
    stand_ins = {id(each): _StandIn(each, reached) for each in hop.stack.mounts}
    for option in factory.reader.options:
        if is_reference(option.kind) and isinstance(values.get(option.name), str):
            fallback = next(each for each in hop.stack.mounts if each.fallback and each.mount.key == option.name)
            values[option.name] = stand_ins[id(fallback)]
    made = factory.assemble(
        values, [(each.mount, stand_ins[id(each)]) for each in hop.stack.mounts if not each.fallback]
    )
    answer = _run(made, environ)
    hop.next = [follow(each.stack, seen, each) for each, seen in reached]
    if not reached:
        hop.answer = answer
    if isinstance(made, URLMap):
        hop.rejected = list(_rejected(made, environ, reached))


def _rejected(urlmap: URLMap, environ: Environ, reached: list[tuple[Mounted, Environ]]) -> Iterable[Rejected]:
    host = read_host(environ.get("HTTP_HOST", ""))
    taken = {id(each) for each, _ in reached}
    path, scheme = environ.get("PATH_INFO", ""), environ.get("wsgi.url_scheme", "http")
    for candidate in urlmap.table.candidates(path, host, scheme):
        mounted: Mounted = candidate.entry.app.mounted
        if id(mounted) not in taken and not candidate.chosen:
            yield Rejected(mounted=mounted, why=candidate.reason)


def _guess(hop: Hop, environ: Environ) -> None:
    """Another's composite: the longest key that looks like a path above the request's, if any."""
    path: str = environ.get("PATH_INFO", "")
    fitting = [
        each
        for each in hop.stack.mounts
        if each.mount.path is not None and (path == each.mount.path or path.startswith(f"{each.mount.path}/"))
    ]
    hop.guess = True
    if not fitting:
        return
    best = max(fitting, key=lambda each: len(each.mount.path or ""))
    prefix = best.mount.path or ""
    inside = {
        **environ,
        "SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + prefix,
        "PATH_INFO": path[len(prefix) :],
    }
    hop.next = [follow(best.stack, inside, best)]
