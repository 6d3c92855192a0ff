"""A site that is asked whether requests may pass: ``python auth_forward_site.py PORT`` serves it.

Users show themselves by a cookie, ``user=ada``, which is enough for a test.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from wheatpaste.middleware.auth.audit import Audit
from wheatpaste.middleware.auth.auth import Guard
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.forward_auth import routes
from wheatpaste.middleware.auth.identity import Identity
from wheatpaste.middleware.auth.rules import RuleOptions, Rules
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.middleware.storage.memory import MemoryStore
from wheatpaste.protocol.csrf import cookies_named

USERS = {
    "ada": Identity("local:1", "ada", "session", email="ada@example.org", roles=frozenset({"admin"})),
    "bob": Identity("local:2", "bob", "session", groups=frozenset({"dev", "a,admins", "staff"})),
    "zoé": Identity("local:3", "zoé", "session", display="Zoé\r\nX-Evil: 1"),
}
RULES = {
    "/public/*": "everyone",
    "/nobody/*": "nobody",
    "/admin/*": "role admin",
    "POST /api/*": "user ada",
    "//other.example/*": "everyone",
    "/*": "authenticated",
}


class ByCookie:
    """Believes a cookie."""

    name = "session"

    def identify(self, visit: Visit) -> Identity | None:
        for each in cookies_named(visit.environ, "user"):
            visit.headers.append(("Set-Cookie", f"seen={each}"))
            return USERS.get(each.encode("latin-1").decode())
        return None

    def challenges(self, visit: Visit) -> Sequence[str]:
        return ['Bearer realm="test"']


def make_authority(*, rules: Any = None, audit: Any = "none", **site: Any) -> Authority:
    """The services of the site; peers of this machine are trusted."""
    authority = Authority(
        site=Site(**{"trusted_proxies": ("127.0.0.1",), **site}),
        store=MemoryStore(),
        vault=None,
        audit=Audit(audit),
        methods=(ByCookie(),),
        rules=rules,
    )
    authority.add_routes(routes(authority))
    authority.add_routes({"login": lambda visit: authority.message(visit, "200 OK", "Sign in here.")})
    return authority


def make_site(**how: Any) -> Guard:
    """The site as an app."""
    return Guard(_app, make_authority(**{"rules": Rules(RuleOptions(rules=RULES)), **how}))


def _app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"the app beside the pages"]


if __name__ == "__main__":
    from wheatpaste.server.http_server import HTTPServer

    HTTPServer(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        trusted_proxies=("127.0.0.1",),
        trusted_proxy_headers=("x-forwarded-for", "x-forwarded-proto"),
    ).serve(make_site())
