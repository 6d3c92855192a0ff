"""Ask one app after another until one of them knows the answer.

Stands around apps that share one place, typically files first and the program behind them. Each app gets an environ
of its own and the request's body from its start. Writes ``wheatpaste.trace`` (what a rejected app wrote there is taken
back) and, where a body is replayed, ``wsgi.input``, ``wsgi.input_terminated`` and ``CONTENT_LENGTH``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from ..config.factories import make_composite_factory
from ..config.mounts import KeyProblem, Mount
from ..config.options import OptionError, between, component, each, option
from ..config.problems import did_you_mean
from ..config.records import field
from ..config.values import Size
from ..protocol.bodies import BodyRefused, SpooledBody, content_length, on_close
from ..protocol.trace import Trace
from ..protocol.wsgi import Body, Environ, ExcInfo, Headers, StartResponse, Write, WSGIApp
from .answers import answer


@component
class Cascade:
    """Ask one app after another; the first whose status is not in ``catch`` answers, or else the last.

    An app is judged when its first chunk is there, so generators work, and so do apps that replace their headers
    before that. A rejected response is closed without being read to its end. A status in ``catch`` that an app raises
    as an HTTP exception of WebOb or Paste counts too. Request bodies are kept, in memory while they are small.

    Raises ``OptionError`` without apps.
    """

    apps: Sequence[WSGIApp] = field(kw_only=False, repr=False)
    catch: tuple[int, ...] = option(
        default=(404, 405),
        doc="The status codes that send a request on to the next app.",
        check=each(between(100, 599)),
    )
    # Waitress's own limit: the cascade is not the narrowest place unless somebody says so.
    body_limit: Size = option(
        default=1024**3, doc="The largest request body that is kept for several apps; a larger one is answered 413."
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "apps", tuple(self.apps))
        object.__setattr__(self, "catch", tuple(self.catch))
        if not self.apps:
            raise OptionError("Cascade", None, "there is no app to ask; give at least one")

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Answer with the response of the first app that knows one."""
        trace = Trace.of(environ)
        try:
            spool = self._receive(environ)
        except BodyRefused as refused:
            return answer(environ, start_response, refused.status, str(refused))
        if spool is None:
            return self._ask(environ.copy, trace, start_response)
        try:
            body = self._ask(lambda: spool.replay(environ), trace, start_response)
        except BaseException:
            spool.close()
            raise
        return on_close(environ, body, spool.close)

    def _receive(self, environ: Environ) -> SpooledBody | None:
        """The request's body if it has one and more than one app may want it. Raises ``BodyRefused``."""
        if len(self.apps) == 1:
            return None
        if not environ.get("HTTP_TRANSFER_ENCODING"):
            length = content_length(environ)
            if length == 0 or (length is None and environ.get("REQUEST_METHOD") in ("GET", "HEAD")):
                return None
        return SpooledBody.receive(environ, limit=self.body_limit)

    def _ask(self, fresh: Callable[[], Environ], trace: Trace, start_response: StartResponse) -> Body:
        mark = trace.mark()
        for app in self.apps[:-1]:
            body = _Try(start_response, self.catch).ask(app, fresh())
            if body is not None:
                return body
            trace.rollback(mark)
        return self.apps[-1](fresh(), start_response)


class _Try:
    """One app's attempt: holds its headers back until it is known whether the response is wanted."""

    def __init__(self, start_response: StartResponse, catch: tuple[int, ...]) -> None:
        self._forward = start_response
        self._catch = catch
        self._held: tuple[str, Headers, ExcInfo | None] | None = None
        self._write: Write | None = None
        self._rejected = False

    def ask(self, app: WSGIApp, environ: Environ) -> Body | None:
        """The response of the app, its headers passed on; None when it was rejected, and closed."""
        try:
            body = app(environ, self._start_response)
        except _http_exceptions() as error:
            if self._write is None and _code_of(error) in self._catch:
                return None
            raise
        judged: Body | None = None
        try:
            judged = self._judge(body, environ)
        except _http_exceptions() as error:
            if self._write is not None or _code_of(error) not in self._catch:
                raise
        finally:
            # The server closes what it is given, and only that.
            if judged is None:
                close = getattr(body, "close", None)
                if close is not None:
                    close()
        return judged

    def _judge(self, body: Body, environ: Environ) -> Body | None:
        """The body to go on with, or None to reject it."""
        if self._held is not None and _runs_no_code(body, environ):
            self._decide()
            return None if self._rejected else body
        iterator = iter(body)
        seen: list[bytes] = []
        for chunk in iterator:
            seen.append(chunk)
            # Empty chunks may come before start_response, and are a pause for servers that know pauses.
            if chunk or self._held is not None:
                break
        self._decide()
        return None if self._rejected else _Resumed(body, seen, iterator)

    def _decide(self) -> None:
        if self._rejected or self._write is not None or self._held is None:
            return
        status, headers, exc_info = self._held
        self._held = (status, headers, None)
        if _code(status) in self._catch:
            self._rejected = True
        elif exc_info is None:
            self._write = self._forward(status, headers)
        else:
            self._write = self._forward(status, headers, exc_info)

    def _start_response(self, status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Write:
        if self._write is not None:
            # Headers may already be on their way: what a second call means now is the server's to say.
            return self._forward(status, headers) if exc_info is None else self._forward(status, headers, exc_info)
        if self._held is not None and exc_info is None:
            raise AssertionError("start_response was called again without exc_info (PEP 3333)")
        if self._rejected and exc_info is not None:
            raise exc_info[1].with_traceback(exc_info[2])
        self._held = (status, headers, exc_info)
        return self._write_now

    def _write_now(self, data: bytes) -> object:
        """The write() of PEP 3333: its first use is the first chunk."""
        self._decide()
        return None if self._write is None else self._write(data)


class _Resumed:
    """A body of which the beginning was read."""

    __slots__ = ("_body", "_rest")

    def __init__(self, body: Body, seen: list[bytes], rest: Iterator[bytes]) -> None:
        self._body = body
        self._rest = chain(seen, rest)

    def __iter__(self) -> Iterator[bytes]:
        return self._rest

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


def _runs_no_code(body: Body, environ: Environ) -> bool:
    """Whether reading the body runs no code of the app: it is judged now and stays the object that it is."""
    wrapper = environ.get("wsgi.file_wrapper")
    return hasattr(body, "__len__") or (isinstance(wrapper, type) and isinstance(body, wrapper))


def _code(status: str) -> int:
    """The number of a status line; 0 where there is none, which the server will say better than this module."""
    number = status[:3]
    return int(number) if number.isascii() and number.isdigit() else 0


def _http_exceptions() -> tuple[type[BaseException], ...]:
    """The HTTP exceptions of the libraries that are in use; whoever raised one has imported its module."""
    modules = (sys.modules.get(name) for name in ("webob.exc", "paste.httpexceptions"))
    return tuple(module.HTTPException for module in modules if module is not None)


def _code_of(error: BaseException) -> int:
    code = getattr(error, "code", None)
    return code if isinstance(code, int) else 0


_APP_KEY = re.compile(r"app.*")
_NUMBER = re.compile(r"(\d+)")


def read_apps(texts: Mapping[str, str]) -> tuple[list[Mount], list[KeyProblem]]:
    """Read ``app1``, ``app2``, ``app10`` in the order of their numbers, and say what is wrong."""
    return _read(texts, _natural)


def read_paste_apps(texts: Mapping[str, str]) -> tuple[list[Mount], list[KeyProblem]]:
    """The same for Paste's name, which sorts as text: ``app10`` comes before ``app2``, and a warning says so."""
    mounts, problems = _read(texts, str)
    in_number_order = sorted(mounts, key=lambda mount: _natural(mount.key))
    for mount, expected in zip(mounts, in_number_order, strict=True):
        if mount is not expected:
            order = ", ".join(each_mount.key for each_mount in mounts)
            what = f"the apps are asked in the order {order}, as egg:Paste#cascade sorts their keys as text"
            fix = "write the numbers with equal width, or `use = egg:wheatpaste#cascade`"
            problems.append(KeyProblem(mount.key, what, fix, severity="warning"))
            break
    return mounts, problems


def _read(texts: Mapping[str, str], order: Callable[[str], Any]) -> tuple[list[Mount], list[KeyProblem]]:
    mounts: list[Mount] = []
    problems: list[KeyProblem] = []
    for key in sorted(texts, key=order):
        reference = texts[key].strip()
        if not _APP_KEY.fullmatch(key):
            hint = did_you_mean(key, ["catch", "body_limit"])
            problems.append(KeyProblem(key, "is neither an option nor an app", hint if "did" in hint else "write app1"))
        elif not reference:
            problems.append(
                KeyProblem(key, "names no app", "write the name of an app, or a reference such as egg:NAME")
            )
        else:
            mounts.append(Mount(key, reference))
    if not mounts and not problems:
        problems.append(KeyProblem(None, "there is no app to ask", "add `app1 = NAME`, `app2 = NAME`"))
    return mounts, problems


def _natural(key: str) -> tuple[list[tuple[int, str]], str]:
    """Sorts numbers as numbers: app2 before app10."""
    # By the number of digits and then the digits: int() refuses numbers of thousands of digits.
    parts = [_magnitude(part) if part.isdecimal() else (-1, part) for part in _NUMBER.split(key) if part]
    return parts, key


def _magnitude(digits: str) -> tuple[int, str]:
    digits = digits.lstrip("0")
    return len(digits), digits


def _assemble(made: type[Cascade], values: dict[str, Any], apps: Iterable[tuple[Mount, Any]]) -> Cascade:
    return made([app for _, app in apps], **values)


composite_factory = make_composite_factory(Cascade, mounts=read_apps, assemble=_assemble)
paste_composite_factory = make_composite_factory(
    Cascade, mounts=read_paste_apps, assemble=_assemble, defaults={"catch": (404,)}
)
