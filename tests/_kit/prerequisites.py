"""What a test needs of the machine: missing at home it is said and skipped, missing in CI it is a failure."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def lacking(what: str) -> NoReturn:
    """End the test because the machine lacks ``what``."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"this machine lacks {what}, and CI must not")
    pytest.skip(f"this machine lacks {what}")
