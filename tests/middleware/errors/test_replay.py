"""Replay: which request is run again, what the app gets of it, and what is told of the outcome."""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from replay_site import OWN_PAGE, TEXT, FailingApp, ReplaySite, well

from wheatpaste.middleware.errors.catch_errors import CatchErrors
from wheatpaste.middleware.errors.replay.run import MOST_BYTES
from wheatpaste.protocol import shelf
from wheatpaste.protocol.trace import Mount, Trace
from wheatpaste.testing import Client

SECRETS = {"Cookie": "session=COOKIE-5f3a9b", "Authorization": "Bearer BEARER-77aa12"}


@pytest.fixture
def app() -> FailingApp:
    return FailingApp()


@pytest.fixture
def site(app: FailingApp) -> ReplaySite:
    return ReplaySite(app)


# --- what is run ------------------------------------------------------------------------------------------------------


def test_row_47_the_request_is_run_again_with_its_method_headers_and_body(site: ReplaySite, app: FailingApp) -> None:
    id = site.fail("POST", "/orders/7?page=2", form={"fruit": "pears", "password": "secret"}, headers=SECRETS)
    assert site.run(id, confirmed=True)["passed"] is False
    first, second = app.seen
    for key in (
        "REQUEST_METHOD",
        "SCRIPT_NAME",
        "PATH_INFO",
        "QUERY_STRING",
        "REQUEST_URI",
        "CONTENT_TYPE",
        "CONTENT_LENGTH",
        "HTTP_COOKIE",
        "HTTP_AUTHORIZATION",
        "HTTP_HOST",
        "REMOTE_ADDR",
        "SERVER_PROTOCOL",
        "wsgi.url_scheme",
    ):
        assert first[key] == second[key], key
    assert app.bodies == [b"fruit=pears&password=secret"] * 2


def test_it_has_nothing_of_the_request_that_asks(site: ReplaySite, app: FailingApp) -> None:
    id = site.fail()
    site.run(id, headers={"Cookie": "console=other", "X-Of-The-Page": "1"})
    second = app.seen[1]
    assert not {"HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE", "CONTENT_TYPE", "HTTP_COOKIE", "HTTP_X_OF_THE_PAGE"} & set(second)
    assert app.bodies[1] == b""


def test_it_comes_as_it_came_even_where_the_app_has_changed_its_environ(site: ReplaySite, app: FailingApp) -> None:
    def shifts(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        app.seen.append(dict(environ))
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = "/shop", "/x"
        environ["HTTP_COOKIE"] = "changed"
        raise KeyError

    site = ReplaySite(shifts)
    id = site.fail(path="/shop/x", headers=SECRETS)
    site.run(id)
    assert [(each["SCRIPT_NAME"], each["PATH_INFO"], each["HTTP_COOKIE"]) for each in app.seen] == [
        ("", "/shop/x", SECRETS["Cookie"])
    ] * 2


def test_it_finds_what_filters_further_out_put_there(app: FailingApp) -> None:
    def outside(inner: Any) -> Any:
        def call(environ: dict[str, Any], start_response: Any) -> Any:
            environ["beaker.session"] = {"user": "ann"}
            environ["webob._parsed_query_vars"] = ("of this request", "alone")
            environ["werkzeug.request"] = object()
            Trace.of(environ).take(Mount("/mounted"))
            return inner(environ, start_response)

        return call

    site = ReplaySite(app, around=outside)
    site.run(site.fail())
    assert app.seen[1]["beaker.session"] == {"user": "ann"}
    assert not {"webob._parsed_query_vars", "werkzeug.request"} & set(app.seen[1])
    first, second = (each["wheatpaste.trace"] for each in app.seen)
    assert first is not second
    assert second.script_name == "/mounted"


def test_the_environment_of_the_process_is_not_kept_with_it(app: FailingApp) -> None:
    """Some servers put it into each environ."""
    site = ReplaySite(app)
    site.fail(environ={"AWS_SECRET_ACCESS_KEY": "PROCESS-SECRET", "PATH": "/bin"})
    assert b"PROCESS-SECRET" not in site.shelf.read()


def test_the_filters_own_pages_do_not_answer_it(site: ReplaySite, app: FailingApp) -> None:
    """A request that failed before the filter had such an address may have gone there."""
    id = site.fail(path="/elsewhere")
    kept = json.loads(site.shelf.read())
    kept[0]["environ"]["PATH_INFO"] = "/.errors/replay"
    site.shelf.change(lambda data: json.dumps(kept).encode())
    site.run(id)
    assert app.seen[1]["PATH_INFO"] == "/.errors/replay"


# --- what is told -----------------------------------------------------------------------------------------------------


def test_a_mended_app_passes(site: ReplaySite, app: FailingApp) -> None:
    id = site.fail()
    app.mended = well
    told = site.run(id)
    assert (told["passed"], told["status"], told["cut"]) == (True, "200 OK", False)
    assert told["seconds"] >= 0


def test_the_same_failure_is_told_with_its_new_id_and_place(site: ReplaySite) -> None:
    id = site.fail()
    told = site.run(id)
    assert (told["passed"], told["same"], told["headline"]) == (False, True, "KeyError: 'pears'")
    assert told["id"] != id
    assert "replay_site.py" in told["place"]


def test_another_failure_is_told_from_the_same(site: ReplaySite, app: FailingApp) -> None:
    def otherwise(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise ValueError("apples")

    id = site.fail()
    app.mended = otherwise
    told = site.run(id)
    assert (told["passed"], told["same"], told["headline"]) == (False, False, "ValueError: apples")


def test_the_new_error_is_in_the_inbox_and_can_be_run_again_too(site: ReplaySite, app: FailingApp) -> None:
    id = site.fail("PUT", "/x", body=b"whole")
    second = site.run(id, confirmed=True)["id"]
    record = site.inbox.find(second)
    assert record is not None
    assert record.request is not None
    assert (record.request.method, record.request.path_info) == ("PUT", "/x")
    site.run(second, confirmed=True)
    assert app.bodies == [b"whole"] * 3


class Pieces:
    """A body that fails where it holds an exception, and knows whether it was closed."""

    def __init__(self, pieces: Iterable[bytes | Exception], in_close: Exception | None = None) -> None:
        self.pieces = iter(pieces)
        self.in_close = in_close
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self) -> None:
        self.closed += 1
        if self.in_close is not None:
            raise self.in_close


BROKEN = {
    "before its first piece": lambda: Pieces([ValueError("body")]),
    "in the middle": lambda: Pieces([b"x", ValueError("body")]),
    "in close": lambda: Pieces([b"x"], ValueError("body")),
}


@pytest.mark.parametrize("make", list(BROKEN.values()), ids=list(BROKEN))
def test_a_body_that_breaks_is_a_failure(site: ReplaySite, app: FailingApp, make: Any) -> None:
    body = make()

    def breaks(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        return body  # type: ignore[no-any-return]

    id = site.fail()
    app.mended = breaks
    assert site.run(id)["headline"] == "ValueError: body"
    assert body.closed == 1


def test_a_reply_without_end_is_cut_and_closed(site: ReplaySite, app: FailingApp) -> None:
    def forever() -> Iterator[bytes]:
        while True:
            yield b"x" * 100_000

    body = Pieces(forever())

    def streams(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        return body

    id = site.fail()
    app.mended = streams
    told = site.run(id)
    assert (told["passed"], told["cut"]) == (True, True)
    assert body.closed == 1
    assert MOST_BYTES < 10_000_000


def test_what_is_written_counts_as_sent(site: ReplaySite, app: FailingApp) -> None:
    def writes(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", TEXT)(b"some")
        raise ValueError("later")

    id = site.fail()
    app.mended = writes
    told = site.run(id)
    assert (told["passed"], told["headline"]) == (False, "ValueError: later")


def test_an_exception_that_is_an_answer_further_out_passes(app: FailingApp) -> None:
    class NotFound(Exception):
        pass

    def outside(inner: Any) -> Any:
        return lambda environ, start_response: inner(
            {**environ, "paste.expected_exceptions": [NotFound]}, start_response
        )

    def answers(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise NotFound

    site = ReplaySite(app, around=outside)
    id = site.fail()
    app.mended = answers
    told = site.run(id)
    assert (told["passed"], told["status"]) == (True, "NotFound")


def test_it_runs_once_at_a_time(site: ReplaySite, app: FailingApp) -> None:
    entered, goes_on = threading.Event(), threading.Event()

    def waits(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        entered.set()
        assert goes_on.wait(timeout=20)
        return well(environ, start_response)

    id = site.fail()
    other = site.fail()
    app.mended = waits
    first: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: first.append(site.run(id)))
    thread.start()
    try:
        assert entered.wait(timeout=20)
        assert site.post(id).status == 409
        app.mended = well
        assert site.run(other)["passed"]  # another one does not wait
    finally:
        goes_on.set()
        thread.join(timeout=20)
    assert first[0]["passed"]
    assert site.run(id)["passed"]


def test_one_that_ends_the_process_can_be_run_again_afterwards(site: ReplaySite, app: FailingApp) -> None:
    def leaves(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise SystemExit(3)

    id = site.fail()
    app.mended = leaves
    with pytest.raises(SystemExit):
        site.post(id)
    app.mended = well
    assert site.run(id)["passed"]


def test_an_error_that_the_app_has_reported_itself_can_be_run_again(site: ReplaySite, app: FailingApp) -> None:
    ids: list[str] = []

    def reports(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        first = environ["wsgi.input"].read(2)
        try:
            raise ValueError("handled")
        except ValueError as error:
            ids.append(environ["wheatpaste.errors"].report(error, environ))
        rest = environ["wsgi.input"].read()
        start_response("200 OK", TEXT)
        return [first + rest]

    app.reads, app.mended = 0, reports
    assert site.client.post("/", body=b"in two parts").body == b"in two parts"
    told = site.run(ids[0], confirmed=True)
    assert (told["passed"], told["headline"]) == (False, "ValueError: handled")
    assert len(ids) == 2


# --- changes ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module of the app, which has been imported."""
    (tmp_path / "replayed_shop.py").write_text("def app(environ, start_response):\n    raise KeyError('pears')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("replayed_shop")
    del sys.modules["replayed_shop"]


def mend(module: ModuleType) -> None:
    Path(str(module.__file__)).write_text("# mended\n")


def test_row_48_the_page_learns_which_of_its_files_have_changed(module: ModuleType) -> None:
    site = ReplaySite(module.app)
    id = site.fail()
    assert site.state(id)["changed"] == []
    mend(module)
    told = site.state(id)
    assert [name.rpartition("/")[2] for name in told["changed"]] == ["replayed_shop.py"]


@pytest.mark.parametrize("older", [False, True], ids=["an edit", "a file of before, put back with its time"])
def test_this_process_still_has_the_old_code(module: ModuleType, older: bool) -> None:
    site = ReplaySite(module.app)
    id = site.fail()
    mend(module)
    if older:
        os.utime(str(module.__file__), (1, 1))
    told = site.state(id)
    assert (told["stale"], told["restarted"], told["reloads"]) == (True, False, False)


def test_row_48_the_next_process_runs_what_failed_in_the_last_one(module: ModuleType, app: FailingApp) -> None:
    before = ReplaySite(module.app)
    id = before.fail("POST", "/orders", form={"fruit": "pears"}, headers=SECRETS)
    mend(module)
    before.replay.close()
    app.mended = well
    after = ReplaySite(app, shelf=before.shelf, process="second")
    told = after.state(id)
    assert (told["kept"], told["restarted"], told["stale"], len(told["changed"])) == (True, True, False, 1)
    assert after.run(id, confirmed=True)["passed"]
    assert app.bodies == [b"fruit=pears"]
    assert app.seen[0]["HTTP_COOKIE"] == SECRETS["Cookie"]
    told = after.state(id)
    assert (told["restarted"], told["changed"]) == (False, [])  # until the next change


def test_a_file_that_was_removed_has_changed(module: ModuleType) -> None:
    site = ReplaySite(module.app)
    id = site.fail()
    Path(str(module.__file__)).unlink()
    assert len(site.state(id)["changed"]) == 1


def test_after_another_failure_its_files_are_watched(module: ModuleType, app: FailingApp) -> None:
    before = ReplaySite(app)
    id = before.fail()
    after = ReplaySite(module.app, shelf=before.shelf, process="second")
    after.run(id)
    mend(module)
    assert [name.rpartition("/")[2] for name in after.state(id)["changed"]] == ["replayed_shop.py"]


def test_a_template_is_not_code_that_the_process_has_read(site: ReplaySite, tmp_path: Path) -> None:
    template = tmp_path / "page.html"
    template.write_text("x")

    def fails(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        exec(compile("raise KeyError", str(template), "exec"))
        return []

    site = ReplaySite(fails)
    id = site.fail()
    template.write_text("better")
    told = site.state(id)
    assert [name.rpartition("/")[2] for name in told["changed"]] == ["page.html"]
    assert told["stale"] is False


# --- the component ----------------------------------------------------------------------------------------------------


def page_of(component: CatchErrors, path: str = "/", **how: Any) -> tuple[str, str]:
    headers = {"Accept": "text/html", **how.pop("headers", {})}
    answer = Client(component).request(how.pop("method", "GET"), path, headers=headers, **how)
    return answer.text, answer.headers.get("X-Error-ID", "")


def asks(component: CatchErrors, id: str, **how: Any) -> Any:
    return Client(component, **how).get(f"/.errors/replay?error={id}").json()


def test_the_page_in_debug_mode_has_it(app: FailingApp) -> None:
    component = CatchErrors(app, debug=True)
    page, id = page_of(component)
    assert 'data-replay="/.errors/replay"' in page
    assert "Run it again" in page
    assert asks(component, id)["kept"] is True
    inbox = Client(component).get(f"/.errors/{id}", headers={"Accept": "text/html"}).text
    assert 'data-replay="/.errors/replay"' in inbox
    again = Client(component).post("/.errors/replay", json={"error": id}, headers=OWN_PAGE).json()
    assert again["headline"] == "KeyError: 'pears'"
    assert Client(component).get(f"/.errors/{again['id']}").status == 200
    component.close()
    assert asks(component, id)["kept"] is False


@pytest.mark.parametrize(
    "options",
    [{"debug": True, "replay": False}, {"debug": False}, {"debug": False, "console": True}],
    ids=["it is off", "without debug", "without debug, but with the console"],
)
def test_otherwise_nothing_is_kept(app: FailingApp, options: dict[str, Any]) -> None:
    component = CatchErrors(app, **options)
    page, _ = page_of(component, method="POST", body=b"x")
    assert "data-replay" not in page
    assert "wheatpaste.replay" not in app.seen[0]
    answer = Client(component).get("/.errors/replay?error=x")
    assert answer.status in (404, 500)  # the app's, or the inbox's
    component.close()


def test_below_a_mount_its_address_is_there_too(app: FailingApp) -> None:
    component = CatchErrors(app, debug=True)
    answer = Client(component, script_name="/shop").get("/x", headers={"Accept": "text/html"})
    assert 'data-replay="/shop/.errors/replay"' in answer.text
    component.close()


def test_without_an_inbox_it_works_all_the_same(app: FailingApp) -> None:
    component = CatchErrors(app, debug=True, inbox="none")
    page, id = page_of(component)
    assert 'data-replay="/.errors/replay"' in page
    assert Client(component).post("/.errors/replay", json={"error": id}, headers=OWN_PAGE).json()["passed"] is False
    component.close()


@pytest.fixture
def reloader(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process is the child of a reloader."""
    monkeypatch.setattr(shelf, "_inherited", None)
    descriptor = shelf.new_shelf()
    shelf.inherit(descriptor)
    yield
    os.close(descriptor)


@pytest.mark.usefixtures("reloader")
def test_row_48_under_a_reloader_the_filter_of_the_next_process_has_it(app: FailingApp) -> None:
    before = CatchErrors(app, debug=True)
    _, id = page_of(before)
    before.close()
    after = CatchErrors(well, debug=True)
    told = asks(after, id)
    assert (told["kept"], told["reloads"]) == (True, True)
    assert Client(after).post("/.errors/replay", json={"error": id}, headers=OWN_PAGE).json()["passed"] is True
    after.close()


def test_two_filters_of_one_process_do_not_mix_their_requests(app: FailingApp) -> None:
    site = ReplaySite(app)
    id = site.fail()
    other = ReplaySite(FailingApp(), shelf=site.shelf)
    other.client.script_name = "/other"
    assert other.client.get(f"/.errors/replay?error={id}").json()["kept"] is False
    answer = other.client.post("/.errors/replay", json={"error": id}, headers=OWN_PAGE)
    assert answer.status == 404
