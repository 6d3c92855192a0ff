"""Serve the files of one or several folders, or of a folder inside a package.

A path is proven to be inside before it is asked whether anything is there, and whatever is absent, hidden, denied,
unreadable or no regular file gets the same 404. In a cascade it stands first: what it does not have, the next app gets.
Writes no environ keys.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from ..config.factories import make_app_factory
from ..config.mounts import KeyProblem
from ..config.options import OptionError, at_least, component, each, option
from ..config.records import field
from ..config.values import Seconds, Size
from ..protocol.disposition import content_disposition
from ..protocol.headers import check_header
from ..protocol.negotiate import wanted_form
from ..protocol.paths import refusal, script_name, slash_location, text_path
from ..protocol.wsgi import Body, Environ, Headers, StartResponse
from .answers import JSON, answer, method_not_allowed, not_found
from .files import Folder, NamePolicy
from .finding import CODINGS, CatalogueFinder, Finding, Found, FoundFolder, LiveFinder, Rules, TooLarge
from .media_types import MediaTypes
from .pages import CONTENT_SECURITY_POLICY, HTML
from .representation import FileChanged, respond

DENIED = (
    *("*.py", "*.pyc", "*.pyo", "*~", "*.bak", "*.orig", "*.swp", "*.tmp", "__pycache__"),
    *("*.ini", "*.key", "*key.pem", "*.secret", "*.db", "*.db-*", "*.sqlite*", "audit.log"),
)
"""What lies in a folder of files by accident: code, what editors leave behind, and what a site keeps beside its INI
file, above all the keys and tables of its logins. Who reads a table's file here takes SQLite's locks of it away, too.
"""

_OWN = frozenset(
    {
        "accept-ranges",
        "connection",
        "content-disposition",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "date",
        "etag",
        "last-modified",
        "location",
        "transfer-encoding",
        "vary",
    }
)
_ORIGIN = r"\*|https?://[a-z0-9.\[\]:_-]+"
_MEDIA_TYPE = r"[^\s=/]+=[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+(?:;\s*charset=[a-z0-9_-]+)?"
_READING = frozenset({"GET", "HEAD"})
_NOTHING: Headers = []
_YEAR = 365 * 24 * 60 * 60


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _header_complaint(line: str) -> str | None:
    name, colon, value = line.partition(":")
    if not colon:
        return "must have the form Name: value"
    if name.lower() in _OWN:
        return "is a header that follows from the file"
    try:
        check_header(name, value.strip())
    except ValueError as error:
        return f"cannot be sent: {error}"
    return None


def _pattern_complaint(pattern: str) -> str | None:
    try:
        re.compile(pattern)
    except re.error as error:
        return f"is not a regular expression: {error}"
    return None


def _prefix_complaint(prefix: str) -> str | None:
    if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
        return "must begin with a slash and not end with one"
    return None


def _name_complaint(name: str) -> str | None:
    return "must be a file name, not a path" if "/" in name or "\\" in name else None


@component
class Static:
    """Serve files, with ranges, preconditions, compressed siblings and a listing if one is wanted.

    ``app.js.br`` beside ``app.js`` is what a client that accepts ``br`` gets. Files of any type are shown by browsers
    under this site's own origin: folders that strangers upload to belong on a host of their own, or into ``download``.
    """

    root: tuple[Path, ...] = option(
        default=(),
        doc="The folders to serve, one to a line; where two have a file of the same path, the earlier one counts.",
        sample="static",
    )
    package: str = option(default="", doc="Serve a folder of this package instead of root.", sample="")
    resource: str = option(default="", doc="The folder within the package, such as static.", sample="")
    prefix: str = option(
        default="",
        doc="Answer only paths that begin so, without it: for a cascade, where there is no mount to do that.",
        check=_prefix_complaint,
    )
    index: str = option(
        default="index.html", doc="The file that answers for its folder; empty: none does.", check=_name_complaint
    )
    listing: bool = option(default=False, doc="List folders that have no index.")
    fallback: str = option(
        default="",
        doc="The file that answers where there is none and the path has no dot in its last step: for single-page apps.",
    )
    max_age: Seconds | None = option(
        default=60.0,
        doc="How long clients use a file without asking again; empty sends no Cache-Control.",
        check=lambda seconds: None if seconds is None or seconds >= 0 else "must be at least 0",
    )
    immutable: str = option(
        default="",
        doc="A regular expression that finds the paths of files that never change, which are cached for a year.",
        check=_pattern_complaint,
        sample=r"\.[0-9a-f]{8,}\.",
    )
    precompressed: tuple[str, ...] = option(
        default=("zst", "br", "gz"),
        doc="Suffixes of compressed siblings to look for, best first; empty: none.",
        check=each(lambda suffix: None if suffix in CODINGS else f"must be one of {', '.join(CODINGS)}"),
    )
    follow_symlinks: bool = option(
        default=False, doc="Follow symbolic links out of the folder; those that stay inside it are always followed."
    )
    hidden: bool = option(
        default=False, doc="Serve names that begin with a dot; /.well-known at the top is always served."
    )
    deny: tuple[str, ...] = option(
        default=DENIED, doc="Patterns of names, of files and of folders, that are not served in any letter case."
    )
    download: tuple[str, ...] = option(
        default=(), doc="Patterns of names that browsers save instead of showing; * for all files."
    )
    mime: tuple[str, ...] = option(
        default=(),
        doc="Media types by suffix or name, such as .epub=application/epub+zip.",
        check=each(
            lambda word: None if re.fullmatch(_MEDIA_TYPE, word.lower()) else "must have the form .suffix=type/subtype"
        ),
        sample=".epub=application/epub+zip",
    )
    charset: str = option(
        default="utf-8",
        doc="The encoding that text files are announced with; empty: none.",
        check=lambda name: None if re.fullmatch(r"[A-Za-z0-9._-]*", name) else "must be a name such as utf-8",
    )
    headers: tuple[str, ...] = option(
        default=(),
        doc="Headers to add to every file, one to a line as Name: value.",
        parse=_lines,
        check=each(_header_complaint),
        sample="",
    )
    cors: tuple[str, ...] = option(
        default=(),
        doc="Origins whose pages may read the files, such as https://example.com; * for all.",
        check=each(
            lambda origin: (
                None if re.fullmatch(_ORIGIN, origin) else "must be * or an origin such as https://example.com"
            )
        ),
        sample="*",
    )
    sendfile: bool = option(default=True, doc="Let the server send large files by itself, where it can.")
    mode: Literal["live", "scan"] = option(
        default="live", doc="live sees changes at once; scan reads the folders at the start and is faster."
    )
    memory: Size = option(
        default=32 * 1024 * 1024, doc="How many bytes of files up to 64KB mode=scan keeps in memory.", check=at_least(0)
    )
    etag: Literal["mtime-size", "hash"] = option(
        default="mtime-size", doc="hash gives the same tag on every machine, at the cost of reading each file once."
    )
    _live: LiveFinder = field(init=False, repr=False)
    _finder: LiveFinder | CatalogueFinder = field(init=False, repr=False)
    _rules: Rules = field(init=False, repr=False)

    def __post_init__(self) -> None:
        types = dict(word.lower().split("=", 1) for word in self.mime)
        media_types = MediaTypes(types, self.charset)
        immutable = re.compile(self.immutable) if self.immutable else None
        downloads = NamePolicy(hidden=True, deny=self.download) if self.download else None
        always: Headers = [("X-Content-Type-Options", "nosniff")]
        for line in self.headers:
            name, _, value = line.partition(":")
            always = [header for header in always if header[0].lower() != name.lower()]
            always.append((name, value.strip()))
        own_cache_control = any(name.lower() == "cache-control" for name, _ in always)
        if "*" in self.cors:
            always.append(("Access-Control-Allow-Origin", "*"))
        vary_origin = bool(self.cors) and "*" not in self.cors

        def describe(path: str, varies: bool) -> tuple[str, Headers]:
            headers = always.copy()
            name = path[path.rfind("/") + 1 :]
            if not own_cache_control:
                if immutable is not None and immutable.search(path):
                    headers.append(("Cache-Control", f"public, max-age={_YEAR}, immutable"))
                elif self.max_age is not None:
                    headers.append(
                        ("Cache-Control", f"public, max-age={int(self.max_age)}" if self.max_age >= 1 else "no-cache")
                    )
            vary = ["Accept-Encoding"] if varies else []
            if vary_origin:
                vary.append("Origin")
            if vary:
                headers.append(("Vary", ", ".join(vary)))
            if downloads is not None and not downloads.allows((text_path(name) or "",)):
                headers.append(("Content-Disposition", content_disposition(text_path(name))))
            return media_types.of(name), headers

        rules = Rules(
            folders=tuple(Folder(root, links=self.follow_symlinks) for root in self._roots()),
            policy=NamePolicy(hidden=self.hidden, deny=self.deny),
            index_name=self.index,
            listing=self.listing,
            suffixes=self.precompressed,
            hashed=self.etag == "hash",
            describe=describe,
        )
        live = LiveFinder(rules)
        object.__setattr__(self, "_rules", rules)
        object.__setattr__(self, "_live", live)
        try:
            finder = live if self.mode == "live" else CatalogueFinder(rules, memory=self.memory)
        except TooLarge as error:
            raise OptionError("Static", "root", str(error)) from error
        object.__setattr__(self, "_finder", finder)

    def _roots(self) -> tuple[Path, ...]:
        if bool(self.root) == bool(self.package):
            raise OptionError("Static", "root", "give root or package, not both" if self.root else "say what to serve")
        if self.package:
            from .package_files import package_folder

            try:
                return (package_folder(self.package, self.resource),)
            except ValueError as error:
                raise OptionError("Static", "resource", str(error)) from error
        roots = (Path(self.root),) if isinstance(self.root, str | os.PathLike) else self.root
        for root in roots:
            if not os.path.isdir(root):
                raise OptionError("Static", "root", f"{os.fspath(root)!r} is not a folder")
        return roots

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Answer GET and HEAD for the file at ``PATH_INFO``; 404 where there is none, whatever the method."""
        path: str = environ.get("PATH_INFO", "")
        if refusal(environ) is not None:
            # Not 400: in a cascade the next app may well have a use for such a path.
            return not_found(environ, start_response)
        if self.prefix:
            if not path.startswith(self.prefix) or path[len(self.prefix) :][:1] not in ("", "/"):
                return not_found(environ, start_response)
            path = path[len(self.prefix) :]
        found = self._finder.find(path or "/", environ.get("HTTP_ACCEPT_ENCODING"))
        if found.__class__ is Found and path and environ["REQUEST_METHOD"] in _READING:
            representation, source = found
            extra = self._allow_origin(environ) if self.cors else _NOTHING
            try:
                return respond(environ, start_response, representation, source, extra, self.sendfile)
            except FileChanged:
                # The catalogue is outdated, or somebody writes the file right now.
                found = self._live.find(path, environ.get("HTTP_ACCEPT_ENCODING"))
        return self._otherwise(environ, start_response, path, found)

    def _otherwise(self, environ: Environ, start_response: StartResponse, path: str, found: Finding) -> Body:
        """What is no file that can be sent at once."""
        if found is None and self._falls_back(path):
            found = self._finder.find(f"/{self.fallback}", environ.get("HTTP_ACCEPT_ENCODING"))
        if found is None:
            return not_found(environ, start_response)
        if environ["REQUEST_METHOD"] not in _READING:
            if isinstance(found, Found):
                found.source.discard()
            return _wrong_method(environ, start_response)
        if not path and (self.prefix or script_name(environ)):
            # The mount itself, without its slash: relative links in the index would lead elsewhere.
            if isinstance(found, Found):
                found.source.discard()
            found = "slash missing"
        if isinstance(found, Found):
            extra = self._allow_origin(environ) if self.cors else _NOTHING
            try:
                return respond(environ, start_response, found.representation, found.source, extra, self.sendfile)
            except FileChanged:
                status, headers = "503 Service Unavailable", [("Retry-After", "1")]
                return answer(environ, start_response, status, b"The file is being written.\n", headers=headers)
        if isinstance(found, FoundFolder):
            return self._list(environ, start_response, found)
        headers = [("Location", slash_location(environ))]
        return answer(environ, start_response, "302 Found", b"The folder is one slash further.\n", headers=headers)

    def _falls_back(self, path: str) -> bool:
        if not self.fallback or "." in path[path.rfind("/") + 1 :]:
            return False
        # What is refused is not a page of the application either.
        steps = [step for step in (text_path(path) or "").split("/") if step]
        return self._rules.policy.allows(steps)

    def _list(self, environ: Environ, start_response: StartResponse, found: FoundFolder) -> Body:
        folder = self._rules.folders[found.number]
        parent = folder.walk_to(found.segments)
        if parent is None:
            return not_found(environ, start_response)
        try:
            entries = folder.list(parent, found.segments, self._rules.policy)
        finally:
            os.close(parent)
        # /.well-known is there for machines that know what they look for.
        entries = [entry for entry in entries if self.hidden or entry.name[0] != "."]
        from .listing import arrange, as_html, as_json, order_of  # with json and more, which `check` need not read

        key, downwards = order_of(environ.get("QUERY_STRING", ""))
        entries = arrange(entries, key, downwards)
        headers = [("Cache-Control", "no-cache"), ("Vary", "Accept")]
        if wanted_form(environ, ("html", "json")) == "json":
            return answer(environ, start_response, "200 OK", as_json(entries), JSON, headers)
        top = text_path(script_name(environ) + self.prefix)
        page = as_html(entries, found.segments, key, downwards, top=(top or "").strip("/") or "Files")
        headers.append(("Content-Security-Policy", CONTENT_SECURITY_POLICY))
        return answer(environ, start_response, "200 OK", page, HTML, headers)

    def _allow_origin(self, environ: Environ) -> Headers:
        origin = environ.get("HTTP_ORIGIN")
        # Compared with what is configured, so nothing of the request gets into a header that was not there before.
        return [("Access-Control-Allow-Origin", origin)] if origin in self.cors and origin != "*" else []


@component
class PackageResources:
    """Serve a folder of an installed distribution, as ``egg:Paste#pkg_resources`` did."""

    egg: str = option(doc="The distribution, by the name that pip knows.")
    resource_name: str = option(default="", doc="The folder in it, such as mypackage/static.")
    _static: Static = field(init=False, repr=False)

    def __post_init__(self) -> None:
        from .package_files import distribution_folder

        try:
            root = distribution_folder(self.egg, self.resource_name)
        except ValueError as error:
            raise OptionError("PackageResources", "resource_name", str(error)) from error
        try:
            object.__setattr__(self, "_static", Static(root=(root,), max_age=None))
        except OptionError as error:
            raise OptionError("PackageResources", "resource_name", error.what) from error

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Answer as :class:`Static` does."""
        return self._static(environ, start_response)


def _wrong_method(environ: Environ, start_response: StartResponse) -> Body:
    if environ["REQUEST_METHOD"] == "OPTIONS":
        start_response("204 No Content", [("Allow", "GET, HEAD, OPTIONS")])
        return []
    return method_not_allowed(environ, start_response, "GET", "HEAD", "OPTIONS")


def _narrower(values: Mapping[str, Any]) -> Iterator[KeyProblem]:
    """What the old name served and this one does not, unless the section has decided about it."""
    undecided = [
        f"`{key} = {wider}`"
        for key, wider in (("hidden", "true"), ("deny", ""), ("follow_symlinks", "true"))
        if key not in values
    ]
    if undecided:
        what = (
            "names that begin with a dot, Python code, configuration, keys, databases, and links that lead out of the"
            " folder are no longer served"
        )
        yield KeyProblem("use", what, f"if you need them: {', '.join(undecided)}")


_PASTE: dict[str, Any] = {
    "advice": _narrower,
    "names": {"document_root": "root", "cache_max_age": "max_age"},
    "defaults": {"max_age": None},
    "unknown": "warning",
}

app_factory = make_app_factory(Static)
paste_app_factory = make_app_factory(Static, **_PASTE)
paste_pkg_resources_factory = make_app_factory(PackageResources, unknown="warning")
