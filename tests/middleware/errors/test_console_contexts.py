"""The request is current again at a prompt, as Flask and Pyramid know it."""

from __future__ import annotations

import io
from types import FrameType
from typing import Any

import pytest

from wheatpaste.middleware.errors.audience import Audience
from wheatpaste.middleware.errors.catch import Catcher
from wheatpaste.middleware.errors.console.console import Console
from wheatpaste.middleware.errors.console.contexts import PreservedContexts
from wheatpaste.middleware.errors.console.evaluation import run
from wheatpaste.middleware.errors.desk import Desk
from wheatpaste.middleware.errors.record import ErrorRecord
from wheatpaste.middleware.errors.render.negotiated import public
from wheatpaste.testing import Client


def fail(app: Any, path: str) -> tuple[Console, ErrorRecord, str]:
    """Let an app fail behind the console; also the id of the frame that has raised."""
    console = Console(Audience(), path="/.errors/console", stream=io.StringIO(), anywhere=True)
    kept: list[tuple[ErrorRecord, dict[str, FrameType]]] = []

    def keep(record: ErrorRecord, frames: Any, environ: Any) -> None:
        kept.append((record, frames))
        console.keep(record.id, frames, environ)

    catcher = Catcher(PreservedContexts(app), Desk(on_frames=keep), public)
    assert Client(catcher, environ={"wheatpaste.peer": "127.0.0.1"}).get(path).status == 500
    ((record, frames),) = kept
    (last,) = [name for name, frame in frames.items() if frame.f_code.co_name == "failing"]
    return console, record, last


def at_the_prompt(console: Console, record: ErrorRecord, frame: str, code: str) -> str:
    error = console._errors.find(record.id)
    assert error is not None
    return run(error, frame, code).output


def test_flask_knows_its_request_and_its_app() -> None:
    import flask

    app = flask.Flask("shop")
    app.config["PROPAGATE_EXCEPTIONS"] = True

    @app.route("/order/<int:number>")
    def failing(number: int) -> str:
        flask.g.user = "Ada"
        raise ValueError(number)

    found = fail(app, "/order/42?a=1")
    for _ in range(2):  # again and again
        assert at_the_prompt(*found, "import flask; flask.request.url") == "'http://localhost/order/42?a=1'\n"
        assert at_the_prompt(*found, "flask.current_app.name") == "'shop'\n"
        assert at_the_prompt(*found, "flask.url_for('failing', number=7)") == "'/order/7'\n"
    assert not flask.has_request_context()


@pytest.mark.filterwarnings("ignore:pkg_resources is deprecated", "ignore:Deprecated call to `pkg_resources")
def test_pyramid_knows_its_request() -> None:
    from pyramid.config import Configurator
    from pyramid.threadlocal import get_current_request

    def failing(request: Any) -> None:
        raise ValueError("boom")

    with Configurator(settings={"shop": "fruit"}) as config:
        config.add_route("order", "/order/{number}")
        config.add_view(failing, route_name="order")
        app = config.make_wsgi_app()
    found = fail(app, "/order/42")
    code = "from pyramid.threadlocal import get_current_request as now; now().matchdict['number']"
    for _ in range(2):
        assert at_the_prompt(*found, code) == "'42'\n"
        assert at_the_prompt(*found, "now().registry.settings['shop']") == "'fruit'\n"
    assert get_current_request() is None


def test_an_app_that_leaves_none_needs_none() -> None:
    def failing(environ: dict[str, Any], start_response: Any) -> Any:
        raise ValueError("boom")

    assert at_the_prompt(*fail(failing, "/"), "environ['PATH_INFO']") == "'/'\n"
