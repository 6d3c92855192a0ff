"""Mails on their way: sent on a thread of their own, tried again, and told to the audit log, whatever becomes of them.

A server that cannot be reached keeps all of them waiting; one that does not take a certain mail just now, as those do
that let strangers come twice, keeps none of the others waiting.
"""

from __future__ import annotations

import heapq
import logging
import re
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

from ....protocol.printable import one_line
from ....protocol.secret_texts import redact_text
from ...delivery.queue import DeliveryQueue, Refused, said
from .letters import Letter, Unwritable

if TYPE_CHECKING:
    from email.message import EmailMessage

    from ...delivery.mail_server import MailServer
    from ..account import Account
    from ..audit import Audit
    from .letters import Letters

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 60.0, 900.0
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


class Outbox:
    """Hands letters to a mail server, with ``sender`` as the address to which it may send them back."""

    def __init__(
        self,
        server: MailServer,
        sender: str,
        letters: Letters,
        audit: Audit,
        clock: Callable[[], float] = time.time,
        *,
        most: int = 200,
    ) -> None:
        self._server = server
        self._sender = sender
        self._letters = letters
        self._audit = audit
        self._clock = clock
        self._again = _Again()
        self._closing = False
        self._noted: EmailMessage | None = None
        self._queue: DeliveryQueue[Letter] = DeliveryQueue(self._carry, "mails to users", later=self._again, most=most)

    def put(self, letter: Letter) -> None:
        """Let a letter be sent, soon and by another thread."""
        self._closing = False
        if not self._queue.put(letter):
            self._note_failure(letter, "too many wait")

    def write(self, kind: str, to: str, account: Account, **how: Any) -> bool:
        """Let a letter be sent, of what ``Letters.write`` takes; whether it could be written. Raises nothing."""
        try:
            letter = self._letters.write(kind, to, account, **how)
        except Unwritable as fault:
            log.error("a mail is not sent: %s", fault)
            self._audit.note("mail.fail", None, account, kind=kind, reason=str(fault))
            return False
        self.put(letter)
        return True

    def send(self, letter: Letter) -> None:
        """Send a letter now. Raises ``ValueError`` with a sentence of what the server said."""
        import smtplib

        try:
            self._server.send(letter.message, self._sender, [letter.to])
        except (OSError, smtplib.SMTPException, Refused) as fault:
            told = told_of(fault)
            self._note_failure(letter, told)
            where = f"{self._server.host}:{self._server.port}"
            raise ValueError(f"the mail could not be sent through {where} ({told})") from fault
        self._audit.note("mail.send", None, letter.account, kind=letter.kind)

    def close(self) -> None:
        """Send what waits, once more and for a moment."""
        self._closing = True
        self._queue.close()

    def _carry(self, letter: Letter) -> None:
        import smtplib

        if letter.until < self._clock():
            self._note_failure(letter, "too late")
            return
        try:
            self._server.send(letter.message, self._sender, [letter.to])
        except Refused as fault:
            told = told_of(fault)
            self._note_failure(letter, told)
            raise Refused(told) from None
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as fault:
            told = told_of(fault)
            self._note_failure(letter, told)
            if self._closing:
                raise OSError(told) from None
            self._again.add(letter)
        except (OSError, smtplib.SMTPException) as fault:
            self._note_failure(letter, told_of(fault))
            raise
        else:
            self._audit.note("mail.send", None, letter.account, kind=letter.kind)

    def _note_failure(self, letter: Letter, reason: str) -> None:
        if letter.message is self._noted and reason != "too late":
            return  # once for all the times that it is tried in a row
        self._noted = letter.message
        self._audit.note("mail.fail", None, letter.account, kind=letter.kind, reason=reason)


class _Again:
    """Letters that the server did not take just now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[float, int, Letter]] = []
        self._number = count()

    def add(self, letter: Letter) -> None:
        """Let one wait, twice as long as the time before."""
        due = time.monotonic() + min(_FIRST_PAUSE * 2**letter.tries, _LONGEST_PAUSE)
        with self._lock:
            heapq.heappush(self._waiting, (due, next(self._number), letter._replace(tries=letter.tries + 1)))

    def due_at(self) -> float | None:
        """When the next one is due."""
        with self._lock:
            return self._waiting[0][0] if self._waiting else None

    def take(self, now: float, *, all_of_it: bool = False) -> Letter | None:
        """The one that is due."""
        with self._lock:
            if not self._waiting or (self._waiting[0][0] > now and not all_of_it):
                return None
            return heapq.heappop(self._waiting)[2]


def told_of(fault: BaseException) -> str:
    """What a mail server has said, in a line for logs and people. Servers quote what they refuse: no link is in it."""
    import smtplib

    known = fault.__cause__ if isinstance(fault, Refused) and fault.__cause__ is not None else fault
    if isinstance(known, smtplib.SMTPRecipientsRefused) and known.recipients:
        told = _answer(*next(iter(known.recipients.values())))
    elif isinstance(known, smtplib.SMTPResponseException):
        told = _answer(known.smtp_code, known.smtp_error)
    else:
        told = said(fault)
    return _SECRET.sub("…", told)


def _answer(code: int, text: bytes | str) -> str:
    told = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return one_line(redact_text(f"{code} {told}"), 300)
