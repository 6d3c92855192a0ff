"""World clocks, written with WebOb. What cannot be answered is raised: `webob.exc` travels outwards.

Run it inside a filter that turns those exceptions into answers (``egg:wheatpaste#httpexceptions``).
"""

from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import jinja2
from webob import Request, Response
from webob.exc import HTTPFound, HTTPNotFound

templates = jinja2.Environment(loader=jinja2.PackageLoader(__name__), autoescape=True, trim_blocks=True)


class Clock:
    def __init__(self, zones: list[str]) -> None:
        known = available_timezones()  # empty on a machine without a time zone database: then there is UTC alone
        self.zones: dict[str, tzinfo] = {"UTC": UTC, **{name: ZoneInfo(name) for name in zones if name in known}}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        return self.answer(request)(environ, start_response)

    def answer(self, request: Request) -> Response:
        """``/`` shows every clock, ``/Europe/Berlin`` one of them; ``/space`` fails on purpose."""
        try:
            wanted = request.path_info.strip("/")
        except UnicodeDecodeError:
            raise HTTPNotFound("The address is not UTF-8.") from None
        if request.path_info == "":
            raise HTTPFound(location=request.application_url + "/")
        if wanted == "missing":
            return self.missing(request)
        if wanted == "space":
            wind(["Moon/Tranquillity", "Mars/Olympus", "Venus/Ishtar"])
        if wanted and wanted not in self.zones:
            raise HTTPNotFound(f"No clock here is set to {wanted}.")
        zones = {wanted: self.zones[wanted]} if wanted else self.zones
        now = datetime.now(UTC)
        page = templates.get_template("clock.html").render(
            clocks=[(name, now.astimezone(zone)) for name, zone in zones.items()],
            home=request.application_url + "/",
            mount=request.script_name,
            alone=bool(wanted),
        )
        return Response(page, cache_control="no-store")

    def missing(self, request: Request) -> Response:
        """The page for a clock that is not there. A server that asks for it says what for, in ``REDIRECT_URL``."""
        asked = request.environ.get("REDIRECT_URL", "").encode("latin-1").decode("utf-8", "replace")
        page = templates.get_template("missing.html").render(
            asked=asked.rsplit("/", 1)[-1], clocks=list(self.zones), home=request.application_url + "/"
        )
        return Response(page, cache_control="no-store")


def wind(names: list[str]) -> list[ZoneInfo]:
    """Clocks for these zones. Raises a group with one exception for each that there is not."""
    wound: list[ZoneInfo] = []
    stopped: list[ZoneInfoNotFoundError] = []
    for name in names:
        try:
            wound.append(ZoneInfo(name))
        except ZoneInfoNotFoundError as error:
            error.add_note(f"the clock of {name} has stopped")
            stopped.append(error)
    if stopped:
        raise ExceptionGroup("nobody has wound these clocks", stopped)
    return wound


def make_app(global_conf: dict[str, str], zones: str) -> WSGIApplication:
    """A paste.deploy app factory; ``zones`` are names of the time zone database, separated by blanks."""
    return Clock(zones.split())
