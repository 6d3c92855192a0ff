"""The table, compared with a reference that tries every mount, and its reasons."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.middleware.mount_keys import Place, normalise_key
from wheatpaste.middleware.mount_table import Entry, MountTable
from wheatpaste.protocol.hosts import HostPort, parse_host

SEGMENT = st.sampled_from(["a", "b", "ab", "A", "a;x", ""])
REQUEST_PATH = st.lists(SEGMENT, max_size=6).map(lambda segments: "".join(f"/{each}" for each in segments))
MOUNT_PATH = st.lists(SEGMENT.filter(bool), max_size=4).map(lambda segments: "".join(f"/{each}" for each in segments))
HOST = st.sampled_from(["", "h.x", "h.x:81", "a.h.x", "*.x", "*.h.x", "*.h.x:81", "[::1]"])
ASKED = st.sampled_from([None, "h.x", "h.x:81", "a.h.x", "a.h.x:81", "b.a.h.x", "x", "[::1]:81", "other.y"])
PLACES = st.lists(st.builds(Place, HOST, MOUNT_PATH), unique=True, max_size=12)
EXCLUSIVE = st.sets(HOST.filter(bool), max_size=2)


def entry(place: Place | str) -> Entry:
    found = normalise_key(place) if isinstance(place, str) else place
    return Entry.of(found, str(found))


def fits_host(pattern: str, host: HostPort | None) -> bool:
    if not pattern:
        return True
    if host is None:
        return False
    wanted = parse_host(pattern.removeprefix("*."))
    if wanted.port is not None and wanted.port != host.port_for("http"):
        return False
    return host.host.endswith(f".{wanted.host}") if pattern[0] == "*" else host.host == wanted.host


def rank(pattern: str) -> tuple[int, int, bool]:
    """The order of the rules: host and port, host, longest wildcard, any host."""
    kind = 3 if not pattern else 2 if pattern[0] == "*" else 0 if ":" in pattern.rpartition("]")[2] else 1
    return kind, -pattern.count("."), ":" not in pattern


def reference(places: list[Place], exclusive: set[str], path: str, host: HostPort | None) -> Place | None:
    """Every mount is tried, in the order of the rules."""
    for pattern in sorted({place.host for place in places if fits_host(place.host, host)}, key=rank):
        fitting = [
            place
            for place in places
            if place.host == pattern and (path == place.path or path.startswith(place.path + "/"))
        ]
        if fitting:
            return max(fitting, key=lambda place: len(place.path))
        if pattern in exclusive:
            return None
    return None


@settings(max_examples=500, deadline=None)
@given(PLACES, EXCLUSIVE, REQUEST_PATH, ASKED)
def test_it_finds_what_trying_every_mount_finds(
    places: list[Place], exclusive: set[str], path: str, asked: str | None
) -> None:
    host = parse_host(asked) if asked else None
    table = MountTable.build(map(entry, places), exclusive=exclusive)
    match = table.match(path, host)
    assert (match.entry.place if match else None) == reference(places, exclusive, path, host)
    if match:
        assert match.script_name + match.rest == path


@settings(max_examples=200, deadline=None)
@given(PLACES, st.data())
def test_changed_one_by_one_it_is_the_table_built_at_once(places: list[Place], data: st.DataObject) -> None:
    table = MountTable.build([])
    for place in places:
        table = table.with_entry(entry(place))
    gone = data.draw(st.sets(st.sampled_from(places))) if places else set()
    for place in gone:
        table = table.without(place)
    left = [place for place in places if place not in gone]
    at_once = MountTable.build(map(entry, left))
    assert list(table) == list(at_once)
    assert len(table) == len(left)
    assert {place: table.at(place) is not None for place in places} == {place: place in left for place in places}
    for path in ("", "/a", "/a/b/ab/A/a"):
        for host in (None, parse_host("a.h.x:81")):
            assert table.find(path, host) == at_once.find(path, host)


@settings(max_examples=300, deadline=None)
@given(PLACES, REQUEST_PATH)
def test_with_merged_slashes_the_rest_stays_as_it_was_sent(places: list[Place], path: str) -> None:
    table = MountTable.build(map(entry, places), merge_slashes=True)
    match = table.match(path)
    if match:
        raw = path[: len(path) - len(match.rest)]
        assert path.endswith(match.rest)
        assert [each for each in raw.split("/") if each] == [each for each in match.script_name.split("/") if each]
        assert match.rest == "" or match.rest[0] == "/"


@settings(max_examples=200, deadline=None)
@given(PLACES, EXCLUSIVE, REQUEST_PATH, ASKED)
def test_candidates_are_all_mounts_with_the_one_that_matches_chosen(
    places: list[Place], exclusive: set[str], path: str, asked: str | None
) -> None:
    host = parse_host(asked) if asked else None
    table = MountTable.build(map(entry, places), exclusive=exclusive)
    candidates = table.candidates(path, host)
    match = table.match(path, host)
    assert [candidate.entry for candidate in candidates] == list(table)
    assert [candidate.entry for candidate in candidates if candidate.chosen] == ([match.entry] if match else [])
    assert all(candidate.reason for candidate in candidates)


REASONS = {
    "/wiki/deep": "fits, but a longer path comes first",
    "/wiki/deep/er": "takes it",
    "/": "fits, but a longer path comes first",
    "/wiki/deep/e": "fits only in the middle of a segment",
    "/WIKI": "differs in upper and lower case",
    "/other": "is another path",
    "http://h.example/wiki": "is for another host",
}


def test_it_says_why_each_mount_took_the_path_or_not() -> None:
    table = MountTable.build(map(entry, REASONS))
    found = {candidate.entry.app: candidate.reason for candidate in table.candidates("/wiki/deep/er/x")}
    assert found == {str(normalise_key(key)): reason for key, reason in REASONS.items()}


def test_reasons_name_the_host_that_comes_first() -> None:
    table = MountTable.build(map(entry, ["/wiki/deep", "http://h.example/wiki", "http://*.example/wiki"]))
    found = {
        candidate.entry.app: candidate.reason for candidate in table.candidates("/wiki/deep", parse_host("h.example"))
    }
    assert found["/wiki/deep"] == "fits, but the mounts of h.example come first"
    assert found["*.example/wiki"] == "fits, but the mounts of h.example come first"


def test_an_exclusive_host_is_named_as_the_reason() -> None:
    table = MountTable.build(map(entry, ["/", "http://h.example/wiki"]), exclusive=["h.example"])
    found = {candidate.entry.app: candidate.reason for candidate in table.candidates("/x", parse_host("h.example"))}
    assert found["/"] == "is not asked: h.example keeps its requests to itself"


def test_repeated_slashes_are_named_as_the_difference() -> None:
    table = MountTable.build([entry("/wiki")])
    assert table.candidates("//wiki")[0].reason == "differs in repeated slashes"


@pytest.mark.parametrize(("path", "closest"), [("/wikis", "/wiki"), ("/shop/Cart", "/shop/cart"), ("/zzz", "/")])
def test_the_closest_mount_shares_the_longest_beginning(path: str, closest: str) -> None:
    found = MountTable.build(map(entry, ["/", "/wiki", "/shop", "/shop/cart"])).closest(path)
    assert found is not None
    assert found.app == closest


def test_what_is_no_path_is_not_matched() -> None:
    with pytest.raises(ValueError, match="slash"):
        MountTable.build([entry("/")]).match("wiki")


def test_a_table_never_changes() -> None:
    table = MountTable.build([entry("/a")])
    grown = table.with_entry(entry("/b"))
    shrunk = grown.without(Place("", "/a"))
    assert [len(each) for each in (table, grown, shrunk)] == [1, 2, 1]
    with pytest.raises(KeyError):
        table.without(Place("", "/b"))
    with pytest.raises(KeyError):
        grown.without(Place("", ""))


def test_a_long_path_is_cut_no_further_than_the_mounts_are_deep() -> None:
    """Counts the pieces instead of the time that they take."""

    class Path(str):
        pieces = 0

        def split(self, *how: Any) -> list[str]:  # type: ignore[override]
            found = str.split(self, *how)
            self.pieces = len(found)
            return found

    for count in (10, 10_000):
        table = MountTable.build(entry(f"/m{number}/x") for number in range(count))
        path = Path(f"/m{count - 1}/x" + "/y" * 10_000)
        found = table.find(path)
        assert found is not None
        assert found.prefix == f"/m{count - 1}/x"
        assert path.pieces == 4
