"""Permissions that the application has a say in: per object, and by any function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .context import Context
from .decision import ALLOWED, Decision, each_denied
from .permission import Permission
from .words import phrase

Resolver = Callable[[str, Any], "Permission | bool"]
"""``(name, object) -> who has this permission on the object``."""

R = TypeVar("R", bound=Resolver)

_RESOLVERS: dict[type, Resolver] = {}


def resolver(kind: type) -> Callable[[R], R]:
    """Register who says for objects of a class, and of classes derived from it, who has a permission on them.

    ::

        @resolver(Page)
        def page_permissions(name: str, page: Page) -> Permission:
            return User(page.owner) | HasPermission(name)
    """

    def register(function: R) -> R:
        _RESOLVERS[kind] = function
        return function

    return register


def unregister(kind: type) -> None:
    """Take back what :func:`resolver` has registered."""
    _RESOLVERS.pop(kind, None)


class HasPermission(Permission):
    """Somebody who has one of these permissions, ``thing:verb``; whoever has ``thing:*`` has all for the thing.

    With ``on`` it is asked for one object, and the resolver that is registered for its class says who has it there.
    """

    __slots__ = ("_accepted", "_on", "runs_code")

    _accepted: frozenset[str]
    _on: object

    def __init__(self, *names: str, on: object = None) -> None:
        if not names:
            raise ValueError("HasPermission needs at least one name")
        for each in names:
            if not isinstance(each, str) or not each.strip():
                raise ValueError(f"HasPermission takes names such as page:edit, not {each!r}")
        super().__init__(*names)
        self._keep(
            _on=on, runs_code=on is not None, _accepted=frozenset(form for each in names for form in _forms(each))
        )

    def decide(self, ctx: Context) -> Decision:
        """Whether the user has one of them. Raises ``LookupError`` for an object whose class has no resolver."""
        if self._on is not None:
            return self._decide_on(ctx)
        who = ctx.identity
        return self.denied_to(ctx) if who is None or self._accepted.isdisjoint(who.permissions) else ALLOWED

    def _decide_on(self, ctx: Context) -> Decision:
        resolve = next((_RESOLVERS[kind] for kind in type(self._on).__mro__ if kind in _RESOLVERS), None)
        if resolve is None:
            raise LookupError(f"nobody has said who has permissions on a {type(self._on).__name__}: see resolver()")
        refusal: Decision | None = None
        for name in self.told:
            said = resolve(name, self._on)
            if isinstance(said, Permission):
                decision = said.decide(ctx)
            else:
                decision = ALLOWED if said is True else self.denied_to(ctx)
            if decision.allowed:
                return decision
            refusal = decision if refusal is None else each_denied(refusal, decision)
        return self.denied() if refusal is None else refusal

    def __str__(self) -> str:
        return phrase("permission", self.told)

    def __repr__(self) -> str:
        on = "" if self._on is None else f", on={self._on!r}"
        return f"HasPermission({', '.join(map(repr, self.told))}{on})"

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and (self._on is other._on or bool(self._on == other._on))  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return super().__hash__()

    def __reduce__(self) -> tuple[Any, ...]:
        return _permission_on, (self.told, self._on)


def _permission_on(names: tuple[str, ...], on: object) -> HasPermission:
    return HasPermission(*names, on=on)


def _forms(name: str) -> list[str]:
    """What includes a permission: ``a:b:c``, ``a:b:*``, ``a:*`` and ``*``."""
    parts = name.split(":")
    return [name, *(":".join([*parts[:count], "*"]) for count in range(len(parts)))]


class Test(Permission):
    """What a function says: ``function(ctx)`` is true, or a :class:`Decision` of its own.

    In ``a & Test(f)`` the function is called only where ``a`` holds. What it raises travels, and nobody gets in.
    """

    __slots__ = ()

    __test__ = False  # no test of pytest's
    runs_code = True

    def __init__(self, function: Callable[[Context], object]) -> None:
        if not callable(function):
            raise TypeError(f"Test asks a function, and {function!r} is none")
        super().__init__(function)

    def decide(self, ctx: Context) -> Decision:
        """What the function says."""
        said = self.told[0](ctx)
        if isinstance(said, Decision):
            return said
        return ALLOWED if said else self.denied()

    def __str__(self) -> str:
        function = self.told[0]
        name = getattr(function, "__qualname__", None)
        return phrase("test", [f"{function.__module__}:{name}" if name else repr(function)])
