"""The request that failed, from its environ: without secrets, and without reading what the app has not read.

``wsgi.input`` is never touched. A form is shown only if the app's framework has parsed it and left the result where
it can be found: WebOb, Werkzeug, Bottle and Paste keep it in the environ, Django and Flask in their requests, which are
looked for in the variables of the traceback. Reads ``wheatpaste.trace``, ``wheatpaste.peer``, ``wheatpaste.identity``,
``paste.parsed_formvars``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import quote, unquote_plus

from ....protocol.hosts import read_host
from ....protocol.paths import text_path
from ....protocol.peers import peer_of
from ....protocol.secret_names import is_plain, redacted, secrecy
from ....protocol.secret_texts import redact_text
from ....protocol.trace import KEY as TRACE
from ....protocol.trace import Trace
from ....protocol.wsgi import Environ
from ..record import Request, Step
from .classes import bases, instance_dict, module_name, short_name
from .redaction import Known
from .texts import clean_line
from .values import Budget, show

T = TypeVar("T")

_MOST_PAIRS = 100
_MOST_ROWS = 200
_MOST_NAME = 200
_MOST_URL = 4000
_MOST_RAW = 64 * 1024
_OVERLAP = 1000
_SCHEMES = (
    "basic",
    "bearer",
    "digest",
    "negotiate",
    "token",
    "apikey",
    "hawk",
    "dpop",
    "aws4-hmac-sha256",
    "signature",
)
_REQUESTS = frozenset({"request", "req", "ctx"})
_KEPT = {("django.http.request", "HttpRequest"): "_post", ("werkzeug.wrappers.request", "Request"): "form"}
_MOST_STEPS = 100
_IN_PATH = "/:@!$&'()*+,;=~[] "
# What servers put into the environ as they got it, query and all.
_TARGETS = frozenset({"REQUEST_URI", "RAW_URI", "UNENCODED_URL", "HTTP_REFERER"})


_Parameter = tuple[str, str, str]  # the name, the value as it was sent, and as it is shown


def request_of(environ: Environ, budget: Budget, error: BaseException | None = None) -> Request:
    """What is known of the request. ``error`` is where forms of Django and Flask are looked for."""
    return _RequestReader(environ, budget).read(error)


class _RequestReader:
    def __init__(self, environ: Environ, budget: Budget) -> None:
        self._environ: dict[Any, Any] = environ
        self._known: Known = budget.known
        self._budget = budget
        self._most = budget.settings.most_characters * 2

    def read(self, error: BaseException | None) -> Request:
        trace = self._get(TRACE)
        trace = trace if type(trace) is Trace else Trace()
        timed = TRACE in self._environ
        query = self._or("", lambda: self._text("QUERY_STRING"))
        none: list[_Parameter] = []
        pairs = self._or(none, lambda: list(self._query(query)))
        return Request(
            method=self._or("", lambda: self._line("REQUEST_METHOD")),
            url=self._or("", lambda: self._url(pairs)),
            protocol=self._or("", lambda: self._line("SERVER_PROTOCOL")),
            script_name=self._or("", lambda: self._path("SCRIPT_NAME")),
            path_info=self._or("", lambda: self._path("PATH_INFO")),
            peer=self._or("", lambda: self._clean(peer_of(self._environ))),
            client=self._or("", lambda: self._line("REMOTE_ADDR")),
            user=self._or("", lambda: self._user(trace)),
            request_id=self._or("", lambda: self._clean(trace.request_id or "")),
            query=tuple((name, shown) for name, _, shown in pairs),
            headers=self._or((), lambda: tuple(islice(self._headers(), _MOST_PAIRS))),
            cookies=self._or((), lambda: tuple(self._cookies())),
            form=self._or((), lambda: tuple(self._form(error))),
            environ=self._or((), lambda: tuple(self._rows(pairs))),
            mounts=tuple(
                Step(prefix=self._clean(each.prefix), host=self._clean(each.host), origin=self._clean(each.origin))
                for each in trace.mounts[:_MOST_PAIRS]
            ),
            notes=tuple(self._clean(each) for each in trace.notes[:_MOST_PAIRS]),
            elapsed=round(trace.elapsed(), 6) if timed else None,
        )

    # --- what it is made of

    def _or(self, otherwise: T, make: Callable[[], T]) -> T:
        try:
            return make()
        except Exception:  # noqa: BLE001 - an app may have put anything into the environ; the rest is still worth showing
            return otherwise

    def _get(self, key: str) -> Any:
        return dict.get(self._environ, key)

    def _text(self, key: str) -> str:
        value = self._get(key)
        return value if type(value) is str else ""

    def _clean(self, text: object, most: int = _MOST_NAME) -> str:
        """A text as one line without secrets."""
        if not isinstance(text, str):
            return ""
        found: list[str] = []
        shown = redact_text(clean_line(text[: most + _OVERLAP]), found)
        self._known.add_all(found)
        return clean_line(shown, most) if len(shown) > most or len(text) > most + _OVERLAP else shown

    def _line(self, key: str) -> str:
        return self._clean(self._text(key))

    def _path(self, key: str) -> str:
        return self._clean(_readable_path(self._text(key)), _MOST_URL)

    def _named(self, name: str, value: object, raw: str = "") -> str:
        """The value of this name as one line: a text is itself, whatever else is its repr."""
        if type(value) is not str:
            return show(name, value, self._budget).text
        if (strength := secrecy(name)) and not is_plain(value):
            # A client chooses these. Ordinary words among them are not looked for, or it could blank out a report.
            self._known.add(value, strength)
            if raw and raw != value:
                self._known.add(raw, strength)
            return redacted(value)
        return self._clean(_utf8(value), self._most)

    # --- parts of the request

    def _query(self, text: str) -> Iterator[_Parameter]:
        """Each name, its value as it was sent, and as it is shown. What is cut off by the bound is left out."""
        for part in text[:_MOST_RAW].split("&", _MOST_PAIRS)[:_MOST_PAIRS]:
            if part:
                name, _, raw = part.partition("=")
                name = unquote_plus(name, errors="replace")
                yield (
                    self._clean(name),
                    raw if "=" in part else "",
                    self._named(name, unquote_plus(raw[:_MOST_RAW], errors="replace"), raw),
                )

    def _shown_query(self, pairs: list[_Parameter]) -> str:
        parts = []
        for name, raw, shown in pairs:
            value = shown if "[redacted" in shown else clean_line(raw, self._most)
            parts.append(f"{quote(name, safe='[]/:.,-_')}={value}" if raw or shown else quote(name, safe="[]/:.,-_"))
        return "&".join(parts)

    def _url(self, pairs: list[_Parameter]) -> str:
        scheme = self._line("wsgi.url_scheme") or "http"
        host = read_host(self._text("HTTP_HOST"))
        if host is not None:
            place = str(host)
        else:
            port = self._line("SERVER_PORT")
            usual = {"http": "80", "https": "443"}.get(scheme)
            name = self._line("SERVER_NAME") or "localhost"
            place = name if port in ("", usual) else f"{name}:{port}"
        path = (self._text("SCRIPT_NAME").rstrip("/") + self._text("PATH_INFO"))[:_MOST_URL]
        text = text_path(path)
        found: list[str] = []
        if text is not None:
            path = quote(redact_text(text, found), safe=_IN_PATH, errors="replace")
        else:
            path = redact_text(quote(path, safe=_IN_PATH, encoding="latin-1", errors="replace"), found)
        self._known.add_all(found)
        query = self._shown_query(pairs)
        return self._clean(f"{scheme}://{place}{path or '/'}" + (f"?{query}" if query else ""), _MOST_URL)

    def _headers(self) -> Iterator[tuple[str, str]]:
        for key, value in list(dict.items(self._environ)):
            if type(key) is not str:
                continue
            if key.startswith("HTTP_"):
                name = key[5:]
            elif key in ("CONTENT_TYPE", "CONTENT_LENGTH") and value:
                name = key
            else:
                continue
            name = name.replace("_", "-").title()
            yield self._clean(name), self._or("", lambda name=name, value=value: self._header(name, value))  # type: ignore[misc]

    def _header(self, name: str, value: object) -> str:
        if type(value) is not str:
            return show(name, value, self._budget).text
        if name == "Cookie":
            return redacted(value)  # its parts are shown as cookies
        if name in ("Authorization", "Proxy-Authorization"):
            scheme, blank, credentials = value.partition(" ")
            self._clean(value, _MOST_RAW)  # learns a password in Basic credentials
            if blank and scheme.lower() in _SCHEMES:
                self._known.add(credentials, 2)
                return f"{scheme} {redacted(credentials)}"
        if name == "Referer":
            return self._target(value)
        return self._named(name, value)

    def _target(self, text: str) -> str:
        before, mark, query = text.partition("?")
        if not mark:
            return self._clean(text, self._most)
        return self._clean(f"{before}?{self._shown_query(list(self._query(query)))}", self._most)

    def _cookies(self) -> Iterator[tuple[str, str]]:
        for part in self._text("HTTP_COOKIE")[:_MOST_RAW].split(";", _MOST_PAIRS)[:_MOST_PAIRS]:
            name, _, value = part.strip().partition("=")
            if not name:
                continue
            value = value.strip('" ')
            if secrecy(name) or not _is_preference(value):
                self._known.add(value, max(secrecy(name), 1))
                yield self._clean(name), redacted(value) if value else ""
            else:
                yield self._clean(name), self._clean(value)

    def _user(self, trace: Trace) -> str:
        user = self._text("REMOTE_USER")
        if user:
            return self._clean(_utf8(user))
        identity = trace.identity or self._environ.get("wheatpaste.identity")
        if type(identity) is dict:
            for key in ("name", "id", "email"):
                if type(identity.get(key)) is str:
                    return self._clean(identity[key])
        return ""

    def _form(self, error: BaseException | None) -> Iterator[tuple[str, str]]:
        for name, value in islice(_fields(_parsed_form(self._environ, error)), _MOST_PAIRS):
            yield self._clean(name), self._named(name, value)

    def _rows(self, query: list[_Parameter]) -> Iterator[tuple[str, str]]:
        keys = [key for key in list(dict.keys(self._environ)) if type(key) is str and not key.startswith("HTTP_")]
        for key in sorted(keys)[:_MOST_ROWS]:
            value = self._get(key)
            if key == "QUERY_STRING":
                text = self._shown_query(query)
            elif key in _TARGETS and type(value) is str:
                text = self._target(value)
            elif key in ("PATH_INFO", "SCRIPT_NAME", "PATH_TRANSLATED") and type(value) is str:
                text = self._path(key)
            elif key == "paste.config":
                continue  # stands in the record as the configuration
            else:
                text = self._or("", lambda key=key, value=value: self._named(key, value))  # type: ignore[misc]
            yield self._clean(key), text


def _utf8(text: str) -> str:
    """A text of an environ, which stands for bytes, as the UTF-8 that it usually is."""
    read = text_path(text)
    return text if read is None else read


def _readable_path(path: str) -> str:
    """A WSGI path as text; where its bytes are not UTF-8, with escapes."""
    read = text_path(path)
    return ascii(path)[1:-1] if read is None else read


def _is_preference(value: str) -> bool:
    # Whatever identifies a session is longer, or has more digits than a language or a theme has.
    return len(value) <= 12 and sum(character.isdigit() for character in value) <= 4


def _parsed_form(environ: dict[Any, Any], error: BaseException | None) -> Any:
    """The form that somebody has parsed, or None."""
    for kept in (environ.get("webob._parsed_post_vars"), environ.get("paste.parsed_formvars")):
        if type(kept) is tuple and kept:
            return kept[0]
    for key in ("bottle.request.forms", "bottle.request.post", "bottle.request.POST"):
        kept = dict.get(environ, key)
        if kept is not None:
            return kept
    form = _form_of(dict.get(environ, "werkzeug.request"))
    return form if form is not None or error is None else _form_in_frames(error)


def _form_in_frames(error: BaseException) -> Any:
    """The form of a request among the variables of a traceback, where Django and Flask have it."""
    step = BaseException.__dict__["__traceback__"].__get__(error)
    for _ in range(_MOST_STEPS):
        if step is None:
            break
        frame = step.tb_frame
        for name in _REQUESTS.intersection(frame.f_code.co_varnames):
            held = frame.f_locals.get(name)
            for each in (held, (instance_dict(held) or {}).get("request")):
                if (form := _form_of(each)) is not None:
                    return form
        step = step.tb_next
    return None


def _form_of(request: Any) -> Any:
    """What a request of Django's or Werkzeug's keeps once it has parsed its form."""
    for kind in bases(type(request)):
        slot = _KEPT.get((module_name(kind), short_name(kind)))
        if slot is not None:
            return (instance_dict(request) or {}).get(slot)
    return None


def _fields(form: Any) -> Iterator[tuple[str, Any]]:
    """Names and values of the kinds of form that frameworks make, read without their methods."""
    held = instance_dict(form) or {}
    if issubclass(type(form), dict):
        items: list[tuple[Any, Any]] = list(dict.items(form))
    elif type(pairs := held.get("_items")) is list:  # WebOb, Paste
        items = pairs
    elif type(lists := held.get("dict")) is dict:  # Bottle
        items = list(lists.items())
    else:
        return
    for item in items:
        if type(item) is not tuple or len(item) != 2:
            continue
        name, value = item
        for each in value if type(value) is list else (value,):
            yield str(name)[:_MOST_NAME] if type(name) is str else "", each
