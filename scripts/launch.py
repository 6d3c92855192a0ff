"""One process that serves: load, check, open the sockets, drop privileges, build the app, serve it.

``serve`` runs it in the foreground, behind a daemon's fork and as the reloader's child.
"""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..config.built import Built, recording
from ..config.factories import ServerRunner
from ..config.options import OptionError
from ..config.origin import building
from ..config.problems import ConfigError, Problem, did_you_mean
from ..config.records import record
from ..config.translation import translate
from ..server.http_server import HTTPServer, server_runner
from ..server.keywords import NAMES
from ..server.listeners import DEFAULT_PORT, Address, is_public, parse_address
from .target import Target

if TYPE_CHECKING:
    from ..config.composition import Composition
    from ..config.node import Node
    from ..server.startable import Startable

SERVER_TYPES = {
    "main": "egg:wheatpaste#main",
    "http": "egg:wheatpaste#main",
    "wheatpaste": "egg:wheatpaste#main",
    "paste": "egg:Paste#http",
    "waitress": "egg:wheatpaste#waitress",
    "gunicorn": "egg:wheatpaste#gunicorn",
    "cheroot": "egg:wheatpaste#cheroot",
    "granian": "egg:wheatpaste#granian",
    "wsgiref": "egg:pyramid#wsgiref",
    "cherrypy": "egg:pyramid#cherrypy",
}
"""What ``--server TYPE`` may name, and the servers of others that can be had by a short name."""

_NO_PORT = -1
_ADDRESS = ("listen", "unix_socket", "bind", "host", "port")


@record
class Wishes:
    """What the command line says over the configuration."""

    app_name: str | None = None
    server_name: str | None = None
    server_type: str | None = None
    host: str | None = None
    port: int | None = None
    listen: tuple[str, ...] = ()
    threads: int | None = None
    server_options: Mapping[str, str] = MappingProxyType({})
    """Other options of the server, as the text of an INI."""
    variables: Mapping[str, str] = MappingProxyType({})


@record
class Listening:
    """The server that was chosen. Without a ``component``, ``node`` is built and called with the app."""

    component: Startable | None
    node: Node | None
    refuse: Callable[[OptionError], ConfigError]

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it will listen, as far as its options say so."""
        if self.component is not None:
            return self.component.addresses()
        conf = {} if self.node is None else self.node.local_conf
        port = str(conf.get("port") or "")
        host = str(conf.get("host") or "127.0.0.1")
        return (Address(host, int(port)),) if port.isdecimal() else ()

    def prepare(self) -> tuple[str, ...]:
        """Let the server read certificates; lines for whoever starts it. Raises ``ConfigError``."""
        if self.component is None:
            return ()
        try:
            return self.component.prepare()
        except OptionError as error:
            raise self.refuse(error) from error

    def bind(self) -> list[socket.socket]:
        """Open the sockets, where the server is ours. Raises ``ConfigError``."""
        if self.component is None:
            return []
        try:
            return self.component.bind()
        except OptionError as error:
            raise self.refuse(error) from error


class Launch:
    """What a TARGET and the wishes of the command line come to."""

    def __init__(self, target: Target, wishes: Wishes, on_file: Callable[[str], object] | None = None) -> None:
        self.target = target
        self.wishes = wishes
        self.on_file = on_file
        self.composition: Composition | None = None
        self.warnings: list[Problem] = []
        self._built = Built()

    def load(self) -> None:
        """Evaluate the configuration. Nothing is raised: :meth:`check` tells what is wrong with it."""
        if not self.target.is_python:
            self.composition = self.target.compose(
                name=self.wishes.app_name, variables=self.wishes.variables or None, on_file=self.on_file, collect=True
            )

    def check(self) -> None:
        """Check all that will be served. Raises ``ConfigError`` with every problem; warnings stay in ``warnings``."""
        problems: Sequence[Problem] = ()
        if self.composition is not None and self.target.path is not None:
            from ..config.check import check_composition

            server_name = self.wishes.server_name or "main"
            problems = check_composition(
                self.composition,
                server_name=None if self.wishes.server_type or ":" in server_name else self.wishes.server_name,
                on_file=self.on_file,
                served_as=self._served_as,
                stand_in=self.wishes.server_type is not None,
            )
        elif self.composition is not None:
            problems = self.composition.problems
        else:
            problems = self._idle_wishes()
        # What is not served is the business of `check`.
        told = [problem for problem in problems if problem.code != "unused-section"]
        if any(problem.severity == "error" for problem in told):
            raise ConfigError(told)
        self.warnings = told

    def _served_as(self, texts: Mapping[str, str]) -> Mapping[str, str]:
        return _overrides(self.wishes, texts, ours=True)

    def _idle_wishes(self) -> list[Problem]:
        """Warnings about what only a file could use, where there is none."""
        wishes = self.wishes
        idle = [f"{key}={text}" for key, text in wishes.variables.items()]
        idle += [f"--app-name {wishes.app_name}"] if wishes.app_name else []
        what = f"has no effect: {self.target.text} is an app of Python"
        fix = "leave it out, or name an INI file"
        return [Problem(what=what, fix=fix, key=each, severity="warning", code="idle-word") for each in idle]

    def listening(self) -> Listening:
        """Choose and read the server. Raises ``ConfigError``."""
        node = self._server_node()
        if node is None:
            return self._default_server()
        if node.shape == "missing":
            self.check()
            raise ConfigError(Problem(what=f"there is no server {node.name!r}", code="server"))
        # Whatever is not ours is not even looked at: the reloader's parent must not import a deployer's module.
        factory = node.object if _is_known(node) else None
        if factory is not None and not isinstance(factory, ServerRunner):
            from ..server.foreign.waitress_own_words import server_runner as waitress_runner

            factory = waitress_runner  # Waitress' own entry point: the same server, with gentler ends
            if self.wishes.server_type is None and not {"host", "listen", "unix_socket"} & node.local_conf.keys():
                node.local_conf["host"] = "0.0.0.0"  # its own default, which deployments rely on
        elif factory is not None and self.wishes.server_type is not None:
            self._take_over(node, factory)
        self._override(node, ours=factory is not None)
        if factory is None:
            return Listening(component=None, node=node, refuse=lambda error: ConfigError(Problem(what=str(error))))
        with _building(node):
            component, refuse = factory.prepare(node.global_conf, **node.local_conf)
        return Listening(component=component, node=node, refuse=refuse)

    def build(self) -> Any:
        """Import and build the app. Raises ``ConfigError``, or what imports and factories raise."""
        gc.freeze()  # what is here stays, and need not be looked through
        gc.enable()
        with recording(self._built):
            if self.composition is None:
                return self.target.load_object()
            self.composition.extend_sys_path()
            return self.composition.build()

    def close(self) -> None:
        """Close what was built, in the process that has used it and when no request runs in it any more."""
        self._built.close()

    def _server_node(self) -> Node | None:
        wishes = self.wishes
        if wishes.server_type is not None:
            return self._load_server(_server_uri(wishes.server_type))
        name = wishes.server_name
        if name is not None and ":" in name:
            return self._load_server(name)
        if self.composition is None:
            if name is not None:
                raise ConfigError(Problem(what=f"{self.target.text} has no servers to choose {name!r} from"))
            return None
        found = self.composition.also("server", name or "main")
        if found is None and name is not None:
            file = self.composition.file
            names = (
                []
                if file is None
                else [section.name or "main" for section in file.sections.values() if section.prefix == "server"]
            )
            path = None if file is None else file.path
            raise ConfigError(Problem(what=f"there is no [server:{name}]", fix=did_you_mean(name, names), file=path))
        return found

    def _load_server(self, uri: str) -> Node:
        from ..config.composition import Composition

        path = self.target.path
        folder = os.path.dirname(path) if path else os.getcwd()
        # Servers of others look for the file in the global configuration, where a section of it would have it.
        known = {"__file__": path, "here": folder} if path and not uri.startswith("config:") else {}
        conf = {**known, **self.wishes.variables}
        return Composition.load(
            uri, kind="server", relative_to=folder, global_conf=conf or None, on_file=self.on_file
        ).root

    def _default_server(self) -> Listening:
        def refuse(error: OptionError) -> ConfigError:
            return ConfigError(_command_line_problem(error))

        try:
            values, _ = translate(server_runner.reader, _overrides(self.wishes, {}, ours=True))
            component = HTTPServer(**values)
        except OptionError as error:
            raise refuse(error) from error
        return Listening(component=component, node=None, refuse=refuse)

    def _override(self, node: Node, *, ours: bool) -> None:
        from ..config.node import Value

        before = {key: str(text) for key, text in node.local_conf.items()}
        kind = self.wishes.server_type
        # Servers that nobody here knows may not take these keys.
        stands_in = kind is not None and (ours or kind.lower() in SERVER_TYPES) and before.keys().isdisjoint(_ADDRESS)
        address = self._address_of_the_file() if stands_in else {}
        after = _overrides(self.wishes, {**before, **address}, ours=ours)
        for key in before.keys() - after.keys():
            del node.local_conf[key]
            node.values.pop(key, None)
        node.values.put(
            {key: Value(text, how="command line") for key, text in after.items() if before.get(key) != text}
        )

    def _take_over(self, node: Node, factory: ServerRunner) -> None:
        """Give a server of the command line what the file says to the one that it was written for."""
        found = None if self.composition is None else self.composition.also("server", "main")
        runner = found.object if found is not None and _is_known(found) else None
        if found is None or not isinstance(runner, ServerRunner) or runner.component is not HTTPServer:
            return
        from .stand_in import take_over

        told = {(problem.line, problem.key) for problem in self.warnings}
        taken = take_over(node, factory, found, runner)
        self.warnings += [each for each in taken if (each.line, each.key) not in told]

    def _address_of_the_file(self) -> dict[str, str]:
        """Where the file's own server would listen: another server takes its place, and not a more public one."""
        found = None if self.composition is None else self.composition.also("server", "main")
        conf = {} if found is None else {key: str(text) for key, text in found.local_conf.items()}
        host, port = _written_address(conf)
        return {"host": host or "127.0.0.1", "port": str(port or 8080)}


def _is_known(node: Node) -> bool:
    """Whether the server is one of ours, or Waitress by its own name."""
    reference = node.target
    if reference is None or node.shape != "factory":
        return False
    ours = __package__.partition(".")[0]
    return reference.module == "waitress" or reference.module.startswith(f"{ours}.")


def _overrides(wishes: Wishes, conf: Mapping[str, str], *, ours: bool) -> dict[str, str]:
    """The server's keys with the command line's wishes in them; keys that say the same otherwise are gone."""
    changed = dict(conf)
    if wishes.listen or wishes.host is not None or wishes.port is not None:
        host, port = _written_address(conf)
        for key in _ADDRESS:
            changed.pop(key, None)
        if wishes.listen and ours:
            changed["listen"] = " ".join(wishes.listen)
        else:
            if wishes.listen:
                host, port = _single_address(wishes.listen)
            changed["host"] = wishes.host or host or "127.0.0.1"
            port = port if wishes.port is None else wishes.port
            # What is ours knows a default, which depends on its other options.
            if port is not None or not ours:
                changed["port"] = str(DEFAULT_PORT if port is None else port)
    said = {**wishes.server_options, **({} if wishes.threads is None else {"threads": str(wishes.threads)})}
    for old, name in NAMES.items():
        if name in said:
            changed.pop(old, None)
    return {**changed, **said}


def _written_address(conf: Mapping[str, str]) -> tuple[str | None, int | None]:
    """The host and port that the configuration says, in whichever of its ways."""
    words = (conf.get("listen") or conf.get("bind") or "").split()
    try:
        if words:
            address = parse_address(words[0])
        elif conf.get("host"):
            address = parse_address(conf["host"], int(conf.get("port") or _NO_PORT))
        else:
            return None, int(conf["port"]) if conf.get("port") else None
    except ValueError:
        return None, None
    if not address.host:
        return None, None
    return address.host, None if address.port == _NO_PORT else address.port


def _single_address(listen: Sequence[str]) -> tuple[str, int]:
    if len(listen) == 1:
        try:
            address = parse_address(listen[0])
        except ValueError as error:
            raise ConfigError(Problem(what=f"--listen {listen[0]} {error}", code="listen")) from error
        if address.path is None:
            return address.host, address.port
    raise ConfigError(
        Problem(what="this server takes one host and port", fix="give --listen HOST:PORT once", code="listen")
    )


def _server_uri(name: str) -> str:
    if ":" in name:
        return name
    uri = SERVER_TYPES.get(name.lower())
    if uri is None:
        hint = did_you_mean(name, SERVER_TYPES)
        raise ConfigError(
            Problem(what=f"--server {name}: no such server", fix=f"{hint}; or write egg:Distribution#name")
        )
    return uri


def _command_line_problem(error: OptionError) -> Problem:
    key = f"--{error.option.replace('_', '-')}" if error.option else None
    return Problem(what=error.what, key=key, code="wrong-value")


@contextmanager
def _building(node: Node) -> Iterator[None]:
    """Let our server's factory know the place of each key."""
    from ..config.build import site_of

    token = building.set(site_of(node))
    try:
        yield
    finally:
        building.reset(token)


def public_note(sockets: Sequence[socket.socket]) -> tuple[str, ...]:
    """A line for the start when others than this machine can connect."""
    return ("other machines can connect",) if any(is_public(each) for each in sockets) else ()
