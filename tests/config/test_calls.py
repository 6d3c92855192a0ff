"""A call that must fail is found by its definition, exactly when Python would refuse it."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.config.calls import POSITIONAL, Mismatch, mismatches


def found_in(source: str, protocol: str = "paste.app_factory", *keys: str) -> list[Mismatch]:
    statement = ast.parse(source).body[0]
    node = statement.value if isinstance(statement, ast.Assign) else statement
    return list(mismatches(node, "shop:make", protocol, keys))


SILENT = {
    "a factory that takes every key": "def make(global_conf, **keys): ...",
    "a factory that takes anything": "def make(*everything, **keys): ...",
    "a decorated factory": "@decorated\ndef make(): ...",
    "a class with a base": "class make(Base): ...",
    "a class of some metaclass": "class make(metaclass=Meta): ...",
    "a class with its own __new__": "class make:\n    def __new__(cls): ...\n    def __init__(self): ...",
    "a class without a constructor": "class make: ...",
    "what a call returns": "make = make_factory()",
    "another global_conf by name": "def make(settings, key=None): ...",
}


@pytest.mark.parametrize("source", SILENT.values(), ids=SILENT)
def test_it_says_nothing_about(source: str) -> None:
    assert found_in(source, "paste.app_factory", "key") == []


REFUSED = {
    "no global_conf": ("def make(): ...", "paste.app_factory", "takes nothing by position"),
    "no loader": ("def make(global_conf): ...", "paste.composite_factory", "takes only global_conf"),
    "no app": ("def make(global_conf): ...", "paste.filter_app_factory", "make(app, global_conf, **keys)"),
    "a constructor without arguments": ("class make:\n    def __init__(self): ...", "paste.app_factory", "by position"),
    "an app": ("def app(environ, start_response): ...", "paste.app_factory", "is a WSGI application"),
    "an app of a class": (
        "class App:\n    def __init__(self, environ, start_response): ...",
        "paste.app_factory",
        "WSGI",
    ),
    "an app of a framework": ("make = flask.Flask(__name__)", "paste.app_factory", "is a WSGI application"),
    "an asynchronous app": ("make = FastAPI()", "paste.app_factory", "asynchronous (ASGI)"),
    "an async function": ("async def make(global_conf): ...", "paste.app_factory", "is async"),
}


@pytest.mark.parametrize(("source", "protocol", "what"), REFUSED.values(), ids=REFUSED)
def test_it_refuses(source: str, protocol: str, what: str) -> None:
    (found,) = found_in(source, protocol)
    assert what in found.what
    assert found.fix


NAMES = ["a", "b", "c", "d"]


@st.composite
def signatures(draw: st.DrawFn) -> str:
    """The parameters of a function, as source."""
    names = draw(st.permutations(["first", *NAMES]))
    count = draw(st.integers(0, 4))
    positional = names[:count]
    optional = draw(st.integers(0, count))
    parts = [name if index < count - optional else f"{name}=None" for index, name in enumerate(positional)]
    if parts and draw(st.booleans()):
        parts.insert(draw(st.integers(1, len(parts))), "/")
    only = names[count : count + draw(st.integers(0, 5 - count))]
    if draw(st.booleans()):
        parts.append("*rest")
    elif only:
        parts.append("*")
    parts += [name if draw(st.booleans()) else f"{name}=None" for name in only]
    if draw(st.booleans()):
        parts.append("**more")
    return ", ".join(parts)


@given(signatures(), st.sampled_from(sorted(POSITIONAL)), st.sets(st.sampled_from([*NAMES, "e"])))
def test_it_refuses_what_python_refuses(parameters: str, protocol: str, keys: set[str]) -> None:
    names: dict[str, Any] = {}
    source = f"def make({parameters}): ..."
    exec(source, names)
    positional = POSITIONAL[protocol]
    try:
        names["make"](*positional, **dict.fromkeys(keys, ""))
        refused = False
    except TypeError:
        refused = True
    assert bool(found_in(source, protocol, *keys)) == refused
