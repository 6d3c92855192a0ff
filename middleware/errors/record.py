"""What is known of one failure, as plain data: the one thing that every page, log line, mail and inbox is made from.

A record holds no live object and no secret: whatever stands in it was redacted when it was collected, so whoever
renders it needs to escape, not to hide. It becomes JSON and back without loss.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Pairs = tuple[tuple[str, str], ...]
Relation = Literal["raised", "cause", "context", "member"]
Phase = Literal["call", "body", "close", "reported", "slow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A value as it may be shown: a name or an expression, a bounded and redacted repr, and the name of its type."""

    name: str
    text: str
    type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of source, without its line break. Lines count from 1."""

    number: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The part of the source that failed (PEP 657): lines from 1, columns in characters from 0, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplement:
    """What a frame tells of itself by ``__traceback_supplement__``.

    ``extra`` holds (importance, title, text), importance being important, normal, supplemental or extra.
    """

    object: str = ""
    source_url: str = ""
    line: int | None = None
    column: int | None = None
    expression: str = ""
    warnings: tuple[str, ...] = ()
    info: str = ""
    extra: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One step of a traceback.

    ``path`` is the file as Python knows it, ``file`` as people name it (below the project, or below its package).
    ``lines`` are those around ``line``; ``block`` the first and last line of the function. ``variables`` are the
    locals, those named on the failing line first; ``expressions`` the values of its parts. ``own`` says that it
    belongs to the project, otherwise ``package`` names whose it is. ``language`` is ``python``, ``syntax`` (the place
    of a SyntaxError) or a template's language, whose ``lines`` are the template's then.
    """

    path: str
    file: str
    module: str = ""
    function: str = ""
    line: int = 0
    lines: tuple[Line, ...] = ()
    span: Span | None = None
    block: tuple[int, int] | None = None
    variables: tuple[Shown, ...] = ()
    omitted_variables: int = 0
    expressions: tuple[Shown, ...] = ()
    own: bool = False
    package: str = ""
    hidden: bool = False
    language: str = "python"
    info: tuple[str, ...] = ()
    supplement: Supplement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """After the frame with index ``after``, the last ``frames`` frames were run ``times`` more times."""

    after: int
    frames: int
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """After the frame with index ``after`` (-1: before the first) so many ``frames`` were left out."""

    after: int
    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """One exception of the tree, which a record holds as a flat list.

    ``parent`` is the index of the exception that it is cause, context or member of. ``suppressed``: a context that has
    not led to it, because ``raise … from`` hides it, or because it came later, and the exception was raised once more
    while it was handled. ``focus`` is the index of the frame that matters most, or None without frames.
    ``omitted_members`` and ``omitted_frames`` count what was left out; ``gaps`` tell where frames were.
    """

    type: str
    message: str
    parent: int | None = None
    relation: Relation = "raised"
    suppressed: bool = False
    group: bool = False
    notes: tuple[str, ...] = ()
    attributes: tuple[Shown, ...] = ()
    suggestions: tuple[str, ...] = ()
    frames: tuple[Frame, ...] = ()
    folds: tuple[Fold, ...] = ()
    gaps: tuple[Gap, ...] = ()
    focus: int | None = None
    omitted_frames: int = 0
    omitted_members: int = 0

    @property
    def name(self) -> str:
        """The type without its module."""
        return self.type.rpartition(".")[2]

    @property
    def headline(self) -> str:
        """``ValueError: the first line of the message``."""
        first = self.message.partition("\n")[0]
        return f"{self.name}: {first}" if first else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A mount that took the request: prefix, host pattern, and the place of the configuration that says so."""

    prefix: str
    host: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The request that failed. Pairs are in the order in which they came; ``form`` only if the app had parsed it.

    ``url`` is what the client asked for, ``elapsed`` the seconds since the request came.
    """

    method: str = ""
    url: str = ""
    protocol: str = ""
    script_name: str = ""
    path_info: str = ""
    peer: str = ""
    client: str = ""
    user: str = ""
    request_id: str = ""
    query: Pairs = ()
    headers: Pairs = ()
    cookies: Pairs = ()
    form: Pairs = ()
    environ: Pairs = ()
    mounts: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    elapsed: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRecord:
    """One failure.

    ``id`` names this occurrence, ``group`` all that have the same fingerprint (such as ``E-7K3QX``). ``time`` is in
    seconds since 1970. ``sent`` says that part of the reply was sent, so that the client could not be told.
    ``filters`` are the layers around the app, outermost first; ``config`` what the app was configured with.
    """

    id: str
    group: str
    time: float
    phase: Phase = "call"
    sent: bool = False
    exceptions: tuple[Raised, ...] = ()
    omitted_exceptions: int = 0
    request: Request | None = None
    config: Pairs = ()
    filters: tuple[str, ...] = ()
    versions: Pairs = ()
    pid: int = 0
    thread: str = ""
    host: str = ""

    @property
    def raised(self) -> Raised:
        """The exception that arrived."""
        return self.exceptions[0]

    @property
    def root(self) -> Raised:
        """The exception that began it all: the last one on the way along causes, and contexts that are not hidden."""
        index = 0
        while True:
            following = [
                place
                for place, each in enumerate(self.exceptions)
                if each.parent == index
                and place > index
                and (each.relation == "cause" or (each.relation == "context" and not each.suppressed))
            ]
            if not following:
                return self.exceptions[index]
            index = following[0]

    @property
    def headline(self) -> str:
        """Type and message of the exception that arrived, in one line."""
        return self.raised.headline

    @property
    def focus(self) -> Frame | None:
        """The frame that matters most."""
        raised = self.raised
        return None if raised.focus is None else raised.frames[raised.focus]

    def to_data(self) -> dict[str, Any]:
        """As what JSON knows."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> ErrorRecord:
        """The record that became this data. Raises ``ValueError`` for data that never was one."""
        from .reading import read_record

        return read_record(data)
