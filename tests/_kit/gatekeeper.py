"""A filter of ours whose options stand in several sections: ``[gate:main]``, ``[gate:main:locks]``, …

The fixture of this name makes it ``wheatpaste.gatekeeper``: a check asks only components of ours what they take.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wheatpaste.config.chapters import sections
from wheatpaste.config.factories import make_app_factory, make_filter_factory
from wheatpaste.config.mounts import KeyProblem
from wheatpaste.config.options import OptionError, between, component, option
from wheatpaste.config.parts import NO_PARTS, Part, Parts
from wheatpaste.config.reader import Family, Reader
from wheatpaste.config.records import field
from wheatpaste.config.values import Imported, Seconds


@component
class House:
    """What holds for all gates."""

    motto: str = option(default="", doc="What stands above the gate.", sample="Come in")
    guests: tuple[str, ...] = option(default=(), doc="Who may come in.", inherits=True)
    doors: tuple[str, ...] = option(default=(), doc="The doors that there are, each with a section of its own.")


@component
class Locks:
    """How the gate is locked."""

    word: str = option(doc="What opens the locks.", secret=True, sample="open-sesame-and-be-quick")
    bolts: int = option(default=1, doc="How many bolts there are.", check=between(1, 9))
    patience: Seconds = option(default=60.0, doc="How long one may try.")
    folder: Path | None = option(default=None, doc="Where the keys hang.")


@component
class Door:
    """One door of the house."""

    colour: str = option(doc="The colour of the door.", sample="red")
    width: float = option(default=1.0, doc="How wide it is.")
    height: float = option(default=2.0, doc="How high it is.")
    bell: Imported | None = option(default=None, doc="What rings.")

    def __post_init__(self) -> None:
        if self.bell is not None:
            self.bell()
        if self.width > self.height:
            raise OptionError("Door", "width", "must not be more than its height")

    def problems(self, stack: Any) -> Iterator[KeyProblem]:
        """A check learns of colours that strangers see."""
        if stack.public and self.colour == "pink":
            yield KeyProblem("colour", "others see this", "paint it", severity="warning")


@component
class Rules:
    """Who may pass where."""

    rules: Mapping[str, int] = field(default=NO_PARTS)


def _number(text: str, folder: str | None) -> int:
    if not text.isdigit():
        raise ValueError("must be a number of people")
    return int(text)


RULES = Reader(
    component=Rules,
    family=Family(
        name="rules",
        takes=lambda key: True,
        complaint=lambda key: None if key.startswith("/") else "must begin with a slash",
        parse=_number,
        key="/path",
        kind="number of people",
        doc="How many may pass.",
        sample=("/hall", "3"),
    ),
)

PARTS = Parts(
    option="gate",
    prefix="gate",
    file="config",
    parts=(
        Part("", House, required=True),
        Part("locks", ".gatekeeper:Locks"),
        Part("door:*", Door, sample="front"),
        Part("rules", RULES),
    ),
)


def _require_luck(parts: Mapping[str, Any]) -> None:
    if "locks" in parts and parts["locks"].bolts == 7:
        raise OptionError("Gatekeeper", "bolts", "brings bad luck", part="locks")


@component
class Gatekeeper:
    """Stand at a gate and let requests through."""

    app: Any = field(kw_only=False)
    gate: str = option(default="main", doc="Which sections are meant: [gate:NAME] and those that begin so.")
    config: Path | None = option(default=None, doc="The file that holds them, if it is another one.")
    parts: Mapping[str, Any] = field(default=NO_PARTS)

    def __post_init__(self) -> None:
        _require_luck(self.parts)

    def problems(self, stack: Any) -> Iterator[KeyProblem]:
        """A check learns of doors without a section."""
        for name in self.parts[""].doors:
            if f"door:{name}" not in self.parts:
                yield KeyProblem("doors", f"there is no section [gate:{self.gate}:door:{name}]", part="")

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)


@component
class Gate:
    """Answer at the gate itself."""

    gate: str = option(default="main", doc="Which sections are meant: [gate:NAME] and those that begin so.")
    config: Path | None = option(default=None, doc="The file that holds them, if it is another one.")
    parts: Mapping[str, Any] = field(default=NO_PARTS)

    def __post_init__(self) -> None:
        _require_luck(self.parts)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        start_response("204 No Content", [])
        return []


filter_factory = make_filter_factory(Gatekeeper, parts=PARTS)
app_factory = make_app_factory(Gate, parts=PARTS)


def text_of_gate(global_conf: Mapping[str, str]) -> Any:
    """An app factory that declares nothing, and whose app has the text of its section."""

    def app(environ: Any, start_response: Any) -> Any:
        return []

    app.text = {key: value.text for key, value in sections(global_conf, "gate:main")[""].items()}  # type: ignore[attr-defined]
    return app
