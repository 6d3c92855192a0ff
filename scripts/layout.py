"""Where everything in the picture of a site goes: a table whose rows hang on wires, a panel around each composite.

There are no fonts to measure with, so widths are those of the widest common monospaced fonts: text may end early,
never late. The same plan always gives the same layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .lettering import shorten, width_of
from .plan import Entry, Group, Part, Plan
from .shapes import SIZES, Box, Label, Layout, Row, Wire

MARGIN = 28.0
ROW = 32.0
LINE = 26.0
"""The distance of two lines of filters within a row."""
STEP = 30.0
"""How much further right the mounts of a composite begin."""
FILTERS_WIDTH = 400.0
_LIMITS = {"label": 40, "app": 28, "filter": 24, "maker": 44, "place": 46, "address": 60}


def lay_out(plan: Plan) -> Layout:
    """Put a plan on paper."""
    return _Pen(plan).draw()


class _Bead(NamedTuple):
    part: Part
    text: str
    tail: str
    x: float
    width: float


class _Pen:
    """Draws from the top down; ``y`` is where the next row begins."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.layout = Layout()
        self.y = MARGIN
        self.numbers = {id(entry): number for number, entry in enumerate(plan.root.walk())}
        leaves = [(depth, each) for depth, each in _depths(plan.root) if not each.groups]
        deepest = max((depth for depth, _ in _depths(plan.root)), default=0)
        entries = [entry for _, entry in _depths(plan.root)]
        parts = [plan.listener, *(entry.app for entry in entries)]
        ends = [self.text_x(depth) + self.label_width(each) for depth, each in leaves if each.label]
        self.filters_x = max([*ends, self.text_x(deepest) + 60, self.text_x(0) + 170]) + 22
        needed = max((self.run(each.filters, each) for _, each in leaves), default=0.0)
        self.app_x = self.filters_x + min(needed, FILTERS_WIDTH) + (24 if needed else 8)
        apps = [width_of(shorten(each.app.name, _LIMITS["app"]), SIZES["normal"]) + 24 for _, each in leaves]
        addresses = [width_of(shorten(each, _LIMITS["address"]), SIZES["large"]) + 70 for each in plan.addresses]
        # A composite's own filters and name stand in one line with its mount, over the columns of the others.
        room = self.text_x(deepest) + 380
        self.maker_x = max(self.app_x + max(apps, default=0.0), room, self.text_x(0) + max(addresses)) + 22
        makers = [width_of(shorten(each.maker, _LIMITS["maker"]), SIZES["small"]) for each in parts]
        self.place_x = self.maker_x + max([*makers, width_of("MADE BY", SIZES["heading"])]) + 22
        places = [self.remarked(each) for each in entries]
        places += [width_of(shorten(plan.listener.place, _LIMITS["place"], "last"), SIZES["small"])]
        self.layout.width = round(self.place_x + max([*places, width_of("WRITTEN AT", SIZES["heading"])]) + 20 + MARGIN)

    def remarked(self, entry: Entry) -> float:
        width = width_of(shorten(entry.places, _LIMITS["place"], "last"), SIZES["small"])
        return width + (width_of(entry.remark, SIZES["small"]) + 26 if entry.remark else 0)

    def text_x(self, depth: int) -> float:
        return MARGIN + 44 + depth * STEP

    def label_width(self, entry: Entry) -> float:
        width = width_of(shorten(entry.label, _LIMITS["label"]), SIZES["normal"])
        return width + (28 if entry.number else 0)

    def bead(self, part: Part, entry: Entry) -> tuple[str, str, float]:
        """What a filter's bead says: its name, and its line; the file only where that is not the app's."""
        name = shorten(part.name, _LIMITS["filter"])
        file, _, line = part.place.rpartition(":")
        same = file == entry.app.place.rpartition(":")[0]
        tail = f":{line}" if same and file else f" {shorten(part.place, 24, 'last')}" if part.place else ""
        return name, tail, width_of(name + tail, SIZES["small"]) + 20

    def run(self, filters: Sequence[Part], entry: Entry) -> float:
        return sum(self.bead(each, entry)[2] + 10 for each in filters)

    def draw(self) -> Layout:
        self.headings()
        self.listener()
        self.entry(self.plan.root, 0)
        self.layout.height = round(self.y + MARGIN - 6)
        return self.layout

    def headings(self) -> None:
        row = Row()
        columns = [(MARGIN, "request for"), (self.maker_x, "made by"), (self.place_x, "written at")]
        if self.plan.root.groups:
            columns.append((self.app_x, "app"))
            if self.app_x - self.filters_x > width_of("through", SIZES["heading"]) + 8:
                columns.append((self.filters_x, "through"))
        for x, word in columns:
            row.labels.append(self.text(x, word.upper(), "heading", size=SIZES["heading"], height=16))
        self.layout.rows.append(row)
        self.y += 26

    def listener(self) -> None:
        for number, address in enumerate(self.plan.addresses):
            shown = shorten(address, _LIMITS["address"])
            size = SIZES["large"]
            box = Box(MARGIN, self.y + 2, width_of(shown, size) + 34, 30)
            row = Row(labels=[Label(box=box, text=shown, kind="listener", size=size, shape=True, pad=17, full=address)])
            if not number:
                self.columns(row, self.plan.listener, self.plan.listener.place, 34)
            self.layout.rows.append(row)
            self.y += 36
        start = self.y - 4
        self.layout.trunks.append(Wire(path=f"M{MARGIN + 20:g} {start:g}v18"))
        self.y += 14

    def entry(self, entry: Entry, depth: int) -> None:
        """A row, and under it what it mounts."""
        if entry.groups:
            self.composite(entry, depth)
        elif entry.label:
            self.leaf(entry, depth)
        else:
            self.alone(entry, depth)

    def alone(self, entry: Entry, depth: int) -> None:
        row = self.row(entry)
        x = MARGIN
        lines = self.inline(row, entry, x, self.maker_x - 22, self.y)
        self.finish(row, entry, lines, depth)

    def composite(self, entry: Entry, depth: int) -> None:
        """A panel: the head says what is around all that is in it."""
        left = MARGIN if not entry.label else self.text_x(depth) - 12
        top = self.y if not entry.label else self.y + 2
        row = self.row(entry)
        x = left + 10
        self.y = top + 3
        if entry.label:
            for label in self.mount_labels(entry, self.text_x(depth), self.y):
                row.labels.append(label)
                x = label.box.right + 26
        lines = self.inline(row, entry, x, self.maker_x - 22, self.y)
        self.finish(row, entry, lines, depth, stripe=False)
        inside = depth + 1 if entry.label else depth
        trunk_x, last = self.text_x(inside) - 24, self.y
        head = next(label.box for label in row.labels if label.kind.startswith("composite"))
        self.y += 5
        for group in entry.groups:
            if group.title:
                self.host(group, trunk_x)
            for each in group.entries:
                last = self.y + (ROW / 2 if not each.groups else 3 + 2 + ROW / 2)
                self.entry(each, inside)
        # Out of the head's own app, past the filters before it.
        down = f"M{head.x + 10:g} {head.bottom:g}v2q0 4-4 4H{trunk_x + 4:g}q-4 0-4 4"
        start = down if head.x + 10 - trunk_x > 8 else f"M{trunk_x:g} {head.bottom:g}"
        self.layout.trunks.append(Wire(path=f"{start}V{last - 6:g}"))
        self.y += 6
        right = self.layout.width - MARGIN + 12 - (4 * depth + (4 if entry.label else 0))
        self.layout.panels.append(Box(left, top, right - left, self.y - top))
        self.y += 4 if entry.label else 0

    def host(self, group: Group, trunk_x: float) -> None:
        shown = shorten(group.title, 60)
        self.y += 8
        kind = "host" if group.host else "host any"
        label = self.text(trunk_x + 12, shown, kind, size=SIZES["small"], height=20, full=group.host)
        self.layout.rows.append(Row(labels=[label]))
        self.y += 22

    def leaf(self, entry: Entry, depth: int) -> None:
        row = self.row(entry)
        labels = self.mount_labels(entry, self.text_x(depth), self.y)
        row.labels += labels
        name = shorten(entry.app.name, _LIMITS["app"])
        lines = self.wrap(entry, self.filters_x, self.app_x - 14)
        beads = self.place_beads(row, lines, self.y)
        last = self.y + (max(1, len(lines)) - 1) * LINE
        app = Box(self.app_x, last + 4, width_of(name, SIZES["normal"]) + 24, 24)
        row.labels.append(self.app_label(entry, app, name))
        self.string(row, entry, labels[-1].box.right + 8, self.y + ROW / 2, beads, app)
        self.finish(row, entry, max(1, len(lines)), depth)

    def row(self, entry: Entry) -> Row:
        row = Row(entry=self.numbers[id(entry)])
        self.layout.rows.append(row)
        return row

    def mount_labels(self, entry: Entry, x: float, y: float) -> list[Label]:
        labels = []
        if entry.number:
            box = Box(x, y + 6, 20, 20)
            digits = str(entry.number)
            pad = (20 - width_of(digits, 11)) / 2
            labels.append(Label(box=box, text=digits, kind="number", size=11.0, shape=True, pad=pad))
            x += 28
        shown = shorten(entry.label, _LIMITS["label"])
        kind = "mount" + (" fallback" if entry.fallback else "") + (" turn" if entry.number else "")
        box = Box(x, y, width_of(shown, SIZES["normal"]), ROW)
        full = entry.host + entry.label if entry.host and not entry.fallback else entry.label
        labels.append(Label(box=box, text=shown, kind=kind, full=full if full != shown else ""))
        return labels

    def wrap(self, entry: Entry, left: float, right: float) -> list[list[_Bead]]:
        """Filters in lines that fit between left and right."""
        lines: list[list[_Bead]] = []
        x = left
        for part in entry.filters:
            text, tail, width = self.bead(part, entry)
            if not lines or x + width > right:
                lines.append([])
                x = left
            lines[-1].append(_Bead(part, text, tail, x, width))
            x += width + 10
        return lines

    def place_beads(self, row: Row, lines: list[list[_Bead]], y: float) -> list[list[Box]]:
        boxes = []
        for number, line in enumerate(lines):
            boxes.append([Box(bead.x, y + 6 + number * LINE, bead.width, 20) for bead in line])
            for (part, text, tail, *_), box in zip(line, boxes[-1], strict=True):
                kind = "filter missing" if part.missing else "filter"
                full = " · ".join(word for word in (part.name, part.maker, part.place) if word)
                size = SIZES["small"]
                row.labels.append(
                    Label(box=box, text=text, tail=tail, kind=kind, size=size, shape=True, pad=10, full=full)
                )
        return boxes

    def inline(self, row: Row, entry: Entry, left: float, right: float, y: float) -> int:
        """Filters and app in a row of their own, as long as they fit. Returns how many lines they took."""
        name = shorten(entry.app.name, _LIMITS["app"])
        width = width_of(name, SIZES["normal"]) + 24
        lines = self.wrap(entry, left, right)
        x = left if not lines else lines[-1][-1].x + lines[-1][-1].width + 16
        count = max(1, len(lines))
        if x + width > right and lines:
            x = left
            count += 1
        beads = self.place_beads(row, lines, y)
        app = Box(x, y + (count - 1) * LINE + 4, width, 24)
        row.labels.append(self.app_label(entry, app, name))
        start = left - 18 if entry.label else None
        self.string(row, entry, start, y + ROW / 2, beads, app)
        return count

    def app_label(self, entry: Entry, box: Box, name: str) -> Label:
        kind = "composite" if entry.groups else "app"
        kind += " missing" if entry.app.missing else ""
        kind += " guess" if entry.guess else ""
        full = " · ".join(word for word in (entry.app.name, entry.app.maker, entry.app.place) if word)
        return Label(box=box, text=name, kind=kind, shape=True, pad=12, full=full)

    def string(self, row: Row, entry: Entry, start: float | None, y: float, beads: list[list[Box]], app: Box) -> None:
        """The wire from the mount through the beads to the app, line after line."""
        kind = "guess" if entry.guess else "fallback" if entry.fallback else ""
        x = start
        for number, line in enumerate(beads):
            if number:
                # Around the corner: down in the gap between two lines, and back to the left.
                above, gap = beads[number - 1][-1], (beads[number - 1][-1].bottom + line[0].y) / 2
                path = f"M{above.right:g} {above.middle:g}h6V{gap:g}H{line[0].x - 7:g}V{line[0].middle:g}h5"
                row.wires.append(Wire(path=path, kind=kind))
                x = None
            for box in line:
                if x is not None and box.x - x > 1:
                    row.wires.append(Wire(path=f"M{x:g} {box.middle:g}H{box.x - 1:g}", kind=kind))
                x = box.right + 1
        if beads and app.middle > beads[-1][-1].bottom:
            above = beads[-1][-1]
            gap = (above.bottom + app.y) / 2
            path = f"M{above.right:g} {above.middle:g}h6V{gap:g}H{app.x - 7:g}V{app.middle:g}h5"
            row.wires.append(Wire(path=path, kind=kind))
        elif x is not None:
            row.wires.append(Wire(path=f"M{x:g} {app.middle:g}H{app.x - 7:g}", kind=f"{kind} arrow".strip()))

    def finish(self, row: Row, entry: Entry, lines: int, depth: int, *, stripe: bool = True) -> None:
        """The columns at the right, the branch at the left, and on to the next row."""
        height = ROW + (lines - 1) * LINE
        middle = self.y + ROW / 2
        self.columns(row, entry.app, entry.places, ROW, entry)
        if entry.label:
            x = self.text_x(depth) - 24
            end = 18 if stripe else 12
            kind = "guess" if entry.guess else "fallback" if entry.fallback else ""
            row.wires.append(Wire(path=f"M{x:g} {middle - 7:g}q0 7 7 7h{end - 7:g}", kind=kind))
            if stripe:
                left = self.text_x(depth) - 8
                row.striped = Box(left, self.y, self.layout.width - MARGIN - 4 * depth - left, height)
        self.y += height

    def columns(self, row: Row, part: Part, places: str, height: float, entry: Entry | None = None) -> None:
        kind = "maker missing" if part.missing else "maker"
        shown = shorten(part.maker, _LIMITS["maker"])
        if shown:
            row.labels.append(self.text(self.maker_x, shown, kind, height=height, full=part.maker))
        shown = shorten(places, _LIMITS["place"], "last")
        x = self.place_x
        if shown:
            label = self.text(x, shown, "place", height=height, full=places)
            row.labels.append(label)
            x = label.box.right + 10
        if entry is not None and entry.remark:
            kind = "remark missing" if entry.app.missing else "remark"
            box = Box(x, self.y + (height - 18) / 2, width_of(entry.remark, SIZES["small"]) + 14, 18)
            row.labels.append(Label(box=box, text=entry.remark, kind=kind, size=SIZES["small"], shape=True, pad=7))

    def text(
        self, x: float, text: str, kind: str, *, height: float, size: float = SIZES["small"], full: str = ""
    ) -> Label:
        box = Box(x, self.y, width_of(text, size), height)
        return Label(box=box, text=text, kind=kind, size=size, full=full if full != text else "")


def _depths(entry: Entry, depth: int = 0) -> Iterator[tuple[int, Entry]]:
    """Every entry with how deep its row is: the root's own mounts are at 0, as the root has no label."""
    yield depth, entry
    for each in entry.entries:
        yield from _depths(each, depth + 1 if entry.label else depth)
