"""The demo, served as `make demo` serves it, and used as visitors do: links, forms, cookies, files and redirects."""

from __future__ import annotations

import csv
import hashlib
import http.client
import io
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urldefrag, urlencode, urljoin, urlsplit

import pytest
from demo_server import DEMO, start_demo
from running_server import RunningServer

pytestmark = pytest.mark.slow

MOUNTS = ("guestbook", "library", "wiki", "poll", "clock", "hello")
# The start page links to what is missing on purpose, to show who answers then.
MISSING = {"/clock/Atlantis", "/no-such-poster"}
# And to a page of each app that fails on purpose; tests/test_demo_errors.py goes there.
BROKEN = {"/guestbook/smudge", "/library/oldest/", "/wiki/cellar", "/poll/recount", "/clock/space", "/hello/knock"}


# --- a visitor with a browser's habits ------------------------------------------------------------------------------


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str]


class Reader(HTMLParser):
    """Links, files and forms of a page."""

    def __init__(self, address: str, text: str) -> None:
        super().__init__()
        self.address = address
        self.links: list[str] = []
        self.files: list[str] = []
        self.forms: list[Form] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in has:
            self.links.append(urljoin(self.address, has["href"]))
        elif tag == "link" and not has["href"].startswith("data:"):
            self.files.append(urljoin(self.address, has["href"]))
        elif tag in ("script", "img") and "src" in has:
            self.files.append(urljoin(self.address, has["src"]))
        elif tag == "form":
            action = urljoin(self.address, has.get("action", self.address))
            self.forms.append(Form(action, has.get("method", "get").upper(), {}))
        elif tag in ("input", "textarea", "select") and has.get("name") and has.get("type") != "submit":
            self.forms[-1].fields[has["name"]] = has.get("value", "")


@dataclass
class Page:
    address: str
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.address).path

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def html(self) -> Reader:
        return Reader(self.address, self.text)

    def form(self, number: int = 0) -> Form:
        return [form for form in self.html.forms if form.method == "POST"][number]


class KeepErrors(urllib.request.HTTPErrorProcessor):
    """Follows redirects, and takes an error page for a page."""

    def http_response(self, request: urllib.request.Request, response: http.client.HTTPResponse) -> object:
        return super().http_response(request, response) if response.status in (301, 302, 303, 307, 308) else response


@dataclass
class Visitor:
    site: str
    cookies: CookieJar = field(default_factory=CookieJar)

    def get(self, address: str) -> Page:
        return self.open(urllib.request.Request(urljoin(self.site, address)))

    def submit(self, form: Form, fields: Mapping[str, str]) -> Page:
        data = urlencode({**form.fields, **fields}).encode()
        return self.open(urllib.request.Request(form.action, data, method=form.method))

    def upload(self, form: Form, name: str, file: str, content: bytes) -> Page:
        boundary = "----a-boundary-that-is-in-no-file"
        body = (
            f"--{boundary}\r\nContent-Disposition: form-data; name={name}; filename={file}\r\n"
            f"Content-Type: application/octet-stream\r\n\r\n"
        ).encode() + (content + f"\r\n--{boundary}--\r\n".encode())
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self.open(urllib.request.Request(form.action, body, headers, method="POST"))

    def open(self, request: urllib.request.Request) -> Page:
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies), KeepErrors())
        with opener.open(request, timeout=20) as response:
            return Page(response.url, response.status, response.headers, response.read())

    def cookie(self, name: str) -> str | None:
        """The path of a cookie, or None without that cookie."""
        return next((cookie.path for cookie in self.cookies if cookie.name == name), None)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    server = start_demo(tmp_path_factory.mktemp("state"))
    yield server
    server.kill()


@pytest.fixture
def visitor(demo: RunningServer) -> Visitor:
    return Visitor(demo.url)


# --- the wall as a whole --------------------------------------------------------------------------------------------


def test_the_start_page_shows_a_poster_for_each_mount(visitor: Visitor):
    page = visitor.get("/")
    assert page.status == 200
    linked = {urlsplit(link).path for link in page.html.links}
    assert {f"/{mount}/" for mount in MOUNTS} <= linked
    assert any(urlsplit(link).hostname == "demo.localhost" for link in page.html.links)


def test_the_start_page_quotes_every_mount_of_the_ini_file(visitor: Visitor):
    slips = re.sub(r"<[^>]+>", "\n", visitor.get("/").text)
    composite = DEMO.read_text().split("[composite:main]\n")[1].split("\n\n")[0]
    mounts = [line for line in composite.splitlines() if line.startswith(("/", "domain"))]
    assert len(mounts) >= 10
    for line in mounts:
        assert f"\n{line}\n" in slips


def test_every_link_of_the_start_page_leads_somewhere(visitor: Visitor):
    for link in visitor.get("/").html.links:
        if urlsplit(link).hostname != "demo.localhost" and urlsplit(link).path not in BROKEN:
            page = visitor.get(link)
            assert (page.status == 404) == (urlsplit(link).path in MISSING), link
            assert page.status in (200, 404), link


@pytest.mark.parametrize("mount", MOUNTS)
def test_all_pages_and_files_that_an_app_links_to_are_below_its_mount(visitor: Visitor, mount: str):
    seen, waiting = set(), [f"{visitor.site}/{mount}/"]
    while waiting:
        address = waiting.pop()
        seen.add(address)
        page = visitor.get(address)
        assert page.status == 200, address
        assert page.path.startswith(f"/{mount}/"), address
        if page.headers.get_content_type() == "text/html":
            found = {urldefrag(link)[0] for link in page.html.links + page.html.files}
            assert all(link.startswith(f"{visitor.site}/{mount}/") for link in found), (address, found)
            waiting += found - seen - set(waiting)
    assert len(seen) > 2 or mount == "hello"


@pytest.mark.parametrize("mount", MOUNTS)
def test_an_app_answers_at_its_mount_without_the_slash_too(visitor: Visitor, mount: str):
    assert visitor.get(f"/{mount}").status == 200


@pytest.mark.parametrize("address", [f"/{mount}/%FF" for mount in MOUNTS] + ["/%FF", "/wiki/search?q=%FF"])
def test_an_address_that_is_not_utf_8_is_the_clients_mistake(visitor: Visitor, address: str):
    assert visitor.get(address).status in (200, 400, 404)


def test_nothing_is_complained_about_while_it_is_used(demo: RunningServer, visitor: Visitor):
    for mount in MOUNTS:
        visitor.get(f"/{mount}/")
    assert "Warning" not in demo.log()
    assert "Traceback" not in demo.log()


# --- Flask ----------------------------------------------------------------------------------------------------------


def test_the_guestbook_thanks_once_remembers_the_name_and_shows_the_line_escaped(visitor: Visitor):
    form = visitor.get("/guestbook/").form()
    page = visitor.submit(form, {"name": "Grüße & Co", "message": "<script>wet paste</script>"})
    assert page.path == "/guestbook/"
    assert "Thank you, Grüße &amp; Co." in page.text
    assert "&lt;script&gt;wet paste&lt;/script&gt;" in page.text
    again = visitor.get("/guestbook/")
    assert "Thank you" not in again.text
    assert again.form().fields["name"] == "Grüße & Co"
    assert visitor.cookie("guestbook") is not None


def test_the_scale_tells_size_and_digest_of_an_upload(visitor: Visitor):
    parcel = bytes(range(256)) * 4096
    page = visitor.upload(visitor.get("/guestbook/scale").form(), "parcel", "parcel.bin", parcel)
    assert page.status == 200
    assert "parcel.bin" in page.text
    assert "1 MB" in page.text
    assert hashlib.sha256(parcel).hexdigest() in page.text


def test_the_almanac_is_streamed(demo: RunningServer):
    connection = http.client.HTTPConnection("127.0.0.1", demo.port, timeout=20)
    connection.request("GET", "/guestbook/almanac.csv")
    response = connection.getresponse()
    assert response.getheader("Content-Type") == "text/csv; charset=utf-8"
    assert response.getheader("Content-Length") is None
    pieces = list(iter(lambda: response.read1(65536), b""))
    connection.close()
    assert len(pieces) > 1
    rows = list(csv.DictReader(io.StringIO(b"".join(pieces).decode(), newline="")))
    assert len(rows) == 3653
    assert all(7 < float(row["daylight_hours"]) < 17 for row in rows)


# --- Django ---------------------------------------------------------------------------------------------------------


def log_in(visitor: Visitor) -> Page:
    """As the start page says."""
    words = re.search(r"you are\s+<b>(\w+)</b>, and the password is <b>(\w+)</b>", visitor.get("/").text)
    assert words is not None
    form = visitor.get("/library/admin/").form()
    return visitor.submit(form, {"username": words[1], "password": words[2]})


def test_the_admin_lets_the_librarian_in_and_nobody_else(visitor: Visitor):
    wrong = visitor.submit(visitor.get("/library/admin/").form(), {"username": "librarian", "password": "wrong"})
    assert wrong.path == "/library/admin/login/"
    assert "Behind the counter" not in wrong.text
    page = log_in(visitor)
    assert page.path == "/library/admin/"
    assert "Behind the counter" in page.text
    assert visitor.cookie("library_session") is not None


def test_the_admin_has_all_its_static_files_below_the_mount(visitor: Visitor):
    log_in(visitor)
    files = {file for path in ("", "catalogue/book/add/") for file in visitor.get(f"/library/admin/{path}").html.files}
    assert len(files) > 10
    for file in files:
        page = visitor.get(file)
        assert page.path.startswith("/library/static/") or page.path == "/library/admin/jsi18n/", file
        assert page.status == 200, file
        assert page.headers.get_content_type() in ("text/css", "text/javascript", "image/svg+xml"), file


def test_a_book_added_at_the_desk_stands_on_the_shelf(visitor: Visitor):
    log_in(visitor)
    form = visitor.get("/library/admin/catalogue/book/add/").form(-1)
    book = {"title": "Der Kleister", "author": "1", "year": "1899", "shelf": "Z 9", "borrower": ""}
    page = visitor.submit(form, {**form.fields, **book})
    assert page.path == "/library/admin/catalogue/book/"
    assert "was added successfully" in page.text
    assert "Z 9" in visitor.get("/library/?q=kleister").text


def test_a_book_is_lent_and_comes_back(visitor: Visitor):
    page = visitor.get("/library/book/3/")
    lent = visitor.submit(page.form(), {"borrower": "Ada"})
    assert lent.path == "/library/book/3/"
    assert "Lent to <b>Ada</b>" in lent.text
    back = visitor.submit(lent.form(), {})
    assert "is back on its shelf" in back.text


def test_a_loan_without_the_token_is_refused(visitor: Visitor):
    form = visitor.get("/library/book/3/").form()
    assert visitor.submit(Form(form.action, "POST", {}), {"borrower": "Mallory"}).status == 403


def test_an_address_that_the_library_does_not_have_gets_its_own_page(visitor: Visitor):
    page = visitor.get("/library/book/9999/")
    assert page.status == 404
    assert "Not in the catalogue" in page.text


# --- Pyramid --------------------------------------------------------------------------------------------------------


def test_the_wiki_finds_pages_by_traversal(visitor: Visitor):
    page = visitor.get("/wiki/pages/walls/hoarding/weather")
    assert "<h1>Weather</h1>" in page.text
    assert "by traversal" in page.text
    assert visitor.get("/wiki/pages/walls/nowhere").status == 404


def test_the_wiki_finds_pages_by_route(visitor: Visitor):
    page = visitor.get("/wiki/search?q=newsprint")
    assert "1 page with" in page.text
    assert f"{visitor.site}/wiki/pages/paper/" in page.html.links
    assert "by route" in page.text


def test_a_wiki_page_is_added_and_edited_at_the_address_of_its_place_in_the_tree(visitor: Visitor):
    form = visitor.get("/wiki/pages/walls/add").form()
    page = visitor.submit(form, {"title": "Über Türen", "text": "= Doors\n\n* <b>wood</b>"})
    assert page.path == "/wiki/pages/walls/uber-turen/"
    assert "<li>&lt;b&gt;wood&lt;/b&gt;</li>" in page.text
    edited = visitor.submit(visitor.get(page.path + "edit").form(), {"title": "Doors", "text": "Ask first."})
    assert edited.path == page.path
    assert "<h1>Doors</h1>" in edited.text


def test_the_wiki_refuses_a_page_without_the_token(visitor: Visitor):
    form = visitor.get("/wiki/pages/walls/add").form()
    assert visitor.submit(Form(form.action, "POST", {}), {"title": "Spam", "text": "Spam"}).status == 400


# --- Bottle ---------------------------------------------------------------------------------------------------------


def votes(visitor: Visitor) -> dict[str, int]:
    counted: dict[str, int] = json.loads(visitor.get("/poll/result.json").body)["votes"]
    return counted


def test_the_poll_counts_one_vote_of_each_browser(demo: RunningServer):
    first, second = Visitor(demo.url), Visitor(demo.url)
    before = votes(first)["One INI file"]
    form = first.get("/poll/").form()
    page = first.submit(form, {"answer": "One INI file"})
    assert page.path == "/poll/result"
    assert "Yours was “One INI file”" in page.text
    assert first.cookie("poll") == "/poll/"
    first.submit(form, {"answer": "One INI file"})
    assert votes(first)["One INI file"] == before + 1
    assert first.get("/poll/").path == "/poll/result"
    assert second.get("/poll/").path == "/poll/"
    second.submit(form, {"answer": "One INI file"})
    assert votes(first)["One INI file"] == before + 2


def test_the_poll_does_not_count_what_is_not_an_answer(visitor: Visitor):
    before = votes(visitor)
    page = visitor.submit(visitor.get("/poll/").form(), {"answer": "Something else"})
    assert page.path == "/poll/"
    assert votes(visitor) == before


# --- WebOb apps, and how they are put together ----------------------------------------------------------------------


def test_the_pipeline_turns_what_the_clock_raises_into_an_answer(visitor: Visitor):
    assert visitor.get("/clock").path == "/clock/"
    assert "Tokyo" in visitor.get("/clock/Asia/Tokyo").text
    missing = visitor.get("/clock/Atlantis")
    assert missing.status == 404
    assert "No clock here is set to Atlantis" in missing.text


def test_the_doorman_remembers_a_name_below_his_mount_only(visitor: Visitor):
    page = visitor.submit(visitor.get("/hello/").form(), {"name": "Zoë; Ødegård"})
    assert "Hello, Zoë; Ødegård." in page.text
    assert visitor.cookie("hello_name") == "/hello"
    assert page.headers["X-Postmark"] == "pasted up by wheatpaste"


@pytest.mark.parametrize(
    ("host", "words"),
    [
        pytest.param("demo.localhost", "Welcome home.", id="the name alone"),
        pytest.param("demo.localhost:8080", "Welcome home.", id="the name with a port"),
        pytest.param("DEMO.localhost", "Welcome home.", id="the name in capitals"),
        pytest.param("localhost", "Ten posters", id="another name of this machine"),
        pytest.param("evil-demo.localhost", "Ten posters", id="a name that only ends the same way"),
    ],
)
def test_the_host_name_has_a_wall_of_its_own(demo: RunningServer, host: str, words: str):
    answer = demo.request("GET", "/", {"Host": host})
    assert answer.status == 200
    assert words in answer.text


def test_the_filter_stamps_the_inherited_app_as_well(demo: RunningServer):
    answer = demo.request("GET", "/", {"Host": "demo.localhost"})
    assert answer.headers["X-Postmark"] == "pasted up by wheatpaste"


def test_the_cascade_asks_the_files_first_and_then_the_page(visitor: Visitor):
    style = visitor.get("/front.css")
    assert style.status == 200
    assert style.headers.get_content_type() == "text/css"
    missing = visitor.get("/no-such-poster")
    assert missing.status == 404
    assert "Bare wall" in missing.text


def test_the_small_apps_answer(visitor: Visitor):
    assert "hello" in visitor.get("/echo?hello=wall").text
    assert visitor.get("/health").status == 200
    assert visitor.get("/visitors").path == "/guestbook/"


# --- a second start -------------------------------------------------------------------------------------------------


def test_what_was_written_is_there_after_a_restart(tmp_path: Path):
    servers = [start_demo(tmp_path)]
    try:
        visitor = Visitor(servers[0].url)
        visitor.submit(visitor.get("/guestbook/").form(), {"name": "Ada", "message": "I was here first"})
        visitor.submit(visitor.get("/wiki/pages/add").form(), {"title": "Kept", "text": "On disk"})
        assert servers[0].stop() == 0
        servers.append(start_demo(tmp_path))
        visitor = Visitor(servers[1].url)
        assert "I was here first" in visitor.get("/guestbook/").text
        assert "On disk" in visitor.get("/wiki/pages/kept").text
        assert log_in(visitor).path == "/library/admin/"
    finally:
        for server in servers:
            server.kill()
