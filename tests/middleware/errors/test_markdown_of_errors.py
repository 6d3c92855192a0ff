"""A record as Markdown, read back by a parser of CommonMark: what stands in it, and that it can do nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest
from error_samples import MARKUP, SAMPLES, chain, poisoned, rich, simple
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from wheatpaste.middleware.errors.render.markdown import as_markdown, fenced, span

# What code is made of, and what we write around it.
OURS = {
    *("heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "fence"),
    *("bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"),
}
OURS_IN_LINES = {"text", "code_inline", "strong_open", "strong_close", "softbreak"}
NASTY = [
    MARKUP,
    "``` \n# a heading\n<script>alert(1)</script>\n```",
    "`" * 50,
    "a ` b `` c ``` d",
    "`",
    " ` ",
    "~~~\n# heading\n~~~",
    "![x](http://evil.example/x.png) [y](javascript:alert(1)) <http://evil.example>",
    "@everybody #1 GH-1 org/repo#2",
    "- [ ] task\n> quote\n\n| a | b |\n|---|---|\n",
    "\\",
    "\\`",
    "&lt;script&gt; &#x60;",
    "$x$ ```mermaid\ngraph TD\n``` <!-- -->",
    "\r\n\r\n# heading",
    "\x1b[2J\u202e\u2028# heading\ud800",
    "",
    " ",
]


def parsed(text: str) -> tuple[list[Token], list[Token]]:
    """Blocks, and what stands in their lines."""
    blocks = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    return blocks, [child for block in blocks for child in block.children or ()]


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
def test_row_45_c7_what_strangers_wrote_is_code_and_nothing_else(nasty: str) -> None:
    harmless, inside = parsed(as_markdown(poisoned(rich(), "x")))
    blocks, children = parsed(as_markdown(poisoned(rich(), nasty)))
    assert {block.type for block in blocks} <= OURS
    assert {child.type for child in children} <= OURS_IN_LINES
    if nasty.strip():  # what is empty is left out
        # Apart from code the document is the same, whatever the texts say.
        assert _words(children) == _words(inside)
        headings = [sum(block.type == "heading_open" for block in each) for each in (blocks, harmless)]
        assert headings[0] == headings[1]


def _words(children: list[Token]) -> list[str]:
    said = [child.content for child in children if child.type == "text" and child.content.strip()]
    # A note of several lines is a block, and counts differ by that.
    return [word for word in said if word != "Note: "]


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
def test_c7_a_fence_is_longer_than_any_within(nasty: str) -> None:
    (block,) = MarkdownIt().parse(fenced(nasty, "text"))
    assert block.type == "fence"
    assert block.info == "text"


@given(st.text(st.sampled_from("`~ a\\<&\n#"), max_size=30))
def test_any_text_is_one_span_and_one_fence(text: str) -> None:
    blocks = MarkdownIt().parse(f"before {span(text)} after")
    kinds = [(child.type, child.content) for child in blocks[1].children or ()]
    assert [kind for kind, _ in kinds] == ["text", "code_inline", "text"]
    shown = text.replace("\n", "\\n")
    assert kinds[1][1] == (shown if shown.strip(" ") else kinds[1][1])
    (block,) = MarkdownIt().parse(fenced(text))
    assert block.content.rstrip("\n") == text.rstrip("\n")


def test_row_34_it_names_what_where_and_how_to_repeat_it() -> None:
    text = as_markdown(simple())
    for known in (
        "# `PriceMissing: no price in SEK for 'BREAD-7'`",
        "`K7QX-M3PZ`",
        "`E-7K3QX`",
        "**`shop/prices.py:18` in `price_of`**",
        '>    18         raise PriceMissing(f"no price in {currency} for {sku!r}") from error',
        "currency = 'SEK'",
        "… `3 frames in tinyweb`",
        "curl --include --compressed --url 'http://localhost:8080/shop/checkout?step=3&token=REDACTED'",
        "- `Python`: `CPython 3.13.1`",
    ):
        assert known in text


def test_row_34_paths_of_the_machine_stay_on_it() -> None:
    """An issue tracker is public: files are named as people name them."""
    for make in (simple, chain):
        assert "/srv/shop/shop/" not in as_markdown(make())


def test_row_04_the_chain_has_headings() -> None:
    headings = re.findall(r"^## .*$", as_markdown(chain()), re.MULTILINE)
    assert headings == [
        "## Traceback",
        "## Caused by `KeyError: 'SEK'`",
        "## While handling (hidden by from) `ConnectionResetError: [Errno 104] Connection reset by peer`",
        "## Request",
        "## Versions",
    ]


@pytest.mark.parametrize("name", SAMPLES)
def test_row_50_it_is_short_enough_to_be_read(name: str) -> None:
    assert len(as_markdown(SAMPLES[name]())) < 60_000


def test_caption_and_code_agree_on_columns() -> None:
    text = as_markdown(simple())
    lines = text.splitlines()
    place = next(index for index, line in enumerate(lines) if line.startswith(">    12 "))
    marks: Any = lines[place + 1]
    assert lines[place][marks.index("^") : len(marks)] == "Checkout(basket, currency=request.currency).total(voucher)"
