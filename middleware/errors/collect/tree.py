"""The exceptions that belong to a failure: causes, contexts and members of groups, as a flat list with parents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType, TracebackType

from ..record import Relation

# Nobody reads so many, and whoever raises more must not keep the request waiting.
_MOST_VISITED = 20_000


@dataclass(frozen=True, slots=True)
class Branch:
    """One exception and how it belongs to its parent; ``omitted_members`` of a group are not in the list."""

    error: BaseException
    parent: int | None = None
    relation: Relation = "raised"
    suppressed: bool = False
    omitted_members: int = 0


def branches_of(error: BaseException, most: int) -> tuple[list[Branch], int]:
    """All exceptions below ``error``, parents before children, and how many were left out.

    Each exception stands in the list once, so circles end. Of more than ``most`` those stay that lie nearest to
    either end of the way from ``error`` to the root cause; whose parent was left out is given to the next one above.
    """
    found, unseen = _all(error)
    if len(found) <= most:
        return found, sum(unseen.values())
    kept = _chosen(found, most)
    places: dict[int, int] = {}  # from the old index to that of the branch, or of the nearest one above that stays
    branches: list[Branch] = []
    omitted: dict[int, int] = {}
    for index, branch in enumerate(found):
        above = None if branch.parent is None else places[branch.parent]
        if index in kept:
            places[index] = len(branches)
            omitted[len(branches)] = unseen.get(index, 0)
            branches.append(Branch(branch.error, above, branch.relation, branch.suppressed))
        elif above is not None:
            places[index] = above
            if branch.relation == "member" and branch.parent in kept:
                omitted[above] += 1
    counted = [
        Branch(each.error, each.parent, each.relation, each.suppressed, omitted[index])
        for index, each in enumerate(branches)
    ]
    return counted, len(found) - len(counted) + sum(unseen.values())


def members_of(error: BaseException) -> tuple[BaseException, ...]:
    """The members of a group, read where a subclass cannot interfere; empty for others."""
    if not issubclass(type(error), BaseExceptionGroup):
        return ()
    members: tuple[BaseException, ...] = BaseExceptionGroup.__dict__["exceptions"].__get__(error)
    return members


def _all(error: BaseException) -> tuple[list[Branch], dict[int, int]]:
    found: list[Branch] = []
    unseen: dict[int, int] = {}  # members of the group at this index that were not even visited
    seen: set[int] = set()
    waiting = [Branch(error)]
    while waiting:
        branch = waiting.pop()
        if id(branch.error) in seen:
            continue
        seen.add(id(branch.error))
        index = len(found)
        found.append(branch)
        members = members_of(branch.error)
        room = max(_MOST_VISITED - len(found) - len(waiting), 0)
        if len(members) > room:
            unseen[index] = len(members) - room
        following = [Branch(each, index, "member") for each in members[:room]]
        if room:
            following[:0] = _before(branch.error, index)
        waiting += reversed(following)
    # What was left out of a group is part of the record of that group.
    for index, count in unseen.items():
        branch = found[index]
        found[index] = Branch(branch.error, branch.parent, branch.relation, branch.suppressed, count)
    return found, unseen


def _before(error: BaseException, index: int) -> Iterator[Branch]:
    slots = BaseException.__dict__  # a subclass may have properties of these names
    cause = slots["__cause__"].__get__(error)
    context = slots["__context__"].__get__(error)
    if cause is not None:
        yield Branch(cause, index, "cause")
    if context is not None and context is not cause:
        hidden = bool(slots["__suppress_context__"].__get__(error)) or _came_before(error, context)
        yield Branch(context, index, "context", hidden)


def _came_before(error: BaseException, context: BaseException) -> bool:
    """Whether ``error`` was there before its context, and was raised once more while that was handled.

    Frameworks do that where they find no handler of an error. A frame that has caught the error then stands in the
    traceback twice: from where it raised it again, and, further in, from the first time.
    """
    caught, steps = _steps(context)[:1], _steps(error)
    if not caught:
        return False
    handler, position = caught[0]
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for index, (frame, _) in enumerate(steps):
        first.setdefault(id(frame), index)
        last[id(frame)] = index
    if id(handler) not in last:
        return False
    here = last[id(handler)]
    if first[id(handler)] < here:
        return steps[here][1] < position
    return any(first[frame] < here < last[frame] for frame in last)


def _steps(error: BaseException) -> list[tuple[FrameType, int]]:
    """The frames of a traceback, from the one that has caught it inwards, and how far each had come."""
    steps = []
    step: TracebackType | None = BaseException.__dict__["__traceback__"].__get__(error)
    while step is not None:
        steps.append((step.tb_frame, step.tb_lasti))
        step = step.tb_next
    return steps


def _chosen(found: list[Branch], most: int) -> set[int]:
    children: dict[int, list[int]] = {}
    depths = [0] * len(found)
    for index, branch in enumerate(found):
        if branch.parent is not None:
            children.setdefault(branch.parent, []).append(index)
            depths[index] = depths[branch.parent] + 1
    line = [0]
    while following := [each for each in children.get(line[-1], ()) if _leads_on(found, each, children[line[-1]])]:
        line.append(following[0])
    kept = {*line[: most // 2], *line[-max(most // 4, 1) :]}
    for index in sorted(range(len(found)), key=depths.__getitem__):
        if len(kept) >= most:
            break
        kept.add(index)
    return kept


def _leads_on(found: list[Branch], index: int, siblings: list[int]) -> bool:
    branch = found[index]
    if branch.relation == "member":
        return len(siblings) == 1
    return not branch.suppressed
