"""Each option of the server is told to the engine, and changes nothing else of what it is told."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from wheatpaste.server.engine_settings import DEADLINES, HABITS, LIMITS
from wheatpaste.server.http_server import HTTPServer
from wheatpaste.server.settings import Settings

SAID: dict[str, Any] = {
    "connections_per_address": 3,
    "expose_tracebacks": True,
    "health_paths": ("/health",),
    "ident": None,
    "keep_alive_requests": 3,
    "log_socket_errors": False,
    "max_hung": 3,
    "max_requests": 3,
    "poller": "selectors",
    "request_timeout": 3,
    "require_host": False,
    "sendfile": False,
    "server_name": "site.example",
    "stream_uploads": True,
    "underscore_headers": "keep",
    "url_prefix": "/site",
}
"""Something else than the default; numbers that are not here become larger by one."""


def flat(settings: Settings) -> dict[str, Any]:
    told = dict(vars(settings))
    limits, deadlines = told.pop("limits"), told.pop("deadlines")
    return {
        **told,
        **{f"limits.{name}": value for name, value in vars(limits).items()},
        **{f"deadlines.{name}": value for name, value in vars(deadlines).items()},
    }


PLACES = {
    **{name: name for name in HABITS},
    "underscore_headers": "header_map",
    "max_request_line": "limits.request_line",
    "max_request_head": "limits.head",
    "max_header_fields": "limits.fields",
    "max_body": "limits.body",
    "body_memory": "limits.body_memory",
    "bodies_memory": "limits.bodies_memory",
    "output_memory": "limits.output_memory",
    "outputs_memory": "limits.outputs_memory",
    "connections": "limits.connections",
    "connections_per_address": "limits.connections_per_address",
    "max_waiting": "limits.waiting",
    "keep_alive_requests": "limits.keep_alive_requests",
    "head_timeout": "deadlines.head",
    "body_grace": "deadlines.body_grace",
    "body_rate": "deadlines.body_rate",
    "keep_alive_timeout": "deadlines.keep_alive",
    "write_timeout": "deadlines.write",
    "handshake_timeout": "deadlines.handshake",
    "waiting_timeout": "deadlines.waiting",
    "drain_timeout": "deadlines.drain",
    "hung_after": "deadlines.hung",
    "request_timeout": "deadlines.request",
}


def test_the_table_holds_all_of_them() -> None:
    assert PLACES.keys() == {*LIMITS, *DEADLINES, *HABITS}


@pytest.mark.parametrize("option", sorted(PLACES))
def test_an_option_is_one_setting(option: str) -> None:
    before = HTTPServer()
    value = SAID[option] if option in SAID else getattr(before, option) + 1
    server = HTTPServer(**{option: value})
    usual, told = flat(before.settings()), flat(server.settings())
    changed = {name: told[name] for name in told if told[name] != usual[name]}
    if server.has_parent:
        assert changed.pop("multiprocess")
    assert changed == {PLACES[option]: value}


FORWARDED = {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}


def forwarded(server: HTTPServer) -> dict[str, Any]:
    """The environ of a request after what the server does about forwarding headers."""
    environ = dict(FORWARDED)
    forwarding = server.settings().forwarding
    assert forwarding is not None
    assert forwarding(environ) is None
    return environ


def test_the_engine_removes_forwarding_headers_by_itself_unless_options_speak_of_them() -> None:
    assert HTTPServer().settings().forwarding is None


def test_forwarding_headers_that_do_not_count_stay_when_told() -> None:
    environ = forwarded(HTTPServer(clear_untrusted_proxy_headers=False))
    assert FORWARDED.items() <= environ.items()


def test_forwarding_headers_that_do_not_count_are_logged_when_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        environ = forwarded(HTTPServer(log_untrusted_proxy_headers=True))
    assert "HTTP_X_FORWARDED_FOR" not in environ
    assert "192.0.2.1" in caplog.text


@pytest.mark.parametrize(
    ("options", "client"),
    [
        pytest.param({}, "203.0.113.9", id="one proxy, unless told"),
        pytest.param({"trusted_proxy_count": 2}, "192.0.2.7", id="two proxies"),
        pytest.param({"trusted_proxy_headers": ("forwarded",)}, "192.0.2.1", id="another header"),
    ],
)
def test_a_proxy_is_believed_as_the_options_say(options: dict[str, Any], client: str) -> None:
    server = HTTPServer(trusted_proxies=("192.0.2.1",), **options)
    forwarding = server.settings().forwarding
    assert forwarding is not None
    environ = {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": "192.0.2.7, 203.0.113.9"}
    assert forwarding(environ) is None
    assert environ["REMOTE_ADDR"] == client
