"""``wheatpaste auth FILE``, where it sends mails: links to users, and one to try whether that works."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mail_server import MailServer, hang_up, peer

from wheatpaste.scripts.main import main

SITE = """
    [app:main]
    use = egg:wheatpaste#echo
    filter-with = auth

    [filter:auth]
    use = egg:wheatpaste#auth

    [auth:main]
    secret = %(here)s/auth.key
    public_url = https://wiki.example.org
    title = Our wiki
    audit = json:%(here)s/audit.log

    [auth:main:store]
    url = sqlite:///%(here)s/auth.db

    [auth:main:password]
    argon2 = t=1,m=8,p=1
    """
MAIL = """
    [auth:main:mail]
    smtp_server = 127.0.0.1:{port}
    smtp_use_tls = false
    from_address = wiki@example.org
    language = de
    """
PASSWORD = "four plain words here"
LINK = re.compile(r"https://wiki\.example\.org/-/auth/(invite|reset)/[\w-]{43}")

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def refused() -> list[str]:
    """What the server answers to the next commands RCPT."""
    return []


@pytest.fixture
def server(refused: list[str]) -> Iterator[MailServer]:
    made = MailServer(refuse=lambda command, argument: refused.pop(0) if command == "RCPT" and refused else None)
    yield made
    made.close()


@pytest.fixture
def say(
    write_ini: Callable[..., Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[int | None], Say]:
    """For the port of a mail server, what runs the command for a site with bob, whose address is confirmed."""

    def prepare(port: int | None) -> Say:
        path = write_ini(SITE + ("" if port is None else MAIL.format(port=port)))
        monkeypatch.chdir(path.parent)

        def run(*words: str, stdin: str = "") -> tuple[int, str, str]:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
            code = main(["auth", "site.ini", *words])
            captured = capsys.readouterr()
            return code, captured.out, captured.err

        assert run("init", "--no-admin")[0] == 0
        made = run("user", "add", "bob", "--email", "bob@example.org", "--verified", stdin=PASSWORD + "\n")
        assert made[0] == 0, made
        return run

    return prepare


def events(kind: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in Path("audit.log").read_text().splitlines()]
    return [each for each in found if each["event"] == kind]


def test_an_invitation_is_mailed_and_not_printed(say: Callable[[int], Say], server: MailServer) -> None:
    run = say(server.port)
    code, out, err = run("user", "add", "kim", "--email", "kim@example.net", "--invite", "--mail")
    assert (code, err) == (0, "")
    assert out == "a link for kim is on its way to kim@example.net\n"
    (message,) = server.messages
    assert message["To"] == "kim@example.net"
    assert message["Subject"] == "Sie sind zu Our wiki eingeladen"
    found = LINK.search(message.get_content())
    assert found is not None
    assert found[1] == "invite"
    assert [(each["name"], each["kind"]) for each in events("mail.send")] == [("kim", "invite")]
    assert "kim@example.net" not in Path("audit.log").read_text()


def test_a_link_for_a_new_password_is_mailed(say: Callable[[int], Say], server: MailServer) -> None:
    run = say(server.port)
    code, out, _ = run("invite", "bob", "--mail", "--json")
    assert code == 0
    assert json.loads(out) | {"id": ""} == {"mailed_to": "bob@example.org", "name": "bob", "id": ""}
    found = LINK.search(server.messages[0].get_content())
    assert found is not None
    assert found[1] == "reset"
    assert run("invite", "bob")[0] == 0
    assert len(server.messages) == 1


def test_a_new_password_and_a_new_address_are_told(say: Callable[[int], Say], server: MailServer) -> None:
    run = say(server.port)
    assert run("user", "passwd", "bob", stdin="other words for bob\n")[0] == 0
    assert "Das Passwort Ihres Kontos bob" in server.wait_for(1)[0].get_content()
    assert run("user", "edit", "bob", "--email", "robert@example.net")[0] == 0
    told = server.wait_for(2)[1]
    assert told["To"] == "bob@example.org"
    assert run("user", "edit", "bob", "--display", "Bob")[0] == 0
    assert len(server.messages) == 2


def test_a_new_password_voids_links(say: Callable[[int], Say], server: MailServer) -> None:
    from wheatpaste.middleware.auth.links import SCHEMA, Links
    from wheatpaste.middleware.storage.places import tables_of

    run = say(server.port)
    run("invite", "bob", "--mail")
    found = LINK.search(server.messages[0].get_content())
    assert found is not None
    tables = tables_of("sqlite:///auth.db", SCHEMA)
    token = found[0].rpartition("/")[2]
    assert Links(tables).peek("reset", token) is not None
    run("user", "passwd", "bob", stdin="other words for bob\n")
    assert Links(tables).peek("reset", token) is None
    tables.close()


def test_a_mail_can_be_tried(say: Callable[[int], Say], server: MailServer) -> None:
    run = say(server.port)
    code, out, _ = run("mail", "test", "me@example.org")
    assert (code, out) == (0, f"127.0.0.1:{server.port} has taken a mail for me@example.org\n")
    assert server.messages[0]["To"] == "me@example.org"


def test_what_the_server_refuses_is_told(say: Callable[[int], Say], server: MailServer, refused: list[str]) -> None:
    run = say(server.port)
    refused.append("550 5.7.1 relaying denied")
    code, _, err = run("mail", "test", "me@example.org")
    assert code == 1
    assert f"could not be sent through 127.0.0.1:{server.port} (550 5.7.1 relaying denied)" in err
    refused.append("550 5.1.1 no such user")
    code, _, err = run("user", "add", "kim", "--email", "kim@example.net", "--invite", "--mail")
    assert code == 1
    assert "kim is there now, but the mail could not be sent" in err
    assert "wheatpaste auth FILE invite kim --mail" in err
    assert LINK.search(err) is None
    assert run("invite", "kim", "--mail")[0] == 0


def test_a_server_that_is_not_there_is_told(say: Callable[[int], Say]) -> None:
    with peer(hang_up) as port:
        code, _, err = say(port)("mail", "test", "me@example.org")
    assert code == 1
    assert f"could not be sent through 127.0.0.1:{port} (" in err
    assert "Traceback" not in err


MISTAKES = {
    "an address of nobody": (("mail", "test", "me"), "the address must be a mail address"),
    "no address": (("mail", "test", ""), "the address must not be empty"),
    "a link without an address": (("invite", "ann", "--mail"), "ann has no mail address"),
    "an address that its user may have typed": (("invite", "eve", "--mail"), "nobody has confirmed that"),
    "a new user without an address": (("user", "add", "kim", "--invite", "--mail"), "kim has no mail address"),
    "a mail without a link": (("user", "add", "kim", "--mail"), "--mail goes with --invite"),
}


@pytest.mark.parametrize(("words", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_before_anything_is_done(
    words: tuple[str, ...], sentence: str, say: Callable[[int], Say], server: MailServer
) -> None:
    run = say(server.port)
    run("user", "add", "ann", stdin=PASSWORD + "\n")
    run("user", "add", "eve", "--email", "eve@example.org", stdin=PASSWORD + "\n")
    code, _, err = run(*words, stdin=PASSWORD + "\n")
    assert code == 1
    assert sentence in err
    assert server.messages == []
    assert "kim" not in run("user", "list")[1]


@pytest.mark.parametrize("words", [("mail", "test", "me@example.org"), ("invite", "bob", "--mail")])
def test_a_site_without_a_mail_server_says_what_to_write(words: tuple[str, ...], say: Callable[[None], Say]) -> None:
    code, _, err = say(None)(*words)
    assert code == 1
    assert "write smtp_server and from_address into a section [auth:main:mail]" in err
