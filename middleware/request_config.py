"""Give apps the configuration of their site, as ``environ['paste.config']`` and ``paste.deploy.config.CONFIG``.

Where in the stack: around whatever reads one of the two. ``CONFIG`` is PasteDeploy's own object, so that libraries
which import it find the configuration there; it is only set while code below this filter runs (the app, each step of
its body, and ``close()``), so that two responses that are being sent by one thread do not see each other's.

Writes ``paste.config``, a copy for each request, and puts back what stood there when the app is done with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..config.factories import FilterFactory
from ..config.options import component
from ..config.reader import Reader
from ..config.records import field
from ..protocol.wsgi import Body, Environ, StartResponse, WSGIApp

KEY = "paste.config"


@component
class RequestConfig:
    """Pass the section's keys, and those of [DEFAULT], to the apps below. Any key is allowed."""

    app: WSGIApp = field(kw_only=False)
    # Not in the repr: a site's configuration holds its secrets.
    config: Mapping[str, str] = field(default_factory=dict, kw_only=False, repr=False)
    _stack: Any = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        from paste.deploy.config import CONFIG  # that very object: it is what other people's code imports

        object.__setattr__(self, "_stack", CONFIG)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Call the app with the configuration in place."""
        before = environ.get(KEY)
        environ[KEY] = config = dict(self.config)
        in_place = _InPlace(self._stack, config)
        try:
            with in_place:
                body = self.app(environ, start_response)
        except BaseException:
            _put_back(environ, before)
            raise
        wrapper = environ.get("wsgi.file_wrapper")
        if type(body) in (list, tuple) or (isinstance(wrapper, type) and type(body) is wrapper):
            _put_back(environ, before)  # no code of the app runs while these are sent
            return body
        return (_SizedBody if hasattr(body, "__len__") else _Body)(body, in_place, environ, before)


def _put_back(environ: Environ, before: Any) -> None:
    # A first configuration stays: error reporters further out show it.
    if before is not None:
        environ[KEY] = before


class _InPlace:
    """Holds the configuration on the stack for the length of a ``with``, as often as it is used."""

    __slots__ = ("_config", "_stack")

    def __init__(self, stack: Any, config: dict[str, str]) -> None:
        self._stack = stack
        self._config = config

    def __enter__(self) -> None:
        self._stack.push_thread_config(self._config)

    def __exit__(self, *_: object) -> None:
        self._stack.pop_thread_config(self._config)


class _Body:
    """A body whose every step runs with the configuration in place."""

    __slots__ = ("_before", "_body", "_environ", "_in_place", "_iterator")

    def __init__(self, body: Body, in_place: _InPlace, environ: Environ, before: Any) -> None:
        self._body = body
        self._in_place = in_place
        self._environ = environ
        self._before = before
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._in_place:
            if self._iterator is None:
                self._iterator = iter(self._body)
            return next(self._iterator)

    def close(self) -> None:
        close: Callable[[], object] | None = getattr(self._body, "close", None)
        try:
            if close is not None:
                with self._in_place:
                    close()
        finally:
            _put_back(self._environ, self._before)


class _SizedBody(_Body):
    __slots__ = ()

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type]  # chosen only for bodies that have a length


class _ConfigFactory(FilterFactory):
    """Takes any key: the section, over what it inherits, is the configuration."""

    def __call__(self, global_conf: Mapping[str, str] | None, **local_conf: str) -> Callable[[Any], Any]:
        config = {**(global_conf or {}), **local_conf}
        return lambda app: RequestConfig(app, config)


filter_factory = _ConfigFactory(Reader(component=RequestConfig, extra=True))
