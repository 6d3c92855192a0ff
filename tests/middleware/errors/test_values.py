"""Values as text: bounded, without secrets, and never at the mercy of the value."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import datetime
import decimal
import enum
import functools
import os
import pathlib
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from wheatpaste.middleware.errors.collect import readers
from wheatpaste.middleware.errors.collect.settings import Collecting
from wheatpaste.middleware.errors.collect.values import Budget, show

SECRET = "hunter2-77"
_BOUND = 400 + 200


class Plain:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Slotted:
    __slots__ = ("empty", "name")

    def __init__(self) -> None:
        self.name = "ann"


@dataclasses.dataclass
class User:
    name: str
    note: str = dataclasses.field(default="hidden", repr=False)


class Point(NamedTuple):
    x: int
    y: int


class Colour(enum.Enum):
    RED = 1


class OwnList(list[int]):
    pass


class OwnText(str):
    pass


class Says:
    def __init__(self, say: Callable[[], Any]) -> None:
        self._say = say

    def __repr__(self) -> str:
        return self._say()  # type: ignore[no-any-return]


def shown(value: object, name: str = "value") -> str:
    budget = Budget(Collecting(seconds=30))  # whatever else this machine does
    try:
        return show(name, value, budget).text
    finally:
        budget.close()


def local_function() -> None:
    """Is shown by its name."""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(None, "None", id="None"),
        pytest.param(True, "True", id="a truth value"),
        pytest.param(12345, "12345", id="a number"),
        pytest.param(0.5, "0.5", id="a fraction"),
        pytest.param("it's", '"it\'s"', id="a text"),
        pytest.param(b"\x00a", "b'\\x00a'", id="bytes"),
        pytest.param(bytearray(b"a"), "bytearray(b'a')", id="a bytearray"),
        pytest.param([1, "a", None], "[1, 'a', None]", id="a list"),
        pytest.param((1,), "(1,)", id="a tuple of one"),
        pytest.param((), "()", id="an empty tuple"),
        pytest.param({1}, "{1}", id="a set"),
        pytest.param(set(), "set()", id="an empty set"),
        pytest.param(frozenset({1}), "frozenset({1})", id="a frozenset"),
        pytest.param({"a": {2: []}}, "{'a': {2: []}}", id="dicts"),
        pytest.param({"a": 1}.keys(), "dict_keys(['a'])", id="keys"),
        pytest.param({"a": 1}.values(), "dict_values({'a': 1})", id="values, with the keys that tell what they are"),
        pytest.param({"a": 1}.items(), "dict_items([('a', 1)])", id="items"),
        pytest.param(types.MappingProxyType({"a": 1}), "mappingproxy({'a': 1})", id="a read-only view"),
        pytest.param(collections.OrderedDict(a=1), "OrderedDict({'a': 1})", id="an ordered dict"),
        pytest.param(collections.Counter("aa"), "Counter({'a': 2})", id="a counter"),
        pytest.param(collections.defaultdict(list, a=[1]), "defaultdict({'a': [1]})", id="a defaultdict"),
        pytest.param(collections.deque([1, 2]), "deque([1, 2])", id="a deque"),
        pytest.param(types.SimpleNamespace(a=1), "namespace(a=1)", id="a namespace"),
        pytest.param(
            functools.partial(len, [1], a=2), "partial(<built-in function len>, *([1],), **{'a': 2})", id="a partial"
        ),
        pytest.param(Point(1, 2), "Point(x=1, y=2)", id="a named tuple"),
        pytest.param(User("ann"), "User(name='ann')", id="a dataclass, without what it does not show"),
        pytest.param(Colour.RED, "Colour.RED", id="an enum"),
        pytest.param(datetime.date(2026, 1, 2), "datetime.date(2026, 1, 2)", id="a date"),
        pytest.param(decimal.Decimal("1.50"), "Decimal('1.50')", id="a decimal"),
        pytest.param(pathlib.PurePosixPath("/a"), "PurePosixPath('/a')", id="a path"),
        pytest.param(range(3), "range(0, 3)", id="a range"),
        pytest.param(ValueError("no", 1), "ValueError('no', 1)", id="an exception"),
        pytest.param(OwnList([1]), "OwnList([1])", id="a subclass of list"),
        pytest.param(OwnText("a"), "OwnText('a')", id="a subclass of str"),
        pytest.param(Plain(a=1, b=Plain(c=2)), "<Plain a=1, b=<Plain c=2>>", id="an object without a repr"),
        pytest.param(Plain(), "<Plain>", id="an object without attributes"),
        pytest.param(Slotted(), "<Slotted name='ann'>", id="an object with slots, one of them empty"),
        pytest.param(Says(lambda: "<Order 7>"), "<Order 7>", id="an object with a repr"),
        pytest.param(local_function, "<function local_function>", id="a function"),
        pytest.param(len, "<built-in function len>", id="a built-in function"),
        pytest.param([].append, "<built-in function list.append>", id="a method of a list"),
        pytest.param(sys, "<module sys>", id="a module"),
        pytest.param(User, f"<class {__name__}.User>", id="a class"),
        pytest.param((x for x in ()), "<generator <genexpr>>", id="a generator"),
    ],
)  # fmt: skip
def test_it_shows(value: object, text: str) -> None:
    assert shown(value) == text


def _deep(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def _circle() -> list[Any]:
    value: list[Any] = [1]
    value.append({"again": value})
    return value


HUGE: list[Any] = [
    pytest.param(lambda: list(range(1_000_000)), "[0, 1, 2", "999,9", id="a list of a million numbers"),
    pytest.param(lambda: dict.fromkeys(range(1_000_000)), "{0: None", "more", id="a dict with a million keys"),
    pytest.param(lambda: set(range(1_000_000)), "{", "more", id="a set of a million numbers"),
    pytest.param(lambda: "x" * 100_000_000, "'xxx", "(100,000,000 characters)", id="a text of 100 MB"),
    pytest.param(lambda: b"x" * 100_000_000, "b'xxx", "(100,000,000 bytes)", id="100 MB"),
    pytest.param(lambda: ["x" * 10_000] * 10_000, "['xxx", "more", id="a list of long texts"),
    pytest.param(lambda: 10**100_000, "<int of 332,193 bits>", "", id="a number with 100,000 digits"),
    pytest.param(lambda: _deep(50_000), "[[[", "1 items", id="lists nested 50,000 deep"),
    pytest.param(_circle, "[1, {'again': [...]}]", "", id="a list that holds itself"),
    pytest.param(lambda: [[[[0] * 100] * 100] * 100] * 100, "[[[[0, 0", "more", id="lists of lists of lists"),
    pytest.param(lambda: Plain(**{f"a{n}": n for n in range(100_000)}), "<Plain a0=0", "more", id="100,000 attributes"),
    pytest.param(lambda: Says(lambda: "x" * 100_000_000), "xxx", "(100,000,000 characters)", id="a repr of 100 MB"),
    pytest.param(lambda: OwnText("x" * 1_000_000), "OwnText('xxx", "characters", id="a long subclass of str"),
    pytest.param(lambda: Plain(**{"a" * 100_000: 1}), "<Plain aaa", "", id="a name of 100,000 characters"),
]


@pytest.mark.parametrize(("make", "begins", "ends"), HUGE)
def test_row_17_a_huge_value_stops_early(make: Callable[[], Any], begins: str, ends: str) -> None:
    value = make()
    began = time.process_time()
    text = shown(value)
    assert time.process_time() - began < 0.5
    assert text.startswith(begins)
    assert ends in text
    assert len(text) <= _BOUND


def _raise(error: BaseException) -> Any:
    raise error


def _recurse() -> str:
    return repr(Says(_recurse))


class _Lying:
    @property
    def __class__(self) -> Any:
        raise RuntimeError("not yours")

    @__class__.setter
    def __class__(self, value: Any) -> None: ...


class _Meta(type):
    def __getattribute__(cls, name: str) -> Any:
        raise RuntimeError(name)

    def __hash__(cls) -> int:
        raise RuntimeError("hash")

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError("eq")

    def __instancecheck__(cls, instance: Any) -> bool:
        raise SystemExit("instance")

    def __repr__(cls) -> str:
        raise RuntimeError("repr")


class _Hostile(metaclass=_Meta):
    pass


class _Answers:
    """Answers to any name, and ends the process when it is asked."""

    def __getattr__(self, name: str) -> Any:
        raise SystemExit(name)


class _NoDict:
    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("none")


class _LongList(list[int]):
    def __iter__(self) -> Iterator[int]:
        raise RuntimeError("no")

    def __len__(self) -> int:
        return -1


class _Equal(str):
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("eq")

    def __hash__(self) -> int:
        return 1


BROKEN: list[Any] = [
    pytest.param(lambda: Says(lambda: _raise(ValueError("x"))), "repr raises ValueError", id="raises"),
    pytest.param(lambda: Says(lambda: _raise(BaseException("x"))), "raises BaseException", id="raises BaseException"),
    pytest.param(lambda: Says(lambda: _raise(KeyboardInterrupt())), "repr raises KeyboardInterrupt", id="interrupts"),
    pytest.param(lambda: Says(lambda: sys.exit(3)), "repr raises SystemExit", id="exits"),
    pytest.param(lambda: Says(lambda: _raise(GeneratorExit())), "repr raises GeneratorExit", id="ends a generator"),
    pytest.param(lambda: Says(lambda: 3), "repr raises TypeError", id="returns a number"),
    pytest.param(lambda: Says(lambda: None), "repr raises TypeError", id="returns nothing"),
    pytest.param(lambda: Says(_recurse), "repr raises RecursionError", id="recurses"),
    pytest.param(_Lying, "<_Lying>", id="lies about its class"),
    pytest.param(_Hostile, "<_Hostile>", id="has a hostile metaclass"),
    pytest.param(lambda: _Hostile, "_Hostile>", id="is a class with a hostile metaclass"),
    pytest.param(_Answers, "<_Answers>", id="answers to any name"),
    pytest.param(_NoDict, "<_NoDict>", id="has no dict to show"),
    pytest.param(lambda: _LongList([1, 2]), "_LongList([1, 2])", id="is a list that cannot be iterated"),
    pytest.param(lambda: {_Equal("a"): 1}, "_Equal('a')", id="has a key that cannot be compared"),
    pytest.param(lambda: "\ud800", "'\\ud800'", id="is half of a surrogate pair"),
    pytest.param(lambda: Says(lambda: "\x1b[2J\ud800\u202e\r\n"), "\\x1b[2J\\ud800\\u202e\n", id="acts"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "text"), BROKEN)
def test_row_15_a_value_that(make: Callable[[], Any], text: str) -> None:
    got = shown(make())
    assert text in got
    got.encode("utf-8")


def test_row_15_a_repr_that_sleeps_is_not_waited_for() -> None:
    wake = threading.Event()
    budget = Budget(Collecting(seconds=0.06))
    began = time.monotonic()
    first = show("first", Says(lambda: str(wake.wait(30))), budget)
    second = show("second", Says(lambda: str(wake.wait(30))), budget)
    took = time.monotonic() - began
    wake.set()
    assert "takes too long" in first.text
    assert "takes too long" in second.text
    assert took < 5  # and not 60


def test_row_15_only_a_few_threads_may_hang_at_a_time() -> None:
    wake = threading.Event()
    values = [type(f"Slow{number}", (Says,), {})(lambda: str(wake.wait(30))) for number in range(10)]
    texts = []
    try:
        for value in values:
            texts.append(show("value", value, Budget(Collecting(seconds=0.03))).text)
        hanging = sum(thread.name == "wheatpaste-errors-reader" for thread in threading.enumerate())
    finally:
        wake.set()
    assert hanging == readers._MOST_HANGING
    assert "too many reprs hang" in texts[-1]
    _until(lambda: readers._hanging == 0)
    assert shown(Says(lambda: "well again")) == "well again"


def test_row_15_all_reprs_of_a_record_share_one_time() -> None:
    budget = Budget(Collecting(seconds=0.0))
    assert "no time was left" in show("value", Says(lambda: "x"), budget).text
    assert show("value", [1, 2], budget).text == "[1, 2]"


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_no_thread_stays_when_the_record_is_done() -> None:
    before = threading.active_count()
    for _ in range(20):
        assert shown(Says(lambda: "here")) == "here"
    _until(lambda: threading.active_count() <= before)
    show("value", Says(lambda: "x"), Budget())  # and nobody has closed this one
    _until(lambda: threading.active_count() <= before)


def test_a_repr_sees_the_context_variables_of_the_request() -> None:
    import contextvars

    variable = contextvars.ContextVar("variable", default="nobody")
    variable.set("ann")
    assert shown(Says(variable.get)) == "ann"


def test_an_interrupt_by_a_person_still_arrives() -> None:
    import signal

    def interrupt() -> str:
        signal.raise_signal(signal.SIGINT)
        return str(threading.Event().wait(0.5))

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            show("value", Says(interrupt), Budget(Collecting(seconds=30)))
    finally:
        signal.signal(signal.SIGINT, before)


# --- lazy objects ----------------------------------------------------------------------------------------------------


class QuerySet:
    def __repr__(self) -> str:
        raise AssertionError("a query was run")

    __len__ = __iter__ = __bool__ = __repr__  # type: ignore[assignment]


def test_a3_17_a_lazy_object_is_named_and_not_asked() -> None:
    asked = []

    class LocalProxy:
        def __getattribute__(self, name: str) -> Any:
            asked.append(name)
            raise RuntimeError(name)

        def __repr__(self) -> str:
            asked.append("repr")
            return "x"

    assert shown(LocalProxy()) == "<LocalProxy: not evaluated>"
    assert shown(type("Orders", (QuerySet,), {})()) == "<Orders: not evaluated>"
    assert shown([QuerySet()]) == "[<QuerySet: not evaluated>]"
    assert not asked


def test_a3_17_the_lazy_objects_of_frameworks_are_not_asked() -> None:
    from django.utils.functional import SimpleLazyObject, lazystr
    from werkzeug.local import LocalProxy

    asked: list[str] = []

    def load() -> str:
        asked.append("loaded")
        return "user"

    for value in (SimpleLazyObject(load), LocalProxy(load), lazystr("x")):
        assert "not evaluated" in shown(value)
    assert not asked


def test_a3_17_a_row_is_shown_by_what_it_has_loaded() -> None:
    class Model:
        def __init__(self) -> None:
            self.__dict__.update(_sa_instance_state=None, id=7)

        def __repr__(self) -> str:
            raise AssertionError("the author was loaded")

    assert "id=7" in shown(Model())


def test_what_is_only_called_a_query_is_shown() -> None:
    @dataclasses.dataclass
    class Query:
        text: str

    class ReverseProxy:
        def __init__(self) -> None:
            self.upstream = "http://app"

    class OrderQuery:
        def __iter__(self) -> Any:
            raise AssertionError("a query was run")

        def __repr__(self) -> str:
            raise AssertionError("a query was run")

    assert shown(Query("tea")) == "Query(text='tea')"
    assert shown(ReverseProxy()) == "<ReverseProxy upstream='http://app'>"
    assert shown(OrderQuery()) == "<OrderQuery: not evaluated>"


def test_a_property_is_not_computed() -> None:
    class Basket:
        items = 3

        @property
        def total(self) -> int:
            raise AssertionError("computed")

    assert shown(Basket()) == "<Basket>"


def test_what_changes_while_it_is_read_does_no_harm() -> None:
    values = dict.fromkeys(range(100))
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            values[len(values)] = None
            with contextlib.suppress(KeyError):
                del values[0]

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(200):
            assert shown(values).startswith("{")
    finally:
        stop.set()
        thread.join()


# --- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param({"password": SECRET}, "{'password': [redacted: str, 10 chars]}", id="under a key"),
        pytest.param(Plain(token=SECRET), "<Plain token=[redacted: str, 10 chars]>", id="under an attribute"),
        pytest.param([("Cookie", SECRET)], "[('Cookie', [redacted: str, 10 chars])]", id="in a pair"),
        pytest.param(["-p", 1, "--password", SECRET], "'--password', [redacted: str, 10 chars]]", id="in argv"),
        pytest.param({"a": f"x://u:{SECRET}@h"}, "{'a': 'x://u:[redacted: str, 10 chars]@h'}", id="in a URL"),
        pytest.param({"name": "token", "value": SECRET}, "'value': [redacted", id="in a row of name and value"),
        pytest.param({"tokens": [SECRET]}, "{'tokens': [redacted: list, 1 items]}", id="in a list under a key"),
        pytest.param({"password": None, "token": ""}, "{'password': None, 'token': ''}", id="where there is none"),
    ],
)  # fmt: skip
def test_it_hides_a_secret(value: object, text: str) -> None:
    got = shown(value)
    assert text in got
    assert SECRET not in got


def test_it_hides_the_value_of_a_secret_name_and_remembers_it() -> None:
    budget = Budget()
    assert show("password", SECRET, budget).text == "[redacted: str, 10 chars]"
    assert show("password_check", len, budget).text == "<built-in function len>"
    assert show("key", None, budget).text == "None"
    assert SECRET in dict(budget.known.forms())


def test_a_secret_across_the_end_of_a_text_is_hidden_whole() -> None:
    for length in range(370, 400):
        text = shown("x" * length + f" postgres://ann:{SECRET}@db/")
        assert SECRET[:6] not in text


def test_a3_16_a_value_takes_no_longer_than_its_text() -> None:
    """The whole repr of a large value is never made: its items would all be asked."""
    asked = []

    def ask() -> str:
        asked.append(1)
        return "x"

    shown([Says(ask) for _ in range(100_000)])
    assert len(asked) <= 400


def test_a3_15_locals_with_secrets_are_shown_without_them() -> None:
    budget = Budget()
    variables = {"user": "ann", "password": SECRET, "session": {"id": SECRET}, "url": f"http://a:{SECRET}@h/"}
    texts = [show(name, value, budget).text for name, value in variables.items()]
    assert texts[0] == "'ann'"
    assert not any(SECRET in text for text in texts)


def test_row_15_a_class_whose_repr_hangs_is_asked_once_in_a_process() -> None:
    """Each thread that never comes back takes its share of the interpreter."""
    leave = threading.Event()
    asked = []

    class Hanging:
        def __repr__(self) -> str:
            asked.append(1)
            leave.wait(30)
            return "late"

    try:
        for _ in range(3):
            budget = Budget(Collecting(seconds=0.03))
            assert "too long" in show("value", Hanging(), budget).text
            budget.close()
        assert len(asked) == 1
    finally:
        leave.set()


def test_row_15_the_time_of_a_repr_begins_when_its_thread_has_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine that may take longer than a repr may; it hides nothing then, and costs the others no time."""

    class Late(threading.Thread):
        def run(self) -> None:
            threading.Event().wait(0.5)
            super().run()

    monkeypatch.setattr(threading, "Thread", Late)
    budget = Budget(Collecting(seconds=0.6))
    try:
        assert show("value", Says(lambda: "here"), budget).text == "here"
        assert budget.reader.left > 0.5
    finally:
        budget.close()


FORKING = """
import os, sys, threading
from wheatpaste.middleware.errors.collect.settings import Collecting
from wheatpaste.middleware.errors.collect.values import Budget, show

leave = threading.Event()

class Hanging:
    def __repr__(self):
        leave.wait(30)
        return "well again"

print(show("value", Hanging(), Budget(Collecting(seconds=0.03))).text, flush=True)
child = os.fork()
if not child:
    leave.set()
    print(show("value", Hanging(), Budget(Collecting(seconds=5))).text, flush=True)
    os._exit(0)
os.waitpid(child, 0)
leave.set()
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="only POSIX forks")
def test_row_15_what_hangs_in_a_parent_process_is_asked_again_in_its_child() -> None:
    """The thread that waits there is not here, and so nobody would ever say that it has come back."""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.splitlines() == ["<Hanging (its repr takes too long)>", "well again"]


def test_a_route_of_bottle_is_shown_by_its_type() -> None:
    import bottle

    app = bottle.Bottle()
    app.route("/")(lambda: "")
    budget = Budget(Collecting())
    try:
        assert "Route" in show("route", app.routes[0], budget).text
    finally:
        budget.close()
