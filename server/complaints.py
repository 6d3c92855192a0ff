"""What may be wrong with single options of the server, and how one of them is read."""

from __future__ import annotations

import os
import re

from .listeners import parse_address

PROXY_HEADERS = (
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-by",
    "x-forwarded-prefix",
    "forwarded",
)
"""The headers by which proxies report the original request, as far as they can be believed."""


def permissions_complaint(text: str) -> str | None:
    """What is wrong with permissions in octal digits, or None."""
    digits = text[1:] if len(text) == 4 and text[0] == "0" else text
    is_octal = len(digits) == 3 and set(digits) <= set("01234567")
    return None if is_octal else "must be permissions in octal digits, such as 600"


def prefix_complaint(prefix: str) -> str | None:
    """What is wrong with a path below which a site is shown, or None."""
    if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
        return "must begin with a slash and not end with one, such as /site"
    return None


def path_complaint(path: str) -> str | None:
    """What is wrong with a path of a URL, or None."""
    return None if path.startswith("/") else "must begin with a slash, such as /health"


def address_complaint(text: str) -> str | None:
    """What is wrong with a place to listen on, or None."""
    try:
        parse_address(text)
    except ValueError as error:
        return str(error)
    return None


def proxy_header_complaint(name: str) -> str | None:
    """What is wrong with a forwarding header, or None."""
    return None if name.lower() in PROXY_HEADERS else f"is none of {', '.join(PROXY_HEADERS)}"


def ident_complaint(ident: str | None) -> str | None:
    """What is wrong with the text of a Server header, or None."""
    return None if ident is None or (ident.isprintable() and ident.isascii()) else "must be printable ASCII"


def owner_complaint(text: str) -> str | None:
    """What is wrong with a user and a group, or None."""
    return None if re.fullmatch(r"[^:\s]*:?[^:\s]*", text) and text.strip(":") else "must be user, user:group or :group"


def control_complaint(text: str) -> str | None:
    """What is wrong with where the control socket is, or None."""
    return None if text == "off" or text.startswith("/") else "must be an absolute path, or off"


def read_workers(text: str) -> int:
    """A number of processes; ``auto`` is one for each core that this process may use. Raises ``ValueError``."""
    if text.strip().lower() == "auto":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        return int(text)
    except ValueError:
        raise ValueError("must be a whole number, or auto for one of each core") from None
