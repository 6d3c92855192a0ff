"""Request heads: from bytes to an environ and to how the message is framed.

Grammar is llhttp's business, and what it lets pass but HTTP forbids is ours: the target, Host, doubled fields, sizes,
codings, expectations. Clients repeat themselves, so lines that were accepted once are remembered with what they mean:
a head of known lines needs no parser. Fields are lines of their own meaning (folded ones are refused), so a line that
is acceptable in one head is so in every other; what depends on its neighbours is judged for each head anew.
"""

from __future__ import annotations

import logging
import re
from typing import Any, NamedTuple

import httptools

from ...protocol.wsgi import Environ
from ..forecast import Forecast, Pace
from ..settings import Settings
from .refusals import Refused
from .targets import is_authority, read_request_line

log = logging.getLogger("wheatpaste.server.heads")

_REMEMBERED_LINES = 2048
_REMEMBERED_REQUESTS = 512
_LONGEST_REMEMBERED = 512
_REMEMBERED_BLOCKS = 256
_LONGEST_BLOCK = 1024

# Fields that have a say in more than the environ.
(
    _PLAIN,
    _HOST,
    _KEEPING,
    _COOKIE,
    _LENGTH,
    _CODING,
    _CONNECTION,
    _EXPECT,
    _SINGLE,
    _FORWARDING,
    _DROPPED,
) = range(11)
_KINDS = {
    "host": _HOST,
    "content-length": _LENGTH,
    "transfer-encoding": _CODING,
    "connection": _CONNECTION,
    "expect": _EXPECT,
    "content-type": _SINGLE,
    "cookie": _COOKIE,
    "forwarded": _FORWARDING,
    "x-real-ip": _FORWARDING,
    # httpoxy: programs that an app starts would take HTTP_PROXY for their own setting.
    "proxy": _DROPPED,
}
# Never remembered: whether a guess was seen before could be told from the time that it takes. They are read by the
# same grammar as llhttp's (RFC 9110 section 5.5).
_PRIVATE = re.compile(rb"(?i:(cookie|authorization|proxy-authorization|x-api-key)):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_PRIVATE_KINDS = {
    b"cookie": ("HTTP_COOKIE", _COOKIE),
    b"authorization": ("HTTP_AUTHORIZATION", _PLAIN),
    b"proxy-authorization": ("HTTP_PROXY_AUTHORIZATION", _PLAIN),
    b"x-api-key": ("HTTP_X_API_KEY", _PLAIN),
}


class Framing(NamedTuple):
    """How the message ends and what happens afterwards."""

    keep_alive: bool
    length: int = 0
    chunked: bool = False
    expects: bool = False
    """The client waits for 100 Continue before it sends the body."""
    forwarding: bool = False
    """There are forwarding headers, to be believed or removed."""


class Fields(NamedTuple):
    """The header fields of a request: as they were sent, and what they mean."""

    block: bytes
    is_1_0: bool
    environ: Environ
    framing: Framing


KEEP = Framing(keep_alive=True)
"""Of most requests: no body, and another request may follow."""
CLOSE = Framing(keep_alive=False)


class Kind:
    """What a request line says, and what requests of its like take."""

    __slots__ = ("authority", "environ", "is_1_0", "is_head", "is_plain", "pace")

    def __init__(self, environ: Environ, pace: Pace, authority: str | None) -> None:
        self.environ = environ
        self.pace = pace
        self.authority = authority
        self.is_1_0 = environ["SERVER_PROTOCOL"] == "HTTP/1.0"
        self.is_head = environ["REQUEST_METHOD"] == "HEAD"
        self.is_plain = not (self.is_1_0 or self.is_head)


class HeadReader:
    """Reads the heads of one listener's requests."""

    def __init__(self, base: Environ, settings: Settings, forecast: Forecast) -> None:
        self._base = base
        self._limits = settings.limits
        self._require_host = settings.require_host
        self._header_map = settings.header_map
        self._prefix = settings.url_prefix
        self._forecast = forecast
        self._requests: dict[bytes, Kind] = {}
        self._lines: dict[bytes, tuple[str, str, int]] = {}
        # All fields of a head at once, for new connections, of which each begins with those of the one before; by the
        # block as it was sent, once for HTTP/1.1 and once for 1.0.
        self._blocks: tuple[dict[bytes, tuple[Environ, Framing]], ...] = ({}, {})
        self._underscores: set[str] = set()

    def read(self, data: bytes, end: int, last: Fields | None, facts: Environ) -> tuple[Environ, Kind, Fields]:
        """Read the head that ``data`` begins with; ``end`` is where its empty line begins. Raises ``Refused``.

        ``last`` are the fields of the request before, on the same connection: most clients send them again. ``facts``
        are further keys of the environ, the same for all requests of a connection.
        """
        cut = data.find(b"\r\n")
        first = data[:cut]
        known = self._requests.get(first)
        if known is None:
            known = self._read_first(first)
        block = data[cut + 2 : end]
        if last is None or last.block != block or last.is_1_0 != known.is_1_0:
            environ, framing = self._blocks[known.is_1_0].get(block) or self._read_fields(block, known)
            last = Fields(block, known.is_1_0, facts | environ, framing)
        environ = known.environ.copy()
        environ.update(last.environ)
        if known.authority is not None:
            environ["HTTP_HOST"] = known.authority
        return environ, known, last

    def kind_of(self, data: bytes) -> Kind | None:
        """What the request line says that ``data`` begins with, if it can be served at all."""
        try:
            return self._read_first(data[: data.find(b"\r\n")])
        except Refused:
            return None

    def _read_fields(self, block: bytes, known: Kind) -> tuple[Environ, Framing]:
        lines = block.split(b"\r\n") if block else []
        if len(lines) > self._limits.fields:
            raise Refused(431, "fields", f"The request has more than {self._limits.fields} header fields.")
        environ: Environ = {}
        remembered = self._lines.get
        is_private = False
        hosts = 0
        special: list[tuple[str, str, int]] | None = None
        entries = None
        for line in lines:
            entry = remembered(line)
            if entry is None:
                private = _PRIVATE.fullmatch(line)
                if private is not None:
                    entry = _private_entry(private)
                    is_private = True
                else:
                    if entries is None:
                        entries = self._read_lines(lines, known)
                    entry = entries[line]
            key, value, kind = entry
            if not kind:
                if key in environ:
                    environ[key] += f", {value}"
                else:
                    environ[key] = value
            elif kind == _HOST:
                hosts += 1
                environ[key] = value
            elif kind == _COOKIE:
                environ[key] = f"{environ[key]}; {value}" if key in environ else value
            elif kind == _KEEPING and not known.is_1_0:
                environ[key] = value  # what HTTP/1.1 does anyway; most browsers say it
            elif special is None:
                special = [entry]
            else:
                special.append(entry)
        if hosts != 1:
            if hosts:
                raise Refused(400, "host-twice", "The request has more than one Host.")
            if not known.is_1_0 and self._require_host:
                raise Refused(400, "host-missing", "The request has no Host.")
        if special is not None:
            framing = self._frame(environ, special, known)
        else:
            framing = CLOSE if known.is_1_0 else KEEP
        if entries is None and not is_private and len(block) <= _LONGEST_BLOCK:
            # Each line was known before: what is different in every head (an identifier, a length) is not kept.
            blocks = self._blocks[known.is_1_0]
            if len(blocks) >= _REMEMBERED_BLOCKS:
                blocks.clear()
            blocks[block] = environ, framing
        return environ, framing

    def _read_first(self, line: bytes) -> Kind:
        if len(line) > self._limits.request_line:
            raise Refused(414, "request-line-size", "The request line is too long.")
        request = read_request_line(line)
        environ = self._base.copy()
        path = request.path
        if self._prefix:
            environ["SCRIPT_NAME"] = self._prefix
            if path == self._prefix or path.startswith(f"{self._prefix}/"):
                path = path[len(self._prefix) :]
        environ["REQUEST_METHOD"] = request.method
        environ["PATH_INFO"] = path
        environ["QUERY_STRING"] = request.query
        environ["REQUEST_URI"] = environ["RAW_URI"] = request.target
        environ["SERVER_PROTOCOL"] = request.version
        pace = self._forecast.pace_of(request.method, path)
        known = Kind(environ, pace, request.authority)
        if len(line) <= _LONGEST_REMEMBERED:
            if len(self._requests) >= _REMEMBERED_REQUESTS:
                self._requests.clear()
            self._requests[line] = known
        return known

    def _read_lines(self, lines: list[bytes], known: Kind) -> dict[bytes, tuple[str, str, int]]:
        """Read all lines of a head, where at least one was never seen."""
        found: dict[bytes, tuple[str, str, int]] = {}
        # The whole head, because some rules (length and coding, for one) join several lines.
        fields = _parse(lines, "1.0" if known.is_1_0 else "1.1")
        for line, (name, value) in zip(lines, fields, strict=True):
            entry = self._lines.get(line)
            if entry is None:
                entry = self._entry(name.decode("ascii"), value.strip(b" \t").decode("latin-1"))
                is_private = _PRIVATE.fullmatch(line) is not None
                if len(line) <= _LONGEST_REMEMBERED and entry[2] != _CODING and not is_private:
                    if len(self._lines) >= _REMEMBERED_LINES:
                        self._lines.clear()
                    self._lines[line] = entry
            found[line] = entry
        return found

    def _entry(self, name: str, value: str) -> tuple[str, str, int]:
        lowered = name.lower()
        kind = _KINDS.get(lowered, _PLAIN)
        key = f"HTTP_{name.upper().replace('-', '_')}"
        if "_" in lowered:
            if _KINDS.get(lowered.replace("_", "-")) in (_HOST, _LENGTH, _CODING, _SINGLE):
                raise Refused(400, "underscore", f"{name} is no header field of HTTP.")
            if self._header_map == "refuse":
                raise Refused(400, "underscore", f"Header names with an underscore are refused: {name}.")
            # Never one that would be read as a proxy's: those are removed, or believed, by their proper names.
            looks = lowered.replace("_", "-")
            if self._header_map == "drop" or looks in _KINDS or looks.startswith("x-forwarded-"):
                self._tell_dropped(name)
                kind = _DROPPED
        elif lowered.startswith("x-forwarded-"):
            kind = _FORWARDING
        elif kind == _CONNECTION:
            if value.lower() == "keep-alive":
                kind = _KEEPING
        elif kind == _HOST:
            if not is_authority(value):
                raise Refused(400, "host", "The Host of the request is not valid.")
        elif kind == _LENGTH:
            if not (value.isascii() and value.isdigit()):
                raise Refused(400, "length", "The Content-Length of the request is not a number.")
            if len(value) > 19:
                raise Refused(413, "length", "The request body is too large.")
            key = "CONTENT_LENGTH"
        elif kind == _SINGLE:
            key = "CONTENT_TYPE"
        return key, value, kind

    def _tell_dropped(self, name: str) -> None:
        if name not in self._underscores and len(self._underscores) < 100:
            self._underscores.add(name)
            log.info("header fields with an underscore are dropped: %r (said once)", name)

    def _frame(self, environ: Environ, special: list[tuple[str, str, int]], known: Kind) -> Framing:
        keep_alive = not known.is_1_0
        length: int | None = None
        chunked = expects = forwarding = False
        for key, value, kind in special:
            if kind == _DROPPED:
                continue
            if kind == _LENGTH:
                if length is not None:
                    raise Refused(400, "length-twice", "The request has more than one Content-Length.")
                length = int(value)
                environ[key] = value
                continue
            if kind == _SINGLE:
                if key in environ:
                    raise Refused(400, "content-type-twice", "The request has more than one Content-Type.")
                environ[key] = value
                continue
            environ[key] = f"{environ[key]}, {value}" if key in environ else value
            if kind == _CODING:
                if known.is_1_0:
                    raise Refused(400, "coding-1.0", "HTTP/1.0 has no Transfer-Encoding.")
                if chunked:
                    raise Refused(400, "coding-twice", "The request has more than one Transfer-Encoding.")
                if value.lower() != "chunked":
                    raise _coding_refusal(value)
                chunked = True
            elif kind == _EXPECT:
                if value.lower() != "100-continue":
                    raise Refused(417, "expect", "Only 100-continue can be expected.")
                expects = not known.is_1_0
            elif kind == _FORWARDING:
                forwarding = True
        if chunked:
            if length is not None:
                raise Refused(400, "length-and-coding", "The request has both Content-Length and Transfer-Encoding.")
            # The app gets the decoded body and its length.
            del environ["HTTP_TRANSFER_ENCODING"]
        if "HTTP_CONNECTION" in environ:
            options = [word.strip() for word in environ["HTTP_CONNECTION"].lower().split(",")]
            if "close" in options:
                keep_alive = False
            elif "keep-alive" in options:
                keep_alive = True
        if length is not None and length > self._limits.body:
            raise Refused(413, "body", f"exceeds max_body of {self._limits.body}")
        return Framing(keep_alive, length or 0, chunked, expects and (chunked or bool(length)), forwarding)


def _private_entry(match: re.Match[bytes]) -> tuple[str, str, int]:
    key, kind = _PRIVATE_KINDS[match[1].lower()]
    return key, match[2].rstrip(b" \t").decode("latin-1"), kind


def _coding_refusal(value: str) -> Refused:
    codings = [word.strip().lower() for word in value.split(",")]
    if not all(codings) or "chunked" in codings[:-1]:
        return Refused(400, "coding", "The Transfer-Encoding of the request is malformed.")
    return Refused(501, "coding", "Transfer-Encodings other than chunked are not supported.")


class _Fields:
    """What llhttp reports of a head."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_header(self, name: bytes, value: bytes | None) -> None:
        self.fields.append((name, value or b""))

    def on_headers_complete(self) -> None:
        self.complete = True


def _parse(lines: list[bytes], version: str) -> list[tuple[bytes, bytes]]:
    """Have llhttp read the fields, below a request line of ours: theirs was read already. Raises ``Refused``."""
    fields = _Fields()
    parser: Any = httptools.HttpRequestParser(fields)
    try:
        parser.feed_data(f"POST / HTTP/{version}\r\n".encode("ascii") + b"\r\n".join(lines) + b"\r\n\r\n")
    except httptools.HttpParserUpgrade:
        pass  # we never upgrade, and the head was read to its end
    except httptools.HttpParserError as error:
        if not fields.complete:
            raise Refused(400, "grammar", f"The head of the request is malformed ({error}).") from error
        # Late: something about the framing, which is judged here or by whoever reads the body.
    if not fields.complete or len(fields.fields) != len(lines):
        raise Refused(400, "grammar", "The head of the request is malformed.")
    return fields.fields
