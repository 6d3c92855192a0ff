"""``wheatpaste errors FILE list|show|resolve|ignore|reopen|clear``: the errors that a site has kept, and their end."""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..config.problems import ConfigError, Problem, did_you_mean
from .inboxes import Kept, inboxes_of
from .places import dump, place
from .target import find_target
from .terminal import Terminal, printable, short_path

if TYPE_CHECKING:
    from ..middleware.errors.inbox.file import FileInbox
    from ..middleware.errors.inbox.groups import Group, State

_COMMANDS = ("list", "show", "resolve", "ignore", "reopen", "clear")
_STATES: dict[str, State] = {"resolve": "resolved", "ignore": "ignored", "reopen": "open"}
_VARIABLE = re.compile(r"[\w.-]+=")
_EPILOG = """\
FILE is the site's INI file, whose errors filter says where they are kept: inbox = errors.sqlite. ID is the id of an
error as users quote it (K7QX-M3PZ), or that of a group (E-7K3QX), which means the last error of it.

list         the groups that are open (the default); WORDS have to occur in them
show ID      all that is known of an error
resolve ID   it is mended: its group leaves the list, until it fails again
ignore ID    its group leaves the list, and is only counted
reopen ID    its group is in the list again
clear [ID]   forget a group, or all of them

key=value words are variables, as for serve. No code of yours runs.
"""


class _Asked(NamedTuple):
    """What the words of the command line say."""

    file: str | None
    command: str
    words: list[str]
    variables: dict[str, str]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = "%(prog)s FILE [list [WORDS]|show ID|resolve ID|ignore ID|reopen ID|clear [ID]] [options]"
    parser.epilog = _EPILOG
    parser.add_argument("words", metavar="FILE COMMAND", nargs="*", help="the INI file, and what is to be done")
    parser.add_argument("--inbox", metavar="PATH", help="the SQLite file of the inbox, instead of FILE")
    parser.add_argument("-n", "--app-name", metavar="NAME", help="the app section to start from (default: main)")
    parser.add_argument(
        "--state", choices=("open", "resolved", "ignored", "all"), default="open", help="list groups in this state"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for programs")
    form.add_argument("--markdown", action="store_true", help="for issue trackers and assistants")


def run(options: argparse.Namespace) -> int:
    """Do it. Returns 0, 1 where there is no such error or inbox, 2 for a mistake in the words."""
    from ..middleware.storage.store import StoreError

    terminal = Terminal()
    asked = _asked(list(options.words), options.inbox is not None)
    if isinstance(asked, str):
        terminal.error(asked)
        return 2
    file = Path(options.inbox) if options.inbox is not None else _inbox_of(asked, options.app_name, terminal)
    if file is None:
        return 1
    if not file.exists():
        return _nothing_yet(file, asked, options)
    from ..middleware.errors.inbox.file import FileInbox

    inbox = FileInbox(file)
    try:
        return _COMMAND[asked.command](inbox, asked, options)
    except StoreError as error:
        terminal.error(str(error))
        return 1
    finally:
        inbox.close()


def _asked(words: list[str], has_inbox: bool) -> _Asked | str:
    """What is asked for, or what is wrong with the words."""
    variables = dict(word.split("=", 1) for word in words if _VARIABLE.match(word))
    words = [word for word in words if not _VARIABLE.match(word)]
    file = None
    if not has_inbox:
        if not words:
            return "name the INI file of the site, or the file of its inbox with --inbox"
        file = words.pop(0)
        if file in _COMMANDS and not Path(file).exists():
            given = [word for word in words if Path(word).is_file()]
            rest = [word for word in words if word not in given]
            return f"the file comes first: wheatpaste errors {given[0] if given else 'FILE'} {' '.join([file, *rest])}"
    command = words.pop(0) if words else "list"
    if command not in _COMMANDS:
        return f"no such command: {command}; {did_you_mean(command, _COMMANDS)}"
    if command in ("show", *_STATES) and not words:
        return f"{command} which? Say the id of an error or of a group"
    if command == "show" and len(words) > 1:
        return f"show one error at a time, not {' '.join(words)}"
    return _Asked(file, command, words, variables)


def _inbox_of(asked: _Asked, app_name: str | None, terminal: Terminal) -> Path | None:
    """The file that the configuration names; what stands in the way of that is said."""
    target = find_target(asked.file or "")
    if target.is_python:
        raise ConfigError(Problem(what=f"{asked.file} is no INI file", fix="name one", code="target"))
    composition = target.compose(name=app_name, variables=asked.variables or None, collect=True)
    if composition.root.shape == "missing":
        raise ConfigError(composition.problems)
    found = inboxes_of(composition)
    files = list(dict.fromkeys(kept.file for kept in found if kept.file is not None))
    if len(files) == 1:
        return files[0]
    if files:
        terminal.error(f"{asked.file} keeps errors in {len(files)} files; name one with --inbox:")
        for kept in found:
            if kept.file is not None:
                terminal.line(f"  {printable(short_path(str(kept.file)))}  {_section(kept, terminal)}")
    elif not found:
        terminal.error(f"{asked.file} has no errors filter: put egg:wheatpaste#errors around the app, with an inbox")
    else:
        terminal.error(f"{asked.file} keeps its errors in no file, so they cannot be seen from here:")
        for kept in found:
            terminal.line(f"  {_section(kept, terminal)}  {_where_else(kept)}")
        terminal.line("Write inbox = errors.sqlite there, to keep them in a file beside it.")
    return None


def _section(kept: Kept, terminal: Terminal) -> str:
    return f"[{printable(kept.section)}] {place(kept.origin, terminal)}"


def _where_else(kept: Kept) -> str:
    if kept.nowhere:
        return "keeps none (inbox = none)"
    return f"in the memory of the server; with debug = true it shows them at {kept.path}"


def _nothing_yet(file: Path, asked: _Asked, options: argparse.Namespace) -> int:
    """There is no file, and none is made: it would belong to whoever looks."""
    if asked.command in ("list", "clear") and not asked.words:
        _print_list([], [], options)
        Terminal().line(f"{short_path(str(file))} does not exist: no error was kept yet")
        return 0
    Terminal().error(f"{short_path(str(file))} does not exist: no error was kept yet")
    return 1


# --- the commands ----------------------------------------------------------------------------------------------------


def _list(inbox: FileInbox, asked: _Asked, options: argparse.Namespace) -> int:
    from ..middleware.errors.inbox.selection import Selection

    everything = inbox.groups()
    chosen = Selection(state=options.state, words=" ".join(asked.words))
    _print_list(chosen.of(everything), everything, options)
    return 0


def _print_list(groups: list[Group], everything: list[Group], options: argparse.Namespace) -> None:
    from ..middleware.errors.inbox.faces import list_data, list_markdown

    if options.json:
        dump(list_data(groups, everything))
    elif options.markdown:
        Terminal(sys.stdout).line(list_markdown(groups, time.time()).rstrip("\n"))
    else:
        _print_rows(groups, everything, options.state)


def _print_rows(groups: list[Group], everything: list[Group], chosen: str) -> None:
    from ..middleware.errors.inbox.faces import list_cells
    from ..middleware.errors.inbox.selection import state_counts

    terminal = Terminal(sys.stdout)
    paint = terminal.paint
    rows = [list_cells(group, time.time()) for group in groups]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    for name, count, ago, state, headline, where in rows:
        styles = ("red",) if state == "came back" else ("dim",)
        head = (
            f"{paint(name, 'bold', 'cyan')}{' ' * (widths[0] - len(name))}  {count:>{widths[1]}}"
            f"  {ago:<{widths[2]}}  {paint(f'{state:<{widths[3]}}', *styles)}"
        )
        terminal.line(f"{head}  {paint(headline, 'bold')}")
        if where:
            terminal.line(f"{' ' * (sum(widths) + 6)}  {paint(where, 'dim')}")
    counts = state_counts(everything)
    others = [f"{counts[state]} {state}" for state in counts if counts[state] and state != chosen]
    if not rows:
        terminal.line("No errors." if not everything else f"No such errors, but there are {' and '.join(others)}.")
    elif others and chosen != "all":
        terminal.line(paint(f"and {', '.join(others)} (--state)", "dim"))


def _show(inbox: FileInbox, asked: _Asked, options: argparse.Namespace) -> int:
    (name,) = asked.words
    record = inbox.find(name)
    if record is None:
        group = inbox.group(name)
        if group is None:
            return _unknown(name)
        Terminal().error(f"of {group.id} only its counts are kept; its records went for newer ones")
        return 1
    terminal = Terminal(sys.stdout)
    if options.json:
        dump(record.to_data())
    elif options.markdown:
        from ..middleware.errors.render.markdown import as_markdown

        terminal.line(as_markdown(record).rstrip("\n"))
    else:
        from ..middleware.errors.render.text import as_text

        terminal.line(as_text(record, colour=terminal.color, width=_width(), details=True).rstrip("\n"))
    return 0


def _width() -> int:
    import shutil

    return max(60, min(160, shutil.get_terminal_size((100, 24)).columns))


def _mark(inbox: FileInbox, asked: _Asked, options: argparse.Namespace) -> int:
    state = _STATES[asked.command]
    code = 0
    for name in asked.words:
        if not inbox.mark(name, state):
            code = _unknown(name)
        elif (group := inbox.group(name)) is not None:
            print(f"{group.id} is {state}")
    return code


def _clear(inbox: FileInbox, asked: _Asked, options: argparse.Namespace) -> int:
    code, count = 0, 0
    for name in asked.words:
        gone = inbox.clear(name)
        count += gone
        if not gone:
            code = _unknown(name)
    if not asked.words:
        count = inbox.clear()
    print(f"{count} group{'' if count == 1 else 's'} deleted")
    return code


def _unknown(name: str) -> int:
    from ..middleware.errors.collect.identity import is_id
    from ..middleware.errors.inbox.groups import named

    terminal = Terminal()
    if is_id(named(name)):
        terminal.error(f"there is no error {name}; the oldest ones go when new ones come")
    else:
        terminal.error(f"{name} is no id: they look like K7QX-M3PZ, or E-7K3QX for a group")
    return 1


_COMMAND = {"list": _list, "show": _show, "clear": _clear} | dict.fromkeys(_STATES, _mark)
