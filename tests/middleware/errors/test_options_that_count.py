"""Every option of the filter changes something that can be seen from outside: in records, answers, files or mails."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from failing_code import Project
from mail_server import MailServer, peer

from wheatpaste.middleware.errors.catch_errors import CatchErrors
from wheatpaste.middleware.errors.record import ErrorRecord, Frame
from wheatpaste.testing import Client, Response

# aiosmtpd has a word to say about logins without STARTTLS.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")

SHOP = """
    def total(order):
        # What an order costs.
        prices = {"apples": 3}
        costs = 0
        costs += prices[order]
        return costs

    def app(environ, start_response):
        kept.append(environ["wheatpaste.errors"].inbox)
        total("pears")
    """
HERE = {"wheatpaste.peer": "127.0.0.1", "REMOTE_ADDR": "127.0.0.1"}


class Shop:
    """A filter around an app in a folder of its own that always fails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept: list[Any] = []
        names: dict[str, Any] = {"__name__": "shop", "kept": self._kept}
        path = Project(folder).write(SHOP)
        exec(compile(path.read_bytes(), str(path), "exec"), names)
        self._app = names["app"]
        self._made: list[CatchErrors] = []

    def errors(self, **options: Any) -> CatchErrors:
        made = CatchErrors(self._app, **options)
        self._made.append(made)
        return made

    def ask(self, path: str = "/", accept: str = "text/html", **options: Any) -> Response:
        return Client(self.errors(**options), environ=HERE).get(path, headers={"Accept": accept})

    def record(self, **options: Any) -> ErrorRecord:
        self.ask(**options)
        record: ErrorRecord | None = self._kept[-1].latest()
        assert record is not None
        return record

    def frame(self, **options: Any) -> Frame:
        """The one in which the mistake is."""
        return self.record(**options).raised.frames[-1]

    @property
    def inbox(self) -> Any:
        return self._kept[-1]

    def close(self) -> None:
        for each in self._made:
            each.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.close()


# What is collected ----------------------------------------------------------------------------------------------------


def test_project_own_and_foreign_say_whose_code_it_is(shop: Shop) -> None:
    folder = (shop.folder,)
    assert not shop.frame(project=(shop.folder / "elsewhere",)).own
    assert shop.frame(project=folder).own
    assert shop.frame(project=(shop.folder / "elsewhere",), own=("shop",)).own
    assert not shop.frame(project=folder, foreign=("shop",)).own


def test_variables_may_be_left_out(shop: Shop) -> None:
    assert [each.name for each in shop.frame().variables] == ["costs", "prices", "order"]
    assert shop.frame(variables=False).variables == ()


def test_context_is_the_lines_around_the_one_that_failed(shop: Shop) -> None:
    assert [line.number for line in shop.frame(context=0).lines] == [5]
    assert [line.number for line in shop.frame(context=1).lines] == [4, 5, 6]


# What is kept ---------------------------------------------------------------------------------------------------------


def test_inbox_size_is_how_many_stay(shop: Shop) -> None:
    client = Client(shop.errors(inbox_size=2))
    for _ in range(4):
        client.get("/")
    (group,) = shop.inbox.groups()
    assert (group.count, group.kept) == (4, 2)


def test_the_log_is_rotated_at_its_size_into_so_many_files(shop: Shop) -> None:
    log = shop.folder / "log" / "errors.jsonl"
    log.parent.mkdir()
    client = Client(shop.errors(error_log=log, error_log_size=1000, error_log_files=2))
    for _ in range(6):
        client.get("/")
    assert sorted(each.name for each in log.parent.iterdir()) == ["errors.jsonl", "errors.jsonl.1", "errors.jsonl.2"]
    assert len(log.read_text().splitlines()) == 1


# Who is told ----------------------------------------------------------------------------------------------------------


def test_a_mail_goes_where_and_as_the_options_say(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    server = MailServer(starttls=_context(authority), login=(b"ada", b"hush-hush"))
    try:
        options = {
            "error_email": ("bob@x.example", "eve@x.example"),
            "from_address": "shop@x.example",
            "error_subject_prefix": "[shop]",
            "smtp_server": f"127.0.0.1:{server.port}",
            "smtp_username": "ada",
            "smtp_password": "hush-hush",
            "smtp_use_tls": True,
        }
        shop.ask(**options)
        (message,) = server.wait_for(1)
    finally:
        server.close()
    assert (server.users, server.encrypted) == ([b"ada"], [True])
    assert message["From"] == "shop@x.example"
    assert message["Subject"].startswith("[shop] ")
    assert server.envelopes[0].rcpt_tos == ["bob@x.example", "eve@x.example"]


def _context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


# What is shown --------------------------------------------------------------------------------------------------------


def test_users_read_the_message(shop: Shop) -> None:
    assert "We are sorry &amp; know of it." in shop.ask(error_message="We are sorry & know of it.").text


def test_users_get_the_site_s_own_page(shop: Shop) -> None:
    page = shop.folder / "oops.html"
    page.write_text("<h1>Oops</h1> {{ error_id }}", encoding="utf-8")
    answer = shop.ask(template=page)
    assert answer.text == f"<h1>Oops</h1> {answer.headers['X-Error-ID']}"


@pytest.mark.parametrize("debug", [False, True])
def test_scripts_get_a_fragment_by_the_parameter_of_this_name(debug: bool, shop: Shop) -> None:
    assert "<html" in shop.ask("/?part=1", debug=debug).text
    assert "<html" not in shop.ask("/?part=1", debug=debug, xmlhttp_key="part").text


def test_file_names_open_the_editor_at_the_place_that_it_knows(shop: Shop) -> None:
    link = f"edit:{shop.folder / 'shop.py'}"
    assert link not in shop.ask(debug=True).text
    assert link in shop.ask(debug=True, editor="edit:{file}").text
    there = shop.ask(debug=True, editor="edit:{file}", editor_paths=(f"{shop.folder}=/code/shop",))
    assert "edit:/code/shop/shop.py" in there.text


def test_the_kept_errors_are_at_the_path(shop: Shop) -> None:
    client = Client(shop.errors(debug=True, path="/oops"), environ=HERE)
    client.get("/")
    assert client.get("/oops/", headers={"Accept": "application/json"}).status == 200
    assert client.get("/.errors/", headers={"Accept": "application/json"}).status == 500


def test_a_request_can_be_run_again_unless_that_is_off(shop: Shop) -> None:
    assert shop.ask(debug=True).text.count("/.errors/replay") > 0
    assert "/.errors/replay" not in shop.ask(debug=True, replay=False).text


def test_a_prompt_is_at_servers_that_tell_no_peer_only_if_that_was_asked_for(shop: Shop) -> None:
    def page(**options: Any) -> str:
        client = Client(shop.errors(debug=True, console=True, **options), environ={"SERVER_NAME": "127.0.0.1"})
        return client.get("/", headers={"Accept": "text/html"}).text

    assert "/.errors/console" not in page()
    assert "/.errors/console" in page(console_anywhere=True)


def test_a_report_goes_to_the_webhook(shop: Shop) -> None:
    got: list[bytes] = []

    def take(connection: Any) -> None:
        connection.settimeout(20)
        data = b""
        while b"\r\n\r\n" not in data or not data.rstrip().endswith(b"}"):
            data += connection.recv(65536)
        got.append(data)
        connection.sendall(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")

    with peer(take) as port:
        answer = shop.ask(webhook=f"http://127.0.0.1:{port}/hook")
        shop.close()
    assert got[0].startswith(b"POST /hook ")
    assert answer.headers["X-Error-ID"] in got[0].decode()
