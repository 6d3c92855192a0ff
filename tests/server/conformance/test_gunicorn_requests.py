"""The raw requests that gunicorn publishes with its tests: what it refuses we refuse, what it accepts we accept alike.

Fetched from the package index when the test runs. Where the two differ, the table says why.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conformance_app import ConformanceApp
from conformance_exchange import observe
from conformance_tables import Required
from engine_in_thread import EngineInThread
from published_source import unpacked

from wheatpaste.server.settings import Limits, Settings

pytestmark = pytest.mark.slow

VERSION = "27.0.1"

SMALLER = "its limits are smaller than ours, or set so for the test"
TOLERATED = {
    "006.http": SMALLER,
    "007.http": SMALLER,
    "008.http": SMALLER,
    "010.http": SMALLER,
    "011.http": SMALLER,
    "012.http": SMALLER,
    "017.http": SMALLER,
    "limit_header_default_01.http": SMALLER,
    "019.http": "forwarding fields of strangers are removed before they can contradict each other",
    "rfc9112_leading_crlf_02.http": "RFC 9112 2.2: more than one empty line before a request may be overlooked",
}
"""Requests that gunicorn refuses and we answer."""

CODING = "a coding besides chunked is not implemented: identity is none since RFC 7230, gzip the app would have to undo"
FOLDED = "a folded field is refused, and there is no switch for it"
NO_PROXY = "CONNECT is not served"
REFUSED = {
    "005.http": "a target has no fragment",
    "012.http": "a trailer does not say what type the body has (RFC 9110 6.5.1)",
    "025.http": CODING,
    "025_line.http": CODING,
    "029.http": CODING,
    "030.http": CODING,
    "rfc9112_smuggle_gzip_chunked_01.http": CODING,
    "rfc9112_smuggle_te_identity_chunked_01.http": CODING,
    "028.http": "a blank before a colon is refused, and there is no switch for it",
    "031compat.http": "a method in small letters is refused, and there is no switch for it",
    "031compat2.http": "a method in small letters is refused, and there is no switch for it",
    "040.http": "Content_Length and Transfer_Encoding are attacks",
    "040_compat.http": "Content_Length and Transfer_Encoding are attacks",
    "compat_obs_fold.http": FOLDED,
    "compat_obs_fold_huge.http": FOLDED,
    "rfc9112_target_absolute_userinfo_01.http": "RFC 9110 4.2.4: a user in a target is an error",
    "rfc9112_target_authority_connect_01.http": NO_PROXY,
    "rfc9112_target_authority_ipv6_01.http": NO_PROXY,
    "pp_03.http": "whoever has to begin with a PROXY header may not do without",
    "099.http": "its body is shorter than its length, which gunicorn takes for the whole",
}
"""Requests that gunicorn answers and we refuse."""

Request = tuple[str, str, bytes]


def read_raw(path: Path) -> bytes:
    """The notation of these files: line ends mean nothing; escapes are those of Python, and ``\\0``."""
    text = path.read_bytes().replace(b"\n", b"")
    letters = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0"}

    def meaning(found: re.Match[bytes]) -> bytes:
        return bytes.fromhex(found[1].decode()) if found[1] else letters[found[2]]

    return re.sub(rb"\\(?:x([0-9a-fA-F]{2})|([rnt0]))", meaning, text)


class Published:
    """The files of one sdist, and what stands beside each of them."""

    def __init__(self, root: Path) -> None:
        self._root = root / "tests"
        spec = importlib.util.spec_from_file_location("gunicorn_treq", self._root / "treq.py")
        assert spec is not None
        assert spec.loader is not None
        self._treq = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self._treq)

    def files(self, kind: str) -> list[Path]:
        return sorted((self._root / "requests" / kind).glob("*.http"))

    def sidecar(self, path: Path) -> dict[str, Any]:
        loaded: dict[str, Any] = self._treq.load_py(str(path.with_suffix(".py")))
        return loaded

    def wants_proxy_protocol(self, path: Path) -> bool:
        return str(self.sidecar(path)["cfg"].proxy_protocol) not in ("off", "False")

    def expected(self, path: Path) -> list[Request]:
        requests = self.sidecar(path)["request"]
        found = []
        for request in requests if isinstance(requests, list) else [requests]:
            body = request["body"]
            found.append((request["method"], request["uri"]["raw"], body.encode() if isinstance(body, str) else body))
        return found


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return Published(unpacked("gunicorn", VERSION, tmp_path_factory.mktemp("gunicorn")))


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[bool], EngineInThread]]:
    """Servers that need no Host, as its parser does not; one of them wants the PROXY protocol."""
    limits = Limits(head=256 * 1024)
    made = {
        wants: EngineInThread(
            ConformanceApp(),
            Settings(require_host=False, limits=limits, proxy_protocol=(lambda peer: True) if wants else None),
        )
        for wants in (False, True)
    }
    yield made.__getitem__
    for server in made.values():
        server.stop(force=True)


def asked(server: EngineInThread, raw: bytes, replies: int) -> tuple[list[int], list[Request]]:
    server.app.calls.clear()
    seen = observe(server.unix, [raw, "FIN"], Required.read("200 " * replies + "kept"))
    assert "malformed" not in seen.end
    return [reply.status for reply in seen.final], [
        (call.environ["REQUEST_METHOD"], call.environ["REQUEST_URI"], call.body or b"") for call in server.app.calls
    ]


def test_what_it_refuses_is_refused(published: Published, servers: Callable[[bool], EngineInThread]) -> None:
    files = published.files("invalid")
    answered = {}
    for path in files:
        statuses, called = asked(servers(published.wants_proxy_protocol(path)), read_raw(path), 1)
        if called or any(status < 400 for status in statuses):
            answered[path.name] = statuses
    assert set(answered) == set(TOLERATED), answered
    assert len(files) == 81


def test_what_it_accepts_is_read_alike(published: Published, servers: Callable[[bool], EngineInThread]) -> None:
    files = published.files("valid")
    refused, otherwise = {}, {}
    for path in files:
        expected = published.expected(path)
        statuses, called = asked(servers(published.wants_proxy_protocol(path)), read_raw(path), len(expected))
        if not called:
            refused[path.name] = statuses
        elif called != expected:
            otherwise[path.name] = (called, expected)
    assert set(refused) == set(REFUSED), refused
    assert not otherwise
    assert len(files) == 62
