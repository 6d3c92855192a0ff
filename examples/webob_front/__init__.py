"""The start page of the demo, written with WebOb.

Each poster carries the lines of the INI files that mount it, read from those files: the page cannot tell a tale.
"""

from pathlib import Path
from wsgiref.types import WSGIApplication

import jinja2
from webob import Request, Response
from webob.dec import wsgify
from webob.exc import HTTPBadRequest, HTTPMethodNotAllowed

from .ini_lines import IniLines

templates = jinja2.Environment(
    loader=jinja2.PackageLoader(__name__), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


def make_app(global_conf: dict[str, str]) -> WSGIApplication:
    """A paste.deploy app factory. The page quotes the INI file that it was loaded from, and the annex beside it."""
    wall = IniLines(Path(global_conf["__file__"]))
    annex = IniLines(wall.path.with_name("demo_annex.ini"))

    @wsgify
    def page(request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            raise HTTPMethodNotAllowed()
        try:
            path = request.script_name + request.path_info
        except UnicodeDecodeError:
            raise HTTPBadRequest("The address is not UTF-8.") from None
        home = request.path_info in ("", "/")
        text = templates.get_template("front.html" if home else "missing.html").render(
            top=request.script_name + "/",
            tenant=f"{request.scheme}://demo.localhost:{request.host_port}/",
            path=path,
            wall=wall,
            annex=annex,
        )
        return Response(text, status=200 if home else 404)

    return page
