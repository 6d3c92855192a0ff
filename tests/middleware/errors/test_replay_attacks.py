"""Replay as an attacker meets it: other sites, other machines, guesses, links, and what answers and pages hold."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import Any

import pytest
from replay_site import OWN_PAGE, FailingApp, ReplaySite, well
from strange_pages import Changed, strange_headers

from wheatpaste.middleware.errors.audience import Audience
from wheatpaste.middleware.errors.catch_errors import CatchErrors
from wheatpaste.testing import Client

SECRETS = ("COOKIE-5f3a9bQ1", "BEARER-77aa12Zz", "BODY-0c1d2e3fXy", "QUERY-9b8a7c6dKk", "HEADER-4e5f6a7bMm")
COOKIE, BEARER, BODY, QUERY, HEADER = SECRETS


@pytest.fixture
def app() -> FailingApp:
    return FailingApp()


@pytest.fixture
def site(app: FailingApp) -> ReplaySite:
    return ReplaySite(app)


BY_HEADER = strange_headers("localhost")


@pytest.mark.parametrize("headers", list(BY_HEADER.values()), ids=list(BY_HEADER))
def test_a_request_that_is_not_from_our_page_runs_nothing(
    site: ReplaySite, app: FailingApp, headers: Changed, caplog: pytest.LogCaptureFixture
) -> None:
    id = site.fail()
    assert site.post(id, headers=headers).status == 403
    assert len(app.seen) == 1
    assert "no request is run again" in caplog.text
    assert site.run(id)["passed"] is False  # and the developer is not locked out by it


ELSEWHERE: dict[str, dict[str, Any]] = {
    "another machine": {"wheatpaste.peer": "10.0.0.5", "REMOTE_ADDR": "10.0.0.5"},
    "another machine that is said to be this one": {"wheatpaste.peer": "10.0.0.5", "REMOTE_ADDR": "127.0.0.1"},
    "a proxy": {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
    "a proxy of RFC 7239": {"HTTP_FORWARDED": "for=127.0.0.1"},
    "the PROXY protocol": {"wheatpaste.peer": "unknown", "wheatpaste.proxied_by": "127.0.0.1"},
    "a UNIX socket": {"wheatpaste.peer": "", "REMOTE_ADDR": ""},
    "DNS rebinding": {"HTTP_HOST": "evil.example", "HTTP_ORIGIN": "http://evil.example"},
    "a host that begins like ours": {"HTTP_HOST": "localhost.evil.example"},
    "a host with an address in it": {"HTTP_HOST": "127.0.0.1.nip.io"},
}


@pytest.mark.parametrize("environ", list(ELSEWHERE.values()), ids=list(ELSEWHERE))
def test_who_may_not_see_details_gets_the_apps_answer(
    site: ReplaySite, app: FailingApp, environ: dict[str, Any]
) -> None:
    """As if nothing were there."""
    id = site.fail()
    app.mended = well
    for answer in (
        site.post(id, environ=environ),
        site.client.get(f"/.errors/replay?error={id}", environ=environ),
    ):
        assert answer.body == b"well"
    assert [each["PATH_INFO"] for each in app.seen[1:]] == ["/.errors/replay"] * 2


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_post_runs(site: ReplaySite, app: FailingApp, method: str) -> None:
    id = site.fail()
    answer = site.post(id, method=method, path=f"/.errors/replay?error={id}&confirmed=true&run=1", confirmed=True)
    assert answer.status == (200 if method in ("GET", "HEAD") else 403)
    assert len(app.seen) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "get", "MERGE"])
@pytest.mark.parametrize("confirmed", [None, False, 1, "true", [], {}])
def test_what_changes_things_is_run_only_when_somebody_has_confirmed(
    site: ReplaySite, app: FailingApp, method: str, confirmed: Any
) -> None:
    id = site.fail(method)
    assert site.state(id)["safe"] is False
    assert site.post(id, confirmed=confirmed).status == 403
    assert len(app.seen) == 1
    assert site.run(id, confirmed=True)["passed"] is False


def test_a_link_runs_nothing(site: ReplaySite, app: FailingApp) -> None:
    """Neither the address of the endpoint nor anything behind the # of a page."""
    id = site.fail("POST")
    navigation = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    site.client.get(f"/.errors/replay?error={id}&confirmed=true", headers=navigation)
    assert len(app.seen) == 1


READS = {
    "a picture": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    "a script": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
    "a fetch": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    "a frame": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
}


@pytest.mark.parametrize("headers", list(READS.values()), ids=list(READS))
def test_another_sites_page_learns_nothing(site: ReplaySite, headers: dict[str, str]) -> None:
    id = site.fail()
    assert site.client.get(f"/.errors/replay?error={id}", headers=headers).status == 403


@pytest.mark.parametrize("id", ["AAAA-AAAA", "", "../x", None, 1, [], {}, "x" * 500, "\x00"])
def test_guessed_ids_find_nothing(site: ReplaySite, app: FailingApp, id: Any) -> None:
    site.fail()
    answer = site.post(id, confirmed=True)
    assert answer.status == 404
    assert len(app.seen) == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"[]", b"null", b'{"error":', b"[" * 900, b'{"error": "' + b"x" * 2000 + b'"}'],
    ids=["nothing", "no JSON", "a list", "null", "a part", "a deep list", "too much"],
)
def test_what_is_no_question_is_refused(site: ReplaySite, app: FailingApp, body: bytes) -> None:
    site.fail()
    assert site.client.post("/.errors/replay", body=body, headers=OWN_PAGE).status == 400
    assert len(app.seen) == 1


@pytest.mark.parametrize("length", ["-1", "+5", "1" * 5000, "x", ""])
def test_a_length_that_is_none_is_refused(site: ReplaySite, length: str) -> None:
    answer = site.client.post("/.errors/replay", body=b"{}", headers=OWN_PAGE, environ={"CONTENT_LENGTH": length})
    assert answer.status == 400


# --- somebody else's request ------------------------------------------------------------------------------------------


def test_another_client_does_not_act_with_somebodys_cookies(app: FailingApp) -> None:
    site = ReplaySite(app, audience=Audience(["192.168.1.0/24"]))
    id = site.fail(environ={"REMOTE_ADDR": "192.168.1.10"})
    for address in ("192.168.1.11", "127.0.0.1"):
        answer = site.post(id, environ={"REMOTE_ADDR": address})
        assert answer.status == 403
        assert "another client" in answer.json()["error"]
    assert len(app.seen) == 1
    assert site.run(id, environ={"REMOTE_ADDR": "192.168.1.10"})["passed"] is False


def test_all_addresses_of_this_machine_are_one_client(site: ReplaySite) -> None:
    """A browser chooses among them for each connection."""
    id = site.fail(environ={"REMOTE_ADDR": "::1"})
    assert site.run(id, environ={"REMOTE_ADDR": "127.0.0.1"})["passed"] is False


def test_behind_a_proxy_where_clients_look_alike_nothing_is_changed_for_another(app: FailingApp) -> None:
    site = ReplaySite(app, audience=Audience(["*"]))
    proxied = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.5"}
    id = site.fail("POST", environ=proxied)
    answer = site.post(id, confirmed=True, environ=proxied)
    assert answer.status == 403
    assert "through a proxy" in answer.json()["error"]
    assert site.run(site.fail(environ=proxied), environ=proxied)["passed"] is False


def test_another_site_of_this_user_does_not_run_it(site: ReplaySite, app: FailingApp) -> None:
    """Should a shelf ever be shared, each site has only its own."""
    id = site.fail()
    assert site.post(id, environ={"SERVER_PORT": "81", "HTTP_HOST": "localhost", **origin_of("81")}).status == 404
    assert len(app.seen) == 1


def origin_of(port: str) -> dict[str, str]:
    return {"HTTP_HOST": f"localhost:{port}", "HTTP_ORIGIN": f"http://localhost:{port}"}


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_no_secret_of_the_request_is_in_any_page_answer_log_or_record(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[bytes] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input"].read()
        raise KeyError("pears")

    component = CatchErrors(app, debug=True)
    client = Client(component)
    sent = {"Cookie": f"session={COOKIE}", "Authorization": f"Bearer {BEARER}", "X-Api-Key": HEADER}
    for accept in ("text/html", "application/json", "text/markdown", "*/*"):
        answer = client.post(f"/?token={QUERY}", form={"password": BODY}, headers={**sent, "Accept": accept})
        told.append(answer.body)
    id = answer.headers["X-Error-ID"]
    told.append(client.get(f"/.errors/replay?error={id}").body)
    run = client.post("/.errors/replay", json={"error": id, "confirmed": True}, headers=OWN_PAGE)
    assert run.json()["passed"] is False
    told.append(run.body)
    told += [client.get(f"/.errors/{run.json()['id']}{form}").body for form in ("", ".json", ".md", ".txt")]
    told.append(caplog.text.encode())
    component.close()
    for secret in SECRETS:
        assert not [each for each in told if secret.encode() in each], secret


def test_the_answers_are_nobody_elses(site: ReplaySite) -> None:
    id = site.fail()
    for answer in (
        site.client.get(f"/.errors/replay?error={id}"),
        site.post(id),
        site.post("x"),
        site.post(id, headers={"Origin": "x"}),
    ):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Type"] == "application/json"


def test_markup_in_an_error_is_text_in_the_answer(site: ReplaySite, app: FailingApp) -> None:
    def hostile(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise ValueError("</script><img src=x onerror=alert(1)>\x1b[31m")

    id = site.fail()
    app.mended = hostile
    answer = site.post(id)
    assert answer.headers["Content-Type"] == "application/json"
    assert "<img" in json.loads(answer.body)["headline"]
    assert b"\x1b" not in answer.body


def test_a_line_break_of_a_client_makes_no_line_in_the_log(site: ReplaySite, caplog: pytest.LogCaptureFixture) -> None:
    id = site.fail("POST")
    site.post(id, environ={"HTTP_ORIGIN": "http://x\nCRITICAL forged"})
    assert "\nCRITICAL" not in caplog.text
