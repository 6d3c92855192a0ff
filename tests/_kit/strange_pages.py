"""Requests that no page of ours sends, by what their headers say, for whoever answers pages of ours alone."""

from __future__ import annotations

Changed = dict[str, str | None]
"""Headers in place of those that our page sends; None for one that is not sent."""


def strange_headers(host: str) -> dict[str, Changed]:
    """By what they are: headers of other pages, where ours is at ``http://`` and this host."""
    return {
        "a form": {"Content-Type": "application/x-www-form-urlencoded"},
        "a form of text": {"Content-Type": "text/plain"},
        "no type": {"Content-Type": None},
        "another site's page": {"Origin": "http://evil.example"},
        "another site's page, as the browser says": {"Sec-Fetch-Site": "cross-site"},
        "another port": {"Origin": "http://localhost:9999"},
        "another port, as the browser says": {"Sec-Fetch-Site": "same-site"},
        "another scheme": {"Origin": f"https://{host}"},
        "a page of no origin": {"Origin": "null"},
        "a broken origin": {"Origin": "http://[::1"},
        "an origin with a path": {"Origin": f"http://{host}/x"},
        "an origin with a name before it": {"Origin": f"http://{host}@evil.example"},
        "neither origin nor metadata": {"Origin": None, "Sec-Fetch-Site": None},
        "no origin": {"Origin": None},
        "typed into the address bar": {"Sec-Fetch-Site": "none"},
    }
