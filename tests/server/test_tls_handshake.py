"""The beginning and the end of a TLS connection, without waiting."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import threading
from pathlib import Path

import pytest
from tls_peers import Authority, anybody, connection, pair, read, shake_hands

from wheatpaste.server.tls.contexts import TLSContexts, make_tls
from wheatpaste.server.tls.encrypted_socket import TLSSocket, own_context
from wheatpaste.server.tls.handshake import Handshake, HandshakeFailed, SpokePlainHTTP, close_notify


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def tls(authority: Authority) -> TLSContexts:
    return make_tls([authority.issue("shop.example")])


def _hello(client: ssl.SSLContext | None = None) -> bytes:
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        (client or anybody()).wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    return outgoing.read()


def _step_on(handshake: Handshake) -> None:
    for _ in range(3):
        handshake.step()


def test_a_silent_client_is_waited_for_without_being_wrapped(tls: TLSContexts) -> None:
    with pair() as (server, _):
        handshake = Handshake(server, tls)

        assert [handshake.step() for _ in range(3)] == ["read"] * 3
        assert handshake.socket is server


def test_it_tells_without_a_step_whether_there_is_anything_to_do(tls: TLSContexts) -> None:
    with pair() as (server, client):
        handshake = Handshake(server, tls)
        assert handshake.is_silent()
        client.send(_hello())
        assert not handshake.is_silent()
        assert handshake.step() == "read"
        assert not handshake.is_silent(), "from then on only a step can tell"
        handshake.socket.close()
    with pair() as (server, client):
        client.close()
        assert not Handshake(server, tls).is_silent()


def test_a_hello_that_comes_byte_by_byte_is_waited_for(tls: TLSContexts) -> None:
    hello = _hello()
    with pair() as (server, client):
        handshake = Handshake(server, tls)
        for byte in hello[:-1]:
            client.send(bytes([byte]))
            assert handshake.step() == "read"
            with pytest.raises(BlockingIOError):
                client.recv(1)  # nothing is answered yet
        client.send(hello[-1:])
        assert handshake.step() == "read"
        assert client.recv(1) == b"\x16"
        handshake.socket.close()


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(b"GET / HTTP/1.1\r\n", id="GET"),
        pytest.param(b"O", id="one letter of OPTIONS"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="the preface of HTTP/2"),
        pytest.param(b"get / http/1.1\r\n", id="in small letters"),
        pytest.param(b"\r\nGET / HTTP/1.1\r\n", id="after an empty line"),
    ],
)
def test_plain_http_is_noticed_and_can_be_answered_in_plain(tls: TLSContexts, first: bytes) -> None:
    with pair() as (server, client):
        handshake = Handshake(server, tls)
        client.send(first)

        with pytest.raises(SpokePlainHTTP, match="spoke plain HTTP to a port that speaks https"):
            handshake.step()

        assert handshake.socket is server
        assert server.recv(1024) == first  # nothing is lost
        server.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        assert client.recv(1024).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        pytest.param(b"\x00" * 64, "speaks no TLS", id="zeros"),
        pytest.param(b"\xff" * 64, "speaks no TLS", id="ones"),
        pytest.param(b"\x16\x03\x01\x00\x05hello", None, id="a record that holds no hello"),
        pytest.param(b"\x16\x03\x01\xff\xff" + b"x" * 100, None, id="a record that is too long"),
        pytest.param(b"\x15\x03\x03\x00\x02\x01\x00", None, id="a farewell first"),
    ],
)
def test_what_is_no_hello_is_refused_in_words_for_the_log(tls: TLSContexts, words: bytes, reason: str | None) -> None:
    with pair() as (server, client):
        handshake = Handshake(server, tls)
        client.send(words)

        with pytest.raises(HandshakeFailed) as caught:
            _step_on(handshake)

        assert not isinstance(caught.value, SpokePlainHTTP)
        assert caught.value.reason == (reason or caught.value.reason)
        assert "_ssl.c" not in caught.value.reason
        handshake.socket.close()


@pytest.mark.parametrize("said", [b"", _hello()[:60], _hello()], ids=["nothing", "half a hello", "a hello"])
def test_a_client_that_leaves_is_noticed(tls: TLSContexts, said: bytes) -> None:
    with pair() as (server, client):
        handshake = Handshake(server, tls)
        client.send(said)
        client.close()

        with pytest.raises(HandshakeFailed, match="left (before it said anything|during the handshake)"):
            _step_on(handshake)
        handshake.socket.close()


@pytest.mark.parametrize("said", [b"", _hello()[:60], _hello()], ids=["nothing", "half a hello", "a hello"])
def test_the_descriptor_stays_the_connections_own_when_a_client_tears_it(tls: TLSContexts, said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        server.setblocking(False)
        number = server.fileno()
        handshake = Handshake(server, tls)
        client.send(said)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()

        with pytest.raises(HandshakeFailed, match="left"):
            _step_on(handshake)

        # Another thread may get the number as soon as it is closed, so nobody but the connection's owner closes it.
        assert handshake.socket.fileno() == number
        os.fstat(number)
        handshake.socket.close()


def test_a_client_that_is_gone_before_it_is_wrapped_makes_no_difference(tls: TLSContexts) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        server.setblocking(False)
        number = server.fileno()
        client.send(_hello())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()

        with tls.wrap_socket(server) as wrapped:
            assert wrapped.fileno() == number
            with pytest.raises(ConnectionError):
                wrapped.do_handshake()


def test_a_client_that_does_not_trust_the_server_is_told_of_in_words(authority: Authority, tls: TLSContexts) -> None:
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    with (
        pytest.raises(HandshakeFailed, match="does not know the issuer of this server's certificate"),
        connection(tls, stranger, "shop.example"),
    ):
        pass


def test_a_step_may_run_on_any_thread(tls: TLSContexts) -> None:
    def drive() -> None:
        with pair() as (server, raw), anybody().wrap_socket(raw, do_handshake_on_connect=False) as peer:
            handshake = Handshake(server, tls)
            shake_hands(handshake, peer)
            handshake.socket.close()
            done.append(True)

    done: list[bool] = []
    threads = [threading.Thread(target=drive) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert done == [True] * 8


def test_a_context_of_the_deployers_own_can_be_used(authority: Authority) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.issue("own.example").chain)

    with connection(own_context(context), authority.client(), "own.example") as (server, client):
        assert isinstance(server, TLSSocket)
        client.send(b"ping")
        assert read(server) == b"ping"


def test_a_context_keeps_the_class_that_its_owner_chose(authority: Authority) -> None:
    class Mine(ssl.SSLSocket):
        pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslsocket_class = Mine

    assert own_context(context).sslsocket_class is Mine


# What the docstring of wheatpaste.server.tls.encrypted_socket promises


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_a_send_that_did_not_fit_is_repeated_as_it_was(tls: TLSContexts, version: ssl.TLSVersion) -> None:
    client = anybody()
    client.maximum_version = version
    data = bytes(range(256)) * 8192  # two megabytes
    with connection(tls, client) as (server, peer):
        received = bytearray()
        attempts = 0
        while True:
            attempts += 1
            try:
                # From other memory each time, as a queue may hold it.
                assert server.send(bytearray(data)) == len(data)
                break
            except ssl.SSLWantWriteError:
                received += read(peer)
        while len(received) < len(data):
            received += read(peer)

        assert attempts > 1
        assert bytes(received) == data


def test_what_did_not_fit_into_a_read_is_pending(tls: TLSContexts) -> None:
    with connection(tls, anybody()) as (server, peer):
        peer.send(b"x" * 10_000)

        assert server.recv(4_000) == b"x" * 4_000
        assert server.pending() == 6_000
        assert len(server.recv(16_384)) == 6_000
        with pytest.raises(ssl.SSLWantReadError):
            server.recv(1)


@pytest.mark.parametrize("polite", [True, False], ids=["with a farewell", "without"])
def test_the_end_is_an_empty_read(tls: TLSContexts, polite: bool) -> None:
    with connection(tls, anybody()) as (server, peer):
        if polite:
            assert close_notify(peer)
        else:
            socket.socket.shutdown(peer, socket.SHUT_RDWR)

        assert server.recv(100) == b""


@pytest.mark.parametrize("polite", [True, False], ids=["with a farewell", "without"])
def test_a_farewell_is_sent_without_waiting_for_the_answer(tls: TLSContexts, polite: bool) -> None:
    strict = anybody()
    strict.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0x80)
    with connection(tls, strict) as (server, peer):
        peer.suppress_ragged_eofs = False
        server.send(b"all there is")
        if polite:
            assert close_notify(server)
        socket.socket.shutdown(server, socket.SHUT_WR)

        assert peer.recv(100) == b"all there is"
        if polite:
            assert peer.recv(100) == b""
        else:
            with pytest.raises(ssl.SSLEOFError):
                peer.recv(100)


def test_a_farewell_that_does_not_fit_is_left_for_later(tls: TLSContexts) -> None:
    with connection(tls, anybody()) as (server, _):
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        with contextlib.suppress(BlockingIOError):
            while True:
                socket.socket.send(server, b"\0" * 65536)  # below TLS, to fill the way

        assert not close_notify(server)


def test_a_farewell_to_nobody_is_no_mistake(tls: TLSContexts) -> None:
    with connection(tls, anybody()) as (server, peer):
        peer.close()
        assert close_notify(server)
        assert close_notify(server)
        server.close()
        assert close_notify(server)


def test_one_thread_may_read_while_another_writes_and_a_third_closes(tls: TLSContexts) -> None:
    with connection(tls, anybody()) as (server, peer):
        ended = threading.Event()
        failures: list[BaseException] = []

        def repeat(call: object) -> None:
            while not ended.is_set():
                try:
                    call()  # type: ignore[operator]
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    pass
                except OSError:
                    return  # it was closed
                except BaseException as error:
                    failures.append(error)
                    return

        block = b"y" * 40_000
        threads = [
            threading.Thread(target=repeat, args=[call])
            for call in (lambda: server.recv(16384), lambda: server.send(block))
        ]
        for thread in threads:
            thread.start()
        received = 0
        while received < 4_000_000:
            with contextlib.suppress(ssl.SSLWantWriteError):
                peer.send(b"x" * 5_000)
            got = read(peer)
            assert got.strip(b"y") == b""
            received += len(got)
        server.close()
        ended.set()
        for thread in threads:
            thread.join(20)

        assert failures == []
        assert not any(thread.is_alive() for thread in threads)
