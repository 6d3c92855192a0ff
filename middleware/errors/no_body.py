"""What an app has given in place of a body, in words that help: the mistakes that everybody makes once (PEP 3333)."""

from __future__ import annotations

from types import CoroutineType, GeneratorType
from typing import Any

_BYTES = "a list of bytes, or whatever else is iterated for bytes"


def is_body(given: Any) -> bool:
    """Whether it can be iterated at all."""
    kind = type(given)
    return kind is not dict and (hasattr(kind, "__iter__") or hasattr(kind, "__getitem__"))


def no_body(given: Any) -> TypeError:
    """The error of an app that has returned this."""
    name = type(given).__name__
    if given is None:
        return TypeError(f"the app has returned None, and not a body: {_BYTES}. Is there a return without a value?")
    if isinstance(given, CoroutineType):
        return TypeError(f"the app is asynchronous ({_code(given.cr_code)}), and a WSGI app is not")
    if isinstance(given, str):
        return TypeError(
            "the app has returned a str, and not a body: encode it and put it into a list, [text.encode()]"
        )
    if isinstance(given, bytes):
        return TypeError("the app has returned bytes, and not a body: put them into a list, [data]")
    return TypeError(f"the app has returned an object of the type {name}, and not a body: {_BYTES}")


def no_piece(piece: Any, body: Any) -> TypeError:
    """The error of an app in whose body there is this."""
    if isinstance(body, str | bytes | dict):
        return no_body(body)
    where = f" (made by {_code(body.gi_code)})" if isinstance(body, GeneratorType) else ""
    what = f"a piece of the body{where} is of the type {type(piece).__name__}, and has to be bytes"
    return TypeError(f"{what}: encode text, as in text.encode()" if isinstance(piece, str) else what)


def _code(code: Any) -> str:
    return f"{code.co_qualname}, {code.co_filename}:{code.co_firstlineno}"
