"""Where webhooks are, as a deployer writes it, and what is wrong with that."""

from __future__ import annotations


def webhook_complaint(url: str) -> str | None:
    """What is wrong with the URL of a webhook, as a phrase that does not show it, or None."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        return "must be a URL that begins with https:// or http://"
    if any(letter <= " " or letter > "~" for letter in url):
        return "must be a URL without blanks, whose other letters are escaped"
    return None
