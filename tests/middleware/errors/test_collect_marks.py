"""Marks that code leaves for whoever shows a traceback: what it hides, and what it tells of itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from failing_code import Project, texts_of

from wheatpaste.middleware.errors.record import Supplement


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


# --- row 11: hiding --------------------------------------------------------------------------------------------------


def visible(project: Project, marks: dict[str, str], head: str = "") -> str:
    """Six functions that call each other; those with a mark have it as their first line. Returns the visible ones."""
    functions = "".join(
        f"def {name}():\n    {marks.get(name, 'pass')}\n    {following}\n"
        for name, following in zip("abcdef", ["b()", "c()", "d()", "e()", "f()", "1 / 0"], strict=True)
    )
    frames = project.record(f"{head}\n{functions}a()\n").raised.frames
    return "".join(frame.function for frame in frames if not frame.hidden).replace("<module>", "-")


def hide(value: str) -> str:
    return f"__traceback_hide__ = {value}"


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        pytest.param({}, "-abcdef", id="nothing"),
        pytest.param({"b": hide("True")}, "-acdef", id="true"),
        pytest.param({"b": hide("1")}, "-acdef", id="a number"),
        pytest.param({"b": hide("'anything'")}, "-acdef", id="another word"),
        pytest.param({"b": hide("False"), "c": hide("None"), "d": hide("''")}, "-abcdef", id="false"),
        pytest.param({"c": hide("'before'")}, "cdef", id="before"),
        pytest.param({"c": hide("'before_and_this'")}, "def", id="before_and_this"),
        pytest.param({"b": hide("'after'"), "e": hide("'reset'")}, "-abef", id="after until reset"),
        pytest.param({"b": hide("'after_and_this'"), "e": hide("'reset'")}, "-aef", id="after_and_this until reset"),
        pytest.param({"b": hide("'after'"), "e": hide("'reset_and_this'")}, "-abf", id="after until reset_and_this"),
        pytest.param({"b": hide("'after'")}, "-abcdef", id="the last one would be hidden by after"),
        pytest.param({"f": hide("True"), "b": hide("True")}, "-abcdef", id="the last one would be hidden by itself"),
        pytest.param({"b": "__tracebackhide__ = True"}, "-acdef", id="pytest's"),
        pytest.param({"b": "__tracebackhide__ = lambda info: True"}, "-abcdef", id="a function of pytest's"),
        pytest.param({"b": "_rich_traceback_omit = True"}, "-acdef", id="Rich's"),
        pytest.param({"c": "_rich_traceback_guard = True"}, "def", id="Rich's guard"),
    ],
)
def test_row_11_frames_hide_themselves_and_others(project: Project, marks: dict[str, str], expected: str) -> None:
    assert visible(project, marks) == expected


def test_row_11_a_module_hides_its_frames(project: Project) -> None:
    library: dict[str, Any] = {"__name__": "library", "__traceback_hide__": True}
    exec("def call(function):\n    return function()\n", library)
    record = project.record("def f(): 1 / 0\ncall(f)\n", call=library["call"])
    assert [(frame.function, frame.hidden) for frame in record.raised.frames] == [
        ("<module>", False),
        ("call", True),
        ("f", False),
    ]


def test_row_11_a_frame_may_show_what_its_module_hides(project: Project) -> None:
    head = "__traceback_hide__ = True\n"
    assert visible(project, {"c": hide("False"), "f": hide("False")}, head) == "cf"


def test_row_11_hidden_frames_are_there_all_the_same_with_all_that_they_hold(project: Project) -> None:
    record = project.record("def f(a):\n    __traceback_hide__ = True\n    g()\ndef g(): 1 / 0\nf(7)\n")
    frame = record.raised.frames[1]
    assert frame.hidden
    assert texts_of(frame.variables) == {"a": "7"}


def test_row_11_a_hidden_frame_is_never_in_focus(project: Project) -> None:
    record = project.record(
        "import json\ndef f():\n    g()\ndef g():\n    __traceback_hide__ = True\n    json.loads('{')\nf()\n"
    )
    assert record.focus is not None
    assert record.focus.function == "f"


def test_row_11_a_mark_with_a_mind_of_its_own_hides_nothing(project: Project) -> None:
    head = "class Sly:\n    def __bool__(self): raise RuntimeError\n    __class__ = property(lambda self: 1 / 0)\n"
    assert visible(project, {"b": hide("Sly()")}, head) == "-abcdef"


def test_a_frame_that_formats_an_exception_itself_ends_the_traceback(project: Project) -> None:
    assert visible(project, {"d": "__exception_formatter__ = True"}) == "-abc"


# --- row 12: what frames tell ----------------------------------------------------------------------------------------

WHOLE = """
class Tag:
    object = "a tag"
    source_url = "page.html"
    line = 12
    column = 3
    expression = "order.total"
    warnings = ["deprecated"]
    def __init__(self, name):
        self.name = name
    def getInfo(self):
        return "in the tag " + self.name
    def extraData(self):
        return {"plain": 1, ("extra", "last"): "z", ("important", "first"): [1, 2], ("nonsense", "odd"): "o"}
"""


def supplement(project: Project, head: str, mark: str) -> Supplement | None:
    code = f"{head}\ndef f(name):\n    __traceback_supplement__ = {mark}\n    1 / 0\nf('total')\n"
    return project.frame(code).supplement


def test_row_12_a_supplement_is_made_and_read(project: Project) -> None:
    assert supplement(project, WHOLE, "(Tag, name)") == Supplement(
        object="a tag",
        source_url="page.html",
        line=12,
        column=3,
        expression="order.total",
        warnings=("deprecated",),
        info="in the tag total",
        extra=(
            ("important", "first", "[1, 2]"),
            ("normal", "plain", "1"),
            ("normal", "odd", "o"),
            ("extra", "last", "z"),
        ),
    )


def test_row_12_a_supplement_needs_nothing_of_it(project: Project) -> None:
    assert supplement(project, "class Bare: pass\n", "(Bare,)") == Supplement()


def test_row_12_a_supplement_may_stand_in_the_module(project: Project) -> None:
    frame = project.frame(f"{WHOLE}\n__traceback_supplement__ = (Tag, 'm')\ndef f(): 1 / 0\nf()\n")
    assert frame.supplement is not None
    assert frame.supplement.info == "in the tag m"


@pytest.mark.parametrize(
    ("factory", "info"),
    [
        pytest.param("def make(name): raise ValueError(name)", "its supplement raises ValueError", id="raises"),
        pytest.param("def make(name): raise SystemExit(1)", "its supplement raises SystemExit", id="exits"),
        pytest.param("def make(name): raise KeyboardInterrupt", "its supplement raises KeyboardInterrupt", id="stops"),
        pytest.param("import time\ndef make(name): time.sleep(1)", "its supplement takes too long", id="hangs"),
        pytest.param("def make(): pass", "its supplement raises TypeError", id="takes no argument"),
        pytest.param("make = 7", "its supplement raises TypeError", id="is none"),
        pytest.param(
            "class make:\n    def __init__(self, name): pass\n    def extraData(self): return 7",
            "its supplement raises AttributeError",
            id="has strange data",
        ),
    ],
)
def test_c7_a_supplement_that_fails_is_contained(project: Project, factory: str, info: str) -> None:
    began = time.monotonic()
    assert supplement(project, factory, "(make, name)") == Supplement(info=info)
    assert time.monotonic() - began < 2


def test_c7_a_supplement_with_hostile_parts_is_contained(project: Project) -> None:
    found = supplement(
        project,
        """
        class Hostile:
            def __repr__(self): raise RuntimeError("no")
            def __hash__(self): return 1
            def __eq__(self, other): return self is other
        class Endless:
            line = "12"
            column = Hostile()
            object = Hostile()
            expression = "x" * 1_000_000
            warnings = Hostile()
            def extraData(self):
                data = {number: "y" * 100_000 for number in range(1000)}
                data[Hostile()] = Hostile()
                return {Hostile(): Hostile(), (1, 2): 3, ("important",): 4, **data}
        Endless.warnings = ["w"] * 10_000
        """.replace("\n        ", "\n"),
        "(Endless,)",
    )
    assert found is not None
    assert found.line is found.column is None
    assert len(found.expression) < 5000
    assert len(found.warnings) <= 50
    assert len(found.extra) <= 50
    assert sum(len(text) for _, _, text in found.extra) < 250_000


def test_c7_a_supplement_holds_no_secret(project: Project) -> None:
    found = supplement(
        project,
        """
class Tag:
    object = {"password": "swordfish1"}
    expression = "connect(password='swordfish2')"
    warnings = ["token=swordfish3swordfish3"]
    def getInfo(self):
        return "postgres://shop:swordfish4@db/orders"
    def extraData(self):
        return {"api_key": "swordfish5", ("extra", "secret"): ["swordfish6"], "x": {"password": "swordfish7"}}
""",
        "(Tag,)",
    )
    assert found is not None
    assert "swordfish" not in repr(found)
    assert [title for _, title, _ in found.extra] == ["api_key", "x", "secret"]


def test_row_12_an_object_tells_of_itself_by_a_method_of_its_class(project: Project) -> None:
    frame = project.frame(
        """
        class Job:
            def __init__(self, number):
                self.number = number
            def __traceback_supplement__(self):
                return Supplement(object=f"job {self.number}", info="the nightly one")
            def run(self):
                1 / 0
        Job(7).run()
        """,
        Supplement=Supplement,
    )
    assert frame.supplement == Supplement(object="job 7", info="the nightly one")


def test_row_12_a_supplement_may_stand_there_as_such(project: Project) -> None:
    code = "def f():\n    __traceback_supplement__ = Supplement(line=3, extra=(('extra', 'a', 'b'),))\n    1 / 0\nf()\n"
    frame = project.frame(code, Supplement=Supplement)
    assert frame.supplement == Supplement(line=3, extra=(("extra", "a", "b"),))


@pytest.mark.parametrize(
    ("value", "info"),
    [
        pytest.param("'rendering the total'", "rendering the total", id="a text"),
        pytest.param("('row', 7)", "('row', 7)", id="another value"),
        pytest.param("'password=swordfish1'", "password=[redacted: str, 10 chars]", id="a secret"),
    ],
)
def test_row_12_an_info_is_shown_with_its_frame(project: Project, value: str, info: str) -> None:
    frame = project.frame(f"def f():\n    __traceback_info__ = {value}\n    1 / 0\nf()\n")
    assert frame.info == (info,)
    assert frame.variables == ()


# --- row 12: decorators ----------------------------------------------------------------------------------------------


def decorated(project: Project, decorator: str) -> Any:
    head = f"from dataclasses import replace\n{decorator}\n"
    call = "def f(a):\n    __traceback_decorator__ = decorate\n    g()\ndef g(): 1 / 0\nf(1)\n"
    return project.record(head + call).raised


def test_row_12_a_decorator_may_change_what_is_said_and_what_is_hidden(project: Project) -> None:
    raised = decorated(
        project,
        """
def decorate(raised):
    frames = tuple(replace(frame, hidden=frame.function == "f", file="lie.py") for frame in raised.frames)
    return replace(raised, message=raised.message + "!", notes=("password=swordfish1",), frames=frames, type="Lie")
""",
    )
    assert (raised.type, raised.message) == ("ZeroDivisionError", "division by zero!")
    assert "swordfish" not in raised.notes[0]
    assert [(frame.function, frame.file, frame.hidden) for frame in raised.frames] == [
        ("<module>", "shop.py", False),
        ("f", "shop.py", True),
        ("g", "shop.py", False),
    ]


@pytest.mark.parametrize(
    ("decorator", "notes"),
    [
        pytest.param("def decorate(raised): raised.frames[0].hidden = True", 1, id="changes what it is given"),
        pytest.param("def decorate(raised): raise SystemExit", 1, id="exits"),
        pytest.param("import time\ndef decorate(raised): time.sleep(1)", 1, id="hangs"),
        pytest.param("decorate = 7", 1, id="is none"),
        pytest.param("def decorate(raised): return 7", 0, id="returns something else"),
        pytest.param("def decorate(raised): return replace(raised, frames=())", 0, id="returns fewer frames"),
        pytest.param("def decorate(raised): return replace(raised, notes=7, message=None)", 1, id="returns nonsense"),
    ],
)
def test_row_12_a_decorator_that_fails_changes_nothing(project: Project, decorator: str, notes: int) -> None:
    began = time.monotonic()
    raised = decorated(project, decorator)
    assert (raised.message, len(raised.frames), len(raised.notes)) == ("division by zero", 3, notes)
    assert time.monotonic() - began < 2
