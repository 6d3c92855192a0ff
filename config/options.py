"""Options, declared once.

One typed field of a component is the Python keyword, the INI key, the row of the reference page and the
line in its repr::

    @component
    class Compress:
        app: WSGIApp = field(kw_only=False)
        level: int = option(default=6, doc="How hard to compress.", check=between(1, 9))

Text becomes a value elsewhere (``config/factories.py``); here the value is only checked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, TypeVar, dataclass_transform, get_type_hints, overload

from .records import MISSING, field, fields_of, frozen, record

T = TypeVar("T")

Check = Callable[[Any], str | None]
"""Says what is wrong with a value, as a phrase that completes "level: …", or None."""

_KEY = "wheatpaste.option"
_CACHE = "__wheatpaste_options__"
_ORDER = "__wheatpaste_order__"


class OptionError(ValueError):
    """A value that an option does not allow, given from Python. Factories turn it into a ``ConfigError``.

    ``part`` names the section in which the option stands, where it belongs to that of the component (``parts.py``).
    """

    def __init__(self, component: str, option: str | None, what: str, *, part: str | None = None) -> None:
        self.component, self.option, self.what, self.part = component, option, what, part
        super().__init__(": ".join(part for part in (component, option, what) if part))


class Option(NamedTuple):
    """One declared option of a component; its name and type are those of its field."""

    name: str
    kind: Any
    default: Any
    required: bool
    doc: str
    check: Check | None
    parse: Callable[[str], Any] | None
    secret: bool
    inherits: bool
    sample: str | None

    def complaint(self, value: Any) -> str | None:
        """What is wrong with ``value``, or None."""
        if self.check is None or (value is None and self.default is None):
            return None
        return self.check(value)


def option(
    *,
    default: Any = MISSING,
    doc: str,
    check: Check | None = None,
    parse: Callable[[str], Any] | None = None,
    secret: bool = False,
    inherits: bool = False,
    sample: str | None = None,
) -> Any:
    """Declare an option of a component.

    Without ``default`` it is required. ``doc`` is one sentence for the deployer: what changes if I change this.
    ``check`` says what is wrong with a value; ``parse`` reads the text of an INI where the type does not say
    how (it raises ``ValueError`` with a phrase). A ``secret`` never appears in messages, logs and reprs, and can also
    be given as ``NAME_file`` or ``NAME_env``. ``inherits``: where the section is silent, the key of ``[DEFAULT]``
    counts. ``sample`` is the text shown in sample sections.
    """
    told = Option(
        name="",
        kind=None,
        default=None if default is MISSING else default,
        required=default is MISSING,
        doc=doc,
        check=check,
        parse=parse,
        secret=secret,
        inherits=inherits,
        sample=sample,
    )
    return field(default=default, metadata={_KEY: told}, repr=not secret)


@record
class Order:
    """The filters of ours that must come to a request before, and those that must come after."""

    after: frozenset[str] = frozenset()
    before: frozenset[str] = frozenset()


_NO_ORDER = Order()


@overload
@dataclass_transform(frozen_default=True, kw_only_default=True, eq_default=False, field_specifiers=(option, field))
def component(cls: type[T], /) -> type[T]: ...


@overload
@dataclass_transform(frozen_default=True, kw_only_default=True, eq_default=False, field_specifiers=(option, field))
def component(*, after: Collection[str] = (), before: Collection[str] = ()) -> Callable[[type[T]], type[T]]: ...


def component(
    cls: type[T] | None = None, /, *, after: Collection[str] = (), before: Collection[str] = ()
) -> type[T] | Callable[[type[T]], type[T]]:
    """Make a class a component: a frozen dataclass with keyword-only options that are checked when it is made.

    Raises ``OptionError`` at construction when a value fails its check. The class's own ``__post_init__`` runs after
    the checks, for rules that join several options.

    ``after`` names filters of ours that must stand outside of this one where both are around an app, and ``before``
    those that must stand inside; a check says where it is otherwise. A method ``problems(stack)`` tells a check what
    is wrong with the section where it stands, see ``config/surroundings.py``.
    """
    if cls is None:
        order = Order(frozenset(after), frozenset(before))

        def declare(cls: type[T]) -> type[T]:
            setattr(cls, _ORDER, order)
            return component(cls)

        return declare
    own = cls.__dict__.get("__post_init__")

    def __post_init__(self: Any) -> None:
        for each in options_of(made):
            complaint = each.complaint(getattr(self, each.name))
            if complaint is not None:
                shown = "" if each.secret else f", got {getattr(self, each.name)!r}"
                raise OptionError(cls.__name__, each.name, f"{complaint}{shown}")
        if own is not None:
            own(self)

    cls.__post_init__ = __post_init__  # type: ignore[attr-defined]
    made = frozen(cls, kw_only=True)
    return made


def order_of(cls: type) -> Order:
    """Where a filter must stand, as far as it says so."""
    order: Order = getattr(cls, _ORDER, _NO_ORDER)
    return order


def has_rules(cls: type) -> bool:
    """Whether a check has more to ask of a component than its options."""
    return hasattr(cls, "problems") or hasattr(cls, _ORDER)


def parsed(cls: type[T], values: Mapping[str, Any]) -> T:
    """An instance with what was read for it alone: no app is around, and no ``__post_init__`` has run."""
    made = object.__new__(cls)
    for name, value in {**{each.name: each.default for each in options_of(cls)}, **values}.items():
        object.__setattr__(made, name, value)
    return made


def options_of(cls: type) -> tuple[Option, ...]:
    """The declared options of a component, in the order of their declaration."""
    cached: tuple[Option, ...] | None = cls.__dict__.get(_CACHE)
    if cached is not None:
        return cached
    declared = [each for each in fields_of(cls) if _KEY in each.metadata]
    hints = _hints(cls, {each.name for each in declared})
    options = tuple(each.metadata[_KEY]._replace(name=each.name, kind=hints[each.name]) for each in declared)
    setattr(cls, _CACHE, options)
    return options


def _hints(cls: type, names: set[str]) -> dict[str, Any]:
    """What ``get_type_hints`` finds for these fields; all texts are compiled together, and each of them once."""
    hints: dict[str, Any] = {}
    for each in reversed(cls.__mro__):
        written = {name: text for name, text in getattr(each, "__annotations__", {}).items() if name in names}
        if not all(isinstance(text, str) for text in written.values()):
            return get_type_hints(cls, include_extras=True)
        if written:
            texts = list(dict.fromkeys(written.values()))
            known = getattr(sys.modules.get(each.__module__), "__dict__", {})
            types = eval(f"[{', '.join(texts)}]", {**known, **vars(each)})
            hints.update(zip(written, map(dict(zip(texts, types, strict=True)).get, written.values()), strict=True))
    return hints


def between(low: float, high: float) -> Check:
    """Check that a number is between two others, both allowed."""
    return lambda value: None if low <= value <= high else f"must be between {low} and {high}"


def at_least(low: float) -> Check:
    """Check that a number is not below another."""
    return lambda value: None if value >= low else f"must be at least {low}"


def above(low: float) -> Check:
    """Check that a number is greater than another."""
    return lambda value: None if value > low else f"must be more than {low}"


def not_empty(value: Any) -> str | None:
    """Check that a text or list holds something."""
    return None if value else "must not be empty"


def readable(read: Callable[[Any], object]) -> Check:
    """Check that ``read`` takes a value: what its ``ValueError`` says is wrong with it."""

    def check_readable(value: Any) -> str | None:
        try:
            read(value)
        except ValueError as error:
            return str(error)
        return None

    return check_readable


def each(check: Check) -> Check:
    """Check every item of a list."""

    def check_each(values: Any) -> str | None:
        for value in values:
            complaint = check(value)
            if complaint is not None:
                return f"{value!r} {complaint}"
        return None

    return check_each
