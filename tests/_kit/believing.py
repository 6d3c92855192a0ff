"""Parts of an authentication that only tests have: a method that believes a header, an audit that remembers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wheatpaste.middleware.auth.identity import Identity
from wheatpaste.middleware.auth.method import Failed
from wheatpaste.middleware.auth.visit import Visit


class Events:
    """An audit that only remembers."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, dict[str, Any]]] = []

    def note(self, event: str, visit: Visit | None = None, account: Any = None, **fields: Any) -> None:
        self.noted.append((event, fields))


class Believing:
    """A method that takes ``X-Test-User`` for the truth; ``?`` in it is wrong, ``!`` cannot be taken at all."""

    def __init__(self, name: str = "session", **known: Any) -> None:
        self.name = name
        self._known = known

    def identify(self, visit: Visit) -> Identity | Failed | None:
        shown = visit.header("X-Test-User")
        if not shown:
            return None
        if "?" in shown:
            return Failed("wrong", "invalid_token", "No such user.")
        if "!" in shown:
            return Failed("broken", "invalid_request", "Cannot be read.", 400)
        return Identity(id=f"test:{shown}", name=shown, method=self.name, **self._known)

    def challenges(self, visit: Visit) -> Sequence[str]:
        return ["Test"] if self.name != "session" else []
