"""``wheatpaste check FILE…``: every mistake in INI files, found without running them."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from ..config.check import UNREADABLE, check_file
from ..config.problems import Problem
from .variables import variable

_FORMATS = ("text", "json", "github", "gitlab", "sarif")


def arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = f"{parser.description} Nothing of what they name is imported, unless --import says so."
    parser.epilog = (
        "Exit code: 0 when nothing is wrong (warnings aside), 1 for errors, 2 when a file cannot be read.\n"
        "Problems go to the standard output, the count of them to the standard error."
    )
    parser.add_argument("words", nargs="+", metavar="FILE", help="INI files, as FILE or FILE#NAME")
    # Declared for the help alone: FILE takes these words as well.
    parser.add_argument("variables", nargs="*", metavar="key=value", help="variables of the configuration: %%(key)s")
    parser.add_argument("-n", "--app-name", metavar="NAME", help="the app's section, instead of main")
    parser.add_argument("--server-name", metavar="NAME", help="the server's section, instead of main")
    parser.add_argument("--import", dest="importing", action="store_true", help="import what the files name, as well")
    parser.add_argument("--strict", action="store_true", help="let warnings fail, too")
    parser.add_argument(
        "--format", choices=_FORMATS, default="text", help="text, or what CI systems show beside the line"
    )
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing where nothing is wrong")


def run(options: Namespace) -> int:
    """Check the files, print what is wrong, return the exit code."""
    words = [*options.words, *options.variables]
    variables = dict(variable(word) for word in words if _is_variable(word))
    files = list(dict.fromkeys(word for word in words if not _is_variable(word)))
    if not files:
        print("wheatpaste check: name an INI file (see wheatpaste check --help)", file=sys.stderr)
        return 2
    found = {file: _check(file, options, variables) for file in files}
    # Two files may share a third, whose mistakes are said once.
    problems = sorted(
        dict.fromkeys(problem for each in found.values() for problem in each), key=lambda each: each.order
    )
    if options.format == "text":
        _print(problems, found, quiet=options.quiet)
    else:
        from .annotations import written

        print(written(options.format, problems, files))
    if any(problem.code in UNREADABLE and problem.section is None for problem in problems):
        return 2
    return 1 if any(options.strict or problem.severity == "error" for problem in problems) else 0


def _is_variable(word: str) -> bool:
    import os

    return "=" in word and not os.path.exists(word)


def _check(file: str, options: Namespace, variables: dict[str, str]) -> list[Problem]:
    if not options.importing:
        return check_file(
            file, app_name=options.app_name, server_name=options.server_name, global_conf=variables or None
        )
    # What a module prints while it is imported must not end up among the findings.
    import contextlib

    with contextlib.redirect_stdout(sys.stderr):
        return check_file(
            file,
            app_name=options.app_name,
            server_name=options.server_name,
            global_conf=variables or None,
            importing=True,
        )


def _print(problems: list[Problem], found: dict[str, list[Problem]], *, quiet: bool) -> None:
    from .terminal import Terminal

    out, notes = Terminal(sys.stdout), Terminal(sys.stderr)
    out.problems(problems)
    if quiet:
        return
    for file, each in found.items():
        if not each:
            notes.line(f"{file}: {notes.paint('fine', 'green')}")
    if problems:
        notes.line(summary(problems))


def summary(problems: list[Problem]) -> str:
    """``3 errors, 1 warning in 2 files``."""
    parts = []
    for severity in ("error", "warning"):
        count = sum(problem.severity == severity for problem in problems)
        if count:
            parts.append(_counted(count, severity))
    return f"{', '.join(parts)} in {_counted(len({problem.file for problem in problems}), 'file')}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
