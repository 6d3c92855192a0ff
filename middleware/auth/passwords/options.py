"""``[auth:main:password]``: what a guess costs, how many there may be, and what a new password must be like."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ....config.options import between, component, option, readable
from ...storage.store import Store
from .checker import Changed, Passwords
from .hasher import Hasher, Profile
from .policy import Policy
from .throttle import Rate, Throttle

if TYPE_CHECKING:
    from ..audit import Audit
    from ..directory import Directory
    from ..vault import Vault


@component
class PasswordOptions:
    """What holds for the passwords of a site."""

    min_length: int = option(
        default=10,
        doc="The fewest characters of a new password; 8 where all have a second factor.",
        check=between(8, 64),
    )
    warn_below: int = option(
        default=15,
        doc="How many characters the pages advise who has no second factor, where that is more than min_length.",
        check=between(8, 128),
    )
    argon2: str = option(
        default="default",
        doc="What a hash costs: default (64 MiB), small (19 MiB), or t=3,m=65536,p=4.",
        check=readable(Profile.read),
    )
    workers: int | None = option(
        default=None,
        doc="How many hashes each process computes at once; without, one for each processor.",
        check=between(1, 64),
    )
    throttle: str = option(
        default="5/15m",
        doc="Wrong passwords of an account, in how much time, after which each further one costs a wait.",
        check=readable(Rate.read),
    )
    address_throttle: str = option(
        default="30/1m",
        doc="Wrong passwords that one address (of IPv6: one /64 network) may send.",
        check=readable(Rate.read),
    )
    ceiling: str | None = option(
        default=None,
        doc="Wrong passwords of all together after which nobody can log in; without, there is no such limit.",
        check=readable(Rate.read),
        sample="600/1m",
    )
    words: tuple[str, ...] = option(
        default=(), doc="Names that nobody's password may consist of, besides those of user and site.", sample="acme"
    )


def hasher_of(options: PasswordOptions) -> Hasher:
    """The hasher of a site. Raises ``ConfigError`` where its packages are not installed."""
    return Hasher(options.argon2, options.workers)


def throttle_of(
    options: PasswordOptions, store: Store, vault: Vault, clock: Callable[[], float] = time.time
) -> Throttle:
    """The throttle of a site, whose counts are in the store."""
    return Throttle(
        store,
        vault,
        clock,
        rate=Rate.read(options.throttle),
        address_rate=Rate.read(options.address_throttle),
        ceiling=None if options.ceiling is None else Rate.read(options.ceiling),
    )


def passwords_of(
    options: PasswordOptions,
    directory: Directory,
    throttle: Throttle,
    audit: Audit,
    *,
    words: tuple[str, ...] = (),
    changed: Changed | None = None,
    shown: Changed | None = None,
) -> Passwords:
    """The passwords of a site. ``words`` are its title and host. Raises ``ConfigError`` as :func:`hasher_of`."""
    return Passwords(
        directory,
        hasher_of(options),
        throttle,
        audit,
        Policy(options.min_length, options.warn_below),
        words=(*options.words, *words),
        changed=changed,
        shown=shown,
    )
