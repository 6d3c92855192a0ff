"""Where mails go, as a deployer writes it: addresses and servers; and what is wrong with one."""

from __future__ import annotations

import re

# An address as an INI holds it: no names, no comments, nothing that could end a header or name a second recipient.
_LOCAL = r"[^\s@,;:<>()\[\]\"\\\x00-\x1f\x7f]+"
_ADDRESS = re.compile(rf"{_LOCAL}(?:@(?:{_LOCAL}|\[[0-9A-Za-z.:]+\]))?")
_SMTP = 25


def address_complaint(address: str) -> str | None:
    """What is wrong with a mail address, or None; one without a host is a user of the mail server's."""
    return None if _ADDRESS.fullmatch(address) else "is no mail address such as admin@example.com"


def host_and_port(text: str) -> tuple[str, int]:
    """A mail server, from ``host``, ``host:port`` or ``[v6]:port``. Raises ``ValueError``."""
    host, colon, port = text.strip().rpartition(":")
    if not colon or port.endswith("]") or (":" in host and not host.startswith("[")):
        host, port = text.strip(), ""
    if not host or (port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)):
        raise ValueError("must be a host, or host:port")
    return host.strip("[]"), int(port) if port else _SMTP


def server_complaint(text: str) -> str | None:
    """What is wrong with the name of a mail server, or None."""
    try:
        host_and_port(text)
    except ValueError as error:
        return str(error)
    return None
