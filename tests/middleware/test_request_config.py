"""The site's configuration reaches apps, at every moment at which their code runs and at no other."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.util import FileWrapper

import pytest
from paste.deploy.config import CONFIG, ConfigMiddleware

from wheatpaste.middleware.request_config import RequestConfig, filter_factory
from wheatpaste.testing import Client

TEXT = [("Content-Type", "text/plain")]


class Body:
    """A body that reads the configuration at each step."""

    def __init__(self, log: list[Any], error: Exception | None = None) -> None:
        self.log, self.error, self.step = log, error, 0

    def __iter__(self) -> Iterator[bytes]:
        self.log.append(("iter", CONFIG["who"]))
        return self

    def __next__(self) -> bytes:
        self.step += 1
        self.log.append(("next", CONFIG["who"]))
        if self.error is not None:
            raise self.error
        if self.step > 2:
            raise StopIteration
        return CONFIG["who"].encode()

    def close(self) -> None:
        self.log.append(("close", CONFIG["who"]))


def streaming(log: list[Any], error: Exception | None = None) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        log.append(("call", CONFIG["who"], environ["paste.config"]["who"]))
        start_response("200 OK", list(TEXT))
        return Body(log, error)

    return app


def listing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", list(TEXT))
    return [CONFIG["who"].encode()]


def nothing_is_left() -> bool:
    return CONFIG.current_conf() is None


def test_the_configuration_is_there_at_every_step_and_gone_in_between(client: Callable[..., Client]) -> None:
    log: list[Any] = []
    with client(RequestConfig(streaming(log), {"who": "a"})).get("/", stream=True) as response:
        pieces = iter(response)
        assert next(pieces) == b"a"
        assert nothing_is_left()
    assert nothing_is_left()
    assert log[0] == ("call", "a", "a")
    assert ("next", "a") in log
    assert log[-1] == ("close", "a")


def test_two_streams_of_one_thread_do_not_see_each_other(client: Callable[..., Client]) -> None:
    first = client(RequestConfig(streaming([]), {"who": "first"})).get("/", stream=True)
    second = client(RequestConfig(streaming([]), {"who": "second"})).get("/", stream=True)
    assert first.body == b"first" * 2
    assert second.body == b"second" * 2
    assert nothing_is_left()


@pytest.mark.parametrize("error", [OSError("disk"), KeyboardInterrupt()], ids=["an error", "an interrupt"])
def test_errors_in_the_body_leave_nothing_behind(error: Any) -> None:
    log: list[Any] = []
    with pytest.raises(type(error)):
        Client(RequestConfig(streaming(log, error), {"who": "a"})).get("/")
    assert log[-1] == ("close", "a")
    assert nothing_is_left()


def test_errors_of_the_app_leave_nothing_behind_but_what_reporters_show(client: Callable[..., Client]) -> None:
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        seen["environ"] = environ
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        Client(RequestConfig(app, {"who": "a"})).get("/")
    assert nothing_is_left()
    assert seen["environ"]["paste.config"] == {"who": "a"}


def test_each_request_gets_a_copy() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", list(TEXT))
        environ["paste.config"]["count"] += "1"
        return [environ["paste.config"]["count"].encode()]

    client = Client(RequestConfig(app, {"count": "0"}))
    assert [client.get("/").text, client.get("/").text] == ["01", "01"]


@pytest.mark.parametrize("inner", [listing, streaming([])], ids=["a list", "a stream"])
def test_the_configuration_of_the_outer_site_is_put_back(inner: Any, client: Callable[..., Client]) -> None:
    seen: list[Any] = []

    def between(environ: dict[str, Any], start_response: Any) -> Any:
        body = RequestConfig(inner, {"who": "inner"})(environ, start_response)
        text = b"".join(body)
        if hasattr(body, "close"):
            body.close()
        seen.append(environ["paste.config"]["who"])
        return [text, CONFIG["who"].encode()]

    response = client(RequestConfig(between, {"who": "outer"})).get("/")
    assert response.text in ("innerouter", "innerinnerouter")
    assert seen == ["outer"]


@pytest.mark.parametrize(
    "body", [[b"x"], (b"x",), FileWrapper(io.BytesIO(b"x"))], ids=["a list", "a tuple", "a file for the server"]
)
def test_a_body_without_code_stays_itself(body: Any) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", list(TEXT))
        return body

    assert Client(RequestConfig(app, {})).get("/").iterable is body


def test_a_length_stays_a_length() -> None:
    class Sized(Body):
        def __len__(self) -> int:
            return 2

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", list(TEXT))
        return Sized([])

    response = Client(RequestConfig(app, {"who": "a"})).get("/")
    assert len(response.iterable) == 2  # type: ignore[arg-type]


def test_the_section_goes_over_what_it_inherits() -> None:
    app = filter_factory({"who": "default", "here": "/srv"}, who="section", any="key")(listing)
    assert app.config == {"who": "section", "here": "/srv", "any": "key"}


def test_without_a_global_configuration_it_works_from_python() -> None:
    assert Client(filter_factory(None, who="a")(listing)).get("/").text == "a"


def test_the_repr_holds_no_configuration() -> None:
    assert "hunter2" not in repr(RequestConfig(listing, {"password": "hunter2"}))


# PasteDeploy's filter is the measure. Ours differs where that one cannot stream without Paste, keeps the configuration
# in place between the steps of a stream, and fails when one thread sends two responses alternately.
@pytest.mark.parametrize("make", [lambda: listing, lambda: streaming([])], ids=["a list", "a stream"])
def test_it_answers_as_pastedeploys_filter(make: Callable[[], Any], client: Callable[..., Client]) -> None:
    config = {"who": "a", "here": "/srv"}
    ours, theirs = (client(kind(make(), config)).get("/") for kind in (RequestConfig, ConfigMiddleware))
    assert ours.body == theirs.body
    assert ours.environ["paste.config"] == theirs.environ["paste.config"] == config
