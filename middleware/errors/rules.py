"""What a check says of the filter where it stands: what is open to others, and what can never do its work.

Only a console or details that strangers reach keep a site from starting; the rest are warnings.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ...config.listeners import is_local
from ...config.mounts import KeyProblem
from ..delivery.mail_addresses import host_and_port

if TYPE_CHECKING:
    from ...config.surroundings import Surroundings
    from .catch_errors import CatchErrors


def rules(options: CatchErrors, stack: Surroundings) -> Iterator[KeyProblem]:
    """What is wrong with a section of the filter. ``options`` are as they were read: nothing was made of them."""
    yield from _exposed(options, stack)
    yield from _several_processes(options, stack)
    yield from _misplaced(stack)
    yield from _files(options)
    yield from _reports(options)


def _files(options: CatchErrors) -> Iterator[KeyProblem]:
    # Each of them is only opened when something fails, which is late to learn of a mistake.
    if isinstance(options.inbox, Path):
        yield from no_place("inbox", options.inbox)
    if options.error_log is not None:
        yield from no_place("error_log", options.error_log)
    for folder in options.project:
        if not folder.is_dir():
            yield KeyProblem("project", f"there is no folder {folder}", "name the folders of your own code", "warning")


def no_place(key: str, file: Path) -> Iterator[KeyProblem]:
    """Why a file cannot be made where it is to be, as far as can be known before it is."""
    if file.is_dir():
        yield KeyProblem(key, f"{file} is a folder", "name a file in it", "warning")
    elif not file.parent.is_dir():
        yield KeyProblem(key, f"there is no folder {file.parent}", "make it, for the user of the server", "warning")


def _exposed(options: CatchErrors, stack: Surroundings) -> Iterator[KeyProblem]:
    # That debug is on there at all is said of every debug mode.
    if options.debug and stack.public and "*" in options.allow_peers:
        yield KeyProblem(
            "allow_peers",
            f"shows code, values and requests to whoever reaches {stack.public}",
            "name the networks of the developers, such as 192.168.1.0/24, or turn debug off",
        )
    if options.console and stack.public and not options.console_anywhere:
        yield KeyProblem(
            "console",
            f"opens a prompt that runs any code, while others reach {stack.public}",
            "listen on 127.0.0.1; or console_anywhere = true, if it has to be",
        )
    if stack.hidden_proxy and (options.debug or options.console):
        yield KeyProblem(
            "debug" if options.debug else "console",
            f"takes whoever comes through a proxy on this machine ({stack.hidden_proxy}) for its developer where others"
            " than wheatpaste start Waitress, which removes the headers by which a proxy is known",
            "turn it off; or clear_untrusted_proxy_headers = false, in the server's section",
            "warning",
        )
    if options.console and not options.debug and options.inbox == "none":
        yield KeyProblem(
            "console",
            "has no page that it could be on: neither is debug on, nor are errors kept",
            "write debug = true",
            "warning",
        )


def _several_processes(options: CatchErrors, stack: Surroundings) -> Iterator[KeyProblem]:
    workers = stack.server.get("workers", "").strip() or "1"
    if workers in ("0", "1"):
        return
    if options.console:
        yield KeyProblem(
            "console",
            f"stays closed with several processes (workers = {workers}): the frames are in the memory of one of them",
            "serve with one while you use it",
            "warning",
        )
    if options.debug and options.inbox == "memory":
        yield KeyProblem(
            "debug",
            f"each process shows the errors of its own alone (workers = {workers})",
            "name a file: inbox = %(here)s/errors.sqlite",
            "warning",
        )


def _misplaced(stack: Surroundings) -> Iterator[KeyProblem]:
    outer = next((each for each in stack.outside if "errors" in each.names), None)
    if outer is not None:
        yield KeyProblem(
            None,
            f"never sees a failure: [{outer.section}] further out catches all of them",
            "leave one of the two out",
            "warning",
        )
    log = next((each for each in stack.inside if "translogger" in each.names), None)
    if log is not None:
        yield KeyProblem(
            None,
            f"stands outside of [{log.section}], whose lines then do not have what failed requests were answered",
            "put it further in",
            "warning",
        )


def _reports(options: CatchErrors) -> Iterator[KeyProblem]:
    if options.sentry and find_spec("sentry_sdk") is None:
        yield KeyProblem("sentry", "the Sentry SDK is not installed", "pip install sentry-sdk", "warning")
    if not options.error_email:
        return
    if options.smtp_password and not options.smtp_username:
        yield KeyProblem("smtp_password", "is of no use without a user", "write smtp_username, too", "warning")
    if options.smtp_username and not options.smtp_password:
        yield KeyProblem("smtp_username", "is of no use without its password", "write smtp_password, too", "warning")
    host = host_and_port(options.smtp_server)[0]
    if options.smtp_username and options.smtp_password and not options.smtp_use_tls and not is_local(host):
        yield KeyProblem(
            "smtp_use_tls", f"is off, so the password goes to {host} in clear", "write smtp_use_tls = true", "warning"
        )
