"""A site that sends mails, from its file and from outside: invited, forgotten, set anew."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest
import trustme
from auth_command import auth
from mail_server import MailServer
from running_server import RunningServer

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")]

SITE = """
    [app:main]
    use = egg:wheatpaste#echo
    filter-with = auth

    [filter:auth]
    use = egg:wheatpaste#auth

    [auth:main]
    secret = %(here)s/auth.key
    public_url = http://wiki.localhost
    title = Our wiki
    default = authenticated
    audit = json:%(here)s/audit.log

    [auth:main:store]
    url = sqlite:///%(here)s/auth.db

    [auth:main:password]
    argon2 = t=1,m=8,p=1

    [auth:main:mail]
    smtp_server = localhost:{smtp}
    smtp_username = wiki
    smtp_password_file = %(here)s/mail.secret
    from_address = wiki@example.org

    [server:main]
    use = egg:wheatpaste#http
    workers = 2
"""
FIRST, SECOND = "gelbe Ampel nachts", "gruene Ampel mittags"


@pytest.fixture
def mails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """A server that speaks TLS alone, to who knows its user."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    server = MailServer(starttls=context, login=(b"wiki", b"hush-hush"))
    yield server
    server.close()


def sent(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """The form at this path, filled in."""
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', client.get(path).text))
    return client.post(path, data={**hidden, **fields})


def path_in(message: EmailMessage) -> str:
    (link,) = re.findall(r"\S+/(?:invite|reset)/[\w-]{43}", message.get_content())
    assert link.startswith("http://wiki.localhost/-/auth/")
    return str(link).removeprefix("http://wiki.localhost")


def test_from_the_invitation_to_a_forgotten_password(
    mails: MailServer, write_ini: Callable[..., Path], running_server: Callable[..., RunningServer]
) -> None:
    ini = write_ini(SITE.format(smtp=mails.port))
    (ini.parent / "mail.secret").write_text("hush-hush\n")
    auth(ini, "init", "--no-admin")
    told = auth(ini, "user", "add", "kim", "--email", "kim@example.org", "--invite", "--mail")
    assert "/invite/" not in told
    served = running_server(ini)
    url = f"http://127.0.0.1:{served.port}"
    headers = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html", "Origin": url, "Sec-Fetch-Mode": "navigate"}
    with httpx.Client(base_url=url, headers=headers, timeout=30) as browser:
        invited = path_in(mails.messages[0])
        assert sent(browser, invited, new=FIRST, again=FIRST).status_code == 303
        assert browser.get("/").status_code == 200
    with httpx.Client(base_url=url, headers=headers, timeout=30) as browser:
        # The invitation came by mail, so the address is kim's.
        answer = sent(browser, "/-/auth/forgot", username="kim@example.org")
        assert answer.status_code == 303
        assert "on its way" in browser.get(answer.headers["location"]).text
        reset = path_in(mails.wait_for(2)[1])
        assert sent(browser, reset, new=SECOND, again=SECOND).status_code == 303
        assert sent(browser, "/-/auth/logout").status_code == 303
        assert sent(browser, "/-/auth/login", username="kim", password=FIRST).status_code == 403
        assert sent(browser, "/-/auth/login", username="kim", password=SECOND).status_code == 303
    mails.wait_for(3)
    assert mails.encrypted == [True] * 3
    assert set(mails.users) == {b"wiki"}
    served.stop()
    log = (ini.parent / "audit.log").read_text() + served.log()
    for secret in ("hush-hush", FIRST, SECOND, reset.rpartition("/")[2], invited.rpartition("/")[2]):
        assert secret not in (ini.parent / "audit.log").read_text()
    assert "hush-hush" not in log
    assert '"event":"password.forgot"' in log


def test_what_waits_is_sent_before_the_server_ends(
    mails: MailServer, write_ini: Callable[..., Path], running_server: Callable[..., RunningServer]
) -> None:
    ini = write_ini(SITE.format(smtp=mails.port))
    (ini.parent / "mail.secret").write_text("hush-hush\n")
    auth(ini, "init", "--no-admin")
    auth(ini, "user", "add", "bob", "--email", "bob@example.org", "--verified", given=FIRST)
    served = running_server(ini)
    url = f"http://127.0.0.1:{served.port}"
    headers = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html", "Origin": url, "Sec-Fetch-Mode": "navigate"}
    with httpx.Client(base_url=url, headers=headers, timeout=30) as browser:
        assert sent(browser, "/-/auth/forgot", username="bob").status_code == 303
    served.stop()
    assert len(mails.messages) == 1
