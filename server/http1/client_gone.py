"""Clients that left."""

from __future__ import annotations


class ClientGone(ConnectionError):
    """The client went away, or took nothing for too long; nobody's mistake."""
