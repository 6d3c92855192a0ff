"""A real mail server on a free port, and peers that are none: they refuse, hang, or hang up.

``MailServer`` keeps the messages that it took. It runs in a thread of its own until it is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class MailServer:
    """``refuse`` says for a command and its argument what to answer instead of taking it, or None."""

    def __init__(
        self,
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None,
        login: tuple[bytes, bytes] | None = None,
        refuse: Callable[[str, str], str | None] = lambda command, argument: None,
    ) -> None:
        self.envelopes: list[Envelope] = []
        self.encrypted: list[bool] = []
        self.users: list[bytes] = []
        self._transports: list[Any] = []
        self._login = login
        self._refuse = refuse
        options: dict[str, Any] = {"tls_context": starttls, "require_starttls": starttls is not None}
        if login is not None:
            options |= {"authenticator": self._authenticate, "auth_required": True}
            options["auth_require_tls"] = starttls is not None
        listener = socket.create_server(("127.0.0.1", port))
        self.port: int = listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            self._loop.create_server(
                lambda: SMTP(self, loop=self._loop, hostname="mail.test", **options), sock=listener, ssl=tls
            )
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for transport in self._transports:
            transport.abort()
        await asyncio.sleep(0)  # for transports to close in

    @property
    def messages(self) -> list[EmailMessage]:
        """What arrived, read again from the bytes on the wire."""
        read = (message_from_bytes(cast(bytes, each.content), policy=default) for each in self.envelopes)
        return cast("list[EmailMessage]", list(read))

    def wait_for(self, number: int, seconds: float = 10) -> list[EmailMessage]:
        """The messages, once there are so many."""
        deadline = time.monotonic() + seconds
        while len(self.envelopes) < number:
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(self.envelopes)} mails of {number} came within {seconds} s")
            time.sleep(0.01)
        return self.messages

    def close(self) -> None:
        """Take no more."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == self._login
        if right:
            self.users.append(data.login)
        return AuthResult(success=right, handled=False)

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, host: str, answers: list[str]
    ) -> list[str]:
        session.host_name = host
        self._transports.append(server.transport)
        return answers

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refusal = self._refuse("MAIL", address)
        if refusal is None:
            envelope.mail_from = address
        return refusal or "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refusal = self._refuse("RCPT", address)
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        refusal = self._refuse("DATA", "")
        if refusal is None:
            self.encrypted.append(
                session.ssl is not None or isinstance(server.transport.get_extra_info("sslcontext"), ssl.SSLContext)
            )
            self.envelopes.append(envelope)
        return refusal or "250 OK"


@contextlib.contextmanager
def peer(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port where ``talk`` gets each connection, in a thread of its own; all are closed at the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                taken.append(connection)
                threading.Thread(target=_contained, args=(talk, connection), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            # Closing alone would leave accept() waiting for one more.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for connection in taken:
                connection.close()


def _contained(talk: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        talk(connection)


def hang(connection: socket.socket) -> None:
    """Say nothing, and read nothing."""
    time.sleep(60)


def hang_up(connection: socket.socket) -> None:
    """Go away."""
    connection.close()
