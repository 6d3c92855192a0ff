"""The frames of the last errors, kept alive for the console.

A frame holds everything that the app had in its hands, so few are kept and not for long: the last twenty errors, and
none that nobody has looked at for ten minutes. Other processes have none of them.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from ....protocol.wsgi import Environ

MOST_ERRORS = 20
IDLE_SECONDS = 600.0

Context = AbstractContextManager[Any]


@dataclass(slots=True)
class LiveError:
    """One error whose frames still exist.

    ``frames`` go by the ids that the page uses. ``namespaces`` hold what was assigned at the prompt of a frame.
    ``contexts`` make the request current again, as frameworks know it.
    """

    frames: Mapping[str, FrameType]
    environ: Environ
    contexts: Sequence[Context] = ()
    namespaces: dict[str, dict[str, Any]] = field(default_factory=dict)
    used: float = 0.0


class LiveErrors:
    """The errors whose frames are kept, by their ids. Threads may share it."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._errors: OrderedDict[str, LiveError] = OrderedDict()

    def __len__(self) -> int:
        return len(self._errors)

    def keep(self, id: str, error: LiveError) -> None:
        """Keep the frames of an error; the oldest goes when there are too many."""
        with self._lock:
            self._forget_idle()
            error.used = self._clock()
            self._errors[id] = error
            while len(self._errors) > MOST_ERRORS:
                self._errors.popitem(last=False)

    def find(self, id: str) -> LiveError | None:
        """The error of this id, unless it was never kept or is gone."""
        with self._lock:
            self._forget_idle()
            error = self._errors.get(id)
            if error is not None:
                error.used = self._clock()
            return error

    def clear(self) -> None:
        """Let all of them go."""
        with self._lock:
            self._errors.clear()

    def _forget_idle(self) -> None:
        now = self._clock()
        for id in [id for id, error in self._errors.items() if now - error.used >= IDLE_SECONDS]:
            del self._errors[id]
