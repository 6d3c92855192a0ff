"""Factories of things that have an end, and the record of how they came to it: ``("closed", name)``, in order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

happened: list[tuple[str, str]] = []
hold = threading.Event()
"""What ``close()`` of a thing that hangs waits for."""


class Thing:
    """An app that notes its beginning and its end."""

    def __init__(self, name: str, how: str = "") -> None:
        self.name = name
        self.how = how
        happened.append(("made", name))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [self.name.encode()]

    def close(self) -> None:
        happened.append(("closed", self.name))
        if self.how == "raises":
            raise RuntimeError(f"{self.name} does not close")
        if self.how == "exits":
            raise SystemExit(3)
        if self.how == "hangs":
            hold.wait(30)


class Wrapper(Thing):
    """A filter around an app, that hands out whatever the app has, as many do."""

    def __init__(self, inner: Any, name: str, how: str = "") -> None:
        super().__init__(name, how)
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Transparent:
    """A filter without an end of its own, that hands out its app's."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self.inner(environ, start_response)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Reply:
    """An app that is a class: an instance is the body of one response, and its ``close`` the end of that."""

    def __init__(self, environ: dict[str, Any], start_response: Any) -> None:
        start_response("200 OK", [("Content-Type", "text/plain")])

    def __iter__(self) -> Any:
        yield b"reply"

    def close(self) -> None:
        happened.append(("closed", "a body"))


shared = Thing("shared")


def app(global_conf: dict[str, str], name: str, how: str = "") -> Thing:
    return Thing(name, how)


def filter(global_conf: dict[str, str], name: str, how: str = "") -> Callable[[Any], Any]:
    return lambda inner: Wrapper(inner, name, how)


def filter_app(inner: Any, global_conf: dict[str, str], name: str, how: str = "") -> Any:
    return Wrapper(inner, name, how)


def transparent(global_conf: dict[str, str]) -> Callable[[Any], Any]:
    return Transparent


def does_nothing(global_conf: dict[str, str]) -> Callable[[Any], Any]:
    return lambda inner: inner


def same_again(global_conf: dict[str, str]) -> Thing:
    """The same app each time."""
    return shared


def with_attribute(global_conf: dict[str, str], name: str) -> Any:
    """A function that was given a ``close``."""

    def answer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        return []

    answer.close = lambda: happened.append(("closed", name))  # type: ignore[attr-defined]
    return answer


def asynchronous(global_conf: dict[str, str]) -> Any:
    class Asynchronous(Thing):
        async def close(self) -> None:  # type: ignore[override]
            happened.append(("closed", "asynchronous"))

    return Asynchronous("asynchronous")


def class_as_app(global_conf: dict[str, str]) -> Any:
    return Reply


def fails(global_conf: dict[str, str]) -> Any:
    raise RuntimeError("this factory fails")


def composes(global_conf: dict[str, str], other: str) -> Any:
    """Loads another app by itself, as factories do that know nothing of composites."""
    from wheatpaste import loadapp

    return Transparent(loadapp(other, relative_to=global_conf["here"]))


def composite(loader: Any, global_conf: dict[str, str], name: str, **apps: str) -> Any:
    return Wrapper([loader.get_app(each, global_conf=global_conf) for each in apps.values()], name)
