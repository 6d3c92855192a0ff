"""What a permission decides: yes, or no and what would help."""

from __future__ import annotations

from typing import NamedTuple, NoReturn

NONE: frozenset[str] = frozenset()

LOGIN = "login"
SECOND_FACTOR = "mfa"
FRESH = "fresh"
SCOPE = "scope:"


class Decision(NamedTuple):
    """Whether a request is allowed.

    Where it is not, ``remedies`` are what could change that: ``login``, ``mfa`` (show a second factor), ``fresh`` (show
    once more who you are), ``scope:NAME`` (a token that has this scope); none means that nothing would help.
    ``reasons`` are the terms that do not hold, in the language of rules. Where ``fresh`` is among the remedies,
    ``max_age`` is how many seconds ago the user may have shown who it is.
    """

    allowed: bool
    remedies: frozenset[str] = NONE
    reasons: tuple[str, ...] = ()
    max_age: float | None = None

    def __bool__(self) -> NoReturn:
        raise TypeError("ask whether a decision is .allowed: as a tuple it would always be true")

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes of which a token could make use, in order."""
        return tuple(sorted(each.removeprefix(SCOPE) for each in self.remedies if each.startswith(SCOPE)))

    @property
    def reason(self) -> str:
        """All reasons as one phrase, for logs."""
        return f"needs {', '.join(self.reasons)}" if self.reasons else ""


ALLOWED = Decision(True)


def all_denied(one: Decision, other: Decision) -> Decision:
    """Two refusals that both have to be overcome: where one of them cannot be, nothing helps."""
    remedies = one.remedies | other.remedies if one.remedies and other.remedies else NONE
    return _refusal(one, other, remedies)


def each_denied(one: Decision, other: Decision) -> Decision:
    """Two refusals of which it is enough to overcome one."""
    return _refusal(one, other, one.remedies | other.remedies)


def _refusal(one: Decision, other: Decision, remedies: frozenset[str]) -> Decision:
    reasons = (*one.reasons, *(each for each in other.reasons if each not in one.reasons))
    ages = [each for each in (one.max_age, other.max_age) if each is not None]
    return Decision(False, remedies, reasons, min(ages) if ages and FRESH in remedies else None)
