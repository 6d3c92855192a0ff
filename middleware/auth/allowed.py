"""``environ['wheatpaste.allowed']``: what an app asks that imports nothing of ours, and what our own code asks, too.

Reads ``wheatpaste.allowed``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from ...protocol.answer import Answer
from ...protocol.wsgi import Environ
from .permissions.context import Context
from .permissions.decision import ALLOWED, Decision
from .permissions.language import parse, parsed
from .permissions.permission import Permission
from .refusals import forbidden

if TYPE_CHECKING:
    from .identity import Identity
    from .visit import Visit

log = logging.getLogger(__name__)

KEY = "wheatpaste.allowed"


class Allowed:
    """Says whether a rule allows a request: ``allowed("role editor") -> bool``. Rules are remembered once read.

    What came with a request must not become part of a rule's text; it stands behind it, for a ``?`` in it:
    ``allowed("permission ?", name)``. Raises ``RuleError`` (a ``ValueError``) for a text that is no rule.
    """

    __slots__ = ("_visit",)

    def __init__(self, visit: Visit) -> None:
        self._visit = visit

    def __call__(self, rule: str, *names: str) -> bool:
        """Whether the rule allows the request."""
        return self.decide(parse(rule, names) if names else parsed(rule)).allowed

    @property
    def identity(self) -> Identity | None:
        """Who makes the request."""
        return self._visit.identity

    def decide(self, permission: Permission) -> Decision:
        """What a permission says of the request; a token that is limited to scopes counts as it does under rules."""
        rules = self._visit.authority.rules
        ctx = Context.of(self._visit)
        if rules is None:
            return permission.decide(ctx)
        decision: Decision = rules.limited(permission, ctx)
        return decision

    def refuse(self, detail: str) -> Answer:
        """The 403 that the site gives."""
        return forbidden(self._visit, detail)

    def note_denial(self, decision: Decision, where: str) -> None:
        """Write into the audit log that a request was refused, and where."""
        note_denial(self._visit, decision.remedies, f"{where}: {decision.reason}")


def note_denial(visit: Visit, remedies: Collection[str], reason: str) -> None:
    """Write into the audit log that a request was refused; who has only not logged in yet was denied nothing."""
    identity = visit.identity
    if identity is not None or not remedies:
        visit.authority.audit.note("authz.deny", visit, identity and identity.account, reason=reason)


class Asked:
    """What whoever stands in front says of a request: our Auth filter, or somebody who knows the function alone."""

    __slots__ = ("_allowed", "_environ")

    def __init__(self, environ: Environ) -> None:
        self._environ = environ
        self._allowed: Callable[[str], bool] | None = environ.get(KEY)

    @property
    def identity(self) -> Identity | None:
        """Who makes the request; None where that is not known here."""
        return self._allowed.identity if isinstance(self._allowed, Allowed) else None

    def decide(self, permission: Permission) -> Decision:
        """What a permission says of the request: no, where it depends on who asks and nobody in front says that."""
        if isinstance(self._allowed, Allowed):
            return self._allowed.decide(permission)
        if self._allowed is None:
            if not permission.asks_who:
                return permission.decide(Context(None, self._environ))
            log.error("%s is refused to everybody: no filter such as egg:wheatpaste#auth stands in front", permission)
            return Decision(False, reasons=(str(permission),))
        return ALLOWED if self._allowed(str(permission)) is True else permission.denied()

    def note_denial(self, decision: Decision, where: str) -> None:
        """Write into the audit log that a request was refused, where there is one."""
        if isinstance(self._allowed, Allowed):
            self._allowed.note_denial(decision, where)


def permission_of(rule: Permission | str) -> Permission:
    """The permission that is meant, by itself or as a rule. Raises ``RuleError``, or ``TypeError`` for other things."""
    if isinstance(rule, Permission):
        return rule
    if not isinstance(rule, str):
        raise TypeError(f"a permission or the text of a rule is needed, not {rule!r}")
    return parsed(rule)
