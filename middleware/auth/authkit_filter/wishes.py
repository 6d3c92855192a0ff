"""What a configuration of AuthKit wishes for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from ....config.options import OptionError
from ....config.values import import_object

METHODS = ("basic", "digest", "form", "cookie", "forward", "redirect")
"""The methods that there still are."""

WITH_USERS = ("basic", "digest", "form")
"""Those that check passwords, and so have ``authenticate.*`` keys."""


class Text(NamedTuple):
    """A key's text as it stands in the file, and the folder that relative paths in it are relative to."""

    text: str
    folder: str | None = None


class Users(NamedTuple):
    """Whom passwords are checked with.

    ``data`` is the text of the users for ``text``, a path for ``file``, a database's URL for ``tables``, and what the
    class is made with for ``object``. ``function`` and ``type`` are objects of Python as ``module:object``;
    ``encrypt`` is ``authkit.users:md5``, another function or none.
    """

    kind: Literal["function", "text", "file", "tables", "object"]
    data: str = ""
    function: str = ""
    type: str = ""
    encrypt: str = ""
    encrypt_secret: str = ""

    def __repr__(self) -> str:
        return f"Users({self.kind!r})"


class Template(NamedTuple):
    """A page of the site's own: its text, a file with it, or what makes it."""

    kind: Literal["string", "file", "obj"]
    value: str


class Cookie(NamedTuple):
    """What is wished for the cookie."""

    secret: str
    name: str = "authkit"
    signoutpath: str | None = None
    seconds: float | None = None
    includeip: bool = False
    badcookie_page: bool = True
    badcookie_template: Template | None = None

    def __repr__(self) -> str:
        return f"Cookie(name={self.name!r})"


class Wishes(NamedTuple):
    """All that the keys say. ``config`` is what apps may see of them: no secret is among it."""

    methods: tuple[str, ...] = ()
    enable: bool = True
    fakeuser: str | None = None
    intercept: tuple[str, ...] = ("401",)
    realm: str = "AuthKit"
    users: Users | None = None
    template: Template | None = None
    charset: str = "utf-8"
    cookie: Cookie | None = None
    signinpath: str | None = None
    redirect_url: str | None = None
    config: Mapping[str, Any] = MappingProxyType({})

    @property
    def is_open(self) -> bool:
        """Whether nobody has to show who it is: for one's own machine while an app is being written."""
        return not self.enable or self.fakeuser is not None


class Terms(NamedTuple):
    """What a filter says of the services behind it, in words of ours; the rest is as usual.

    ``secret`` protects nonces where there is no cookie whose secret does it. Until the day that ``legacy_tickets``
    names tickets are exchanged for sessions; ``legacy_get_signout`` says that links sign out.
    """

    store: str = "memory:"
    public_url: str | None = None
    mount: str = "/-/auth"
    audit: str = "log:"
    argon2: str = "small"
    secret: str | None = None
    allow_insecure: bool = False
    legacy_tickets: str | None = None
    legacy_get_signout: bool = False


def path_in(text: Text) -> Path:
    """The path that a text means."""
    return Path(text.folder or "") / Path(text.text.strip()).expanduser()


def import_named(text: str, key: str, component: str = "AuthKit") -> Any:
    """The object that a key names. Raises ``OptionError``."""
    try:
        return import_object(text)
    except (ImportError, AttributeError, ValueError) as error:
        raise OptionError(component, key, f"cannot be imported ({type(error).__name__}: {error})") from error
