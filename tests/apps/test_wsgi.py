"""Apps that exist already, mounted by their name in Python."""

import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from wheatpaste.apps.wsgi import Wsgi, app_factory
from wheatpaste.config.problems import ConfigError


def answer(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"here"]


async def asgi(scope: Any, receive: Any, send: Any) -> None: ...


def create() -> Any:
    return answer


def broken() -> Any:
    raise RuntimeError("the app's own mistake")


@pytest.fixture(autouse=True)
def shop() -> Iterator[types.ModuleType]:
    module = types.ModuleType("a_shop_for_tests")
    module.__dict__.update(
        answer=answer, asgi=asgi, create=create, broken=broken, number=3, site=types.SimpleNamespace(app=answer)
    )
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


@pytest.mark.parametrize(
    ("text", "more"),
    [("answer", {}), ("site.app", {}), ("create", {"factory": "yes"})],
    ids=["an object of the module", "a dotted object", "what a factory returns"],
)
def test_it_is_the_object_itself(text: str, more: dict[str, str]) -> None:
    assert app_factory({}, app=f"a_shop_for_tests:{text}", **more) is answer


@pytest.mark.parametrize(
    ("text", "more", "phrase"),
    [
        ("number", {}, "is of type int, not a WSGI application"),
        ("number", {"factory": "yes"}, "cannot be called, although `factory = true`"),
        ("asgi", {}, "asynchronous"),
        ("create", {}, "as WSGI applications do; `factory = true` calls it for the application"),
        ("nope", {}, "cannot be imported (AttributeError"),
    ],
)
def test_what_is_no_app_stops_the_start(text: str, more: dict[str, str], phrase: str) -> None:
    with pytest.raises(ConfigError) as caught:
        app_factory({}, app=f"a_shop_for_tests:{text}", **more)
    assert phrase in str(caught.value)


def test_an_error_of_the_apps_own_factory_travels_untouched() -> None:
    with pytest.raises(RuntimeError, match="own mistake"):
        app_factory({}, app="a_shop_for_tests:broken", factory="yes")


def test_from_python_it_hands_requests_over() -> None:
    assert Wsgi(app=answer)({}, lambda *_: None) == [b"here"]
