"""``serve --NAME VALUE``: the options of the server, over what the file says."""

from __future__ import annotations

import argparse
import os
from collections.abc import Container
from pathlib import Path
from typing import Any, get_args, get_origin

from ..config.options import Option, options_of
from ..server.http_server import HTTPServer

_SHOWN = {
    "workers": ("N", "how many processes; auto: one for each core"),
    "tls": ("dev", "serve HTTPS, with a local certificate"),
}
_PREFIX = "server_option_"


def add_server_options(group: argparse._ArgumentGroup, taken: Container[str]) -> None:
    """Declare one for each option of the server but those that are ``taken``; a few are shown in the help.

    Secrets are left out: the words of a command can be read by every user of the machine.
    """
    for option in options_of(HTTPServer):
        if option.secret or option.name in taken:
            continue
        word = f"--{option.name.replace('_', '-')}"
        metavar, told = _SHOWN.get(option.name, ("VALUE", argparse.SUPPRESS))
        dest = f"{_PREFIX}{option.name}"
        if option.kind is bool:
            group.add_argument(word, dest=dest, action="store_const", const=["true"], help=told)
            group.add_argument(f"--no-{word[2:]}", dest=dest, action="store_const", const=["false"], help=told)
        else:
            group.add_argument(word, dest=dest, action="append", metavar=metavar, help=told)


def server_options(options: argparse.Namespace) -> dict[str, str]:
    """What was given, as the text of an INI; paths are relative to the working directory."""
    given: dict[str, str] = {}
    for option in options_of(HTTPServer):
        words: list[str] | None = getattr(options, f"{_PREFIX}{option.name}", None)
        if words:
            several = get_origin(option.kind) is tuple
            texts = [os.path.abspath(os.path.expanduser(word)) if _is_path(option) else word for word in words]
            given[option.name] = "\n".join(texts if several else texts[-1:])
    return given


def _is_path(option: Option) -> bool:
    kind: Any = option.kind
    return kind is Path or Path in get_args(kind)
