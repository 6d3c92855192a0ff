"""One request of ``wheatpaste request`` and its response: redirects, cookies, and what is printed of both.

Writes ``paste.command_request`` into the environ.
"""

from __future__ import annotations

import os
import re
import sys
import time
from argparse import Namespace
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from http.cookiejar import LoadError, MozillaCookieJar
from pathlib import Path
from typing import Any, BinaryIO, NoReturn
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import Request

from ..testing import Client, ProtocolError, Response
from .request_body import Content, Unreadable, read_content

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PLACEHOLDER = re.compile(r"%\{([a-z_]+)\}|\\([nrt\\])")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}


class Failed(Exception):
    """The work failed; the message says how."""


@dataclass(slots=True)
class Transfer:
    """What is sent, and where the answer goes."""

    options: Namespace
    url: str
    method: str
    headers: dict[str, str]
    content: Content | None
    jar: MozillaCookieJar
    cookies: str = ""
    redirects: int = 0
    size: int = 0
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, options: Namespace) -> Transfer:
        """Read the options, and the files that they name. Raises ``Unreadable``."""
        content = read_content(options.content)
        url = url_of(options)
        if options.get and content is not None:
            url += ("&" if urlsplit(url).query else "?") + quote(content.data, safe="%&=+!$'()*,;:@/?-._~")
            content = None
        method = options.method or ("HEAD" if options.head else "GET" if content is None else "POST")
        headers = {"User-Agent": _user_agent(), "Accept": "*/*"}
        headers |= content.headers if content is not None else {}
        if options.user is not None:
            user = options.user if ":" in options.user else f"{options.user}:"
            headers["Authorization"] = f"Basic {b64encode(user.encode()).decode()}"
        if options.user_agent is not None:
            headers["User-Agent"] = options.user_agent
        if options.referer is not None:
            headers["Referer"] = options.referer
        _apply(options.headers, headers)
        jar = MozillaCookieJar()
        cookies = _read_cookies(options.cookie, jar)
        return cls(options, url, method, headers, content, jar, cookies)

    def run(self, app: Any) -> int:
        """Send it to the app and print what comes; returns the exit code. Raises ``Failed`` and what the app raises."""
        client = Client(app, jar=self.jar, lint=self.options.lint)
        with ExitStack() as stack:
            response = stack.enter_context(closing(self._send(client)))
            while (url := self._next(response)) is not None:
                if self.redirects >= self.options.max_redirs:
                    raise Failed(f"stopped after {self.redirects} redirects, before {url}")
                self.redirects += 1
                self._show_head(response)
                self._drain(response)
                self._redirect(response, url)
                response = stack.enter_context(closing(self._send(client)))
            failed = self.options.fail and response.status >= 400
            self._show(response, body=not failed)
        self._keep_cookies()
        if self.options.write_out is not None:
            _out().write(self._written_out(response).encode())
            _out().flush()
        if failed:
            raise Failed(f"the app answered {response.status_line}")
        return 0

    # -- the request --

    def _send(self, client: Client) -> Response:
        headers = dict(self.headers)
        # The header replaces what the client would take from the jar, so it has to hold both.
        cookies = "; ".join(each for each in (headers.pop("Cookie", ""), self.cookies, self._from_jar()) if each)
        if cookies:
            headers["Cookie"] = cookies
        if self.options.verbose:
            self._show_request(headers)
        environ = {
            "wsgi.errors": sys.stderr,
            "wsgi.run_once": True,
            # What the old command of this name set: apps for cron jobs ask for it.
            "paste.command_request": True,
        }
        body = self.content.data if self.content is not None else None
        with _protocol_errors():
            return client.request(
                self.method, self.url, headers=headers, body=body, environ=environ, stream=True, keep=False
            )

    def _from_jar(self) -> str:
        request = Request(self.url)
        self.jar.add_cookie_header(request)
        return request.get_header("Cookie") or ""

    def _next(self, response: Response) -> str | None:
        """The URL to go on to, or None."""
        location = response.headers.get("Location")
        if not self.options.location or response.status not in _REDIRECTS or not location:
            return None
        url = urljoin(self.url, location)
        here, there = urlsplit(self.url).hostname, urlsplit(url).hostname or ""
        if there != here and there != "localhost" and not there.endswith(".localhost"):
            self._note(f"not followed, because it leads to another host: {url}")
            return None
        if urlsplit(url).scheme not in ("http", "https"):
            self._note(f"not followed: {url}")
            return None
        return url

    def _redirect(self, response: Response, url: str) -> None:
        if response.status == 303 or (response.status in (301, 302) and self.method == "POST"):
            self.method = "HEAD" if self.method == "HEAD" else "GET"
            for name in self.content.headers if self.content is not None else ():
                if name == "Content-Type":
                    self.headers.pop(name, None)
            self.content = None
        if urlsplit(url).netloc != urlsplit(self.url).netloc:
            # Credentials are for the host that they were given for.
            for name in ("Authorization", "Cookie"):
                self.headers.pop(name, None)
            self.cookies = ""
        self.url = url

    # -- the response --

    def _show(self, response: Response, *, body: bool) -> None:
        target = self.options.output
        try:
            with ExitStack() as stack:
                out: BinaryIO = _out()
                if target is not None and target != "-":
                    out = stack.enter_context(open(target, "wb"))
                self._show_head(response, out)
                for piece in self._pieces(response):
                    if body and not self.options.head:
                        self._write(out, piece)
        except BrokenPipeError:
            raise
        except OSError as error:
            if target is None or error.filename != target:
                raise
            raise Failed(f"{target} cannot be written: {error.strerror}") from error
        self._check_length(response)

    def _write(self, out: BinaryIO, piece: bytes) -> None:
        first = self.size == len(piece)
        if first and b"\0" in piece and self.options.output is None and sys.stdout.isatty():
            raise Failed("the body is binary and would garble the terminal; -o FILE keeps it, -o - prints it anyway")
        try:
            out.write(piece)
            out.flush()
        except OSError as error:
            target = self.options.output
            if target is None or target == "-":
                raise
            with suppress(OSError):
                out.close()  # it would try once more
            raise Failed(f"{target} cannot be written: {error.strerror}") from error

    def _pieces(self, response: Response) -> Iterator[bytes]:
        pieces = iter(response)
        while True:
            with _protocol_errors():
                piece = next(pieces, None)
            if piece is None:
                return
            self.size += len(piece)
            yield piece

    def _drain(self, response: Response) -> None:
        for _ in self._pieces(response):
            pass
        self.size = 0

    def _check_length(self, response: Response) -> None:
        announced = response.headers.get("Content-Length")
        if announced is None or self.method == "HEAD" or response.status == 304:
            return
        if not announced.isdigit() or int(announced) != self.size:
            raise Failed(f"the app announced {announced} bytes (Content-Length) and sent {self.size}")

    def _keep_cookies(self) -> None:
        path = self.options.cookie_jar
        if path is None:
            return
        try:
            # It may hold sessions: for its owner alone.
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
            self.jar.save(path, ignore_discard=True)
        except OSError as error:
            raise Failed(f"{path} cannot be written: {error.strerror}") from error

    # -- what is printed of both --

    def _show_request(self, headers: dict[str, str]) -> None:
        parts = urlsplit(self.url)
        target = quote(parts.path, safe="/%:@!$&'()*+,;=-._~[]") + (f"?{parts.query}" if parts.query else "")
        lines = [f"{self.method} {target} HTTP/1.1"]
        if not any(name.lower() == "host" for name in headers):
            lines.append(f"Host: {parts.netloc}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if self.content is not None:
            lines.append(f"Content-Length: {len(self.content.data)}")
        _to_stderr("> ", lines)

    def _show_head(self, response: Response, out: BinaryIO | None = None) -> None:
        lines = [f"HTTP/1.1 {response.status_line}"]
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        if self.options.verbose:
            _to_stderr("< ", lines)
        if self.options.include or self.options.head:
            stream = out or _out()
            stream.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1"))
            stream.flush()

    def _note(self, text: str) -> None:
        if not self.options.silent:
            print(f"wheatpaste request: {text}", file=sys.stderr)

    def _written_out(self, response: Response) -> str:
        known = {
            "content_type": response.headers.get("Content-Type") or "",
            "http_code": str(response.status),
            "method": self.method,
            "num_redirects": str(self.redirects),
            "redirect_url": urljoin(self.url, location) if (location := response.headers.get("Location")) else "",
            "response_code": str(response.status),
            "size_download": str(self.size),
            "time_total": f"{time.monotonic() - self.started:.6f}",
            "url_effective": self.url,
        }

        def fill(found: re.Match[str]) -> str:
            return known.get(found[1], found[0]) if found[1] else _ESCAPES[found[2]]

        return _PLACEHOLDER.sub(fill, self.options.write_out)


class _protocol_errors:
    """Turns what the client or wsgiref.validate found wrong with the app into ``Failed``."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, AssertionError):
            return
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        by_validator = trace is not None and trace.tb_frame.f_globals.get("__name__") == "wsgiref.validate"
        if isinstance(error, ProtocolError) or by_validator:
            _fail(error)


def _fail(error: BaseException) -> NoReturn:
    raise Failed(f"the app breaks the rules of WSGI (PEP 3333): {error}") from error


def _apply(given: list[tuple[str, str | None]], headers: dict[str, str]) -> None:
    """Lay headers of the command line over those that are sent anyway; one that is given twice is sent joined."""
    seen: set[str] = set()
    for name, value in given:
        folded = name.lower()
        known = next((each for each in headers if each.lower() == folded), None)
        if value is None:
            if known is not None:
                del headers[known]
        elif folded in seen and known is not None:
            headers[known] += ("; " if folded == "cookie" else ", ") + value
        else:
            if known is not None:
                del headers[known]
            headers[name.title() if folded == "cookie" else name] = value
        seen.add(folded)


def _read_cookies(text: str | None, jar: MozillaCookieJar) -> str:
    """The cookies to send as they are; those of a file go into the jar. Raises ``Unreadable``."""
    if text is None or "=" in text:
        return text or ""
    if not Path(text).is_file():
        raise Unreadable(f"-b: there is no file {text}; cookies are written NAME=VALUE")
    try:
        jar.load(text, ignore_discard=True, ignore_expires=True)
    except (OSError, LoadError) as error:
        raise Unreadable(f"-b: {text} is no file of cookies in Netscape's format") from error
    for cookie in jar:
        # curl writes 0 for a cookie that ends with the session.
        if cookie.expires == 0:
            cookie.expires, cookie.discard = None, True
    jar.clear_expired_cookies()
    return ""


def url_of(options: Namespace) -> str:
    """The whole URL that the request is for."""
    path: str = options.path
    if path.startswith(("http://", "https://")):
        parts = urlsplit(path)
        return path if parts.path else parts._replace(path="/").geturl()
    return f"http://{options.host or 'localhost'}/{path.removeprefix('/')}"


def _user_agent() -> str:
    from .. import __version__

    return f"wheatpaste/{__version__}"


def _out() -> BinaryIO:
    return sys.stdout.buffer


def _to_stderr(mark: str, lines: list[str]) -> None:
    for line in [*lines, ""]:
        print(f"{mark}{line}".rstrip(), file=sys.stderr)
    sys.stderr.flush()
