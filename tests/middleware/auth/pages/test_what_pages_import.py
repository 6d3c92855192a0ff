"""What is heavy is imported when a page, a passkey or a picture is needed, and not before."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("jinja2", "fido2", "segno", "cryptography", "argon2")


def test_pages_and_factors_import_nothing_heavy() -> None:
    code = (
        "import sys, wheatpaste.middleware.auth.pages.routes, wheatpaste.middleware.auth.factors.factors\n"
        f"print(*[each for each in {HEAVY!r} if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
