"""The demo, served as `make demo` serves it, but on a free port and with a folder of its own to write to."""

from __future__ import annotations

import sys
from pathlib import Path

from running_server import RunningServer

DEMO = Path(__file__).parent.parent.parent / "config" / "demo.ini"


def start_demo(state: Path) -> RunningServer:
    """Start it and wait until it answers; the caller ends it. The first start in a folder makes a database there."""
    argv = [sys.executable, "-m", "wheatpaste", "serve", str(DEMO), "--listen", "127.0.0.1:0", f"state={state}"]
    server = RunningServer(argv, cwd=state)
    try:
        return server.wait_until_ready(60)
    except BaseException:
        server.kill()
        raise
