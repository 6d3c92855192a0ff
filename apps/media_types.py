"""Media types by file name: one table, the same on every machine.

``mimetypes`` alone also reads files of the operating system, so that one deployment serves what another does not.
"""

from __future__ import annotations

from functools import cached_property

# What the web uses today and the standard library's table lacks in some Python, or names in an outdated way.
_NEWER = {
    ".apng": "image/apng",
    ".avif": "image/avif",
    ".cjs": "text/javascript",
    ".eot": "application/vnd.ms-fontobject",
    ".flac": "audio/flac",
    ".geojson": "application/geo+json",
    ".heic": "image/heic",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".jsonld": "application/ld+json",
    ".jxl": "image/jxl",
    ".map": "application/json",
    ".markdown": "text/markdown",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".otf": "font/otf",
    ".rss": "application/rss+xml",
    ".atom": "application/atom+xml",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
# A compressed file that is asked for by its own name is an archive, not an encoding of something.
_COMPRESSED = {
    ".br": "application/x-brotli",
    ".bz2": "application/x-bzip2",
    ".gz": "application/gzip",
    ".tgz": "application/gzip",
    ".xz": "application/x-xz",
    ".zst": "application/zstd",
}
_TEXTUAL = frozenset({"application/manifest+json", "application/xhtml+xml", "application/xml", "image/svg+xml"})


class MediaTypes:
    """Finds the ``Content-Type`` of a name. ``overrides`` maps suffixes (with their dot, lower case) or whole names."""

    def __init__(self, overrides: dict[str, str], charset: str) -> None:
        self._overrides = overrides
        self._charset = charset

    @cached_property
    def _table(self) -> dict[str, str]:
        # Made for the first name: mimetypes reads files of the operating system whatever one asks of it, and whoever
        # only wants to know whether the options are right has no use for that.
        import mimetypes

        standard = mimetypes.MimeTypes()
        return {**standard.types_map[True], **_NEWER, **_COMPRESSED, **self._overrides}

    def of(self, name: str) -> str:
        """The value of the header; ``application/octet-stream`` for what nobody knows."""
        lower = name.lower()
        found = self._table.get(lower)
        if found is None:
            dot = lower.rfind(".")
            found = self._table.get(lower[dot:]) if dot >= 0 else None
        if found is None:
            return "application/octet-stream"
        if self._charset and "charset=" not in found and (found.startswith("text/") or found in _TEXTUAL):
            return f"{found}; charset={self._charset}"
        return found
