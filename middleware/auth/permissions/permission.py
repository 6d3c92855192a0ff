"""What all permissions can do, and how they are put together: ``&``, ``|``, ``~``.

A permission is a value: it never changes, equal ones are equal, and its text can be read again. It looks at a request
and decides; it never calls the app.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from .context import Context
from .decision import ALLOWED, LOGIN, NONE, Decision, all_denied, each_denied


class Permission:
    """A question about a request, answered by :meth:`decide`.

    A permission of one's own hands what makes it what it is to ``super().__init__``, finds it in ``told``, and says by
    ``__str__`` how it is written in rules::

        class Even(Permission):
            def decide(self, ctx: Context) -> Decision:
                return ALLOWED if ctx.environ["wsgi.run_once"] else self.denied()
    """

    __slots__ = ("_denials", "told")

    _denials: dict[tuple[str, ...], Decision]
    told: tuple[Any, ...]
    """What the permission was made of. Permissions of one class with the same are equal."""

    runs_code: bool = False
    """Whether it calls code of the application, which may count on what was asked before it in ``&``."""

    asks_who: bool = True
    """Whether it depends on who makes the request, so that it means nothing where nobody says who does."""

    def __init__(self, *told: Any) -> None:
        self._keep(told=told, _denials={})

    def _keep(self, **found: Any) -> None:
        """Keep what was found out while the permission was made, so that no request pays for it."""
        for name, value in found.items():
            object.__setattr__(self, name, value)

    def decide(self, ctx: Context) -> Decision:
        """Whether the request is allowed, and if not, what would help."""
        raise TypeError(f"{type(self).__name__} does not say how it decides: it has no method decide(ctx)")

    def denied(self, *remedies: str, max_age: float | None = None) -> Decision:
        """The decision that this does not hold, for which these remedies would help."""
        found = self._denials.get(remedies)
        if found is None:
            found = Decision(False, frozenset(remedies) if remedies else NONE, (str(self),), max_age)
            self._denials[remedies] = found
        return found

    def denied_to(self, ctx: Context) -> Decision:
        """The same where it depends on who asks: a login may help who has none yet, and nothing anybody else."""
        return self.denied(LOGIN) if ctx.identity is None else self.denied()

    def __and__(self, other: Permission) -> And:
        return And(self, other) if isinstance(other, Permission) else NotImplemented

    def __or__(self, other: Permission) -> Or:
        return Or(self, other) if isinstance(other, Permission) else NotImplemented

    def __invert__(self) -> Not:
        return Not(self)

    def __bool__(self) -> bool:
        raise TypeError("a permission is neither true nor false: join permissions by &, | and ~, and ask decide(ctx)")

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self.told == other.told

    def __hash__(self) -> int:
        return hash((type(self), self.told))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.told))})"

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"permissions do not change: hand {name!r} to super().__init__(), and read it from told")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("permissions do not change")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.told


class _Join(Permission):
    """Two or more permissions."""

    __slots__ = ("asks_who", "runs_code")

    _word: str
    _sign: str

    def __init__(self, *permissions: Permission) -> None:
        for each in permissions:
            if not isinstance(each, Permission):
                raise TypeError(f"{type(self).__name__} joins permissions, and {each!r} is none")
        if len(permissions) < 2:
            raise ValueError(f"{type(self).__name__} joins at least two permissions")
        super().__init__(*_flat(type(self), permissions))
        self._keep(
            runs_code=any(each.runs_code for each in self.told), asks_who=any(each.asks_who for each in self.told)
        )

    def __str__(self) -> str:
        return f" {self._word} ".join(f"({each})" if isinstance(each, _Join) else str(each) for each in self.told)

    def __repr__(self) -> str:
        return f" {self._sign} ".join(f"({each!r})" if isinstance(each, _Join) else repr(each) for each in self.told)


def _flat(kind: type, permissions: tuple[Permission, ...]) -> Iterator[Permission]:
    for each in permissions:
        if type(each) is kind:
            yield from each.told
        else:
            yield each


class And(_Join):
    """All of them, asked from left to right.

    Where several do not hold, the remedies of all are needed; where one of these has none, nothing helps. What runs
    code of the application is asked only if all before it holds.
    """

    __slots__ = ()

    _word, _sign = "and", "&"

    def decide(self, ctx: Context) -> Decision:
        """Whether all of them allow it."""
        refusal: Decision | None = None
        for each in self.told:
            if refusal is None:
                decision: Decision = each.decide(ctx)
                if not decision.allowed:
                    refusal = decision
            elif not each.runs_code:
                decision = each.decide(ctx)
                if not decision.allowed:
                    refusal = all_denied(refusal, decision)
        return ALLOWED if refusal is None else refusal


class Or(_Join):
    """Any of them, asked from left to right until one allows it. Each remedy of one of them may help."""

    __slots__ = ()

    _word, _sign = "or", "|"

    def decide(self, ctx: Context) -> Decision:
        """Whether one of them allows it."""
        first, *rest = self.told
        refusal: Decision = first.decide(ctx)
        if refusal.allowed:
            return refusal
        for each in rest:
            decision: Decision = each.decide(ctx)
            if decision.allowed:
                return decision
            refusal = each_denied(refusal, decision)
        return refusal


class Not(Permission):
    """What the other one does not allow. There is no remedy.

    Of whom nothing is known, nothing holds: ``not role banned`` lets strangers in, and
    ``authenticated and not role banned`` does not.
    """

    __slots__ = ("asks_who", "runs_code")

    def __init__(self, permission: Permission) -> None:
        if not isinstance(permission, Permission):
            raise TypeError(f"Not inverts a permission, and {permission!r} is none")
        super().__init__(permission)
        self._keep(runs_code=permission.runs_code, asks_who=permission.asks_who)

    def decide(self, ctx: Context) -> Decision:
        """Whether the other one refuses."""
        decision: Decision = self.told[0].decide(ctx)
        return self.denied() if decision.allowed else ALLOWED

    def __str__(self) -> str:
        inner = self.told[0]
        return f"not ({inner})" if isinstance(inner, _Join) else f"not {inner}"

    def __repr__(self) -> str:
        inner = self.told[0]
        return f"~({inner!r})" if isinstance(inner, _Join) else f"~{inner!r}"


class Everyone(Permission):
    """Everybody may; changes nothing in ``&``."""

    __slots__ = ()

    asks_who = False

    def __init__(self) -> None:
        super().__init__()

    def decide(self, ctx: Context) -> Decision:
        """Yes."""
        return ALLOWED

    def __str__(self) -> str:
        return "everyone"


class Nobody(Permission):
    """Nobody may; changes nothing in ``|``."""

    __slots__ = ()

    asks_who = False

    def __init__(self) -> None:
        super().__init__()

    def decide(self, ctx: Context) -> Decision:
        """No."""
        return self.denied()

    def __str__(self) -> str:
        return "nobody"
