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
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit
from wsgiref.headers import Headers
from wsgiref.util import FileWrapper

from .protocol.sent_body import Fields, Upload, read_in_pieces, sent_body
from .protocol.strict_exchange import ProtocolError, StrictExchange
from .protocol.wsgi import Environ, WSGIApp

if TYPE_CHECKING:
    from http.cookiejar import CookieJar
    from typing import Self

__all__ = ["Client", "Clock", "ProtocolError", "Response"]

_PORTS = {"http": "80", "https": "443"}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 10
# Characters of a target that are sent as they are; ``%`` because what is escaped already stays escaped.
_TARGET_SAFE = "/%:@!$&'()*+,;=-._~[]"


class Response:
    """What an app answered.

    ``environ`` is the dictionary that the app was called with, ``iterable`` what it returned, ``chunks`` the pieces
    that came so far (``write()`` included, empty ones left out), ``closed`` whether the client has closed the body.
    """

    def __init__(self, exchange: StrictExchange) -> None:
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
        content, content_type = sent_body(body, form, files, json)
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
            response._exchange.check_length(len(body))
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
        exchange = StrictExchange(self._environ(method, url, headers, content, environ))
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
            environ["wsgi.input"] = read_in_pieces(content)
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
