"""Why a configuration cannot be taken up, as lines for a log and an operator."""

from __future__ import annotations

from ...config.problems import ConfigError


def reasons_of(error: BaseException) -> list[str]:
    """The problems of a ``ConfigError``; of another exception where the app raised it, and its own words."""
    if isinstance(error, ConfigError):
        return [str(problem) for problem in error.problems]
    from ..failures import failure_of  # nothing of it is needed while all is well

    failure = failure_of(error)
    places = [f"{frame.file}:{frame.line}: {frame.source}" for frame in failure.frames[-1:]]
    return [*places, failure.title]
