"""``wheatpaste user FILE …``: short for ``wheatpaste auth FILE user …``."""

from __future__ import annotations

import argparse

from . import auth


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = "%(prog)s [FILE] add|list|show|passwd|edit|rename|disable|enable|delete …"
    parser.epilog = "The same as wheatpaste auth FILE user …, whose --help says more."
    parser.add_argument("words", metavar="FILE COMMAND", nargs=argparse.REMAINDER, help="the INI file, and what to do")


def run(options: argparse.Namespace) -> int:
    """Do it."""
    file, variables, words = auth.split(options.words)
    return auth.run_area("user", file, variables, words)
