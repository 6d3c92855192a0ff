"""What an exception says: its message, its notes and its attributes, whatever its class does."""

from __future__ import annotations

import sys
from types import WrapperDescriptorType
from typing import Any

from ..record import Shown
from .classes import attributes, find, instance_dict
from .readers import Unanswered
from .texts import clean_line
from .values import Budget, show
from .wording import readable

_MOST_NOTES = 20
_MOST_ATTRIBUTES = 30
_PLAIN = (str, int, float, bool, bytes, type(None))
# What exceptions of Python's own keep where ``vars`` does not find it.
_SLOTS: dict[type[BaseException], tuple[str, ...]] = {
    OSError: ("errno", "strerror", "filename", "filename2"),
    UnicodeDecodeError: ("encoding", "object", "start", "end", "reason"),
    UnicodeEncodeError: ("encoding", "object", "start", "end", "reason"),
    UnicodeTranslateError: ("object", "start", "end", "reason"),
    ImportError: ("name", "path"),
    NameError: ("name",),
    AttributeError: ("name", "obj"),
    StopIteration: ("value",),
    SystemExit: ("code",),
}
# Large, and shown as frames.
_ELSEWHERE = frozenset({"template_debug", "__notes__"})


def message_of(error: BaseException, budget: Budget) -> str:
    """The message without its secrets. Where ``__str__`` fails, that is said, and the arguments are shown."""
    text = _message(error, budget)
    found: list[str] = []
    shown = readable(text, budget.settings.most_message, found)
    budget.known.add_all(found)
    return shown


def notes_of(error: BaseException, budget: Budget) -> tuple[str, ...]:
    """The notes (PEP 678); what is no text there, although it should be, is shown as a value."""
    notes = (instance_dict(error) or {}).get("__notes__")
    if notes is None:
        return ()
    items = notes if type(notes) in (list, tuple) else (notes,)
    shown = []
    for each in items[:_MOST_NOTES]:
        found: list[str] = []
        text = str.__str__(each) if issubclass(type(each), str) else show("note", each, budget).text
        shown.append(readable(text, budget.settings.most_message, found))
        budget.known.add_all(found)
    if len(items) > _MOST_NOTES:
        shown.append(f"… and {len(items) - _MOST_NOTES} more notes")
    return tuple(shown)


def attributes_of(error: BaseException, budget: Budget) -> tuple[Shown, ...]:
    """What else the exception carries; for an import that failed, where modules were looked for."""
    kind = type(error)
    found: list[tuple[str, Any]] = []
    for each, names in _SLOTS.items():
        if issubclass(kind, each):
            slots = ((name, each.__dict__[name].__get__(error)) for name in names)
            found += [(name, value) for name, value in slots if value is not None]
    taken = {name for name, _ in found}
    found += [pair for pair in attributes(error) if pair[0] not in taken and pair[0] not in _ELSEWHERE]
    shown = [show(name, value, budget) for name, value in found[:_MOST_ATTRIBUTES]]
    if issubclass(kind, ImportError):
        text = "\n".join(clean_line(str(each), 500) for each in list(sys.path)[:100])
        shown.append(Shown(name="sys.path", text=readable(text, 8000), type="list"))
    return tuple(shown)


def arguments_of(error: BaseException) -> tuple[Any, ...]:
    """The arguments, read where a subclass cannot interfere."""
    arguments: tuple[Any, ...] = BaseException.__dict__["args"].__get__(error)
    return arguments


def slot_of(error: BaseException, kind: type[BaseException], name: str) -> Any:
    """A slot of a built-in exception, such as the ``name`` of a ``NameError``; None if it was not filled."""
    return kind.__dict__[name].__get__(error)


def _message(error: BaseException, budget: Budget) -> str:
    kind = type(error)
    method = find(kind, "__str__")
    arguments = arguments_of(error)
    if method is SyntaxError.__str__ and type(message := slot_of(error, SyntaxError, "msg")) is str:
        return message  # what ``str`` adds is file and line, which have a frame of their own
    if method is BaseException.__str__ or method is KeyError.__str__:
        return _as_arguments(arguments, budget, quoted=method is KeyError.__str__)
    # Those written in C write out their arguments; nothing of others runs if these are plain.
    if type(method) is WrapperDescriptorType and all(type(each) in _PLAIN for each in arguments):
        return str(error)
    if type(method) is WrapperDescriptorType and issubclass(kind, BaseExceptionGroup):
        return str(error)
    original = find(kind, "_original__str__") if "chameleon" in sys.modules else None
    try:
        # Chameleon appends the variables of the template, which are in its frame.
        return budget.reader.ask(lambda: original() if original is not None else str(error))
    except Unanswered as reason:
        said = str(reason).replace("its repr", "its __str__")
        return f"<{said}> {_as_arguments(arguments, budget, quoted=True)}".rstrip()


def _as_arguments(arguments: tuple[Any, ...], budget: Budget, *, quoted: bool) -> str:
    """As Python writes them out, but bounded."""
    if not arguments:
        return ""
    if len(arguments) > 1:
        return show("arguments", arguments, budget).text
    (only,) = arguments
    if issubclass(type(only), str) and not quoted:
        return str.__str__(only)
    return show("argument", only, budget).text
