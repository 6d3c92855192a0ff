"""Requests to apps of the frameworks are run again as whole as they came: forms, files, JSON, cookies, sessions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import bottle
import flask
import pytest
from replay_site import ReplaySite
from webob.dec import wsgify

Heard = list[tuple[dict[str, str], bytes, str]]


class Broken(Exception):
    pass


def with_flask(heard: Heard) -> Any:
    app = flask.Flask("shop")
    app.config["PROPAGATE_EXCEPTIONS"] = True

    @app.post("/order")
    def order() -> str:
        sent = flask.request
        file = sent.files["file"].read() if sent.files else b""
        heard.append((sent.form.to_dict() or sent.get_json(silent=True) or {}, file, sent.cookies.get("session", "")))
        raise Broken

    return app


def with_bottle(heard: Heard) -> Any:
    app = bottle.Bottle()
    app.config["catchall"] = False

    def order() -> None:
        sent = bottle.request
        file = sent.files["file"].file.read() if sent.files else b""
        heard.append((sent.json or dict(sent.forms), file, sent.get_cookie("session") or ""))
        raise Broken

    app.post("/order", callback=order)
    return app


def with_webob(heard: Heard) -> Any:
    @wsgify  # type: ignore[misc]
    def app(request: Any) -> None:
        form = {name: value for name, value in request.POST.items() if isinstance(value, str)}
        file = request.POST["file"].file.read() if "file" in request.POST else b""
        sent = form or (request.json_body if request.content_type == "application/json" else {})
        heard.append((sent, file, request.cookies.get("session", "")))
        raise Broken

    return app


SENT: dict[str, dict[str, Any]] = {
    "a form": {"form": {"fruit": "pears"}},
    "a file": {"form": {"fruit": "pears"}, "files": {"file": ("a.bin", bytes(range(256)))}},
    "JSON": {"body": json.dumps({"fruit": "pears"}).encode(), "headers": {"Content-Type": "application/json"}},
}
FRAMEWORKS = {"Flask": with_flask, "Bottle": with_bottle, "WebOb": with_webob}


@pytest.mark.parametrize("sent", list(SENT.values()), ids=list(SENT))
@pytest.mark.parametrize("make", list(FRAMEWORKS.values()), ids=list(FRAMEWORKS))
def test_row_47_a_framework_gets_the_same_again(make: Callable[[Heard], Any], sent: dict[str, Any]) -> None:
    heard: Heard = []
    site = ReplaySite(make(heard))
    headers = {**sent.get("headers", {}), "Cookie": "session=of-ann"}
    id = site.fail("POST", "/order", **{**sent, "headers": headers})
    told = site.run(id, confirmed=True)
    assert (told["passed"], told["same"], told["headline"]) == (False, True, "Broken")
    first, second = heard
    assert first == second
    assert first[0] == {"fruit": "pears"}
    assert first[2] == "of-ann"
