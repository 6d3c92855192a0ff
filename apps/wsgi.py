"""An app that exists already: any WSGI callable, named as ``module:object``.

For whatever has no factory of paste.deploy: Django's ``mysite.wsgi:application``, Flask's ``shop:app``, or
``shop:create_app`` with ``factory = true``. Writes no environ keys.
"""

from __future__ import annotations

import inspect
from typing import Any

from ..config.built import lend
from ..config.factories import make_app_factory
from ..config.options import OptionError, component, option
from ..config.values import Imported
from ..protocol.wsgi import Body, Environ, StartResponse


@component
class Wsgi:
    """Mount a WSGI application that exists already, by its name in Python.

    The object itself answers the requests: nothing is wrapped around it.
    """

    app: Imported = option(doc="The application, as module:object.", sample="mysite.wsgi:application")
    factory: bool = option(default=False, doc="Call the object without arguments; what it returns is the application.")

    def __post_init__(self) -> None:
        app = self.app
        if self.factory:
            if not callable(app):
                raise OptionError("Wsgi", "app", f"is {_kind(app)} and cannot be called, although `factory = true`")
            app = app()
        if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(getattr(app, "__call__", None)):  # noqa: B004
            raise OptionError("Wsgi", "app", "is an asynchronous (ASGI) application; WSGI is served here")
        if not callable(app):
            raise OptionError("Wsgi", "app", f"is {_kind(app)}, not a WSGI application")
        if not _takes_requests(app):
            hint = "" if self.factory else "; `factory = true` calls it for the application"
            raise OptionError("Wsgi", "app", f"does not take (environ, start_response) as WSGI applications do{hint}")
        object.__setattr__(self, "app", app)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Hand the request over."""
        body: Body = self.app(environ, start_response)
        return body


def _app_of(made: Wsgi) -> Any:
    if not made.factory:
        lend(made.app)  # its module holds it, and another section may mount it later
    return made.app


app_factory = make_app_factory(Wsgi, finish=_app_of)


def _takes_requests(app: Any) -> bool:
    """Whether it can be called with an environ and start_response, as far as its signature tells."""
    try:
        signature = inspect.signature(app)
    except (TypeError, ValueError):  # it has none, as callables written in C
        return True
    try:
        signature.bind({}, None)
    except TypeError:
        return False
    return True


def _kind(thing: object) -> str:
    return "a module" if inspect.ismodule(thing) else f"of type {type(thing).__name__}" if thing is not None else "None"
