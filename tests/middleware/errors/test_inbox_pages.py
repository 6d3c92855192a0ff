"""The pages of kept errors: what they show, to whom, and what nobody else's page can make them do."""

from __future__ import annotations

import html
import io
import json
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from error_samples import SAMPLES, poisoned

from wheatpaste.middleware.errors.catch_errors import filter_factory
from wheatpaste.middleware.errors.collect.capture import collect
from wheatpaste.middleware.errors.inbox.app import app_factory
from wheatpaste.middleware.errors.inbox.file import FileInbox
from wheatpaste.middleware.errors.inbox.memory import MemoryInbox
from wheatpaste.middleware.errors.inbox.pages import InboxPages
from wheatpaste.middleware.errors.record import ErrorRecord
from wheatpaste.testing import Client, Clock, Response

NOW = 1_000_000_000.0
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
EVIL = "\"'><script>alert(1)</script></textarea><!--"


def record(name: str, group: str = "E-22222", sample: str = "simple", time: float = NOW) -> ErrorRecord:
    return replace(SAMPLES[sample](), id=name, group=group, time=time)


@pytest.fixture
def inbox(clock: Clock) -> MemoryInbox:
    made = MemoryInbox(clock=clock.time)
    made.add(record("K7QX-M3PZ", time=NOW - 7200))
    made.add(record("22QX-M3PZ", "E-33333", "chain", NOW - 600))
    made.add(record("77QX-M3PZ", time=NOW - 60))
    return made


@pytest.fixture
def pages(inbox: MemoryInbox, clock: Clock) -> InboxPages:
    return InboxPages(inbox, lambda environ: None, clock=clock.time)


@pytest.fixture
def visitor(pages: InboxPages, client: Callable[..., Client]) -> Client:
    return client(pages, script_name="/.errors")


def get(visitor: Client, path: str, **headers: str) -> Response:
    return visitor.get(path, headers={**BROWSER, **{name.replace("_", "-"): value for name, value in headers.items()}})


def text_of(page: Response) -> str:
    """What a person reads of a page."""
    without = re.sub(r"<style.*?</style>|<head>.*?</head>|<[^>]*>", " ", page.text, flags=re.DOTALL)
    return " ".join(html.unescape(without).split())


# --- what they show --------------------------------------------------------------------------------------------------


def test_the_list_shows_each_group_with_its_counts(visitor: Client):
    page = get(visitor, "/")
    assert page.status == 200
    shown = text_of(page)
    assert "Open 2 Resolved 0 Ignored 0 All 2" in shown
    assert shown.index("E-22222") < shown.index("E-33333")
    assert SAMPLES["chain"]().raised.message in shown
    assert "2 times 1 minute ago E-22222 Resolve Ignore" in shown
    assert "1 time 10 minutes ago E-33333 Resolve Ignore" in shown
    assert 'href="77QX-M3PZ"' in page.text  # the last one of its group
    assert "The last 200 errors, in the memory of process" in shown


def test_a_group_says_what_was_unusual_about_each_moment(visitor: Client, inbox: MemoryInbox):
    kept = inbox.find("77QX-M3PZ")
    assert kept is not None
    inbox.add(replace(kept, id="88QX-M3PZ", phase="slow"))
    inbox.add(replace(kept, id="99QX-M3PZ", phase="body", sent=True))
    shown = text_of(get(visitor, "/E-22222"))
    assert "while it was still running" in shown[shown.index("88QX-M3PZ") : shown.index("77QX-M3PZ")]
    unusual = "while the body was made, after part of the reply was sent"
    assert shown.count(unusual) == 1
    assert shown.index("99QX-M3PZ") < shown.index(unusual) < shown.index("88QX-M3PZ")


def test_an_empty_list_says_so(client: Callable[..., Client]):
    page = get(client(InboxPages(MemoryInbox(), lambda environ: None)), "/")
    assert "No errors. The next one is listed here" in text_of(page)
    assert "Delete all" not in page.text


def test_the_list_is_filtered_by_state_and_words(visitor: Client, inbox: MemoryInbox):
    inbox.mark("E-33333", "ignored")
    assert "E-33333" not in get(visitor, "/").text
    assert "E-33333" in get(visitor, "/?state=ignored").text
    assert "E-22222" not in get(visitor, "/?state=ignored").text
    both = get(visitor, "/?state=all").text
    assert "E-33333" in both
    assert "E-22222" in both
    assert "E-33333" in get(visitor, "/?state=all&q=e-3").text
    name = SAMPLES["chain"]().raised.name
    found = get(visitor, f"/?state=all&q={name.upper()}+price").text
    assert "E-33333" in found
    assert "No error holds nonsense ." in text_of(get(visitor, "/?state=all&q=nonsense"))
    assert "No open error holds nonsense ." in text_of(get(visitor, "/?q=nonsense"))
    assert "No error is resolved." in text_of(get(visitor, "/?state=resolved"))


@pytest.mark.parametrize(
    "query",
    ["state=nonsense", "window=" + "x" * 9999, "q=%ff%00", "&&&==", "state=all&state=none", "q=" + "a" * 5000],
)
def test_a_query_that_says_nonsense_is_none(visitor: Client, query: str):
    assert get(visitor, f"/?{query}").status == 200


def test_links_keep_what_was_chosen(visitor: Client):
    page = get(visitor, "/?q=price+missing&window=week").text
    assert 'href="?state=all&amp;q=price+missing&amp;window=week"' in page
    assert 'href="?q=price+missing"' in page  # back to a day
    assert 'href="./"' in get(visitor, "/?state=all").text


def test_the_diagram_has_the_hours_of_a_day_or_a_week(visitor: Client):
    day = get(visitor, "/?q=e-22222").text
    assert day.count("<rect") == 24
    assert day.count('<rect class="none"') == 22
    assert "2 in the last 24 hours" in day
    assert get(visitor, "/?q=e-22222&window=week").text.count("<rect") == 28


def test_a_group_shows_the_errors_that_are_kept(visitor: Client):
    page = get(visitor, "/E-22222")
    shown = text_of(page)
    assert "Times 2 Last 1 minute ago First 2001-09-08 23:46:40 UTC" in shown
    assert shown.index("77QX-M3PZ 1 minute ago") < shown.index("K7QX-M3PZ 2 hours ago")
    assert "All 2 errors" in shown


def test_a_group_without_records_says_why(client: Callable[..., Client]):
    inbox = MemoryInbox(1)
    inbox.add(record("K7QX-M3PZ"))
    inbox.add(record("22QX-M3PZ", "E-33333"))
    visitor = client(InboxPages(inbox, lambda environ: None))
    assert "No record is kept" in text_of(get(visitor, "/E-22222"))
    assert 'href="E-22222"><b>' in get(visitor, "/").text  # in place of its last error
    assert visitor.get("/E-22222.md").status == 200


def test_row_46_an_old_error_is_shown_again(visitor: Client):
    page = get(visitor, "/K7QX-M3PZ")
    assert page.status == 200
    assert SAMPLES["simple"]().raised.message in html.unescape(page.text)
    assert "K7QX-M3PZ" in page.text
    assert 'data-errors="/.errors"' in page.text
    assert "script-src 'nonce-" in page.headers["Content-Security-Policy"]


def test_row_41_a_fingerprint_leads_to_its_group_and_an_id_to_its_error(visitor: Client):
    assert "All 2 errors" in text_of(get(visitor, "/e-22222"))
    assert get(visitor, "/k7qx-m3pz").status == 200
    assert visitor.get("/k7qx-m3pz.json").json()["id"] == "K7QX-M3PZ"


def test_latest_leads_to_the_last_error(visitor: Client):
    answer = get(visitor, "/latest")
    assert (answer.status, answer.headers["Location"]) == (302, "77QX-M3PZ")
    assert visitor.get("/latest.json").json()["id"] == "77QX-M3PZ"
    assert "`77QX-M3PZ`" in visitor.get("/latest.md").text


@pytest.mark.parametrize("path", ["/latest", "/latest.md", "/K7QX-M3PZ", "/E-22222", "/E-22222.json", "/latest/source"])
def test_what_is_not_there_is_not_found(client: Callable[..., Client], path: str):
    assert client(InboxPages(MemoryInbox(), lambda environ: None)).get(path).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/nonsense",
        "//",
        "/../etc/passwd",
        "/K7QX-M3PZ/",
        "/K7QX-M3PZ.html",
        "/K7QX-M3PZ.md.md",
        "/%00",
        "/%ff",
        "/E-22222/x",
    ],
)
def test_other_paths_are_not_found(visitor: Client, path: str):
    assert get(visitor, path).status == 404


@pytest.mark.parametrize("path", ["/NQQX-M3PZ", "/E-99999", "/nowhere/at/all", "/latest"])
def test_what_is_not_there_has_a_way_to_what_is(inbox: MemoryInbox, visitor: Client, path: str) -> None:
    inbox.clear()
    page = get(visitor, path)
    assert page.status == 404
    assert 'href="/.errors/">All errors</a>' in page.text
    assert "nonce-" in page.headers["Content-Security-Policy"]
    plain = visitor.get(path, headers={"Accept": "*/*"})
    assert (plain.status, plain.headers["Content-Type"]) == (404, "text/plain; charset=utf-8")
    assert plain.text.startswith("There is no ")


def test_the_mount_itself_leads_to_the_list(visitor: Client):
    answer = get(visitor, "")
    assert (answer.status, answer.headers["Location"]) == (301, "/.errors/")


@pytest.mark.parametrize("mount", ["//evil.example", "/\\evil.example", "///"])
def test_a_hostile_mount_leads_nowhere_else(pages: InboxPages, client: Callable[..., Client], mount: str):
    location = get(client(pages, script_name=mount, lint=False), "").headers["Location"]
    assert re.fullmatch(r"/[^/\\].*/", location)


def test_at_the_root_of_a_site_its_addresses_stay_on_the_site(pages: InboxPages, client: Callable[..., Client]):
    assert 'data-errors="/."' in get(client(pages), "/K7QX-M3PZ").text  # and not the host K7QX-M3PZ: "//K7QX-M3PZ"


def test_head_sends_headers_alone(visitor: Client):
    for path in ("/", "/E-22222", "/K7QX-M3PZ", "/index.json", "/nonsense"):
        answer = visitor.request("HEAD", path)
        assert answer.body == b""
        assert answer.headers["Content-Type"]


def test_an_inbox_that_cannot_be_read_says_why(tmp_path: Path, client: Callable[..., Client], caplog: Any):
    path = tmp_path / "broken.sqlite"
    path.write_text("no database " * 500)
    answer = get(client(InboxPages(FileInbox(path), lambda environ: None)), "/")
    assert answer.status == 503
    assert "broken.sqlite is damaged, or no SQLite file" in answer.text


# --- tools -----------------------------------------------------------------------------------------------------------


def test_row_50_the_list_is_data_for_tools(visitor: Client):
    data = visitor.get("/index.json").json()
    assert data["version"] == 1
    assert data["counts"] == {"open": 2, "resolved": 0, "ignored": 0}
    first = data["groups"][0]
    assert first["id"] == "E-22222"
    assert (first["count"], first["state"], first["came_back"]) == (2, "open", False)
    assert first["last"] == "2001-09-09T01:45:40Z"
    assert visitor.get(f"/{first['json']}").json()["id"] == "77QX-M3PZ"
    assert visitor.get(f"/{first['markdown']}").status == 200
    assert [group["id"] for group in visitor.get("/index.json?q=e-3").json()["groups"]] == ["E-33333"]


def test_row_50_the_list_is_markdown_for_assistants(visitor: Client):
    answer = visitor.get("/index.md")
    assert answer.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert "## `E-22222` `" in answer.text
    assert "- 2 times, last 1 minute ago, open" in answer.text
    assert "- More: `77QX-M3PZ.md`" in answer.text


def test_row_50_an_error_as_markdown_has_own_frames_versions_curl_and_fingerprint(visitor: Client):
    answer = visitor.get("/22QX-M3PZ.md").text
    sample = SAMPLES["chain"]()
    frames = [frame for raised in sample.exceptions for frame in raised.frames]
    assert "`E-33333`" in answer
    assert "curl --include" in answer
    assert "## Versions" in answer
    for frame in frames:
        heading = f"`{frame.file}:{frame.line}` in `{frame.function}`"
        assert (heading in answer) == frame.own, frame.file
    assert any(frame.own for frame in frames)
    assert any(not frame.own for frame in frames)


def test_row_50_an_error_as_data_is_the_whole_record(visitor: Client, inbox: MemoryInbox):
    data = visitor.get("/22QX-M3PZ.json").json()
    assert ErrorRecord.from_data(data) == inbox.find("22QX-M3PZ")


def test_a_group_as_data_has_its_occurrences(visitor: Client):
    data = visitor.get("/E-22222.json").json()
    assert data["count"] == 2
    assert [each["id"] for each in data["occurrences"]] == ["77QX-M3PZ", "K7QX-M3PZ"]
    assert data["occurrences"][0]["time"] == "2001-09-09T01:45:40Z"


def test_a_group_as_markdown_has_its_last_error(visitor: Client):
    answer = visitor.get("/E-22222.md").text
    assert answer.startswith("Group `E-22222`: 2 times since 2001-09-08T23:46:40Z, last 1 minute ago, open.\n\n# `")


@pytest.mark.parametrize("path", ["/", "/E-22222", "/K7QX-M3PZ"])
def test_the_form_goes_by_accept(visitor: Client, path: str):
    assert visitor.get(path).headers["Content-Type"] == "text/plain; charset=utf-8"  # curl
    for kind in ("text/html", "application/json", "text/markdown"):
        answer = visitor.get(path, headers={"Accept": kind})
        assert answer.headers["Content-Type"].partition(";")[0] == kind
        assert answer.headers["Vary"] == "Accept, Sec-Fetch-Dest"
        for each in answer.headers.get_all("Vary"):
            assert "Accept" in each


def test_the_list_as_text_is_aligned(visitor: Client):
    lines = visitor.get("/").text.splitlines()
    assert lines[0].startswith("E-22222  2×  1 minute ago    open  ")
    assert lines[2].startswith("E-33333  1×  10 minutes ago  open  ")


# --- to whom ---------------------------------------------------------------------------------------------------------


def test_nobody_who_may_not_see_it_is_shown_anything(inbox: MemoryInbox, client: Callable[..., Client], caplog: Any):
    visitor = client(InboxPages(inbox, lambda environ: "you are a stranger"))
    with caplog.at_level(logging.INFO):
        for path in ("/", "/index.json", "/latest.md", "/K7QX-M3PZ", "/E-22222", "/K7QX-M3PZ/source?frame=0.0"):
            answer = get(visitor, path)
            assert answer.status == 403
            assert answer.text == "The errors are not shown here: you are a stranger.\n"
    assert visitor.post("/clear", form={"token": "x"}).status == 403
    assert len(inbox.groups()) == 2
    assert "you are a stranger" in caplog.text


def test_no_page_of_another_site_can_load_them(visitor: Client):
    for dest in ("script", "image", "iframe", "empty", "object"):
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": dest}
        assert visitor.get("/index.json", headers=headers).status == 403
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert visitor.get("/", headers=link).status == 200


@pytest.mark.parametrize("path", ["/", "/E-22222", "/K7QX-M3PZ", "/index.json", "/latest.md", "/latest", "/nonsense"])
def test_every_answer_is_kept_by_nobody_and_framed_by_nobody(visitor: Client, path: str):
    headers = get(visitor, path).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] in ("no-referrer", "same-origin")
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "unsafe" not in policy
    for name in ("Cache-Control", "Content-Security-Policy", "X-Frame-Options"):
        assert len(headers.get_all(name)) == 1


def test_pages_of_lists_run_no_script_at_all(visitor: Client):
    page = get(visitor, "/")
    assert "script" not in page.headers["Content-Security-Policy"]
    nonce = re.search(r"style-src 'nonce-([\w-]+)'", page.headers["Content-Security-Policy"])
    assert nonce is not None
    assert f'<style nonce="{nonce[1]}">' in page.text
    assert "<script" not in page.text
    assert " style=" not in page.text
    assert get(visitor, "/").headers["Content-Security-Policy"] != page.headers["Content-Security-Policy"]


def test_hostile_texts_stay_texts(client: Callable[..., Client]):
    inbox = MemoryInbox()
    evil = replace(poisoned(SAMPLES["rich"](), EVIL), id="K7QX-M3PZ", group="E-22222", time=NOW)
    inbox.add(evil)
    visitor = client(InboxPages(inbox, lambda environ: None), script_name=f"/{EVIL}", lint=False)
    for path in ("/", f"/?q={EVIL}", "/E-22222", "/K7QX-M3PZ"):
        page = visitor.get(path, headers={**BROWSER, "Host": "a.example"})
        assert "<script>alert" not in page.text, path
        assert "'><script" not in page.text, path
        assert "alert(1)" in page.text or path.startswith("/?q")
    assert "<script>" not in re.sub(r"`[^`]*`", "", visitor.get("/index.md").text)
    json.loads(visitor.get("/index.json").body)


def test_a_hostile_terminal_text_is_written_out(client: Callable[..., Client]):
    inbox = MemoryInbox()
    sample = SAMPLES["simple"]()
    inbox.add(replace(sample, exceptions=(replace(sample.raised, message="a\x1b[2Jb\u202ec"),)))
    assert "\x1b" not in client(InboxPages(inbox, lambda environ: None)).get("/").text


# --- forms -----------------------------------------------------------------------------------------------------------


def token_of(page: Response) -> str:
    found = re.search(r'name="token" value="([\w-]+)"', page.text)
    assert found is not None
    return found[1]


def press(visitor: Client, path: str, token: str | None = None, **headers: str) -> Response:
    form = {"token": token if token is not None else token_of(get(visitor, "/?state=all"))}
    return visitor.post(path, form=form, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("action", "state"),
    [("resolve", "resolved"), ("ignore", "ignored"), ("open", "open")],
    ids=["resolve", "ignore", "open"],
)
def test_a_button_marks_a_group(visitor: Client, inbox: MemoryInbox, action: str, state: str):
    inbox.mark("E-33333", "ignored")
    answer = press(visitor, f"/E-33333/{action}")
    assert (answer.status, answer.headers["Location"]) == (303, "../")
    group = inbox.group("E-33333")
    assert group is not None
    assert group.state == state


def test_buttons_lead_back_to_where_they_were_pressed(visitor: Client):
    token = token_of(get(visitor, "/"))
    form = {"token": token, "list": "state=all&q=price+x"}
    assert visitor.post("/E-22222/resolve", form=form).headers["Location"] == "../?state=all&q=price+x"
    form = {"token": token, "list": "//evil.example/\r\nX: y&q=\r\nSet-Cookie: a"}
    assert visitor.post("/E-22222/resolve", form=form).headers["Location"] == "../?q=Set-Cookie%3A+a"
    form = {"token": token, "back": "group"}
    assert visitor.post("/E-22222/open", form=form).headers["Location"] == "../E-22222"


def test_a_button_deletes_a_group_or_all(visitor: Client, inbox: MemoryInbox):
    assert press(visitor, "/E-33333/delete").status == 303
    assert [group.id for group in inbox.groups()] == ["E-22222"]
    answer = press(visitor, "/clear")
    assert (answer.status, answer.headers["Location"]) == (303, "./")
    assert inbox.groups() == []
    assert press(visitor, "/E-33333/resolve", token="x").status == 403


def test_a_form_of_one_process_is_taken_by_another(tmp_path: Path, client: Callable[..., Client]):
    one, other = FileInbox(tmp_path / "x.sqlite"), FileInbox(tmp_path / "x.sqlite")
    one.add(record("K7QX-M3PZ"))
    visitor = client(InboxPages(one, lambda environ: None))
    token = token_of(get(visitor, "/"))
    second = client(InboxPages(other, lambda environ: None))
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    assert second.post("/E-22222/resolve", form={"token": token}, headers={"Cookie": cookie}).status == 303
    assert one.groups()[0].state == "resolved"
    one.close()
    other.close()


ATTACKS: dict[str, dict[str, str]] = {
    "a form of another site": {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"},
    "a neighbour of the domain": {"Sec-Fetch-Site": "same-site", "Origin": "http://other.localhost"},
    "an older browser": {"Origin": "http://evil.example"},
    "a sandboxed frame": {"Origin": "null"},
    "another port of this machine": {"Origin": "http://localhost:9999"},
}


@pytest.mark.parametrize("headers", ATTACKS.values(), ids=list(ATTACKS))
def test_another_site_cannot_press_a_button_even_with_the_token(
    visitor: Client, inbox: MemoryInbox, headers: dict[str, str]
):
    token = token_of(get(visitor, "/"))
    for path in ("/clear", "/E-22222/delete", "/E-22222/resolve"):
        assert visitor.post(path, form={"token": token}, headers=headers).status == 403
    assert [(group.state, group.count) for group in inbox.groups()] == [("open", 2), ("open", 1)]


@pytest.mark.parametrize("token", ["", "x", "A" * 75])
def test_a_form_without_its_token_is_not_taken(visitor: Client, inbox: MemoryInbox, token: str, caplog: Any):
    get(visitor, "/")
    assert press(visitor, "/clear", token=token).status == 403
    assert len(inbox.groups()) == 2
    assert "a form was refused" in caplog.text


def test_a_token_of_somebody_elses_browser_is_not_taken(
    visitor: Client, pages: InboxPages, client: Callable[..., Client]
):
    get(visitor, "/")
    theirs = token_of(get(client(pages, script_name="/.errors"), "/"))
    assert press(visitor, "/clear", token=theirs).status == 403


def test_a_form_of_yesterday_is_not_taken(visitor: Client, clock: Clock):
    token = token_of(get(visitor, "/"))
    clock.advance(13 * 3600)
    answer = press(visitor, "/clear", token=token)
    assert answer.status == 403
    assert "the form is too old. Open the page again" in answer.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/clear", "/E-22222/resolve", "/E-22222/delete"])
def test_only_a_post_changes_anything(visitor: Client, inbox: MemoryInbox, method: str, path: str):
    answer = visitor.request(method, f"{path}?token={token_of(get(visitor, '/'))}")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert [group.state for group in inbox.groups()] == ["open", "open"]


@pytest.mark.parametrize("path", ["/", "/K7QX-M3PZ", "/index.json"])
def test_what_is_read_cannot_be_posted_to(visitor: Client, path: str):
    answer = visitor.post(path, form={"a": "b"})
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"token": "x"}'),
        ("text/plain", b"token=x"),
        ("multipart/form-data; boundary=x", b"--x--"),
        ("", b"token=x"),
        ("application/x-www-form-urlencoded", b""),
        ("application/x-www-form-urlencoded", b"token=" + b"x" * 5000),
    ],
)
def test_only_a_small_form_is_read(visitor: Client, kind: str, body: bytes):
    assert visitor.post("/clear", body=body, headers={"Content-Type": kind}).status == 400


def test_a_length_of_many_digits_is_no_small_form(visitor: Client):
    class Asked(io.BytesIO):
        most = 0

        def read(self, size: int | None = -1, /) -> bytes:
            Asked.most = max(Asked.most, -1 if size is None else size)
            return super().read(size)

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for length in ("0000000010", "0000000019999999999", "9" * 4000):
        visitor.environ |= {"CONTENT_LENGTH": length, "wsgi.input": Asked(b"token=x" + b"x" * 100_000)}
        assert visitor.post("/clear", body=b"token=x", headers=form).status == 400
    assert Asked.most == 0


# --- source ----------------------------------------------------------------------------------------------------------

SHOP = '''\
PASSWORD = "hunter2-and-more"


def price(sku):
    """What it costs."""
    first = 1
    second = 2
    third = 3
    fourth = 4
    fifth = 5
    sixth = 6
    seventh = 7
    eighth = 8
    ninth = 9
    prices = {}
    return prices[sku]


def other():
    return 1
'''


@pytest.fixture
def failed(tmp_path: Path, inbox: MemoryInbox) -> tuple[str, Path]:
    path = tmp_path / "shop.py"
    path.write_text(SHOP)
    names: dict[str, Any] = {}
    exec(compile(SHOP, str(path), "exec"), names)
    try:
        names["price"]("BREAD-7")
    except KeyError as error:
        kept = collect(error)
    inbox.add(kept)
    return kept.id, path


def source(visitor: Client, name: str, frame: str = "0.1", much: str = "function") -> Response:
    return visitor.get(f"/{name}/source?frame={frame}&all={much}", headers={"Accept": "application/json"})


def test_the_whole_function_is_shown_on_demand(visitor: Client, failed: tuple[str, Path]):
    lines = source(visitor, failed[0]).json()["lines"]
    assert [line["number"] for line in lines] == list(range(4, 17))
    assert lines[0]["text"] == "def price(sku):"


def test_the_whole_file_is_shown_on_demand_without_its_secrets(visitor: Client, failed: tuple[str, Path]):
    answer = source(visitor, failed[0], much="file")
    lines = answer.json()["lines"]
    assert [line["number"] for line in lines] == list(range(1, 21))
    assert "hunter2" not in answer.text
    assert "redacted" in lines[0]["text"]


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "0",
        "0.",
        ".1",
        "0.99",
        "9.0",
        "-1.0",
        "0.-1",
        "0.1.2",
        "../../etc/passwd",
        "0.1/../../etc/passwd",
        "٠.١",
        "9" * 50,
    ],
)
def test_c7_only_files_that_own_a_frame_of_the_error_are_shown(visitor: Client, failed: tuple[str, Path], frame: str):
    answer = source(visitor, failed[0], frame)
    assert answer.status == 404
    assert "lines" not in answer.json()


@pytest.mark.parametrize(
    "more", ["file=/etc/passwd", "path=/etc/passwd", "frame=/etc/passwd", "frame=0.1&file=/etc/passwd"]
)
def test_c7_nobody_can_name_a_file(visitor: Client, failed: tuple[str, Path], more: str):
    answer = visitor.get(f"/{failed[0]}/source?{more}&all=file")
    assert "root:x:" not in answer.text


def test_c7_a_record_that_names_another_file_shows_nothing_of_it(
    visitor: Client, inbox: MemoryInbox, failed: tuple[str, Path]
):
    """A file on the stack that is not the one that failed: moved, replaced, or named by who compiled it."""
    kept = inbox.find(failed[0])
    assert kept is not None
    frames = [replace(frame, path="/etc/passwd") for frame in kept.raised.frames]
    inbox.add(replace(kept, id="22QX-22QX", exceptions=(replace(kept.raised, frames=tuple(frames)),)))
    answer = source(visitor, "22QX-22QX", much="file")
    assert (answer.status, answer.json()) == (404, {"error": "the file has changed since"})


def test_a_file_that_has_changed_is_not_shown(visitor: Client, failed: tuple[str, Path]):
    failed[1].write_text("\n" + SHOP)
    assert source(visitor, failed[0]).json() == {"error": "the file has changed since"}
    failed[1].unlink()
    assert source(visitor, failed[0]).json() == {"error": "the file cannot be read any more"}


def test_c7_a_file_without_its_whole_path_is_not_looked_for(
    visitor: Client, inbox: MemoryInbox, failed: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
):
    kept = inbox.find(failed[0])
    assert kept is not None
    frames = [replace(frame, path=Path(frame.path).name) for frame in kept.raised.frames]
    inbox.add(replace(kept, id="22QX-22QX", exceptions=(replace(kept.raised, frames=tuple(frames)),)))
    monkeypatch.chdir(failed[1].parent)  # where it would be found
    assert source(visitor, "22QX-22QX").json() == {"error": "the source of this frame was not read"}


def test_frames_without_a_file_have_no_more_source(visitor: Client, inbox: MemoryInbox):
    for name, path in (("22QX-2222", "<string>"), ("22QX-3333", "shop.py"), ("22QX-4444", "")):
        sample = SAMPLES["simple"]()
        frames = tuple(replace(frame, path=path) for frame in sample.raised.frames)
        inbox.add(replace(sample, id=name, exceptions=(replace(sample.raised, frames=frames),)))
        assert source(visitor, name, "0.0").status == 404


def test_a_file_of_many_lines_is_shown_around_the_frame(visitor: Client, inbox: MemoryInbox, tmp_path: Path):
    path = tmp_path / "long.py"
    text = "".join(f"x{number} = {number}\n" for number in range(1, 9001))
    path.write_text(text.replace("x8000 = 8000\n", "x8000 = 1 / 0\n"))
    try:
        exec(compile(path.read_text(), str(path), "exec"), {})
    except ZeroDivisionError as error:
        kept = collect(error)
    inbox.add(kept)
    lines = source(visitor, kept.id, much="file").json()["lines"]
    assert len(lines) <= 5000
    assert lines[0]["number"] < 8000 < lines[-1]["number"]


# --- the app and the filter ------------------------------------------------------------------------------------------


def failing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    raise ValueError("out of bread")


def mounted(inbox_app: Any) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"].startswith("/kept"):
            environ = {**environ, "SCRIPT_NAME": "/kept", "PATH_INFO": environ["PATH_INFO"][5:]}
            return inbox_app(environ, start_response)
        return failing(environ, start_response)

    return app


LOCAL = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost"}


def local(app: Any, **environ: Any) -> Client:
    def at_this_machine(given: dict[str, Any], start_response: Any) -> Any:
        return app({**given, **LOCAL, **environ}, start_response)

    return Client(at_this_machine, lint=True)


def test_the_filter_keeps_what_fails_and_shows_it_while_debug_is_on():
    visitor = local(filter_factory({}, debug="true")(failing))
    answer = visitor.get("/basket")
    assert answer.status == 500
    name = answer.headers["X-Error-ID"]
    assert visitor.get("/.errors/latest.json").json()["id"] == name
    assert "out of bread" in visitor.get(f"/.errors/{name}").text
    assert visitor.get("/.errors").status == 301
    assert visitor.get("/.errorsx").status == 500  # the app's


def test_the_filter_shows_nothing_without_debug_or_to_strangers():
    quiet = local(filter_factory({})(failing))
    quiet.get("/")
    assert quiet.get("/.errors/index.json").status == 500
    for stranger in ({"REMOTE_ADDR": "10.0.0.5"}, {"HTTP_HOST": "evil.example"}, {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}):
        visitor = local(filter_factory({}, debug="true")(failing), **stranger)
        visitor.get("/")
        assert "bread" not in visitor.get("/.errors/index.json").text


def test_the_app_shows_what_the_filter_around_it_keeps():
    visitor = local(filter_factory({})(mounted(app_factory({}))))
    name = visitor.get("/").headers["X-Error-ID"]
    assert visitor.get("/kept/latest.json").json()["id"] == name


def test_the_app_shows_the_file_of_a_filter_elsewhere(tmp_path: Path):
    path = str(tmp_path / "errors.sqlite")
    failed_app = filter_factory({}, inbox=path)(failing)
    name = local(failed_app).get("/").headers["X-Error-ID"]
    app = app_factory({}, inbox=path)
    assert local(app).get("/latest.json").json()["id"] == name
    app.close()
    failed_app.close()


def test_the_app_says_when_there_is_nothing_that_it_could_show():
    answer = local(app_factory({})).get("/")
    assert answer.status == 404
    assert "No errors filter that keeps errors stands around this app" in answer.text
    assert local(app_factory({}), REMOTE_ADDR="10.0.0.5").get("/").status == 403


@pytest.mark.parametrize(
    "stranger",
    [
        {"REMOTE_ADDR": "10.0.0.5"},
        {"HTTP_HOST": "evil.example"},
        {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
        {"REMOTE_ADDR": ""},
    ],
    ids=["another machine", "DNS rebinding", "through a proxy", "nobody knows"],
)
def test_the_app_shows_nothing_to_strangers(tmp_path: Path, stranger: dict[str, str]):
    app = app_factory({}, inbox=str(tmp_path / "x.sqlite"))
    assert local(app, **stranger).get("/index.json").status == 403


def test_the_app_widens_by_peers_and_hosts(tmp_path: Path):
    app = app_factory({}, inbox=str(tmp_path / "x.sqlite"), allow_peers="10.0.0.0/8", allow_hosts="dev.example.com")
    assert local(app, REMOTE_ADDR="10.0.0.5", HTTP_HOST="dev.example.com").get("/index.json").status == 200
    assert local(app, REMOTE_ADDR="10.0.0.5", HTTP_HOST="evil.example").get("/index.json").status == 403
    app.close()


def test_a_rule_decides_wherever_the_client_is(tmp_path: Path):
    asked = []

    def allowed(rule: str) -> bool:
        asked.append(rule)
        return len(asked) == 1

    app = app_factory({}, inbox=str(tmp_path / "x.sqlite"), allow="role operator")
    far = {"REMOTE_ADDR": "203.0.113.7", "HTTP_HOST": "shop.example"}
    visitor = local(app, **far, **{"wheatpaste.allowed": allowed})
    assert visitor.get("/index.json").status == 200
    assert visitor.get("/index.json").status == 403
    assert asked == ["role operator"] * 2
    answer = local(app).get("/index.json")  # and without anybody who knows rules: nobody, not even at this machine
    assert answer.status == 403
    assert "no authentication filter stands around this app" in answer.text
    app.close()
