"""What a browser calls itself, in two words."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.middleware.auth.sessions.device import device_name

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
        (f"{WINDOWS} Chrome/142.0.0.0 Safari/537.36", "Chrome on Windows"),
        (f"{WINDOWS} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0", "Edge on Windows"),
        (f"{MAC} Version/19.0 Safari/605.1.15", "Safari on macOS"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Linux; Android 16; Pixel 10) AppleWebKit/537.36 Chrome/142.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        ("curl/8.5.0", "curl"),
        ("git/2.43.0", "git"),
        ("python-requests/2.34.2", "Python"),
        ("Mozilla/5.0 (Windows NT 10.0)", "Windows"),
        ("something else", ""),
        ("", ""),
    ],
)
def test_it_names_the_browser_and_the_system(agent, name):
    assert device_name(agent) == name


@settings(deadline=None)
@given(st.text(), st.text())
def test_it_says_no_words_of_the_client(before, after):
    for agent in (f"{before} Firefox/1 {after}", before + after, f"{before}<script>Linux{after}"):
        assert re.fullmatch(r"[A-Za-z ]{0,30}", device_name(agent))
