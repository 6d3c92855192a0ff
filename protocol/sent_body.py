"""The body of a request as a client makes it: of bytes, of pieces, of JSON, of a form with or without files."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

Fields = Mapping[str, Any] | Iterable[tuple[str, Any]]
Upload = tuple[str, bytes] | tuple[str, bytes, str]


def sent_body(
    body: bytes | str | Iterable[bytes] | None, form: Fields | None, files: Mapping[str, Upload] | None, json: Any
) -> tuple[bytes | Iterable[bytes] | None, str | None]:
    """What is sent, and its ``Content-Type`` where that follows. Raises ``ValueError`` where several are given."""
    if sum(given is not None for given in (body, json)) + (form is not None or files is not None) > 1:
        raise ValueError("give only one of body, form and json")
    if json is not None:
        from json import dumps

        return dumps(json).encode(), "application/json"
    if files is not None:
        return _multipart(form or {}, files)
    if form is not None:
        return urlencode(_pairs(form)).encode(), "application/x-www-form-urlencoded"
    return (body.encode() if isinstance(body, str) else body), None


def _pairs(form: Fields) -> list[tuple[str, Any]]:
    return list(form.items() if isinstance(form, Mapping) else form)


def _multipart(form: Fields, files: Mapping[str, Upload]) -> tuple[bytes, str]:
    # RFC 7578. No content of a test holds this boundary by accident.
    boundary = "----wheatpaste-testing-7b1f0c9d2e"
    parts: list[tuple[str, bytes]] = [
        (f'form-data; name="{_quoted(name)}"', str(value).encode()) for name, value in _pairs(form)
    ]
    for field, upload in files.items():
        kind = upload[2] if len(upload) > 2 else "application/octet-stream"
        disposition = f'form-data; name="{_quoted(field)}"; filename="{_quoted(upload[0])}"\r\nContent-Type: {kind}'
        parts.append((disposition, upload[1]))
    content = b"".join(
        f"--{boundary}\r\nContent-Disposition: {head}\r\n\r\n".encode() + data + b"\r\n" for head, data in parts
    )
    return content + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _quoted(name: str) -> str:
    """A name inside the quotes of Content-Disposition, as HTML's form submission escapes it."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def read_in_pieces(pieces: Iterable[bytes]) -> io.BufferedReader:
    """A ``wsgi.input`` of what comes in pieces; each is fetched when it is read."""
    return io.BufferedReader(_Pieces(pieces))


class _Pieces(io.RawIOBase):
    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
