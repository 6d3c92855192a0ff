"""``wheatpaste auth FILE …`` in a process of its own, as an operator runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def auth(ini: Path, *words: str, given: str = "") -> str:
    """What the command prints; ``given`` is what is typed. It has to succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "wheatpaste", "auth", str(ini), *words],
        input=given + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
