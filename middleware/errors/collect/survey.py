"""One exception of the tree, with all that is known of it, becomes plain data."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from time import thread_time
from types import CodeType, FrameType
from typing import Any

from ..record import Frame, Line, Raised, Span
from .distributions import Distribution, installed
from .expressions import evaluator_class, expressions_of
from .folding import fold
from .markers import decorators_among, hidden_among, until_stopped
from .messages import attributes_of, message_of, notes_of
from .ownership import Ownership
from .settings import Collecting
from .source import Source, source_of, source_of_text
from .span import position_of, shown_span, span_of
from .statements import Block, block_of, extent
from .steps import Step, steps_of
from .suggestions import none_among, suggestions_of
from .supplements import decorated, info_of, supplement_of
from .syntax import place_of_syntax
from .templates import Place, place_of, place_told_by
from .texts import clean_line
from .tree import Branch
from .values import Budget
from .variables import variables_of
from .wording import locals_of, module_of, readable, type_name

_MOST_NAME = 300
_MOST_PATH = 1000
_MOST_STATEMENT = 50  # lines in which names are looked for
# Of all exceptions together; the frames that matter are looked at first.
_MOST_VARIABLES = 800
_SECONDS = 0.015  # on the processor, for all variables; then only the frames in focus are looked into
_MOST_LEARNED = 100  # frames at either end of a traceback whose secrets are learned
_EVALUATED = 6  # frames of an exception whose expressions are evaluated


@dataclass(frozen=True, slots=True)
class _Stand:
    """Where a frame stands in its source: the same for all that run this instruction."""

    frame: Frame
    statement: ast.stmt | None = None
    text: str = ""  # of the statement
    place: Place | None = None


@dataclass(slots=True)
class _Spot:
    """A frame that stays, and what was found out about it."""

    stand: _Stand
    step: Step | None = None
    found: dict[str, Any] = field(default_factory=dict)  # fields of the frame in which it differs from its stand

    @property
    def hidden(self) -> bool:
        return self.stand.frame.hidden or "hidden" in self.found

    def frame(self) -> Frame:
        """The frame with all that was found."""
        return replace(self.stand.frame, **self.found) if self.found else self.stand.frame


class Survey:
    """Collects the exceptions of one record."""

    def __init__(self, settings: Collecting, budget: Budget) -> None:
        self._settings = settings
        self._budget = budget
        self._ownership = Ownership(settings)
        # By the id of code, which the frames keep alive meanwhile.
        self._stands: dict[tuple[int, int, int], _Stand] = {}
        self._blocks: dict[int, Block | None] = {}
        self._learned: set[int] = set()  # ids of frames
        self._looked: dict[tuple[int, int, int, bool], dict[str, Any]] = {}
        self._room = _MOST_VARIABLES
        self._left = _SECONDS
        if settings.variables:
            evaluator_class()  # so that loading it is not taken for the time that variables take
        self._distributions: dict[str, Distribution] = {}
        self.live: dict[int, list[FrameType | None]] = {}
        """The frames behind those of each exception, by the id of that; None where a place is none of a frame."""

    @property
    def distributions(self) -> list[Distribution]:
        """Those that the frames so far belong to."""
        return list(self._distributions.values())

    def raised(self, branch: Branch, most_frames: int) -> Raised:
        """An exception and its frames."""
        error = branch.error
        steps = until_stopped(steps_of(error))
        self._learn(steps)
        spots, route = self._frames(steps, most_frames, self._told(error))
        self.live[id(error)] = [None if spot.step is None else spot.step.frame for spot in spots]
        message = message_of(error, self._budget)
        statement = ""
        known: tuple[str, ...] = ()
        if spots and spots[-1].step is not None:
            statement = spots[-1].stand.text
            known = none_among(message, route["frames"][-1], statement)
        raised = Raised(
            type=type_name(type(error)),
            message=message,
            parent=branch.parent,
            relation=branch.relation,
            suppressed=branch.suppressed,
            group=issubclass(type(error), BaseExceptionGroup),
            notes=notes_of(error, self._budget),
            attributes=attributes_of(error, self._budget),
            suggestions=known + (suggestions_of(error, steps, statement, self._budget) if self._left > 0 else ()),
            omitted_members=branch.omitted_members,
            **route,
        )
        for decorator in decorators_among(steps):
            raised = decorated(raised, decorator, self._budget)
        return raised

    def _learn(self, steps: Sequence[Step]) -> None:
        """Learn the secrets of all frames: what is not shown of one may be quoted by another, or by the message."""
        for step in (*steps[-_MOST_LEARNED:], *steps[: max(len(steps) - _MOST_LEARNED, 0)][:_MOST_LEARNED]):
            if id(step.frame) not in self._learned:
                self._learned.add(id(step.frame))
                self._budget.known.learn_variables(locals_of(step.frame))

    def running(self, steps: list[Step], kind: str, message: str) -> Raised:
        """A thread that is running, in the form of an exception."""
        self._learn(steps)
        _, route = self._frames(steps, self._settings.most_frames, None)
        return Raised(type=kind, message=readable(message, self._settings.most_message), **route)

    def _frames(self, steps: list[Step], most: int, told: _Stand | None) -> tuple[list[_Spot], dict[str, Any]]:
        """The frames that stay, and what a record says of them."""
        hidden = hidden_among(steps)
        folding = fold(
            [(id(step.frame.f_code), step.line) for step in steps],
            most,
            lambda index: not hidden[index] and self._is_own(steps[index]),
        )
        spots = [_Spot(self._stand(steps, index), steps[index]) for index in folding.kept]
        for spot, index in zip(spots, folding.kept, strict=True):
            if hidden[index]:
                spot.found["hidden"] = True
        folds, gaps = folding.folds, folding.gaps
        if told is not None:
            last = _place_for(told, spots)
            spots.insert(last, _Spot(told))
            # What is said of places behind it moves on.
            folds = tuple(replace(each, after=each.after + 1) if each.after >= last else each for each in folds)
            gaps = tuple(replace(each, after=each.after + 1) if each.after >= last else each for each in gaps)
        focus = _focus(spots)
        self._look_into(spots, focus)
        return spots, {
            "frames": tuple(spot.frame() for spot in spots),
            "folds": folds,
            "gaps": gaps,
            "focus": focus,
            "omitted_frames": folding.omitted,
        }

    def _is_own(self, step: Step) -> bool:
        return self._ownership.of(step.frame.f_code.co_filename, module_of(step.frame)).own

    def _stand(self, steps: Sequence[Step], index: int) -> _Stand:
        step = steps[index]
        code = step.frame.f_code
        # Two modules may share code; then they share its file, too.
        key = (id(code), step.line, step.instruction)
        if key not in self._stands:
            place = place_of(steps, index)
            if place is not None:  # its line depends on more than the instruction
                return self._template(place, module_of(step.frame))
            self._stands[key] = self._python(step, code)
        return self._stands[key]

    def _python(self, step: Step, code: CodeType) -> _Stand:
        module = module_of(step.frame)
        source = source_of(code.co_filename, step.frame.f_globals)
        owner = self._ownership.of(code.co_filename, module)
        distribution = None if owner.own else installed(code.co_filename)
        if distribution is not None:
            self._distributions[distribution.name] = distribution
        block = self._block(code)
        position = position_of(code, step.instruction)
        span = span_of(position, source)
        column = position[1] if position is not None and position[0] == step.line else None
        statement = source.statements.at(step.line, column, block, whole=owner.own)
        first, last = source.statements.around(
            step.line, self._settings.context, block, whole=owner.own, end=span.end_line if span else 0
        )
        lines = self._window(source, first, last)
        begin, end = (step.line, step.line) if statement is None else extent(statement)
        text = "\n".join(source.lines[begin - 1 : min(end, begin + _MOST_STATEMENT)])
        frame = Frame(
            path=clean_line(code.co_filename, _MOST_PATH),
            file=owner.file,
            module=module,
            function=clean_line(code.co_qualname, _MOST_NAME),
            line=step.line,
            lines=lines,
            span=shown_span(span, source, lines),
            block=block,
            own=owner.own,
            package=owner.package,
        )
        return _Stand(frame, statement, text)

    def _block(self, code: CodeType) -> Block | None:
        if id(code) not in self._blocks:
            self._blocks[id(code)] = block_of(code)
        return self._blocks[id(code)]

    def _window(self, source: Source, first: int, last: int) -> tuple[Line, ...]:
        secrets: list[str] = []
        lines = source.window(first, last, secrets)
        self._budget.known.add_all(secrets)
        return lines

    def _template(self, place: Place, module: str = "") -> _Stand:
        """A frame of a template. One that is no file was made by the project."""
        source = source_of(place.path, {}) if place.text is None else source_of_text(place.text)
        owner = self._ownership.of(place.path, "")
        text = source.text(place.line)
        span = None
        if place.column is not None and place.column < len(text):
            end = min(place.column + max(place.length, 1), len(text))
            span = Span(line=place.line, column=place.column, end_line=place.line, end_column=end)
        lines = self._window(source, place.line - self._settings.context, place.line + self._settings.context)
        frame = Frame(
            path=clean_line(place.path, _MOST_PATH),
            file=owner.file,
            module=module,
            function=clean_line(place.function, _MOST_NAME),
            line=place.line,
            lines=lines,
            span=shown_span(span, source, lines),
            own=owner.own or not owner.package,
            package=owner.package,
            hidden=place.hidden,
            language=place.language,
        )
        return _Stand(frame, text=text, place=place)

    def _told(self, error: BaseException) -> _Stand | None:
        """The place that an exception itself tells of: of a syntax error, or in a template."""
        place = place_told_by(error)
        if place is not None:
            return self._template(place)
        syntax = place_of_syntax(error)
        if syntax is None:
            return None
        path, line, source, span = syntax
        owner = self._ownership.of(path, "")
        lines = self._window(source, line - self._settings.context, line + self._settings.context)
        frame = Frame(
            path=clean_line(path, _MOST_PATH),
            file=owner.file,
            line=line,
            lines=lines,
            span=shown_span(span, source, lines),
            own=owner.own,
            package=owner.package,
            language="syntax",
        )
        return _Stand(frame)

    def _look_into(self, spots: list[_Spot], focus: int | None) -> None:
        """Variables and what frames tell of themselves, for the frames that matter first."""

        def rank(index: int) -> tuple[bool, bool, bool, int]:
            return index != focus, spots[index].hidden, not spots[index].stand.frame.own, -index

        began = thread_time()
        for position, index in enumerate(sorted(range(len(spots)), key=rank)):
            spot = spots[index]
            if spot.step is None:
                continue
            running, found = spot.step.frame, spot.found
            if info := info_of(running, self._budget):
                found["info"] = (info,)
            if supplement := supplement_of(running, self._budget):
                found["supplement"] = supplement
            if self._settings.variables and (index == focus or thread_time() - began < self._left):
                values = self._values(running, spot.stand, position < _EVALUATED)
                self._room -= len(values["variables"])
                found |= values
        self._left -= thread_time() - began

    def _values(self, running: FrameType, stand: _Stand, evaluates: bool) -> dict[str, Any]:
        """The variables of a frame, and the values of the parts of its statement."""
        most = min(self._settings.most_variables, max(self._room, 0))
        # Members of a group, causes and contexts mostly come out of one frame, whose variables are what they are now.
        key = (id(running), id(stand), most, evaluates)
        if key in self._looked:
            return self._looked[key]
        names = None if stand.place is None else stand.place.variables or {}
        shown, omitted = variables_of(running, stand.text, most, self._budget, names=names)
        values: dict[str, Any] = {"variables": shown, "omitted_variables": omitted}
        if stand.place is not None:  # whose stand is its own, and may be gone before its id is
            return values
        if evaluates:
            values["expressions"] = expressions_of(running, stand.statement, self._budget)
        self._looked[key] = values
        return values


def _place_for(told: _Stand, spots: list[_Spot]) -> int:
    """Where a place that the exception tells of belongs among the frames.

    Django tells of a tag, and what that has called comes after it. The others tell of what nobody could run.
    """
    if told.frame.language != "django":
        return len(spots)
    inside = [index for index, spot in enumerate(spots) if spot.stand.frame.module.startswith("django.template.")]
    return inside[-1] + 1 if inside else len(spots)


def _focus(spots: Sequence[_Spot]) -> int | None:
    """The frame that matters most: the place of a syntax error, or the last of the project's own; else the last."""
    if not spots:
        return None
    if spots[-1].stand.frame.language == "syntax":
        return len(spots) - 1
    visible = [index for index, spot in enumerate(spots) if not spot.hidden]
    own = [index for index in visible if spots[index].stand.frame.own]
    return (own or visible or [len(spots) - 1])[-1]
