"""The page for developers: what it shows, and where; that nothing breaks out of it or makes it too large."""

from __future__ import annotations

import dataclasses
import re
import sys
import time
from collections.abc import Iterator

import pytest
from bs4 import BeautifulSoup, Tag
from error_samples import MARKUP, SAMPLES, TERMINAL, poisoned, rich
from error_samples import chain as chain_sample
from error_samples import group as group_sample
from error_samples import record as record_of
from error_samples import recursion as recursion_sample
from error_samples import simple as simple_sample

from wheatpaste.middleware.errors.collect.capture import collect
from wheatpaste.middleware.errors.record import ErrorRecord, Fold, Frame, Gap, Line, Raised, Request, Shown, Span
from wheatpaste.middleware.errors.render.editor import editor_of
from wheatpaste.middleware.errors.render.links import Links
from wheatpaste.middleware.errors.render.page import debug_page, new_nonce, page_headers

ALL_LINKS = Links(errors="/shop/.errors", editor=editor_of("vscode"))


def page_of(record: ErrorRecord, links: Links = Links()) -> BeautifulSoup:  # noqa: B008 - it cannot be changed
    return BeautifulSoup(debug_page(record, nonce="nonce", links=links), "html.parser")


def texts(within: BeautifulSoup | Tag, selector: str) -> list[str]:
    return [" ".join(each.get_text().split()) for each in within.select(selector)]


def frames_of(page: BeautifulSoup, exception: int = 0) -> list[Tag]:
    return page.select(f'[data-frame^="{exception}."]')


def raised(**more: object) -> Raised:
    return Raised(**({"type": "ValueError", "message": "boom"} | more))  # type: ignore[arg-type]


# --- what stands at the top -------------------------------------------------------------------------------------------


def test_it_begins_with_what_failed_where_and_when():
    page = page_of(simple_sample())
    assert page.title.string == "PriceMissing: no price in SEK for 'BREAD-7'"
    assert page.h1.get_text() == "no price in SEK for 'BREAD-7'"
    assert page.select_one(".kind").get_text() == "shop.prices.PriceMissing"
    assert texts(page, ".facts li") == [
        "2026-11-26 02:43:20 UTC, after 48 ms",
        "Error K7QX-M3PZ",
        "Group E-7K3QX",
    ]
    assert "POST" in page.select_one(".request").get_text()


def test_an_exception_without_a_message_is_named_in_the_heading():
    assert page_of(SAMPLES["bare"]()).h1.get_text() == "Exception"


def test_a_record_without_a_request_has_no_panel_for_it():
    page = page_of(SAMPLES["bare"]())
    assert page.select_one("#request") is None
    assert page.select_one("#way") is None
    assert page.select_one("#configuration") is None


def test_a_long_message_is_folded_and_there_in_whole():
    record = SAMPLES["long_message"]()
    page = page_of(record)
    assert page.h1.get_text() == "the import failed: …"
    whole = page.select_one(".title .whole")
    assert "open" not in whole.attrs
    assert "90 lines" in whole.summary.get_text()
    assert whole.pre.get_text() == record.raised.message


def test_a_message_of_one_long_line_is_folded():
    message = "x" * 1000
    page = page_of(record_of(raised(message=message)))
    assert len(page.h1.get_text()) < 250
    assert page.select_one(".whole pre").get_text() == message


@pytest.mark.parametrize(
    ("phase", "sent", "said"),
    [
        ("body", True, "after part of the reply was sent"),
        ("close", False, "when the reply was closed"),
        ("reported", False, "handled by the app"),
        ("slow", False, "still running"),
    ],
)
def test_it_says_what_was_unusual_about_the_moment(phase: str, sent: bool, said: str):
    page = page_of(dataclasses.replace(simple_sample(), phase=phase, sent=sent))
    assert said in page.select_one(".facts .warning").get_text()


# --- exceptions -------------------------------------------------------------------------------------------------------


def test_row_04_a_chain_is_shown_with_the_root_cause_under_its_own_heading():
    page = page_of(chain_sample())
    root = page.select_one("section.root")
    assert texts(root, ".eyebrow") == ["Root cause"]
    assert root.h2.get_text(" ").split() == ["KeyError", "'SEK'"]
    assert page.select_one(".leads a")["href"] == f"#{root['id']}"
    assert "shop/prices.py:16" in page.select_one(".leads").get_text()
    aside = page.select_one("details.linked")
    assert "open" not in aside.attrs
    assert "ConnectionResetError" in aside.summary.get_text()
    assert frames_of(page, 2)


def test_row_04_the_navigation_names_every_exception_of_the_chain():
    page = page_of(chain_sample())
    links = page.select("nav .tree a")
    assert [link.b.get_text() for link in links] == ["PriceMissing", "KeyError", "ConnectionResetError"]
    assert all(page.select_one(link["href"]) for link in links)
    assert texts(page, "nav .tree a.root small") == ["Root cause"]


def chain_of(length: int) -> ErrorRecord:
    exceptions = [
        raised(message=f"number {n}", parent=n - 1 if n else None, relation="cause" if n else "raised")
        for n in range(length)
    ]
    return record_of(*exceptions)


def test_row_04_a_long_chain_is_a_flat_list():
    page = page_of(chain_of(50))
    assert len(page.select("main > section.linked")) == 49
    assert texts(page, "section.root h2") == ["ValueErrornumber 49"]


def test_row_04_exceptions_that_there_is_no_room_for_are_counted():
    page = page_of(dataclasses.replace(chain_of(1000), omitted_exceptions=9000))
    assert len(page.select("main > section.linked")) == 59
    assert "9940 more are left out" in texts(page, "nav .left-out")
    assert texts(page, "nav h2")[0] == "10000 exceptions"


def test_row_05_a_group_is_a_tree():
    page = page_of(group_sample())
    members = page.select("main > .members > .member")
    assert [each.summary.b.get_text() for each in members] == ["PriceMissing", "ExceptionGroup", "ValueError"]
    inner = members[1].select(":scope > .members > .member")
    assert [each.summary.b.get_text() for each in inner] == ["TimeoutError", "SoldOut"]
    assert [each["id"] for each in members[0].select("section.linked")] == ["e2"]
    assert all(each.select("[data-frame]") for each in (*members, *inner))
    tree = page.select_one("nav .tree > li > ul")
    assert len(tree.find_all("li", recursive=False)) == 4  # the members, and the cause of the first beside it


def test_row_05_the_first_member_is_open_so_that_a_failing_line_is_seen():
    page = page_of(group_sample())
    assert [each["id"] for each in page.select("main > .members > .member[open]")] == ["e1"]


def test_row_05_members_beyond_eight_are_folded():
    page = page_of(group_sample(50, omitted=7))
    assert len(page.select(".members > .member")) == 8 + 2
    assert texts(page, ".members > .run > summary") == ["42 more"]
    assert "57 exceptions in this group" in texts(page, ".members > *:first-child")
    assert "7 more are not collected." in texts(page, ".members > .left-out")


def test_row_07_each_note_is_a_block_of_its_own():
    page = page_of(chain_sample())
    assert [note.get_text() for note in page.select(".notes > .note")][1] == (
        "Prices are imported each night:\n  shop import-prices"
    )
    assert len(page.select(".notes > .note")) == 2


def test_attributes_and_suggestions_are_shown_with_their_exception():
    page = page_of(chain_sample())
    assert texts(page, ".attributes dt") == ["sku", "status"]
    assert texts(page, "section.root > .hint") == ["The keys are: 'EUR'."]


# --- frames -----------------------------------------------------------------------------------------------------------


def test_the_last_call_comes_first_and_the_one_that_matters_is_open():
    page = page_of(simple_sample())
    names = [frame.b.get_text() for frame in frames_of(page)]
    assert names == ["price_of", "Checkout.total", "checkout", "App.dispatch", "with_session.<locals>.handle"] + [
        "App.__call__"
    ]
    assert [frame["data-frame"] for frame in frames_of(page) if "open" in frame.attrs] == ["0.5"]


def test_each_frame_has_an_id_and_a_place_for_a_prompt():
    for frame in page_of(rich()).select("[data-frame]"):
        assert frame["id"] == f"f{frame['data-frame']}"
        assert [slot["data-slot"] for slot in frame.select(".slot")] == [frame["data-frame"]]


def test_row_10_library_frames_are_folded_and_own_ones_are_not():
    page = page_of(simple_sample())
    (run,) = page.select(".run")
    assert run.summary.get_text() == "3 frames in tinyweb"
    assert "open" not in run.attrs
    assert len(run.select("[data-frame]")) == 3
    assert texts(page, ".frames > .frame.own .said")[1:] == [
        "total += price_of(item.sku, self.currency) * item.amount",
        "total = Checkout(basket, currency=request.currency).total(voucher)",
    ]


@pytest.mark.parametrize(
    ("packages", "label"),
    [
        (["WebOb", "WebOb"], "2 frames in WebOb"),
        (["WebOb", "Python"], "2 frames in Python and WebOb"),
        (["a", "b", "c"], "3 frames in c, b and a"),
        (["a", "b", "c", "d"], "4 frames in d, c and 2 more packages"),
        (["", "a"], "2 frames in a and other code"),
    ],
)
def test_row_10_a_fold_says_how_many_frames_and_whose(packages: list[str], label: str):
    frames = [Frame(path="/x.py", file="x.py", function="f", package=package) for package in packages]
    mine = Frame(path="/y.py", file="y.py", function="g", own=True)
    page = page_of(record_of(raised(frames=(*frames, mine), focus=len(frames))))
    assert texts(page, ".run > summary") == [label]


def test_row_10_the_focus_is_never_within_a_fold():
    page = page_of(SAMPLES["long_message"]())
    assert texts(page, ".frames > .frame.focus .who b") == ["App.dispatch"]
    assert texts(page, ".run > summary") == ["2 frames in tinyweb"]


def test_row_11_hidden_frames_are_behind_one_switch_that_needs_no_script():
    page = page_of(chain_sample())
    assert texts(page, ".order label") == ["Show 1 hidden frame"]
    hidden = page.select(".frame.concealed")
    assert [each["data-frame"] for each in hidden] == ["0.1"]
    assert texts(page, ".frames > .run > summary")[0] == "2 frames in tinyweb"
    assert ":has(#hidden:checked) .concealed" in page.style.string


def test_row_11_a_page_without_hidden_frames_has_no_such_switch():
    assert page_of(simple_sample()).select_one("#hidden") is None


def test_row_14_recursion_says_how_often_it_ran():
    page = page_of(recursion_sample())
    (repeated,) = page.select(".repeated")
    assert "The 2 frames below ran 488 more times" in repeated.get_text()
    assert repeated.find_next_sibling()["data-frame"] == "0.7"


def test_row_14_frames_left_out_are_told_where_they_were():
    frames = tuple(Frame(path="/y.py", file="y.py", function=f"f{n}", own=True) for n in range(4))
    told = raised(frames=frames, focus=3, gaps=(Gap(after=1, frames=940),), omitted_frames=945)
    page = page_of(record_of(told))
    assert "940 frames are left out here" in page.select_one(".repeated").get_text()
    assert page.select_one(".repeated").find_next_sibling()["data-frame"] == "0.1"
    assert texts(page, "main > .left-out") == ["5 more frames of this traceback are left out."]


def test_row_14_a_long_row_of_own_frames_is_folded():
    page = page_of(recursion_sample(kept=60))
    assert "43 more frames of your own" in texts(page, ".run > summary")


def test_row_01_source_stands_around_the_failing_line():
    page = page_of(chain_sample())
    lines = frames_of(page, 1)[0].select(".line")
    assert [int(line.b.get_text()) for line in lines] == list(range(9, 19))
    assert [line.b.get_text() for line in lines if "failing" in line["class"]] == ["16"]
    assert lines[6].get_text() == "15        row = prices[sku]\n"


def test_row_01_whole_functions_and_files_can_be_asked_for_where_errors_are_kept():
    buttons = frames_of(page_of(simple_sample(), ALL_LINKS))[0].select("[data-source]")
    assert [button["data-source"] for button in buttons] == ["function", "file"]
    assert page_of(simple_sample()).select("[data-source]") == []


@pytest.mark.parametrize(("path", "offered"), [("/srv/x.py", 1), ("C:\\x.py", 1), ("<string>", 0), ("order.html", 0)])
def test_row_01_more_source_is_offered_of_files_alone(path: str, offered: int):
    frame = Frame(path=path, file=path, line=1, lines=(Line(number=1, text="x"),), language="mako")
    page = page_of(record_of(raised(frames=(frame,), focus=0)), ALL_LINKS)
    assert len(page.select("[data-source]")) == offered


def test_row_01_a_frame_without_source_says_so():
    page = page_of(record_of(raised(frames=(Frame(path="<string>", file="<string>", line=1),), focus=0)))
    assert "The source is not at hand." in page.select_one(".code").get_text()


def test_row_02_variables_are_shown_in_their_order():
    names = frames_of(page_of(simple_sample()))[1].select(".variables dt")
    assert [name.get_text() for name in names] == ["total", "item", "self", "voucher"]
    assert "and 2 that are not collected" in frames_of(page_of(simple_sample()))[1].get_text()


@pytest.mark.parametrize(
    ("text", "kind", "remark"),
    [
        ("three items", "shop.Basket", ["Basket"]),
        ("Basket(3 items)", "shop.Basket", []),
        ("<Basket>", "shop.Basket", []),
        ("'text'", "str", []),
        ("12", "int", []),
        ("None", "NoneType", []),
        ("True", "bool", []),
        ("nan", "float", ["float"]),
    ],
)
def test_row_02_a_type_is_named_where_the_value_does_not_tell_it(text: str, kind: str, remark: list[str]):
    frame = Frame(path="/x", file="x", variables=(Shown(name="value", text=text, type=kind),))
    assert texts(page_of(record_of(raised(frames=(frame,), focus=0))), ".variables small") == remark


def test_row_03_frames_fold_open_without_a_script():
    page = page_of(simple_sample())
    assert all(frame.name == "details" and frame.summary for frame in page.select("[data-frame], .run, .member"))


def test_row_03_variables_beyond_twelve_are_folded():
    many = tuple(Shown(name=f"name_{n}", text=str(n)) for n in range(30))
    page = page_of(record_of(raised(frames=(Frame(path="/x", file="x", variables=many),), focus=0)))
    rest = page.select_one("details.rest")
    assert rest.summary.get_text() == "18 more"
    assert len(rest.select("dt")) == 18


def marked(page: BeautifulSoup) -> list[str]:
    return [mark.get_text() for mark in page.select("[data-frame] mark")]


def test_row_06_the_part_that_failed_is_marked():
    page = page_of(chain_sample())
    assert [mark.get_text() for mark in frames_of(page, 1)[0].select("mark")] == ["row.amounts[currency]"]


def test_row_06_a_part_over_several_lines_is_marked_line_by_line():
    source = ["total = pay(", "    first,", "", "    second,", ") + 1"]
    frame = Frame(
        path="/x.py",
        file="x.py",
        line=1,
        lines=tuple(Line(number=number, text=text) for number, text in enumerate(source, 1)),
        span=Span(line=1, column=8, end_line=5, end_column=1),
    )
    page = page_of(record_of(raised(frames=(frame,), focus=0)))
    assert marked(page) == ["pay(", "first,", "second,", ")"]
    assert len(page.select(".line.failing")) == 5
    assert page.select_one(".said").get_text() == "total = pay( …"


def test_row_06_without_a_span_the_line_is_pointed_out_and_nothing_is_marked():
    page = page_of(simple_sample())
    focus = page.select_one(".frame.focus")
    assert focus.select("mark") == []
    assert [line.b.get_text() for line in focus.select(".failing")] == ["18"]


@pytest.mark.parametrize("column", [-5, 500])
def test_row_06_a_span_outside_its_line_breaks_nothing(column: int):
    frame = Frame(
        path="/x.py",
        file="x.py",
        line=1,
        lines=(Line(number=1, text="x = y"),),
        span=Span(line=1, column=column, end_line=9, end_column=column),
    )
    page = page_of(record_of(raised(frames=(frame,), focus=0)))
    assert page.select_one(".failing").get_text() == "1x = y\n"


def test_values_of_parts_stand_below_the_line_that_failed():
    frame = frames_of(page_of(chain_sample()), 1)[0]
    below = frame.select_one(".failing").find_next_sibling()
    assert below["class"] == ["values"]
    assert below.get_text(" ").split() == ["row.amounts", "{'EUR':", "'4.20'}"]


def test_row_08_a_syntax_error_is_shown_as_a_place_in_its_file():
    page = page_of(SAMPLES["syntax"]())
    focus = page.select_one(".frame.focus")
    assert focus.select_one(".who b").get_text() == "invalid syntax"
    assert [mark.get_text() for mark in focus.select("mark")] == ["["]


def test_row_09_a_template_frame_says_its_language_and_shows_the_template():
    focus = page_of(SAMPLES["template"]()).select_one(".frame.focus")
    assert texts(focus, ".language") == ["mako"]
    assert "<%inherit" in focus.pre.get_text()
    assert [mark.get_text() for mark in focus.select("mark")] == ["${item.article.name}"]


def test_row_12_what_a_frame_tells_of_itself_is_shown():
    told = page_of(SAMPLES["template"]()).select_one(".told")
    assert texts(told, ".warning") == ["the template is older than its page"]
    assert "item.article.name" in told.get_text()
    assert "rendered for ada" in told.get_text()
    assert texts(told, "dt") == ["Template", "Context"]
    assert "basket 4711" in frames_of(page_of(simple_sample()))[1].select_one(".told").get_text()


# --- request and the rest ---------------------------------------------------------------------------------------------


def test_row_13_the_request_is_shown_in_tables():
    page = page_of(simple_sample())
    assert texts(page, "#request .table h3") == ["Query", "Form", "Cookies", "Headers", "Environ"]
    tables = page.select("#request .table")
    assert texts(tables[1], "dt") == ["voucher", "card_number"]
    assert texts(tables[1], "dd i") == ["[redacted: str, 16 chars]"]
    assert "open" not in tables[4].attrs
    assert "X-Forwarded-For was removed" in page.select_one("#request").get_text()


def test_row_13_configuration_and_versions_are_shown():
    page = page_of(simple_sample())
    assert texts(page, "#configuration dt") == ["currency", "database", "debug", "session.secret"]
    assert {"Python", "wheatpaste", "Thread", "Process"} <= set(texts(page, "#versions dt"))


def test_the_way_leads_through_layers_and_mounts_to_the_place_in_the_configuration():
    way = page_of(simple_sample(), ALL_LINKS).select_one(".way")
    assert texts(way, "li b") == [
        "shop.sessions.Sessions",
        "wheatpaste.middleware.urlmap.URLMap",
        "tinyweb.app.App",
        "/shop",
        "localhost/",
        "price_of",
    ]
    assert way.a["href"] == "vscode://file/srv/shop/development.ini:14:1"


def test_row_33_places_open_in_the_editor():
    page = page_of(simple_sample(), ALL_LINKS)
    links = [frame.select_one("a.at")["href"] for frame in frames_of(page)]
    assert links[0] == "vscode://file/srv/shop/shop/prices.py:18:1"
    assert links[1] == "vscode://file/srv/shop/shop/checkout.py:20:22"
    assert page_of(simple_sample()).select("a.at") == []


def test_row_34_text_markdown_and_curl_can_be_copied_also_without_a_script():
    page = page_of(simple_sample())
    assert texts(page, "button[data-copy]") == ["Markdown", "Text", "curl"]
    copies = {area["id"]: area.get_text() for area in page.select("textarea[readonly]")}
    assert set(copies) == {"copy-markdown", "copy-text", "copy-curl"}
    assert "Traceback (most recent call last)" in copies["copy-text"]
    assert copies["copy-markdown"].lstrip().startswith("# ")
    assert "curl" in copies["copy-curl"]


def test_row_34_without_a_request_there_is_no_command_to_copy():
    assert texts(page_of(SAMPLES["bare"]()), "button[data-copy]") == ["Markdown", "Text"]


def test_row_41_the_id_and_the_group_can_be_copied():
    assert texts(page_of(simple_sample()), "[data-copyable]") == ["K7QX-M3PZ", "E-7K3QX"]


# --- safety -----------------------------------------------------------------------------------------------------------


def test_row_44_one_style_and_one_script_bear_the_nonce_and_nothing_is_inline():
    page = page_of(rich(), ALL_LINKS)
    assert [tag["nonce"] for tag in page.select("style, script")] == ["nonce", "nonce"]
    assert not [name for tag in page.find_all() for name in tag.attrs if name.startswith("on") or name == "style"]
    assert page.select("link, img, iframe, object, form, base") == []


def test_row_44_the_headers_let_nothing_else_in_and_nobody_keep_or_frame_it():
    headers = dict(page_headers("abc"))
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'nonce-abc'"
    assert (policy["connect-src"], policy["base-uri"], policy["form-action"]) == ("'self'", "'none'", "'none'")
    assert policy["frame-ancestors"] == "'none'"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_row_44_a_nonce_is_long_and_never_the_same():
    assert len({new_nonce() for _ in range(100)}) == 100
    assert re.fullmatch(r"[A-Za-z0-9_-]{20,}", new_nonce())


PAYLOADS = {
    "markup": MARKUP,
    "end of the script": "</script><script>alert(1)</script>",
    "end of the style": "</style><img src=x onerror=alert(1)>",
    "attribute": '" onmouseover="alert(1)" x="',
    "single quotes": "' onfocus='alert(1)' autofocus '",
    "template": "{{ 7 * 7 }}{% raw %}{# x",
    "terminal": TERMINAL,
    "javascript": "javascript:alert(1)",
    "not closed": "<!--",
    "cdata": "]]><svg onload=alert(1)>",
    "surrogate": "\ud800 half of a pair",
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize("sample", ["simple", "rich", "bare", "syntax", "long_message"])
def test_row_45_no_text_of_a_record_breaks_out(sample: str, payload: str):
    clean = page_of(SAMPLES[sample](), ALL_LINKS)
    text = debug_page(poisoned(SAMPLES[sample](), payload), nonce="nonce", links=ALL_LINKS)
    page = BeautifulSoup(text, "html.parser")
    assert {tag.name for tag in page.find_all()} <= {tag.name for tag in clean.find_all()} | {"i", "mark", "small"}
    assert len(page.select("script")) == 1
    assert not [name for tag in page.find_all() for name in tag.attrs if name.startswith("on")]
    assert {link["href"].split(":")[0] for link in page.select("a[href*=':']")} <= {"vscode"}
    assert "<script>alert" not in text
    text.encode("utf-8")


def test_row_45_a_real_failure_with_hostile_names_is_escaped():
    code = compile("def f():\n raise problem\nf()", f"/srv/{MARKUP}.py", "exec")
    problem = type(MARKUP, (Exception,), {})(MARKUP)
    problem.add_note(MARKUP)
    environ = {
        "REQUEST_METHOD": MARKUP,
        "SCRIPT_NAME": f"/{MARKUP}",
        "PATH_INFO": f"/{MARKUP}",
        "QUERY_STRING": f"a={MARKUP}&{MARKUP}=b",
        "HTTP_HOST": MARKUP,
        "HTTP_COOKIE": f"theme={MARKUP}",
        "HTTP_X_ANY": MARKUP,
        MARKUP: MARKUP,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
    }
    try:
        exec(code, {"problem": problem, MARKUP: MARKUP})
    except Exception as error:
        record = collect(error, environ)
    page = debug_page(record, nonce="nonce", links=ALL_LINKS)
    assert "<script>alert" not in page
    assert len(BeautifulSoup(page, "html.parser").select("script, img")) == 1
    assert page.count("&lt;script&gt;alert(1)") > 10


def test_row_45_hostile_text_is_there_to_be_read():
    page = page_of(poisoned(rich(), MARKUP))
    assert page.h1.get_text() == MARKUP
    assert page.select_one(".variables dd").get_text() == MARKUP


@pytest.mark.parametrize("address", ["javascript:alert(1)", "//evil.example/x", "/\\evil.example", "https://evil", ""])
def test_row_45_an_address_of_another_site_is_no_link(address: str):
    links = Links(errors=address, console=address, replay=address)
    assert (links.errors, links.console, links.replay) == (None, None, None)


def test_what_cannot_be_seen_is_written_out():
    page = page_of(record_of(raised(message="a\x1b[2Jb\u202ec")))
    assert page.h1.get_text() == "a\\x1b[2Jb\\u202ec"


# --- size and time ----------------------------------------------------------------------------------------------------


def fat_frames(count: int) -> tuple[Frame, ...]:
    text = "'\"<>&" * 80
    frame = Frame(
        path="/srv/shop/x.py",
        file="x.py",
        function="f",
        line=8,
        lines=tuple(Line(number=number, text=f"    x = '{number}' < {text[:80]}") for number in range(1, 16)),
        variables=tuple(Shown(name=f"name_{n}", text=text, type="str") for n in range(40)),
        own=True,
    )
    return (frame,) * count


def monsters() -> Iterator[tuple[str, ErrorRecord]]:
    frames = fat_frames(60)
    yield "recursion", record_of(raised(frames=frames, focus=59, folds=(Fold(after=40, frames=1, times=940),)))
    member = raised(frames=frames, focus=59, parent=0, relation="member", message="'" * 8000)
    yield "group of 50", record_of(raised(group=True, frames=frames, focus=59), *(member,) * 50)
    nested = [
        raised(
            group=True, parent=n - 1 if n else None, relation="member" if n else "raised", frames=frames[:3], focus=2
        )
        for n in range(50)
    ]
    yield "nested 50 deep", record_of(*nested)
    notes = ("\"'" * 50_000,) * 100
    yield "notes", record_of(raised(notes=notes, suggestions=notes, attributes=fat_frames(1)[0].variables * 50))
    pairs = tuple((f"HTTP_{n}<", '"' * 5000) for n in range(2000))
    request = Request(method="GET", url="http://x/" + "<" * 100_000, environ=pairs, headers=pairs, query=pairs)
    yield "request", record_of(raised(), request=request, config=pairs, versions=pairs)
    wide = Shown(name="x" * 400, text="\U0001f35e" * 400, type="str")
    yield (
        "wide letters",
        record_of(raised(frames=tuple(dataclasses.replace(each, variables=(wide,) * 40) for each in frames), focus=0)),
    )


MONSTERS = dict(monsters())


@pytest.mark.parametrize("name", MONSTERS)
def test_row_14_and_17_a_page_is_below_a_megabyte(name: str):
    page = debug_page(MONSTERS[name], nonce="nonce", links=ALL_LINKS)
    assert len(page.encode()) < 1_000_000
    assert 'class="frame' in page or not MONSTERS[name].raised.frames


def test_row_14_the_frame_that_matters_always_has_room():
    page = page_of(MONSTERS["group of 50"])
    assert page.select_one('[data-frame="0.59"] .line') is not None
    assert page.select_one('[data-frame="1.59"] .line') is not None
    assert "would be too large" in page.get_text()


def test_row_14_and_17_a_page_is_made_quickly():
    records = []
    try:
        endless(0)
    except RecursionError as error:
        records.append(collect(error))
    try:
        many_million(list(range(1_000_000)))
    except ValueError as error:
        records.append(collect(error))
    try:
        group_of_fifty()
    except ExceptionGroup as error:
        records.append(collect(error))
    for record in records:
        debug_page(record, nonce="nonce", links=ALL_LINKS)
        took = min(timed(record) for _ in range(5))
        assert took < 0.04 * slowness(), record.headline


def timed(record: ErrorRecord) -> float:
    began = time.thread_time()
    debug_page(record, nonce="nonce", links=ALL_LINKS)
    return time.thread_time() - began


def slowness() -> float:
    """How much slower this machine is at the moment than one that is left alone."""
    began = time.thread_time()
    sum(number * number for number in range(200_000))
    return max(1.0, (time.thread_time() - began) / 0.015)


def endless(depth: int) -> int:
    return endless(depth + 1)


def many_million(numbers: list[int]) -> None:
    raise ValueError(f"{len(numbers)} are too many")


def group_of_fifty() -> None:
    errors = []
    for number in range(50):
        try:
            many_million([number])
        except ValueError as error:
            errors.append(error)
    raise ExceptionGroup("fifty", errors)


def test_row_14_a_real_recursion_is_a_short_page():
    try:
        endless(0)
    except RecursionError as error:
        record = collect(error)
    page = page_of(record)
    assert "more times" in page.select_one(".repeated").get_text()
    assert len(page.select("[data-frame]")) < 20
    assert sys.getrecursionlimit() <= 20_000


@pytest.mark.parametrize("name", SAMPLES)
def test_a_page_is_a_function_of_its_record(name: str):
    record = SAMPLES[name]()
    again = ErrorRecord.from_data(record.to_data())
    assert debug_page(again, nonce="n", links=ALL_LINKS) == debug_page(record, nonce="n", links=ALL_LINKS)
