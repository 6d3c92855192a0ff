"""Answer with a redirect: to one fixed place, or to the same page under its canonical scheme and host.

Where a redirect leads is decided by the configuration. Of the request only the path and the query can be carried over,
percent-encoded and behind the target's own path, and the host only where it is one of the configured ones.
Writes no environ keys.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Literal, NamedTuple

from ..config.factories import make_app_factory
from ..config.options import OptionError, at_least, component, option
from ..config.records import field
from ..config.values import Seconds
from ..protocol.hosts import parse_host, read_host
from ..protocol.paths import refusal, safe_location, script_name, uri_path, uri_query
from ..protocol.wsgi import Body, Environ, Headers, StartResponse
from .answers import TEXT, answer, bad_request, not_found

_TARGET = re.compile(r"(?:(?P<origin>https?://[^/?#\\@]+))?(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?P<fragment>#.*)?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_UNFIT = re.compile(r"[\x00-\x20\x7f\\]")


def _target_complaint(to: str) -> str | None:
    if not to:
        return None
    if _UNFIT.search(to):
        return "must not hold blanks, control characters or backslashes; write them percent-encoded"
    if to.startswith("//"):
        return "must say the scheme of the host that it names, such as https://"
    found = _TARGET.fullmatch(to)
    if found is None or (found["origin"] is None and _SCHEME.match(to)):
        return "must be a path, or a URL that begins with http:// or https://"
    if found["origin"] is not None:
        if found["path"][:1] not in ("", "/"):
            return "must be a path, or a URL that begins with http:// or https:// and has no user name"
        try:
            parse_host(found["origin"].partition("://")[2])
        except ValueError as error:
            return f"has no usable host: {error}"
    if any(step in (".", "..") for step in found["path"].split("/")):
        return "must not hold . or .. as a step of its path"
    return None


def _hosts_complaint(hosts: tuple[str, ...]) -> str | None:
    for host in hosts:
        try:
            if parse_host(host.removeprefix("*.")).port is not None:
                return f"takes host names without ports, not {host!r}"
        except ValueError as error:
            return f"holds {host!r}: {error}"
    return None


class _Target(NamedTuple):
    """A target in the form that goes into a ``Location``; ``origin`` is empty for one on this host."""

    origin: str
    path: str
    query: str
    fragment: str


def _read_target(to: str) -> _Target:
    found = _TARGET.fullmatch(to)
    if found is None:
        return _Target("", "/", "", "")
    origin = ""
    if found["origin"]:
        scheme, _, place = found["origin"].partition("://")
        origin = f"{scheme}://{parse_host(place)}"
    fragment = "#" + _ascii(found["fragment"][1:]) if found["fragment"] else ""
    return _Target(origin, _ascii(found["path"]), _ascii(found["query"] or ""), fragment)


@component
class Redirect:
    """Redirect every request.

    With ``to = https://new.example/docs`` all requests go there; ``keep_path`` appends what stood behind the mount.
    With ``https`` or ``www`` instead, the same page is asked for again at its canonical address, for the configured
    ``hosts`` only: other hosts are answered with 400, and a request that is already right with 404.
    """

    to: str = option(
        default="",
        doc="A URL, a path on this host such as /new, or without its first slash a path below the mount.",
        check=_target_complaint,
        sample="/new",
    )
    code: Literal[308, 307, 301, 302, 303] = option(
        default=308,
        doc="308 and 301 are for good, 307, 302 and 303 for now; 308 and 307 keep the method and the body.",
    )
    keep_path: bool = option(default=False, doc="Append the path behind the mount to the target.")
    keep_query: bool = option(default=True, doc="Append the query of the request to the target.")
    https: bool = option(default=False, doc="Redirect to the same page over https; needs hosts.")
    www: Literal["add", "remove"] | None = option(
        default=None, doc="Redirect to the same page on the host with, or without, www. in front; needs hosts."
    )
    hosts: tuple[str, ...] = option(
        default=(),
        doc="The hosts that https and www may lead to; *.example.com stands for all hosts below example.com.",
        check=_hosts_complaint,
    )
    max_age: Seconds | None = option(
        default=None,
        doc="How long browsers may remember it; empty leaves it to them, which for 301 and 308 can be for ever.",
        check=at_least(0),
    )

    _target: _Target = field(init=False, repr=False)

    def __post_init__(self) -> None:
        canonical = self.https or self.www is not None
        if bool(self.to) == canonical:
            raise OptionError(
                "Redirect", "to", "give a target, or https or www, but not both" if self.to else "say where to redirect"
            )
        if canonical and not self.hosts:
            raise OptionError(
                "Redirect", "hosts", "is needed with https and www: name the hosts that may be redirected to"
            )
        object.__setattr__(self, "_target", _read_target(self.to))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Answer with the redirect, whatever the method; 400 for a path that could mean another place."""
        if found := refusal(environ):
            return bad_request(environ, start_response, found.value)
        if self.to:
            return self._redirect(environ, start_response, self._location(environ))
        return self._canonical(environ, start_response)

    def _location(self, environ: Environ) -> str:
        origin, path, own_query, fragment = self._target
        if not origin and path[:1] != "/":
            path = f"{uri_path(script_name(environ))}/{path}"
        # The path of OPTIONS * is no path: behind a host it would be another host.
        if self.keep_path and (rest := environ.get("PATH_INFO", ""))[:1] == "/":
            path = path.rstrip("/") + uri_path(rest)
        if not origin:
            # Slashes at the front must not make a host of the first step.
            path = "/" + path.lstrip("/")
        query = "&".join(part for part in (own_query, self._query(environ)) if part)
        return f"{origin}{path}{'?' if query else ''}{query}{fragment}"

    def _canonical(self, environ: Environ, start_response: StartResponse) -> Body:
        asked = read_host(environ.get("HTTP_HOST", ""))
        if asked is None:
            return bad_request(environ, start_response, "This host is not served here.")
        scheme: str = environ.get("wsgi.url_scheme", "http")
        host = asked.host
        if self.www == "add" and not host.startswith("www."):
            host = f"www.{host}"
        elif self.www == "remove":
            host = host.removeprefix("www.")
        if not self._knows(host):
            return bad_request(environ, start_response, "This host is not served here.")
        wanted = "https" if self.https else scheme
        if (wanted, host) == (scheme, asked.host):
            return not_found(environ, start_response)
        port = asked.without_default_port(scheme).port
        # A port belongs to its scheme: nobody told us on which one https is spoken beside it.
        authority = host if port is None or wanted != scheme else f"{host}:{port}"
        location = safe_location(script_name(environ) + environ.get("PATH_INFO", ""), self._query(environ))
        return self._redirect(environ, start_response, f"{wanted}://{authority}{location}")

    def _knows(self, host: str) -> bool:
        for known in self.hosts:
            if known.startswith("*."):
                if host.endswith("." + parse_host(known[2:]).host):
                    return True
            elif host == parse_host(known).host:
                return True
        return False

    def _query(self, environ: Environ) -> str:
        return uri_query(environ.get("QUERY_STRING", "")) if self.keep_query else ""

    def _redirect(self, environ: Environ, start_response: StartResponse, location: str) -> Body:
        headers: Headers = [("Location", location)]
        if self.max_age is not None:
            headers.append(("Cache-Control", f"max-age={int(self.max_age)}"))
        status = HTTPStatus(self.code)
        body = f"See {location}\n".encode()
        return answer(environ, start_response, f"{status.value} {status.phrase}", body, TEXT, headers)


def _ascii(text: str) -> str:
    """What a deployer wrote in other alphabets, percent-encoded; escapes that are there already stay."""
    return text if text.isascii() else uri_query(text)


app_factory = make_app_factory(Redirect)
