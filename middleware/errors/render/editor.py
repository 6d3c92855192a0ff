"""Addresses that open a line of a file in somebody's editor."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from ....config.problems import nearest

_JETBRAINS = "open?file={file}&line={line}&column={column}"
_FILE_URL = "open?url=file:///{file}&line={line}&column={column}"
_VSCODE = "file/{file}:{line}:{column}"

PRESETS = {
    "atom": "atom://core/open/file?filename={file}&line={line}&column={column}",
    "clion": f"clion://{_JETBRAINS}",
    "cursor": f"cursor://{_VSCODE}",
    "emacs": f"emacs://{_FILE_URL}",
    "idea": f"idea://{_JETBRAINS}",
    "macvim": f"mvim://{_FILE_URL}",
    "mvim": f"mvim://{_FILE_URL}",
    "nova": "nova://open?path={file}&line={line}&column={column}",
    "pulsar": "atom://core/open/file?filename={file}&line={line}&column={column}",
    "pycharm": f"pycharm://{_JETBRAINS}",
    "sublime": f"subl://{_FILE_URL}",
    "textmate": f"txmt://{_FILE_URL}",
    "vim": f"mvim://{_FILE_URL}",
    "vscode": f"vscode://{_VSCODE}",
    "vscode-insiders": f"vscode-insiders://{_VSCODE}",
    "vscodium": f"vscodium://{_VSCODE}",
    "windsurf": f"windsurf://{_VSCODE}",
    "zed": f"zed://{_VSCODE}",
}
"""Editors by name. ``{file}`` is the whole path, ``{line}`` and ``{column}`` count from 1."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_RUNS_CODE = ("javascript", "data", "vbscript")
_FIELD = re.compile(r"\{(\w+)\}")
_FIELDS = {"file", "line", "column"}
# A path that starts at a root: what Python knows by such a name stands on a disk, unlike ``<string>``.
_ABSOLUTE = re.compile(r"/|[A-Za-z]:[\\/]|\\\\")


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """How files are opened: a URL with ``{file}``, ``{line}``, ``{column}``, and folders that have another name there.

    ``paths`` are pairs of a folder here and the same folder as the editor knows it; the longest that fits counts.
    """

    url: str
    paths: tuple[tuple[str, str], ...] = ()

    def link(self, path: str, line: int = 1, column: int = 1) -> str | None:
        """The address that opens this place, or None for what is no file. Lines and columns count from 1."""
        if not is_on_disk(path):
            return None
        file = self._there(path).replace("\\", "/")
        before = self.url.partition("{file}")[0]
        if before.endswith("/") and not before.endswith("://"):
            file = file.removeprefix("/")  # the URL has the slash that a path begins with
        values = {"file": quote(file, safe="/:"), "line": str(max(line, 1)), "column": str(max(column, 1))}
        return _FIELD.sub(lambda found: values.get(found[1], found[0]), self.url)

    def _there(self, path: str) -> str:
        for here, there in sorted(self.paths, key=lambda pair: -len(pair[0])):
            folder = here.rstrip("/\\")
            if path == folder or path.startswith((folder + "/", folder + "\\")):
                return there.rstrip("/\\") + path[len(folder) :]
        return path


def is_on_disk(path: str) -> bool:
    """Whether this is the path of a file, from the root, unlike ``<string>`` or the name of a template."""
    return _ABSOLUTE.match(path) is not None


def editor_of(editor: str, paths: Iterable[str] = ()) -> Editor:
    """The editor of this name or URL, for which ``paths`` says ``here=there`` each. Raises ``ValueError``."""
    words = tuple(paths)
    for complaint in (editor_complaint(editor), *map(path_complaint, words)):
        if complaint is not None:
            raise ValueError(complaint)
    pairs = (word.split("=", 1) for word in words)
    return Editor(url=PRESETS.get(editor.lower(), editor), paths=tuple((here, there) for here, there in pairs))


def editor_complaint(editor: str | None) -> str | None:
    """What is wrong with the name or URL of an editor, or None."""
    if editor is None or editor.lower() in PRESETS:
        return None
    scheme = _SCHEME.match(editor)
    if scheme is None:
        meant = nearest(editor, PRESETS)
        if meant is not None:
            return f"is no editor that is known; did you mean {meant!r}?"
        return f"is no editor that is known: {', '.join(PRESETS)}, or a URL with {{file}}, {{line}} and {{column}}"
    if scheme[1].lower() in _RUNS_CODE:
        return "must open an editor, not run code in the page"
    fields = set(_FIELD.findall(editor))
    if "file" not in fields:
        return "needs {file} where the path goes; {line} and {column} may follow"
    if unknown := sorted(fields - _FIELDS):
        return f"knows {{file}}, {{line}} and {{column}}, but not {{{unknown[0]}}}"
    return None


def path_complaint(word: str) -> str | None:
    """What is wrong with one ``here=there``, or None."""
    here, equals, there = word.partition("=")
    if not equals or not here.strip() or not there.strip():
        return "must say here=there, such as /app=/code/shop"
    return None
