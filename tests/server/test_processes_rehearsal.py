"""What a deployer does on a busy day, over TLS and under load: new code, a new certificate, and the end."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from running_server import RunningServer, free_port, poll
from steady_load import SteadyLoad
from tls_peers import Authority
from worker_site import WorkerSite

pytestmark = pytest.mark.slow


def serial_shown_by(port: int, authority: Authority) -> str:
    """The number of the certificate that a new connection gets."""
    context = authority.client()
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        shown = connection.getpeercert()
    assert shown is not None
    return str(shown["serialNumber"])


@pytest.mark.parametrize("workers", [2, 1], ids=["workers", "one process"])
def test_no_request_fails_on_a_busy_day(
    tmp_path: Path, running_server: Callable[..., RunningServer], workers: int
) -> None:
    authority = Authority(tmp_path)
    certificate = authority.issue("127.0.0.1", file="site")
    port = free_port()
    argv = [sys.executable, "-m", "wheatpaste", "serve", "site.ini"]
    site = WorkerSite(tmp_path, lambda *_, **options: running_server(argv=argv, **options))
    server = site.start(workers=workers, port=port, tls_certificate=certificate.chain, wait=False).wait_until_ready()
    first = serial_shown_by(port, authority)
    with SteadyLoad(port, tls=authority.client()) as load:
        poll(lambda: load.seen("one") > 20, 20, server.log)
        site.app["say"] = "two"
        site.write()
        os.kill(server.pid, signal.SIGHUP)
        poll(lambda: load.seen("two") > 20, 20, server.log)
        authority.issue("127.0.0.1", file="site")
        assert site.ask("reload")["ok"]
        poll(lambda: serial_shown_by(port, authority) != first, 20, server.log)
        count = load.seen("two")
        poll(lambda: load.seen("two") > count + 20, 20, server.log)
        os.kill(server.pid, signal.SIGTERM)
        poll(lambda: load.turned_away > 4 and server.returncode is not None, 20, server.log)
    assert not load.failures
    assert server.returncode == 0
