"""Write an INI file around an application, from a starter that is shipped: ``development`` or ``production``.

The starters are whole INI files that run as they are. What is exchanged here are whole blocks of lines: the opening
comment, the section of the application, and the files that the starters serve.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import Literal

from .applications import Application

Starter = Literal["development", "production"]

_SITE = "[app:site]"
_FILES = "[app:files]"
_FILES_MOUNT = "/static = files"


def starter(name: Starter) -> str:
    """The text of a starter as it is shipped."""
    return files(f"{__package__}".rpartition(".")[0]).joinpath("config", f"{name}.ini").read_text(encoding="utf-8")


def write_around(application: Application, name: Starter, target: Path) -> str:
    """The text of an INI file for ``target`` that serves the application."""
    text = starter(name).replace(f"{name}.ini", target.name)
    blocks = text.rstrip("\n").split("\n\n")
    written = []
    for block in blocks:
        lines = block.split("\n")
        if _SITE in lines:
            written.append(_site(application, target))
        elif _FILES in lines:
            written.append(_hidden(block))
        elif _FILES_MOUNT in lines:
            written.append(block.replace(_FILES_MOUNT, f"# {_FILES_MOUNT}"))
        else:
            written.append(block)
    if application.root is not None:
        written.insert(1, _imports(application.root, target))
    return "\n\n".join(written) + "\n"


def _site(application: Application, target: Path) -> str:
    lines = [f"# The application: {application.title}."]
    lines += [f"# {note}" for note in application.notes]
    lines.append(_SITE)
    lines += [f"{key} = {_here(text, application.root, target)}".rstrip() for key, text in application.settings]
    return "\n".join(lines)


def _here(text: str, root: Path | None, target: Path) -> str:
    """A value taken from a file in ``root``, as the file ``target`` has to say it."""
    if root is None or (below := _relative(root, target)) == ".":
        return text
    if text.startswith("config:"):
        return f"config:{below}/{text.removeprefix('config:')}"
    return text.replace("%(here)s", f"%(here)s/{below}")


def _imports(root: Path, target: Path) -> str:
    below = _relative(root, target)
    place = "%(here)s" if below == "." else f"%(here)s/{below}"
    return f"# Where Python finds the application.\n[wheatpaste]\npython_path = {place}"


def _relative(root: Path, target: Path) -> str:
    return Path(os.path.relpath(root.resolve(), target.resolve().parent)).as_posix().replace("%", "%%")


def _hidden(block: str) -> str:
    """A section that does nothing until its comment signs are taken away."""
    lines = [f"# {line}" for line in block.split("\n") if not line.startswith("#")]
    return "\n".join(["# To serve files beside the application, uncomment this section and its mount above.", *lines])
