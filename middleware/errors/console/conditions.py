"""When the console answers at all: on this machine, for one process, and to a page of its own.

These hold for every request to the console, before any secret is looked at, so that nobody elsewhere can even guess.
Beside them ``own_page.strangeness`` says what a page of ours sends. Reads ``wsgi.multiprocess``, ``wheatpaste.peer``,
``SERVER_NAME`` and what ``Audience`` reads.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from ....protocol.peers import PEER, read_address
from ....protocol.wsgi import Environ
from ..audience import Audience

SWITCH = "WHEATPASTE_CONSOLE"
_OFF = frozenset({"0", "off", "no", "false", "n", "f"})
# How programs are told that they are in production, whatever their configuration says.
_STAGES = ("ENV", "ENVIRONMENT", "APP_ENV", "PYTHON_ENV", "FLASK_ENV", "DJANGO_ENV", "PYRAMID_ENV", "WHEATPASTE_ENV")
_PRODUCTION = frozenset({"production", "prod", "live"})


def switched_off(variables: Mapping[str, str] = os.environ) -> str | None:
    """Why the environment of the process forbids the console, or None."""
    if variables.get(SWITCH, "").strip().lower() in _OFF:
        return f"{SWITCH} = {variables[SWITCH]} switches it off"
    for name in _STAGES:
        if variables.get(name, "").strip().lower() in _PRODUCTION:
            return f"{name} = {variables[name]} says that this is production"
    return None


def refusal(environ: Environ, audience: Audience, *, anywhere: bool = False) -> str | None:
    """Why a request may not come near the console, as a sentence that says what would change it, or None.

    ``anywhere``: the deployer has allowed it on servers that other machines reach, and on those that do not say who
    is at the other end of the socket.
    """
    if environ.get("wsgi.multiprocess"):
        return "several processes serve this site: the frames are in the memory of one of them; serve with one"
    if PEER not in environ and not anywhere:
        return (
            "this server does not tell whether a proxy is in front of it: use wheatpaste's own, or "
            "console_anywhere = true if there is none"
        )
    if not anywhere and (listening := _public(environ)) is not None:
        return f"the server listens on {listening}, which other machines reach: listen on 127.0.0.1"
    if not environ.get("HTTP_HOST"):
        return "the request names no host"
    return audience.refusal(environ)


def _public(environ: Environ) -> str | None:
    """The address that the server listens on, if other machines reach it and it tells (wheatpaste's own does)."""
    name = environ.get("SERVER_NAME", "")
    address = read_address(name)
    return None if address is None or address.is_loopback else name
