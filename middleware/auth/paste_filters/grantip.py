"""``egg:Paste#grantip``: users and roles by the client's address.

Each further key is an address, a network or a range (``192.0.2.1<->192.0.2.9``), IPv6 too; its value is
``user:role,role,-role``, where ``-`` stands for no user and ``__remove__`` takes the user away. All keys that hold the
address count, in their order. Reads ``REMOTE_ADDR``; writes ``REMOTE_USER`` and ``REMOTE_USER_TOKENS``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import NamedTuple

from ....config.factories import make_filter_factory
from ....config.options import component, option, readable
from ....config.reader import Family
from ....protocol.peers import read_address
from ....protocol.wsgi import Body, Environ, StartResponse, WSGIApp

REMOVE = "__remove__"
_RANGE = "<->"


class Grant(NamedTuple):
    """What an address gives: a user (``''`` for none, :data:`REMOVE` for away with it), roles, and roles taken away."""

    user: str
    roles: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()


def read_grant(text: str, folder: str | None = None) -> Grant:
    """Read ``user:role,-role``. Raises ``ValueError`` with a phrase."""
    user, _, listed = text.strip().partition(":")
    user = user.strip()
    if not user:
        raise ValueError("must begin with a user, with - for none, or with __remove__")
    words = [word.strip() for word in listed.split(",")] if listed.strip() not in ("", "-") else []
    if not all(word.strip("-") and not re.search(r"\s", word) for word in words):
        raise ValueError("must name roles separated by commas, as editor,-admin")
    return Grant(
        "" if user == "-" else user,
        tuple(word for word in words if not word.startswith("-")),
        tuple(word[1:] for word in words if word.startswith("-")),
    )


class Span(NamedTuple):
    """Addresses of one version from one to another, as numbers; both are in it."""

    version: int
    first: int
    last: int


def read_span(key: str) -> Span:
    """Read an address, a network, or two addresses with ``<->`` between. Raises ``ValueError`` with a phrase."""
    first, arrow, last = key.partition(_RANGE)
    if arrow:
        one, other = read_address(first.strip()), read_address(last.strip())
        if one is None or other is None or one.version != other.version:
            raise ValueError("must be two addresses of one kind with <-> between them")
        if int(one) > int(other):
            raise ValueError("must begin with the lower address")
        return Span(one.version, int(one), int(other))
    from ipaddress import ip_network

    try:
        network = ip_network(key.strip(), strict=False)
    except ValueError:
        raise ValueError(
            "is no address, network or range; a host's name is not looked up, since whoever serves its zone could let"
            " anybody in"
        ) from None
    return Span(network.version, int(network.network_address), int(network.broadcast_address))


NO_GRANTS: Mapping[str, Grant] = MappingProxyType({})


@component
class GrantIP:
    """Give users and roles by the client's address."""

    app: WSGIApp = field(kw_only=False)
    clobber_username: bool = option(default=False, doc="Also where somebody is signed in already, under another name.")
    grants: Mapping[str, Grant] = field(default=NO_GRANTS)
    _spans: tuple[tuple[Span, Grant], ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        spans = tuple((read_span(key), grant) for key, grant in self.grants.items())
        object.__setattr__(self, "_spans", spans)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Write what the client's address gives, and call the app."""
        address = read_address(environ.get("REMOTE_ADDR") or "")
        if address is not None:
            number = int(address)
            found = [
                grant
                for span, grant in self._spans
                if span.version == address.version and span.first <= number <= span.last
            ]
            if found:
                self._write(environ, found)
        return self.app(environ, start_response)

    def _write(self, environ: Environ, found: list[Grant]) -> None:
        for grant in found:
            if grant.user not in ("", REMOVE) and (self.clobber_username or not environ.get("REMOTE_USER")):
                environ["REMOTE_USER"] = grant.user
        if any(grant.user == REMOVE for grant in found):
            environ.pop("REMOTE_USER", None)
        roles = [role for role in environ.get("REMOTE_USER_TOKENS", "").split(",") if role]
        for grant in found:
            roles += [role for role in grant.roles if role not in roles]
        revoked = {role for grant in found for role in grant.revoked}
        if revoked or any(grant.roles for grant in found):
            environ["REMOTE_USER_TOKENS"] = ",".join(role for role in roles if role not in revoked)


_FAMILY = Family(
    name="grants",
    takes=lambda key: re.fullmatch(r"[0-9A-Fa-f.:/<>\s-]+|.*[.:/<].*", key) is not None,
    parse=read_grant,
    key="192.168.0.0/24, 192.0.2.7, …",
    kind="user and roles",
    doc="What clients at these addresses are given: user:role,-role, with - for no user.",
    sample=("192.168.0.0/24", "-:editor"),
    complaint=readable(read_span),
)

paste_filter_factory = make_filter_factory(GrantIP, family=_FAMILY)
