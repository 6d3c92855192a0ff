"""Static files: which are served and which never, and by which rules of HTTP."""

from __future__ import annotations

import gzip
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wheatpaste.apps.static import Static, app_factory, paste_app_factory, paste_pkg_resources_factory
from wheatpaste.config.options import OptionError
from wheatpaste.config.problems import ConfigError
from wheatpaste.testing import Client

ELEVEN = b"hello world"
BIG = bytes(range(256)) * 1024

Make = Callable[..., Client]
Wire = Callable[..., Callable[[bytes], bytes]]


@pytest.fixture(params=["live", "scan"])
def serve(request: pytest.FixtureRequest, client: Callable[..., Client], site: Path) -> Make:
    """A client of the folder, in both modes."""

    def make(*, script_name: str = "", **options: Any) -> Client:
        options.setdefault("root", (site,))
        return client(Static(mode=request.param, **options), script_name=script_name)

    return make


# --- what is reached, and what never -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "content"),
    [
        pytest.param("/a.txt", ELEVEN, id="a file"),
        pytest.param("/big.bin", BIG, id="a file that is not read at once"),
        pytest.param("/empty.txt", b"", id="an empty file"),
        pytest.param("/page/", b"<p>page", id="the index of a folder"),
        pytest.param("/page/index.html", b"<p>page", id="the index by its name"),
        pytest.param("/%C3%BCber%20uns.txt", b"about", id="a name in another alphabet"),
        pytest.param("/in.txt", ELEVEN, id="a link that stays inside"),
        pytest.param("/indir/", b"<p>page", id="a link to a folder inside"),
        pytest.param("/.well-known/security.txt", b"Contact: x", id="well-known URIs"),
        pytest.param("/%61.txt", ELEVEN, id="an escape that was not needed"),
    ],
)
def test_it_serves(serve: Make, path: str, content: bytes) -> None:
    response = serve().get(path)
    assert (response.status, response.body) == (200, content)
    assert response.headers["Content-Length"] == str(len(content))
    assert response.headers["X-Content-Type-Options"] == "nosniff"


NEVER = [
    "/../etc/passwd",
    "/../../../../etc/passwd",
    "/a/../../x",
    "/page/../a.txt",
    "/../secret/",
    "/../secret/index.html",
    "/%2e%2e/secret/",
    "/..%2fsecret/",
    "/.%2e/secret/",
    "/..",
    "/../other",
    "/../secret",
    "/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/%252e%252e%252fetc/passwd",
    "/%c0%ae%c0%ae/",
    "/%c0%ae%c0%ae/secret/",
    "/..;/secret/",
    "/..%5csecret",
    "/..\\secret",
    "/%5c..%5csecret",
    "/../static-secret/s.txt",
    "/-secret/s.txt",
    "//etc/passwd",
    "///etc/passwd",
    "/etc/passwd",
    "/./a.txt",
    "/a.txt/",
    "/a.txt/.",
    "/a.txt/x",
    "//a.txt",
    "/page//index.html",
    "/page%2findex.html",
    "/page%2Findex.html",
    "/%00",
    "/a.txt%00",
    "/a.txt%00.html",
    "/" + "n" * 5000,
    "/" + "n/" * 2500 + "n",
    "/" * 10000,
    "/%ff%fe",
    "/out.txt",
    "/outdir/",
    "/outdir/s.txt",
    "/outdir",
    "/up/static-secret/s.txt",
    "/up/secret/",
    "/loop",
    "/loop/x",
    "/dangling.txt",
    "/pipe.txt",
    "/sock.txt",
    "/x.html",
    "/x.html/",
    "/bare",
    "/bare/",
    "/",
    "/.git/config",
    "/.env",
    "/.well-known",
    "/page/.well-known/x",
    "/x.pyc",
    "/X.PY",
    "/x.py~",
    "/views.py",
    "/__pycache__/",
    "/__pycache__/index.html",
    "/missing.txt",
]


@pytest.mark.parametrize("path", NEVER, ids=lambda path: path[:40])
def test_everything_that_is_not_to_be_served_looks_the_same(serve: Make, path: str) -> None:
    response = serve().get(path)
    assert (response.status, response.body) == (404, b"There is nothing here.\n")


@pytest.mark.parametrize("path", ["/\ud800", "/\u20ac.txt", "x/../../secret/", "", "a.txt", "/a.txt\n"])
def test_an_environ_that_no_server_sends_is_no_error(serve: Make, path: str) -> None:
    client = serve(script_name="/files")
    client.lint = False
    response = client.get("/", environ={"PATH_INFO": path, "REQUEST_URI": ""})
    assert response.status == 404


KEPT_BESIDE = [
    "site.ini",
    "auth.key",
    "AUTH.KEY",
    "privkey.pem",
    "corp.secret",
    "auth.db",
    "auth.db-wal",
    "auth.db-shm",
]


@pytest.mark.parametrize("name", [*KEPT_BESIDE, "wiki.sqlite3", "wiki.sqlite-journal", "audit.log"])
def test_what_a_site_keeps_beside_its_file_is_not_served(serve: Make, site: Path, name: str) -> None:
    (site / name).write_text("SECRET")
    client = serve(listing=True)
    assert client.get(f"/{name}").status == 404
    (site / "sub").mkdir(exist_ok=True)
    (site / "sub" / name).write_text("SECRET")
    assert name not in client.get("/sub/").text
    assert serve(deny=()).get(f"/{name}").body == b"SECRET"


def test_links_lead_out_where_that_is_wanted(serve: Make) -> None:
    client = serve(follow_symlinks=True)
    assert client.get("/out.txt").body == b"SECRET"
    assert client.get("/outdir/").body == b"SECRET"
    assert client.get("/dangling.txt").status == 404
    assert client.get("/loop").status == 404


def test_hidden_and_denied_names_are_served_where_that_is_wanted(serve: Make) -> None:
    client = serve(hidden=True, deny=("*.bak",))
    assert client.get("/.env").body == b"SECRET"
    assert client.get("/.git/config").body == b"SECRET"
    assert client.get("/views.py").status == 200


def test_a_file_that_may_not_be_read_is_absent(serve: Make, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve(memory=0)
    really_open = os.open

    def refuse(path: Any, flags: int, *args: Any, **how: Any) -> int:
        if path == "a.txt":
            raise PermissionError(13, "Permission denied")
        return really_open(path, flags, *args, **how)

    monkeypatch.setattr(os, "open", refuse)
    assert client.get("/a.txt").status == 404


def test_the_end_of_descriptors_is_no_404(serve: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve(memory=0)

    def refuse(*args: Any, **how: Any) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        client.get("/a.txt")


@pytest.mark.parametrize("name", ["a.txt", "big.bin"])
def test_a_file_that_is_deleted_or_changed_is_served_as_it_is_now(serve: Make, site: Path, name: str) -> None:
    client = serve(memory=0)
    assert client.get(f"/{name}").status == 200
    (site / name).write_bytes(b"new")
    changed = client.get(f"/{name}")
    assert (changed.body, changed.headers["Content-Length"]) == (b"new", "3")
    (site / name).unlink()
    assert client.get(f"/{name}").status == 404


def test_a_file_that_shrinks_while_it_is_read_is_read_again(
    serve: Make, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve(memory=0)
    really_read = os.read

    def shrink_first(descriptor: int, size: int) -> bytes:
        monkeypatch.setattr(os, "read", really_read)
        (site / "a.txt").write_bytes(b"short")
        return really_read(descriptor, size)

    monkeypatch.setattr(os, "read", shrink_first)
    response = client.get("/a.txt")
    assert (response.status, response.body, response.headers["Content-Length"]) == (200, b"short", "5")


def test_a_link_to_a_folder_above_does_not_keep_the_scan_from_ending(client: Callable[..., Client], site: Path) -> None:
    (site / "page" / "again").symlink_to("..", target_is_directory=True)
    app = client(Static(root=(site,), mode="scan"))
    assert app.get("/page/").status == 200
    assert app.get("/page/again/a.txt").status == 404
    assert client(Static(root=(site,))).get("/page/again/a.txt").body == ELEVEN


def test_no_descriptor_stays_open(serve: Make) -> None:
    client = serve(memory=0, listing=True)
    tag = client.get("/big.bin").headers["ETag"]
    before = len(os.listdir("/dev/fd"))
    for path in [*NEVER, "/a.txt", "/big.bin", "/page", "/page/", "/app.js", "/bare/"]:
        client.get(path, headers={"Accept-Encoding": "gzip, br"})
        client.head(path)
        client.post(path)
        client.get(path, headers={"If-None-Match": tag or ""})
        client.get(path, headers={"Range": "bytes=1-5,7-9"})
        client.get(path, headers={"Range": "bytes=99999999-"})
        client.get(path, stream=True).close()
    assert len(os.listdir("/dev/fd")) == before


def test_of_two_roots_the_earlier_counts(serve: Make, site: Path, tmp_path: Path) -> None:
    over = tmp_path / "over"
    (over / "bare").mkdir(parents=True)
    (over / "a.txt").write_bytes(b"over")
    (over / "bare" / "index.html").write_bytes(b"index")
    client = serve(root=(over, site))
    assert client.get("/a.txt").body == b"over"
    assert client.get("/bare/").body == b"index"
    assert client.get("/bare/file.txt").body == b"bare"
    client = serve(root=(site, over))
    assert client.get("/a.txt").body == ELEVEN
    assert client.get("/bare/").body == b"index"


# --- folders, mounts and methods -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script_name", "path", "location"),
    [
        ("", "/page", "./page/"),
        ("/static", "/page", "./page/"),
        ("/static", "/page?v=1", "./page/?v=1"),
        ("/static", "", "./static/"),
    ],
)
def test_a_folder_without_its_slash_redirects_relatively(
    serve: Make, site: Path, script_name: str, path: str, location: str
) -> None:
    (site / "index.html").write_bytes(b"start")
    response = serve(script_name=script_name).get(path)
    assert (response.status, response.headers["Location"]) == (302, location)
    assert serve(script_name=script_name).get(path, follow=True).status == 200


def test_no_path_and_no_mount_is_the_root(serve: Make, site: Path) -> None:
    (site / "index.html").write_bytes(b"start")
    assert serve().get("/", environ={"PATH_INFO": ""}).body == b"start"


@pytest.mark.parametrize(
    "name", ["evil.com", "\\evil.com", "https:evil.com", "\tevil.com", "x\r\nSet-Cookie: a=b", "javascript:alert(1)"]
)
@pytest.mark.parametrize("slashes", ["/", "//", "///"])
def test_a_redirect_never_leaves_the_host(serve: Make, site: Path, name: str, slashes: str) -> None:
    (site / name).mkdir()
    (site / name / "index.html").write_bytes(b"here")
    response = serve().get("/", environ={"PATH_INFO": f"{slashes}{name}", "REQUEST_URI": ""})
    assert response.status in (302, 404)
    if response.status == 302:
        assert response.headers["Location"] in ("./evil.com/", "./https:evil.com/", "./javascript:alert(1)/")


def test_a_prefix_is_required_and_taken_off(serve: Make, site: Path) -> None:
    (site / "index.html").write_bytes(b"start")
    client = serve(prefix="/static")
    assert client.get("/static/a.txt").body == ELEVEN
    assert client.get("/static").headers["Location"] == "./static/"
    assert [client.get(path).status for path in ("/a.txt", "/", "/staticx/a.txt", "/static-secret")] == [404] * 4


def test_the_fallback_answers_for_pages_of_an_app_in_the_browser(serve: Make, site: Path) -> None:
    (site / "index.html").write_bytes(b"app")
    client = serve(fallback="index.html")
    assert client.get("/users/7").body == b"app"
    assert client.get("/users/").body == b"app"
    for path in ("/missing.js", "/.git/x", "/../x", "/.git/config", "/__pycache__/x"):
        assert client.get(path).status == 404, path


def test_other_methods_are_not_allowed_where_there_is_a_file(serve: Make) -> None:
    client = serve()
    for path in ("/a.txt", "/page", "/page/", "/big.bin"):
        response = client.post(path, body=b"x")
        assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
    assert client.post("/missing", body=b"x").status == 404
    assert client.request("OPTIONS", "/a.txt").status == 204


@pytest.mark.parametrize("path", ["/a.txt", "/big.bin", "/page/", "/missing"])
def test_head_is_get_without_the_body(serve: Make, path: str) -> None:
    client = serve()
    get, head = client.get(path), client.head(path)
    assert (head.status, head.body) == (get.status, b"")
    assert sorted(head.headers.items()) == sorted(get.headers.items())


# --- ranges ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "status", "content", "content_range"),
    [
        ("bytes=0-0", 206, b"h", "bytes 0-0/11"),
        ("bytes=-1", 206, b"d", "bytes 10-10/11"),
        ("bytes=-0", 416, None, "bytes */11"),
        ("bytes=5-2", 200, ELEVEN, None),
        ("bytes=0-999", 206, ELEVEN, "bytes 0-10/11"),
        ("bytes=-999", 206, ELEVEN, "bytes 0-10/11"),
        ("bytes=11-", 416, None, "bytes */11"),
        ("bytes=6-", 206, b"world", "bytes 6-10/11"),
        ("bytes=a-b", 200, ELEVEN, None),
        ("items=0-1", 200, ELEVEN, None),
        ("bytes=0-5,3-7", 200, ELEVEN, None),
        ("bytes=" + ",".join(f"{n}-{n}" for n in range(11)), 200, ELEVEN, None),
        ("bytes=" + ",".join(["0-0"] * 1000), 200, ELEVEN, None),
        ("", 200, ELEVEN, None),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else None,
)
def test_a_range(serve: Make, value: str, status: int, content: bytes | None, content_range: str | None) -> None:
    response = serve().get("/a.txt", headers={"Range": value})
    assert (response.status, response.headers["Content-Range"]) == (status, content_range)
    assert content is None or response.body == content


@pytest.mark.parametrize("wrapper", [True, False])
@pytest.mark.parametrize(
    ("value", "content"), [("bytes=10-19", BIG[10:20]), ("bytes=100000-", BIG[100000:]), ("bytes=-70000", BIG[-70000:])]
)
def test_a_range_of_a_large_file_ends_where_it_should(serve: Make, value: str, content: bytes, wrapper: bool) -> None:
    response = serve(sendfile=wrapper).get("/big.bin", headers={"Range": value})
    assert (response.status, response.body) == (206, content)


@pytest.mark.parametrize(("path", "whole"), [("/a.txt", ELEVEN), ("/big.bin", BIG)])
def test_several_ranges_come_as_multipart(serve: Make, path: str, whole: bytes) -> None:
    response = serve().get(path, headers={"Range": "bytes=0-0, 2-3,-2"})
    assert response.status == 206
    assert response.headers["Content-Range"] is None
    kind, _, boundary = (response.headers["Content-Type"] or "").partition("; boundary=")
    assert kind == "multipart/byteranges"
    preamble, *parts, end = response.body.split(b"--" + boundary.encode())
    assert (preamble.strip(), end) == (b"", b"--\r\n")
    bodies = [part.partition(b"\r\n\r\n")[2][:-2] for part in parts]
    assert bodies == [whole[:1], whole[2:4], whole[-2:]]
    assert f"Content-Range: bytes 2-3/{len(whole)}".encode() in parts[1]


def test_a_range_of_an_empty_file_cannot_be_satisfied(serve: Make) -> None:
    response = serve().get("/empty.txt", headers={"Range": "bytes=0-0"})
    assert (response.status, response.headers["Content-Range"]) == (416, "bytes */0")


# --- preconditions ---------------------------------------------------------------------------------------------------


@pytest.fixture
def dated(site: Path) -> Path:
    """The folder, with a file of a known date: 2001-09-09 01:46:40 GMT."""
    os.utime(site / "a.txt", (1_000_000_000, 1_000_000_000))
    return site


DATE = "Sun, 09 Sep 2001 01:46:40 GMT"
BEFORE = "Sun, 09 Sep 2001 01:46:39 GMT"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"If-None-Match": "*"}, 304, id="any tag"),
        pytest.param({"If-None-Match": "{etag}"}, 304, id="the tag"),
        pytest.param({"If-None-Match": "W/{etag}"}, 304, id="the tag, weak"),
        pytest.param({"If-None-Match": '"x", {etag}'}, 304, id="a list with the tag"),
        pytest.param({"If-None-Match": '"x"'}, 200, id="another tag"),
        pytest.param({"If-None-Match": '"x"', "If-Modified-Since": DATE}, 200, id="another tag outweighs the date"),
        pytest.param({"If-Modified-Since": DATE}, 304, id="the date"),
        pytest.param({"If-Modified-Since": BEFORE}, 200, id="an earlier date"),
        pytest.param({"If-Modified-Since": "yesterday"}, 200, id="garbage instead of a date"),
        pytest.param({"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}, 304, id="a date in the future"),
        pytest.param({"If-Match": "{etag}"}, 200, id="if the tag"),
        pytest.param({"If-Match": "*"}, 200, id="if any tag"),
        pytest.param({"If-Match": '"x"'}, 412, id="if another tag"),
        pytest.param({"If-Unmodified-Since": BEFORE}, 412, id="if unmodified since before"),
        pytest.param({"If-Unmodified-Since": DATE}, 200, id="if unmodified since then"),
        pytest.param({"If-Unmodified-Since": DATE, "If-None-Match": "{etag}"}, 304, id="both kinds"),
        pytest.param({"Range": "bytes=0-0", "If-Range": "{etag}"}, 206, id="a range of this tag"),
        pytest.param({"Range": "bytes=0-0", "If-Range": '"old"'}, 200, id="a range of another tag"),
        pytest.param({"Range": "bytes=0-0", "If-Range": "W/{etag}"}, 200, id="a range of a weak tag"),
        pytest.param({"Range": "bytes=0-0", "If-Range": DATE}, 206, id="a range of this date"),
        pytest.param({"Range": "bytes=0-0", "If-Range": BEFORE}, 200, id="a range of another date"),
        pytest.param({"Range": "bytes=0-0", "If-None-Match": "{etag}"}, 304, id="a range of what is known"),
    ],
)
def test_a_precondition(serve: Make, dated: Path, headers: dict[str, str], status: int) -> None:
    client = serve()
    etag = client.get("/a.txt").headers["ETag"] or ""
    given = {name: value.replace("{etag}", etag) for name, value in headers.items()}
    response = client.get("/a.txt", headers=given)
    assert response.status == status
    if status == 304:
        assert response.body == b""
        assert response.headers["Content-Type"] is None


@pytest.mark.parametrize(
    ("headers", "status"), [({"If-None-Match": "*"}, 304), ({"Range": "bytes=999-"}, 416), ({}, 200)]
)
def test_answers_without_a_body_keep_what_caches_need(serve: Make, headers: dict[str, str], status: int) -> None:
    response = serve(cors=("*",)).get("/app.js", headers=headers)
    assert response.status == status
    assert response.headers["Vary"] == "Accept-Encoding"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Cache-Control"] == "public, max-age=60"
    assert response.headers["ETag"]


def test_times_that_http_cannot_express_are_no_error(serve: Make, site: Path) -> None:
    os.utime(site / "a.txt", (-5.5, -5.5))
    assert serve().get("/a.txt").headers["Last-Modified"] == "Thu, 01 Jan 1970 00:00:00 GMT"


# --- encodings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("br", "br"),
        ("gzip, br", "br"),
        ("zstd, gzip", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.1, gzip;q=0.9", "gzip"),
        ("identity;q=0, *;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("*", "br"),
        ("", None),
        ("compress", None),
        (None, None),
        ("x" * 5000 + ", gzip", "gzip"),
    ],
)
def test_the_coding_that_the_client_prefers(serve: Make, accepted: str | None, coding: str | None) -> None:
    response = serve().get("/app.js", headers={} if accepted is None else {"Accept-Encoding": accepted})
    assert response.status == 200
    assert response.headers["Content-Encoding"] == coding
    assert response.headers["Vary"] == "Accept-Encoding"
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    if coding == "gzip":
        assert gzip.decompress(response.body) == b"let x = 1;" * 20


@pytest.mark.parametrize("etag", ["mtime-size", "hash"])
def test_each_coding_has_a_tag_of_its_own(serve: Make, etag: str) -> None:
    client = serve(etag=etag)
    tags = {client.get("/app.js", headers={"Accept-Encoding": each}).headers["ETag"] for each in ("gzip", "br", "x")}
    assert len(tags) == 3


def test_tags_differ_even_where_size_and_time_are_the_same(serve: Make, site: Path) -> None:
    for name in ("s.css", "s.css.gz", "s.css.br"):
        (site / name).write_bytes(b"same size")
        os.utime(site / name, (1_000_000_000, 1_000_000_000))
    client = serve()
    tags = {client.get("/s.css", headers={"Accept-Encoding": each}).headers["ETag"] for each in ("gzip", "br", "x")}
    assert len(tags) == 3


def test_a_range_counts_the_encoded_bytes(serve: Make, site: Path) -> None:
    size = (site / "app.js.br").stat().st_size
    response = serve().get("/app.js", headers={"Accept-Encoding": "br", "Range": "bytes=0-6"})
    assert (response.body, response.headers["Content-Range"]) == (b"pretend", f"bytes 0-6/{size}")
    assert response.headers["Content-Encoding"] == "br"


def test_a_sibling_that_cannot_be_served_is_passed_over(serve: Make, site: Path) -> None:
    (site / "app.js.br").unlink()
    (site / "app.js.br").mkdir()
    (site / "app.js.zst").symlink_to("/etc/passwd")
    response = serve().get("/app.js", headers={"Accept-Encoding": "zstd, br, gzip"})
    assert response.headers["Content-Encoding"] == "gzip"


def test_a_sibling_asked_for_by_its_name_is_an_archive(serve: Make) -> None:
    response = serve().get("/app.js.gz", headers={"Accept-Encoding": "gzip"})
    assert (response.headers["Content-Type"], response.headers["Content-Encoding"]) == ("application/gzip", None)


def test_without_siblings_nothing_varies(serve: Make) -> None:
    assert serve().get("/a.txt").headers["Vary"] is None
    assert serve(precompressed=()).get("/app.js", headers={"Accept-Encoding": "br"}).headers["Vary"] is None


HASHED = r"\.[0-9a-f]{8,}\."

# --- headers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "path", "name", "value"),
    [
        ({}, "/a.txt", "Cache-Control", "public, max-age=60"),
        ({"max_age": 0}, "/a.txt", "Cache-Control", "no-cache"),
        ({"max_age": None}, "/a.txt", "Cache-Control", None),
        (
            {"immutable": HASHED},
            "/app.3f2a9bc1d4.js",
            "Cache-Control",
            "public, max-age=31536000, immutable",
        ),
        ({"immutable": HASHED}, "/app.js", "Cache-Control", "public, max-age=60"),
        ({"headers": ("Cache-Control: private",)}, "/a.txt", "Cache-Control", "private"),
        ({"headers": ("X-Frame-Options: DENY",)}, "/a.txt", "X-Frame-Options", "DENY"),
        ({}, "/a.txt", "Content-Type", "text/plain; charset=utf-8"),
        ({"charset": ""}, "/a.txt", "Content-Type", "text/plain"),
        ({"charset": "latin-1"}, "/a.txt", "Content-Type", "text/plain; charset=latin-1"),
        ({"mime": (".txt=text/markdown",)}, "/a.txt", "Content-Type", "text/markdown; charset=utf-8"),
        ({"mime": ("a.txt=text/x-special",)}, "/a.txt", "Content-Type", "text/x-special; charset=utf-8"),
        ({}, "/big.bin", "Content-Type", "application/octet-stream"),
        ({"download": ("*.txt",)}, "/a.txt", "Content-Disposition", 'attachment; filename="a.txt"'),
        ({"download": ("*.txt",)}, "/app.js", "Content-Disposition", None),
    ],
)
def test_a_header(serve: Make, options: dict[str, Any], path: str, name: str, value: str | None) -> None:
    assert serve(**options).get(path).headers[name] == value


def test_a_download_is_named_safely(serve: Make, site: Path) -> None:
    (site / 'x";y=ü.txt').write_bytes(b"")
    value = serve(download=("*",)).get("/x%22%3By%3D%C3%BC.txt").headers["Content-Disposition"] or ""
    assert value.endswith("filename*=UTF-8''x%22%3By%3D%C3%BC.txt")
    assert value.count('"') == 2


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://a.example", "https://a.example"),
        ("https://b.example", None),
        ("https://a.example.evil", None),
        ("null", None),
        ("https://a\r\nX: y", None),
        ("*", None),
        (None, None),
    ],
)
def test_other_origins_read_files_only_where_configured(serve: Make, origin: str | None, allowed: str | None) -> None:
    headers = {} if origin is None else {"Origin": origin}
    response = serve(cors=("https://a.example",)).get("/a.txt", headers=headers)
    assert (response.headers["Access-Control-Allow-Origin"], response.headers["Vary"]) == (allowed, "Origin")
    assert serve().get("/a.txt", headers=headers).headers["Access-Control-Allow-Origin"] is None


def test_hashed_tags_follow_the_content(serve: Make, site: Path) -> None:
    (site / "copy.txt").write_bytes(ELEVEN)
    client = serve(etag="hash")
    tag = client.get("/a.txt").headers["ETag"]
    assert client.get("/copy.txt").headers["ETag"] == tag
    assert client.get("/app.js").headers["ETag"] != tag
    assert client.get("/a.txt", headers={"If-None-Match": tag or ""}).status == 304


def test_large_files_are_left_to_the_server(serve: Make) -> None:
    class Wrapper:
        def __init__(self, file: Any, size: int) -> None:
            self.file, self.close = file, file.close

        def __iter__(self) -> Any:
            return iter([self.file.read()])

    with serve().get("/big.bin", environ={"wsgi.file_wrapper": Wrapper}, stream=True) as response:
        assert response.body == BIG
    direct = serve(sendfile=False).get("/big.bin", environ={"wsgi.file_wrapper": None})
    assert direct.body == BIG
    assert max(map(len, direct.chunks)) <= 65536


# --- through a socket ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [path for path in NEVER if len(path) < 9000 and "\\" not in path and path != "//a.txt"]
    + ["/..\\secret", "http://x/../secret/"],
    ids=lambda path: path[:40],
)
def test_nothing_outside_is_reached_through_a_real_server(site: Path, wire: Wire, target: str) -> None:
    send = wire(Static(root=(site,)))
    answer = send(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.split(b" ")[1] in (b"400", b"404")
    assert b"SECRET" not in answer
    assert b"Location" not in answer


def test_files_ranges_and_validators_come_through_a_real_server(site: Path, wire: Wire) -> None:
    send = wire(Static(root=(site,)))

    def get(path: str, *headers: str, method: str = "GET") -> tuple[bytes, bytes]:
        lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""]
        head, _, body = send("\r\n".join(lines).encode()).partition(b"\r\n\r\n")
        return head, body

    assert get("/big.bin")[1] == BIG
    assert get("/a.txt")[1] == ELEVEN
    head, body = get("/big.bin", "Range: bytes=5-9")
    assert (head.split(b" ")[1], body) == (b"206", BIG[5:10])
    assert get("/big.bin", method="HEAD")[1] == b""
    etag = next(line for line in get("/a.txt")[0].split(b"\r\n") if line.lower().startswith(b"etag: "))[6:].decode()
    head, body = get("/a.txt", f"If-None-Match: {etag}")
    assert (head.split(b" ")[1], body) == (b"304", b"")


def test_a_pipe_does_not_make_a_worker_wait(site: Path, wire: Wire) -> None:
    send = wire(Static(root=(site,)))
    begun = time.monotonic()
    assert b" 404 " in send(b"GET /pipe.txt HTTP/1.0\r\n\r\n")
    assert time.monotonic() - begun < 5


# --- configuration -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "say what to serve"),
        ({"root": (Path("/nowhere/at/all"),)}, "is not a folder"),
        ({"package": "wheatpaste", "resource": ""}, "a folder below the package"),
        ({"package": "wheatpaste", "resource": "../x"}, "a folder below the package"),
        ({"package": "no_such_package_here", "resource": "x"}, "cannot be imported"),
        ({"immutable": "("}, "regular expression"),
        ({"precompressed": ("zip",)}, "must be one of zst, br, gz"),
        ({"headers": ("Nothing",)}, "Name: value"),
        ({"headers": ("X-A: a\r\nX-B: b",)}, "control character"),
        ({"headers": ("Content-Length: 5",)}, "follows from the file"),
        ({"cors": ("https://a.example/path",)}, "an origin"),
        ({"mime": ("epub",)}, ".suffix=type/subtype"),
        ({"prefix": "static/"}, "must begin with a slash"),
        ({"index": "../x"}, "must be a file name"),
        ({"max_age": -1}, "at least 0"),
        ({"charset": "utf-8\r\nX: y"}, "must be a name"),
    ],
)
def test_a_mistake_is_said(options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words.replace("(", r"\(")):
        Static(**options)


def test_an_ini_says_the_same_with_text(site: Path) -> None:
    app = app_factory(
        {"here": str(site.parent)},
        root=f"{site}\n  static-secret",
        immutable="never",
        max_age="5m",
        headers="X-A: 1, 2\nX-B: 3",
        deny="",
    )
    client = Client(app)
    assert client.get("/a.txt").headers["Cache-Control"] == "public, max-age=300"
    assert client.get("/a.txt").headers["X-A"] == "1, 2"
    assert client.get("/views.py").status == 200


def test_an_ini_with_mistakes_names_them_all(site: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        app_factory({}, root=str(site), max_age="soon", listings="true", mode="fast")
    assert [problem.key for problem in caught.value.problems] == ["listings", "max_age", "mode"]


def test_the_old_names_mean_the_same_folder(site: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        app = paste_app_factory({}, document_root=str(site), cache_max_age="5", unheard_of="x")
    assert "unheard_of" in caplog.text
    assert Client(app).get("/a.txt").headers["Cache-Control"] == "public, max-age=5"
    assert Client(paste_app_factory({}, document_root=str(site))).get("/a.txt").headers["Cache-Control"] is None


def test_what_the_old_name_no_longer_serves_is_said_once(site: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        paste_app_factory({}, document_root=str(site))
    assert "follow_symlinks = true" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        paste_app_factory({}, document_root=str(site), hidden="false", deny="", follow_symlinks="false")
    assert not caplog.text


def test_a_folder_of_a_package_is_served(client: Callable[..., Client]) -> None:
    app = Static(package="wheatpaste.apps", resource="templates")
    assert b"<!doctype html>" in client(app).get("/page.html").body


def test_a_folder_of_a_distribution_is_served(client: Callable[..., Client]) -> None:
    app = paste_pkg_resources_factory({}, egg="wheatpaste", resource_name="wheatpaste/apps/templates")
    assert client(app).get("/page.html").status == 200
    assert client(app).get("/../static.py").status == 404


@pytest.mark.parametrize(
    ("egg", "resource_name", "words"),
    [
        ("wheatpaste", "", "must name a folder"),
        ("wheatpaste", "os/x", "no package of 'wheatpaste'"),
        ("no-such-distribution", "x/y", "is not installed"),
        ("wheatpaste", "wheatpaste/nothing", "is not a folder"),
    ],
)
def test_a_distribution_without_that_folder_is_a_mistake(egg: str, resource_name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        paste_pkg_resources_factory({}, egg=egg, resource_name=resource_name)
