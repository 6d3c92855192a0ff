"""``wheatpaste generate wsgi FILE``: the file that uWSGI and mod_wsgi load, and how to tell them of it.

The file goes beside the INI file, the settings for the server to the standard output. Nothing is overwritten unless
told to.
"""

from __future__ import annotations

import os
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from ..config.problems import ConfigError, Problem
from .new_file import complaint_about, write_file
from .target import Target, find_target
from .terminal import Terminal, short_path

if TYPE_CHECKING:
    from ..config.composition import Composition

_SAMPLES = {"uwsgi": ("uwsgi.ini", "uWSGI"), "mod_wsgi": ("mod_wsgi.conf", "Apache with mod_wsgi")}


def arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("what", choices=("wsgi",), help="what to write: the file that a WSGI server loads")
    parser.add_argument("file", metavar="FILE", help="the INI file, or FILE#NAME for another app than main")
    parser.add_argument("--for", dest="server", choices=sorted(_SAMPLES), help="show the settings of this server alone")
    parser.add_argument("--output", metavar="PATH", help="where to write (default: FILE with .wsgi at its end)")
    parser.add_argument("--stdout", action="store_true", help="print the file alone instead of writing it")
    parser.add_argument("--force", action="store_true", help="overwrite PATH if it exists")


def run(options: Namespace) -> int:
    """Write the file and print the settings. Returns 1 where the INI file has errors or the file cannot be written."""
    if options.stdout and (options.output or options.force or options.server):
        return _refuse("--stdout prints the file alone; leave out the other options", 2)
    target = find_target(options.file)
    if target.path is None:
        raise ConfigError(Problem(what=f"{options.file} is no INI file", fix="name one", code="target"))
    if not _is_sound(target):
        return 1
    text = _wsgi_file(target)
    if options.stdout:
        sys.stdout.write(text)
        return 0
    path = Path(target.path)
    output = Path.cwd() / Path(options.output).expanduser() if options.output else path.with_suffix(".wsgi")
    complaint = complaint_about(output, force=options.force)
    if complaint is not None:
        return _refuse(complaint, 1)
    try:
        write_file(output, text)
    except OSError as error:
        return _refuse(f"{output} cannot be written: {error.strerror}", 1)
    print(f"Wrote {short_path(str(output))}.")
    composition = target.compose(collect=True)
    for server in [options.server] if options.server else sorted(_SAMPLES):
        name, title = _SAMPLES[server]
        print(f"\nFor {title}:\n\n{_template(name).substitute(_settings(composition, output)).rstrip()}")
    return 0


def _refuse(what: str, code: int) -> int:
    print(f"wheatpaste generate: {what}", file=sys.stderr)
    return code


def _is_sound(target: Target) -> bool:
    """Whether the app has no errors; those that it has are printed. What the file says of its server is no matter."""
    from ..config.check import check_file

    found = check_file(str(target.path), app_name=target.name, serving=True)
    errors = [each for each in found if each.severity == "error" and not (each.section or "").startswith("server")]
    Terminal().problems(errors)
    return not errors


def _template(name: str) -> Template:
    return Template(files(__package__ or "").joinpath("templates", name).read_text(encoding="utf-8"))


def _wsgi_file(target: Target) -> str:
    config = f"{target.path}#{target.name}" if target.name else str(target.path)
    return _template("site.wsgi").substitute(
        config=os.path.basename(config).replace("\\", "\\\\").replace('"', '\\"'),
        config_literal=repr(config),
        folder_literal=repr(os.getcwd()),
    )


def _settings(composition: Composition, output: Path) -> Mapping[str, str]:
    """What the samples say, with the address, threads and workers of the file's own server."""
    found = composition.also("server")
    conf = {} if found is None else {key: str(text) for key, text in found.local_conf.items()}
    in_environment = sys.prefix != sys.base_prefix
    return {
        "file": str(output),
        "escaped_file": str(output).replace("%", "%%"),  # a percent sign begins a variable of uWSGI
        "directory": str(output.parent),
        "basename": output.name,
        "name": re.sub(r"[^A-Za-z0-9_-]", "-", output.stem),
        "address": _address(conf),
        "threads": _number(conf.get("threads"), "16"),
        "workers": _number(conf.get("workers"), "1"),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "virtualenv": f"virtualenv = {sys.prefix.replace('%', '%%')}\n" if in_environment else "",
        "home": f'python-home="{sys.prefix}" ' if in_environment else "",
    }


def _address(conf: Mapping[str, str]) -> str:
    words = conf.get("listen", "").split()
    if words and not words[0].startswith("unix:"):
        return words[0].replace("*:", ":")
    host = conf.get("host") or "127.0.0.1"
    port = _number(conf.get("port"), "8080")
    return f":{port}" if host == "*" else f"{host}:{port}"


def _number(text: str | None, default: str) -> str:
    return text if text is not None and text.isdecimal() and text != "0" else default
