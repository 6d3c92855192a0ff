"""The body of requests that have none: one for all of them, so it cannot be written, filled or closed."""

from __future__ import annotations

import io
from typing import NoReturn


class EmptyBody(io.BytesIO):
    """``wsgi.input`` with nothing in it. Whatever an app does to it, the next one finds it as it was."""

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse. Raises ``AttributeError``."""
        raise AttributeError("this body is not one request's alone")

    def write(self, data: object, /) -> NoReturn:
        """Refuse. Raises ``io.UnsupportedOperation``."""
        raise io.UnsupportedOperation("the body of a request cannot be written")

    def writelines(self, lines: object, /) -> NoReturn:
        """Refuse. Raises ``io.UnsupportedOperation``."""
        raise io.UnsupportedOperation("the body of a request cannot be written")

    def truncate(self, size: int | None = None, /) -> NoReturn:
        """Refuse. Raises ``io.UnsupportedOperation``."""
        raise io.UnsupportedOperation("the body of a request cannot be written")

    def __setstate__(self, state: object, /) -> NoReturn:
        """Refuse. Raises ``io.UnsupportedOperation``."""
        raise io.UnsupportedOperation("the body of a request cannot be written")

    def writable(self) -> bool:
        """It cannot be written."""
        return False

    def close(self) -> None:
        """Stay open: others read it, too."""


EMPTY_BODY = EmptyBody()
