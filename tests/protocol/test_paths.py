"""The path guard: what it accepts, what it refuses, and that no redirect leaves the host."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes, urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.protocol.paths import (
    Refusal,
    is_file_name,
    raw_path,
    refusal,
    safe_location,
    script_name,
    slash_location,
    text_path,
    uri_path,
    uri_query,
)


def wsgi(target: str, key: str | None = "RAW_URI", **more: object) -> dict[str, object]:
    """The environ that a server makes of a request target, without normalising anything."""
    path, _, query = target.partition("?")
    environ: dict[str, object] = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        **more,
    }
    if key:
        environ[key] = target
    return environ


ACCEPTED = [
    pytest.param("", id="the empty path"),
    pytest.param("/", id="the root"),
    pytest.param("/app/admin/y/", id="plain segments"),
    pytest.param("//app//admin", id="empty segments, which stay as they are"),
    pytest.param("/app;v=1/x", id="segment parameters"),
    pytest.param("/app\\admin", id="a literal backslash that is only a character"),
    pytest.param("/.well-known/acme-challenge/x", id="a name that starts with a dot"),
    pytest.param("/a/...", id="three dots"),
    pytest.param("/a/..b/c..", id="dots within a name"),
    pytest.param("/a%2eb", id="an encoded dot within a name"),
    pytest.param("/caf%C3%A9", id="encoded UTF-8"),
    pytest.param("/%FF%FE", id="bytes that are not UTF-8, which an application may want"),
    pytest.param("/%252e%252e/x", id="double encoding, which means text"),
    pytest.param("/x?next=%2Fy%5c&u=/../z", id="anything in the query"),
    pytest.param("/a%20b%3Fc%23d", id="encoded space, question mark and hash"),
]

REFUSED = [
    pytest.param("/../etc/passwd", Refusal.DOT_SEGMENT, id="dots at the front"),
    pytest.param("/a/./b", Refusal.DOT_SEGMENT, id="a single dot"),
    pytest.param("/a/..", Refusal.DOT_SEGMENT, id="dots at the end"),
    pytest.param("/app/../app/admin", Refusal.DOT_SEGMENT, id="dots that lead back to where they started"),
    pytest.param("/app/%2e%2e/x", Refusal.DOT_SEGMENT, id="encoded dots"),
    pytest.param("/.%2E/x", Refusal.DOT_SEGMENT, id="half encoded dots"),
    pytest.param("/..%2fsecret/", Refusal.DOT_SEGMENT, id="dots before an encoded slash"),
    pytest.param("/%2e%2e%2f%2e%2e%2fetc%2fpasswd", Refusal.DOT_SEGMENT, id="everything encoded"),
    pytest.param("/..;/x", Refusal.DOT_SEGMENT, id="dots with a parameter"),
    pytest.param("/..\\win.ini", Refusal.DOT_SEGMENT, id="dots before a backslash"),
    pytest.param("/a\\..\\b", Refusal.DOT_SEGMENT, id="dots between backslashes"),
    pytest.param("/..%5cwin.ini", Refusal.DOT_SEGMENT, id="dots before an encoded backslash"),
    pytest.param("/%5c..%5c", Refusal.DOT_SEGMENT, id="dots between encoded backslashes"),
    pytest.param("/app%2fadmin", Refusal.ENCODED_SEPARATOR, id="an encoded slash"),
    pytest.param("/admin%2F", Refusal.ENCODED_SEPARATOR, id="an encoded slash at the end"),
    pytest.param("/%5cevil.com", Refusal.ENCODED_SEPARATOR, id="an encoded backslash"),
    pytest.param("/admin%00", Refusal.CONTROL, id="an encoded NUL"),
    pytest.param("/%0d%0aSet-Cookie:%20x=1", Refusal.CONTROL, id="an encoded line break"),
    pytest.param("/%09/evil.com", Refusal.CONTROL, id="an encoded tab"),
    pytest.param("/a%7f", Refusal.CONTROL, id="an encoded delete"),
    pytest.param("app/x", Refusal.NOT_A_PATH, id="a path without its slash"),
    pytest.param("*", Refusal.NOT_A_PATH, id="an asterisk with another method than OPTIONS"),
    pytest.param("http://example.com/x", Refusal.NOT_A_PATH, id="an absolute URI in PATH_INFO"),
    pytest.param("example.com:443", Refusal.NOT_A_PATH, id="an authority, as of CONNECT"),
]


@pytest.mark.parametrize("key", [None, "RAW_URI", "REQUEST_URI"])
@pytest.mark.parametrize("target", ACCEPTED)
def test_it_accepts(target: str, key: str | None) -> None:
    assert refusal(wsgi(target, key)) is None


@pytest.mark.parametrize("key", ["RAW_URI", "REQUEST_URI"])
@pytest.mark.parametrize(("target", "reason"), REFUSED)
def test_it_refuses(target: str, reason: Refusal, key: str) -> None:
    assert refusal(wsgi(target, key)) is reason


@pytest.mark.parametrize(
    ("target", "reason"), [row for row in REFUSED if row.values[1] is not Refusal.ENCODED_SEPARATOR]
)
def test_it_refuses_from_the_decoded_path_alone(target: str, reason: Refusal) -> None:
    assert refusal(wsgi(target, key=None)) is reason


def test_it_accepts_options_asterisk() -> None:
    assert refusal(wsgi("*", REQUEST_METHOD="OPTIONS")) is None


def test_it_takes_a_missing_path_for_the_empty_one() -> None:
    assert refusal({"REQUEST_METHOD": "GET"}) is None


@pytest.mark.parametrize("path", ["/\u4e2d", "/\udcff", "/a\u0100"])
def test_it_refuses_characters_that_no_byte_stands_for(path: str) -> None:
    assert refusal({"PATH_INFO": path}) is Refusal.NOT_BYTES


@pytest.mark.parametrize("target", ["http://h/app%2fadmin?x", "HTTP://h:80/%2e%2e/x", "http://h/../x"])
def test_it_reads_absolute_form_targets(target: str) -> None:
    assert refusal(wsgi("/x", key=None, REQUEST_URI=target)) is not None


def test_it_does_not_take_the_authority_of_an_absolute_form_target_for_a_path() -> None:
    assert refusal(wsgi("/x", key=None, REQUEST_URI="http://a%2fb/x")) is None


@pytest.mark.parametrize("raw", ["/app/../x", "/app/%2e%2e/x", "/app/%2E./x"])
def test_it_refuses_dots_that_the_server_has_already_resolved(raw: str) -> None:
    assert refusal(wsgi("/x", key=None, RAW_URI=raw)) is Refusal.DOT_SEGMENT


def test_it_leaves_dots_alone_when_told_that_they_are_literal() -> None:
    assert refusal(wsgi("/app/../%2e%2e/x"), dots="literal") is None
    assert refusal(wsgi("/app/..%00"), dots="literal") is Refusal.CONTROL


def test_it_leaves_encoded_slashes_alone_when_told_to() -> None:
    assert refusal(wsgi("/app%2fadmin"), encoded_slash="allow") is None
    assert refusal(wsgi("/app%2f%2e%2e"), encoded_slash="allow") is Refusal.DOT_SEGMENT


@pytest.mark.parametrize(
    ("target", "mount", "depth", "refused"),
    [
        pytest.param("/app%2fadmin", "", 1, True, id="within the compared segment"),
        pytest.param("/app/admin%2f", "", 2, True, id="at the end of the compared segments"),
        pytest.param("/app/x%2fy", "", 1, False, id="behind the compared segments"),
        pytest.param("/api/app%2fx", "/api", 1, True, id="compared below a mount"),
        pytest.param("/api/app/x%2fy", "/api", 1, False, id="behind what is compared below a mount"),
        pytest.param("/a%2fb", "", 0, False, id="nothing is compared"),
    ],
)
def test_it_refuses_an_encoded_slash_only_where_it_could_change_the_comparison(
    target: str, mount: str, depth: int, refused: bool
) -> None:
    environ = wsgi(target)
    environ["SCRIPT_NAME"], environ["PATH_INFO"] = mount, str(environ["PATH_INFO"])[len(mount) :]
    assert (refusal(environ, depth=depth) is Refusal.ENCODED_SEPARATOR) is refused


@settings(deadline=None)
@given(st.lists(st.sampled_from(["/", ".", "..", "a", "%2e", "%2F", "%5C", "\\", ";", "%00", "%25", "é", "?"])))
def test_it_never_lets_a_dot_segment_or_nul_through(parts: list[str]) -> None:
    environ = wsgi("/" + "".join(parts).encode().decode("latin-1"))
    if refusal(environ) is None:
        path = str(environ["PATH_INFO"]).replace("\\", "/")
        assert not {".", ".."} & {segment.partition(";")[0] for segment in path.split("/")}
        assert "\0" not in path
        assert environ["PATH_INFO"] == "" or str(environ["PATH_INFO"]).startswith("/")


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a%20b?c#d", "/a%20b"),
        ("http://h:1/a?b", "/a"),
        ("http://h", ""),
        ("//h/a", "//h/a"),
        ("*", "*"),
        ("h:443", "h:443"),
    ],
)
def test_it_finds_the_path_of_a_raw_target(target: str, path: str) -> None:
    assert raw_path(target) == path


@pytest.mark.parametrize(("name", "normal"), [("", ""), ("/", ""), ("/app", "/app"), ("/app/", "/app")])
def test_it_normalises_script_name(name: str, normal: str) -> None:
    assert script_name({"SCRIPT_NAME": name}) == normal


EVIL = ["//evil.com", "/\\evil.com", "/%5cevil.com", "/\t/evil.com", "///evil.com", "/%09/evil.com", "https:evil.com"]
EVIL += ["\\\\evil.com", "/\r\n/evil.com", "", "javascript:alert(1)", "/ /evil.com", "/\x00/evil.com"]


def host_in_a_browser(location: str, base: str) -> str | None:
    """Resolve as the WHATWG parser does: tabs and line breaks vanish, a backslash is a slash."""
    cleaned = location.strip("".join(map(chr, range(33)))).translate({9: None, 10: None, 13: None}).replace("\\", "/")
    return urlsplit(urljoin(base, cleaned)).hostname


@pytest.mark.parametrize("path", EVIL)
def test_a_location_stays_on_its_host(path: str) -> None:
    assert host_in_a_browser(safe_location(path, "a=b"), "http://good.example/x") == "good.example"


@pytest.mark.parametrize("path", EVIL)
def test_a_slash_redirect_stays_on_its_host(path: str) -> None:
    location = slash_location({"PATH_INFO": path})
    base = "http://good.example/" + uri_path(path).lstrip("/")
    assert host_in_a_browser(location, base) == "good.example"
    assert not location.startswith(("/", "\\"))


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=255)), st.text(st.characters(max_codepoint=255)))
def test_a_location_is_always_printable_ascii_below_one_slash(path: str, query: str) -> None:
    location = safe_location(path, query)
    assert location.isascii()
    assert location.isprintable()
    assert " " not in location
    assert location[0] == "/"
    assert location[1:2] not in ("/", "\\")
    assert "\\" not in location.partition("?")[0]


@pytest.mark.parametrize(
    ("environ", "location"),
    [
        pytest.param({"SCRIPT_NAME": "/outer", "PATH_INFO": "/a/dir"}, "./dir/", id="the last segment"),
        pytest.param({"SCRIPT_NAME": "/outer/app", "PATH_INFO": ""}, "./app/", id="the mount itself"),
        pytest.param({"PATH_INFO": "/d", "QUERY_STRING": "q=%20 1"}, "./d/?q=%20%201", id="with its query"),
        pytest.param({"PATH_INFO": "/caf\xc3\xa9 %"}, "./caf%C3%A9%20%25/", id="escaped"),
    ],
)
def test_it_adds_the_missing_slash(environ: dict[str, str], location: str) -> None:
    assert slash_location(environ) == location


@settings(deadline=None)
@given(st.binary())
def test_escaping_a_path_loses_nothing(path: bytes) -> None:
    assert unquote_to_bytes(uri_path(path.decode("latin-1"))) == path


@pytest.mark.parametrize(
    ("query", "safe"),
    [
        ("a=b&c=%20/?:@", "a=b&c=%20/?:@"),
        ("a=\r\nX: y", "a=%0D%0AX:%20y"),
        ('"<>#', "%22%3C%3E%23"),
        ("é", "%C3%A9"),
    ],
)
def test_it_escapes_only_what_may_not_stand_in_a_query(query: str, safe: str) -> None:
    assert uri_query(query) == safe


@pytest.mark.parametrize(
    ("path", "text"),
    [("/a", "/a"), ("/caf\xc3\xa9", "/café"), ("/\xff\xfe", None), ("/\xc0\xae", None), ("/\u4e2d", None)],
)
def test_it_reads_a_path_as_utf8_or_not_at_all(path: str, text: str | None) -> None:
    assert text_path(path) == text


ODD_NAMES = ["", ".", "..", "a/b", "a\\b", "a\0", "a\n", "\x7f", "é" * 128, "\udcff"]
WINDOWS_NAMES = [
    "CON",
    "NUL.txt",
    "aux .js",
    "COM\u00b9",
    "com1",
    "LPT9.tar.gz",
    "a.txt::$DATA",
    "C:a",
    "a.",
    "a ",
    "a*",
]
WINDOWS_NAMES += ["conin$", "<b>", 'a"b', "a?b"]
GOOD_NAMES = ["a.txt", ".htaccess", "console", "COM10", "nullable.txt", "com", "a b", "é" * 127]


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("windows", [True, False])
def test_it_refuses_as_a_file_name_anywhere(name: str, windows: bool) -> None:
    assert not is_file_name(name, windows=windows)


@pytest.mark.parametrize("name", WINDOWS_NAMES)
def test_it_refuses_as_a_file_name_on_windows_only(name: str) -> None:
    assert not is_file_name(name, windows=True)
    assert is_file_name(name, windows=False)


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_it_accepts_as_a_file_name(name: str) -> None:
    assert is_file_name(name, windows=False)
    assert is_file_name(name, windows=True)
