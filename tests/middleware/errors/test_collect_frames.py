"""The frames of a record: whose they are, which matter, what they held, and how many are too many."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from failing_code import Project, failure_of, texts_of

from wheatpaste.middleware.errors.collect import expressions
from wheatpaste.middleware.errors.collect.capture import collect, collect_frame
from wheatpaste.middleware.errors.collect.folding import fold
from wheatpaste.middleware.errors.collect.ownership import Owner, Ownership
from wheatpaste.middleware.errors.collect.settings import Collecting
from wheatpaste.middleware.errors.record import ErrorRecord, Fold


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


# --- row 10: whose code it is ----------------------------------------------------------------------------------------

LIBRARY = "/srv/venv/lib/python3.11/site-packages"
STANDARD = os.path.dirname(os.__file__)


@pytest.mark.parametrize(
    ("path", "module", "owner"),
    [
        pytest.param("/srv/shop/views.py", "shop.views", Owner(True, "shop/views.py"), id="below the project"),
        pytest.param("/srvx/shop/a.py", "shop.a", Owner(False, "shop/a.py", "shop"), id="beside the project"),
        pytest.param(f"{LIBRARY}/webob/dec.py", "webob.dec", Owner(False, "webob/dec.py", "webob"), id="installed"),
        pytest.param(
            f"{LIBRARY}/webob/__init__.py", "webob", Owner(False, "webob/__init__.py", "webob"), id="a whole package"
        ),
        pytest.param(
            "/usr/lib/python3/dist-packages/six.py", "six", Owner(False, "six.py", "six"), id="installed by Debian"
        ),
        pytest.param(
            f"{STANDARD}/json/decoder.py", "json.decoder", Owner(False, "json/decoder.py", "Python"), id="Python's"
        ),
        pytest.param("<frozen runpy>", "runpy", Owner(False, "<frozen runpy>", "Python"), id="frozen"),
        pytest.param("<string>", "shop.made", Owner(False, "<string>"), id="made while running"),
        pytest.param("<stdin>", "__main__", Owner(True, "<stdin>"), id="typed at a prompt"),
        pytest.param(
            "/srv/wheatpaste/middleware/urlmap.py",
            "wheatpaste.middleware.urlmap",
            Owner(False, "wheatpaste/middleware/urlmap.py", "wheatpaste"),
            id="this package",
        ),
    ],
)
def test_row_10_a_file_is_the_projects_or_somebody_elses(path: str, module: str, owner: Owner) -> None:
    assert Ownership(Collecting(project=("/srv",))).of(path, module) == owner


@pytest.mark.parametrize(
    ("settings", "path", "module", "own"),
    [
        pytest.param({"own": ("webob",)}, f"{LIBRARY}/webob/dec.py", "webob.dec", True, id="own, although installed"),
        pytest.param({"own": ("web",)}, f"{LIBRARY}/webob/dec.py", "webob.dec", False, id="own, but another name"),
        pytest.param({"foreign": ("shop.vendor",)}, "/srv/shop/vendor/a.py", "shop.vendor.a", False, id="foreign"),
        pytest.param({"own": ("a.b",), "foreign": ("a",)}, "/x/a/b.py", "a.b", True, id="own before foreign"),
        pytest.param(
            {"project": (f"{LIBRARY}/shop",)}, f"{LIBRARY}/shop/a.py", "shop.a", True, id="an installed project"
        ),
        pytest.param({"project": ("/elsewhere", "/srv")}, "/srv/a.py", "a", True, id="one of several folders"),
    ],
)
def test_row_10_a_deployer_may_say_whose_code_it_is(
    settings: dict[str, Any], path: str, module: str, own: bool
) -> None:
    assert Ownership(Collecting(**{"project": ("/srv",), **settings})).of(path, module).own is own


def test_row_10_without_a_project_the_working_directory_is_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Ownership(Collecting()).of(str(tmp_path / "shop" / "a.py"), "shop.a") == Owner(True, "shop/a.py")


def test_row_10_a_distribution_is_called_by_its_name_and_version(project: Project) -> None:
    record = project.record("import webob\nwebob.Response(status='nonsense')\n")
    frames = record.raised.frames
    assert (frames[0].own, frames[0].package) == (True, "")
    assert (frames[-1].own, frames[1].package) == (False, "WebOb")
    assert frames[1].file == "webob/response.py"
    assert "WebOb" in dict(record.versions)


def test_row_10_a_package_with_another_name_than_its_distribution_is_found(tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"
    (packages / "Big_Shop-2.1.dist-info").mkdir(parents=True)
    (packages / "Big_Shop-2.1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: Big-Shop\nVersion: 2.1\n"
    )
    (packages / "Big_Shop-2.1.dist-info" / "RECORD").write_text("shop/__init__.py,,\nshop/a.py,,\n")
    assert Ownership(Collecting()).of(str(packages / "shop" / "a.py"), "shop.a").package == "Big-Shop"


def test_row_10_the_focus_is_the_last_frame_of_the_project(project: Project) -> None:
    record = project.record("import json\ndef read():\n    return json.loads('{')\nread()\n")
    focus = record.focus
    assert focus is not None
    assert (focus.function, focus.line) == ("read", 3)
    assert record.raised.frames[-1].package == "Python"


def test_row_10_without_a_frame_of_the_project_the_last_one_is_the_focus() -> None:
    import json

    record = collect(failure_of(json.loads, "{"), settings=Collecting(project=("/nowhere",)))
    assert record.raised.focus == len(record.raised.frames) - 1


def test_an_exception_that_was_never_raised_has_no_frames() -> None:
    record = collect(ValueError("a"))
    assert (record.raised.frames, record.raised.focus, record.focus) == ((), None, None)


# --- row 2, C7: variables --------------------------------------------------------------------------------------------


def test_row_12_names_of_the_failing_statement_come_first(project: Project) -> None:
    frame = project.frame(
        """
        import json
        def f(a, b, c):
            d = 4
            class E: pass
            def g(): pass
            return [
                d,
                c / b,
            ]
        f(1, 0, 3)
        """
    )
    assert [each.name for each in frame.variables] == ["d", "c", "b", "a", "E", "g"]


def test_globals_that_the_failing_statement_names_are_shown(project: Project) -> None:
    frame = project.frame("import os\nLIMIT = 0\nOTHER = 1\ndef f(a):\n    return os.sep and a / LIMIT\nf(1)\n")
    assert texts_of(frame.variables) == {"a": "1", "LIMIT": "0"}


def test_modules_show_what_they_work_with_and_not_what_they_consist_of(project: Project) -> None:
    frame = project.frame("import os\ndef f(): pass\nclass C: pass\na = 1\nb = 0\na / b\n")
    assert [each.name for each in frame.variables] == ["a", "b"]


def test_variables_left_out_are_counted(project: Project) -> None:
    names = "".join(f"    a{number} = {number}\n" for number in range(100))
    frame = project.frame(f"def f():\n{names}    1 / 0\nf()\n".encode())
    assert (len(frame.variables), frame.omitted_variables) == (40, 60)


def test_variables_can_be_left_out_altogether(project: Project) -> None:
    error = project.failure("a = 1\na.b.c\n")
    frame = project.collect(error, variables=False).focus
    assert frame is not None
    assert (frame.variables, frame.expressions) == ((), ())


def test_the_body_of_a_class_with_a_namespace_of_its_own_runs_none_of_its_code(project: Project) -> None:
    class Namespace(dict):  # type: ignore[type-arg]
        def __getitem__(self, name: str) -> Any:
            if name == "careful":
                raise RuntimeError("touched")
            return super().__getitem__(name)

    class Meta(type):
        @classmethod
        def __prepare__(cls, name: str, bases: Any, **options: Any) -> Any:
            return Namespace()

    frame = project.frame("class C(metaclass=Meta):\n    careful = 1\n    1 / 0\n", Meta=Meta)
    assert texts_of(frame.variables)["careful"] == "1"


HOSTILE = {
    "raises": "def __repr__(self): raise ValueError('no')",
    "exits": "def __repr__(self): raise SystemExit(1)",
    "interrupts": "def __repr__(self): raise KeyboardInterrupt",
    "is no text": "def __repr__(self): return 42",
    "is endless": "def __repr__(self): return 'x' * 100_000_000",
    "hangs": "def __repr__(self):\n        import time; time.sleep(1)",
    "recurses": "def __repr__(self): return repr(self)",
    "lies about its class": "__class__ = property(lambda self: int)",
    "raises for its class": "__class__ = property(lambda self: 1 / 0)",
    "raises for each attribute": "def __getattribute__(self, name): raise RuntimeError(name)",
    "raises for its length": "def __len__(self): raise RuntimeError\n    def __bool__(self): raise RuntimeError",
    "is equal to nothing": "def __eq__(self, other): raise RuntimeError\n    __hash__ = None",
}


@pytest.mark.parametrize("code", HOSTILE.values(), ids=HOSTILE)
def test_row_15_a_hostile_variable_costs_only_its_own_text(project: Project, code: str) -> None:
    fail = "def f(hostile, sound):\n    return hostile[0] / hostile.a / sound.b\nf(Hostile(), 1)\n"
    error = project.failure(f"class Hostile:\n    {code}\n{fail}")
    began = time.monotonic()
    frame = project.collect(error).focus
    assert time.monotonic() - began < 1.5
    assert frame is not None
    assert texts_of(frame.variables)["sound"] == "1"
    assert "hostile" in texts_of(frame.variables)


def test_row_17_huge_values_cost_neither_time_nor_space(project: Project) -> None:
    error = project.failure(
        """
        def f():
            numbers = list(range(1_000_000))
            table = {number: str(number) for number in range(1_000_000)}
            text = "x" * 100_000_000
            return numbers[0] + table[1] + text.a
        f()
        """
    )
    project.collect(error)
    began = time.process_time()
    record = project.collect(error)
    assert time.process_time() - began < 0.25
    assert len(json.dumps(record.to_data())) < 100_000


# --- D13: the values of parts ----------------------------------------------------------------------------------------


def parts_of(project: Project, text: str, **names: Any) -> dict[str, str]:
    return texts_of(project.frame(text, **names).expressions)


def test_d13_the_parts_of_the_failing_statement_have_their_values(project: Project) -> None:
    parts = parts_of(
        project,
        """
        class Order:
            def __init__(self, customer):
                self.customer = customer

        def label(orders, number):
            return (
                orders[number].customer.name
                + "!"
            )

        label([Order("Ada"), Order(None)], 1)
        """,
    )
    assert parts["orders[number].customer"] == "None"
    assert parts["orders[number]"].startswith("<Order")
    assert "orders[number].customer.name" not in parts


@pytest.mark.parametrize(
    ("statement", "parts"),
    [
        pytest.param("a['x']['y']['z']", {"a['x']": "{'y': None}", "a['x']['y']": "None"}, id="subscripts"),
        pytest.param("b[-1] / (b[0] - 1)", {"b[-1]": "2", "b[0]": "1"}, id="subscripts of a list"),
        pytest.param("1 / (len(b) > 5)", {"len(b) > 5": None}, id="nothing that would have to be called"),
        pytest.param("if b[0] == 1 and a.none: pass", {"b[0]": "1", "b[0] == 1": "True"}, id="the header of a block"),
        pytest.param("for x in a['x']['y']: b[0]", {"a['x']": "{'y': None}", "b[0]": None}, id="not what did not run"),
        pytest.param("with a['x']: b[0]", {"a['x']": "{'y': None}", "b[0]": None}, id="what is entered"),
        pytest.param("print([c[0] for c in a.none])", {"c[0]": None}, id="not what has other names"),
        pytest.param("a['x'] = b[0].none", {"b[0]": "1", "a['x']": None}, id="not what is assigned to"),
    ],
)
def test_d13_only_what_is_known_is_shown(project: Project, statement: str, parts: dict[str, str | None]) -> None:
    found = parts_of(project, f"a = {{'x': {{'y': None}}}}\nb = [1, 2]\n{statement}\n")
    assert {name: found.get(name) for name in parts} == parts


def test_d13_nothing_is_run_for_it(project: Project) -> None:
    ran: list[str] = []
    text = """
    class Sly(dict):
        def __getitem__(self, name):
            ran.append("getitem")
        def __getattr__(self, name):
            ran.append("getattr")
        @property
        def value(self):
            ran.append("property")
        def __eq__(self, other):
            ran.append("eq")
    sly = Sly()
    1 / 0, sly["a"], sly.b, sly.value, sly == 1, sly()
    """
    assert parts_of(project, text, ran=ran) == {}
    assert ran == []


def test_d13_large_containers_are_not_walked_through(project: Project) -> None:
    big = {number: number for number in range(50_000)}
    error = project.failure("1 / 0, big[7], 5 in big, nested == big\n", big=big, nested=[big])
    project.collect(error)
    began = time.process_time()
    record = project.collect(error)
    assert time.process_time() - began < 0.25
    assert record.focus is not None
    assert record.focus.expressions == ()


def test_d13_secrets_are_hidden_by_their_names_and_by_the_keys_they_are_found_with(project: Project) -> None:
    parts = parts_of(
        project,
        """
        settings = {"db_password": "swordfish1", "port": 80}
        key = "db_password"
        settings[key] / settings["db_password"] / settings["port"]
        """,
    )
    assert parts["settings['port']"] == "80"
    assert set(parts) == {"settings[key]", "settings['db_password']", "settings['port']"}
    assert "swordfish1" not in "".join(parts.values())


def test_d13_a_secret_is_hidden_by_its_key_where_nothing_else_tells_of_it(project: Project) -> None:
    text = """
    settings = {f"option{number}": number for number in range(500)}
    settings["db_password"] = "sword" "fish1"
    which = "db_password"
    settings[which] / 2
    """
    assert parts_of(project, text) == {"settings[which]": "[redacted: str, 10 chars]"}


def test_d13_without_pure_eval_there_are_none(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pure_eval", None)
    expressions.evaluator_class.cache_clear()
    try:
        frame = project.frame("a = [1]\na[0].b\n")
        assert frame.expressions == ()
        assert texts_of(frame.variables) == {"a": "[1]"}
    finally:
        expressions.evaluator_class.cache_clear()


# --- row 14: recursion -----------------------------------------------------------------------------------------------


def recursion(project: Project, text: str) -> ErrorRecord:
    return project.record(text)


def test_row_14_a_recursion_is_folded(project: Project) -> None:
    record = recursion(project, "def f(n):\n    return f(n + 1)\nf(0)\n")
    raised = record.raised
    assert raised.type == "RecursionError"
    (folded,) = raised.folds
    assert folded.frames == 1
    assert folded.times > 900
    assert len(raised.frames) < 6
    assert texts_of(raised.frames[1].variables)["n"] == "0"
    assert int(texts_of(raised.frames[-1].variables)["n"]) > 900
    assert len(json.dumps(record.to_data())) < 100_000


@pytest.mark.parametrize("length", [2, 3, 7, 40])
def test_row_14_so_is_a_circle_of_several_functions(project: Project, length: int) -> None:
    functions = "".join(f"def f{n}(): return f{(n + 1) % length}()\n" for n in range(length))
    raised = recursion(project, f"{functions}f0()\n").raised
    (folded,) = raised.folds
    assert folded.frames == length
    assert folded.times > 900 // length - 3
    names = [frame.function for frame in raised.frames]
    after = folded.after + 1
    assert len({*names[after - length : after]}) == length
    if length < 10:  # the last round is there, too
        assert names[after - length : after] == names[after : after + length]


def test_row_14_two_recursions_are_folded_each(project: Project) -> None:
    raised = recursion(
        project,
        """
        def f(n):
            return f(n + 1) if n < 20 else g(n)
        def g(n):
            return g(n + 1) if n < 40 else 1 / 0
        f(0)
        """,
    ).raised
    assert [(each.frames, each.times) for each in raised.folds] == [(1, 19), (1, 19)]


def test_row_14_of_many_different_frames_both_ends_stay(project: Project) -> None:
    functions = "".join(f"def f{n}(): return f{n + 1}()\n" for n in range(300))
    raised = recursion(project, f"{functions}def f300(): 1 / 0\nf0()\n").raised
    names = [frame.function for frame in raised.frames]
    assert (names[0], names[-1], len(names), raised.omitted_frames) == ("<module>", "f300", 60, 242)
    (gap,) = raised.gaps
    assert gap.frames == 242
    before, behind = (int(names[gap.after + step][1:]) for step in (0, 1))
    assert behind - before == 243


def test_row_14_of_many_frames_the_projects_own_stay() -> None:
    kept = fold(range(200), 20, lambda index: index in (77, 78)).kept
    assert {77, 78} <= set(kept)
    assert (len(kept), kept[0], kept[-1]) == (20, 0, 199)


@pytest.mark.parametrize(
    ("keys", "kept", "folds"),
    [
        pytest.param("", "", [], id="nothing"),
        pytest.param("abc", "abc", [], id="no repetition"),
        pytest.param("aaaa", "aaaa", [], id="too few to be worth it"),
        pytest.param("aaaaa", "aa", [Fold(after=0, frames=1, times=3)], id="one frame"),
        pytest.param("xababababy", "xababy", [Fold(after=2, frames=2, times=2)], id="two frames"),
        pytest.param("aabaabaabaab", "aabaab", [Fold(after=2, frames=3, times=2)], id="the longer of two periods"),
        pytest.param(
            "aaaaaabbbbbb",
            "aabb",
            [Fold(after=0, frames=1, times=4), Fold(after=2, frames=1, times=4)],
            id="one after the other",
        ),
    ],
)
def test_row_14_what_repeats_is_counted(keys: str, kept: str, folds: list[Fold]) -> None:
    folding = fold(keys, 60, lambda index: True)
    assert "".join(keys[index] for index in folding.kept) == kept
    assert list(folding.folds) == folds
    assert len(folding.kept) + sum(each.frames * each.times for each in folding.folds) == len(keys)


@pytest.mark.parametrize("keys", ["ab" * 40 + "cdefghijkl" * 30, "x" * 5000, "abcdefghij" * 500, "abacabad" * 600])
@pytest.mark.parametrize("most", [4, 10, 60])
def test_row_14_no_frame_is_lost_from_the_count(keys: str, most: int) -> None:
    folding = fold(keys, most, lambda index: index % 7 == 0)
    assert len(folding.kept) <= most
    assert len(folding.kept) + sum(each.frames * each.times for each in folding.folds) + folding.omitted == len(keys)
    assert all(-1 <= each.after < len(folding.kept) for each in (*folding.folds, *folding.gaps))


def test_row_14_folding_a_hundred_thousand_frames_takes_no_time() -> None:
    began = time.process_time()
    fold([(number * 7919) % 13 for number in range(100_000)], 60, lambda index: False)
    fold([number * number % 1009 for number in range(100_000)], 60, lambda index: False)
    assert time.process_time() - began < 3


# --- a thread that runs ----------------------------------------------------------------------------------------------


def test_d16_a_running_thread_is_collected_in_the_form_of_an_error() -> None:
    reached, go_on = threading.Event(), threading.Event()

    def slow(order: int) -> None:
        reached.set()
        go_on.wait(10)

    thread = threading.Thread(target=slow, args=(7,))
    thread.start()
    try:
        assert reached.wait(10)
        frame: FrameType = sys._current_frames()[thread.ident or 0]
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/orders", "wsgi.url_scheme": "http"}
        settings = Collecting(project=(str(Path(__file__).parent),))
        record = collect_frame(
            frame, environ, thread="worker-3", message="running for 12 s", settings=settings, clock=lambda: 5.0
        )
    finally:
        go_on.set()
        thread.join()
    assert (record.phase, record.thread, record.time, record.headline) == (
        "slow",
        "worker-3",
        5.0,
        "SlowRequest: running for 12 s",
    )
    assert record.request is not None
    assert record.request.path_info == "/orders"
    focus = record.focus
    assert focus is not None
    assert (focus.function.rpartition(".")[2], texts_of(focus.variables)["order"]) == ("slow", "7")


# --- the rest of a record --------------------------------------------------------------------------------------------


def test_a_record_says_what_ran(project: Project) -> None:
    record = project.record("1 / 0\n")
    assert dict(record.versions).keys() >= {"Python", "System", "wheatpaste"}
    assert (record.pid, record.thread) == (os.getpid(), threading.current_thread().name)
    assert record.host


def test_a_record_becomes_json_and_back(project: Project) -> None:
    record = project.record("def f(n):\n    return f(n + 1)\nf(0)\n")
    assert ErrorRecord.from_data(json.loads(json.dumps(record.to_data()))) == record


def test_a_record_keeps_nothing_of_the_app_alive(project: Project) -> None:
    import gc
    import weakref

    class Thing:
        pass

    thing = Thing()
    error = project.failure("held = thing\nheld.a.b\n", thing=thing)
    record = project.collect(error)
    gone = weakref.ref(thing)
    del error, thing
    gc.collect()
    assert gone() is None
    assert record.exceptions


@pytest.mark.parametrize(("limit", "names"), [(2, ["g", "h"]), (0, []), (-1, []), (100, ["<module>", "f", "g", "h"])])
def test_tracebacks_are_as_long_as_sys_tracebacklimit_wants(
    project: Project, monkeypatch: pytest.MonkeyPatch, limit: int, names: list[str]
) -> None:
    error = project.failure("def f(): g()\ndef g(): h()\ndef h(): 1 / 0\nf()\n")
    monkeypatch.setattr(sys, "tracebacklimit", limit, raising=False)
    assert [frame.function for frame in project.collect(error).raised.frames] == names


def test_frames_of_this_package_are_left_out() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        raise ValueError("a")

    from wheatpaste.middleware.errors.catch import Catcher

    seen: list[BaseException] = []

    class Desk:
        def collect(self, error: BaseException, environ: Any, *, phase: Any) -> Any:
            seen.append(error)
            raise error

    error = failure_of(Catcher(app, Desk(), None), {}, None)  # type: ignore[arg-type]
    assert seen == [error]
    modules = [frame.module for frame in collect(error).raised.frames]
    assert not any(module.startswith("wheatpaste.middleware.errors") for module in modules)
