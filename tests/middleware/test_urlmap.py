"""URLMap: which app takes a request, and what that app sees."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from wheatpaste.config.factories import CompositeFactory
from wheatpaste.config.options import OptionError
from wheatpaste.config.origin import BuildSite, Origin, building
from wheatpaste.config.problems import ConfigError
from wheatpaste.middleware.urlmap import URLMap, composite_factory, paste_composite_factory
from wheatpaste.testing import Client

MakeClient = Callable[..., Client]


def named(name: str) -> Any:
    """An app that says who it is and what it sees."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen = {
            "app": name,
            "script_name": environ.get("SCRIPT_NAME"),
            "path_info": environ.get("PATH_INFO"),
            "mounts": [list(mount) for mount in environ["wheatpaste.trace"].mounts]
            if "wheatpaste.trace" in environ
            else [],
            "urlmap": "paste.urlmap_object" in environ,
        }
        body = json.dumps(seen).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return app


def ask(app: Any, path: str, **environ: Any) -> tuple[str, Any]:
    """Call the app with exactly this PATH_INFO, and return the status and what the app under it saw."""
    given = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "wsgi.url_scheme": "http",
        **environ,
    }
    given = {key: value for key, value in given.items() if value is not None}
    answered: list[Any] = []
    body = b"".join(app(given, lambda status, headers, exc_info=None: answered.append((status, dict(headers)))))
    status, headers = answered[0]
    if headers.get("Content-Type") == "application/json":
        return status, json.loads(body)
    return status, headers.get("Location", body.decode())


def taken(app: Any, path: str, **environ: Any) -> tuple[str, str, str]:
    _, seen = ask(app, path, **environ)
    return seen["app"], seen["script_name"], seen["path_info"]


VECTORS = [
    ("", "R", "", ""),
    ("/", "R", "", "/"),
    ("/app", "A", "/app", ""),
    ("/app/", "A", "/app", "/"),
    ("/application", "R", "", "/application"),
    ("/app/adminx", "A", "/app", "/adminx"),
    ("/app/admin/y/", "B", "/app/admin", "/y/"),
    ("//app/admin", "R", "", "//app/admin"),
    ("/app//admin", "A", "/app", "//admin"),
    ("/APP/x", "R", "", "/APP/x"),
    ("/app;v=1/x", "R", "", "/app;v=1/x"),
    ("/app/admin;x=1", "A", "/app", "/admin;x=1"),
    ("/app/ADMIN", "A", "/app", "/ADMIN"),
    ("/app/x" + "/y" * 5000, "A", "/app", "/x" + "/y" * 5000),
]


@pytest.mark.parametrize(
    ("path", "app", "script_name", "path_info"), VECTORS, ids=[repr(row[0])[:40] for row in VECTORS]
)
def test_it_dispatches_at_segment_boundaries(path: str, app: str, script_name: str, path_info: str) -> None:
    urlmap = URLMap({"/": named("R"), "/app": named("A"), "/app/admin": named("B")})
    assert taken(urlmap, path) == (app, script_name, path_info)


@pytest.mark.parametrize("prefix", ["/", "/app", "/app/admin"])
def test_the_order_in_which_mounts_are_written_does_not_matter(prefix: str) -> None:
    order = sorted(["/", "/app", "/app/admin"], key=lambda each: each == prefix)
    urlmap = URLMap({key: named(key) for key in order})
    assert taken(urlmap, "/app/admin/x")[0] == "/app/admin"


REFUSED = {
    "dot segments": ("/app/../app/admin", {}),
    "a single dot": ("/./app/admin", {}),
    "a dot segment at the end": ("/app/..", {}),
    "a dot segment before a parameter": ("/app/..;x/admin", {}),
    "encoded dots": ("/app/../x", {"REQUEST_URI": "/app/%2e%2e/x"}),
    "dots that the server resolved": ("/admin", {"REQUEST_URI": "/app/../admin"}),
    "encoded dots that the server resolved": ("/x", {"REQUEST_URI": "/app/%2e%2e/x"}),
    "an encoded slash": ("/app/admin", {"REQUEST_URI": "/app%2fadmin"}),
    "an encoded slash in the deepest compared segment": ("/app/admin/x", {"RAW_URI": "/app/admin%2Fx"}),
    "dots behind a backslash": ("/app\\..\\admin", {}),
    "an encoded backslash": ("/app\\admin", {"REQUEST_URI": "/app%5Cadmin"}),
    "a NUL": ("/app/admin\x00", {}),
    "an encoded NUL": ("/app/admin", {"REQUEST_URI": "/app/admin%00"}),
    "a path without a slash": ("app/x", {"SCRIPT_NAME": "/site"}),
    "an asterisk that is no OPTIONS": ("*", {}),
    "an authority": ("example.com:443", {"REQUEST_METHOD": "CONNECT"}),
    "a character that is no byte": ("/app/\u20ac", {}),
}


@pytest.mark.parametrize(("path", "environ"), REFUSED.values(), ids=REFUSED)
def test_it_refuses_paths_that_can_be_read_in_two_ways(path: str, environ: dict[str, str]) -> None:
    urlmap = URLMap({"/": named("R"), "/app": named("A"), "/app/admin": named("B")})
    assert ask(urlmap, path, **environ)[0] == "400 Bad Request"


def test_an_encoded_slash_behind_what_mounts_compare_is_the_app_s_affair() -> None:
    urlmap = URLMap({"/app": named("A")})
    assert taken(urlmap, "/app/x/y", REQUEST_URI="/app/x%2Fy") == ("A", "/app", "/x/y")


def test_backslashes_separate_nothing() -> None:
    assert taken(URLMap({"/": named("R"), "/app": named("A")}), "/app\\admin") == ("R", "", "/app\\admin")


def test_encoded_slashes_and_dots_can_be_let_through() -> None:
    urlmap = URLMap({"/app": named("A")}, encoded_slash="allow", dots="literal")
    assert taken(urlmap, "/app/x", REQUEST_URI="/app%2fx") == ("A", "/app", "/x")
    assert taken(urlmap, "/app/../x") == ("A", "/app", "/../x")


def test_it_gives_the_child_an_environ_of_its_own() -> None:
    environ: dict[str, Any] = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "/site", "PATH_INFO": "/app/x"}
    before = dict(environ)
    seen: list[dict[str, Any]] = []

    def child(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ)
        environ["spoilt"] = True
        return []

    URLMap({"/app": child})(environ, lambda *_: lambda _: None)
    trace = environ.pop("wheatpaste.trace")
    assert environ == before
    assert seen[0]["SCRIPT_NAME"] == "/site/app"
    assert seen[0]["wheatpaste.trace"] is trace


@pytest.mark.parametrize(
    ("script_name", "path_info", "expected"),
    [
        ("/", "/app/x", ("/app", "/x")),
        ("/site/", "/app", ("/site/app", "")),
        ("/site", "/app/", ("/site/app", "/")),
        (None, "/app", ("/app", "")),
    ],
)
def test_script_name_never_ends_in_a_slash(script_name: str | None, path_info: str, expected: tuple[str, str]) -> None:
    assert taken(URLMap({"/app": named("A")}), path_info, SCRIPT_NAME=script_name)[1:] == expected


def test_a_slash_that_only_script_name_holds_becomes_the_path() -> None:
    assert taken(URLMap({"/": named("R")}), "", SCRIPT_NAME="/") == ("R", "", "/")


def test_maps_nest_and_record_the_mounts_they_took() -> None:
    inner = URLMap({"/y": named("Y")})
    _, seen = ask(URLMap({"/x": inner}), "/x/y/z")
    assert (seen["script_name"], seen["path_info"]) == ("/x/y", "/z")
    assert seen["mounts"] == [["/x", "", ""], ["/y", "", ""]]


def test_paths_in_other_alphabets_are_keys_too() -> None:
    urlmap = URLMap({"/café": named("C")})
    wire = "/café".encode().decode("latin-1")
    assert taken(urlmap, wire + "/x") == ("C", wire, "/x")


@pytest.fixture
def hosts() -> URLMap:
    return URLMap(
        {
            "/": named("any"),
            "/wiki/deep": named("any wiki"),
            "http://example.com/": named("host"),
            "http://example.com:8080/": named("port"),
            "http://*.example.com/": named("wild"),
            "http://*.b.example.com/": named("wild b"),
            "http://[::1]:8080/": named("ipv6"),
            "http://bücher.example/": named("idna"),
            "http://only.example/app": named("only app"),
        }
    )


HOSTS = [
    ("example.com", "host"),
    ("EXAMPLE.com", "host"),
    ("example.com.", "host"),
    ("example.com:80", "host"),
    ("example.com:9999", "host"),
    ("example.com:8080", "port"),
    ("a.example.com", "wild"),
    ("a.example.com:8080", "wild"),
    ("x.a.example.com", "wild"),
    ("a.b.example.com", "wild b"),
    ("b.example.com", "wild"),
    ("notexample.com", "any"),
    ("com", "any"),
    ("[::1]:8080", "ipv6"),
    ("[0:0::1]:8080", "ipv6"),
    ("[::1]", "any"),
    ("xn--bcher-kva.example", "idna"),
    ("127.0.0.1", "any"),
]


@pytest.mark.parametrize(("host", "app"), HOSTS, ids=[row[0] for row in HOSTS])
def test_the_most_specific_host_wins(hosts: URLMap, host: str, app: str) -> None:
    assert taken(hosts, "/x", HTTP_HOST=host)[0] == app


def test_a_host_s_own_mount_wins_over_a_longer_path_of_any_host(hosts: URLMap) -> None:
    assert taken(hosts, "/wiki/deep", HTTP_HOST="example.com")[0] == "host"
    assert taken(hosts, "/wiki/deep", HTTP_HOST="other.org")[0] == "any wiki"


def test_a_path_that_no_mount_of_the_host_takes_falls_through(hosts: URLMap) -> None:
    assert taken(hosts, "/wiki/deep/x", HTTP_HOST="only.example") == ("any wiki", "/wiki/deep", "/x")


def test_an_exclusive_host_does_not_fall_through() -> None:
    urlmap = URLMap({"/": named("any"), "http://Admin.example/app": named("admin")}, exclusive=("admin.example",))
    assert ask(urlmap, "/other", HTTP_HOST="admin.example:81")[0] == "404 Not Found"
    assert taken(urlmap, "/app/x", HTTP_HOST="admin.example")[0] == "admin"
    assert taken(urlmap, "/other", HTTP_HOST="www.example")[0] == "any"


def test_a_port_in_a_key_without_scheme_is_compared_with_the_scheme_s_own() -> None:
    urlmap = URLMap({("example.com:443", "/"): named("tls"), "/": named("any")})
    assert taken(urlmap, "/", HTTP_HOST="example.com", **{"wsgi.url_scheme": "https"})[0] == "tls"
    assert taken(urlmap, "/", HTTP_HOST="example.com")[0] == "any"


BAD_HOSTS = [
    None,
    "",
    "a b",
    'evil"<x>',
    "a@b",
    "a:port",
    "a:99999",
    "[::1",
    "example.com:80:80",
    "a,b",
    "bücher.example",
]


@pytest.mark.parametrize("host", BAD_HOSTS, ids=repr)
def test_a_host_that_cannot_be_read_is_refused_where_hosts_matter(hosts: URLMap, host: str | None) -> None:
    assert ask(hosts, "/", HTTP_HOST=host)[0] == "400 Bad Request"
    assert taken(URLMap({"/": named("any")}), "/", HTTP_HOST=host)[0] == "any"


def test_http_1_0_needs_no_host(hosts: URLMap) -> None:
    assert taken(hosts, "/", HTTP_HOST=None, SERVER_PROTOCOL="HTTP/1.0")[0] == "any"


def test_options_for_the_whole_server_go_to_the_app_for_what_is_not_found() -> None:
    urlmap = URLMap({"/": named("R")}, not_found_app=named("fallback"))
    assert taken(urlmap, "*", REQUEST_METHOD="OPTIONS") == ("fallback", "", "*")
    assert ask(URLMap({"/": named("R")}), "*", REQUEST_METHOD="OPTIONS")[0] == "404 Not Found"


def test_the_app_for_what_is_not_found_sees_the_request_as_it_came() -> None:
    _, seen = ask(URLMap({"/app": named("A")}, not_found_app=named("fallback")), "/other", SCRIPT_NAME="/")
    assert (seen["app"], seen["script_name"], seen["path_info"], seen["urlmap"]) == ("fallback", "", "/other", True)


def test_what_is_not_found_is_answered_plainly_and_without_the_mounts(client: MakeClient) -> None:
    response = client(URLMap({"/secret-admin": named("A"), "http://inner.example/": named("B")})).get("/x")
    assert response.status == 404
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "secret" not in response.text
    assert "inner" not in response.text


def test_who_asks_decides_how_not_found_looks(client: MakeClient) -> None:
    site = client(URLMap({"/app": named("A")}))
    page = site.get("/x", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in (page.headers["Content-Security-Policy"] or "")
    problem = site.get("/x", headers={"Accept": "application/json"})
    assert problem.headers["Content-Type"] == "application/problem+json"
    assert problem.json() == {"title": "Not Found", "status": 404, "detail": "Nothing is mounted here."}
    assert site.head("/x").body == b""


def test_with_debug_it_lists_the_mounts_and_marks_the_closest(client: MakeClient) -> None:
    urlmap = URLMap({"/wiki": named("W"), "/<script>": named("S"), "http://a.example/b": named("B")}, debug=True)
    site = client(urlmap)
    html = site.get("/wikis/page", headers={"Accept": "text/html"}).text
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert html.count('class="marked"') == 1
    assert "> /wiki  fits only in the middle of a segment" in site.get("/wikis/page").text.splitlines()
    found = site.get("/wikis", headers={"Accept": "application/json"}).json()["mounts"]
    assert [row["mount"] for row in found if row["closest"]] == ["/wiki"]


SLASH = [
    ("none", "GET", "/app", ("A", "/app", "")),
    ("append", "POST", "/app", ("A", "/app", "")),
    ("append", "GET", "/app/", ("A", "/app", "/")),
    ("force", "GET", "/app", ("A", "/app", "/")),
    ("force", "POST", "/app", ("A", "/app", "/")),
    ("force", "GET", "/app/x", ("A", "/app", "/x")),
]


@pytest.mark.parametrize(("slash", "method", "path", "expected"), SLASH)
def test_a_missing_slash_is_handled_as_told(slash: Any, method: str, path: str, expected: tuple[str, ...]) -> None:
    urlmap = URLMap({"/app": named("A"), "/": named("R")}, slash=slash)
    assert taken(urlmap, path, REQUEST_METHOD=method) == expected


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_append_redirects_to_the_slash_relatively_and_keeps_the_query(method: str) -> None:
    urlmap = URLMap({"/a/app": named("A")}, slash="append")
    status, location = ask(urlmap, "/a/app", REQUEST_METHOD=method, QUERY_STRING="q=1")
    assert (status, location) == ("308 Permanent Redirect", "./app/?q=1")


def test_append_redirects_the_root_of_a_map_that_is_mounted_itself() -> None:
    assert ask(URLMap({"/": named("R")}, slash="append"), "", SCRIPT_NAME="/site")[1] == "./site/"
    assert taken(URLMap({"/": named("R")}, slash="append"), "") == ("R", "", "")


EVIL = ["//evil.com", "/\\evil.com", "///evil.com", "/https:evil.com", "//evil.com//x", "/\t/evil.com", "/%5cevil.com"]


@pytest.mark.parametrize("path", EVIL)
def test_no_redirect_leads_to_another_host(path: str) -> None:
    mounts = {("", "/evil.com"): named("E"), ("", "/https:evil.com"): named("H"), "/": named("R")}
    for options in ({"slash": "append"}, {"merge_slashes": "redirect"}, {"slash": "append", "paste_rules": True}):
        status, location = ask(URLMap(mounts, **options), path, SCRIPT_NAME="/")
        if status.startswith("308"):
            assert location.startswith(("./", "/"))
            assert not location.startswith(("//", "/\\"))
            assert ":" not in location.partition("/")[0]


def test_repeated_slashes_can_be_redirected() -> None:
    urlmap = URLMap({"/app": named("A"), "/": named("R")}, merge_slashes="redirect")
    status, location = ask(urlmap, "//app///x", SCRIPT_NAME="/site", QUERY_STRING="a=b")
    assert (status, location) == ("308 Permanent Redirect", "/site/app/x?a=b")
    assert taken(urlmap, "//app", REQUEST_METHOD="POST") == ("R", "", "//app")


def test_it_is_a_mapping_that_can_be_changed() -> None:
    root, wiki = named("R"), named("W")
    urlmap = URLMap({"/": root})
    urlmap["http://Example.com:80/wiki/"] = wiki
    assert urlmap["example.com/wiki"] is wiki
    assert urlmap["example.com", "/wiki"] is wiki
    assert urlmap["domain example.com /wiki"] is wiki
    assert list(urlmap) == [("example.com", "/wiki"), (None, "")]
    assert {key: urlmap[key] for key in urlmap} == {("example.com", "/wiki"): wiki, (None, ""): root}
    assert len(urlmap) == 2
    assert "/nothing" not in urlmap
    assert "a//b" not in urlmap
    urlmap["/"] = wiki
    assert urlmap[None, ""] is wiki
    del urlmap["/"]
    assert len(urlmap) == 1
    with pytest.raises(KeyError):
        del urlmap["/"]
    with pytest.raises(KeyError):
        urlmap["/"]
    assert urlmap.pop("example.com/wiki") is wiki
    assert ask(urlmap, "/x")[0] == "404 Not Found"


def test_a_deep_mount_that_goes_leaves_the_others_found() -> None:
    urlmap = URLMap({"/a": named("A"), "/a/b/c": named("C")})
    del urlmap["/a/b/c"]
    assert urlmap.table.depth == 1
    assert taken(urlmap, "/a/b/c") == ("A", "/a", "/b/c")


def test_what_is_no_app_cannot_be_mounted() -> None:
    with pytest.raises(TypeError, match="callable"):
        URLMap({"/": None})  # type: ignore[dict-item]
    urlmap = URLMap()
    with pytest.raises(TypeError, match="callable"):
        urlmap["/"] = None


@pytest.mark.parametrize("key", ["wiki", "/a//b", "/a?b", "http:///x", "/a/../b"])
def test_keys_that_are_no_place_are_refused(key: str) -> None:
    with pytest.raises(OptionError):
        URLMap({key: named("A")})
    urlmap = URLMap()
    with pytest.raises(ValueError, match="."):
        urlmap[key] = named("A")


def test_one_place_written_twice_is_refused() -> None:
    with pytest.raises(OptionError, match="mounted twice"):
        URLMap({"/a": named("A"), "/a/": named("B")})


def test_options_are_checked() -> None:
    with pytest.raises(OptionError, match="exclusive"):
        URLMap(exclusive=("a b",))


def test_two_maps_are_two_apps_even_with_equal_mounts() -> None:
    app = named("A")
    assert URLMap({"/": app}) != URLMap({"/": app})
    assert len({URLMap(), URLMap()}) == 2


@pytest.mark.parametrize("count", [1, 10_000])
def test_building_one_mount_at_a_time_is_quick_enough(count: int) -> None:
    urlmap = URLMap({f"/m{number}": named("A") for number in range(count)})
    urlmap["/last"] = named("L")
    assert taken(urlmap, "/last/x")[0] == "L"


def test_requests_see_whole_tables_while_the_map_changes() -> None:
    """Changes move an app between two places, one of which it always has; writers must not undo one another."""
    urlmap = URLMap({"/": named("R"), "/a": named("A")})
    stop = threading.Event()
    found: set[str] = set()

    def look() -> None:
        while not stop.is_set():
            found.add(taken(urlmap, "/a/b", HTTP_HOST="h.example")[0])

    def change() -> None:
        for _ in range(100):
            urlmap["http://h.example/a"] = named("A")
            urlmap["/a/c"] = named("C")
            del urlmap["h.example/a"]
            del urlmap["/a/c"]

    def add(name: str) -> None:
        for number in range(100):
            urlmap[f"/{name}/{number}"] = named(name)

    readers = [threading.Thread(target=look) for _ in range(2)]
    writers = [threading.Thread(target=add, args=(name,)) for name in ("p", "q")] + [threading.Thread(target=change)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in readers + writers:
            thread.start()
        for thread in writers:
            thread.join()
    finally:
        stop.set()
        for thread in readers:
            thread.join()
        sys.setswitchinterval(interval)
    assert found == {"A"}
    assert sum(1 for _, path in urlmap if path.startswith(("/p/", "/q/"))) == 200


class Loader:
    """Stands for the loader of a composite: its apps are their names."""

    def get_app(self, name: str, global_conf: Any = None) -> Any:
        return named(name)


def build(factory: CompositeFactory, global_conf: dict[str, str] | None = None, **keys: str) -> URLMap:
    made: URLMap = factory(Loader(), global_conf or {}, **keys)
    return made


def test_an_ini_mounts_by_path_host_and_expression() -> None:
    keys = {
        "/": "front",
        "/wiki/": "wiki",
        "http://demo.localhost/": "tenant",
        "domain Example.com port 8080 /x": "expression",
        "*.example.org/shop": "shop",
    }
    urlmap = build(composite_factory, None, slash="append", **keys)
    assert taken(urlmap, "/wiki/a")[:2] == ("wiki", "/wiki")
    assert taken(urlmap, "/", HTTP_HOST="demo.localhost:8080")[0] == "tenant"
    assert taken(urlmap, "/x/y", HTTP_HOST="example.com:8080")[0] == "expression"
    assert taken(urlmap, "/shop/", HTTP_HOST="a.example.org")[0] == "shop"
    assert urlmap.slash == "append"


def test_not_found_app_and_debug_are_inherited() -> None:
    urlmap = build(composite_factory, {"not_found_app": "missing", "debug": "true"}, **{"/a": "A"})
    assert taken(urlmap, "/b")[0] == "missing"
    assert urlmap.debug is True


def test_mounts_carry_the_line_where_they_were_written() -> None:
    site = BuildSite(Origin("site.ini", 3, "composite:main"), {"/a": Origin("site.ini", 5, "composite:main")})
    token = building.set(site)
    try:
        urlmap = build(composite_factory, **{"/a": "A"})
    finally:
        building.reset(token)
    assert ask(urlmap, "/a/x")[1]["mounts"] == [["/a", "", "site.ini:5"]]


PROBLEMS = {
    "a misspelt option": ({"not_fuond_app": "x"}, "is neither an option nor a path; did you mean 'not_found_app'?"),
    "a forgotten slash": ({"shop": "x"}, "a path begins with a slash; write '/shop', or 'http://shop' for a host"),
    "the same place twice": ({"/a": "x", "/a/": "y"}, "mounts /a again, as '/a' does; keep one of them"),
    "a query": ({"/a?b": "x"}, "a query is no part of a mount; remove '?' and what follows"),
    "an empty segment": ({"/a//b": "x"}, "a path has no empty segment; write '/a/b'"),
    "a port without domain": ({"port 80 /a": "x"}, "a port needs a domain; write 'domain HOST port PORT /path'"),
    "no app": ({"/a": ""}, "names no app; write the name of an app, or a reference such as egg:NAME"),
    "a wrong option": ({"/a": "x", "slash": "maybe"}, "must be none or append or force"),
}


@pytest.mark.parametrize(("keys", "expected"), PROBLEMS.values(), ids=PROBLEMS)
def test_an_ini_s_mistakes_are_named(keys: dict[str, str], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(composite_factory, **keys)
    (problem,) = caught.value.problems
    assert problem.message.endswith(expected)


def test_mounts_are_read_in_the_order_in_which_they_take_requests() -> None:
    keys = {
        "/": "a",
        "/x/y": "b",
        "/x": "c",
        "*.example.com/": "d",
        "http://h.example/": "e",
        "domain h.example port 81": "f",
    }
    reading = composite_factory.reader.read(keys, {})
    assert [mount.place for mount in reading.mounts] == [
        "h.example:81",
        "h.example",
        "*.example.com",
        "/x/y",
        "/x",
        "/",
    ]
    assert reading.problems == []


def test_under_paste_s_name_dots_are_refused_with_a_warning_that_names_the_key() -> None:
    reading = paste_composite_factory.reader.read({"/a": "x"}, {})
    (problem,) = reading.problems
    assert problem.severity == "warning"
    assert "dots = literal" in problem.fix
    assert paste_composite_factory.reader.read({"/a": "x", "dots": "reject"}, {}).problems == []
