"""Ask a service over its control socket."""

from __future__ import annotations

import json
import socket
from typing import Any

_MOST = 64 * 1024 * 1024


class ControlError(OSError):
    """The service could not be asked, as a sentence."""


def ask(path: str, request: dict[str, Any], timeout: float) -> dict[str, Any]:
    """Send a request and return the answer, ``ok`` with ``result`` or ``error``. Raises ``ControlError``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        stream.settimeout(timeout)
        try:
            stream.connect(path)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise ControlError(f"nothing listens on {path}: the service does not run, or has no such socket") from error
        except OSError as error:
            raise ControlError(f"{path} cannot be asked ({error.strerror or error})") from error
        try:
            stream.sendall(json.dumps(request).encode() + b"\n")
            line = _line(stream)
        except TimeoutError as error:
            raise ControlError(f"no answer came within {timeout:g} seconds") from error
        except OSError as error:
            raise ControlError(f"the service went away ({error.strerror or error})") from error
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise ControlError("the service ended before it had answered") from error
    if not isinstance(answer, dict):
        raise ControlError("what answers on that socket is no service of this kind")
    return answer


def _line(stream: socket.socket) -> bytes:
    received = b""
    while b"\n" not in received and len(received) < _MOST:
        data = stream.recv(65536)
        if not data:
            break
        received += data
    return received.partition(b"\n")[0]
