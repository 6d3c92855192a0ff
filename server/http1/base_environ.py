"""The environ keys that all requests of a listener or of a connection share (PEP 3333).

Beside the keys of PEP 3333 it writes ``REMOTE_HOST``, ``REMOTE_PORT``, ``wheatpaste.peer`` and
``waitress.client_disconnected``.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from ...protocol.peers import PEER
from ...protocol.wsgi import Environ
from ..settings import Settings
from .client_gone import CLIENT_DISCONNECTED, ClientWatch
from .file_wrapper import FileWrapper, IteratedFileWrapper


def listener_environ(listener: socket.socket, settings: Settings) -> Environ:
    """What is the same for all requests that come through one listening socket."""
    if listener.family == getattr(socket, "AF_UNIX", None):
        name, port = "localhost", "443" if settings.url_scheme == "https" else "80"
    else:
        name, number = listener.getsockname()[:2]
        port = str(number)
    return {
        "SCRIPT_NAME": "",
        "SERVER_NAME": settings.server_name or str(name),
        "SERVER_PORT": port,
        "SERVER_SOFTWARE": settings.ident or "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": settings.url_scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": settings.threads > 1,
        "wsgi.multiprocess": settings.multiprocess,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileWrapper if settings.sendfile else IteratedFileWrapper,
        **settings.environ,
    }


def connection_environ(sock: Any, address: object) -> Environ:
    """What is the same for all requests of one connection."""
    watch = ClientWatch(sock)
    if isinstance(address, tuple):
        host = str(address[0])
        return {
            "REMOTE_ADDR": host,
            "REMOTE_HOST": host,
            "REMOTE_PORT": str(address[1]),
            PEER: host,
            CLIENT_DISCONNECTED: watch,
        }
    # The other end of a UNIX socket has no address.
    return {"REMOTE_ADDR": "", "REMOTE_HOST": "", "REMOTE_PORT": "", PEER: "", CLIENT_DISCONNECTED: watch}
