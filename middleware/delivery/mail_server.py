"""A mail server of others, to which mails are handed (RFC 5321), in clear or over TLS."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from .mail_addresses import host_and_port
from .queue import Refused, said

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

    def send(self, message: EmailMessage, sender: str, recipients: Sequence[str]) -> dict[str, tuple[int, bytes]]:
        """Send a mail; the recipients that were refused while others were not.

        Raises ``Refused`` where the server will never take it, and else what ``smtplib`` raises.
        """
        import smtplib

        connection = self._connect()
        try:
            if self.username and self.password:
                connection.login(self.username, self.password)
            refused = connection.send_message(message, sender, list(recipients))
        except smtplib.SMTPRecipientsRefused as fault:
            if all(code >= 500 for code, _ in fault.recipients.values()):
                raise Refused(f"every recipient was refused: {fault}") from fault
            raise
        except smtplib.SMTPNotSupportedError as fault:
            if all(each.isascii() for each in (sender, *recipients)):
                raise
            raise Refused("the server takes no addresses with such letters (SMTPUTF8)") from fault
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
