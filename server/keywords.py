"""What the keywords of ``paste.httpserver.serve()`` and of Waitress mean to the server.

Data alone: old spellings, translations of what means something else or more, and reasons why the rest does nothing.
Where both use one word, its value counts in the meaning of the server that it came from. ``docs/servers.md`` has the
tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ..config.options import at_least
from ..config.translation import Translation
from ..config.values import Seconds, Size

NAMES = {
    "connection_limit": "connections",
    "inbuf_overflow": "body_memory",
    "max_request_body_size": "max_body",
    "outbuf_high_watermark": "output_memory",
    "request_queue_size": "backlog",
    "server_version": "ident",
    "ssl_context": "tls_context",
    "threadpool_hung_thread_limit": "hung_after",
    "threadpool_workers": "threads",
}
"""Other names of options."""


def _silence(seconds: float) -> Mapping[str, Any]:
    return {"keep_alive_timeout": seconds, "write_timeout": seconds} if seconds else {}


def _trusted_proxy(address: str | None) -> Mapping[str, Any]:
    # Waitress calls the peers of UNIX sockets so, which have no address.
    return {"trusted_proxies": ("unix" if address == "localhost" else address,)} if address else {}


def _ssl_pem(path: Path) -> Mapping[str, Any]:
    return {"tls": "dev"} if path.name == "*" else {"tls_certificate": (path,)}


def _one_more(zombies: int) -> Mapping[str, Any]:
    return {"max_hung": zombies + 1} if zombies else {}


TRANSLATIONS = {
    # Waitress
    "channel_timeout": Translation(
        Seconds,
        "Sets ``keep_alive_timeout`` and ``write_timeout``.",
        says=_silence,
        check=at_least(1),
    ),
    "max_request_header_size": Translation(
        Size,
        "Sets ``max_request_head``, and ``max_request_line`` unless that is given.",
        says=lambda size: {"max_request_head": size},
        supposes=lambda size: {"max_request_line": size},
    ),
    "trusted_proxy": Translation(
        str | None,
        "Sets ``trusted_proxies`` to one address (or ``*``), and ``trusted_proxy_headers`` to x-forwarded-proto unless "
        "that is given.",
        says=_trusted_proxy,
        supposes=lambda address: {"trusted_proxy_headers": ("x-forwarded-proto",)} if address else {},
    ),
    # paste.httpserver
    "daemon_threads": Translation(
        bool,
        "True sets ``drain_timeout`` to 0: a stopping server does not wait for running requests.",
        says=lambda yes: {"drain_timeout": 0.0} if yes else {},
    ),
    "protocol_version": Translation(
        Literal["HTTP/0.9", "HTTP/1.0", "HTTP/1.1"],
        "Each client is answered in the version that it speaks; HTTP/1.0 sets ``keep_alive_requests`` to 1.",
        says=lambda version: {} if version == "HTTP/1.1" else {"keep_alive_requests": 1},
        remark=lambda version: (
            None
            if version == "HTTP/1.1"
            else "each client is answered in the version that it speaks, and its connection closed after one request"
        ),
    ),
    "socket_timeout": Translation(
        Seconds,
        "Sets ``keep_alive_timeout`` and ``write_timeout``.",
        says=_silence,
        check=at_least(0),
    ),
    "ssl_pem": Translation(
        Path,
        "A PEM file of certificate and key sets ``tls_certificate``; ``*`` sets ``tls = dev``.",
        says=_ssl_pem,
    ),
    "threadpool_kill_thread_limit": Translation(
        Seconds,
        "Sets ``request_timeout``: no thread is killed, the client is answered and ``max_hung`` replaces the process.",
        says=lambda seconds: {"request_timeout": seconds} if seconds else {},
        remark=lambda seconds: (
            "no thread is killed: the client gets a 504, and the process is replaced when max_hung threads hang"
            if seconds
            else None
        ),
        check=at_least(0),
    ),
    "threadpool_max_zombie_threads_before_die": Translation(
        int,
        "Sets ``max_hung`` to one more, and 0 leaves it out: the process is replaced when so many threads hang.",
        says=_one_more,
        check=at_least(0),
    ),
    "use_threadpool": Translation(
        bool,
        "True is how this server works; false does nothing.",
        remark=lambda yes: None if yes else "there is always a pool of threads; `threads` says of how many",
    ),
}
"""Keys of the other servers that mean several options, or mean one otherwise."""

_LOOP = "connections are watched without it"
_POOL = "the number of threads is fixed, see threads"
_MAIL = "what hangs is logged; a handler of the logging section can send mail"

IGNORED = {
    # Waitress
    "asyncore_loop_timeout": _LOOP,
    "asyncore_use_poll": _LOOP,
    "channel_request_lookahead": "requests of one connection are read one after the other",
    "cleanup_interval": "each timeout is kept when it is due",
    "outbuf_overflow": "an app that is ahead of its client by output_memory waits",
    "recv_bytes": "the server reads as much as has come",
    "send_bytes": "the server sends as soon as it can",
    # paste.httpserver
    "error_email": _MAIL,
    "handler": "there are no request handler classes",
    "start_loop": "a section always starts",
    "threadpool_daemon": _POOL,
    "threadpool_dying_limit": "no thread is killed, see request_timeout and max_hung",
    "threadpool_error_email": _MAIL,
    "threadpool_hung_check_period": "hung threads are seen without a request",
    "threadpool_logger": "the logger is wheatpaste.server",
    "threadpool_max_requests": "threads stay; max_requests replaces the whole process",
    "threadpool_name": _POOL,
    "threadpool_spawn_if_under": _POOL,
}
"""Keys that do nothing, and why."""

REFUSED = {
    "socket_options": "is for Python; sockets get TCP_NODELAY here",
    "sockets": "is for Python; write `listen = fd:3` for a socket that was opened before",
}
"""Keys that only Python can give."""

KEYWORDS: dict[str, Any] = {
    "names": NAMES,
    "translations": TRANSLATIONS,
    "ignored": IGNORED,
    "refused": REFUSED,
}
"""All of it, for a reader of options."""
