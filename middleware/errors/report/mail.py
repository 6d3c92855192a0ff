"""Reports by mail: sent on a thread of their own, and held back for a digest where the same fails again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ..record import ErrorRecord
from ..render.envelope import Envelope
from ..render.log_line import as_line
from .addresses import host_and_port
from .queue import Refused, ReportQueue, said
from .throttle import Digest, Throttle

if TYPE_CHECKING:
    from email.message import EmailMessage
    from smtplib import SMTP

logger = logging.getLogger(__name__)

_SUBMISSIONS = 465  # RFC 8314: TLS from the first byte


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """A mail server: ``starttls`` begins in clear and then must speak TLS, ``tls`` does from the start.

    The certificate must be valid for ``host`` (by the system's authorities, or those of ``SSL_CERT_FILE``).
    ``timeout`` bounds connecting and each answer.
    """

    host: str = "localhost"
    port: int = 25
    security: Literal["none", "starttls", "tls"] = "none"
    username: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 10.0

    def send(self, message: EmailMessage, envelope: Envelope) -> dict[str, tuple[int, bytes]]:
        """Send a mail; the recipients that were refused while others were not.

        Raises ``Refused`` where the server will never take it, and else what ``smtplib`` raises.
        """
        import smtplib

        connection = self._connect()
        try:
            if self.username and self.password:
                connection.login(self.username, self.password)
            refused = connection.send_message(message, envelope.sender, list(envelope.recipients))
        except smtplib.SMTPRecipientsRefused as fault:
            if all(code >= 500 for code, _ in fault.recipients.values()):
                raise Refused(f"every recipient was refused: {fault}") from fault
            raise
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as fault:
            if fault.smtp_code >= 500:
                raise Refused(f"the mail was refused: {fault}") from fault
            raise
        else:
            # It is sent: whatever becomes of the farewell, it must not be sent again.
            try:
                connection.quit()
            except (OSError, smtplib.SMTPException) as fault:
                logger.debug("the mail server did not say goodbye: %s", said(fault))
            return refused
        finally:
            connection.close()

    def _connect(self) -> SMTP:
        import smtplib
        import ssl

        if self.security == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=context)
        connection = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        if self.security == "starttls":
            try:
                connection.starttls(context=ssl.create_default_context())
            except BaseException:
                connection.close()
                raise
        return connection


def mail_server(
    address: str, *, use_tls: bool = False, username: str | None = None, password: str | None = None
) -> MailServer:
    """The server that the options name: ``host``, ``host:port`` or ``[v6]:port``. Raises ``ValueError``."""
    host, port = host_and_port(address)
    security: Literal["none", "starttls", "tls"] = "none"
    if use_tls:
        security = "tls" if port == _SUBMISSIONS else "starttls"
    return MailServer(host=host, port=port, security=security, username=username or "", password=password or "")


class MailReporter:
    """Mails the first failure of a group at once, and what follows within ``interval`` seconds as a digest."""

    def __init__(
        self,
        envelope: Envelope,
        server: MailServer,
        *,
        interval: float = 3600,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._envelope = envelope
        self._server = server
        self._clock = clock
        self._throttle = Throttle(interval, as_line)
        self._queue: ReportQueue[ErrorRecord | Digest] = ReportQueue(
            self._carry, "errors by mail", later=self._throttle, clock=clock
        )
        self._partly = False

    def report(self, record: ErrorRecord) -> None:
        """Let one record be mailed, or counted."""
        self._queue.decide(lambda: record if self._throttle.admits(record, self._clock()) else None)

    def close(self) -> None:
        """Send what waits and what is held back."""
        self._queue.close()

    def _carry(self, parcel: ErrorRecord | Digest) -> None:
        from ..render.mail import as_digest, as_mail

        if isinstance(parcel, Digest):
            message = as_digest(parcel.tallies, self._envelope, now=time.time(), others=parcel.others)
        else:
            message = as_mail(parcel, self._envelope)
        refused = self._server.send(message, self._envelope)
        if refused and not self._partly:
            self._partly = True
            logger.error("errors by mail: the server refuses some recipients: %s", ", ".join(sorted(refused)))
