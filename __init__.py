"""wheatpaste: host WSGI applications that already exist, wired by one INI file.

The public names load on first use, so that importing a single component stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "Cascade",
    "ConfigError",
    "URLMap",
    "__version__",
    "appconfig",
    "loadapp",
    "loadfilter",
    "loadserver",
    "serve",
]

if TYPE_CHECKING:
    from .config.loadwsgi import appconfig, loadapp, loadfilter, loadserver
    from .config.problems import ConfigError
    from .middleware.cascade import Cascade
    from .middleware.urlmap import URLMap
    from .server.serving import serve

_HOMES = {
    "Cascade": "middleware.cascade",
    "ConfigError": "config.problems",
    "URLMap": "middleware.urlmap",
    # Not in __all__: to ask for it is to build what WHEATPASTE_CONFIG names.
    "application": "scripts.hosted",
    "appconfig": "config.loadwsgi",
    "loadapp": "config.loadwsgi",
    "loadfilter": "config.loadwsgi",
    "loadserver": "config.loadwsgi",
    "serve": "server.serving",
}


def __getattr__(name: str) -> Any:
    """Import a public name from the module that owns it (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
