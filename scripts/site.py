"""What the processes of a site serve: its configuration read, checked, opened and built, time and again."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..config.options import OptionError
from ..config.problems import ConfigError, Problem
from ..server.http_server import HTTPServer
from ..server.listeners import Address, close_listeners
from ..server.processes.told import with_status
from ..server.settings import Settings
from .launch import Launch, Listening
from .target import find_target
from .terminal import Terminal

if TYPE_CHECKING:
    from ..server.engine import Engine
    from ..server.processes.generation import Generation
    from ..server.processes.lone import Lone
    from ..server.processes.worker import Worker
    from .service import Service


_AT_START = (
    "preload",
    "control_socket",
    "backlog",
    "unix_socket_perms",
    "unix_socket_owner",
    "reuse_port",
    "ipv4",
    "ipv6",
)
"""Options of which a reload takes nothing up: sockets that are open stay as they are, and the parent what it is."""


class Site:
    """Makes one generation after the other of what one command line serves.

    ``launch``, ``component`` and ``sockets`` are those of the last generation that could be read, whose workers may not
    have started. ``kept`` are the options that it has otherwise than the first one, whose values go on.
    """

    def __init__(self, service: Service, launch: Launch, listening: Listening, component: HTTPServer) -> None:
        self.service = service
        self.launch = launch
        self.component = component
        self.kept: list[str] = []
        self._at_start = component
        self.account = service.account(listening)
        self._places: dict[Address, list[socket.socket]] = {}
        heir = service.inheritance
        self._inherited = {} if heir is None else {name: list(each) for name, each in heir.belongings.sockets.items()}
        self.sockets = self._open(listening, component)
        for sockets in self._inherited.values():  # of addresses that are no longer named
            close_listeners(sockets)
        self.settings = _settings(listening, component)

    def first(self) -> Generation:
        """The generation that the command line has read."""
        return self._generation(self.launch, self.component, self.sockets, self.settings, 1)

    def next(self, before: Generation) -> Generation:
        """Read, check and open anew. Raises ``ConfigError``; then nothing has changed."""
        launch, listening, component = self.read()
        settings = _settings(listening, component)
        kept = [name for name in _AT_START if getattr(component, name) != getattr(self._at_start, name)]
        if self.service.account(listening) != self.account:
            kept.append("user")
        sockets = self._open(listening, component)
        try:
            with self._logging_as(launch):
                generation = self._generation(launch, component, sockets, settings, before.number + 1)
        except BaseException:
            close_listeners(each for each in sockets if each not in before.sockets)
            raise
        self.component, self.sockets, self.settings = component, sockets, settings
        self.kept = kept
        return generation

    def read(self) -> tuple[Launch, Listening, HTTPServer]:
        """Read and check the configuration as it is now. Raises ``ConfigError``."""
        launch = Launch(find_target(self.service.options.target), self.service.wishes)
        launch.load()
        launch.check()
        listening = launch.listening()
        if not isinstance(listening.component, HTTPServer):
            raise ConfigError(Problem(what="names another kind of server", fix="stop this one and start that"))
        return launch, listening, listening.component

    def places(self, serving: Sequence[socket.socket]) -> dict[str, list[socket.socket]]:
        """Those of a generation's sockets by their address as text."""
        named = {
            str(address): [each for each in sockets if each in serving] for address, sockets in self._places.items()
        }
        return {address: sockets for address, sockets in named.items() if sockets}

    def set_up_logging(self, launch: Launch) -> None:
        """Log as that configuration says. Raises ``ConfigError``."""
        from .logs import set_up_logging

        set_up_logging(launch.composition, self.service.wishes.variables, self.service.verbosity)

    @contextlib.contextmanager
    def _logging_as(self, launch: Launch) -> Iterator[None]:
        """Log as that configuration says from now on, unless what is done with it fails."""
        try:
            self.set_up_logging(launch)
            yield
        except BaseException:
            self.set_up_logging(self.launch)
            raise
        self.launch = launch

    def drop_privileges(self) -> None:
        """Become the user that was asked for, if any."""
        if self.account is None:
            return
        from ..server import engine  # noqa: F401 - the other user may not be able to read it
        from ..server.privileges import drop_privileges

        load_the_rest()

        drop_privileges(self.account)

    def build(self, launch: Launch) -> Any:
        """Import and build the app. Raises ``ConfigError``, or what imports and factories raise."""
        return self.service.with_request_lines(launch.build())

    def take_up(self, launch: Launch) -> Any:
        """Build another configuration's app and log as that says. Raises as :meth:`build`; then nothing has changed."""
        with self._logging_as(launch):
            return self.build(launch)

    def engine(
        self,
        component: HTTPServer,
        app: Any,
        sockets: Sequence[socket.socket],
        settings: Settings,
        process: Worker | Lone,
    ) -> Engine:
        """The engine of a process, whose app may ask what the server knows of itself."""
        return component.engine(
            app, sockets, process.ready, settings=with_status(settings, process), handle_signals=False
        )

    def _generation(
        self, launch: Launch, component: HTTPServer, sockets: list[socket.socket], settings: Settings, number: int
    ) -> Generation:
        # As at the start, not as now: a parent that is root, because it was to run no code of the app, must not do so.
        built = self.build(launch) if self._at_start.preload else None

        def work(worker: Worker) -> int:
            # Closed here, where it was used, also if it was built before the fork: not in the parent.
            with contextlib.closing(launch):
                try:
                    self.drop_privileges()
                    self.set_up_logging(launch)
                    app = self.build(launch) if built is None else built
                    engine = self.engine(component, app, sockets, settings, worker)
                except Exception as error:  # noqa: BLE001 - whatever stops an app from being built is said by the parent
                    return _tell_failure(error, worker, self.service.terminal.color)
                worker.run(engine)
            return 0

        from ..server.processes.generation import Generation, Habits

        return Generation(sockets, Habits.of(component), work, number, urls_of(component, sockets))

    def _open(self, listening: Listening, component: HTTPServer) -> list[socket.socket]:
        """The sockets of a server: those that are open already, and new ones for addresses that are new."""
        places: dict[Address, list[socket.socket]] = {}
        opened: list[socket.socket] = []
        try:
            for address in component.addresses():
                known = [each for each in self._places.get(address, ()) if each.fileno() >= 0]
                known = known or self._inherited.pop(str(address), [])
                if not known:
                    known = component.bind((address,))
                    opened += known
                places[address] = known
        except OptionError as error:
            close_listeners(opened)
            raise listening.refuse(error) from error
        self._places.update(places)
        return [each for sockets in places.values() for each in sockets]


class Succession:
    """The apps that one process has served in turn, each with the launch that has built it."""

    def __init__(self) -> None:
        self._reigns: list[tuple[Any, Launch]] = []
        self._lock = threading.Lock()

    def add(self, app: Any, launch: Launch) -> Any:
        """Note, and return, an app that is served from now on."""
        self._reigns.append((app, launch))
        return app

    def retire(self, app: Any) -> None:
        """Close what was built with an app in which no request runs any more."""
        with self._lock:
            # The first: an app that its module holds is the same after each reload.
            found = next((reign for reign in self._reigns if reign[0] is app), None)
            if found is not None:
                self._reigns.remove(found)
                found[1].close()

    def close(self) -> None:
        """Close what is left at the end; what is just being retired is waited for."""
        with self._lock:
            while self._reigns:
                self._reigns.pop()[1].close()


def load_the_rest() -> None:
    """Import what a start can do without, before its files are those of another version, or not to be read."""
    from ..server import failures  # noqa: F401
    from ..server.processes import log_files, reasons, report, snapshot, stacks, stale_code, upgrade  # noqa: F401


def _settings(listening: Listening, component: HTTPServer) -> Settings:
    try:
        return component.settings()
    except OptionError as error:
        raise listening.refuse(error) from error


def _tell_failure(error: Exception, worker: Worker, color: bool) -> int:
    from ..server.failures import failure_of

    failure = failure_of(error)
    out = io.StringIO()
    Terminal(out, color=color).failure(failure)
    code = 2 if isinstance(error, ConfigError) else 1
    worker.failed(failure.title, out.getvalue(), code)
    return code


def urls_of(component: HTTPServer, sockets: Sequence[socket.socket]) -> tuple[str, ...]:
    """The URLs of the sockets that are open."""
    return component.urls([each for each in sockets if each.fileno() >= 0])
