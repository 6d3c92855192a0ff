"""Which reporters the options of the filter ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ....config.options import OptionError

if TYPE_CHECKING:
    from ....protocol.wsgi import Environ
    from ..catch_errors import CatchErrors
    from ..record import ErrorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """Who is told: ``reporters`` of the record alone, ``witnesses`` with the live exception and the environ too."""

    reporters: Sequence[Any]
    witnesses: Sequence[Callable[[BaseException, Environ, ErrorRecord], object]]


def reporting_of(options: CatchErrors) -> Reporting:
    """The reporters that these options ask for; nothing is opened or started. Raises ``OptionError``."""
    from .logger_reporter import LoggerReporter
    from .stream import StreamReporter

    reporters: list[Any] = [LoggerReporter()]
    witnesses: list[Any] = [StreamReporter(always=options.show_exceptions_in_wsgi_errors).witness]
    if options.error_log is not None:
        from .file import FileReporter

        reporters.append(FileReporter(options.error_log, size=options.error_log_size, files=options.error_log_files))
    if options.error_email:
        reporters.append(_mail(options))
    if options.webhook:
        from .webhook import WebhookReporter

        reporters.append(WebhookReporter(options.webhook))
    if options.sentry:
        from .sentry import SentryReporter

        sentry = SentryReporter()
        witnesses.append(sentry.witness)
        reporters.append(sentry)
    for given in options.reporters:
        from .foreign import ForeignReporter, reporter_of

        try:
            reporters.append(ForeignReporter(reporter_of(given)))
        except ValueError as error:
            raise OptionError(type(options).__name__, "reporters", str(error)) from error
    return Reporting(reporters=tuple(reporters), witnesses=tuple(witnesses))


def _mail(options: CatchErrors) -> Any:
    from ...delivery.mail_server import mail_server
    from ..render.envelope import Envelope
    from .mail import MailReporter

    server = mail_server(
        options.smtp_server,
        use_tls=options.smtp_use_tls,
        username=options.smtp_username,
        password=options.smtp_password,
    )
    envelope = Envelope(
        sender=options.from_address, recipients=options.error_email, subject_prefix=options.error_subject_prefix
    )
    return MailReporter(envelope, server, interval=options.mail_interval)
