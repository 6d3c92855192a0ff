"""Mails on their way: what is tried again, what is not, and what is written down of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from auth_pages import Clock
from mail_server import MailServer, hang, peer

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.audit import Audit
from wheatpaste.middleware.auth.mail.letters import Letter, Letters
from wheatpaste.middleware.auth.mail.outbox import Outbox
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.delivery.mail_server import MailServer as Server

BOB = Account("local:1", "bob", "local", email="bob@example.org", email_verified=True)
SENDER = "wiki@wiki.example.org"


class World:
    """An outbox, where it sends to, and what it has written down."""

    def __init__(self, port: int, *, most: int = 200, timeout: float = 5) -> None:
        self.clock = Clock()
        self.records: list[Any] = []
        server = Server(host="127.0.0.1", port=port, timeout=timeout)
        self.letters = Letters(Site(public_url="https://wiki.example.org"), SENDER, self.clock)
        self.outbox = Outbox(server, SENDER, self.letters, Audit(self.records.append), self.clock, most=most)

    def letter(self, to: str = "bob@example.org", seconds: float = 1800) -> Letter:
        return self.letters.write("test", to, BOB, seconds=seconds)

    @property
    def told(self) -> list[tuple[str, str | None]]:
        return [(each["event"], each.get("reason")) for each in self.records]


@pytest.fixture
def world() -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def make(port: int, **how: Any) -> World:
        made.append(World(port, **how))
        return made[-1]

    yield make
    for each in made:
        each.outbox.close()


@pytest.fixture
def serving() -> Iterator[Callable[..., MailServer]]:
    made: list[MailServer] = []

    def make(**how: Any) -> MailServer:
        made.append(MailServer(**how))
        return made[-1]

    yield make
    for each in made:
        each.close()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_whoever_sends_does_not_wait_for_a_server_that_is_silent(world: Callable[..., World]) -> None:
    with peer(hang) as port:
        it = world(port, timeout=0.3)
        began = time.monotonic()
        for _ in range(100):
            it.outbox.put(it.letter())
        assert time.monotonic() - began < 2
        wait_for(lambda: bool(it.told))
        assert it.told[0][0] == "mail.fail"
        it.outbox.close()


def test_what_does_not_fit_is_written_down(world: Callable[..., World]) -> None:
    with peer(hang) as port:
        it = world(port, most=3, timeout=0.3)
        for _ in range(10):
            it.outbox.put(it.letter())
        assert it.told.count(("mail.fail", "too many wait")) >= 6
        it.outbox.close()


def test_a_server_that_comes_back_gets_what_has_waited(
    world: Callable[..., World], serving: Callable[..., MailServer]
) -> None:
    first = MailServer()
    port = first.port
    first.close()
    it = world(port)
    it.outbox.put(it.letter())
    wait_for(lambda: bool(it.told))
    again = serving(port=port)
    again.wait_for(1)
    wait_for(lambda: len(it.told) == 2)
    assert [event for event, _ in it.told] == ["mail.fail", "mail.send"]


def test_what_is_of_no_use_any_more_is_not_sent(
    world: Callable[..., World], serving: Callable[..., MailServer]
) -> None:
    server = serving()
    it = world(server.port)
    it.outbox.put(it.letter(seconds=-1))
    it.outbox.close()
    assert it.told == [("mail.fail", "too late")]
    assert server.messages == []


def test_an_address_that_is_not_taken_yet_is_tried_once_more_at_the_end(
    world: Callable[..., World], serving: Callable[..., MailServer]
) -> None:
    answers = iter(["451 come again"])
    server = serving(refuse=lambda command, argument: next(answers, None) if command == "RCPT" else None)
    it = world(server.port)
    it.outbox.put(it.letter())
    wait_for(lambda: bool(it.told))
    it.outbox.close()
    assert [each["To"] for each in server.messages] == ["bob@example.org"]
    assert it.told == [("mail.fail", "451 come again"), ("mail.send", None)]


@pytest.mark.parametrize("code", ["451", "550"])
def test_it_ends_whatever_the_server_says(
    code: str, world: Callable[..., World], serving: Callable[..., MailServer]
) -> None:
    server = serving(refuse=lambda command, argument: f"{code} no" if command == "RCPT" else None)
    it = world(server.port)
    for _ in range(3):
        it.outbox.put(it.letter())
    began = time.monotonic()
    it.outbox.close()
    assert time.monotonic() - began < 4
    assert server.messages == []
    assert ("mail.fail", f"{code} no") in it.told


def test_sending_at_once_says_what_the_server_has_answered(
    world: Callable[..., World], serving: Callable[..., MailServer]
) -> None:
    server = serving(refuse=lambda command, argument: "550 5.1.1 no such user" if command == "RCPT" else None)
    it = world(server.port)
    with pytest.raises(ValueError, match=rf"through 127\.0\.0\.1:{server.port} \(550 5\.1\.1 no such user\)"):
        it.outbox.send(it.letter())
    assert it.told == [("mail.fail", "550 5.1.1 no such user")]


def test_an_address_of_other_letters_needs_a_server_that_takes_them(
    world: Callable[..., World], serving: Callable[..., MailServer]
) -> None:
    server = serving()
    it = world(server.port)
    it.outbox.put(it.letter("jürgen@example.org"))
    it.outbox.put(it.letter("bob@example.org"))
    wait_for(lambda: len(it.told) == 2)
    assert [event for event, _ in it.told] == ["mail.fail", "mail.send"]
    assert "SMTPUTF8" in str(it.told[0][1])
    assert [each["To"] for each in server.messages] == ["bob@example.org"]
