"""The picture of a site: everything is on it, nothing lies on anything else, and nobody's text becomes markup."""

import itertools
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wheatpaste.config.composition import Composition
from wheatpaste.config.outline import outline
from wheatpaste.scripts.lettering import shorten, width_of
from wheatpaste.scripts.picture import Drawing, draw, page
from wheatpaste.scripts.shapes import Box, Layout
from wheatpaste.scripts.show import address_of

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

WriteIni = Callable[..., Path]
SVG = "{http://www.w3.org/2000/svg}"


def many(count: int) -> str:
    """A site with so many mounts on four hosts: pipelines, nested composites, a cascade, a long path."""
    hosts = ("", "domain shop.example.com ", "domain *.tenants.example.com ", "domain intranet.localhost ")
    nested = count // 2
    lines = ["[server:main]", "use = egg:wheatpaste#main", "port = 6543", "[composite:main]"]
    lines += ["use = egg:wheatpaste#urlmap", "filter-with = outer", "not_found_app = lost"]
    for number in range(count):
        path = f"/service-{number}" + ("/and-a-very-long-segment" * 4 if number % 50 == 3 else "")
        target = {0: "six", nested: "inner", 3: "nowhere"}.get(number, "two" if number % 7 == 1 else "leaf")
        lines.append(f"{hosts[number % 4]}{path} = {target}")
    lines += ["[composite:inner]", "use = egg:wheatpaste#urlmap", "filter-with = outer", "/ = turns", "/api = other"]
    lines += ["[composite:turns]", "use = egg:wheatpaste#cascade", "app1 = six", "app2 = leaf"]
    lines += ["[composite:other]", "use = call:an.api:mapping", "/v2 = one two3 three four five six6 leaf", "/v3: leaf"]
    lines += ["[pipeline:six]", "pipeline = one two3 three four five six6 leaf", "[pipeline:two]"]
    lines += ["pipeline = one two3 leaf", "[app:leaf]", "use = call:a.module:make", "[app:lost]"]
    lines += ["use = egg:wheatpaste#echo"]
    for name in ("one", "two3", "three", "four", "five", "six6", "outer"):
        lines += [f"[filter:{name}]", "use = call:a.module:a_filter_with_a_long_name"]
    return "\n".join(lines)


HOSTILE = """
    [composite:main]
    use = egg:wheatpaste#urlmap
    /<script>alert(1)</script> = "quoted" & 'so'
    /]]><x/\u202egnp.exe = <b>bold</b>
    /日本語/שלום/😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀 = leaf
    /amp = &lt;b&gt;&amp;
    /bell = control\x07\x1b[31m

    [pipeline:<b>bold</b>]
    pipeline = </style><script> leaf

    [filter:</style><script>]
    use = call:a:<i>b

    [app:leaf]
    use = call:nowhere:make
    password = hunter2-hunter2
    api_token = 8f14e45fceea167a5a36dedd4bea2543

    [app:"quoted" & 'so']
    use = call:nowhere:make

    [app:&lt;b&gt;&amp;]
    use = call:nowhere:make
"""


@pytest.fixture
def drawn(write_ini: WriteIni) -> Callable[[str], Drawing]:
    def make(text: str) -> Drawing:
        composition = Composition.load(f"config:{write_ini(text)}", collect=True)
        listener = composition.also("server")
        return draw(outline(composition), address_of(listener), listener)

    return make


def overlapping(one: Box, other: Box) -> bool:
    return one.x < other.right and other.x < one.right and one.y < other.bottom and other.y < one.bottom


def within(one: Box, other: Box) -> bool:
    return one.x >= other.x and one.right <= other.right and one.y >= other.y and one.bottom <= other.bottom


def boxes(layout: Layout) -> list[Box]:
    return [label.box for label in layout.labels()]


SITES = {
    "one app": "[app:main]\nuse = egg:wheatpaste#echo",
    "one app, six filters": many(5)
    .replace("[composite:main]", "[composite:x]")
    .replace("pipeline:six", "pipeline:main"),
    "5 mounts": many(5),
    "200 mounts": many(200),
    "hostile": HOSTILE,
}


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_nothing_lies_on_anything_else(drawn: Callable[[str], Drawing], site: str) -> None:
    layout = drawn(site).layout
    paper = Box(0, 0, layout.width, layout.height)
    found = sorted(boxes(layout), key=lambda box: box.y)
    for number, one in enumerate(found):
        assert within(one, paper)
        for other in itertools.takewhile(lambda box, limit=one.bottom: box.y < limit, found[number + 1 :]):  # type: ignore[misc]
            assert not overlapping(one, other), (one, other)
    for one, other in itertools.combinations(layout.panels, 2):
        assert within(one, other) or within(other, one) or not overlapping(one, other)
    for panel in layout.panels:
        assert all(within(box, panel) for box in found if overlapping(box, panel))


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_text_fits_into_its_shape(drawn: Callable[[str], Drawing], site: str) -> None:
    for label in drawn(site).layout.labels():
        assert width_of(label.text + label.tail, label.size) <= label.box.width - 2 * label.pad + 0.01


def test_rows_are_aligned(drawn: Callable[[str], Drawing]) -> None:
    layout = drawn(many(200)).layout
    assert len({label.box.x for label in layout.labels() if label.kind.startswith("maker")}) == 1
    assert len({label.box.x for label in layout.labels() if label.kind == "place"}) == 1
    assert len({label.box.x for label in layout.labels() if label.kind.startswith("app")}) == 1
    assert layout.width < 1700


def test_the_same_site_gives_the_same_picture(drawn: Callable[[str], Drawing]) -> None:
    assert drawn(many(200)).standalone() == drawn(many(200)).standalone()


def test_every_mount_is_on_it_with_its_place(drawn: Callable[[str], Drawing]) -> None:
    drawing = drawn(many(200))
    texts = list(svg_texts(drawing.standalone()))
    for number in range(200):
        assert any(re.match(rf"/service-{number}(/|$)", text) for text in texts), number
    assert drawing.plan.mounts == 200 + 1 + 2 + 2 + 2
    lines = many(200).splitlines()
    assert (
        f"site.ini:{lines.index('domain shop.example.com /service-5 = leaf') + 1} → {lines.index('[app:leaf]') + 1}"
        in texts
    )
    assert {"shop.example.com", "*.tenants.example.com", "any host", "if nothing fits"} <= set(texts)
    assert "http://127.0.0.1:6543" in texts


def test_a_shortened_text_is_there_in_full(drawn: Callable[[str], Drawing]) -> None:
    path = "/service-3" + "/and-a-very-long-segment" * 4
    root = ElementTree.fromstring(drawn(many(5)).standalone())
    titles = {each.text for each in root.iter(f"{SVG}title")}
    assert any(title and title.endswith(path) for title in titles)
    assert not any(path in text for text in svg_texts(drawn(many(5)).standalone()))


def test_it_marks_what_is_not_sure_or_not_there(drawn: Callable[[str], Drawing]) -> None:
    kinds = [label.kind for label in drawn(many(200)).layout.labels()]
    assert kinds.count("app guess") == 2
    assert kinds.count("app missing") == 1
    assert kinds.count("mount fallback") == 1
    labels = drawn(many(200)).layout.labels()
    assert [label.text for label in labels if label.kind == "number"] == ["1", "2"]


def test_filters_stand_in_their_order(drawn: Callable[[str], Drawing]) -> None:
    drawing = drawn(many(5))
    row = next(row for row in drawing.layout.rows if any(label.text == "/service-0" for label in row.labels))
    beads = [label for label in row.labels if label.kind == "filter"]
    assert [bead.text for bead in beads] == ["one", "two3", "three", "four", "five", "six6"]
    assert [(bead.box.y, bead.box.x) for bead in beads] == sorted((bead.box.y, bead.box.x) for bead in beads)
    assert all(re.fullmatch(r":\d+", bead.tail) for bead in beads)


def test_a_cascade_keeps_its_order_and_paths_are_sorted(drawn: Callable[[str], Drawing]) -> None:
    drawing = drawn(
        """
        [composite:main]
        use = egg:wheatpaste#urlmap
        /b = leaf
        /a/b = leaf
        /a-z = leaf
        /a = leaf
        / = turns

        [composite:turns]
        use = egg:wheatpaste#cascade
        app1 = leaf
        app2 = other

        [app:leaf]
        use = egg:wheatpaste#echo

        [app:other]
        use = egg:wheatpaste#echo
        """
    )
    assert [each.label for each in drawing.plan.root.entries] == ["/", "/a", "/a/b", "/a-z", "/b"]
    cascade = next(iter(drawing.plan.root.entries))
    assert [(each.number, each.label) for each in cascade.entries] == [(1, "app1"), (2, "app2")]


def test_places_do_not_tell_where_the_machine_has_its_files(drawn: Callable[[str], Drawing], tmp_path: Path) -> None:
    assert str(tmp_path) not in page(drawn(many(5)), "site.ini")


def svg_texts(svg: str) -> Iterator[str]:
    for each in ElementTree.fromstring(svg).iter(f"{SVG}text"):
        yield each.text or ""


class Page(HTMLParser):
    """Collects the elements of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


class TestHostileText:
    def test_the_svg_is_well_formed_and_has_no_elements_but_ours(self, drawn: Callable[[str], Drawing]) -> None:
        root = ElementTree.fromstring(drawn(HOSTILE).standalone())
        ours = {"svg", "title", "desc", "style", "defs", "marker", "path", "rect", "g", "text", "tspan"}
        assert {each.tag.removeprefix(SVG) for each in root.iter()} == ours

    def test_the_page_has_no_elements_but_ours(self, drawn: Callable[[str], Drawing]) -> None:
        calm, hostile = (Page(page(drawn(site), "<script>x</script>")) for site in (many(5), HOSTILE))
        assert hostile.tags.count("script") == calm.tags.count("script") == 1
        assert set(hostile.tags) <= set(calm.tags)

    def test_it_is_shown_as_it_was_written(self, drawn: Callable[[str], Drawing]) -> None:
        texts = list(svg_texts(drawn(HOSTILE).standalone()))
        assert "/<script>alert(1)</script>" in texts
        assert "\"quoted\" & 'so'" in texts
        assert "</style><script>" in texts
        assert "&lt;b&gt;&amp;" in texts

    def test_what_is_not_seen_is_written_out(self, drawn: Callable[[str], Drawing]) -> None:
        texts = list(svg_texts(drawn(HOSTILE).standalone()))
        assert r"/]]><x/\u202egnp.exe" in texts
        assert r"control\x07\x1b[31m" in texts

    @pytest.mark.parametrize("form", ["svg", "html"])
    def test_no_option_is_shown(self, drawn: Callable[[str], Drawing], form: str) -> None:
        drawing = drawn(HOSTILE)
        text = drawing.standalone() if form == "svg" else page(drawing, "site.ini")
        assert "hunter2" not in text
        assert "8f14e45" not in text


class TestPage:
    def test_it_loads_nothing(self, drawn: Callable[[str], Drawing]) -> None:
        text = page(drawn(many(5)), "site.ini")
        assert Page(text).loaded == ["data:,"]
        assert "default-src 'none'" in text
        assert not re.search(r"@import|url\((?!#)", text)

    def test_it_says_everything_in_a_list_too(self, drawn: Callable[[str], Drawing]) -> None:
        drawing = drawn(many(200))
        text = page(drawing, "site.ini")
        listed = text[text.index('<ul class="site">') :]
        words = "".join(Page(listed).words)
        for entry in drawing.plan.root.walk():
            assert entry.label in words
            assert entry.places in words
            assert all(each.name in words for each in entry.filters)
        assert "(guessed)" in words
        assert "(missing)" in words

    def test_its_legend_names_only_what_is_there(self, drawn: Callable[[str], Drawing]) -> None:
        calm = page(drawn(SITES["one app"]), "x")
        assert "guessed from names" not in calm
        assert "guessed from names" in page(drawn(many(200)), "x")
        assert '<i class="missing">' in page(drawn(many(200)), "x")

    def test_its_title_says_what_it_is(self, drawn: Callable[[str], Drawing]) -> None:
        title = re.search("<title>(.*?)</title>", page(drawn(many(200)), "site.ini"))
        assert title is not None
        assert title[1] == "site.ini: 207 mounts, 3 host names, 1 missing, 2 guessed"


@pytest.mark.parametrize(
    ("text", "limit", "keep", "short"),
    [
        ("/short", 10, "both", "/short"),
        ("/a/long/path/to/see", 10, "both", "/a/lo…/see"),
        ("/etc/deep/site.ini:12", 12, "last", "…site.ini:12"),
        ("日本語日本語", 7, "both", "日…語"),
    ],
)
def test_a_text_is_shortened(text: str, limit: int, keep: str, short: str) -> None:
    assert shorten(text, limit, keep) == short


@pytest.mark.slow
class TestInBrowser:
    @pytest.fixture
    def opened(self, browser: "Chrome", drawn: Callable[[str], Drawing], tmp_path: Path) -> Callable[[str], "Chrome"]:
        def open_page(site: str) -> "Chrome":
            file = tmp_path / "site.html"
            file.write_text(page(drawn(site), "site.ini"), encoding="utf-8")
            browser.get(file.as_uri())
            return browser

        return open_page

    @pytest.mark.parametrize("site", [many(200), HOSTILE], ids=["200 mounts", "hostile"])
    def test_letters_are_not_wider_than_reckoned(self, opened: Callable[[str], "Chrome"], site: str) -> None:
        wide = opened(site).execute_script(
            """return [...document.querySelectorAll('.picture g:has(> rect) > text')].filter((text) => {
                const inner = text.getBoundingClientRect(), outer = text.previousElementSibling.getBoundingClientRect();
                return inner.right > outer.right + 1 || inner.left < outer.left - 1;
            }).map((text) => text.textContent)"""
        )
        assert wide == []

    def test_the_search_finds_a_mount_and_what_it_is_in(self, opened: Callable[[str], "Chrome"]) -> None:
        page = opened(many(200))
        page.find_element("css selector", ".find input").send_keys("app2 leaf")
        shown = page.execute_script(
            "return [...document.querySelectorAll('.site li')].filter((li) => li.offsetHeight).length"
        )
        assert shown == 4  # the app, its cascade, the composite around that, and the root
        assert page.find_element("css selector", ".find output").text == "1 of 208"
        assert page.get_log("browser") == []

    def test_a_narrow_window_scrolls_the_picture_and_not_the_page(self, opened: Callable[[str], "Chrome"]) -> None:
        page = opened(many(200))
        page.set_window_size(500, 800)
        try:
            wide, window = json.loads(
                page.execute_script("return JSON.stringify([document.body.scrollWidth, document.body.clientWidth])")
            )
        finally:
            page.set_window_size(1200, 800)
        assert wide <= window
