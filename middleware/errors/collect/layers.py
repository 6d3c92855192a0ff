"""Which filters and apps a call went through, by the frames that were given an environ and a ``start_response``."""

from __future__ import annotations

from collections.abc import Iterable
from types import FrameType

from .texts import clean_line
from .wording import module_of, type_name

_MOST = 60
_MOST_FRAMES = 400
_ENVIRONS = frozenset({"environ", "env", "wsgi_environ"})
_STARTS = frozenset({"start_response", "start", "sr", "startResponse"})
_OURS = __name__.rpartition(".collect.")[0] + "."


def layers_of(error: BaseException) -> tuple[str, ...]:
    """The layers from the outermost to the app that failed, as ``module.Class`` or ``module.function``.

    The server's own frames, and what catches the error here, are left out. Empty where an error came from a body: that
    is no longer below the calls that made it.
    """
    traceback = BaseException.__dict__["__traceback__"].__get__(error)
    if traceback is None:
        return ()
    frames: list[FrameType] = []
    outer = traceback.tb_frame.f_back
    while outer is not None and len(frames) < _MOST_FRAMES:
        frames.insert(0, outer)
        outer = outer.f_back
    step = traceback
    for _ in range(_MOST_FRAMES):
        if step is None:
            break
        frames.append(step.tb_frame)
        step = step.tb_next
    return layers_among(frames)


def layers_among(frames: Iterable[FrameType]) -> tuple[str, ...]:
    """The layers among these frames, which are in the order of their calls."""
    found: list[str] = []
    for frame in frames:
        name = _layer(frame)
        if name and (not found or found[-1] != name):
            found.append(name)
    return tuple(found[:_MOST])


def _layer(frame: FrameType) -> str:
    """The name of the layer whose call this is, or empty."""
    code = frame.f_code
    arguments = code.co_varnames[: code.co_argcount]
    if _ENVIRONS.isdisjoint(arguments) or _STARTS.isdisjoint(arguments):
        return ""
    module = module_of(frame)
    if module.startswith(_OURS):
        return ""
    first = arguments[0]
    if first == "self":
        owner = frame.f_locals.get("self")
        return type_name(type(owner))
    return clean_line(f"{module}.{code.co_qualname}", 200)
