"""The tree of pages that traversal walks, kept in one JSON file."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SAVING = threading.Lock()


class Page:
    """A page and, by name, the pages below it. ``__name__`` and ``__parent__`` are what Pyramid builds URLs from."""

    def __init__(self, title: str, text: str, name: str = "", parent: "Page | None" = None) -> None:
        self.title = title
        self.text = text
        self.__name__ = name
        self.__parent__ = parent
        self.children: dict[str, Page] = {}

    def __getitem__(self, name: str) -> "Page":
        return self.children[name]

    def add(self, name: str, title: str, text: str) -> "Page":
        page = self.children[name] = Page(title, text, name, self)
        return page

    def walk(self) -> Iterator["Page"]:
        yield self
        for child in list(self.children.values()):  # another thread may add one meanwhile
            yield from child.walk()

    def save(self) -> None:
        """Write the tree that this page belongs to."""
        page: Page = self
        while page.__parent__ is not None:
            page = page.__parent__
        page.save()


class Root(Page):
    def __init__(self, file: Path, title: str, text: str) -> None:
        super().__init__(title, text)
        self.file = file

    def save(self) -> None:
        with SAVING:
            unfinished = self.file.with_suffix(".new")
            unfinished.write_text(json.dumps(as_json(self), ensure_ascii=False, indent=1), encoding="utf-8")
            os.replace(unfinished, self.file)


def open_tree(file: Path) -> Root:
    source = file if file.exists() else Path(__file__).with_name("first_pages.json")
    written = json.loads(source.read_text(encoding="utf-8"))
    file.parent.mkdir(parents=True, exist_ok=True)
    root = Root(file, written["title"], written["text"])
    fill(root, written)
    return root


def fill(page: Page, written: dict[str, Any]) -> None:
    for name, below in written.get("pages", {}).items():
        fill(page.add(name, below["title"], below["text"]), below)


def as_json(page: Page) -> dict[str, Any]:
    below = {name: as_json(child) for name, child in page.children.items()}
    return {"title": page.title, "text": page.text, "pages": below}
