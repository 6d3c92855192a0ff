"""``wheatpaste init``: write an INI file around an application that exists.

What the application is, and how it is mounted, is told by looking at its files; none of its code runs. On a terminal
it asks what was not said. It overwrites nothing unless told to.
"""

from __future__ import annotations

import os
import shlex
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from .applications import Unrecognised
from .new_file import complaint_about, write_file
from .recognise import applications_in, recognise
from .starter import write_around

DEFAULT_FILE = "site.ini"


def arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", nargs="?", metavar="FILE", help=f"the INI file to write (default: {DEFAULT_FILE})")
    parser.add_argument(
        "--app",
        metavar="APP",
        help="the application: module:object, module:factory(), a Python file, or the folder of a project",
    )
    parser.add_argument(
        "--from",
        dest="starter",
        choices=("development", "production"),
        default="development",
        help="what the file is for (default: development)",
    )
    parser.add_argument("--stdout", action="store_true", help="print the file instead of writing it")
    parser.add_argument("--force", action="store_true", help="overwrite FILE if it exists")


def run(options: Namespace) -> int:
    """Write the file. Returns 0 when it was written, 1 when it could not be, 2 when something was not said."""
    here = Path.cwd()
    asking = sys.stdin.isatty() and sys.stderr.isatty()
    if options.stdout and options.file is not None and options.force:
        return _refuse("--force means a file, and --stdout writes none", 2)
    named = options.app
    if named is None:
        if not asking:
            return _refuse(f"say which application: --app module:object{_guess(here)}", 2)
        named = _ask_for_app(here)
    try:
        application = recognise(named, here)
    except Unrecognised as error:
        return _refuse(str(error), 1)
    file = options.file
    if file is None and not options.stdout and asking:
        file = _ask("Which file to write?", DEFAULT_FILE)
    target = here / Path(file or DEFAULT_FILE).expanduser()
    text = write_around(application, options.starter, target)
    if options.stdout:
        sys.stdout.write(text)
        return 0
    complaint = complaint_about(target, force=options.force)
    if complaint is not None:
        return _refuse(complaint, 1)
    try:
        write_file(target, text, private=application.holds_secret)
    except OSError as error:
        return _refuse(f"{target} cannot be written: {error.strerror}", 1)
    shown = shlex.quote(os.path.relpath(target))
    print(f"Wrote {shown}, which serves {application.title}, found in {application.clue}.")
    if application.holds_secret:
        print("It holds a new secret: only you can read it, and it does not belong into version control.")
    print(f"\n  wheatpaste check {shown}\n  wheatpaste serve {shown}")
    return 0


def _refuse(what: str, code: int) -> int:
    print(f"wheatpaste init: {what}", file=sys.stderr)
    return code


def _guess(folder: Path) -> str:
    found = applications_in(folder)
    return f"; here it could be --app {shlex.quote(found[0].name)} ({found[0].framework})" if found else ""


def _ask_for_app(folder: Path) -> str:
    found = applications_in(folder)
    for each in found:
        print(f"  {each.title}, found in {each.clue}", file=sys.stderr)
    first = found[0] if found else None
    answer = _ask("Which application? module:object, or a path", first.name if first else "")
    # The default stands for what was found, which may be more than its name tells: a factory, or a file of its own.
    return "." if first is not None and answer == first.name else answer


def _ask(question: str, default: str) -> str:
    shown = f"{question} [{default}]: " if default else f"{question}: "
    while True:
        print(shown, end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise KeyboardInterrupt
        answer = line.strip() or default
        if answer:
            return answer
