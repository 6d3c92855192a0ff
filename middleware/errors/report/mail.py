"""Reports by mail: sent on a thread of their own, and held back for a digest where the same fails again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from ...delivery.mail_server import MailServer
from ...delivery.queue import DeliveryQueue
from ..record import ErrorRecord
from ..render.envelope import Envelope
from ..render.log_line import as_line
from .throttle import Digest, Throttle

logger = logging.getLogger(__name__)


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
        self._queue: DeliveryQueue[ErrorRecord | Digest] = DeliveryQueue(
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
        refused = self._server.send(message, self._envelope.sender, self._envelope.recipients)
        if refused and not self._partly:
            self._partly = True
            logger.error("errors by mail: the server refuses some recipients: %s", ", ".join(sorted(refused)))
