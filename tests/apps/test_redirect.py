"""Redirects lead where the configuration says, whatever the request holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from wheatpaste.apps.redirect import Redirect, app_factory
from wheatpaste.config.options import OptionError
from wheatpaste.config.problems import ConfigError
from wheatpaste.testing import Client

Make = Callable[..., Client]


@pytest.mark.parametrize(
    ("options", "path", "location"),
    [
        pytest.param({"to": "/new"}, "/x", "/new", id="a path on this host"),
        pytest.param({"to": "https://n.example/docs"}, "/x", "https://n.example/docs", id="a URL"),
        pytest.param({"to": "https://n.example"}, "/x", "https://n.example", id="a host"),
        pytest.param({"to": "/new", "keep_path": True}, "/a/b", "/new/a/b", id="the path behind the mount"),
        pytest.param({"to": "/", "keep_path": True}, "/a/b", "/a/b", id="the path below the root"),
        pytest.param({"to": "https://n.example", "keep_path": True}, "/a", "https://n.example/a", id="path on a host"),
        pytest.param({"to": "/new", "keep_path": True}, "", "/new", id="no path behind the mount"),
        pytest.param({"to": "/new"}, "/x?a=1", "/new?a=1", id="the query"),
        pytest.param({"to": "/new?v=2"}, "/x?a=1", "/new?v=2&a=1", id="the query behind the target's own"),
        pytest.param({"to": "/new#top"}, "/x?a=1", "/new?a=1#top", id="the query before the fragment"),
        pytest.param({"to": "/new", "keep_query": False}, "/x?a=1", "/new", id="without the query"),
        pytest.param({"to": "wiki/"}, "/x", "/old/wiki/", id="a path below the mount"),
        pytest.param({"to": "/Übersicht"}, "/x", "/%C3%9Cbersicht", id="a target in another alphabet"),
        pytest.param({"to": "/a%20b#ü"}, "/x", "/a%20b#%C3%BC", id="a target that is escaped already"),
        pytest.param({"to": "https://Bücher.example/"}, "/x", "https://xn--bcher-kva.example/", id="an IDN"),
        pytest.param(
            {"to": "/new", "keep_path": True}, "/%C3%BC%20x", "/new/%C3%BC%20x", id="a path that needs escapes"
        ),
    ],
)
def test_it_leads_to(client: Make, options: dict[str, Any], path: str, location: str) -> None:
    response = client(Redirect(**options), script_name="/old").get(path)
    assert (response.status, response.headers["Location"]) == (308, location)
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("code", [308, 307, 301, 302, 303])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_every_method_is_redirected_with_the_code(client: Make, code: Any, method: str) -> None:
    response = client(Redirect(to="/new", code=code)).request(method, "/x")
    assert (response.status, response.headers["Location"]) == (code, "/new")
    assert (response.body == b"") == (method == "HEAD")


def test_how_long_it_may_be_remembered_is_said(client: Make) -> None:
    assert client(Redirect(to="/new", max_age=3600)).get("/").headers["Cache-Control"] == "max-age=3600"
    assert client(Redirect(to="/new")).get("/").headers["Cache-Control"] is None


HOSTILE_PATHS = [
    "//evil.com",
    "/\\evil.com",
    "/%5cevil.com",
    "/\t/evil.com",
    "///evil.com",
    "/%09/evil.com",
    "https:evil.com",
    "/../../evil.com",
    "/\r\nSet-Cookie: x=1",
    "/x\x00y",
    "/x\x0by",
    "/\u20ac",
    "/@evil.com",
    "@evil.com",
    ".evil.com/",
    ":80@evil.com/",
]


@pytest.mark.parametrize("path", HOSTILE_PATHS, ids=repr)
@pytest.mark.parametrize("to", ["/", "/new", "https://n.example", "https://n.example/", "x"])
def test_no_path_leads_to_another_host(path: str, to: str) -> None:
    client = Client(Redirect(to=to, keep_path=True))
    response = client.get("/", environ={"PATH_INFO": path, "REQUEST_URI": ""})
    if response.status == 308:
        location = response.headers["Location"] or ""
        assert location.startswith("https://n.example/" if to.startswith("https") else "/")
        assert not location.startswith("//")
        assert all(" " < character < "\x7f" and character != "\\" for character in location)
    else:
        assert (response.status, response.headers["Location"]) == (400, None)


@pytest.mark.parametrize("query", ["\r\nSet-Cookie: x=1", "a=\x00", "a=\u20ac", 'a="<script>', "a= b\x0b"])
def test_no_query_breaks_the_header(query: str) -> None:
    response = Client(Redirect(to="/new")).get("/", environ={"QUERY_STRING": query})
    location = response.headers["Location"] or ""
    assert location.startswith("/new?")
    assert all("!" <= character <= "~" for character in location)
    assert response.headers["Set-Cookie"] is None


# --- the same page at its canonical address ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "scheme", "host", "location"),
    [
        ({"https": True}, "http", "example.com", "https://example.com/mount/p?q=1"),
        ({"https": True}, "http", "EXAMPLE.com:80", "https://example.com/mount/p?q=1"),
        ({"https": True}, "http", "example.com:8080", "https://example.com/mount/p?q=1"),
        ({"https": True}, "http", "a.sub.example", "https://a.sub.example/mount/p?q=1"),
        ({"www": "add"}, "http", "example.com", "http://www.example.com/mount/p?q=1"),
        ({"www": "add"}, "http", "example.com:8080", "http://www.example.com:8080/mount/p?q=1"),
        ({"www": "remove"}, "https", "www.example.com", "https://example.com/mount/p?q=1"),
        ({"https": True, "www": "add"}, "http", "example.com", "https://www.example.com/mount/p?q=1"),
        ({"https": True, "www": "remove"}, "https", "www.example.com", "https://example.com/mount/p?q=1"),
    ],
)
def test_the_canonical_address(client: Make, options: dict[str, Any], scheme: str, host: str, location: str) -> None:
    app = Redirect(hosts=("example.com", "www.example.com", "*.sub.example"), **options)
    response = client(app, script_name="/mount", scheme=scheme).get("/p?q=1", environ={"HTTP_HOST": host})
    assert (response.status, response.headers["Location"]) == (308, location)


@pytest.mark.parametrize(
    "host",
    [
        "evil.com",
        "example.com.evil.com",
        "evilexample.com",
        "sub.example",
        "",
        "a b",
        'evil"<x>',
        "a@example.com",
        "example.com@evil.com",
        "example.com:port",
        "example.com:99999",
        "[::1",
        "example.com:80:80",
        "example.com\r\nX: y",
        "example.com, evil.com",
        "127.0.0.1.nip.io",
    ],
)
def test_a_host_that_is_not_configured_is_refused(host: str) -> None:
    app = Redirect(https=True, hosts=("example.com", "*.sub.example"))
    response = Client(app).get("/p", environ={"HTTP_HOST": host})
    assert (response.status, response.headers["Location"]) == (400, None)
    assert host not in response.text or not host


def test_only_the_host_that_it_leads_to_must_be_configured(client: Make) -> None:
    app = Redirect(www="add", hosts=("www.example.com",))
    assert client(app, host="example.com").get("/p").headers["Location"] == "http://www.example.com/p"
    assert client(app, host="evil.com").get("/p").status == 400


def test_a_missing_host_is_refused() -> None:
    def without_host(environ: dict[str, Any], start_response: Any) -> Any:
        del environ["HTTP_HOST"]
        return Redirect(https=True, hosts=("example.com",))(environ, start_response)

    assert Client(without_host).get("/").status == 400


def test_a_page_that_is_right_already_does_not_redirect_to_itself(client: Make) -> None:
    app = Redirect(https=True, www="add", hosts=("www.example.com",))
    assert client(app, scheme="https", host="www.example.com").get("/").status == 404


@pytest.mark.parametrize("path", ["//evil.com", "/\\evil.com", "/\r\nX: y", "/%5cevil.com"])
def test_the_canonical_address_stays_on_the_host(path: str) -> None:
    app = Redirect(https=True, hosts=("example.com",))
    response = Client(app, host="example.com").get("/", environ={"PATH_INFO": path, "REQUEST_URI": ""})
    location = response.headers["Location"]
    assert response.status == 400 or (location or "").startswith("https://example.com/")


# --- configuration -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "say where"),
        ({"to": "//evil.com"}, "the scheme"),
        ({"to": "javascript:alert(1)"}, "http:// or https://"),
        ({"to": "ftp://x/"}, "http:// or https://"),
        ({"to": "/a\r\nX: y"}, "control characters"),
        ({"to": "/a b"}, "blanks"),
        ({"to": "/\\evil"}, "backslashes"),
        ({"to": "https://user@host/"}, "http:// or https://"),
        ({"to": "https://a..b/"}, "no usable host"),
        ({"to": "/a/../b"}, "step of its path"),
        ({"to": "/a", "https": True}, "not both"),
        ({"https": True}, "is needed"),
        ({"https": True, "hosts": ("a:80",)}, "without ports"),
        ({"https": True, "hosts": ("a b",)}, "is not a host name"),
        ({"to": "/a", "max_age": -1}, "at least 0"),
    ],
)
def test_a_mistake_is_said(options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        Redirect(**options)


def test_an_ini_says_the_same_with_text() -> None:
    app = app_factory({}, to="https://n.example/x", code="302", keep_path="yes")
    response = Client(app).get("/y")
    assert (response.status, response.headers["Location"]) == (302, "https://n.example/x/y")


def test_an_ini_with_mistakes_names_them_all() -> None:
    with pytest.raises(ConfigError) as caught:
        app_factory({}, to="//x", code="300", keep="yes")
    assert sorted(problem.key or "" for problem in caught.value.problems) == ["code", "keep", "to"]
