"""``egg:wheatpaste#require``: one rule for everything behind the filter.

Where in the stack: inside an Auth filter, which says who asks; without one nobody gets through, unless
the rule asks for something else alone (``from 10.0.0.0/8``). Reads ``wheatpaste.allowed``; writes no environ keys. (The
key ``require`` itself means distributions to paste.deploy.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from ...config.factories import make_filter_factory
from ...config.mounts import KeyProblem
from ...config.options import component, option
from ...config.surroundings import Surroundings
from ...protocol.wsgi import Body, Environ, StartResponse, WSGIApp
from .denials import refusal_of
from .permissions.language import parse, rule_complaint
from .permissions.permission import Nobody, Permission

KNOWERS = frozenset({"auth", "authkit"})
"""The filters of ours that say who asks."""


@component
class RequireFilter:
    """Let only those through of whom a rule says that they may: ``rule = role editor``."""

    app: WSGIApp = field(kw_only=False)
    rule: str = option(
        doc="Who may: a rule such as role editor, authenticated and mfa, or from 10.0.0.0/8.",
        check=rule_complaint,
        sample="role editor",
    )
    _permission: Permission = field(init=False, repr=False, default=Nobody())

    def __post_init__(self) -> None:
        object.__setattr__(self, "_permission", parse(self.rule))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Call the app, or answer in its place: with 401 where that could help, with 403 otherwise."""
        return (refusal_of(environ, self._permission, "require") or self.app)(environ, start_response)

    def problems(self, stack: Surroundings) -> Iterator[KeyProblem]:
        """Nobody in front who could say who asks."""
        if not parse(self.rule).asks_who:
            return
        if any(each.names & KNOWERS for each in stack.outside):
            return
        strangers = any(not each.names for each in stack.outside)
        yield KeyProblem(
            None,
            "no Auth filter stands around it to say who asks, so that nobody will get through",
            "put a filter with use = egg:wheatpaste#auth before it",
            severity="warning" if strangers else "error",
        )


filter_factory = make_filter_factory(RequireFilter)
