"""Mount apps below paths and host names.

Stands where requests part ways: filters for all apps go around it, filters for one app inside. Each app gets an
environ of its own, in which ``SCRIPT_NAME`` has grown by the mount and ``PATH_INFO`` has shrunk by it. Writes
``wheatpaste.trace`` (the mounts taken) and, for the app that answers when nothing fits, ``paste.urlmap_object``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from threading import Lock
from typing import Annotated, Any, Literal

from ..config.factories import make_composite_factory
from ..config.mounts import KeyProblem, Mount
from ..config.options import OptionError, component, option, options_of
from ..config.origin import building
from ..config.problems import nearest
from ..config.records import field
from ..config.values import AppName
from ..protocol.hosts import HostPort, read_host
from ..protocol.paths import refusal, safe_location, script_name, slash_location
from ..protocol.trace import KEY as TRACE
from ..protocol.trace import Trace
from ..protocol.wsgi import Body, Environ, StartResponse, WSGIApp
from .answers import Row, answer, redirect
from .mount_keys import Key, Place, merged, normalise_key
from .mount_table import Entry, MountTable

# Servers of these versions may leave out Host (RFC 9112 section 3.2 demands it from HTTP/1.1 on).
_WITHOUT_HOST = ("HTTP/1.0", "HTTP/0.9", "")


def _host_patterns(hosts: Any) -> str | None:
    for host in hosts:
        try:
            normalise_key((host, ""))
        except ValueError as error:
            return f"{host!r}: {error}"
    return None


@component
class URLMap(MutableMapping[Key, WSGIApp]):
    """Mount apps below paths and host names: the most specific host wins, then the longest path.

    ``URLMap({"/": site, "/wiki": wiki, "http://*.example.com/": tenants})``. It is a mutable mapping, also while it
    serves: a request sees the mounts as they were when it came. Keys are ``"/path"``, ``"http://host:port/path"``,
    ``"host/path"`` or ``(host, path)``, and iterating gives the last form, with None for any host.

    A path that could be read in two ways is refused (400). A host's mounts come before those of any host, and
    ``*.example.com`` stands for one label or more, never for ``example.com`` itself. The scheme of a key is not
    compared. ``paste_rules`` are the habits of Paste's urlmap: repeated slashes count as one when paths are compared,
    and assigning None unmounts.

    Raises ``OptionError`` for keys that are no place to mount at, or that mean the same place twice.
    """

    apps: Mapping[Key, WSGIApp] = field(default_factory=dict, kw_only=False, repr=False)
    not_found_app: Annotated[Any, AppName()] | None = option(
        default=None, inherits=True, doc="The app that answers where nothing is mounted.", sample="missing"
    )
    slash: Literal["none", "append", "force"] = option(
        default="none",
        doc="What becomes of a request for a mount without a slash at its end: none passes it on with an empty "
        "PATH_INFO, append redirects to the slash, force pretends that it was there.",
    )
    merge_slashes: Literal["off", "redirect"] = option(
        default="off", doc="Redirect GET and HEAD requests that hold repeated slashes to the path without them."
    )
    encoded_slash: Literal["reject", "allow"] = option(
        default="reject",
        doc="Whether %2F, %5C and %00 may stand in the part of the path that mounts are compared with.",
    )
    dots: Literal["reject", "literal"] = option(
        default="reject", doc="Whether . and .. segments are refused or passed on as they are; they are never resolved."
    )
    exclusive: tuple[str, ...] = option(
        default=(),
        doc="Hosts whose requests never fall through to mounts of less specific hosts.",
        check=_host_patterns,
        sample="admin.example.com",
    )
    debug: bool = option(
        default=False, inherits=True, doc="List the mounts in the answer where nothing is mounted; never in public."
    )
    paste_rules: bool = field(default=False, repr=False)
    _table: MountTable = field(init=False, repr=False)
    _lock: Lock = field(init=False, repr=False, default_factory=Lock)

    def __post_init__(self) -> None:
        entries: dict[Place, Entry] = {}
        for key, app in self.apps.items():
            try:
                place = self._place(key)
            except ValueError as error:
                raise OptionError("URLMap", str(key), str(error)) from error
            if place in entries:
                raise OptionError("URLMap", str(key), f"{place} is mounted twice")
            entries[place] = Entry.of(place, _checked(app))
        self._swap(self._made(entries.values()))

    def _made(self, entries: Iterable[Entry]) -> MountTable:
        exclusive = [normalise_key((host, "")).host for host in self.exclusive]
        return MountTable.build(entries, exclusive=exclusive, merge_slashes=self.paste_rules)

    def _swap(self, table: MountTable) -> None:
        # Frozen for everybody else: one reference is replaced, and requests under way keep the table that they have.
        object.__setattr__(self, "_table", table)

    def _place(self, key: Key) -> Place:
        return normalise_key(key, merge_slashes=self.paste_rules)

    @property
    def table(self) -> MountTable:
        """The mounts at this moment; it never changes."""
        return self._table

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Hand the request to the app that is mounted where it goes."""
        # The hot path of the whole house: everything is looked up once, and what is rare is asked for last.
        table = self._table
        path: str = environ.get("PATH_INFO", "")
        raw: str = environ.get("REQUEST_URI") or environ.get("RAW_URI") or ""
        # is_ordinary(path, raw), written out: the call would cost as much as the tests.
        if not (
            path[:1] == "/"
            and ("." not in path or "/." not in path)
            and "\\" not in path
            and path.isascii()
            and path.isprintable()
            and "%" not in raw
            and ("." not in raw or "/." not in raw)
        ):
            refused = refusal(environ, dots=self.dots, encoded_slash=self.encoded_slash, depth=table.guarded)
            if refused is not None:
                return answer(environ, start_response, "400 Bad Request", refused)
        host = None
        if table.by_host:
            header: str = environ.get("HTTP_HOST", "")
            host = read_host(header)
            if host is None and (header or environ.get("SERVER_PROTOCOL", "") not in _WITHOUT_HOST):
                text = "The Host of the request is missing or invalid."
                return answer(environ, start_response, "400 Bad Request", text)
        if self.merge_slashes == "redirect" and "//" in path and environ.get("REQUEST_METHOD") in ("GET", "HEAD"):
            target = safe_location(script_name(environ) + merged(path), environ.get("QUERY_STRING", ""))
            return redirect(start_response, target)
        entry = table.find(path, host, environ.get("wsgi.url_scheme", "http")) if host else table.find_any(path)
        if entry is None or path == "*":
            return self._answer_nowhere(table, host, environ, start_response)
        prefix = entry.prefix
        script: str = environ.get("SCRIPT_NAME", "")
        if script and script[-1] == "/":
            script, path = script.rstrip("/"), path or "/"
        rest = path[len(prefix) :] if not table.merge_slashes else table.rest(entry, path)
        if not rest and self.slash != "none" and (script or prefix):
            if self.slash == "force":
                rest = "/"
            elif environ.get("REQUEST_METHOD") in ("GET", "HEAD"):
                return redirect(start_response, slash_location(environ))
        trace: Trace | None = environ.get(TRACE)
        if trace is None:
            environ[TRACE] = Trace(None, entry.steps)
        else:
            trace.mounts += entry.steps
        child = environ.copy()  # in half the time that a display of it with the two keys takes
        child["SCRIPT_NAME"] = script + prefix
        child["PATH_INFO"] = rest
        return entry.app(child, start_response)  # type: ignore[no-any-return]  # the table holds anything

    def _answer_nowhere(
        self, table: MountTable, host: HostPort | None, environ: Environ, start_response: StartResponse
    ) -> Body:
        if self.not_found_app is not None:
            child = environ.copy()
            child["SCRIPT_NAME"] = script_name(environ)
            child["paste.urlmap_object"] = self
            return self.not_found_app(child, start_response)  # type: ignore[no-any-return]  # any WSGI app
        rows = self._rows(table, host, environ) if self.debug else ()
        text = "Nothing is mounted here."
        return answer(environ, start_response, "404 Not Found", text, rows=rows, rows_title="What is mounted")

    def _rows(self, table: MountTable, host: HostPort | None, environ: Environ) -> list[Row]:
        path, scheme = environ.get("PATH_INFO", ""), environ.get("wsgi.url_scheme", "http")
        if path == "*":
            path = ""
        closest = table.closest(path, host, scheme)
        return [
            Row(str(candidate.entry.place), candidate.reason, candidate.entry is closest)
            for candidate in table.candidates(path, host, scheme)
        ]

    def __getitem__(self, key: Key) -> WSGIApp:
        """The app mounted at exactly this place. Raises ``KeyError``."""
        entry = self._table.at(self._known(key))
        if entry is None:
            raise KeyError(key)
        return entry.app  # type: ignore[no-any-return]  # the table holds anything; here only apps enter it

    def __setitem__(self, key: Key, app: WSGIApp | None) -> None:
        """Mount an app, or replace the one that is there. Raises ``ValueError`` where nothing can be mounted."""
        place = self._place(key)
        if app is None and self.paste_rules:
            self._unmount(place, missing_ok=True)
            return
        entry = Entry.of(place, _checked(app))
        with self._lock:
            self._swap(self._table.with_entry(entry))

    def __delitem__(self, key: Key) -> None:
        """Unmount. Raises ``KeyError``."""
        self._unmount(self._known(key))

    def _unmount(self, place: Place, *, missing_ok: bool = False) -> None:
        with self._lock:
            if self._table.at(place) is not None:
                self._swap(self._table.without(place))
            elif not missing_ok:
                raise KeyError(place)

    def _known(self, key: Key) -> Place:
        try:
            return self._place(key)
        except ValueError as error:
            raise KeyError(key) from error

    def __iter__(self) -> Iterator[Key]:
        """``(host, path)`` of each mount, None for any host, in the order in which they take requests."""
        for entry in self._table:
            yield (entry.place.host or None, entry.place.path)

    def __len__(self) -> int:
        return len(self._table)

    # Two maps with the same mounts are still two apps; a mapping's equality would also take away the hash.
    __eq__ = object.__eq__
    __hash__ = object.__hash__


def _checked(app: Any) -> Any:
    if not callable(app):
        raise TypeError(f"a WSGI app is callable, and {app!r} is not")
    return app


def read_mounts(texts: Mapping[str, str]) -> tuple[list[Mount], list[KeyProblem]]:
    """Read the keys of a section that are no options: mounts in order of precedence, and what is wrong."""
    return _read(texts, merge_slashes=False)


def read_paste_mounts(texts: Mapping[str, str]) -> tuple[list[Mount], list[KeyProblem]]:
    """The same for Paste's name, whose keys may hold repeated slashes."""
    return _read(texts, merge_slashes=True)


def _read(texts: Mapping[str, str], *, merge_slashes: bool) -> tuple[list[Mount], list[KeyProblem]]:
    taken: dict[Place, Mount] = {}
    problems: list[KeyProblem] = []
    for key, reference in texts.items():
        try:
            place = normalise_key(key, merge_slashes=merge_slashes)
        except ValueError as error:
            problems.append(_key_problem(key, error))
            continue
        if place in taken:
            problems.append(KeyProblem(key, f"mounts {place} again, as {taken[place].key!r} does", "keep one of them"))
            continue
        if not reference.strip():
            problems.append(
                KeyProblem(key, "names no app", "write the name of an app, or a reference such as egg:NAME")
            )
            continue
        taken[place] = Mount(key, reference.strip(), *place)
    table = MountTable.build(Entry.of(place, mount) for place, mount in taken.items())
    return [entry.app for entry in table], problems


def _key_problem(key: str, error: ValueError) -> KeyProblem:
    option_meant = nearest(key, [each.name for each in options_of(URLMap)])
    if option_meant is not None:
        return KeyProblem(key, "is neither an option nor a path", f"did you mean {option_meant!r}?")
    what, _, fix = str(error).partition("; ")
    return KeyProblem(key, what, fix)


def _assembling(**fixed: Any) -> Callable[[Any, dict[str, Any], Iterable[tuple[Mount, Any]]], URLMap]:
    def assemble(made: type[URLMap], values: dict[str, Any], apps: Iterable[tuple[Mount, Any]]) -> URLMap:
        site = building.get()
        urlmap = made(**values, **fixed)
        entries = []
        for mount, app in apps:
            origin = site.origins.get(mount.key) if site is not None else None
            place = Place(mount.host, mount.path or "")
            entries.append(Entry.of(place, app, str(origin) if origin is not None and origin.file else ""))
        urlmap._swap(urlmap._made(entries))
        return urlmap

    return assemble


def _paste_advice(values: Mapping[str, Any]) -> Iterator[KeyProblem]:
    if "dots" not in values:
        what = "paths with . or .. segments are refused (400), where Paste passed them on"
        yield KeyProblem(None, what, "`dots = literal` passes them on, `dots = reject` ends this warning")


composite_factory = make_composite_factory(URLMap, mounts=read_mounts, assemble=_assembling())
paste_composite_factory = make_composite_factory(
    URLMap, mounts=read_paste_mounts, assemble=_assembling(paste_rules=True), advice=_paste_advice
)
