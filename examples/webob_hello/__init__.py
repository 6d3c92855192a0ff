"""A doorman, written with WebOb: greets by name, remembers the name in a cookie, and says which address it heard.

How it greets is a *global* setting (``greeting``), so one section of an INI file can ``set`` it for this app alone.
"""

from urllib.parse import quote, unquote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import jinja2
from webob import Request, Response
from webob.dec import wsgify
from webob.exc import HTTPMethodNotAllowed, HTTPNotFound, HTTPSeeOther

COOKIE = "hello_name"
NAME_LIMIT = 40

templates = jinja2.Environment(loader=jinja2.PackageLoader(__name__), autoescape=True)


def make_app(global_conf: dict[str, str]) -> WSGIApplication:
    """A paste.deploy app factory."""

    @wsgify
    def hello(request: Request) -> Response:
        if request.environ["PATH_INFO"] == "/knock":
            # Fails on purpose: the template asks for somebody whom it was not given.
            return Response(templates.get_template("knock.html").render(name="a stranger"))
        if request.environ["PATH_INFO"] not in ("", "/"):
            raise HTTPNotFound("There is one door only.")
        if request.method == "POST":
            return remember(request)
        if request.method not in ("GET", "HEAD"):
            raise HTTPMethodNotAllowed()
        page = templates.get_template("hello.html").render(
            greeting=global_conf.get("greeting", "Hello"),
            name=unquote(request.cookies.get(COOKIE, "")),
            action=request.application_url + "/",
            heard={
                "Host": request.host,
                "SCRIPT_NAME": request.script_name or "(empty)",
                "PATH_INFO": request.path_info or "(empty)",
            },
            limit=NAME_LIMIT,
        )
        return Response(page, cache_control="no-store")

    return hello


def remember(request: Request) -> Response:
    """Keep the name in a cookie that only this mount gets to see."""
    response = HTTPSeeOther(location=request.application_url + "/")
    name = request.POST.get("name", "").strip()[:NAME_LIMIT]
    response.set_cookie(COOKIE, quote(name), path=request.script_name or "/", httponly=True, samesite="lax")
    return response


class Postmark:
    """A filter that stamps every response with a header."""

    def __init__(self, app: WSGIApplication, text: str) -> None:
        self.app = app
        self.text = text

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse):
        def stamped(status, headers, exc_info=None):
            return start_response(status, [*headers, ("X-Postmark", self.text)], exc_info)

        return self.app(environ, stamped)


def make_postmark(global_conf: dict[str, str], text: str):
    """A paste.deploy filter factory."""
    return lambda app: Postmark(app, text)
