"""Test WSGI apps in process, without a socket: a client, and a clock that only moves when told to.

::

    from wheatpaste.testing import Client

    client = Client(app)
    response = client.post("/guestbook", form={"name": "Ada"}, follow=True)
    assert response.status == 200
    assert "Ada" in response.text

The client is a strict server of PEP 3333: a second ``start_response`` without ``exc_info``, text where bytes belong or
a header with a line break raise :class:`ProtocolError` instead of passing quietly. What an app raises travels to the
caller; its body is closed once before that. With ``lint=True`` the standard library's ``wsgiref.validate`` stands in
between as well, and a body must have the length that its ``Content-Length`` announces.

With ``stream=True`` the response comes as soon as its headers do, and the body only as it is read::

    with client.get("/export.csv", stream=True) as response:
        first = next(iter(response))

Cookies are kept between requests, per host and path. ``follow=True`` follows redirects as browsers do. ``json=`` and
``files=`` send what they say. Apps with clocks take a :class:`Clock`::

    clock = Clock()
    limit = RateLimit(app, clock=clock.monotonic)
    clock.advance(60)
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_to_bytes, urlencode, urljoin, urlsplit
from wsgiref.headers import Headers
from wsgiref.util import FileWrapper, is_hop_by_hop

from .protocol.wsgi import Body, Environ, ExcInfo, StartResponse, Write, WSGIApp

if TYPE_CHECKING:
    from http.cookiejar import CookieJar
    from typing import Self

__all__ = ["Client", "Clock", "ProtocolError", "Response"]

Fields = Mapping[str, Any] | Iterable[tuple[str, Any]]
Upload = tuple[str, bytes] | tuple[str, bytes, str]

_PORTS = {"http": "80", "https": "443"}
_STATUS = re.compile(r"[1-9][0-9]{2} [^\x00-\x1f\x7f]*")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 section 5.6.2
_FORBIDDEN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 10
# Characters of a target that are sent as they are; ``%`` because what is escaped already stays escaped.
_TARGET_SAFE = "/%:@!$&'()*+,;=-._~[]"


class ProtocolError(AssertionError):
    """The app broke a rule of PEP 3333."""


class Response:
    """What an app answered.

    ``environ`` is the dictionary that the app was called with, ``iterable`` what it returned, ``chunks`` the pieces
    that came so far (``write()`` included, empty ones left out), ``closed`` whether the client has closed the body.
    """

    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange
        self.environ = exchange.environ
        self.iterable = exchange.iterable
        self.status_line = exchange.status
        code, _, self.reason = exchange.status.partition(" ")
        self.status = int(code)
        self.headers = Headers(exchange.headers)

    @property
    def chunks(self) -> list[bytes]:
        """The pieces of the body that came so far."""
        return list(self._exchange.chunks)

    @property
    def closed(self) -> bool:
        """Whether the body was closed."""
        return self._exchange.closed

    @property
    def body(self) -> bytes:
        """The whole body; reads what has not been read yet, and closes it."""
        for _ in self:
            pass
        self.close()
        return b"".join(self._exchange.chunks)

    @property
    def text(self) -> str:
        """The body as text, in the charset of its ``Content-Type`` or UTF-8."""
        charset = re.search(r"charset=\"?([\w.:-]+)", self.headers.get("Content-Type") or "", re.IGNORECASE)
        return self.body.decode(charset[1] if charset else "utf-8")

    def json(self) -> Any:
        """The body, read as JSON."""
        import json

        return json.loads(self.body)

    @property
    def errors(self) -> str:
        """What was written to ``wsgi.errors``."""
        return self._exchange.errors.getvalue()

    def __iter__(self) -> Iterator[bytes]:
        """The pieces of the body from the first one; each is fetched from the app only when it is asked for."""
        return self._exchange.pieces()

    def close(self) -> None:
        """Close the body, as a server does also when the client went away. Once is enough, more do no harm."""
        self._exchange.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<Response {self.status_line!r} {self.headers.get('Content-Type')!r} {state}>"


class Client:
    """Sends requests to an app, in process.

    Paths are below ``script_name``, which the app sees as ``SCRIPT_NAME``. ``host`` may hold a port. ``peer`` is the
    client's address (``REMOTE_ADDR``). ``headers`` and ``environ`` are added to each request. ``lint`` checks more; see
    the module. ``jar`` is where cookies are kept, a new one unless given.
    """

    def __init__(
        self,
        app: WSGIApp,
        *,
        script_name: str = "",
        host: str = "localhost",
        scheme: str = "http",
        peer: str = "127.0.0.1",
        headers: Mapping[str, str] | None = None,
        environ: Mapping[str, Any] | None = None,
        lint: bool = False,
        jar: CookieJar | None = None,
    ) -> None:
        self.app = app
        self.script_name = script_name.rstrip("/")
        self.host = host
        self.scheme = scheme
        self.peer = peer
        self.headers = dict(headers or {})
        self.environ = dict(environ or {})
        self.lint = lint
        self._jar = jar

    def get(self, path: str = "/", **how: Any) -> Response:
        """``GET`` a path; the keywords are those of :meth:`request`."""
        return self.request("GET", path, **how)

    def head(self, path: str = "/", **how: Any) -> Response:
        """``HEAD`` a path; the keywords are those of :meth:`request`."""
        return self.request("HEAD", path, **how)

    def post(self, path: str = "/", **how: Any) -> Response:
        """``POST`` to a path; the keywords are those of :meth:`request`."""
        return self.request("POST", path, **how)

    def request(
        self,
        method: str,
        path: str = "/",
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | Iterable[bytes] | None = None,
        form: Fields | None = None,
        files: Mapping[str, Upload] | None = None,
        json: Any = None,
        environ: Mapping[str, Any] | None = None,
        follow: bool = False,
        stream: bool = False,
        keep: bool = True,
    ) -> Response:
        """Send a request and return the response, read and closed unless ``stream``.

        ``path`` may hold a query, and be a whole URL. ``form`` is sent URL-encoded, with ``files`` (field to file name,
        content and perhaps type) as multipart; ``json`` as JSON; a ``body`` that is neither bytes nor text is sent
        chunked. ``environ`` overrides keys of the environ. Without ``keep`` the pieces of a streamed body are forgotten
        once they were handed out, so that it may be larger than the memory.
        Raises what the app raises, and :class:`ProtocolError`.
        """
        content, content_type = _content(body, form, files, json)
        given = {**self.headers, **(headers or {})}
        if content_type and not any(name.lower() == "content-type" for name in given):
            given["Content-Type"] = content_type
        url = self._url(path)
        response = self._send(method, url, given, content, environ)
        if follow:
            response = self._follow(response, method, url, given, content, environ)
        response._exchange.keep = keep
        return response if stream else self._finish(response)

    def _finish(self, response: Response) -> Response:
        body = response.body  # reading it closes it
        if self.lint:
            _check_length(response, len(body))
        return response

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies kept so far, names to values."""
        return {cookie.name: cookie.value or "" for cookie in self._jar or ()}

    def _url(self, path: str) -> str:
        if re.match(r"https?://", path):
            return path
        return f"{self.scheme}://{self.host}{self.script_name}{path}"

    def _follow(
        self,
        response: Response,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | Iterable[bytes] | None,
        environ: Mapping[str, Any] | None,
    ) -> Response:
        for _ in range(_MOST_REDIRECTS):
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                return response
            target = urljoin(url, location)
            if not self._is_below(target):
                return response
            self._finish(response)
            if response.status == 303 or (response.status in (301, 302) and method == "POST"):
                method, content = ("HEAD" if method == "HEAD" else "GET"), None
                headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
            url = target
            response = self._send(method, url, headers, content, environ)
        self._finish(response)
        raise ProtocolError(f"more than {_MOST_REDIRECTS} redirects, at last to {url}")

    def _is_below(self, url: str) -> bool:
        path = urlsplit(url).path
        return path == self.script_name or path.startswith(f"{self.script_name}/")

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | Iterable[bytes] | None,
        environ: Mapping[str, Any] | None,
    ) -> Response:
        exchange = _Exchange(self._environ(method, url, headers, content, environ))
        app = self.app
        if self.lint:
            from wsgiref.validate import validator

            app = validator(app)  # type: ignore[arg-type, assignment]  # its start_response is ours in other words
        exchange.run(app)
        response = Response(exchange)
        self._keep_cookies(url, response)
        return response

    def _environ(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | Iterable[bytes] | None,
        more: Mapping[str, Any] | None,
    ) -> Environ:
        scheme, _, rest = url.partition("://")
        host, slash, target = rest.partition("/")
        target = quote(slash + target.partition("#")[0], safe=_TARGET_SAFE + "?")
        path, _, query = target.partition("?")
        if not self._is_below(url):
            raise ValueError(f"{url} is not below {self.script_name}")
        name, colon, port = host.rpartition(":")
        if not colon or not port.isdigit():
            name, port = host, _PORTS[scheme]
        environ: Environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": _decode(self.script_name),
            "PATH_INFO": _decode(path[len(quote(self.script_name, safe=_TARGET_SAFE)) :]),
            "QUERY_STRING": query,
            "REQUEST_URI": target,
            "SERVER_NAME": name,
            "SERVER_PORT": port,
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": self.peer,
            "HTTP_HOST": host,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": scheme,
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
        }
        if isinstance(content, bytes):
            environ["wsgi.input"] = io.BytesIO(content)
            environ["CONTENT_LENGTH"] = str(len(content))
        elif content is not None:
            environ["wsgi.input"] = io.BufferedReader(_Pieces(content))
            environ["wsgi.input_terminated"] = True
            environ["HTTP_TRANSFER_ENCODING"] = "chunked"
        if self._jar is not None:
            self._add_cookies(url, environ)
        for name, value in headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        environ.update(self.environ)
        environ.update(more or {})
        return environ

    def _add_cookies(self, url: str, environ: Environ) -> None:
        from urllib.request import Request

        if self._jar is not None:
            request = Request(url)
            self._jar.add_cookie_header(request)
            cookie = request.get_header("Cookie")
            if cookie:
                environ["HTTP_COOKIE"] = cookie

    def _keep_cookies(self, url: str, response: Response) -> None:
        cookies = response.headers.get_all("Set-Cookie")
        if not cookies:
            return
        # Costly to import, and most tests meet no cookie.
        from email.message import Message
        from http.cookiejar import CookieJar
        from urllib.request import Request

        if self._jar is None:
            self._jar = CookieJar()
        message = Message()
        for cookie in cookies:
            message["Set-Cookie"] = cookie
        self._jar.extract_cookies(_Info(message), Request(url))  # type: ignore[arg-type]  # it only calls info()


class _Info:
    """What a cookie jar wants of a response."""

    def __init__(self, message: Any) -> None:
        self._message = message

    def info(self) -> Any:
        return self._message


class _Exchange:
    """The server's side of one request."""

    def __init__(self, environ: Environ) -> None:
        self.environ = environ
        # Kept, because layers may put another stream into the environ.
        self.errors: io.StringIO = environ["wsgi.errors"]
        self.iterable: Body = ()
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.chunks: list[bytes] = []
        self.closed = False
        self.keep = True
        self._sent = False
        self._iterator: Iterator[bytes] = iter(())
        self._finished = False

    def run(self, app: WSGIApp) -> None:
        """Call the app, and fetch from its body until the headers are sure."""
        try:
            start_response: StartResponse = self._start_response
            self.iterable = app(self.environ, start_response)
            returned: object = self.iterable
            if isinstance(returned, bytes | str) or not isinstance(returned, Iterable):
                raise ProtocolError(f"an app returns an iterable of bytes, not {type(returned).__name__}")
            self._iterator = iter(self.iterable)
            while not self._sent and self._fetch():
                pass
            if not self.status:
                raise ProtocolError("the app never called start_response")
        except BaseException:
            self.close()
            raise

    def pieces(self) -> Iterator[bytes]:
        index = 0
        while True:
            if index < len(self.chunks):
                if self.keep:
                    yield self.chunks[index]
                    index += 1
                else:
                    yield self.chunks.pop(0)
            elif self.closed or not self._fetch():
                return

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            close = getattr(self.iterable, "close", None)
            if close is not None:
                close()

    def _fetch(self) -> bool:
        """Take one chunk from the app; False when there are no more."""
        if self._finished:
            return False
        try:
            chunk = next(self._iterator)
        except StopIteration:
            self._finished = True
            return False
        except BaseException:
            self._finished = True
            self.close()
            raise
        self._send(chunk)
        return True

    def _send(self, chunk: bytes) -> None:
        if type(chunk) is not bytes:
            self.close()
            raise ProtocolError(f"a body is made of bytes, not {type(chunk).__name__}")
        if chunk:
            if not self.status:
                self.close()
                raise ProtocolError("the first chunk came before start_response was called")
            self._sent = True
            self.chunks.append(chunk)

    def _start_response(self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /) -> Write:
        if exc_info is not None:
            try:
                if self._sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # or the traceback's frames and this one keep each other alive
        elif self.status:
            raise ProtocolError("start_response was called a second time without exc_info")
        _check_status(status)
        _check_headers(headers)
        self.status = status
        self.headers = list(headers)
        return self._send


class _Pieces(io.RawIOBase):
    """A request body that comes in pieces."""

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


class Clock:
    """A clock that stands still until it is moved: give its methods to whatever takes a clock.

    ``time()`` and ``monotonic()`` are in seconds; ``sleep()`` moves the clock instead of waiting, and ``slept``
    remembers for how long each time.
    """

    def __init__(self, now: float = 1_000_000_000.0) -> None:
        self._now = now
        self._since = 0.0
        self.slept: list[float] = []

    def time(self) -> float:
        """Seconds since 1970, like ``time.time``."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since the clock was made, like ``time.monotonic``."""
        return self._since

    def sleep(self, seconds: float) -> None:
        """Move the clock, like a ``time.sleep`` that takes no time."""
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move both readings forward. Raises ``ValueError`` for a step back."""
        if seconds < 0:
            raise ValueError("a clock does not go back")
        self._now += seconds
        self._since += seconds


def _decode(path: str) -> str:
    """A WSGI string: the bytes of the path, each as the character of the same number."""
    return unquote_to_bytes(path).decode("latin-1")


def _content(
    body: bytes | str | Iterable[bytes] | None, form: Fields | None, files: Mapping[str, Upload] | None, json: Any
) -> tuple[bytes | Iterable[bytes] | None, str | None]:
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


def _check_status(status: Any) -> None:
    if type(status) is not str or not _STATUS.fullmatch(status):
        raise ProtocolError(f"a status is text such as '200 OK', not {status!r}")


def _check_headers(headers: Any) -> None:
    if type(headers) is not list:
        raise ProtocolError(f"headers are a list, not {type(headers).__name__}")
    for item in headers:
        if type(item) is not tuple or len(item) != 2 or type(item[0]) is not str or type(item[1]) is not str:
            raise ProtocolError(f"a header is a tuple of two texts, not {item!r}")
        name, value = item
        if not _TOKEN.fullmatch(name) or name.lower() == "status":
            raise ProtocolError(f"{name!r} is not the name of a header")
        if _FORBIDDEN_VALUE.search(value):
            raise ProtocolError(f"the header {name} holds a character that no header may hold: {value!r}")
        if is_hop_by_hop(name):
            raise ProtocolError(f"{name} belongs to the server, not to an app")


def _check_length(response: Response, length: int) -> None:
    announced = response.headers.get_all("Content-Length")
    if not announced or response.environ["REQUEST_METHOD"] == "HEAD" or response.status == 304:
        return
    if len(set(announced)) > 1 or not announced[0].isdigit() or int(announced[0]) != length:
        raise ProtocolError(f"Content-Length is {', '.join(announced)}, but the body has {length} bytes")
