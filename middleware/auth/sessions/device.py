"""What a browser calls itself, in two words that its user may recognise."""

from __future__ import annotations

# The first that is found counts: most browsers name their forerunners too.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Vivaldi", "Vivaldi"),
    ("FxiOS", "Firefox"),
    ("Firefox", "Firefox"),
    ("CriOS", "Chrome"),
    ("HeadlessChrome", "Chrome"),
    ("Chromium", "Chromium"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
    ("Wget", "Wget"),
    ("python", "Python"),
    ("git/", "git"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
    ("BSD", "BSD"),
)


def device_name(agent: str) -> str:
    """``Firefox on Linux`` of a ``User-Agent``; one of the two words, or nothing, where no more is known.

    It is made of words of ours alone: what a client sends stands in no list.
    """
    agent = agent[:500]
    browser = _named(agent, _BROWSERS)
    system = _named(agent, _SYSTEMS)
    return f"{browser} on {system}" if browser and system else browser or system


def _named(agent: str, known: tuple[tuple[str, str], ...]) -> str:
    return next((name for sign, name in known if sign in agent), "")
