"""What the entry points of Paste, PasteDeploy, PasteScript and WebError mean now.

Data alone. The names below are ours whether or not the old distribution is installed (``[wheatpaste] aliases = off``
turns that off). For their other names the old distribution is used if it is there; :func:`advice` says what to do if
it is not.
"""

from __future__ import annotations

APP, COMPOSITE, FILTER, RUNNER = (
    "paste.app_factory",
    "paste.composite_factory",
    "paste.filter_factory",
    "paste.server_runner",
)

_ECHO = "wheatpaste.apps.echo:paste_app_factory"
_CONFIG = "wheatpaste.middleware.request_config:filter_factory"
_ERRORS = "wheatpaste.middleware.errors.old_names"
_AUTH = "wheatpaste.middleware.auth.paste_filters"

ALIASES: dict[str, dict[str, tuple[str, str]]] = {
    "paste": {
        "auth_basic": (FILTER, f"{_AUTH}.logins:paste_auth_basic"),
        "auth_cookie": (FILTER, f"{_AUTH}.cookie:paste_filter_factory"),
        "auth_digest": (FILTER, f"{_AUTH}.logins:paste_auth_digest"),
        "auth_form": (FILTER, f"{_AUTH}.logins:paste_auth_form"),
        "auth_tkt": (FILTER, f"{_AUTH}.logins:paste_auth_tkt"),
        "cascade": (COMPOSITE, "wheatpaste.middleware.cascade:paste_composite_factory"),
        "cgitb": (FILTER, f"{_ERRORS}:paste_cgitb"),
        "config": (FILTER, _CONFIG),
        "error_catcher": (FILTER, f"{_ERRORS}:paste_error_catcher"),
        "errordocument": (FILTER, "wheatpaste.middleware.error_document:paste_filter_factory"),
        "evalerror": (FILTER, f"{_ERRORS}:paste_evalerror"),
        "grantip": (FILTER, f"{_AUTH}.grantip:paste_filter_factory"),
        "http": (RUNNER, "wheatpaste.server.http_server:paste_server_runner"),
        "httpexceptions": (FILTER, "wheatpaste.middleware.http_exceptions:filter_factory"),
        "pkg_resources": (APP, "wheatpaste.apps.static:paste_pkg_resources_factory"),
        "static": (APP, "wheatpaste.apps.static:paste_app_factory"),
        "test": (APP, _ECHO),
        "translogger": (FILTER, "wheatpaste.middleware.translogger:paste_filter_factory"),
        "urlmap": (COMPOSITE, "wheatpaste.middleware.urlmap:paste_composite_factory"),
    },
    "pastedeploy": {
        "config": (FILTER, _CONFIG),
        "prefix": (FILTER, "wheatpaste.middleware.prefix:paste_filter_factory"),
    },
    "pastescript": {
        "test": (APP, _ECHO),
    },
    "weberror": {
        "error_catcher": (FILTER, f"{_ERRORS}:weberror_error_catcher"),
        "evalerror": (FILTER, f"{_ERRORS}:weberror_evalerror"),
        "main": (FILTER, f"{_ERRORS}:weberror_main"),
    },
}
"""Normalised distribution → entry point → (group, "module:attribute")."""

DISTRIBUTIONS = {"paste": "Paste", "pastedeploy": "PasteDeploy", "pastescript": "PasteScript", "weberror": "WebError"}

REMAINING: dict[str, frozenset[str]] = {
    "paste": frozenset(
        [
            "cgi",
            "urlparser",
            "proxy",
            "transparent_proxy",
            "gzip",
            "lint",
            "recursive",
            "paste_session",
            "registry",
        ]
    ),
    "pastescript": frozenset(
        ["cgi", "wsgiutils", "flup_ajp_thread", "flup_ajp_fork", "flup_scgi_thread", "flup_scgi_fork", "twisted"]
    ),
}
"""Names that only the old distribution has, and that work on Python 3 at least in part."""

RETIRED: dict[str, dict[str, str]] = {
    "paste": {
        "cowbell": "remove it",
        "flup_session": "use the sessions of your framework",
        "openid": "OpenID 1 is gone; use OpenID Connect, a section [auth:main:oidc:NAME] of egg:wheatpaste#auth",
        "pony": "remove it",
        "printdebug": "use the logging module",
        "profile": "use cProfile",
        "test_slow": "use egg:wheatpaste#echo, whose ?delay= waits",
        "watch_threads": "use py-spy dump",
        "wdg_validate": "validate pages outside the server",
    },
}
"""Names that cannot work on Python 3, and what to do instead."""


def alias(distribution: str, name: str) -> tuple[str, str] | None:
    """(group, "module:attribute") that the old name means, or None. ``distribution`` is normalised."""
    names = ALIASES.get(distribution)
    return None if names is None else names.get(name)


def advice(distribution: str, name: str) -> str | None:
    """What to do about an old name that is not installed, or None if it is none of the old ones."""
    retired = RETIRED.get(distribution, {}).get(name)
    if retired is not None:
        return f"it does not work on Python 3: {retired}"
    if name in REMAINING.get(distribution, ()):
        return f"install {DISTRIBUTIONS[distribution]}, which still has it"
    return None
