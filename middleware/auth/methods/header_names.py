"""Names of headers that WSGI cannot tell apart: ``Remote_User`` and ``Remote-User`` are one environ key.

Some servers let a client send the first, and take it for the second or join the two. Most proxies let it pass. So what
a proxy says in a header counts only where the server drops such names, or the deployer says that the proxy does.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from ....protocol.wsgi import Environ

log = logging.getLogger(__name__)

# As they call themselves, and measured: they drop names with an underscore. mod_wsgi runs in Apache, which does, too.
_DROP = ("waitress", "gunicorn/", "Werkzeug/", "Apache")


def environ_key(header: str) -> str:
    """The environ key of a request header (RFC 3875 section 4.1.18)."""
    return "HTTP_" + header.upper().replace("-", "_")


def header_complaint(name: str) -> str | None:
    """What is wrong with the name of a header that a proxy is to send."""
    return (
        None if re.fullmatch(r"[A-Za-z0-9-]+", name) else "must be the name of a header, of letters, digits and dashes"
    )


def kept_by(server: Mapping[str, str]) -> bool:
    """Whether the section of a server of ours lets such names through."""
    return server.get("underscore_headers") == "keep" or "granian" in server.get("use", "")


class HeaderNames:
    """Whether names in the environ are those of the proxy. ``dropped`` says that the proxy drops the others."""

    def __init__(self, dropped: bool) -> None:
        self._dropped = dropped
        self._has_complained = False

    def are_safe(self, environ: Environ) -> bool:
        """Whether the server of this request drops names with an underscore; where not, that is logged once."""
        if self._dropped or "wheatpaste.server" in environ:
            return True
        software: str = environ.get("SERVER_SOFTWARE", "")
        if software.startswith(_DROP):
            return True
        if not self._has_complained:
            self._has_complained = True
            log.error(
                "no identity header is believed: this server (%r) is not known to drop header names with an underscore,"
                " by which clients could name a user; serve with egg:wheatpaste#main, waitress or gunicorn, or say that"
                " the proxy drops them with `underscores_dropped = true`",
                software[:100],
            )
        return False
