"""``wheatpaste auth FILE COMMAND``: the users, keys, tokens and sessions of a site, from the command line.

Each word of :data:`AREAS` is a module of this room with ``arguments(parser)``; what it declares ends in a function
``do(site, options)``, which prints, and returns an exit code or None for 0.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..config.problems import ConfigError, Problem, did_you_mean
from ..config.records import record
from .terminal import Terminal

Do = Callable[[Any, argparse.Namespace], "int | None"]
"""``(site, options)``: does what the words say, and returns the exit code, None for 0."""

_VARIABLE = re.compile(r"[\w.-]+=")


@record
class Area:
    """A word after FILE, the module that it means, and what it is for. ``bare``: it works without a site, too."""

    name: str
    module: str
    sentence: str
    bare: bool = False


AREAS = (
    Area("init", "auth_init", "Make what a site needs: its key file, its tables, and a link for its first admin."),
    Area("user", "auth_users", "Add, list and change users."),
    Area("group", "auth_groups", "Make groups, and say who is in them."),
    Area("role", "auth_roles", "Give roles to users and groups, and take them away."),
    Area("token", "auth_tokens", "Make API tokens, list and revoke them."),
    Area("session", "auth_sessions", "List who is signed in where, and end it."),
    Area("bans", "auth_bans", "See who has to wait after wrong passwords and codes, and let them go on."),
    Area("identity", "auth_identities", "Say which users of login providers are which of the site's."),
    Area("mfa", "auth_factors", "See and reset second factors."),
    Area("invite", "auth_invite", "Make a link by which a user sets a password, once."),
    Area("mail", "auth_mail", "Try whether the site can send mails."),
    Area("import", "auth_import", "Take users over from files and databases of others."),
    Area("export", "auth_export", "Write down users, groups and roles, without passwords unless told."),
    Area("keys", "auth_keys", "List, rotate and retire the keys of the site."),
    Area("hash", "auth_hash", "Print the hash of a password.", bare=True),
    Area("audit", "auth_audit", "Read the log of what happened, and check that it is whole."),
)

_EPILOG = """\
FILE is the site's INI file; without it, the one INI file of this folder. key=value words after it are variables, as for
serve. A site with several filters of the kind names one by --auth NAME, which means [auth:NAME].

{areas}

wheatpaste auth FILE COMMAND --help says more. Passwords are asked for, or read from the standard input.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = "%(prog)s [FILE] COMMAND …"
    width = max(len(each.name) for each in AREAS)
    parser.epilog = _EPILOG.format(areas="\n".join(f"{each.name:<{width}}  {each.sentence}" for each in AREAS))
    parser.add_argument("words", metavar="FILE COMMAND", nargs=argparse.REMAINDER, help="the INI file, and what to do")


def run(options: argparse.Namespace) -> int:
    """Do it. Returns 0, 1 where it could not be done, 2 for a mistake in the words."""
    file, variables, words = split(options.words)
    if not words:
        return _refuse("say what to do: wheatpaste auth FILE COMMAND, and see wheatpaste auth --help")
    if words[0] in ("-h", "--help", "help"):  # behind FILE, for whoever does not know what comes next
        from .parser import Parser

        parser = Parser("wheatpaste auth", "Look after the users, keys, tokens and sessions of a site.")
        arguments(parser)
        parser.print_help()
        return 0
    if words[0] == "--auth" and len(words) > 2:  # behind FILE as well as at the end
        words = [*words[2:], *words[:2]]
    return run_area(words[0], file, variables, words[1:])


def split(words: Sequence[str]) -> tuple[str | None, dict[str, str], list[str]]:
    """FILE, if it is there, the variables behind it, and all other words."""
    rest = list(words)
    file = rest.pop(0) if rest and _is_file(rest[0]) else None
    variables: dict[str, str] = {}
    while rest and _VARIABLE.match(rest[0]):
        key, _, value = rest.pop(0).partition("=")
        variables[key] = value
    return file, variables, rest


def run_area(name: str, file: str | None, variables: dict[str, str], words: Sequence[str]) -> int:
    """Run what follows FILE: a word of :data:`AREAS` and its own words."""
    from .auth_site import AuthSite

    area = next((each for each in AREAS if each.name == name), None)
    if area is None:
        return _refuse(f"no such command: {name}; {did_you_mean(name, [each.name for each in AREAS])}")
    if file is None and words and _is_file(words[0]):
        return _refuse(f"the file comes first: wheatpaste auth {words[0]} {name} …")
    parser = Words(prog=f"wheatpaste auth FILE {name}", description=area.sentence)
    importlib.import_module(f".{area.module}", __package__).arguments(parser)
    try:
        options = parser.parse_args(words)
    except SystemExit as stop:  # argparse ends the process itself, after --help and on mistakes
        return stop.code if isinstance(stop.code, int) else 2
    if file is None and not area.bare:
        file = _only_file()
    site = AuthSite(file, variables, options.auth)
    try:
        code: int | None = options.do(site, options)
    except ConfigError:
        raise
    except Exception as error:
        sentence = _told(error)
        if sentence is None:
            raise
        Terminal().error(sentence)
        return 1
    finally:
        site.close()
    return code or 0


class Words(argparse.ArgumentParser):
    """A parser of what follows an area. ``commands`` declares its further words."""

    def __init__(self, **options: object) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options)  # type: ignore[arg-type]
        self.set_defaults(auth=None, json=False)

    def leaf(self, do: Do) -> Words:
        """Let the words end here: ``do`` is called. Returns the parser, for further options."""
        self.add_argument("--json", action="store_true", help="for programs")
        self.add_argument("--auth", metavar="NAME", help="the sections [auth:NAME] (default: the only ones)")
        self.set_defaults(do=do)
        return self

    def commands(self) -> Callable[[str, str, Do], Words]:
        """Declare a word after these: ``command(name, sentence, do)`` returns its parser."""
        several = self.add_subparsers(metavar="COMMAND", required=True, parser_class=Words)

        def command(name: str, sentence: str, do: Do) -> Words:
            made: Words = several.add_parser(name, help=sentence, description=sentence)
            return made.leaf(do)

        return command

    def error(self, message: str) -> NoReturn:
        """End with the mistake in the words."""
        Terminal().line(f"{self.prog}: {message} (see {self.prog} --help)")
        raise SystemExit(2)


def _told(error: Exception) -> str | None:
    """The sentence that an error of a service has for people, or None where it is a mistake of ours."""
    from ..middleware.storage.store import Conflict, StoreError

    if isinstance(error, Conflict):
        return "that name is taken, or looks like one that is"
    # Services tell by these two exactly; what is derived from them is Python's own.
    if isinstance(error, StoreError) or type(error) in (LookupError, ValueError):
        return str(error)
    return None


def _is_file(word: str) -> bool:
    return os.path.isfile(word) or word.endswith((".ini", ".cfg", ".conf")) or word.startswith(("config:", "egg:"))


def _only_file() -> str:
    found = sorted(each.name for each in Path().glob("*.ini"))
    if len(found) == 1:
        return found[0]
    what = "there is no INI file here" if not found else f"there are several INI files here ({', '.join(found)})"
    raise ConfigError(Problem(what=what, fix="name one: wheatpaste auth FILE COMMAND", code="target"))


def _refuse(what: str) -> int:
    Terminal().error(what)
    return 2
