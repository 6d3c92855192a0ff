"""What mails are made of, whoever has chosen the names in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.mail import letters as module
from wheatpaste.middleware.auth.mail.letters import Letters, Unwritable
from wheatpaste.middleware.auth.mail.options import sender_complaint
from wheatpaste.middleware.auth.site import Site

TEMPLATES = Path(module.__file__).parent / "templates"
SENDER = "wiki@wiki.example.org"
LINK = f"https://wiki.example.org/-/auth/reset/{'x' * 43}"


def letters(**site: object) -> Letters:
    given = {"public_url": "https://wiki.example.org", "title": "Our wiki", **site}
    return Letters(Site(**given), SENDER, lambda: 1_800_000_000.0)  # type: ignore[arg-type]


def of(name: str = "bob") -> Account:
    return Account("local:1", name, "local", email="bob@example.org", email_verified=True)


KINDS = sorted(each.stem.removeprefix("mail_") for each in TEMPLATES.glob("*.txt") if each.stem != "mail_place")


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_is_plain_text_with_the_headers_of_a_machine(kind: str, language: str) -> None:
    written = letters().write(
        kind,
        "bob@example.org",
        of(),
        seconds=1800,
        language=language,
        link=LINK,
        what="Your change is saved.",
        provider="",
        address="192.0.2.7",
        device="Firefox on Linux",
    )
    message = written.message
    assert message.get_content_type() == "text/plain"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == language
    assert message.defects == []
    text = message.get_content()
    assert "\n\n\n" not in text
    assert text.rstrip().endswith("-- \nOur wiki\nhttps://wiki.example.org/")
    assert "192.0.2.7 (Firefox on Linux)" in text
    assert written.until == 1_800_001_800.0


@given(name=st.text(max_size=80), title=st.text(max_size=80))
def test_no_name_writes_a_header(name: str, title: str) -> None:
    message = letters(title=title).write("invite", "bob@example.org", of(name), seconds=60, link=LINK).message
    raw = message.as_bytes()
    head = raw.partition(b"\r\n\r\n")[0].decode("ascii")
    names = [line.partition(":")[0] for line in head.split("\r\n") if line[0] not in " \t"]
    assert sorted(names) == sorted(set(names))
    assert set(names) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress"),
        *("Content-Type", "Content-Transfer-Encoding", "MIME-Version", "Content-Language"),
    }


def test_a_name_that_would_be_another_header_is_written_out() -> None:
    message = letters(title="Wiki\r\nBcc: eve@evil.example").write("test", "bob@example.org", None, seconds=60).message
    assert message["Bcc"] is None
    assert "\\nBcc" in message["Subject"]


def test_a_subject_is_one_line_of_an_ordinary_length() -> None:
    message = letters(title="wiki " * 100).write("test", "bob@example.org", None, seconds=60).message
    assert len(message["Subject"]) <= 150


@pytest.mark.parametrize(
    "to",
    [
        *("bob@example.org\r\nBcc: eve@evil.example", "bob@example.org\nX: y", "bob@example.org, eve@evil.example"),
        *("Bob <bob@example.org>", "bob", ""),
    ],
    ids=["another header", "a line", "two", "a name", "no host", "empty"],
)
def test_what_is_not_one_address_gets_none(to: str) -> None:
    with pytest.raises(Unwritable):
        letters().write("test", to, None, seconds=60)


def test_the_full_name_that_users_choose_themselves_is_in_no_mail() -> None:
    eve = of()._replace(display="Click http://evil.example now")
    for kind in KINDS:
        message = (
            letters()
            .write(kind, "bob@example.org", eve, seconds=60, link=LINK, what="Your change is saved.", provider="")
            .message
        )
        assert "evil" not in message.as_string()


def test_a_folder_replaces_a_mail_and_the_rest_stays(tmp_path: Path) -> None:
    (tmp_path / "mail_test.txt").write_text("Hello from {{ site }}\n\nIt <works>.\n")
    it = letters(templates=tmp_path)
    message = it.write("test", "bob@example.org", None, seconds=60).message
    assert (message["Subject"], message.get_content()) == ("Hello from Our wiki", "It <works>.\n")
    assert "accept" in it.write("invite", "bob@example.org", of(), seconds=60, link=LINK).message.get_content()


def test_a_template_of_the_sites_own_that_fails_says_which(tmp_path: Path) -> None:
    (tmp_path / "mail_test.txt").write_text("{{ nothing.there }}")
    with pytest.raises(Unwritable, match=r"mail_test\.txt cannot be used"):
        letters(templates=tmp_path).write("test", "bob@example.org", None, seconds=60)


@pytest.mark.parametrize(
    "address",
    ["", "wiki", "wiki@", "@example.org", "a@b@c.example", "a b@c.example", "Wiki <a@b.example>", "a@b.example\nX: y"],
    ids=["empty", "a user", "no host", "no user", "two", "a blank", "a name", "another line"],
)
def test_a_sender_is_one_address(address: str) -> None:
    assert sender_complaint(address) is not None


def test_an_address_is_a_sender() -> None:
    assert sender_complaint("wiki+noreply@mail.example.org") is None
    assert sender_complaint("jürgen@example.org") is not None
