"""``wheatpaste request``: send one request to an app, in this process, with the options of curl.

The app finds ``wsgi.run_once`` and ``paste.command_request`` true in its environ. What it writes to ``wsgi.errors``
goes to stderr, its body to stdout as it comes. The exit code is 0 whenever there was a response, 1 with ``--fail`` if
its status is 400 or more, and 1 where the app raised or broke the protocol.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from contextlib import closing

from . import request_body
from .variables import variable_arguments


def arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("target", metavar="TARGET", help="an INI file, module:object or file.py")
    parser.add_argument("path", metavar="PATH", help="path and query, or a whole URL such as http://demo.localhost/x")
    variable_arguments(parser)
    request_body.arguments(parser)
    how = parser.add_argument_group("how it is sent")
    how.add_argument("-X", "--request", dest="method", metavar="METHOD", type=_method, help="the method")
    how.add_argument(
        "-H",
        "--header",
        dest="headers",
        action="append",
        default=[],
        type=_header,
        metavar="'Name: value'",
        help="a header; 'Name:' takes one away, 'Name;' sends it empty",
    )
    how.add_argument("-A", "--user-agent", metavar="NAME", help="the User-Agent")
    how.add_argument("-e", "--referer", metavar="URL", help="the Referer")
    how.add_argument("-u", "--user", metavar="USER:PASSWORD", help="Basic authentication")
    how.add_argument("-b", "--cookie", metavar="NAME=VALUE|FILE", help="cookies, or the file that holds them")
    how.add_argument("-c", "--cookie-jar", metavar="FILE", help="write the cookies to this file afterwards")
    how.add_argument("--host", metavar="HOST", help="the host that is asked for (default: localhost)")
    how.add_argument("-L", "--location", action="store_true", help="follow redirects within the app")
    how.add_argument("--max-redirs", type=int, default=50, metavar="N", help="how many (default: 50)")
    how.add_argument("--lint", action="store_true", help="check the app with wsgiref.validate, too")
    shown = parser.add_argument_group("what is shown")
    shown.add_argument("-I", "--head", action="store_true", help="send HEAD and show the headers alone")
    shown.add_argument("-i", "--include", action="store_true", help="show the headers before the body")
    shown.add_argument("-v", "--verbose", action="store_true", help="show both sides' headers on stderr")
    shown.add_argument("-o", "--output", metavar="FILE", help="write the body to this file")
    shown.add_argument("-s", "--silent", action="store_true", help="no messages of ours")
    shown.add_argument("-S", "--show-error", action="store_true", help="with -s: but those about errors")
    shown.add_argument(
        "-f", "--fail", action="store_true", help="exit with 1, without the body, if the status is 400 or more"
    )
    shown.add_argument("-w", "--write-out", metavar="TEXT", help="then print this; %%{http_code}, %%{size_download}, …")


def run(options: Namespace) -> int:
    """Send the request and show the response. Raises what the app raises, and ``ConfigError``."""
    from ..config.problems import ConfigError
    from .loaded import load
    from .request_body import Unreadable
    from .transfer import Failed, Transfer

    complain = not options.silent or options.show_error
    try:
        transfer = Transfer.of(options)
    except Unreadable as error:
        if complain:
            print(f"wheatpaste request: {error}", file=sys.stderr)
        return 2
    try:
        with closing(load(options)) as loaded:
            return transfer.run(loaded.app)
    except Failed as error:
        if complain:
            print(f"wheatpaste request: {error}", file=sys.stderr)
        return 1
    except SystemExit as stop:
        # A server would not end because of one request either.
        if complain:
            print(f"wheatpaste request: the app called sys.exit({stop.code!r})", file=sys.stderr)
        return 1
    except BrokenPipeError:
        raise
    except Exception as error:  # silence is wanted whatever an app raises; otherwise it travels on
        if complain:
            raise
        return 2 if isinstance(error, ConfigError) else 1


def _method(text: str) -> str:
    if not text.isascii() or not text.replace("-", "").replace("_", "").isalnum():
        raise ArgumentTypeError(f"{text!r} is no method")
    return text


def _header(text: str) -> tuple[str, str | None]:
    """Name and value; None takes a header away. Raises ``ArgumentTypeError``."""
    from ..protocol.headers import check_header

    name, colon, value = text.partition(":")
    if not colon and text.endswith(";"):
        name, value = text[:-1], ""
    elif not colon:
        raise ArgumentTypeError(f"{text!r} has not the form 'Name: value'")
    try:
        check_header(name, value.strip())
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
    return name, value.strip() if value.strip() or not colon else None
