"""What servers of others share with ours: options that are declared once, and all that happens before they serve.

A component of another server names the options that it borrows and takes the functions below for its methods::

    @component
    @borrows(*EVERYWHERE, "workers")
    class OtherServer:
        ours = cached_property(borrowed.ours)
        addresses, prepare, urls, hurried = borrowed.addresses, borrowed.prepare, borrowed.urls, borrowed.hurried

It reads the options in ``self.ours``, where they have their types; what it has not borrowed has its default there. A
type checker, which sees no options in the class, is shown an ``__init__`` that takes any.
"""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ...config.mounts import KeyProblem
from ...config.options import OptionError, options_of
from ...config.records import field, fields_of, replace
from ..http_server import HTTPServer
from ..listeners import Address, close_listeners, remove_socket_files, socket_files

if TYPE_CHECKING:
    from ...config.surroundings import Surroundings

ADDRESSES = ("host", "port", "listen", "unix_socket", "unix_socket_perms", "ipv4", "ipv6", "backlog")
UNTRUSTED = ("log_untrusted_proxy_headers", "clear_untrusted_proxy_headers")
EVERYWHERE = (
    *(*ADDRESSES, "unix_socket_owner", "reuse_port", "user", "group", "threads", "max_body", "drain_timeout"),
    *("trusted_proxies", "trusted_proxy_count", "trusted_proxy_headers", *UNTRUSTED),
    *("url_scheme", "url_prefix", "server_name"),
)
"""What every server takes."""
CERTIFICATES = (
    *("tls_certificate", "tls_key", "tls_password", "tls_minimum"),
    *("tls_client", "tls_client_ca", "tls_client_crl"),
)
TLS = (*CERTIFICATES, "tls", "tls_ciphers", "tls_context")

T = TypeVar("T")


class _Borrower(Protocol):
    @property
    def ours(self) -> HTTPServer:
        """Our server with the options of another."""


B = TypeVar("B", bound=_Borrower)


def borrows(*names: str) -> Callable[[type[T]], type[T]]:
    """Declare options of our server on a class that becomes a component: same words, types, defaults and order.

    Raises ``KeyError`` for a name that is none of ours.
    """
    fields = {each.name: each for each in fields_of(HTTPServer)}
    taken = {name: fields[name] for name in names}

    def declare(cls: type[T]) -> type[T]:
        kinds = {option.name: option.kind for option in options_of(HTTPServer) if option.name in taken}
        for name in kinds:
            theirs = taken[name]
            # A field knows its class, so each class needs one of its own.
            setattr(cls, name, field(default=theirs.default, metadata=theirs.metadata, repr=theirs.repr))
        cls.__annotations__ = {**kinds, **cls.__annotations__}
        return cls

    return declare


def ours(server: Any, names: Iterable[str] | None = None) -> HTTPServer:
    """Our server with the options of another, or some of them: it knows the addresses, and what cannot stand together.

    Raises ``OptionError``.
    """
    taken = [option.name for option in options_of(type(server))] if names is None else names
    try:
        return HTTPServer(**{name: getattr(server, name) for name in taken})
    except OptionError as error:
        raise OptionError(type(server).__name__, error.option, error.what) from None


def addresses(server: _Borrower) -> tuple[Address, ...]:
    """Where the options say to listen."""
    return server.ours.addresses()


def prepare(server: _Borrower) -> tuple[str, ...]:
    """Read the certificates, as :meth:`HTTPServer.prepare` does. Raises ``OptionError``."""
    return server.ours.prepare()


def urls(server: _Borrower, sockets: Sequence[socket.socket]) -> tuple[str, ...]:
    """The URLs that open what these sockets serve."""
    return server.ours.urls(sockets)


def hurried(server: B, grace: float) -> B:
    """The same server, that at its end waits for running requests no longer than ``grace`` seconds."""
    component: Any = server
    shorter: B = replace(component, drain_timeout=min(grace, server.ours.drain_timeout))
    return shorter


def bind(server: _Borrower) -> list[socket.socket]:
    """Open the listening sockets. Raises ``OptionError`` that names the option at fault."""
    return server.ours.bind()


def only(server: _Borrower, title: str) -> list[socket.socket]:
    """The one socket of a server that listens on one. Raises ``OptionError`` where several addresses are written."""
    if len(server.ours.addresses()) > 1:
        option = "listen" if server.ours.listen else "host"
        raise OptionError(type(server).__name__, option, f"{title} listens on one address; write one")
    first, *others = server.ours.bind()
    for each in others:  # a name may mean an IPv4 and an IPv6 address
        each.close()
    return [first]


@contextmanager
def opened(server: Any, sockets: Sequence[socket.socket] | None) -> Iterator[list[socket.socket]]:
    """The sockets that were opened before, or else those that the server opens, which go when it has served."""
    own: list[socket.socket] = [] if sockets is not None else server.bind()
    files = socket_files(own)
    for name in (
        "LISTEN_PID",
        "LISTEN_FDS",
        "LISTEN_FDNAMES",
    ):  # what systemd passed is taken; others would do it again
        os.environ.pop(name, None)
    try:
        yield own if sockets is None else list(sockets)
    finally:
        close_listeners(own)
        remove_socket_files(files)


def needs(package: str) -> Callable[[Any, Surroundings], Iterator[KeyProblem]]:
    """A component's ``problems``: that the server's package is not installed."""

    def problems(server: Any, stack: Surroundings) -> Iterator[KeyProblem]:
        if importlib.util.find_spec(package) is None:
            yield KeyProblem(None, f"{package} is not installed", f"run: pip install {package}")

    return problems


def require(package: str, server: Any) -> None:
    """Raise ``OptionError`` where the server's package is not installed."""
    if importlib.util.find_spec(package) is None:
        raise OptionError(type(server).__name__, None, f"{package} is not installed; run: pip install {package}")


def lacking(component: type, title: str, reasons: Mapping[str, str], refused: Collection[str] = ()) -> dict[str, str]:
    """Each option of ours that the component does not have, with the reason why it does nothing there.

    ``refused`` are options that must not be passed over in silence: they stop the start.
    """
    own = {option.name for option in options_of(component)} | set(refused)
    return {
        option.name: reasons.get(option.name, f"{title} has nothing like it")
        for option in options_of(HTTPServer)
        if option.name not in own
    }
