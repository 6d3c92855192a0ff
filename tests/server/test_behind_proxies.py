"""The engine behind real proxies, over connections that many clients share: both agree on each and every request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conformance_app import Call, ConformanceApp
from engine_in_thread import EngineInThread, wait_for
from proxy_in_front import SERIAL, Proxy, haproxy, nginx
from raw_http import BadReply, Reply, Wire
from smuggling import PAYLOADS

from wheatpaste.protocol.peers import Networks
from wheatpaste.server.forwarded import make_forwarding
from wheatpaste.server.settings import Deadlines, Settings

pytestmark = pytest.mark.slow

KEY = f"HTTP_{SERIAL.upper().replace('-', '_')}"
REFUSED = {"-", "-1", "400", "408", "411", "413", "414", "417", "431", "501", "502", "505"}

LENIENT_NGINX = "ignore_invalid_headers off; underscores_in_headers on; client_header_buffer_size 32k;"
# What haproxy then lets through, with the limits of its buffers.
LENIENT_HAPROXY = "option accept-invalid-http-request"

SETUPS: dict[str, Callable[[Path, EngineInThread], Proxy]] = {
    "nginx": lambda folder, server: nginx(folder, f"127.0.0.1:{server.tcp[1]}"),
    "nginx that lets through what it can": lambda folder, server: nginx(
        folder, f"unix:{server.unix}", http=LENIENT_NGINX, location="proxy_request_buffering off;"
    ),
    "haproxy": lambda folder, server: haproxy(folder, f"127.0.0.1:{server.tcp[1]}"),
    "haproxy that lets through what it can": lambda folder, server: haproxy(
        folder, server.unix, frontend=LENIENT_HAPROXY
    ),
}


class Behind:
    """A server, and a proxy in front of it."""

    def __init__(self, server: EngineInThread, proxy: Proxy) -> None:
        self.server, self.proxy = server, proxy
        self.seen: set[str] = set()
        """The numbers of all requests that the app has seen, as the proxy gave them."""

    @property
    def calls(self) -> list[Call]:
        calls: list[Call] = self.server.app.calls
        return calls

    @property
    def accepted(self) -> int:
        """How many connections the server has taken so far."""
        taken: int = self.server.engine.snapshot()["counters"]["connections"]
        return taken

    def exchange(self, payload: bytes, patience: float = 0.5) -> list[Reply]:
        """Send, and read what comes: the replies to one client."""
        replies = []
        with Wire(self.proxy.address, patience) as wire:
            wire.send(payload)
            try:
                while (reply := wire.read_reply()) is not None:
                    replies.append(reply)
                    if wire.quiet(0.03):
                        break
            except (TimeoutError, BadReply):
                pass  # it waits for more, or hands on what broke off
        return replies

    def get(self, path: str, *fields: str) -> dict[str, object]:
        """What the app saw of a request that is in order."""
        with Wire(self.proxy.address) as wire:
            head = "".join(f"{line}\r\n" for line in (f"GET {path} HTTP/1.1", "Host: a.example", *fields))
            wire.send(f"{head}\r\n".encode("latin-1"))
            reply = wire.read_reply()
        assert reply is not None
        assert reply.status == 200, reply
        told: dict[str, object] = json.loads(reply.body)["environ"]
        assert told["PATH_INFO"] == path
        return told


@pytest.fixture(scope="module", params=SETUPS)
def behind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    server = EngineInThread(ConformanceApp(), Settings(deadlines=Deadlines(drain=1)))
    proxy = None
    try:
        proxy = SETUPS[request.param](tmp_path_factory.mktemp("proxy") / "p", server)
        yield Behind(server, proxy)
    finally:
        if proxy is not None:
            proxy.stop()
        server.stop()


def test_connections_are_shared_so_that_a_disagreement_would_show(behind: Behind) -> None:
    """Without that the others prove nothing."""
    begun = behind.accepted
    for number in range(12):
        behind.seen.add(str(behind.get(f"/{number}")[KEY]))
    assert behind.accepted - begun <= 6


@pytest.mark.parametrize("name", PAYLOADS)
def test_the_app_sees_what_the_proxy_has_sent_and_nothing_else(behind: Behind, name: str) -> None:
    behind.seen.update(str(call.environ[KEY]) for call in behind.calls)  # one that came late
    behind.calls.clear()
    behind.exchange(PAYLOADS[name])
    for number in range(3):
        told = behind.get(f"/after/{number}", f"X-Mine: {number}")
        assert told["HTTP_X_MINE"] == str(number)
    seen = [call.environ.get(KEY) for call in behind.calls]
    assert None not in seen, [call.path for call in behind.calls]
    assert behind.seen.isdisjoint(seen), "two requests with one number"
    assert len(seen) == len(set(seen)), "two requests with one number"
    behind.seen.update(seen)
    wait_for(lambda: behind.seen <= behind.proxy.sent().keys(), f"the proxy knows of {seen}")

    def have_come() -> bool:
        # All of them, because a proxy may write its log some time after its reply; and the app may see a request when
        # the client, which has waited for a moment, has left.
        behind.seen.update(str(call.environ[KEY]) for call in behind.calls)
        sent = behind.proxy.sent()
        return {serial for serial, statuses in sent.items() if not REFUSED.issuperset(statuses)} <= behind.seen

    wait_for(have_come, "the app has seen all that the proxy has sent")
    assert all(len(statuses) == 1 for statuses in behind.proxy.sent().values()), "a request was sent twice"


class TestForwardingHeadersOfNginx:
    """nginx appends the client that it sees to what the client wrote."""

    APPENDING = """
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header Forwarded "$http_forwarded, for=$remote_addr:$remote_port;proto=$scheme;host=$http_host";
    """

    @pytest.fixture
    def behind(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Behind]:
        forwarding = make_forwarding(Networks(["unix"]), headers=request.param)
        server = EngineInThread(ConformanceApp(), Settings(forwarding=forwarding, deadlines=Deadlines(drain=1)))
        proxy = None
        try:
            proxy = nginx(tmp_path / "p", f"unix:{server.unix}", location=self.APPENDING)
            yield Behind(server, proxy)
        finally:
            if proxy is not None:
                proxy.stop()
            server.stop()

    LISTS = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host")

    @pytest.mark.parametrize("behind", [LISTS, ("forwarded",)], indirect=True, ids=["lists", "RFC 7239"])
    def test_what_the_client_wrote_before_does_not_count(self, behind: Behind) -> None:
        told = behind.get(
            "/a", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https", "Forwarded: for=6.6.6.6;proto=https"
        )
        assert (told["REMOTE_ADDR"], told["wheatpaste.peer"]) == ("127.0.0.1", "")
        assert (told["HTTP_HOST"], told["wsgi.url_scheme"], told["SERVER_PORT"]) == ("a.example", "http", "80")
        assert "6.6.6.6" not in str(told)

    @pytest.mark.parametrize("behind", [("forwarded",)], indirect=True, ids=["RFC 7239"])
    @pytest.mark.parametrize("said", ['for="', 'for=6.6.6.6;x="', 'x="\\'])
    def test_quotes_that_the_client_leaves_open_hide_nothing(self, behind: Behind, said: str) -> None:
        request = f"GET /a HTTP/1.1\r\nHost: a.example\r\nForwarded: {said}\r\n\r\n"
        replies = behind.exchange(request.encode(), patience=20)
        assert [reply.status for reply in replies] == [400]
        assert behind.calls == []
