"""Certificates for tests, and handshakes between two sockets of one process, a step of each side in turn."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trustme

from wheatpaste.server.tls.certificates import Certificate
from wheatpaste.server.tls.handshake import Handshake


def write_pem(path: Path, *blobs: Any) -> Path:
    """Write trustme's blobs, or bytes, one after the other, for this user alone."""
    path.touch(mode=0o600)
    path.write_bytes(b"".join(blob if isinstance(blob, bytes) else blob.bytes() for blob in blobs))
    return path


class Authority:
    """A certificate authority that issues into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = trustme.CA(organization_name="Paper Mill")
        self.file = write_pem(folder / "authority.pem", self.ca.cert_pem)

    def issue(self, *names: str, file: str | None = None, **options: Any) -> Certificate:
        """Key and certificate in one file, named by the first name."""
        leaf = self.ca.issue_cert(*names, **options)
        return Certificate(write_pem(self.folder / f"{file or names[0]}.pem", leaf.private_key_and_cert_chain_pem))

    def client(self, certificate: Certificate | None = None, **options: Any) -> ssl.SSLContext:
        """What a client speaks that trusts this authority; ``options`` are attributes of its context."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.file)
        for name, value in options.items():
            setattr(context, name, value)
        if certificate is not None:
            context.load_cert_chain(certificate.chain, certificate.key)
        return context


def anybody() -> ssl.SSLContext:
    """What a client speaks that verifies nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets that do not wait: the server's and the client's."""
    server, client = socket.socketpair()
    server.setblocking(False)
    client.setblocking(False)
    with server, client:
        yield server, client


@contextlib.contextmanager
def connection(
    tls: Any, client: ssl.SSLContext, name: str | None = None, session: ssl.SSLSession | None = None
) -> Iterator[tuple[ssl.SSLSocket, ssl.SSLSocket]]:
    """Both sides of a finished handshake. Raises what the server's side raises, else what the client's does."""
    with pair() as (server, raw):
        peer = client.wrap_socket(raw, server_hostname=name, do_handshake_on_connect=False, session=session)
        handshake = Handshake(server, tls)
        try:
            with peer:
                shake_hands(handshake, peer)
                assert isinstance(handshake.socket, ssl.SSLSocket)
                yield handshake.socket, peer
        finally:
            handshake.socket.close()


def shake_hands(handshake: Handshake, peer: ssl.SSLSocket) -> None:
    """Let both sides do a step in turn until both are done."""
    done, refused = False, None
    for _ in range(20):
        if refused is None:
            try:
                peer.do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            except OSError as error:
                refused = error  # the server still has to hear of it
            else:
                if done:
                    return
        if not done:
            done = handshake.step() is None
        elif refused is not None:
            raise refused
    raise refused or AssertionError("the handshake does not come to an end")


def read(sock: ssl.SSLSocket, limit: int = 65536) -> bytes:
    """What is there to read, or nothing."""
    try:
        return sock.recv(limit)
    except ssl.SSLWantReadError:
        return b""


def days(count: float) -> datetime.timedelta:
    """So many days."""
    return datetime.timedelta(days=count)
