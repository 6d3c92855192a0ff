"""The engine: threads that lead in turn, and the connections that they serve."""

from __future__ import annotations

from .engine import Engine

__all__ = ["Engine"]
