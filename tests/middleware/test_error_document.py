"""Pages for errors: where they come from, who sees them, and what they may not change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile import Planned

from wheatpaste import loadapp
from wheatpaste.config.check import check_file
from wheatpaste.config.options import OptionError
from wheatpaste.middleware.error_document import ErrorDocument, merge
from wheatpaste.middleware.http_exceptions import HTTPExceptions
from wheatpaste.protocol.trace import DETAILS_SHOWN, Mount, Trace
from wheatpaste.testing import Client

HTML = [("Content-Type", "text/html; charset=utf-8")]
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Site:
    """An app with errors at ``/missing`` and the like, and pages at ``/errors/…``; it keeps what it was called with."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.environs: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.environs.append(dict(environ))
        return self.answers[environ["PATH_INFO"]](environ, start_response)


def answering(status: str, body: Any = b"old", headers: list[tuple[str, str]] = HTML) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response(status, list(headers))
        return [body] if isinstance(body, bytes) else body

    return app


def lazily(status: str, *pieces: bytes) -> Any:
    """Starts its reply with its first piece, as generators do."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response(status, list(HTML))
        yield from pieces

    return app


class Closing:
    def __init__(self, *pieces: bytes) -> None:
        self._pieces = iter(pieces)
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def site() -> Site:
    return Site(
        {
            "/missing": answering("404 Not Found"),
            "/down": answering("503 Service Unavailable", headers=[*HTML, ("Retry-After", "120")]),
            "/fine": answering("200 OK", b"fine"),
            "/errors/404": answering("200 OK", b"the page"),
        }
    )


def browse(app: Any, path: str, **request: Any) -> Any:
    return Client(app, lint=True).get(path, headers={**BROWSER, **request.pop("headers", {})}, **request)


def test_a_page_of_the_site_takes_the_place_and_the_status_stays(site: Site) -> None:
    response = browse(ErrorDocument(site, pages={"404": "/errors/404"}), "/missing")
    assert (response.status_line, response.text) == ("404 Not Found", "the page")


def test_what_is_no_error_passes(site: Site) -> None:
    response = browse(ErrorDocument(site, pages={"404": "/errors/404"}), "/fine")
    assert (response.status, response.text) == (200, "fine")
    assert "vary" not in response.headers
    assert len(site.environs) == 1


def test_a_class_of_statuses_has_a_page_and_one_status_its_own(site: Site) -> None:
    site.answers["/errors/any"] = answering("200 OK", b"any page")
    app = ErrorDocument(site, pages={"404": "/errors/404", "4xx": "/errors/any", "5xx": "/errors/any"})
    assert browse(app, "/missing").text == "the page"
    assert browse(app, "/down").text == "any page"
    site.answers["/gone"] = answering("410 Gone")
    assert browse(app, "/gone").text == "any page"


@pytest.mark.parametrize("status", ["204 No Content", "205 Reset Content", "304 Not Modified", "206 Partial Content"])
def test_a_class_of_statuses_has_no_page_for_one_without_a_body_or_for_a_part(site: Site, status: str) -> None:
    site.answers["/missing"] = answering(status, b"", [("ETag", '"a"')])
    answer = Client(ErrorDocument(site, pages={"2xx": "/errors/404", "3xx": "/errors/404"})).get(
        "/missing", headers=BROWSER
    )
    assert (answer.status, answer.body) == (int(status[:3]), b"")
    assert answer.headers["ETag"] == '"a"'


def test_a_file_is_a_page(site: Site, tmp_path: Path) -> None:
    page = tmp_path / "404.html"
    page.write_text("<h1>Nichts da – schade</h1>", encoding="utf-8")
    app = ErrorDocument(site, pages={"404": f"file:{page}"})
    response = browse(app, "/missing")
    assert (response.status, response.text) == (404, "<h1>Nichts da – schade</h1>")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    page.write_text("changed", encoding="utf-8")
    assert browse(app, "/missing").text == "changed"


def test_an_app_is_a_page(site: Site) -> None:
    response = browse(ErrorDocument(site, pages={"404": "wsgiref.simple_server:demo_app"}), "/missing")
    assert response.status == 404
    assert "Hello world!" in response.text


# Who sees it ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "accept", [None, "*/*", "application/json", "application/json, text/html;q=0.5", "image/png", "text/plain"]
)
def test_who_did_not_ask_for_html_gets_the_error_itself(site: Site, accept: str | None) -> None:
    app = ErrorDocument(site, pages={"404": "/errors/404"})
    response = Client(app, lint=True).get("/missing", headers={"Accept": accept} if accept else {})
    assert response.text == "old"
    assert response.headers["Vary"] == "Accept"
    everybody = ErrorDocument(site, pages={"404": "/errors/404"}, everybody=True)
    assert Client(everybody).get("/missing", headers={"Accept": accept} if accept else {}).text == "the page"


@pytest.mark.parametrize("kind", ["application/json", "application/problem+json", "text/xml", "image/svg+xml"])
def test_the_errors_of_an_api_stay(site: Site, kind: str) -> None:
    site.answers["/api"] = answering("404 Not Found", b"{}", [("Content-Type", kind)])
    assert browse(ErrorDocument(site, pages={"404": "/errors/404"}), "/api").text == "{}"


def test_the_details_that_a_developer_sees_stay(site: Site) -> None:
    def details(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        Trace.of(environ).note(DETAILS_SHOWN)
        start_response("500 Internal Server Error", list(HTML))
        return [b"details"]

    site.answers["/failing"] = details
    assert browse(ErrorDocument(site, pages={"500": "/errors/404"}, everybody=True), "/failing").text == "details"


# What stays -----------------------------------------------------------------------------------------------------------


def test_what_a_client_acts_on_stays_and_what_is_about_the_body_goes(site: Site) -> None:
    theirs = [
        ("Content-Type", "text/html"),
        ("Content-Length", "3"),
        ("Content-Encoding", "gzip"),
        ("ETag", '"old"'),
        ("WWW-Authenticate", 'Basic realm="a"'),
        ("WWW-Authenticate", "Bearer"),
        ("Retry-After", "120"),
        ("Set-Cookie", "a=1"),
        ("X-Request-ID", "r1"),
        ("X-Error-ID", "e1"),
        ("X-Frame-Options", "DENY"),
        ("Vary", "Cookie"),
    ]
    page = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Set-Cookie", "b=2"),
        ("X-Frame-Options", "SAMEORIGIN"),
        ("Retry-After", "1"),
        ("Location", "/elsewhere"),
        ("Vary", "cookie, Accept"),
    ]
    assert sorted(merge(theirs, page)) == sorted(
        [
            ("WWW-Authenticate", 'Basic realm="a"'),
            ("WWW-Authenticate", "Bearer"),
            ("Retry-After", "120"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("X-Request-ID", "r1"),
            ("X-Error-ID", "e1"),
            ("X-Frame-Options", "SAMEORIGIN"),
            ("Content-Type", "text/html; charset=utf-8"),
            ("Vary", "cookie, Accept"),
        ]
    )


def test_a_page_is_told_what_was_asked_for(site: Site) -> None:
    app = ErrorDocument(site, pages={"404": "/errors/404?why=missing%20it"})
    Client(app, lint=True, script_name="/shop").post(
        "/missing?q=1",
        body=b"data",
        headers={**BROWSER, "If-None-Match": '"x"', "Range": "bytes=0-1", "Content-Type": "text/plain"},
    )
    asked = site.environs[-1]
    assert asked["wheatpaste.error_document"] == {
        "status": 404,
        "reason": "Not Found",
        "method": "POST",
        "script_name": "/shop",
        "path_info": "/missing",
        "query_string": "q=1",
    }
    names = ("STATUS", "URL", "QUERY_STRING", "REQUEST_METHOD")
    assert [asked[f"REDIRECT_{name}"] for name in names] == ["404", "/shop/missing", "q=1", "POST"]
    assert (asked["REQUEST_METHOD"], asked["SCRIPT_NAME"]) == ("GET", "/shop")
    assert (asked["PATH_INFO"], asked["QUERY_STRING"]) == ("/errors/404", "why=missing%20it")
    assert asked["wsgi.input"].read() == b""
    assert asked["CONTENT_LENGTH"] == "0"
    assert not {"HTTP_IF_NONE_MATCH", "HTTP_RANGE", "CONTENT_TYPE", "REQUEST_URI"} & asked.keys()


def test_the_request_of_the_page_is_as_it_came_whatever_the_app_did_to_it(site: Site) -> None:
    def moving(environ: dict[str, Any], start_response: Any) -> Any:
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = "/moved", "/away"
        environ["webob._parsed_query_vars"] = "old"
        return answering("404 Not Found")(environ, start_response)

    site.answers["/missing"] = moving
    browse(ErrorDocument(site, pages={"404": "/errors/404"}), "/missing")
    assert site.environs[-1]["SCRIPT_NAME"] == ""
    assert "webob._parsed_query_vars" not in site.environs[-1]


def test_head_stays_head(site: Site) -> None:
    def page(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [*HTML, ("Content-Length", "8")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"the page"]

    site.answers["/errors/404"] = page
    response = Client(ErrorDocument(site, pages={"404": "/errors/404"})).head("/missing", headers=BROWSER)
    assert (response.status, response.body, response.headers["Content-Length"]) == (404, b"", "8")


@pytest.mark.parametrize(
    "pages", [{"404": "/errors/404"}, {"404": "file"}], ids=["a page that minds no HEAD", "a file"]
)
def test_head_gets_no_body_whatever_the_page_does(site: Site, pages: dict[str, str], tmp_path: Path) -> None:
    """A body that nobody expects would be read as the next reply."""
    (tmp_path / "404.html").write_text("from the file")
    closing = Closing(b"the page")
    site.answers["/errors/404"] = answering("200 OK", closing)
    app = ErrorDocument(
        site, pages={code: place.replace("file", f"file:{tmp_path}/404.html") for code, place in pages.items()}
    )
    started: list[str] = []
    environ = {"REQUEST_METHOD": "HEAD", "PATH_INFO": "/missing", "HTTP_ACCEPT": "text/html"}
    body = app(environ, lambda status, headers, exc_info=None: started.append(status))
    assert (started, list(body)) == (["404 Not Found"], [])
    assert closing.closed == (1 if pages["404"] != "file" else 0)


def test_what_a_page_says_of_its_connection_is_left_out(site: Site) -> None:
    site.answers["/errors/404"] = answering(
        "200 OK", b"the page", [*HTML, ("Connection", "close"), ("Transfer-Encoding", "chunked"), ("Keep-Alive", "9")]
    )
    assert browse(ErrorDocument(site, pages={"404": "/errors/404"}), "/missing").text == "the page"


def test_the_record_of_the_request_is_about_what_was_asked_for(site: Site) -> None:
    def mounted(environ: dict[str, Any], start_response: Any) -> Any:
        Trace.of(environ).take(Mount("/errors"))
        return answering("200 OK", b"the page")(environ, start_response)

    site.answers["/errors/404"] = mounted
    app = ErrorDocument(site, pages={"404": "/errors/404"})
    trace = Trace()
    response = Client(app, environ={"wheatpaste.trace": trace}).get("/missing", headers=BROWSER)
    assert (response.text, trace.mounts) == ("the page", ())


# Pages that fail ------------------------------------------------------------------------------------------------------


def _raising(environ: dict[str, Any], start_response: Any) -> Any:
    raise Planned("the page fails")


def _failing_lazily(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", list(HTML))
    raise Planned("the page fails")
    yield b""


def _silent(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    return [b"no start"]


@pytest.mark.parametrize(
    "page",
    [
        _raising,
        _failing_lazily,
        _silent,
        answering("500 Internal Server Error", b"worse"),
        answering("302 Found", b"", [("Location", "/login")]),
        answering("200 OK", b"split", [*HTML, ("X-Page", "a\r\nSet-Cookie: b=c")]),
        answering("200 OK", b"split", [*HTML, ("X-Page\nX", "a")]),
        answering("403 Forbidden", b"no"),
    ],
    ids=["raises", "raises in its body", "starts no reply", "is an error", "sends elsewhere"]
    + ["has a line break in a value", "has one in a name", "is refused"],
)
@pytest.mark.parametrize(
    "old", [answering("404 Not Found"), lazily("404 Not Found", b"ol", b"d")], ids=["list", "lazy"]
)
def test_a_page_that_fails_leaves_the_reply_as_it_was(
    site: Site, page: Any, old: Any, caplog: pytest.LogCaptureFixture
) -> None:
    site.answers["/errors/404"] = page
    site.answers["/missing"] = old
    response = browse(ErrorDocument(site, pages={"404": "/errors/404"}), "/missing")
    assert (response.status, response.text) == (404, "old")
    assert "404" in caplog.text


def test_a_page_that_is_missing_itself_is_shown(site: Site) -> None:
    """Catch-all apps answer 404 with a page of their own, and that is the very status."""
    site.answers["/errors/404"] = answering("404 Not Found", b"catch-all")
    assert browse(ErrorDocument(site, pages={"404": "/errors/404"}), "/missing").text == "catch-all"


def test_a_loop_ends(site: Site) -> None:
    app = ErrorDocument(site, pages={"404": "/missing"})
    assert browse(ErrorDocument(app, pages={"404": "/missing"}), "/missing").text == "old"
    assert len(site.environs) <= 3


# Bodies ---------------------------------------------------------------------------------------------------------------


def test_a_reply_that_starts_with_its_first_piece_gets_its_page(site: Site) -> None:
    app = ErrorDocument(site, pages={"404": "/errors/404"})
    for pieces in ((b"old",), (b"", b"old"), ()):
        site.answers["/missing"] = lazily("404 Not Found", *pieces)
        response = browse(app, "/missing")
        assert (response.status, response.text) == (404, "the page")


def test_each_body_is_closed_once(site: Site) -> None:
    old, page = Closing(b"old"), Closing(b"the ", b"page")
    site.answers["/missing"] = answering("404 Not Found", old)
    site.answers["/errors/404"] = answering("200 OK", page)
    assert browse(ErrorDocument(site, pages={"404": "/errors/404"}), "/missing").text == "the page"
    assert (old.closed, page.closed) == (1, 1)


def test_what_an_error_writes_is_replaced_or_kept(site: Site) -> None:
    def writing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("404 Not Found", list(HTML))(b"written ")
        return [b"old"]

    site.answers["/missing"] = writing
    app = ErrorDocument(site, pages={"404": "/errors/404"})
    assert Client(app).get("/missing", headers=BROWSER).text == "the page"
    site.answers["/errors/404"] = _raising
    assert Client(app).get("/missing", headers=BROWSER).text == "written old"


def test_headers_that_are_replaced_before_anything_was_sent_decide(site: Site) -> None:
    def replacing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("404 Not Found", list(HTML))
        try:
            raise Planned
        except Planned as error:
            start_response("200 OK", list(HTML), (type(error), error, error.__traceback__))
        return [b"recovered"]

    site.answers["/missing"] = replacing
    response = browse(ErrorDocument(site, pages={"404": "/errors/404"}), "/missing")
    assert (response.status, response.text) == (200, "recovered")


def test_an_http_exception_gets_its_page(site: Site) -> None:
    from webob.exc import HTTPNotFound

    def raising(environ: dict[str, Any], start_response: Any) -> Any:
        raise HTTPNotFound

    site.answers["/missing"] = raising
    app = ErrorDocument(HTTPExceptions(site), pages={"404": "/errors/404"})
    assert browse(app, "/missing").text == "the page"


# Configuration --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "place", "complaint"),
    [
        ("abc", "/x", "is no status"),
        ("999", "/x", "is no status"),
        ("404", "//evil.test/x", "path of the site"),
        ("404", "/a/../b", "path of the site"),
        ("404", "/a b", "path of the site"),
        ("404", "/a#b", "path of the site"),
        ("204", "/a", "has no body"),
        ("205", "/a", "has no body"),
        ("304", "/a", "has no body"),
        ("101", "/a", "has no body"),
        ("1xx", "/a", "has no body"),
        ("404", "nowhere", "must be /path"),
        ("404", "https://elsewhere.test/x", "must be /path"),
        ("404", "file:/nowhere/404.html", "there is no file"),
        ("404", "nosuchmodule:app", "cannot be imported"),
        ("404", "sys:maxsize", "no WSGI app"),
    ],
)
def test_a_place_that_cannot_be_is_refused(site: Site, code: str, place: str, complaint: str) -> None:
    with pytest.raises(OptionError, match=complaint):
        ErrorDocument(site, pages={code: place})


INI = """
[app:main]
use = egg:wheatpaste#echo
filter-with = pages

[filter:pages]
use = {use}
{pages}
"""

WriteIni = Callable[..., Path]


def test_an_ini_names_pages_by_status(write_ini: WriteIni, tmp_path: Path) -> None:
    (tmp_path / "404.html").write_text("from the file")
    path = write_ini(INI.format(use="egg:wheatpaste#errordocument", pages="404 = file:404.html\n5xx = /sorry"))
    app = loadapp(f"config:{path}")
    assert browse(app, "/?status=404").text == "from the file"
    assert "/sorry" in browse(app, "/?status=503").text


def test_wrong_pages_of_an_ini_are_named_together(write_ini: WriteIni) -> None:
    path = write_ini(
        INI.format(use="egg:wheatpaste#errordocument", pages="404 = nowhere\n4o4 = /x\n500 = file:no.html")
    )
    from wheatpaste.config.problems import ConfigError

    with pytest.raises(ConfigError) as found:
        loadapp(f"config:{path}")
    assert sorted((problem.line, problem.key) for problem in found.value.problems) == [
        (7, "404"),
        (8, "4o4"),
        (9, "500"),
    ]


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ("4xx = sorry:page", []),
        ("4xx = sorry:pgae", ["did you mean 'page'?"]),
        ("4xx = nosuch:page", ["install what has it, or add its folder to python_path in [wheatpaste]"]),
    ],
)
def test_a_check_knows_the_app_of_a_page_without_importing_it(
    write_ini: WriteIni, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: str, said: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sorry.py").write_text("def page(environ, start_response): ...\nraise SystemError('was imported')\n")
    path = write_ini(INI.format(use="egg:wheatpaste#errordocument", pages=pages))
    found = check_file(str(path))
    assert [problem.fix for problem in found] == said
    assert all(problem.line == 7 for problem in found)


def test_a_key_that_is_no_status_is_told_what_keys_there_are(write_ini: WriteIni) -> None:
    path = write_ini(INI.format(use="egg:wheatpaste#errordocument", pages="4x = /x"))
    (problem,) = check_file(str(path))
    assert str(problem).endswith("4x: no such option; there are: everybody, and 404, 4xx, …")


def test_the_old_name_shows_its_pages_to_everybody(write_ini: WriteIni) -> None:
    path = write_ini(INI.format(use="egg:Paste#errordocument", pages="404 = /page"))
    response = Client(loadapp(f"config:{path}")).get("/?status=404")
    assert response.status == 404
    assert "/page" in response.text


def test_the_oracle_agrees_about_cookies_and_status() -> None:
    """Paste's own filter keeps the status and the cookies of both."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from paste.errordocument import forward

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        page = environ["PATH_INFO"] == "/page"
        start_response("200 OK" if page else "404 Not Found", [*HTML, ("Set-Cookie", "page=1" if page else "app=1")])
        return [b"the page" if page else b"old"]

    for made in (forward(app, codes={404: "/page"}), ErrorDocument(app, pages={"404": "/page"}, everybody=True)):
        response = Client(made).get("/x")
        assert (response.status, response.text) == (404, "the page")
        assert sorted(response.headers.get_all("Set-Cookie")) == ["app=1", "page=1"]
