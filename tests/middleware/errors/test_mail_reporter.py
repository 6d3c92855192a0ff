"""Reports by mail, taken by a real server: in clear and over TLS, with a login, refused, and not taken at all."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from error_samples import SAMPLES, TIME, simple
from mail_server import MailServer, hang, hang_up, peer
from running_server import free_port

from wheatpaste.middleware.delivery.mail_server import MailServer as Server
from wheatpaste.middleware.delivery.mail_server import mail_server
from wheatpaste.middleware.errors.record import ErrorRecord
from wheatpaste.middleware.errors.render.envelope import Envelope
from wheatpaste.middleware.errors.render.mail import as_digest
from wheatpaste.middleware.errors.report.mail import MailReporter
from wheatpaste.middleware.errors.tally import Tally
from wheatpaste.testing import Clock

# aiosmtpd has a word to say about logins without STARTTLS.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")

ENVELOPE = Envelope(
    sender="errors@shop.example", recipients=("ada@x.example", "bob@x.example"), subject_prefix="[shop]"
)


def of_group(group: str, number: int = 0) -> ErrorRecord:
    return dataclasses.replace(simple(), group=group, id=f"ID-{number}")


@pytest.fixture
def serving() -> Iterator[Callable[..., MailServer]]:
    with contextlib.ExitStack() as ends:

        def start(**options: Any) -> MailServer:
            server = MailServer(**options)
            ends.callback(server.close)
            return server

        yield start


def reporter(port: int, **options: Any) -> MailReporter:
    server = Server(host="127.0.0.1", port=port, **{"timeout": 5, **options.pop("server", {})})
    return MailReporter(ENVELOPE, server, **options)


def test_row_37_a_mail_arrives_as_text_and_html(serving: Callable[..., MailServer]) -> None:
    server = serving()
    it = reporter(server.port)
    it.report(simple())
    it.close()
    (message,) = server.messages
    assert message["From"] == "errors@shop.example"
    assert message["To"] == "ada@x.example, bob@x.example"
    assert message["Subject"] == "[shop] PriceMissing: no price in SEK for 'BREAD-7' at shop/prices.py:18 in price_of"
    assert parsedate_to_datetime(message["Date"]).timestamp() == int(TIME)
    assert message["Message-ID"].endswith("@shop.example>")
    assert message["Auto-Submitted"] == "auto-generated"
    assert (message["X-Error-ID"], message["X-Error-Group"]) == ("K7QX-M3PZ", "E-7K3QX")
    (envelope,) = server.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("errors@shop.example", ["ada@x.example", "bob@x.example"])
    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    for part in (text, html):
        content = part.get_content()
        for known in ("K7QX-M3PZ", "E-7K3QX", "shop/prices.py", "price_of", "POST", "Python"):
            assert known in content


@pytest.mark.parametrize("name", SAMPLES)
def test_every_record_can_be_mailed(name: str, serving: Callable[..., MailServer]) -> None:
    server = serving()
    it = reporter(server.port)
    it.report(SAMPLES[name]())
    it.close()
    (message,) = server.messages
    assert message.defects == []
    assert [part.defects for part in message.walk()] == [[]] * 3


def test_row_37_whoever_reports_does_not_wait() -> None:
    with peer(hang) as port:
        it = reporter(port, server={"timeout": 0.3})
        began = time.monotonic()
        for number in range(100):
            it.report(of_group(f"E-{number:05}"))
        assert time.monotonic() - began < 10  # a third of what each of them alone would take, one after the other
        it.close()


# Throttling -----------------------------------------------------------------------------------------------------------


def test_row_38_a_flood_becomes_one_mail_and_one_digest(serving: Callable[..., MailServer]) -> None:
    server = serving()
    it = reporter(server.port, interval=3600)
    for number in range(7700):
        it.report(of_group("E-AAAAA", number))
    server.wait_for(1)
    it.close()
    first, digest = server.messages
    assert first["X-Error-ID"] == "ID-0"
    assert digest["Subject"].startswith("[shop] 7699 more: ")
    assert digest["X-Error-Group"] == "E-AAAAA"
    assert first["References"] == digest["References"]
    text, html = (part.get_content() for part in digest.iter_parts())
    assert "7699 x E-AAAAA" in text
    assert "ID-7699" in text
    assert "7699" in html


def test_row_38_a_digest_comes_by_itself_when_the_interval_is_over(serving: Callable[..., MailServer]) -> None:
    server = serving()
    it = reporter(server.port, interval=0.2)
    for number in range(3):
        it.report(of_group("E-AAAAA", number))
    assert "2 more" in server.wait_for(2)[1]["Subject"]
    it.close()
    assert len(server.messages) == 2


def test_row_38_a_digest_tells_of_several_kinds(serving: Callable[..., MailServer], clock: Clock) -> None:
    server = serving()
    it = reporter(server.port)
    for number, group in enumerate(("E-AAAAA", "E-BBBBB", "E-AAAAA", "E-BBBBB", "E-BBBBB")):
        it.report(of_group(group, number))
    it.close()
    digest = server.messages[-1]
    assert digest["Subject"] == "[shop] 3 more errors of 2 kinds"
    assert digest["X-Error-Group"] is None
    text = digest.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert text.index("2 x E-BBBBB") < text.index("1 x E-AAAAA")


@pytest.mark.parametrize(
    "tallies",
    [
        pytest.param((), id="of none that is known"),
        pytest.param((Tally(group="E-AAAAA", count=2, first=TIME, last=TIME, line="it fails"),), id="of one more"),
    ],
)
def test_row_38_a_digest_of_more_kinds_than_are_told_apart_is_of_no_one_kind(tallies: tuple[Tally, ...]) -> None:
    digest = as_digest(tallies, ENVELOPE, now=TIME, others=5)
    count = 5 + sum(tally.count for tally in tallies)
    assert digest["Subject"] == f"[shop] {count} more errors of many kinds"
    assert digest["X-Error-Group"] is None
    assert digest["References"] is None
    for part in digest.iter_parts():
        assert f"{count} more errors of many kinds" in part.get_content()
        assert "And 5 of other kinds." in part.get_content()


def test_without_an_interval_each_failure_is_a_mail(serving: Callable[..., MailServer]) -> None:
    server = serving()
    it = reporter(server.port, interval=0)
    for number in range(5):
        it.report(of_group("E-AAAAA", number))
    it.close()
    assert [message["X-Error-ID"] for message in server.messages] == [f"ID-{number}" for number in range(5)]


# Headers that nobody else writes --------------------------------------------------------------------------------------

NASTY = [
    "boom\r\nBcc: evil@evil.example",
    "boom\nBcc: evil@evil.example",
    "boom\rBcc: evil@evil.example",
    "boom\r\n\r\n<h1>a body</h1>",
    "boom\x0bBcc: a\x0cBcc: b\x1cBcc: c\x85Bcc: d\u2028Bcc: e\u2029Bcc: f",
    "boom\x00\x1b[2J\x07",
    "=?utf-8?q?=0D=0ABcc:_evil@evil.example?=",
    "\ud800 alone",
    "é" * 3000,
    "a" * 100_000,
    "\r\n.\r\nMAIL FROM:<evil@evil.example>\r\n",
    ".",
    "\u202egpj.exe",
]


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
def test_row_39_c3_a_message_writes_no_header(nasty: str, serving: Callable[..., MailServer]) -> None:
    server = serving()
    record = simple()
    raised = dataclasses.replace(record.raised, message=nasty, type=f"shop.{nasty}", notes=(nasty,))
    request = dataclasses.replace(record.request, method=nasty, url=nasty, headers=((nasty, nasty),))  # type: ignore[type-var]
    it = reporter(server.port)
    it.report(dataclasses.replace(record, exceptions=(raised,), request=request, id=nasty, group=nasty))
    it.report(dataclasses.replace(record, exceptions=(raised,), request=request, id=nasty, group=nasty))
    it.close()
    assert len(server.messages) == 2
    for envelope, message in zip(server.envelopes, server.messages, strict=True):
        assert envelope.rcpt_tos == ["ada@x.example", "bob@x.example"]
        assert set(message.keys()) <= {
            *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress"),
            *("X-Error-ID", "X-Error-Group", "References", "MIME-Version", "Content-Type"),
        }
        assert len(message["Subject"]) <= 160
        assert not any(ord(letter) < 32 or letter in "\x85\u2028\u2029\u202e" for letter in message["Subject"])
        assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
        # No line of the wire is longer than RFC 5322 allows.
        assert max(map(len, bytes(envelope.content or b"").splitlines())) <= 998  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "right"),
    [
        *((each, True) for each in ("ada@x.example", "root", "a+b@x.example", "a.b@[192.0.2.1]", "ä@x.example")),
        *(
            (each, False)
            for each in ("", "a b", "a@b@c", "a@x\r\nBcc: b@x", "Ada <a@x.example>", "a@x,b@x", "@x", "a@")
        ),
    ],
)
def test_addresses_are_addresses(address: str, right: bool) -> None:
    from wheatpaste.middleware.delivery.mail_addresses import address_complaint

    assert (address_complaint(address) is None) is right


# TLS and logins -------------------------------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """One that this process believes in."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return authority


def context_of(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_it_speaks_tls_before_it_says_its_password(
    security: str, serving: Callable[..., MailServer], authority: trustme.CA
) -> None:
    server = serving(**{security: context_of(authority)}, login=(b"ada", b"hush-hush"))
    it = reporter(server.port, server={"security": security, "username": "ada", "password": "hush-hush"})
    it.report(simple())
    it.close()
    assert (len(server.messages), server.encrypted, server.users) == (1, [True], [b"ada"])


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("wrong", ["of nobody we know", "of another name"])
def test_it_says_nothing_to_a_server_that_cannot_prove_who_it_is(
    security: str, wrong: str, serving: Callable[..., MailServer], authority: trustme.CA, caplog: Any
) -> None:
    context = context_of(trustme.CA()) if wrong == "of nobody we know" else context_of(authority, "other.example")
    server = serving(**{security: context}, login=(b"ada", b"hush-hush"))
    it = reporter(server.port, server={"security": security, "username": "ada", "password": "hush-hush"})
    it.report(simple())
    it.close()
    assert (server.messages, server.users) == ([], [])
    assert "SSLCertVerificationError" in caplog.text
    assert "hush-hush" not in caplog.text


def test_it_never_goes_on_in_clear_where_tls_was_asked_for(
    serving: Callable[..., MailServer], caplog: pytest.LogCaptureFixture
) -> None:
    server = serving()
    it = reporter(server.port, server={"security": "starttls", "username": "ada", "password": "hush-hush"})
    it.report(simple())
    it.close()
    assert server.messages == []
    assert "STARTTLS" in caplog.text


def test_a_wrong_password_is_said_once_and_is_not_shown(
    serving: Callable[..., MailServer], caplog: pytest.LogCaptureFixture
) -> None:
    server = serving(login=(b"ada", b"other"))
    it = reporter(server.port, server={"username": "ada", "password": "hush-hush"})
    it.report(simple())
    it.close()
    assert server.messages == []
    assert "SMTPAuthenticationError" in caplog.text
    assert "hush-hush" not in caplog.text + repr(it) + repr(Server(password="hush-hush"))


# Servers that do not take it ------------------------------------------------------------------------------------------


def refusing(command: str, answer: str, argument: str = "") -> Callable[[str, str], str | None]:
    return lambda said, value: answer if said == command and argument in value else None


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_row_18_what_a_server_refuses_for_good_is_not_tried_again(
    command: str, serving: Callable[..., MailServer], caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[str] = []

    def refuse(said: str, value: str) -> str | None:
        tries.append(said)
        return "550 not here" if said == command else None

    server = serving(refuse=refuse)
    it = reporter(server.port, interval=0)
    it.report(simple())
    it.report(simple())
    it.close()
    assert tries.count("MAIL") == 2
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == ["errors by mail: one was refused"]


def test_row_18_a_server_that_is_busy_gets_it_later(serving: Callable[..., MailServer]) -> None:
    answers = iter(["451 try again later"])
    server = serving(refuse=lambda said, value: next(answers, None) if said == "DATA" else None)
    it = reporter(server.port)
    it.report(simple())
    server.wait_for(1)
    it.close()
    assert len(server.messages) == 1


def test_one_recipient_that_is_refused_keeps_it_from_no_other(
    serving: Callable[..., MailServer], caplog: pytest.LogCaptureFixture
) -> None:
    server = serving(refuse=refusing("RCPT", "550 who is that", "bob"))
    it = reporter(server.port, interval=0)
    it.report(simple())
    it.report(simple())
    it.close()
    assert [envelope.rcpt_tos for envelope in server.envelopes] == [["ada@x.example"]] * 2
    assert caplog.text.count("the server refuses some recipients: bob@x.example") == 1


@pytest.mark.parametrize("talk", [hang, hang_up], ids=["hangs", "hangs up"])
def test_row_18_c7_a_server_that_does_not_talk_is_given_up_in_time(
    talk: Callable[[socket.socket], None], caplog: pytest.LogCaptureFixture
) -> None:
    with peer(talk) as port:
        it = reporter(port, server={"timeout": 0.2})
        it.report(simple())
        began = time.monotonic()
        it.close()
        assert time.monotonic() - began < 10
    assert "errors by mail: they cannot be sent" in caplog.text
    assert "1 not sent before the end" in caplog.text


def test_row_18_a_server_that_is_down_gets_it_when_it_is_up(
    serving: Callable[..., MailServer], caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    it = reporter(port)
    it.report(simple())
    deadline = time.monotonic() + 20
    while "they cannot be sent" not in caplog.text:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    server = MailServer(port=port)
    try:
        server.wait_for(1)
    finally:
        server.close()
    it.close()
    assert "they are sent again" in caplog.text


def test_a_mail_is_not_sent_twice_because_the_farewell_fails() -> None:
    """A server that takes the mail and hangs up instead of answering QUIT."""
    taken: list[str] = []

    def talk(connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as stream:
            stream.write(b"220 hello\r\n")
            stream.flush()
            for line in stream:
                command = line[:4].upper()
                if command == b"QUIT":
                    return
                if command == b"DATA":
                    stream.write(b"354 go on\r\n")
                    stream.flush()
                    while stream.readline() not in (b".\r\n", b""):
                        pass
                    taken.append("mail")
                stream.write(b"250 ok\r\n")
                stream.flush()

    with peer(talk) as port:
        it = reporter(port)
        it.report(simple())
        it.close()
    assert taken == ["mail"]


# What the options come to ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "use_tls", "host", "port", "security"),
    [
        ("localhost", False, "localhost", 25, "none"),
        ("mail.example:587", True, "mail.example", 587, "starttls"),
        ("mail.example:465", True, "mail.example", 465, "tls"),
        ("mail.example:465", False, "mail.example", 465, "none"),
        ("[::1]:2525", False, "::1", 2525, "none"),
        ("[::1]", False, "::1", 25, "none"),
        ("::1", True, "::1", 25, "starttls"),
        ("192.0.2.1", False, "192.0.2.1", 25, "none"),
    ],
)
def test_a_server_is_named_as_host_and_port(address: str, use_tls: bool, host: str, port: int, security: str) -> None:
    made = mail_server(address, use_tls=use_tls)
    assert (made.host, made.port, made.security) == (host, port, security)


@pytest.mark.parametrize("address", ["", ":25", "mail:x", "mail:0", "mail:70000", "mail:-1"])
def test_what_names_no_server_is_said(address: str) -> None:
    with pytest.raises(ValueError, match="must be a host, or host:port"):
        mail_server(address)
