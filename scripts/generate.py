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

from ..config.problems import ConfigError, Problem
from ..server.http_server import HTTPServer, server_runner
from ..server.listeners import DEFAULT_PORT, Address
from .hosted import problems_of_app
from .launch import Launch, Wishes
from .new_file import complaint_about, write_file
from .target import Target, find_target
from .terminal import Terminal, short_path

_SAMPLES = {"uwsgi": ("uwsgi.ini", "uWSGI"), "mod_wsgi": ("mod_wsgi.conf", "Apache with mod_wsgi")}

_USUAL = ("host", "port", "threads", "workers")

_ABOUT_TLS = (
    "The server of the file speaks TLS, which these settings do not: give Apache's <VirtualHost> a certificate, and\n"
    "uWSGI an https-socket or a web server in front."
)


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
    server = _server_of(target)
    settings = _settings(server, output)
    for kind in [options.server] if options.server else sorted(_SAMPLES):
        name, title = _SAMPLES[kind]
        print(f"\nFor {title}:\n\n{_template(name).substitute(settings).rstrip()}")
    if server.speaks_tls:
        print(f"\n{_ABOUT_TLS}")
    return 0


def _refuse(what: str, code: int) -> int:
    print(f"wheatpaste generate: {what}", file=sys.stderr)
    return code


def _is_sound(target: Target) -> bool:
    """Whether the app has no errors; those that it has are printed."""
    errors = [each for each in problems_of_app(str(target.path), target.name) if each.severity == "error"]
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


def _server_of(target: Target) -> HTTPServer:
    """Our server with what the file says of its own, as far as that is known and right; here it will not serve."""
    launch = Launch(target, Wishes())
    launch.load()
    try:
        listening = launch.listening()
        if isinstance(listening.component, HTTPServer):
            return listening.component
        ours: HTTPServer | None = getattr(listening.component, "ours", None)
        if ours is not None or listening.node is None:
            return ours or HTTPServer()
        # Words that most servers use.
        said = {key: text for key, text in listening.node.local_conf.items() if key in _USUAL}
        made: HTTPServer = server_runner.make({}, **said)
        return made
    except ConfigError:
        return HTTPServer()


def _settings(server: HTTPServer, output: Path) -> Mapping[str, str]:
    """What the samples say, with the address, threads and workers of the file's own server."""
    in_environment = sys.prefix != sys.base_prefix
    return {
        "file": str(output),
        "escaped_file": str(output).replace("%", "%%"),  # a percent sign begins a variable of uWSGI
        "directory": str(output.parent),
        "basename": output.name,
        "name": re.sub(r"[^A-Za-z0-9_-]", "-", output.stem),
        "address": _address(server),
        "threads": str(server.threads),
        "workers": str(server.workers),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "virtualenv": f"virtualenv = {sys.prefix.replace('%', '%%')}\n" if in_environment else "",
        "home": f'python-home="{sys.prefix}" ' if in_environment else "",
    }


def _address(server: HTTPServer) -> str:
    """The first address of the file with a host and port, as uWSGI writes it: without a host it is every interface."""
    address = next((each for each in server.addresses() if each.host), Address("127.0.0.1", DEFAULT_PORT))
    return str(address).removeprefix("*")
