"""What a composition lays open: debugging on a public server, weak secrets, forwarding headers believed twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .listeners import Listens, is_debugger, public_address, switches_debugging_on
from .node import Node, Value, Values
from .origin import Origin
from .problems import Problem
from .weak_secrets import names_secret, weakness

Listener = tuple[Node, Listens]


class Exposure:
    """Sees the nodes of a composition one by one, then says what they come to together.

    ``listeners`` are the servers that other machines reach.
    """

    def __init__(self, report: Callable[[Problem], object]) -> None:
        self.listeners: list[Listener] = []
        self._report = report
        # What is open to debugging: (what it is, its key, its place).
        self._debuggers: list[tuple[str, str, Origin]] = []
        # Who believes forwarding headers, servers and filters, and the value that says so.
        self._believers: list[tuple[Node, Value]] = []
        self._globals: set[int] = set()

    def see(self, node: Node, secrets: frozenset[str] = frozenset()) -> None:
        """Look at the values of a node; ``secrets`` are keys that are declared to be some. Weak ones are reported."""
        self._judge_globals(node)
        if node.kind == "server":
            self._judge_server(node)
        elif (
            (entry := node.entry_point) is not None
            and not entry.alias  # ours, which opens no prompt to strangers
            and is_debugger(entry.distribution, entry.name)
        ):
            place = node.reference_origin or node.where
            self._debuggers.append(("this debugger runs code for whoever opens it", "use", place))
        for key, value in node.values.items():
            if key in secrets or names_secret(key):
                self._judge_secret(key, value, node.section, key in secrets)
            if "debug" in key and node.kind != "server" and switches_debugging_on(key, value.text):
                self._debuggers.append(("debug mode is on", key, value.origin))

    def see_part(self, section: str, values: Values, secrets: frozenset[str]) -> None:
        """Look at the values of a section that belongs to that of a node."""
        for key, value in values.items():
            self._judge_secret(key, value, section, key in secrets)

    def believes(self, node: Node, key: str) -> None:
        """Note that a filter or server believes forwarding headers, by its own key or a global one."""
        value = node.values.get(key) or node.globals.get(key)
        if value is not None:
            self._believers.append((node, value))

    def problems(self, file: str, listeners: list[Listener]) -> Iterator[Problem]:
        """What is wrong with all of it, where ``listeners`` serve. ``file`` is blamed for what stands in none."""
        yield from self._debugging(file, listeners)
        yield from self._believed_twice()

    def _judge_globals(self, node: Node) -> None:
        for key, value in node.globals.items():
            mark = id(value.option) if value.option is not None else hash(key)
            if mark in self._globals:
                continue
            self._globals.add(mark)
            if value.how != "built in":
                self._judge_secret(key, value, value.section, declared=False)
                if switches_debugging_on(key, value.text):
                    self._debuggers.append(("debug mode is on", key, value.origin))

    def _judge_secret(self, key: str, value: Value, section: str | None, declared: bool) -> None:
        if value.environment:
            return
        what = weakness(key, value.text, declared=declared)
        if what is None:
            return
        origin = value.origin
        self._report(
            Problem(
                what=f"this secret {what}",
                fix="take one from `python -c 'import secrets; print(secrets.token_hex())'`, or %(ENV_NAME)s",
                file=origin.file,
                line=origin.line,
                section=origin.section or section,
                key=key,
                severity="warning",
                code="weak-secret",
            )
        )

    def _judge_server(self, node: Node) -> None:
        distribution = node.entry_point.distribution if node.entry_point is not None else ""
        entry = node.entry_point.name if node.entry_point is not None else ""
        texts = {key: value.text for key, value in node.values.items()}
        if texts.get("trusted_proxy", "").strip():
            self.believes(node, "trusted_proxy")
        listens = public_address(texts, distribution, entry)
        if listens is not None:
            self.listeners.append((node, listens))

    def _debugging(self, file: str, listeners: list[Listener]) -> Iterator[Problem]:
        """Debugging, and a server that others reach."""
        for node, (address, key) in listeners[:1]:
            place = node.where if key is None else node.values[key].origin
            line = f" (line {place.line})" if place.file == file and place.line else ""
            for what, debug, origin in self._debuggers:
                yield Problem(
                    what=f"{what}, while [{node.section}] listens on {address}{line}",
                    fix="turn it off, or listen on 127.0.0.1",
                    file=origin.file or file,
                    line=origin.line,
                    section=origin.section,
                    key=debug,
                    severity="warning",
                    code="public-debug",
                )

    def _believed_twice(self) -> Iterator[Problem]:
        """Forwarding headers that a filter reads again after the server: of two proxies one would be skipped."""
        servers = [(node, value) for node, value in self._believers if node.kind == "server"]
        for server, chosen in servers[:1]:
            for node, value in self._believers:
                # One line of [DEFAULT] for both is no contradiction: what the server has left says the same again.
                if node.kind == "server" or (value.option is not None and value.option is chosen.option):
                    continue
                origin = value.origin
                line = f" (line {chosen.line})" if chosen.line and chosen.origin.file == origin.file else ""
                yield Problem(
                    what=f"[{server.section}] has believed the forwarding headers already{line}",
                    fix="trust your proxies in one of the two",
                    file=origin.file,
                    line=origin.line,
                    section=origin.section or node.section,
                    key="trusted_proxies",
                    code="trusted-twice",
                )
