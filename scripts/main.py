"""The ``wheatpaste`` command: one table of commands, each a module that is imported when it is chosen.

A command's module has ``arguments(parser)``, which declares its options, and ``run(options)``, which returns the exit
code: 0 fine, 1 problems found or the work failed, 2 usage or unreadable input.
"""

from __future__ import annotations

import errno
import gc
import importlib
import os
import sys
from collections.abc import Sequence

from ..config.records import record
from .plain_words import plain_words


@record
class Command:
    """A word of the command line, the module in this room that it runs, and what it does."""

    name: str
    module: str
    sentence: str


COMMANDS = (
    Command("serve", "serve", "Serve the apps of an INI file, or one app of Python."),
    Command("check", "check", "Find every mistake in INI files without running them."),
    Command("show", "show", "Show what is mounted where, through which filters, and where that is written."),
    Command("explain", "explain", "Say which mount takes a URL, and where each value of a section comes from."),
    Command("describe", "describe", "List the apps, filters and servers that are installed, with their options."),
    Command("request", "request", "Send one request to an app, without a server."),
    Command("shell", "shell", "Open a Python prompt with the apps of an INI file."),
    Command("ctl", "ctl", "Ask a service that runs what it is doing, and tell it to reload or drain."),
    Command("auth", "auth", "Look after the users, keys, tokens and sessions of a site."),
    Command("user", "user", "Look after users: short for auth FILE user."),
    Command("errors", "errors", "List, show and resolve the errors that a site has kept."),
    Command("init", "init", "Write a first INI file around an app."),
    Command("generate", "generate", "Write the file that uWSGI or mod_wsgi loads for an INI file."),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    if argv is None:
        # A tenth of a start goes into looking for garbage that there is none of yet. A command that stays turns this
        # on again, before it runs code of the deployer's.
        gc.disable()
    try:
        code = _dispatch(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output left (`| head`). Python would complain again when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if not _is_about_output(error):
            return _report(error)
        print(f"wheatpaste: the standard output cannot be written ({error.strerror})", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - what a deployer's file or app raised is shown, without our frames
        return _report(error)


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        _print_overview()
        return 0 if words else 2
    first, *rest = words
    if first in ("-V", "--version", "version"):
        from .. import __version__

        print(f"wheatpaste {__version__} (Python {sys.version.split()[0]})")
        return 0
    if first == "help":
        if not rest:
            _print_overview()
            return 0
        first, rest = rest[0], ["--help"]
    command = next((each for each in COMMANDS if each.name == first), None)
    if command is None:
        if os.path.isfile(first) or (_is_path(first) and os.path.lexists(first)):
            # `#!/usr/bin/env wheatpaste` at the top of an executable INI file: the system adds the file's name.
            command, rest = COMMANDS[0], words
        else:
            return _refuse(first)
    return _run(command, rest)


def _run(command: Command, words: list[str]) -> int:
    module = importlib.import_module(f".{command.module}", __package__)
    options = plain_words(module.arguments, words)
    if options is None:
        from .parser import Parser

        parser = Parser(f"wheatpaste {command.name}", command.sentence)
        module.arguments(parser)
        try:
            options = parser.parse(words)
        except SystemExit as stop:  # argparse ends the process itself, after --help and on mistakes
            return stop.code if isinstance(stop.code, int) else 2
    try:
        os.getcwd()
    except OSError as error:
        print(f"wheatpaste: the working directory cannot be found ({error.strerror}); go to another", file=sys.stderr)
        return 1
    code: int = module.run(options)
    return code


def _print_overview() -> None:
    width = max(len(each.name) for each in COMMANDS)
    print("usage: wheatpaste COMMAND …\n")
    for each in COMMANDS:
        print(f"  {each.name:<{width}}  {each.sentence}")
    print("\nwheatpaste help COMMAND says what a command takes. wheatpaste site.ini serves that file.")


def _is_about_output(error: OSError) -> bool:
    """Whether it was our own printing that failed, as on a full disk: no file is named, and no code but ours ran."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    ours = os.path.dirname(os.path.abspath(__file__))
    return (
        error.filename is None
        and error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT)
        and frame is not None
        and frame.tb_frame.f_code.co_filename.startswith(ours)
    )


def _is_path(word: str) -> bool:
    return word.endswith((".ini", ".cfg", ".conf")) or os.sep in word


def _refuse(word: str) -> int:
    from ..config.problems import did_you_mean

    if word.startswith("-"):
        what = f"no such option: {word}"
    elif _is_path(word):
        what = f"no such file: {word}"
    else:
        what = f"no such command: {word}; {did_you_mean(word, [each.name for each in COMMANDS])}"
    print(f"wheatpaste: {what} (see wheatpaste --help)", file=sys.stderr)
    return 2


def _report(error: Exception) -> int:
    from ..config.problems import ConfigError
    from ..server.failures import failure_of
    from .terminal import Terminal

    failure = failure_of(error)
    Terminal().failure(failure)
    return 2 if isinstance(error, ConfigError) else 1
