"""Where a browser may be sent after a login: to a path of this very site, and nowhere else."""

from __future__ import annotations

import re

_LONGEST = 2000
# A path: one slash, then neither a slash nor a backslash (either would begin a host), and no character that a browser
# removes or a header cannot hold. Fragments are not sent to servers.
_TARGET = re.compile(r"/(?![/\\])[!-\[\]-~]*")


def safe_target(text: str | None) -> str | None:
    """The target if it is a path on this site, as it may stand in ``Location``; None for everything else."""
    if not text or len(text) > _LONGEST or not _TARGET.fullmatch(text):
        return None
    return text
