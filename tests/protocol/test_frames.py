"""What each thread is at."""

from __future__ import annotations

import gc
import sys
import threading

import pytest

from wheatpaste.protocol.frames import current_frames


def test_it_tells_the_frame_of_each_thread() -> None:
    assert current_frames()[threading.get_ident()].f_code.co_name == "current_frames"


@pytest.mark.parametrize("is_on", [True, False])
def test_no_garbage_is_collected_meanwhile(is_on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(sys, "_current_frames", lambda: seen.append(gc.isenabled()) or {})
    was_on = gc.isenabled()
    try:
        (gc.enable if is_on else gc.disable)()
        current_frames()
        assert (seen, gc.isenabled()) == ([False], is_on)
    finally:
        (gc.enable if was_on else gc.disable)()
