"""One exception of the tree, with all that is known of it, becomes plain data."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import thread_time
from types import CodeType

from ..record import Frame, Raised, Span
from .distributions import Distribution, installed
from .expressions import expressions_of
from .folding import fold
from .markers import decorators_among, hidden_among, until_stopped
from .messages import attributes_of, message_of, notes_of
from .ownership import Ownership
from .settings import Collecting
from .source import Source, source_of, source_of_text
from .span import shown_span, span_of
from .statements import Block, block_of, extent
from .steps import Step, steps_of
from .suggestions import suggestions_of
from .supplements import decorated, info_of, supplement_of
from .syntax import place_of_syntax
from .templates import Place, place_of, place_told_by
from .texts import clean_line
from .tree import Branch
from .values import Budget
from .variables import variables_of
from .wording import module_of, readable, type_name

_MOST_NAME = 300
_MOST_PATH = 1000
# Of all exceptions together; the frames that matter are looked at first.
_MOST_VARIABLES = 800
_SECONDS = 0.03  # of this thread on the processor, after which only the frames in focus are looked into
_EVALUATED = 6  # frames of an exception whose expressions are evaluated


@dataclass(slots=True)
class _Spot:
    """A frame that stays, and where it stands in its source."""

    frame: Frame
    step: Step | None = None
    statement: ast.stmt | None = None
    text: str = ""  # of the statement
    place: Place | None = None


class Survey:
    """Collects the exceptions of one record."""

    def __init__(self, settings: Collecting, budget: Budget) -> None:
        self._settings = settings
        self._budget = budget
        self._ownership = Ownership(settings)
        self._blocks: dict[int, Block | None] = {}  # by the id of code that frames keep alive meanwhile
        self._room = _MOST_VARIABLES
        self._until = thread_time() + _SECONDS
        self._distributions: dict[str, Distribution] = {}

    @property
    def distributions(self) -> list[Distribution]:
        """Those that the frames so far belong to."""
        return list(self._distributions.values())

    def raised(self, branch: Branch, most_frames: int) -> Raised:
        """An exception and its frames."""
        error = branch.error
        steps = until_stopped(steps_of(error.__traceback__))
        spots, raised = self._frames(steps, most_frames, self._told(error))
        failing = [spot.text for spot in spots if spot.step is not None][-1:]
        raised = replace(
            raised,
            type=type_name(type(error)),
            message=message_of(error, self._budget),
            parent=branch.parent,
            relation=branch.relation,
            suppressed=branch.suppressed,
            group=issubclass(type(error), BaseExceptionGroup),
            notes=notes_of(error, self._budget),
            attributes=attributes_of(error, self._budget),
            suggestions=suggestions_of(error, steps, "".join(failing), self._budget),
            omitted_members=branch.omitted_members,
        )
        for decorator in decorators_among(steps):
            raised = decorated(raised, decorator, self._budget)
        return raised

    def running(self, steps: list[Step], kind: str, message: str) -> Raised:
        """A thread that is running, in the form of an exception."""
        _, raised = self._frames(steps, self._settings.most_frames, None)
        return replace(raised, type=kind, message=readable(message, self._settings.most_message))

    def _frames(self, steps: list[Step], most: int, told: _Spot | None) -> tuple[list[_Spot], Raised]:
        hidden = hidden_among(steps)
        folding = fold(
            [(id(step.frame.f_code), step.line) for step in steps],
            most,
            lambda index: not hidden[index] and self._is_own(steps[index]),
        )
        spots = [self._spot(steps, index, hidden[index]) for index in folding.kept]
        if told is not None:
            # Django tells of a tag that has called the functions after it; the others of what nobody could call.
            last = len(spots)
            if told.frame.language == "django":
                inside = (index for index, spot in enumerate(spots) if spot.frame.module.startswith("django.template."))
                last = max(inside, default=last - 1) + 1
            spots.insert(last, told)
        folds, gaps = folding.folds, folding.gaps
        if told is not None and last < len(spots) - 1:
            folds = tuple(replace(each, after=each.after + 1) if each.after >= last else each for each in folds)
            gaps = tuple(replace(each, after=each.after + 1) if each.after >= last else each for each in gaps)
        focus = _focus([spot.frame for spot in spots])
        self._look_into(spots, focus)
        return spots, Raised(
            type="",
            message="",
            frames=tuple(spot.frame for spot in spots),
            folds=folds,
            gaps=gaps,
            focus=focus,
            omitted_frames=folding.omitted,
        )

    def _is_own(self, step: Step) -> bool:
        return self._ownership.of(step.frame.f_code.co_filename, module_of(step.frame)).own

    def _spot(self, steps: Sequence[Step], index: int, hidden: bool) -> _Spot:
        step = steps[index]
        code = step.frame.f_code
        module = module_of(step.frame)
        place = place_of(steps, index)
        if place is not None:
            spot = self._template(place, hidden=hidden, module=module)
            return replace(spot, step=step)
        source = source_of(code.co_filename, step.frame.f_globals)
        owner = self._ownership.of(code.co_filename, module)
        distribution = None if owner.own else installed(code.co_filename)
        if distribution is not None:
            self._distributions[distribution.name] = distribution
        block = self._block(code)
        span = span_of(code, step.instruction, source)
        frame = Frame(
            path=clean_line(code.co_filename, _MOST_PATH),
            file=owner.file,
            module=module,
            function=clean_line(code.co_qualname, _MOST_NAME),
            line=step.line,
            block=block,
            own=owner.own,
            package=owner.package,
            hidden=hidden,
        )
        statement = source.statements.at(step.line, block, whole=owner.own)
        first, last = source.statements.around(
            step.line, self._settings.context, block, whole=owner.own, end=span.end_line if span else 0
        )
        begin, end = (step.line, step.line) if statement is None else extent(statement)
        text = "\n".join(source.lines[begin - 1 : min(end, begin + 50)])
        return _Spot(self._with_source(frame, source, first, last, span), step, statement, text)

    def _block(self, code: CodeType) -> Block | None:
        if id(code) not in self._blocks:
            self._blocks[id(code)] = block_of(code)
        return self._blocks[id(code)]

    def _with_source(self, frame: Frame, source: Source, first: int, last: int, span: Span | None) -> Frame:
        secrets: list[str] = []
        lines = source.window(first, last, secrets)
        self._budget.known.add_all(secrets)
        return replace(frame, lines=lines, span=shown_span(span, source, lines))

    def _template(self, place: Place, *, hidden: bool = False, module: str = "") -> _Spot:
        """A frame of a template. One that is no file was made by the project."""
        source = source_of(place.path, {}) if place.text is None else source_of_text(place.text, python=False)
        owner = self._ownership.of(place.path, "")
        frame = Frame(
            path=clean_line(place.path, _MOST_PATH),
            file=owner.file,
            module=module,
            function=clean_line(place.function, _MOST_NAME),
            line=place.line,
            own=owner.own or not owner.package,
            package=owner.package,
            hidden=hidden,
            language=place.language,
        )
        span = None
        text = source.text(place.line)
        if place.column is not None and place.column < len(text):
            end = min(place.column + max(place.length, 1), len(text))
            span = Span(line=place.line, column=place.column, end_line=place.line, end_column=end)
        context = self._settings.context
        frame = self._with_source(frame, source, place.line - context, place.line + context, span)
        return _Spot(frame, text=text, place=place)

    def _told(self, error: BaseException) -> _Spot | None:
        """The place that an exception itself tells of: of a syntax error, or in a template."""
        place = place_told_by(error)
        if place is not None:
            return self._template(place)
        syntax = place_of_syntax(error)
        if syntax is None:
            return None
        path, line, source, span = syntax
        owner = self._ownership.of(path, "")
        frame = Frame(
            path=clean_line(path, _MOST_PATH),
            file=owner.file,
            line=line,
            own=owner.own,
            package=owner.package,
            language="syntax",
        )
        context = self._settings.context
        return _Spot(self._with_source(frame, source, line - context, line + context, span))

    def _look_into(self, spots: list[_Spot], focus: int | None) -> None:
        """Variables and what frames tell of themselves, for the frames that matter first."""

        def rank(index: int) -> tuple[bool, bool, bool, int]:
            frame = spots[index].frame
            return index != focus, frame.hidden, not frame.own, -index

        for position, index in enumerate(sorted(range(len(spots)), key=rank)):
            spot = spots[index]
            if spot.step is None:
                continue
            running = spot.step.frame
            info = info_of(running, self._budget)
            frame = replace(
                spot.frame,
                info=(info,) if info else (),
                supplement=supplement_of(running, self._budget),
            )
            if self._settings.variables and (index == focus or thread_time() < self._until):
                most = min(self._settings.most_variables, max(self._room, 0))
                names = None if spot.place is None else spot.place.variables or {}
                shown, omitted = variables_of(running, spot.text, most, self._budget, names=names)
                self._room -= len(shown)
                frame = replace(frame, variables=shown, omitted_variables=omitted)
                if spot.place is None and position < _EVALUATED:
                    frame = replace(frame, expressions=expressions_of(running, spot.statement, self._budget))
            spot.frame = frame


def _focus(frames: Sequence[Frame]) -> int | None:
    """The frame that matters most: the place of a syntax error, or the last of the project's own; else the last."""
    if not frames:
        return None
    if frames[-1].language == "syntax":
        return len(frames) - 1
    visible = [index for index, frame in enumerate(frames) if not frame.hidden]
    return next((index for index in reversed(visible) if frames[index].own), visible[-1] if visible else -1)
