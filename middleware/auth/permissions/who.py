"""Permissions that ask who makes a request, and how that is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ....config.values import Seconds, parse, to_text
from ..claims import claim_at
from ..names import spelled
from .context import Context
from .decision import ALLOWED, FRESH, LOGIN, SCOPE, SECOND_FACTOR, Decision
from .permission import Permission
from .words import phrase

# How far the clocks of the machines that share sessions may be apart.
_SKEW = 60.0
_TEN_MINUTES = 600.0


class Authenticated(Permission):
    """It is known who asks."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()

    def decide(self, ctx: Context) -> Decision:
        """Whether somebody is known; a login helps where nobody is."""
        return self.denied(LOGIN) if ctx.identity is None else ALLOWED

    def __str__(self) -> str:
        return "authenticated"


class Anonymous(Permission):
    """It is not known who asks."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()

    def decide(self, ctx: Context) -> Decision:
        """Whether nobody is known."""
        return ALLOWED if ctx.identity is None else self.denied()

    def __str__(self) -> str:
        return "anonymous"


class _Named(Permission):
    """A permission that is made of one name or more, any of which will do."""

    __slots__ = ("_names",)

    _names: frozenset[str]

    word: str

    def __init__(self, *names: str) -> None:
        if not names:
            raise ValueError(f"{type(self).__name__} needs at least one name")
        for each in names:
            if not isinstance(each, str):
                raise TypeError(f"{type(self).__name__} takes names, not {each!r}: write {type(self).__name__}(*names)")
            if not each.strip():
                raise ValueError(f"{type(self).__name__} was given an empty name")
        super().__init__(*names)
        self._keep(_names=frozenset(names))

    def __str__(self) -> str:
        return phrase(self.word, self.told)


class User(_Named):
    """One of these users: by name, in which case and composition of letters do not matter, or by id (``local:…``)."""

    __slots__ = ("_ids",)

    _ids: frozenset[str]

    word = "user"

    def __init__(self, *names: str) -> None:
        super().__init__(*names)
        # What looks like an id is compared with ids alone: some sources let people choose their names.
        self._keep(
            _ids=frozenset(each for each in names if ":" in each),
            _names=frozenset(spelled(each) for each in names if ":" not in each),
        )

    def decide(self, ctx: Context) -> Decision:
        """Whether one of them asks."""
        who = ctx.identity
        if who is not None and (spelled(who.name) in self._names or who.id in self._ids):
            return ALLOWED
        return self.denied_to(ctx)


class InGroup(_Named):
    """Somebody who is in one of these groups."""

    __slots__ = ()

    word = "group"

    def decide(self, ctx: Context) -> Decision:
        """Whether the user is in one of them."""
        who = ctx.identity
        return self.denied_to(ctx) if who is None or self._names.isdisjoint(who.groups) else ALLOWED


class HasRole(_Named):
    """Somebody who has one of these roles."""

    __slots__ = ()

    word = "role"

    def decide(self, ctx: Context) -> Decision:
        """Whether the user has one of them."""
        who = ctx.identity
        return self.denied_to(ctx) if who is None or self._names.isdisjoint(who.roles) else ALLOWED


class HasScope(_Named):
    """A token that has one of these scopes, or somebody whom no token limits."""

    __slots__ = ("_wanted",)

    _wanted: tuple[str, ...]

    word = "scope"

    def __init__(self, *names: str) -> None:
        super().__init__(*names)
        self._keep(_wanted=tuple(SCOPE + each for each in names))

    def decide(self, ctx: Context) -> Decision:
        """Whether one of the scopes is there, or nothing limits the user; a token with a scope helps one without."""
        who = ctx.identity
        if who is None:
            return self.denied(LOGIN)
        if who.scopes is None or not self._names.isdisjoint(who.scopes):
            return ALLOWED
        return self.denied(*self._wanted)


class TokenScope(HasScope):
    """A token that has one of these scopes. Somebody without a token may not."""

    __slots__ = ()

    word = "token scope"

    def decide(self, ctx: Context) -> Decision:
        """Whether there is a token with one of the scopes; such a token helps everybody else."""
        who = ctx.identity
        if who is not None and who.scopes is not None and not self._names.isdisjoint(who.scopes):
            return ALLOWED
        return self.denied(*self._wanted)


class Method(_Named):
    """Somebody who is known by one of these methods: ``session``, ``bearer``, ``basic``, …"""

    __slots__ = ()

    word = "via"

    def decide(self, ctx: Context) -> Decision:
        """Whether the user is known by one of them."""
        who = ctx.identity
        return ALLOWED if who is not None and who.method in self._names else self.denied_to(ctx)


class Mfa(Permission):
    """Somebody who has shown more than one factor."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()

    def decide(self, ctx: Context) -> Decision:
        """Whether a second factor was shown; a login, and a second factor in it, may help."""
        who = ctx.identity
        if who is None:
            return self.denied(LOGIN, SECOND_FACTOR)
        return ALLOWED if who.has_shown_two_factors else self.denied(SECOND_FACTOR)

    def __str__(self) -> str:
        return "mfa"


class Fresh(Permission):
    """Somebody who has shown not long ago who it is: within seconds, or a duration such as ``10m`` (the default)."""

    __slots__ = ("_seconds",)

    _seconds: float

    def __init__(self, within: float | str = _TEN_MINUTES) -> None:
        seconds = float(parse(within, Seconds)) if isinstance(within, str) else float(within)
        if not 1 <= seconds < float("inf"):
            raise ValueError("must be at least one second")
        super().__init__(seconds)
        self._keep(_seconds=seconds)

    def decide(self, ctx: Context) -> Decision:
        """Whether it is so; showing it once more helps."""
        who = ctx.identity
        if who is None:
            return self.denied(LOGIN, FRESH, max_age=self._seconds)
        since = who.auth_time
        # What is said to have happened in the future is no proof of anything.
        if since is not None and -_SKEW <= ctx.clock() - since <= self._seconds:
            return ALLOWED
        return self.denied(FRESH, max_age=self._seconds)

    def __str__(self) -> str:
        return f"fresh {to_text(self._seconds, Seconds)}"

    def __repr__(self) -> str:
        return f"Fresh({to_text(self._seconds, Seconds)!r})"


class Claim(Permission):
    """Somebody of whom an issuer says something: a claim that is there, or that has one of these values.

    A claim with several values needs to have one of them. ``realm_access.roles`` is the claim of this name, or else
    ``roles`` within ``realm_access``.
    """

    __slots__ = ("_name", "_values")

    _name: str
    _values: frozenset[str]

    def __init__(self, name: str, *values: str) -> None:
        for each in (name, *values):
            if not isinstance(each, str):
                raise TypeError(f"Claim takes texts, not {each!r}")
        if not name.strip():
            raise ValueError("Claim was given an empty name")
        super().__init__(name, *values)
        self._keep(_name=name, _values=frozenset(values))

    def decide(self, ctx: Context) -> Decision:
        """Whether the claim is there with one of the values."""
        who = ctx.identity
        if who is None:
            return self.denied(LOGIN)
        said = _texts(claim_at(who.claims, self._name))
        holds = not self._values.isdisjoint(said) if self._values else said not in ([], ["false"])
        return ALLOWED if holds else self.denied()

    def __str__(self) -> str:
        return with_values("claim", self._name, self.told[1:])


def with_values(word: str, name: str, values: Iterable[str]) -> str:
    """``claim name``, or ``claim name = value``."""
    values = tuple(values)
    return phrase(word, [name]) + (f" = {phrase('', values).strip()}" if values else "")


def _texts(value: Any) -> list[str]:
    """A claim's values as they are written in rules; nothing for a claim that denies or says nothing."""
    if value is None or isinstance(value, Mapping):
        return []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, list | tuple | set | frozenset):
        return [text for each in value for text in _texts(each)]
    return [str(value)] if isinstance(value, str | int | float) else []
