"""Run a site in worker processes with a parent, or in one process without: signals, systemd and the control socket."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from ..config.collector import waiting
from ..config.options import OptionError
from ..server.http_server import HTTPServer
from ..server.listeners import close_listeners, remove_socket_files, socket_files
from ..server.processes.control import Control, open_control, usual_path
from .herald import Herald
from .launch import Launch, Listening, public_note
from .site import Site, Succession, load_the_rest, urls_of
from .terminal import short_path

if TYPE_CHECKING:
    from ..server.processes.generation import Generation
    from ..server.processes.lone import Lone
    from ..server.processes.parent import Parent
    from ..server.processes.upgrade import Upgrade
    from .service import Service


_SETTLED = 1.0
"""Seconds after the start when what it did not need is imported."""


def serve_site(service: Service, launch: Launch, listening: Listening, component: HTTPServer) -> int:
    """Serve until told to end; returns the exit code. Raises ``ConfigError``, and what building the app raises."""
    site = Site(service, launch, listening, component)
    files = socket_files(site.sockets)
    started_by = os.getpid()
    try:
        control = _open_control(site, listening)
        try:
            site.set_up_logging(launch)
            return _run_parent(site, control) if component.has_parent else _run_alone(site, listening, control)
        finally:
            if control is not None and os.getpid() == started_by:
                close_listeners([control])
    finally:
        if os.getpid() == started_by:
            close_listeners(site.sockets)
            remove_socket_files(files)


def control_place(component: HTTPServer, site: str) -> str | None:
    """The path of the control socket of a site with this server, or None where it has none."""
    if component.control_socket is None:
        return usual_path(site)
    return None if component.control_socket == "off" else component.control_socket


def site_name(path: str | None, text: str) -> str:
    """What a site is called when its control socket is looked for: its file, wherever one stands when naming that."""
    return os.path.realpath(path) if path else text


def _open_control(site: Site, listening: Listening) -> socket.socket | None:
    component, target = site.component, site.launch.target
    heir = site.service.inheritance
    if heir is not None and heir.belongings.control is not None:
        return heir.belongings.control
    path = control_place(component, site_name(target.path, target.text))
    if path is None:
        return None
    automatic = component.control_socket is None
    try:
        return open_control(path, create_folder=automatic)
    except OSError as error:
        if automatic:  # the same site is served a second time, or the folder is full: it is a convenience
            return None
        what = f"cannot be opened ({error}); or write off, for none"
        raise listening.refuse(OptionError("", "control_socket", what)) from error


def _run_parent(site: Site, listener: socket.socket | None) -> int:
    from ..server.processes.parent import Parent

    service = site.service
    if site.component.preload:
        site.drop_privileges()  # this process is about to run code of the app
    first = site.first()
    gc.enable()
    gc.freeze()  # what is here now is shared with every worker
    herald = Herald(
        service.terminal,
        lambda: service.tell_start(site.launch, parent.current.urls, _notes(site)),
        quiet=service.verbosity < 0,
    )
    _tell_of_threads(herald)
    control: Control | None = None

    def plan(before: Generation) -> Generation:
        generation = site.next(before)
        if site.kept:
            herald.note(f"changed, but counts after a restart: {', '.join(site.kept)}")
        _tell_of_threads(herald)
        return generation

    def in_child() -> None:
        if control is not None:
            control.abandon()
        for let_go in service.in_child:
            let_go()

    parent = Parent(
        first,
        plan,
        witness=herald,
        reopen=_reopening(service, site),
        in_child=in_child,
        terminal_gone=_terminal_watch(),
    )
    control = Control(listener, parent.loop, parent.desk.perform) if listener is not None else None
    parent.upgrade = _upgrade(site, parent, herald, control, lambda: parent.current.sockets).begin
    try:
        code = parent.run()
    finally:
        if control is not None:
            control.close()
    if code == 130:
        raise KeyboardInterrupt
    return code


def _tell_of_threads(herald: Herald) -> None:
    """Say which threads a preloaded app has started: a forked process has only the one that forked it."""
    names = [each.name for each in threading.enumerate() if each is not threading.current_thread()]
    if names:
        herald.note(f"preload: no worker has the threads that the app has started here ({', '.join(names)})")


def _run_alone(site: Site, listening: Listening, listener: socket.socket | None) -> int:
    site.drop_privileges()
    with contextlib.closing(Succession()) as apps:
        return _run_apps(site, listening, listener, apps)


def _run_apps(site: Site, listening: Listening, listener: socket.socket | None, apps: Succession) -> int:
    from ..server.processes.lone import Lone

    service, component = site.service, site.component
    app = apps.add(site.build(site.launch), site.launch)
    urls = urls_of(component, site.sockets)
    notes = (*public_note(site.sockets), *component.prepare())
    herald = Herald(service.terminal, lambda: service.tell_start(site.launch, urls, notes), quiet=service.verbosity < 0)

    started = time.time()

    def rebuild() -> Any:
        from ..server.processes.stale_code import changed_modules

        launch, _, fresh = site.read()
        stale = changed_modules(started)
        if stale:
            more = f" and {len(stale) - 1} more" if len(stale) > 1 else ""
            herald.note(f"{short_path(stale[0])}{more} changed: code counts after a restart, or with two workers")
        component.renew()
        if repr(fresh) != repr(component):
            herald.note("the options of the server have changed: they count after a restart")
        return apps.add(site.take_up(launch), launch)

    lone = Lone(
        rebuild=rebuild,
        retire=apps.retire,
        witness=herald,
        listening=urls,
        reopen=_reopening(service, site),
        terminal_gone=_terminal_watch(),
    )
    lone.loop.after(_SETTLED, load_the_rest)
    control = Control(listener, lone.loop, lone.perform) if listener is not None else None

    @cache
    def upgrade() -> Upgrade:
        return _upgrade(site, lone, herald, control, lambda: site.sockets)

    lone.upgrade = lambda: upgrade().begin()
    try:
        with waiting():  # the collector would look through all modules of the engine for what is not there
            engine = site.engine(component, app, site.sockets, site.settings, lone)
        lone.run(engine)
    except OptionError as error:
        raise listening.refuse(error) from error
    finally:
        if control is not None:
            control.close()
    return 0


def _upgrade(
    site: Site,
    process: Parent | Lone,
    herald: Herald,
    control: Control | None,
    sockets: Callable[[], Sequence[socket.socket]],
) -> Upgrade:
    """What starts this command once more, with the ``sockets`` that are served and the pid file of this process."""
    from ..server.processes.upgrade import Belongings, Upgrade

    service = site.service

    def belongings() -> Belongings:
        return Belongings(
            sockets=site.places(sockets()),
            control=None if control is None else control.listener,
            pid_file=None if service.pid_file is None else service.pid_file.descriptor,
        )

    def done(pid: int) -> None:
        if service.pid_file is not None:
            service.pid_file.abandon()  # it names the other process
        herald.handed_over(pid)
        if control is not None:
            control.close()
        process.hand_over()

    return Upgrade(process.loop, service.command(), belongings, done)


def _notes(site: Site) -> Sequence[str]:
    count = site.component.workers
    workers = f"{count} worker{'s' if count > 1 else ''}"
    return (workers, *public_note(site.sockets), *site.component.prepare())


def _reopening(service: Service, site: Site) -> Callable[[], None]:
    """Opens all log files anew; those that a root's parent creates are the workers' to write."""
    account = site.account
    owner = None if account is None else (account.uid, account.gid)

    def reopen() -> None:
        from ..server.processes.log_files import reopen_log_files

        service.reopen_output()
        mine = owner if os.geteuid() == 0 else None
        if mine is not None and service.log is not None:
            with contextlib.suppress(OSError):
                os.fchown(1, *mine)
        reopen_log_files(mine)

    return reopen


def _terminal_watch() -> Callable[[], bool]:
    """Tells whether the terminal that this process was started on is gone."""
    if not os.isatty(0):
        return lambda: False

    def is_gone() -> bool:
        try:
            os.tcgetpgrp(0)
        except OSError:
            return True
        return False

    return is_gone
