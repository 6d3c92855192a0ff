"""``wheatpaste shell``: Python with an app at hand: at a prompt, from ``-c``, or from stdin."""

from __future__ import annotations

import linecache
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import closing
from typing import Any

from .loaded import Loaded, load
from .variables import variable_arguments

Names = dict[str, Any]


def arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("target", metavar="TARGET", help="an INI file, module:object or file.py")
    variable_arguments(parser)
    parser.add_argument("-c", dest="code", metavar="CODE", help="run this and exit, instead of asking at a prompt")
    parser.add_argument(
        "-p",
        "--python",
        choices=sorted(PROMPTS),
        help="which prompt (default: ipython where it is installed, otherwise python)",
    )


def run(options: Namespace) -> int:
    """Run code, or a prompt until it is left. Raises what loading and the code raise, ``SystemExit`` included."""
    with closing(load(options)) as loaded:
        return _run(options, loaded)


def _run(options: Namespace, loaded: Loaded) -> int:
    names = names_of(loaded)
    if options.code is not None or not sys.stdin.isatty():
        code, place = (sys.stdin.read(), "<stdin>") if options.code is None else (options.code, "<-c>")
        # So that what it raises can be shown with its lines.
        linecache.cache[place] = (len(code), None, code.splitlines(keepends=True), place)
        exec(compile(code, place, "exec"), names)
        return 0
    chosen = options.python or ("ipython" if _is_installed("IPython") else "python")
    try:
        prompt = PROMPTS[chosen]
        prompt(names, banner(loaded))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.lower().partition(".")[0] != chosen:
            raise
        print(f"wheatpaste shell: {chosen} is not installed; pip install {chosen}", file=sys.stderr)
        return 1
    return 0


def names_of(loaded: Loaded) -> Names:
    """The names that stand ready: ``app``, ``apps``, ``client``, ``composition`` and ``config``."""
    from ..testing import Client

    return {
        "__name__": "__console__",
        "__doc__": None,
        "app": loaded.app,
        "apps": loaded.apps,
        "client": Client(loaded.app),
        "composition": loaded.composition,
        "config": Settings(loaded.composition.root.config() if loaded.composition is not None else {}),
    }


class Settings(dict[str, Any]):
    """The settings of an app. The values are the real ones; what is shown of them holds no secret."""

    def __repr__(self) -> str:
        from ..protocol.redact import redact_pairs

        return "{" + ", ".join(f"{name!r}: {value!r}" for name, value in redact_pairs(self)) + "}"


def banner(loaded: Loaded) -> str:
    """What is there, for the top of a prompt."""
    from .. import __version__

    root = loaded.composition.root if loaded.composition is not None else None
    what = f"[{root.section}] of {loaded.target.text}" if root is not None and root.section else loaded.target.text
    rows = {"app": what, "client": "asks the app without a server: client.get('/').text"}
    if loaded.composition is not None:
        names = list(loaded.apps)
        shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        rows["apps"] = f"the other apps of the file, such as apps[{names[0]!r}]: {shown}" if names else "none"
        rows["config"] = "the settings of the app; secrets are hidden when it is shown"
        rows["composition"] = "what the file composes"
    width = max(map(len, rows))
    lines = [f"wheatpaste {__version__}, Python {sys.version.split()[0]}"]
    return "\n".join([*lines, *(f"  {name:<{width}}  {text}" for name, text in rows.items())])


def _is_installed(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None


def _run_startup(names: Names) -> None:
    """Run the file that ``PYTHONSTARTUP`` names, as Python does. What it raises is shown; the prompt comes anyway."""
    path = os.environ.get("PYTHONSTARTUP")
    if not path or sys.flags.ignore_environment:
        return
    try:
        with open(path, "rb") as stream:
            code = stream.read()
        exec(compile(code, path, "exec"), names)
    except Exception:  # noqa: BLE001 - it is somebody's own code, and no reason to refuse the prompt
        import traceback

        print(f"wheatpaste shell: PYTHONSTARTUP failed\n{traceback.format_exc()}", file=sys.stderr)


def _python(names: Names, text: str) -> None:
    import code

    try:
        import readline
        import rlcompleter
    except ImportError:  # not on every platform
        pass
    else:
        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab: complete")
    _run_startup(names)
    code.interact(text, local=names, exitmsg="")


def _ipython(names: Names, text: str) -> None:
    from IPython import start_ipython
    from traitlets.config import Config

    config = Config()
    config.TerminalInteractiveShell.banner1 = f"{text}\n\n"
    config.TerminalInteractiveShell.banner2 = ""
    start_ipython(argv=[], user_ns=names, config=config)  # it runs PYTHONSTARTUP itself


def _bpython(names: Names, text: str) -> None:
    from bpython import embed

    embed(locals_=names, args=["-i"], banner=text)  # it runs PYTHONSTARTUP itself


def _ptpython(names: Names, text: str) -> None:
    from ptpython.repl import embed

    print(text)
    _run_startup(names)
    embed(globals=names, locals=names)


PROMPTS: dict[str, Callable[[Names, str], None]] = {
    "bpython": _bpython,
    "ipython": _ipython,
    "ptpython": _ptpython,
    "python": _python,
}
