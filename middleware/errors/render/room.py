"""How much of a page its parts may take. Counted in bytes, as the page is sent."""

from __future__ import annotations

_SHORTEST = 200  # characters that a text keeps when there is no room any more: enough to tell what it was


def size(*texts: str) -> int:
    """The bytes of these texts on a page, where quotes and brackets take five each."""
    text = "".join(texts)
    return len(text.encode("utf-8", "replace")) + 4 * sum(map(text.count, "<>&'\""))


class Room:
    """So many bytes, for whoever comes first."""

    def __init__(self, bytes_: int) -> None:
        self.left = bytes_

    def takes(self, wanted: int) -> bool:
        """Whether there is room for this; if so it is taken."""
        if wanted > self.left:
            return False
        self.left -= wanted
        return True

    def cut(self, text: str, most: int, least: int = _SHORTEST) -> str:
        """The text as far as there is room for it: up to ``most`` characters, and never less than ``least``."""
        if len(text) > most or size(text) > self.left:
            # Escaped, a text is up to five times as long as it is, and each character up to four bytes.
            most = min(most, max(least, self.left // 8))
        shown = text if len(text) <= most else f"{text[:most]}\n… {len(text) - most} more characters"
        self.left = max(0, self.left - size(shown))
        return shown
