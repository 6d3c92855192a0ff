"""Apps made of the bodies in ``secrets_corpus``, each in a file of its own, so that its source is shown, too."""

from __future__ import annotations

import dataclasses
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple


class Holder:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Slotted:
    __slots__ = ("name", "password")

    def __init__(self, password: str) -> None:
        self.name = "ann"
        self.password = password


@dataclasses.dataclass
class Data:
    name: str
    password: str


@dataclasses.dataclass
class Hiding:
    name: str
    note: str = dataclasses.field(repr=False)


class Named(NamedTuple):
    name: str
    password: Any


class SecretStr:
    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        return self._value


class Loud(SecretStr):
    def __repr__(self) -> str:
        return f"Loud({self._value!r})"


class Marked(str):
    def __redact__(self) -> str:
        return "hidden"


class Config(dict[str, str]):
    def __repr__(self) -> str:
        return f"<Config {' '.join(f'{name} {value}' for name, value in self.items())}>"


class Shows:
    def __init__(self, name: str, password: str) -> None:
        self.name, self.password = name, password

    def __repr__(self) -> str:
        return f"<Shows {self.name} {self.password}>"


class Says:
    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


class ForSentry:
    def __init__(self, password: str) -> None:
        self.password = password

    def __sentry_repr__(self) -> str:
        return f"<login with {self.password}>"


class Broken:
    def __init__(self, password: str) -> None:
        self.password = password

    def __repr__(self) -> str:
        raise ValueError(self.password)


class LazyUser:
    def __init__(self, value: str) -> None:
        self._wrapped = value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)

    def __repr__(self) -> str:
        return self._wrapped


class Tells:
    def __init__(self, text: str) -> None:
        self.object, self.expression, self.source_url = text, f"login({text})", f"/x/{text}"
        self.line, self.column, self.warnings = 1, 2, [f"with {text}"]

    def getInfo(self) -> str:
        return f"info: {self.object}"

    def extraData(self) -> dict[Any, Any]:
        return {("important", "Login"): self.object, "Other": [self.object]}


def read_form(environ: dict[str, Any]) -> None:
    """As an app does that uses WebOb."""
    import webob

    webob.Request(environ).POST.items()


def rename_thread(name: str) -> None:
    threading.current_thread().name = name


def run_file(path: str) -> None:
    exec(compile("raise ValueError('in a file')", path, "exec"), {})


def login(user: str, password: str) -> None:
    """Does nothing with it."""


def run(command: object) -> None:
    """Does nothing with it."""


_TOOLS = [Holder, Slotted, Data, Hiding, Named, SecretStr, Loud, Marked, Config, Shows, Says, ForSentry, Broken]
_TOOLS += [LazyUser, Tells, read_form, rename_thread, run_file, login, run]


@contextmanager
def app_of(body: str, folder: Path, *, plant: str = "", given: str = "") -> Iterator[Callable[..., Any]]:
    """A WSGI app with this body; ``plant()`` and ``given()`` return these texts there."""
    path = folder / "case.py"
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    path.write_text(f"def app(environ, start_response):\n{lines}", encoding="utf-8")
    module = types.ModuleType("case")
    module.__dict__.update({tool.__name__: tool for tool in _TOOLS})
    module.__dict__.update(plant=lambda: plant, given=lambda: given, __file__=str(path))
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)
    name = threading.current_thread().name
    try:
        yield module.__dict__["app"]
    finally:
        threading.current_thread().name = name
