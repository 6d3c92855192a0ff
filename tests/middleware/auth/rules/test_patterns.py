"""The keys of rules: what they take, what they cover, and what is wrong with others."""

from __future__ import annotations

import time

import pytest

from wheatpaste.middleware.auth.patterns import Pattern, read_pattern
from wheatpaste.middleware.auth.permissions import Everyone
from wheatpaste.middleware.auth.rule_table import Rule, RuleTable


def takes(key: str, path: str, method: str = "GET", host: str = "example.com") -> bool:
    rule = Rule(key, read_pattern(key), Everyone(), 0)
    return RuleTable([rule]).find(path, method, host) is rule


@pytest.mark.parametrize(
    ("key", "path", "taken"),
    [
        ("/*", "/", True),
        ("/*", "", True),
        ("/*", "/a/b", True),
        ("/", "/", True),
        ("/", "", True),
        ("/", "/a", False),
        ("/admin", "/admin", True),
        ("/admin", "/admin/", True),
        ("/admin/", "/admin", True),
        ("/admin", "/admin/x", False),
        ("/admin", "/adminx", False),
        ("/admin/*", "/admin", True),
        ("/admin/*", "/admin/", True),
        ("/admin/*", "/admin/x/y", True),
        ("/admin/*", "/adminx", False),
        ("/admin/*", "/administrator/x", False),
        ("/admin/*", "/Admin", False),
        ("/a/b/*", "/a", False),
        ("/files/*.pdf", "/files/x.pdf", True),
        ("/files/*.pdf", "/files/x.pdf/y", False),
        ("/files/*.pdf", "/files/a/x.pdf", False),
        ("/files/*.pdf", "/files/xpdf", False),
        ("/a*b*c", "/abc", True),
        ("/a*b*c", "/axxbxxbc", True),
        ("/a*b*c", "/axxcxxb", False),
        ("/a*b*c", "/ab/c", False),
        ("/*.*.gz", "/x.tar.gz", True),
        ("/*.*.gz", "/x.gz", False),
        ("/users/*/edit", "/users/7/edit", True),
        ("/users/*/edit", "/users/7/edit/", True),
        ("/users/*/edit", "/users//edit", True),
        ("/users/*/edit", "/users/7/8/edit", False),
        ("/users/*/files/*", "/users/7/files", True),
        ("/users/*/files/*", "/users/7/files/a/b", True),
        ("/users/*/files/*", "/users/7/filesystem", False),
        ("/a.b", "/axb", False),
        ("/m\u00fcll/*", "/m\u00fcll/x", True),
        ("/with blank/*", "/with blank/x", True),
    ],
)
def test_a_pattern_takes_paths(key: str, path: str, taken: bool) -> None:
    assert takes(key, path) is taken


@pytest.mark.parametrize(
    ("key", "method", "taken"),
    [
        ("POST /x", "POST", True),
        ("POST /x", "GET", False),
        ("GET /x", "HEAD", True),
        ("HEAD /x", "GET", False),
        ("GET|POST /x", "POST", True),
        ("GET|POST /x", "HEAD", True),
        ("GET|POST /x", "DELETE", False),
        ("VERSION-CONTROL   /x", "VERSION-CONTROL", True),
        ("/x", "ANYTHING", True),
    ],
)
def test_a_pattern_takes_methods_and_head_with_get(key: str, method: str, taken: bool) -> None:
    assert takes(key, "/x", method) is taken


@pytest.mark.parametrize(
    ("key", "host", "taken"),
    [
        ("//admin.example.com/*", "admin.example.com", True),
        ("//admin.example.com/*", "example.com", False),
        ("//admin.example.com/*", "xadmin.example.com", False),
        ("//Admin.Example.COM./*", "admin.example.com", True),
        ("//*.example.com/*", "a.example.com", True),
        ("//*.example.com/*", "a.b.example.com", True),
        ("//*.example.com/*", "example.com", False),
        ("//*.example.com/*", "badexample.com", False),
        ("POST //admin.example.com/x", "admin.example.com", False),
        ("//m\u00fcller.example/*", "xn--mller-kva.example", True),
    ],
)
def test_a_pattern_takes_hosts(key: str, host: str, taken: bool) -> None:
    assert takes(key, "/x", host=host) is taken


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("admin/*", "begins with a slash|must begin with a slash: write /admin/\\*"),
        ("*", "write /\\*"),
        ("POST", "must begin with a slash"),
        ("POST api/*", "must begin with a slash: write /api/\\*"),
        ("post /x", "in capitals: write POST"),
        ("get|head /x", "write GET|HEAD"),
        ("GET,HEAD /x", "neither a path nor methods"),
        ("GET POST /x", "must begin with a slash"),
        ("/admin*", "write /admin/\\*"),
        ("/a/b*", "write /a/b/\\*"),
        ("/**/x", "has '\\*\\*'"),
        ("/a/**", "has '\\*\\*'"),
        ("/a//b", "empty segment"),
        ("/a/../b", "'.' or '..' segment"),
        ("/a?x=1", "query"),
        ("/a#b", "fragment"),
        ("/a%20b", "decoded"),
        ("/a\\b", "backslash"),
        ("/a\x01", "control character"),
        ("//example.com", "write //example.com/\\*"),
        ("//example.com:8080/*", "names a port"),
        ("//exa mple/*", "host that cannot be"),
        ("///x", "host that cannot be"),
        ("//*.*.example.com/*", "host that cannot be"),
        ("POST ", "must begin with a slash"),
    ],
)
def test_a_key_that_is_no_pattern_is_refused_with_what_to_write(key: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_pattern(key)


@pytest.mark.parametrize(
    ("one", "other", "covers"),
    [
        ("/*", "/admin/*", True),
        ("/*", "POST //h.example/x", True),
        ("/admin/*", "/admin", True),
        ("/admin/*", "/admin/*", True),
        ("/admin/*", "/admin/*/x", True),
        ("/admin/*", "/adm*n/x", False),
        ("/admin", "/admin/*", False),
        ("/admin", "/admin", True),
        ("/admin/*", "/*", False),
        ("GET /*", "/x", False),
        ("GET|POST /*", "POST /x", True),
        ("GET /*", "HEAD /x", True),
        ("//h.example/*", "/x", False),
        ("//*.example/*", "//h.example/x", True),
        ("//*.h.example/*", "//*.example/x", False),
        ("/*.pdf", "/*.pdf", True),
        ("/*.pdf", "/x.pdf", False),
    ],
)
def test_a_pattern_covers_another_where_it_takes_all_of_its_requests(one: str, other: str, covers: bool) -> None:
    assert read_pattern(one).covers(read_pattern(other)) is covers


def test_a_long_path_does_not_keep_a_pattern_busy() -> None:
    began = time.process_time()
    assert not takes("/*-*-*-*-*-*-*.html", "/" + "-" * 50_000 + ".htm")
    assert time.process_time() - began < 1


def test_of_many_rules_the_first_is_found() -> None:
    keys = [
        "GET /a/b/*",
        "/a/*/c",
        "/a/b/c",
        "//h.example/a/*",
        "/a/*",
        "/*",
    ]
    table = RuleTable(Rule(key, read_pattern(key), Everyone(), index) for index, key in enumerate(keys))

    def found(path: str, method: str = "POST", host: str = "") -> str:
        rule = table.find(path, method, host)
        return "" if rule is None else rule.key

    assert found("/a/b/c", "GET") == "GET /a/b/*"
    assert found("/a/b/c") == "/a/*/c"
    assert found("/a/b/d") == "/a/*"
    assert found("/a/b/d", host="h.example") == "//h.example/a/*"
    assert found("/a") == "/a/*"
    assert found("/b") == found("/") == "/*"
    assert isinstance(read_pattern("/x"), Pattern)


def test_a_table_finds_what_a_walk_through_the_list_finds() -> None:
    keys = [
        f"{method}{path}"
        for path in ("/a/b", "/a/*", "/a/*/c", "/b/*.x", "/a/b/*", "/*/b/*", "/b", "/c/*")
        for method in ("POST ", "GET ", "")
    ]
    for shift in range(len(keys)):
        turned = keys[shift:] + keys[:shift]
        rules = [Rule(key, read_pattern(key), Everyone(), index) for index, key in enumerate(turned)]
        table = RuleTable(rules)
        for path in ("/", "/a", "/a/b", "/a/b/c", "/a/x/c", "/b/q.x", "/b", "/c/d", "/z/b/q"):
            for method in ("GET", "HEAD", "POST", "PUT"):
                alone = next((each for each in rules if RuleTable([each]).find(path, method, "") is not None), None)
                assert table.find(path, method, "") is alone
