"""Requests of all sorts of people, for tests of who may do what."""

from __future__ import annotations

from typing import Any

from wheatpaste.middleware.auth.identity import Identity
from wheatpaste.middleware.auth.permissions import Context

NOW = 1_800_000_000.0


def person(name: str = "bob", **known: Any) -> Identity:
    """Somebody with a session that began a minute ago."""
    for key in ("groups", "roles", "permissions", "scopes"):
        if known.get(key) is not None:
            known[key] = frozenset(known[key])
    return Identity(**{"id": f"local:{name}", "name": name, "method": "session", "auth_time": NOW - 60, **known})


def request_of(who: Identity | None = None, *, now: float = NOW, secure: bool = False, **environ: Any) -> Context:
    """A request, by nobody or somebody."""
    came = {"REQUEST_METHOD": "GET", "REMOTE_ADDR": "192.0.2.7", "wsgi.url_scheme": "http", **environ}
    return Context(who, came, lambda: now, is_secure=secure)
