"""A shop: its factories, some fit for an INI and some not."""

from typing import Any


def make_app(global_conf: Any, title: str = "", currency: str = "EUR") -> Any:
    """A factory that takes two keys."""


def make_any(global_conf: Any, **settings: Any) -> Any:
    """A factory that takes every key."""


def make_with_root(global_conf: Any, root: str) -> Any:
    """A factory that cannot do without a key."""


def make_nothing() -> Any:
    """No factory: it takes no global configuration."""


async def make_async(global_conf: Any) -> Any:
    """No factory: what it returns is a coroutine."""


def app(environ: Any, start_response: Any) -> Any:
    """No factory: the application itself."""


def make_filter(global_conf: Any, **settings: Any) -> Any:
    """A factory of filters."""


def make_versions(loader: Any, global_conf: Any, **settings: Any) -> Any:
    """A composite that does as it likes with its keys."""


class Shop:
    """An app whose class is the factory."""

    def __init__(self, global_conf: Any, *, stock: str) -> None:
        self.stock = stock
