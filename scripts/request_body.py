"""The body of a request, put together from options as curl has them: ``-d``, ``-F``, ``--json`` and others."""

from __future__ import annotations

import mimetypes
import re
import secrets
import sys
from argparse import Action, ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

_FORM_ATTRIBUTE = re.compile(r";\s*(type|filename)=(\"[^\"]*\"|.*?)(?=;\s*(?:type|filename)=|$)", re.DOTALL)


class Unreadable(ValueError):
    """A body that cannot be put together; the message says which option, and why."""


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a body and the header fields that belong to it."""

    data: bytes
    headers: dict[str, str]


class _Remember(Action):
    """Keeps options of several names in the order of the command line, because their texts are joined in that order."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        # A new list each time: the default is shared by all command lines that are parsed.
        setattr(namespace, self.dest, [*getattr(namespace, self.dest), (option_string or "", values)])


def arguments(parser: ArgumentParser) -> None:
    """Declare the options that make a body."""
    group = parser.add_argument_group("what is sent (any of these makes the method POST)")

    def add(*names: str, metavar: str, help: str) -> None:
        group.add_argument(*names, action=_Remember, dest="content", default=[], metavar=metavar, help=help)

    add("-d", "--data", metavar="DATA", help="form data, joined by &; @FILE reads it without line ends, @- stdin")
    add("--data-raw", metavar="DATA", help="like -d, and a leading @ means itself")
    add("--data-binary", metavar="DATA", help="like -d, and @FILE is sent as it is")
    add("--data-urlencode", metavar="DATA", help="like -d, and URL-encodes: text, name=text, @FILE or name@FILE")
    add("--json", metavar="JSON", help="JSON, with the headers that say so; @FILE reads it")
    add(
        "-F",
        "--form",
        metavar="NAME=TEXT",
        help="a field of a form with files: name=text, name=@FILE, name=<FILE; ;type= and ;filename=",
    )
    add("--form-string", metavar="NAME=TEXT", help="like -F, and everything after = is text")
    group.add_argument("-G", "--get", action="store_true", help="put the data into the query of a GET instead")


def read_content(given: Sequence[tuple[str, str]]) -> Content | None:
    """The body that these options, in order, come to; None without any. Raises ``Unreadable``."""
    if not given:
        return None
    families = {_family(name) for name, _ in given}
    if len(families) > 1:
        raise Unreadable("give only one of data, JSON and form fields")
    (family,) = families
    if family == "form":
        boundary = f"------------------------{secrets.token_hex(11)}"
        parts = b"".join(_part(name, text, boundary) for name, text in given)
        data = parts + f"--{boundary}--\r\n".encode()
        return Content(data, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
    if family == "json":
        data = b"".join(_at_file(name, text) for name, text in given)
        return Content(data, {"Content-Type": "application/json", "Accept": "application/json"})
    data = b"&".join(_DATA[name](name, text) for name, text in given)
    return Content(data, {"Content-Type": "application/x-www-form-urlencoded"})


def _family(name: str) -> str:
    return "form" if name in ("-F", "--form", "--form-string") else "json" if name == "--json" else "data"


def _read(option: str, name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise Unreadable(f"{option}: {name} cannot be read ({error.strerror})") from error


def _at_file(option: str, text: str) -> bytes:
    return _read(option, text[1:]) if text.startswith("@") else text.encode("utf-8", "surrogateescape")


def _without_line_ends(option: str, text: str) -> bytes:
    data = _at_file(option, text)
    return data.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"") if text.startswith("@") else data


def _raw(option: str, text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _url_encoded(option: str, text: str) -> bytes:
    name, mark, rest = "", "", text
    for index, letter in enumerate(text):
        if letter in "=@":
            name, mark, rest = text[:index], letter, text[index + 1 :]
            break
    data = _read(option, rest) if mark == "@" else rest.encode("utf-8", "surrogateescape")
    encoded = quote_plus(data).encode()
    return name.encode() + b"=" + encoded if name else encoded


_DATA: dict[str, Callable[[str, str], bytes]] = {
    "-d": _without_line_ends,
    "--data": _without_line_ends,
    "--data-raw": _raw,
    "--data-binary": _at_file,
    "--data-urlencode": _url_encoded,
}


def _part(option: str, text: str, boundary: str) -> bytes:
    """One part of ``multipart/form-data`` (RFC 7578)."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise Unreadable(f"{option}: {text!r} has not the form name=text")
    attributes: dict[str, str] = {}
    if option != "--form-string":
        found = list(_FORM_ATTRIBUTE.finditer(value))
        attributes = {each[1]: each[2].strip('"') for each in found}
        value = value[: found[0].start()] if found else value
    kind = attributes.get("type")
    filename = attributes.get("filename")
    if option != "--form-string" and value[:1] in ("@", "<"):
        path = value[1:].strip('"')
        data = _read(option, path)
        if value[0] == "@":
            filename = filename or Path(path).name
            kind = kind or mimetypes.guess_type(filename)[0] or "application/octet-stream"
    else:
        data = value.encode("utf-8", "surrogateescape")
    lines = [f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"']
    if filename is not None:
        lines.append(f'; filename="{_quoted(filename)}"')
    if kind is not None:
        lines.append(f"\r\nContent-Type: {kind}")
    return "".join(lines).encode() + b"\r\n\r\n" + data + b"\r\n"


def _quoted(text: str) -> str:
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
