"""The listing of a folder: what stands in it, what does not, and that names are only names."""

from __future__ import annotations

import os
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from wheatpaste.apps.static import Static
from wheatpaste.testing import Client, Response

Make = Callable[..., Client]
JSON = {"Accept": "application/json"}
HOSTILE = [
    "<img src=x onerror=alert(1)>.txt",
    "javascript:alert(1)",
    'a"b',
    "a'b",
    "%41",
    "a&amp;b",
    "a?b#c",
    "https:evil.example",
    "back\\slash is refused",
    "{{ 7*7 }}",
    "über uns",
    " leading",
]


class Links(HTMLParser):
    """Collects the links of a page's table, and the names of all its elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: dict[str, str] = {}
        self.elements: set[str] = set()
        self._href: str | None = None
        self._text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        if tag == "a":
            self._href, self._text = dict(attrs)["href"], ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._href is not None:
            self.links[self._text] = self._href
            self._href = None


@pytest.fixture(params=["live", "scan"])
def listed(request: pytest.FixtureRequest, client: Make, site: Path) -> Client:
    return client(Static(root=(site,), listing=True, mode=request.param), script_name="/files")


def names(response: Response) -> list[str]:
    return [entry["name"] for entry in response.json()["entries"]]


def test_folders_come_first_and_only_what_may_be_served(listed: Client) -> None:
    found = names(listed.get("/", headers=JSON))
    folders = ["bare", "indir", "page", "x.html"]
    assert found[: len(folders)] == folders
    assert found[len(folders) :] == sorted(found[len(folders) :], key=str.casefold)
    assert {".env", ".git", "views.py", "__pycache__", "pipe.txt", "sock.txt"}.isdisjoint(found)
    assert {"out.txt", "outdir", "up", "loop", "dangling.txt"}.isdisjoint(found)


def test_an_entry_tells_size_and_time_of_what_a_link_means_and_not_where_it_leads(listed: Client, site: Path) -> None:
    os.utime(site / "a.txt", (1_000_000_000, 1_000_000_000))
    response = listed.get("/", headers=JSON)
    entries = {entry["name"]: entry for entry in response.json()["entries"]}
    assert entries["in.txt"] == {"name": "in.txt", "type": "file", "size": 11, "modified": "2001-09-09T01:46:40Z"}
    assert entries["indir"]["type"] == "folder"
    assert "size" not in entries["indir"]
    assert str(site) not in response.text


def test_an_index_is_shown_instead(listed: Client) -> None:
    assert listed.get("/page/").body == b"<p>page"


@pytest.mark.parametrize("path", ["/../", "/.git/", "/__pycache__", "/outdir/", "/%2e%2e/", "/missing/", "/up/"])
def test_a_folder_that_is_not_served_is_not_listed(listed: Client, path: str) -> None:
    assert listed.get(path).status == 404


def test_it_is_off_unless_wanted(client: Make, site: Path) -> None:
    app = client(Static(root=(site,)))
    assert [app.get(path).status for path in ("/", "/bare/", "/bare")] == [404, 404, 404]


def test_a_folder_without_its_slash_redirects(listed: Client) -> None:
    assert listed.get("/bare").headers["Location"] == "./bare/"
    assert listed.get("").headers["Location"] == "./files/"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_only_a_name(client: Make, site: Path, name: str) -> None:
    (site / "bare" / name).write_bytes(b"here it is")
    app = client(Static(root=(site,), listing=True), script_name="/files")
    page = Links(app.get("/bare/").text)
    assert "img" not in page.elements
    assert "script" not in page.elements
    if "\\" in name:
        assert name not in page.links
        return
    target = urlsplit(urljoin("http://localhost/files/bare/", page.links[name]))
    assert (target.netloc, target.query, target.fragment) == ("localhost", "", "")
    assert app.get(target.path.removeprefix("/files")).body == b"here it is"
    assert name in names(app.get("/bare/", headers=JSON))


def test_a_name_that_is_not_utf_8_is_left_out(client: Make, site: Path) -> None:
    try:
        with open(os.fsencode(site) + b"/bare/\xff\xfe.txt", "wb"):
            pass
    except OSError:
        pytest.skip("no such name can exist here: this file system has only UTF-8 names")
    app = client(Static(root=(site,), listing=True))
    assert names(app.get("/bare/", headers=JSON)) == ["file.txt"]
    assert Links(app.get("/bare/").text).links.keys() >= {"file.txt"}
    assert client(Static(root=(site,), mode="scan")).get("/bare/file.txt").status == 200


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["z", "a", "b", "c"]),
        ("sort=name&order=desc", ["z", "c", "b", "a"]),
        ("sort=size", ["z", "b", "a", "c"]),
        ("sort=size&order=desc", ["z", "c", "a", "b"]),
        ("sort=time", ["z", "c", "a", "b"]),
        ("sort=nothing&order=%00", ["z", "a", "b", "c"]),
        ("sort=size&" + "x=1&" * 2000, ["z", "b", "a", "c"]),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else None,
)
def test_the_order_that_is_asked_for(client: Make, tmp_path: Path, query: str, expected: list[str]) -> None:
    (tmp_path / "z").mkdir()
    for name, size, modified in (("a", 20, 2000), ("b", 10, 3000), ("c", 30, 1000)):
        (tmp_path / name).write_bytes(b"x" * size)
        os.utime(tmp_path / name, (modified, modified))
    app = client(Static(root=(tmp_path,), listing=True))
    assert names(app.get(f"/?{query}", headers=JSON)) == expected


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(listed: Client) -> None:
    response = listed.get("/bare/", headers={"Accept": "text/html"})
    policy = response.headers["Content-Security-Policy"] or ""
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert response.headers["Vary"] == "Accept"
    assert Links(response.text).elements.isdisjoint({"script", "link", "img", "iframe"})


def test_the_path_to_a_folder_is_links(listed: Client, site: Path) -> None:
    (site / "bare" / "deep").mkdir()
    (site / "bare" / "deep" / "x").touch()
    app = listed.app
    if isinstance(app, Static) and app.mode == "scan":
        listed.app = Static(root=app.root, listing=True, mode="scan")
    links = Links(listed.get("/bare/deep/").text).links
    assert (links["files"], links["bare"], links["Parent folder"]) == ("../../", "../", "../")


def test_an_empty_folder_says_so(client: Make, tmp_path: Path) -> None:
    assert "This folder is empty." in client(Static(root=(tmp_path,), listing=True)).get("/").text
