"""``[auth:main:session]``: how long a login lasts, and how it travels."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from ....config.options import OptionError, above, at_least, component, option
from ....config.values import Seconds

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def cookie_name_complaint(name: str) -> str | None:
    """What is wrong with the name of a cookie, as a phrase, or None."""
    return None if _NAME.fullmatch(name) else "must be of letters, digits, dots, hyphens and underscores"


class Limits(NamedTuple):
    """Times in seconds. ``idle`` and ``absolute`` have two, of which the second is for remembered sessions.

    ``grain`` is how exactly it is known when a session was last used.
    """

    idle: tuple[float, float]
    absolute: tuple[float, float]
    rotate: float
    overlap: float
    grain: float


@component
class SessionOptions:
    """How long a login lasts, and how it travels."""

    mode: Literal["store", "cookie"] = option(
        default="store",
        doc="Where sessions are kept: in the store, or sealed in the browser's cookie. A cookie needs no store, but"
        " sessions can neither be listed nor ended one by one: what was copied counts until its time is up.",
    )
    idle: Seconds = option(
        default=3600.0,
        doc="A session ends this long after its last request, which is known to the minute.",
        check=above(0),
    )
    absolute: Seconds = option(default=86400.0, doc="A session ends this long after its login.", check=above(0))
    remember: Seconds = option(
        default=30 * 86400.0,
        doc="How long a login lasts for who ticks “keep me signed in”; 0 does not offer it.",
        check=at_least(0),
    )
    remember_idle: Seconds = option(
        default=7 * 86400.0, doc="A remembered session ends this long after its last request.", check=above(0)
    )
    rotate: Seconds = option(
        default=900.0, doc="The cookie's secret is replaced this often.", check=at_least(60), sample="15m"
    )
    overlap: Seconds = option(
        default=30.0, doc="How long requests that were under way may still bring the secret before.", check=at_least(1)
    )
    max_sessions: int = option(
        default=0,
        doc="Sessions of one user at a time; a further login ends the oldest. 0 stands for 200.",
        check=at_least(0),
    )
    same_site: Literal["lax", "strict"] = option(
        default="lax", doc="Whether the cookie comes along when somebody follows a link from another site."
    )
    cookie: str = option(
        default="wheatpaste.session",
        doc="The cookie's name; over TLS it travels as __Host-NAME. Sites at other ports of a host need other names.",
        check=cookie_name_complaint,
    )

    def __post_init__(self) -> None:
        for short, long in (("idle", "absolute"), ("overlap", "rotate")):
            if getattr(self, short) > getattr(self, long):
                raise OptionError("SessionOptions", short, f"must not be more than {long}")
        if self.remember and self.remember < self.absolute:
            raise OptionError("SessionOptions", "remember", "must not be less than absolute, or 0")

    @property
    def offers_remember(self) -> bool:
        """Whether a login may outlast the browser's window."""
        return self.mode == "store" and self.remember > 0

    @property
    def limits(self) -> Limits:
        """What all of it comes to, for whoever asks at each request."""
        remembered = self.remember if self.offers_remember else self.absolute
        return Limits(
            idle=(self.idle, self.remember_idle),
            absolute=(self.absolute, remembered),
            rotate=self.rotate,
            overlap=self.overlap,
            # Not every request is worth a write.
            grain=min(60.0, self.idle / 10),
        )
