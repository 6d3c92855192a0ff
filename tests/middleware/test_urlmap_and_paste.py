"""What Paste's urlmap does, and where the map under its name deviates on purpose.

1. Runs of slashes are merged to compare, but what is left for the app stays as it was sent.
2. ``host:port`` comes before ``host``; Paste goes by the alphabet.
3. Domains in capitals, with a dot at the end or as IPv6 match.
4. Dot segments and other paths that can be read in two ways are refused.
5. The caller's environ stays untouched.
6. Without Host, a request of HTTP/1.1 is refused where hosts matter; Paste takes SERVER_NAME.
7. The answer to what is not found does not list the mounts.
8. Keys with a port that is no number, a query or dots are refused; a path may hold blanks.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from paste.urlmap import URLMap as PasteURLMap
from paste.urlmap import parse_path_expression

from wheatpaste.middleware.mount_keys import normalise_key
from wheatpaste.middleware.urlmap import URLMap

SEGMENT = st.sampled_from(["a", "b", "ab", "", "A", "a;x", "é".encode().decode("latin-1")])
PATH = st.lists(SEGMENT, max_size=5).map(lambda segments: "".join(f"/{each}" for each in segments))
MOUNT = st.lists(st.sampled_from(["a", "b", "ab", ""]), max_size=4).map(
    lambda all_: "".join(f"/{each}" for each in all_)
)
# A host is given with a port or without, never both: there the order deviates (2).
DOMAIN = st.sampled_from([None, "h.x", "a.h.x", "p.x:81"])
HOST = st.sampled_from(["h.x", "H.x", "h.x:80", "h.x:99", "a.h.x", "p.x", "p.x:81", "other"])
KEYS = st.lists(st.tuples(DOMAIN, MOUNT), max_size=8)


def leaf(name: str, seen: list[tuple[str, str, str]]) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append((name, environ["SCRIPT_NAME"], environ["PATH_INFO"]))
        return []

    return app


def call(urlmap: Any, path: str, **more: str) -> None:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "SERVER_NAME": "localhost",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        **more,
    }
    urlmap(environ, lambda *_: lambda _: None)


@settings(max_examples=600, deadline=None)
@given(KEYS, PATH, HOST)
def test_it_takes_what_paste_takes(keys: list[tuple[str | None, str]], path: str, host: str) -> None:
    theirs: list[tuple[str, str, str]] = []
    mine: list[tuple[str, str, str]] = []
    paste = PasteURLMap(not_found_app=leaf("nowhere", theirs))
    ours = URLMap(paste_rules=True, not_found_app=leaf("nowhere", mine))
    for key in keys:
        paste[key] = leaf(str(normalise_key(key, merge_slashes=True)), theirs)
        ours[key] = leaf(str(normalise_key(key, merge_slashes=True)), mine)
    call(paste, path, HTTP_HOST=host)
    call(ours, path, HTTP_HOST=host)
    (app, script_name, path_info), (our_app, our_script_name, our_path_info) = theirs[0], mine[0]
    assert (our_app, our_script_name) == (app, script_name)
    assert re.sub("//+", "/", our_path_info) == re.sub("//+", "/", path_info)
    assert path.endswith(our_path_info)
    assert len(ours) == len(paste)


@settings(max_examples=300, deadline=None)
@given(KEYS, st.tuples(DOMAIN, MOUNT))
def test_it_is_the_same_mapping(keys: list[tuple[str | None, str]], gone: tuple[str | None, str]) -> None:
    paste, ours = PasteURLMap(), URLMap(paste_rules=True)
    for key in keys:
        paste[key] = ours[key] = leaf(str(key), [])
    paste[gone] = ours[gone] = None
    assert set(ours) == set(paste.keys())
    assert {key: ours[key] for key in ours} == {key: paste[key] for key in paste}
    assert (gone in ours) is False


EXPRESSIONS = st.lists(st.sampled_from(["domain", "port", "h.x", "8080", "/a", "/b"]), min_size=1, max_size=6).map(
    " ".join
)


@settings(max_examples=400, deadline=None)
@given(EXPRESSIONS)
def test_path_expressions_mean_the_same_or_are_refused(text: str) -> None:
    words = text.split()
    assume("domain" in words or "port" in words)
    try:
        theirs = PasteURLMap().normalize_url(parse_path_expression(text))
    except (ValueError, AssertionError):
        with pytest.raises(ValueError, match="."):
            normalise_key(text, merge_slashes=True)
        return
    try:
        ours = normalise_key(text, merge_slashes=True)
    except ValueError:
        # Paste takes any word for a domain or a port: "domain /a", "port h.x".
        assert any(
            word == "domain" and not after.startswith("h.") or word == "port" and not after.isdigit()
            for word, after in zip(words, words[1:], strict=False)
        )
        return
    # A path right behind "domain D" is joined with two slashes by Paste, which its map then merges.
    assert (ours.host, ours.path) == (theirs[0] or "", theirs[1])


def test_its_own_deviations_hold() -> None:
    seen: list[tuple[str, str, str]] = []
    ours = URLMap(
        {"http://h.x/": leaf("host", seen), "http://H.x:81/": leaf("port", seen), "/a": leaf("any", seen)},
        paste_rules=True,
        not_found_app=leaf("nowhere", seen),
    )
    call(ours, "/x", HTTP_HOST="h.x:81")
    call(ours, "/x", HTTP_HOST="H.X.")
    call(ours, "//a//b//c", HTTP_HOST="other")
    assert seen == [("port", "", "/x"), ("host", "", "/x"), ("any", "/a", "//b//c")]


@pytest.mark.parametrize("raw", ["/%2e%2e/x", "//h%2fa/x", "///h%2fa", "/a/..%2fb"])
def test_slashes_before_an_encoded_one_do_not_hide_it(raw: str) -> None:
    """With merged slashes, where a segment stands in the raw target says nothing."""
    seen: list[tuple[str, str, str]] = []
    ours = URLMap({"/h/a": leaf("inner", seen), "/": leaf("outer", seen)}, paste_rules=True)
    call(ours, raw.replace("%2f", "/").replace("%2e", "."), HTTP_HOST="h.x", REQUEST_URI=raw)
    assert seen == []
