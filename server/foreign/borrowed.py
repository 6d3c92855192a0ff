"""The options that servers of others share with ours: declared once, and with a reason where one is missing."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from collections.abc import Collection, Mapping
from typing import Any

from ...config.options import OptionError, options_of
from ..http_server import HTTPServer

_DECLARED = {each.name: each for each in dataclasses.fields(HTTPServer)}


def as_in_ours(name: str) -> Any:
    """Declare an option of another server: the same words, type and default as the option ``name`` of ours."""
    declared = _DECLARED[name]
    return dataclasses.field(default=declared.default, metadata=declared.metadata, repr=declared.repr)


def ours_with_options_of(server: Any) -> HTTPServer:
    """Our server with the options of another: it knows the addresses, and what cannot stand together.

    Raises ``OptionError``.
    """
    return HTTPServer(**{option.name: getattr(server, option.name) for option in options_of(type(server))})


def lacking(component: type, title: str, reasons: Mapping[str, str], refused: Collection[str] = ()) -> dict[str, str]:
    """Each option of ours that the component does not have, with the reason why it does nothing there.

    ``refused`` are options that must not be passed over in silence: they stop the start.
    """
    own = {option.name for option in options_of(component)} | set(refused)
    return {
        option.name: reasons.get(option.name, f"{title} has nothing like it")
        for option in options_of(HTTPServer)
        if option.name not in own
    }


def require(package: str, server: Any) -> None:
    """Raise ``OptionError`` where the server's package is not installed."""
    if importlib.util.find_spec(package) is None:
        raise OptionError(type(server).__name__, None, f"{package} is not installed; run: pip install {package}")


def only(ours: HTTPServer, title: str) -> list[Any]:
    """The one socket of a server that listens on one. Raises ``OptionError`` where several addresses are written."""
    if len(ours.addresses()) > 1:
        option = "listen" if ours.listen else "host"
        raise OptionError(type(ours).__name__, option, f"{title} listens on one address; write one")
    first, *others = ours.bind()
    for each in others:  # a name may mean an IPv4 and an IPv6 address
        each.close()
    return [first]


def forget_activation() -> None:
    """Take the sockets that systemd passed out of the environment: they are adopted, and others would do it again."""
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
