"""The views of the wiki: two found by route, the others by the page that traversal reached."""

import re
import unicodedata
from typing import Any

from pyramid.httpexceptions import HTTPBadRequest, HTTPFound, HTTPSeeOther
from pyramid.request import Request
from pyramid.response import Response
from pyramid.traversal import lineage
from pyramid.view import exception_view_config, notfound_view_config, view_config

from .pages import Page

TITLE_LIMIT = 80
TEXT_LIMIT = 10_000


def url(request: Request, page: Page, *view: str) -> str:
    """The URL of a page below the ``pages`` route."""
    return request.resource_url(page, *view, route_name="pages")


@view_config(route_name="home")
def home(request: Request) -> Response:
    return HTTPFound(url(request, request.root))


@view_config(route_name="search", renderer="search.html")
def search(request: Request) -> dict[str, Any]:
    words = request.params.get("q", "").casefold().split()
    found = [page for page in request.root.walk() if words and all(matches(page, word) for word in words)]
    return {"q": request.params.get("q", ""), "found": found, **frame(request, request.root)}


def matches(page: Page, word: str) -> bool:
    return word in page.title.casefold() or word in page.text.casefold()


@view_config(route_name="cellar")
def cellar(request: Request) -> Response:
    """Fails on purpose: nobody has written the page that it leads to."""
    walls = request.root["walls"]
    return HTTPFound(url(request, walls.children["cellar"]))


@view_config(route_name="pages", context=Page, renderer="page.html")
def show(page: Page, request: Request) -> dict[str, Any]:
    return {"blocks": blocks(page.text), **frame(request, page)}


@view_config(route_name="pages", context=Page, name="edit", request_method="GET", renderer="edit.html")
def edit(page: Page, request: Request) -> dict[str, Any]:
    return {"action": url(request, page, "edit"), "title": page.title, "text": page.text, **frame(request, page)}


@view_config(route_name="pages", context=Page, name="edit", request_method="POST")
def save(page: Page, request: Request) -> Response:
    page.title, page.text = written(request)
    page.save()
    return HTTPSeeOther(url(request, page))


@view_config(route_name="pages", context=Page, name="add", request_method="GET", renderer="edit.html")
def add(page: Page, request: Request) -> dict[str, Any]:
    return {"action": url(request, page, "add"), "title": "", "text": "", **frame(request, page)}


@view_config(route_name="pages", context=Page, name="add", request_method="POST")
def create(page: Page, request: Request) -> Response:
    title, text = written(request)
    new = page.add(free_name(page, title), title, text)
    page.save()
    return HTTPSeeOther(url(request, new))


@notfound_view_config(renderer="missing.html")
def missing(request: Request) -> dict[str, Any]:
    request.response.status = 404
    return frame(request, request.root)


@exception_view_config(UnicodeDecodeError)
def not_text(request: Request) -> Response:
    """Addresses and queries are UTF-8; what is not was not written by a page of this wiki."""
    return HTTPBadRequest("The address is not UTF-8.")


def frame(request: Request, page: Page) -> dict[str, Any]:
    """What every page shows: where it stands, and the tree beside it."""
    return {
        "page": page,
        "trail": list(lineage(page))[::-1],
        "root": request.root,
        "url": lambda page, *view: url(request, page, *view),
    }


def written(request: Request) -> tuple[str, str]:
    title = request.POST.get("title", "").strip()[:TITLE_LIMIT]
    text = request.POST.get("text", "").replace("\r\n", "\n").strip()[:TEXT_LIMIT]
    if not title:
        raise HTTPBadRequest("A page needs a title.")
    return title, text


def free_name(page: Page, title: str) -> str:
    """A name for the URL, made from the title, that no sibling and no view has."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "page"
    name, number = stem, 1
    while name in page.children or name in {"edit", "add"}:
        number += 1
        name = f"{stem}-{number}"
    return name


def blocks(text: str) -> list[tuple[str, list[str]]]:
    """Plain text as ("list" | "heading" | "paragraph", lines): all the markup that this wiki knows."""
    found: list[tuple[str, list[str]]] = []
    for part in re.split(r"\n\s*\n", text.strip()):
        lines = part.splitlines()
        if lines and all(line.startswith("* ") for line in lines):
            found.append(("list", [line[2:] for line in lines]))
        elif len(lines) == 1 and lines[0].startswith("= "):
            found.append(("heading", [lines[0][2:]]))
        elif lines:
            found.append(("paragraph", lines))
    return found
