"""Keys: every way to write a place comes to one form, and what is no place is named."""

from __future__ import annotations

import pytest

from wheatpaste.middleware.mount_keys import Place, normalise_key, wire_path

SAME = {
    "": ("", ""),
    "/": ("", ""),
    "/wiki": ("", "/wiki"),
    "/wiki/": ("", "/wiki"),
    "/a b": ("", "/a b"),
    "/Ä;x=1": ("", "/Ä;x=1"),
    "http://example.com": ("example.com", ""),
    "http://example.com/": ("example.com", ""),
    "HTTP://Example.COM./wiki/": ("example.com", "/wiki"),
    "http://example.com:80/wiki": ("example.com", "/wiki"),
    "https://example.com:443/wiki": ("example.com", "/wiki"),
    "https://example.com:80/wiki": ("example.com:80", "/wiki"),
    "http://example.com:8080": ("example.com:8080", ""),
    "http://*.Example.com/wiki": ("*.example.com", "/wiki"),
    "http://*.example.com:8080/": ("*.example.com:8080", ""),
    "http://[::1]:8080/x": ("[::1]:8080", "/x"),
    "http://[0:0:0:0:0:0:0:1]/x": ("[::1]", "/x"),
    "http://bücher.example/": ("xn--bcher-kva.example", ""),
    "http://intranet/x": ("intranet", "/x"),
    "example.com/wiki": ("example.com", "/wiki"),
    "example.com:8080/": ("example.com:8080", ""),
    "localhost/wiki": ("localhost", "/wiki"),
    "*.example.com/": ("*.example.com", ""),
    "[::1]/": ("[::1]", ""),
    "domain example.com": ("example.com", ""),
    "domain Example.com /wiki": ("example.com", "/wiki"),
    "/wiki domain example.com": ("example.com", "/wiki"),
    "domain example.com port 8080 /wiki": ("example.com:8080", "/wiki"),
    "port 80 domain example.com": ("example.com:80", ""),
    "domain *.example.com port 8080": ("*.example.com:8080", ""),
    ("", "/wiki"): ("", "/wiki"),
    (None, ""): ("", ""),
    ("Example.com:8080", "/wiki/"): ("example.com:8080", "/wiki"),
    ("", "/domain x"): ("", "/domain x"),
}


@pytest.mark.parametrize(("key", "place"), SAME.items(), ids=[str(key) for key in SAME])
def test_it_reads_every_way_to_write_a_place(key: str | tuple[str | None, str], place: tuple[str, str]) -> None:
    found = normalise_key(key)
    assert found == Place(*place)
    assert normalise_key((found.host, found.path)) == found


WRONG = {
    "wiki": "write '/wiki', or 'http://wiki' for a host",
    "wiki/page": "write '/wiki/page', or 'http://wiki/page' for a host",
    "/a/../b": "no '.' or '..' segment",
    "/a/.": "no '.' or '..' segment",
    "/a//b": "write '/a/b'",
    "//": "write '/'",
    "/a?b": "remove '?'",
    "/a#b": "remove '#'",
    "/a%20b": "write the character itself",
    "/a\\b": "a backslash separates nothing",
    "/a\tb": "no control characters",
    "http:///x": "there is no host after '//'",
    "http://a b/x": "is not a host name",
    "http://user@example.com/": "a user name has no place in a host",
    "http://example.com:x/": "is not a port",
    "http://example.com:99999/": "is not a port",
    "http://::1/": "needs brackets",
    "http://*/": "'*' stands for whole labels",
    "http://a.*.com/": "'*' stands for whole labels",
    "http://*example.com/": "'*' stands for whole labels",
    "http://*.[::1]/": "an address has no subdomains",
    "domain": "a path begins with a slash",
    "/x domain": "'domain' must be followed by a host name",
    "domain a.example domain b.example": "'domain' is given twice",
    "domain a.example port": "'port' must be followed by a port number",
    "domain a.example port x": "'port' must be followed by a port number",
    "domain a.example port 1 port 2": "'port' is given twice",
    "domain a.example port 0": "is not a port",
    "port 80 /x": "a port needs a domain",
    "domain a.example /x /y": "there is more than one path, '/x' and '/y'",
    "domain a.example x": "write '/x'",
}


@pytest.mark.parametrize(("key", "phrase"), WRONG.items(), ids=[repr(key) for key in WRONG])
def test_it_names_what_is_wrong(key: str, phrase: str) -> None:
    with pytest.raises(ValueError, match=".") as caught:
        normalise_key(key)
    assert phrase in str(caught.value)


def test_paste_s_keys_may_repeat_slashes() -> None:
    assert normalise_key("//a///b//", merge_slashes=True) == Place("", "/a/b")
    assert normalise_key("http://h.example//a", merge_slashes=True) == Place("h.example", "/a")


def test_a_place_reads_as_a_person_writes_it() -> None:
    assert [str(Place(*place)) for place in (("", ""), ("", "/x"), ("h.example", ""), ("h.example", "/x"))] == [
        "/",
        "/x",
        "h.example",
        "h.example/x",
    ]


def test_a_path_on_the_wire_is_its_utf_8_bytes() -> None:
    assert wire_path("/é") == "/\xc3\xa9"
    assert wire_path("/e") == "/e"
