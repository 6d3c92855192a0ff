"""How a node and its place are written in what the commands print, for people and for programs."""

from __future__ import annotations

import json
import sys
from typing import Any

from ..config.node import Node
from ..config.origin import Origin
from .terminal import Terminal, printable, short_path


def maker(node: Node) -> str:
    """What makes the node, as it was written: ``egg:wheatpaste#static``."""
    return node.reference.text if node.reference is not None else ""


def place(origin: Origin, terminal: Terminal) -> str:
    """``site.ini:14``, or nothing for what stands in no file."""
    if origin.file is None:
        return ""
    written = f"{short_path(origin.file)}:{origin.line}" if origin.line else short_path(origin.file)
    return terminal.paint(printable(written), "blue")


def place_data(origin: Origin) -> dict[str, Any]:
    """The same for JSON: ``file`` and ``line``."""
    return {"file": origin.file, "line": origin.line}


def dump(data: Any) -> None:
    """Write JSON to standard output."""
    text = json.dumps(data, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # another encoding than UTF-8, or the name of a file that is no text
        text = json.dumps(data, indent=2)
    print(text)
